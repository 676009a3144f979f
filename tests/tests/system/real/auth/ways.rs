//! How signing in goes when it does not go smoothly, told once for both ways: directly at Keycloak, and through the
//! gateway. On both a front before the Keycloak says what it was asked, and misbehaves as it is told.

use std::{net::SocketAddr, process::Command, thread, time::Duration};

use wallet_tests::front::Front;

use super::{
    super::keycloak::{Keycloak, approves},
    Person, Site, Waiting,
    gateway::Gateway,
};
use crate::harness::{Run, finish, tool, until};

pub const DEVICE: &str = "/auth/device ";
pub const TOKEN: &str = "/openid-connect/token ";

/// Where people sign in.
enum Place {
    Keycloak(Site),
    Gateway(Gateway),
}

/// A place, and the front on the way.
pub struct Way {
    pub front: Front,
    place: Place,
}

/// A front before a Keycloak.
pub fn before(keycloak: &Keycloak) -> Front {
    let server: SocketAddr = keycloak.url.strip_prefix("http://").unwrap().parse().unwrap();
    Front::before(server).unwrap()
}

impl Way {
    /// Directly at the Keycloak with the test realm.
    pub fn directly(what: &str) -> Option<Self> {
        let keycloak = Keycloak::of(what)?;
        let front = before(&keycloak);
        let site = Site::by(keycloak, front.address());
        Some(Self { front, place: Place::Keycloak(site) })
    }

    /// Through walletd, which has the Keycloak with the shipped realm behind it.
    pub fn through_the_gateway(what: &str) -> Option<Self> {
        let (front, gateway) = Gateway::behind_a_front(&format!("{what}, through the gateway"))?;
        Some(Self { front, place: Place::Gateway(gateway) })
    }

    /// Somebody who may sign in by this client of the test realm.
    pub fn person(&self, client: &str) -> Person {
        match &self.place {
            Place::Keycloak(site) => site.by_client("olivia", client),
            Place::Gateway(gateway) => gateway.hires_for("uli", &["user"], client),
        }
    }

    /// The person's browser.
    fn approves(&self, person: &Person, login: &Waiting) -> Run {
        match &self.place {
            Place::Keycloak(_) => approves(&login.page(), &person.name, &[]),
            Place::Gateway(gateway) => gateway.approves(person, login, &[]),
        }
    }

    #[track_caller]
    fn lets_in(&self, person: &Person, login: Waiting) {
        self.approves(person, &login).ok();
        assert_eq!(login.ends().data()["who"], person.name);
    }

    #[track_caller]
    fn knows(&self, person: &Person) {
        let roles = match &self.place {
            Place::Keycloak(_) => serde_json::json!(["operator", "user"]),
            Place::Gateway(_) => serde_json::json!(["user"]),
        };
        assert_eq!(person.is()["roles"], roles);
    }

    /// Nobody answers in time: four seconds are too short for anybody.
    pub fn nobody_answers(&self) {
        let late = self.person("hasty");
        let error = late.begins(&[]).ends().exits_with_error(4);
        assert_eq!(error["retryable"], false, "{error}");
        late.world.ctl("wallet list").exits(4);
    }

    /// Keycloak wants three seconds between two questions; the client is told one.
    pub fn is_asked_too_often(&self) {
        self.front.changes(DEVICE, "\"interval\":3", "\"interval\":1");
        let person = self.person("slow");
        let login = person.begins(&[]);
        login.page();
        until("it was asked twice, the second time too soon", || self.front.asked(TOKEN) == 2);
        self.lets_in(&person, login);
        // One second, then six: with one second each it would have been eight questions.
        assert_eq!(self.front.asked(TOKEN), 3);
        self.knows(&person);
    }

    /// What is between fails for a moment, and then for good.
    pub fn fails_for_a_moment(&self) {
        let person = self.person("walletctl");
        let login = person.begins(&[]);
        login.page();
        until("it waits", || self.front.asked(TOKEN) >= 1);
        self.front.answers(TOKEN, 502, 2);
        self.front.drops(TOKEN, 1);
        self.front.answers(TOKEN, 503, 1);
        self.lets_in(&person, login);
        assert!(self.front.asked(TOKEN) >= 5, "{}", self.front.asked(TOKEN));
        self.knows(&person);

        // What will not pass ends it at once.
        let login = person.begins(&[]);
        login.page();
        self.front.answers(TOKEN, 404, 1);
        let before = self.front.asked(TOKEN);
        let error = login.ends();
        assert!(error.code != 0 && self.front.asked(TOKEN) <= before + 1, "{error}");
    }

    /// One person signs in twice at a time, and the second is answered first.
    pub fn two_at_once(&self) {
        let person = self.person("walletctl");
        let logins = [person.begins(&[]), person.begins(&[])];
        let codes = logins.each_ref().map(Waiting::code);
        assert_ne!(codes[0], codes[1]);
        for login in logins.iter().rev() {
            self.approves(&person, login).ok();
        }
        for login in logins {
            login.ends().ok();
        }
        self.knows(&person);
        assert!(!person.refresh_token().is_empty());
    }

    /// Ten processes have one refresh token, and all need a new access token at once.
    pub fn ten_processes(&self, what: &str) {
        let Some(faketime) = tool("faketime", what) else { return };
        let person = self.person("walletctl");
        self.lets_in(&person, person.begins(&[]));
        let (first, asked) = (person.refresh_token(), self.front.asked(TOKEN));
        // Keycloak counts in seconds: a token is a used one from the second after its issue.
        thread::sleep(Duration::from_secs(1));
        // For walletctl it is four minutes and a half later: its token of five minutes wants to be renewed.
        let later = |seconds: u32| {
            let mut command: Command = person.world.command(&faketime);
            command.args(["-f", &format!("+{seconds}s")]).arg(person.world.walletctl().get_program());
            command.args(["wallet", "list"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command
        };
        let running: Vec<_> = (0..10).map(|_| later(280).spawn().unwrap()).collect();
        for (number, child) in running.into_iter().enumerate() {
            finish(format!("process {number}"), child).ok();
        }
        assert_eq!(self.front.asked(TOKEN), asked + 1, "each refresh token is good for one use");
        assert_ne!(person.refresh_token(), first);
        // The login lives on, for as long as nobody shows a used one.
        finish("once more".into(), later(560).spawn().unwrap()).ok();
        assert_eq!(self.front.asked(TOKEN), asked + 2);
        let (keycloak, client) = match &self.place {
            Place::Keycloak(site) => (&site.keycloak, "walletctl"),
            Place::Gateway(gateway) => (&gateway.keycloak, Gateway::client("walletctl")),
        };
        keycloak.refresh(client, &first).refused(400, "invalid_grant");
    }
}
