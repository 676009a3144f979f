//! The same through the gateway: walletd with a certificate, in front of a Keycloak with the shipped realm, as
//! docker-compose.yml has it.
//!
//! There is one such Keycloak, and it knows its gateway by one address: these tests take turns.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use wallet_tests::front::Front;

use super::{
    super::{
        keycloak::{self, Answer, Keycloak, approves, curl, password, stack},
        stores::Stack,
    },
    Person, Waiting,
    ways::{Way, before},
};
use crate::harness::{Daemon, Run, World, until};

static TURN: Mutex<()> = Mutex::new(());

/// The clients of the test realm that the shipped realm gets for a test, and their names there: the shipped one is asked
/// every five seconds, and its codes live three minutes.
const CLIENTS: [(&str, &str); 3] = [("walletctl", "test-quick"), ("hasty", "test-hasty"), ("slow", "test-slow")];

/// walletd as the gateway.
pub struct Gateway {
    pub keycloak: Keycloak,
    url: String,
    issuer: String,
    ca: String,
    secret: String,
    world: World,
    daemon: Daemon,
    _turn: MutexGuard<'static, ()>,
}

impl Gateway {
    fn new(what: &str) -> Option<Self> {
        Some(Self::having(&Stack::of(what)?, &[]))
    }

    /// The same with a front between the gateway and Keycloak, and with clients for a test that cannot wait.
    pub fn behind_a_front(what: &str) -> Option<(Front, Self)> {
        let stack = Stack::of(what)?;
        let keycloak = Keycloak::shipped(&stack);
        for (known, name) in CLIENTS {
            employs(&keycloak, known, name);
        }
        let front = before(&keycloak);
        let names = CLIENTS.map(|(_, name)| name).join(", ");
        let more = [
            ("WALLETD_KEYCLOAK_URL", format!("http://{}", front.address())),
            ("WALLETD_AUTH__CLIENTS", format!("[walletctl, {names}]")),
        ];
        Some((front, Self::having(&stack, &more)))
    }

    fn having(stack: &Stack, more: &[(&str, String)]) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let names = ["WALLETD_LISTEN", "WALLETD_PUBLIC_URL", "WALLETD_GATEWAY__CERT_FILE", "WALLETD_GATEWAY__KEY_FILE"];
        let names = names.into_iter().chain([
            "WALLETD_KEYCLOAK_URL",
            "WALLETD_ISSUER",
            "WALLETD_DISCOVERY_URL",
            "WALLETD_AUTH__CLIENTS",
        ]);
        let env = names.map(|name| (name, stack.get(name).to_owned())).chain(more.iter().cloned());
        let env: BTreeMap<String, String> = env.map(|(name, value)| (name.to_owned(), value)).collect();
        let world = World::having(&env);
        let daemon = world.daemon();
        Self {
            keycloak: Keycloak::shipped(stack),
            url: stack.get("WALLETD_PUBLIC_URL").into(),
            issuer: stack.get("WALLETD_ISSUER").into(),
            ca: stack.get("STACK_GATEWAY_CA").into(),
            secret: stack.get("STACK_KEYCLOAK_SHIPPED_SECRET").into(),
            world,
            daemon,
            _turn: turn,
        }
    }

    /// A person who is new in the realm, with these roles.
    fn hires(&self, name: &str, roles: &[&str]) -> Person {
        self.welcomes(name, roles, "walletctl")
    }

    /// The same, who signs in by what a client of the test realm is here.
    pub fn hires_for(&self, name: &str, roles: &[&str], client: &str) -> Person {
        self.welcomes(name, roles, Self::client(client))
    }

    fn welcomes(&self, name: &str, roles: &[&str], client: &str) -> Person {
        // A second run on the same stack finds those of the first.
        let id = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("test-{name}-{}", &id[..8]);
        self.keycloak.hires(&name, roles);
        let person = Person { name, world: World::new() };
        let words = ["context", "set", "site", "--daemon", &self.url, "--issuer", &self.issuer, "--ca-file", &self.ca];
        person.world.ctl_words(&[&words[..], &["--client", client]].concat()).ok();
        person.world.ctl("context use site").ok();
        person
    }

    /// What a client of the test realm is called here.
    pub fn client(known: &str) -> &'static str {
        CLIENTS.iter().find(|(client, _)| *client == known).unwrap().1
    }

    /// The person's browser.
    pub fn approves(&self, person: &Person, login: &Waiting, more: &[&str]) -> Run {
        self.visits(person, &login.page(), more)
    }

    fn visits(&self, person: &Person, page: &str, more: &[&str]) -> Run {
        let otp = person.world.path("phone");
        let cookies = person.world.path("cookies");
        let words = ["--ca", &self.ca, "--otp", otp.to_str().unwrap(), "--cookies", cookies.to_str().unwrap()];
        let words: Vec<&str> = words.iter().chain(more).copied().collect();
        approves(page, &person.name, &words)
    }

    /// Approves a code that nobody waits for: what pages the person saw.
    fn sees(&self, person: &Person, more: &[&str]) -> Run {
        let code = self.keycloak.device_code("walletctl");
        self.visits(person, code["verification_uri_complete"].as_str().unwrap(), more)
    }

    fn curl(&self, words: &[&str]) -> Answer {
        let words: Vec<&str> = ["--cacert", self.ca.as_str()].iter().chain(words).copied().collect();
        curl(&words)
    }
}

/// Gives the shipped realm a client of the test realm by another name.
fn employs(keycloak: &Keycloak, known: &str, name: &str) {
    let found = keycloak.admin("GET", &format!("/clients?clientId={name}"), None).ok();
    if !found.as_array().unwrap().is_empty() {
        return;
    }
    let realm = keycloak::json("tests/stack/keycloak/wallet-realm.json");
    let mut client = realm["clients"].as_array().unwrap().iter().find(|own| own["clientId"] == known).unwrap().clone();
    client["clientId"] = name.into();
    let made = keycloak.admin("POST", "/clients", Some(&client));
    // Another test may have been quicker.
    assert!([201, 409].contains(&made.status), "{made:?}");
    let id = keycloak.admin("GET", &format!("/clients?clientId={name}"), None).ok()[0]["id"].clone();
    let roles = ["operator", "user"].map(|role| keycloak.admin("GET", &format!("/roles/{role}"), None).ok());
    let path = format!("/clients/{}/scope-mappings/realm", id.as_str().unwrap());
    keycloak.admin("POST", &path, Some(&roles.to_vec().into())).ok();
}

#[test]
fn an_operator_signs_in_through_the_gateway_with_a_one_time_password_and_again_after_keycloak_restarted() {
    let Some(gateway) = Gateway::new("an operator signs in through the gateway, and Keycloak restarts") else { return };
    let olga = gateway.hires("olga", &["operator"]);
    let login = olga.begins(&[]);
    assert!(login.page().starts_with(&format!("{}/auth/realms/wallet/device", gateway.url)), "{}", login.page());
    // The first time the person's phone is set up.
    let pages = gateway.approves(&olga, &login, &[]).ok();
    assert_eq!(pages.trim(), "password set-up-otp consent approved");
    login.ends().ok();
    assert_eq!(olga.is()["roles"], serde_json::json!(["operator"]));
    olga.world.wallet("w_1", "EUR", "5");
    assert_eq!(olga.world.balance("w_1"), "5.00");
    let first = olga.refresh_token();

    // In the middle of a sign-in Keycloak is restarted: it keeps people and sessions, and forgets codes.
    let login = olga.begins(&[]);
    login.page();
    stack(&["kill", "keycloak-shipped"]).ok();
    until("the gateway says that Keycloak is away", || {
        let url = format!("{}/auth/realms/wallet/.well-known/openid-configuration", gateway.url);
        gateway.curl(&[&url]).status >= 500
    });
    // Money moves on meanwhile: the keys are at hand.
    assert_eq!(olga.world.balance("w_1"), "5.00");
    stack(&["up", "keycloak-shipped"]).ok();
    let error = login.ends().exits_with_error(4);
    let told = format!("{} {}", error["message"], error["hint"]);
    assert!(told.contains("again"), "{error}");
    // Nothing was lost by that: the phone is still known, and consent is asked for again.
    let login = olga.begins(&[]);
    assert_eq!(gateway.approves(&olga, &login, &[]).ok().trim(), "password otp consent approved");
    login.ends().ok();
    olga.world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key after --yes").ok();
    assert_eq!(olga.world.balance("w_1"), "6.00");

    // A wrong code of the phone lets nobody in.
    let login = olga.begins(&[]);
    let refused = gateway.approves(&olga, &login, &["--otp-code", "000000"]);
    assert!(refused.code == 1 && refused.out.starts_with("password otp "), "{refused}");
    interrupts(&login);
    login.ends().exits_with_error(130);

    assert_ne!(first, olga.refresh_token());
    let refresh = olga.refresh_token();
    olga.world.ctl("auth logout").ok();
    gateway.keycloak.refresh("walletctl", &refresh).refused(400, "invalid_grant");
    assert_eq!(gateway.daemon.stop(), 0);
}

/// Ctrl-C.
fn interrupts(login: &Waiting) {
    crate::harness::signal(login.pid(), rustix::process::Signal::INT);
}

#[test]
fn a_user_needs_no_one_time_password_a_denial_exits_10_and_a_used_refresh_token_ends_the_session() {
    let Some(gateway) = Gateway::new("a user signs in through the gateway") else { return };
    let uta = gateway.hires("uta", &["user"]);
    let login = uta.begins(&[]);
    assert_eq!(gateway.approves(&uta, &login, &["--deny"]).ok().trim(), "password consent denied");
    login.ends().exits_with_error(10);
    let login = uta.begins(&[]);
    // The same browser: the password is asked for again, and so is consent.
    assert_eq!(gateway.approves(&uta, &login, &[]).ok().trim(), "password consent approved");
    login.ends().ok();
    let uta_is = uta.is();
    assert_eq!((&uta_is["roles"], &uta_is["permissions"]), (&serde_json::json!(["user"]), &serde_json::json!([])));
    uta.world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key d --yes").exits(5);

    let first = uta.refresh_token();
    let endpoint = format!("{}/protocol/openid-connect/token", gateway.issuer);
    let refresh = |token: &str| {
        let field = format!("refresh_token={token}");
        let words = ["grant_type=refresh_token", "client_id=walletctl", &field];
        let words: Vec<&str> = words.iter().flat_map(|word| ["--data-urlencode", word]).collect();
        gateway.curl(&[words.as_slice(), &[&endpoint]].concat())
    };
    let second = refresh(&first).ok()["refresh_token"].as_str().unwrap().to_owned();
    refresh(&first).refused(400, "invalid_grant");
    // Somebody has a copy: whoever it is, nobody goes on with it.
    refresh(&second).refused(400, "invalid_grant");
}

#[test]
fn of_keycloak_only_what_signing_in_needs_is_behind_the_gateway() {
    let Some(gateway) = Gateway::new("what of Keycloak is behind the gateway") else { return };
    let status = |words: &[&str], path: &str| {
        let url = format!("{}{path}", gateway.url);
        gateway.curl(&[words, &["--path-as-is", &url]].concat()).status
    };
    assert_eq!(status(&[], "/auth/realms/wallet/.well-known/openid-configuration"), 200);
    assert_eq!(status(&[], "/auth/realms/wallet/protocol/openid-connect/certs"), 200);
    // Each of these answers where it is asked directly.
    for open in ["/admin/", "/realms/master", "/realms/wallet/account", "/realms/wallet", "/admin/realms"] {
        let directly = curl(&[&format!("{}{open}", gateway.keycloak.url)]).status;
        assert!(directly != 404, "{open}: {directly}");
        let through = status(&[], &format!("/auth{open}"));
        assert!(through == 404 || (through == 400 && open.ends_with('/')), "{open}: {through}");
    }
    for trick in [
        "/auth/realms/wallet/../master",
        "/auth/realms/wallet/%2e%2e/master",
        "/auth/realms/wallet/..;/master",
        "/auth//realms/wallet/device",
        "/auth/realms/wallet/device;x",
        "/auth/realms%2fwallet/device",
        "/auth/realms/wallet\\device",
        "/auth/admin/../realms/wallet/device",
    ] {
        let status = status(&[], trick);
        assert!(status == 400 || status == 404, "{trick}: {status}");
    }
    // Grants that signing in does not need are not passed on, to whatever client.
    let token = "/auth/realms/wallet/protocol/openid-connect/token";
    for grant in ["password", "authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange", ""] {
        let field = format!("grant_type={grant}");
        let fields = ["--data", &field, "--data", "client_id=walletctl&username=x&password=x"];
        assert_eq!(status(&fields, token), 400, "{grant}");
    }
    // What a client says of where it comes from is not believed.
    let config: Value = gateway
        .curl(&[
            "--header",
            "X-Forwarded-Host: evil.example",
            "--header",
            "X-Forwarded-Proto: http",
            "--header",
            "Forwarded: host=evil.example",
            &format!("{}/auth/realms/wallet/.well-known/openid-configuration", gateway.url),
        ])
        .ok();
    let text = config.to_string();
    assert!(!text.contains("evil") && config["issuer"] == gateway.issuer, "{text}");
    // What a client is told to use is the gateway, not the address behind it.
    for name in ["token_endpoint", "device_authorization_endpoint", "jwks_uri", "revocation_endpoint"] {
        assert!(config[name].as_str().unwrap().starts_with(&gateway.url), "{name}: {config}");
    }
}

#[test]
fn a_cron_job_signs_in_through_the_gateway() {
    let Some(gateway) = Gateway::new("a cron job signs in through the gateway") else { return };
    let job = World::new();
    let secret = job.file("secret", &gateway.secret);
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let words =
        ["context", "set", "night", "--daemon", &gateway.url, "--issuer", &gateway.issuer, "--ca-file", &gateway.ca];
    let more = ["--client", "cron-job", "--secret-file", secret.to_str().unwrap()];
    job.ctl_words(&[words.as_slice(), &more].concat()).ok();
    job.ctl("context use night").ok();
    job.wallet("w_9", "EUR", "3");
    assert_eq!(job.balance("w_9"), "3.00");
    assert_eq!(gateway.world.balance("w_9"), "3.00");
    assert_eq!(job.ctl("auth whoami -o json").data()["roles"], serde_json::json!(["operator"]));
}

#[test]
fn who_guesses_passwords_is_kept_out_for_a_while_even_with_the_right_one() {
    let Some(gateway) = Gateway::new("guessing passwords at the shipped realm") else { return };
    let uwe = gateway.hires("uwe", &["user"]);
    let login = uwe.begins(&[]);
    // As many as the realm lets pass, one after the other: at once they would count as one.
    for _ in 0..5 {
        let code = gateway.keycloak.device_code("walletctl");
        let page = code["verification_uri_complete"].as_str().unwrap();
        let guess = guesses(page, &uwe.name, "wrong-password", &gateway.ca);
        assert!(guess.starts_with("password 200 "), "{guess}");
    }
    let right = guesses(&login.page(), &uwe.name, &password(&uwe.name), &gateway.ca);
    assert!(right.starts_with("password 200 "), "the account is open: {right}");
    interrupts(&login);
    login.ends().exits_with_error(130);
}

fn guesses(page: &str, who: &str, password: &str, ca: &str) -> String {
    let mut command =
        std::process::Command::new(super::super::keycloak::file("tests/stack/keycloak/approve_device.py"));
    command.args([page, who, password, "--ca", ca]);
    crate::harness::run(command, Vec::new()).exits(1)
}

#[test]
fn a_sign_in_that_nobody_answers_in_time_exits_4_through_the_gateway_too() {
    let Some(way) = Way::through_the_gateway("a sign-in that ends") else { return };
    way.nobody_answers();
}

#[test]
fn an_issuer_behind_the_gateway_that_wants_to_be_asked_less_often_is_asked_less_often() {
    let Some(way) = Way::through_the_gateway("slow_down") else { return };
    way.is_asked_too_often();
}

#[test]
fn a_keycloak_that_fails_behind_the_gateway_for_a_moment_does_not_end_a_sign_in() {
    let Some(way) = Way::through_the_gateway("a 502 in the middle of a sign-in") else { return };
    way.fails_for_a_moment();
}

#[test]
fn two_sign_ins_at_once_through_the_gateway_both_end_well() {
    let Some(way) = Way::through_the_gateway("two sign-ins at once") else { return };
    way.two_at_once();
}

#[test]
fn ten_processes_use_a_refresh_token_once_through_the_gateway_too() {
    let what = "ten processes with one refresh token";
    let Some(way) = Way::through_the_gateway(what) else { return };
    way.ten_processes(what);
}

/// How many attempts the trail tells of, by their reason.
fn refused(world: &World) -> BTreeMap<String, u64> {
    let list = world.ctl("audit list --kind sign_in_refused --limit 100 -o json").data();
    let mut refused = BTreeMap::new();
    for row in list.as_array().unwrap() {
        let record = &row["record"];
        *refused.entry(record["reason"].as_str().unwrap().to_owned()).or_default() += record["count"].as_u64().unwrap();
    }
    refused
}

#[test]
fn wrong_passwords_codes_and_secrets_are_in_the_audit_trail_and_an_honest_sign_in_is_not() {
    let Some(gateway) = Gateway::new("what of signing in is in the audit trail") else { return };
    let olga = gateway.hires("olga", &["operator"]);
    assert_eq!(gateway.sees(&olga, &[]).ok().trim(), "password set-up-otp consent approved");
    assert_eq!(gateway.sees(&olga, &[]).ok().trim(), "password otp consent approved");
    let token = format!("{}/protocol/openid-connect/token", gateway.issuer);
    let job = |secret: &str| {
        let secret = format!("client_secret={secret}");
        let form = ["grant_type=client_credentials", "client_id=cron-job", &secret];
        let words: Vec<&str> = form.iter().flat_map(|field| ["--data-urlencode", field]).collect();
        gateway.curl(&[words.as_slice(), &[&token]].concat())
    };
    job(&gateway.secret).ok();

    let wrong = gateway.sees(&olga, &["--otp-code", "000000"]);
    assert!(wrong.code == 1 && wrong.out.starts_with("password otp "), "{wrong}");
    let code = gateway.keycloak.device_code("walletctl");
    let guess = guesses(code["verification_uri_complete"].as_str().unwrap(), &olga.name, "wrong", &gateway.ca);
    assert!(guess.starts_with("password 200 "), "{guess}");
    job("wrong").refused(401, "unauthorized_client");

    // What is not written yet is written at the end.
    let Gateway { world, daemon, _turn, .. } = gateway;
    assert_eq!(daemon.stop(), 0);
    let daemon = world.daemon();
    world.settles("the trail");
    let expected = [("grant_refused".to_owned(), 1), ("login_refused".to_owned(), 2)];
    assert_eq!(refused(&world), BTreeMap::from(expected));
    drop(daemon);
}

#[test]
fn administrators_and_who_may_backdate_bring_a_one_time_password_as_operators_do() {
    let Some(gateway) = Gateway::new("who brings a one-time password") else { return };
    for (name, roles) in [("ada", ["admin", "auditor"]), ("ben", ["backdate", "user"]), ("cleo", ["operator", "admin"])]
    {
        let person = gateway.hires(name, &roles);
        // Never twice, whatever somebody is besides.
        assert_eq!(gateway.sees(&person, &[]).ok().trim(), "password set-up-otp consent approved", "{name}");
        assert_eq!(gateway.sees(&person, &[]).ok().trim(), "password otp consent approved", "{name}");
    }
    let person = gateway.hires("dan", &["user", "auditor"]);
    assert_eq!(gateway.sees(&person, &[]).ok().trim(), "password consent approved");
}
