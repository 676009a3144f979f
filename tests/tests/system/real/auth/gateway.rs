//! The same through the gateway: walletd with a certificate, in front of a Keycloak with the shipped realm, as
//! docker-compose.yml has it.
//!
//! There is one such Keycloak, and it knows its gateway by one address: these tests take turns.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use super::{
    super::{
        keycloak::{Keycloak, approves, curl, password, stack},
        stores::Stack,
    },
    Person, Waiting,
};
use crate::harness::{Daemon, World, until};

static TURN: Mutex<()> = Mutex::new(());

/// walletd as the gateway.
struct Gateway {
    keycloak: Keycloak,
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
        let stack = Stack::of(what)?;
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let names = ["WALLETD_LISTEN", "WALLETD_PUBLIC_URL", "WALLETD_GATEWAY__CERT_FILE", "WALLETD_GATEWAY__KEY_FILE"];
        let names = names.into_iter().chain([
            "WALLETD_KEYCLOAK_URL",
            "WALLETD_ISSUER",
            "WALLETD_DISCOVERY_URL",
            "WALLETD_AUTH__CLIENTS",
        ]);
        let env: BTreeMap<String, String> = names.map(|name| (name.to_owned(), stack.get(name).to_owned())).collect();
        let world = World::having(&env);
        let daemon = world.daemon();
        Some(Self {
            keycloak: Keycloak::shipped(&stack),
            url: stack.get("WALLETD_PUBLIC_URL").into(),
            issuer: stack.get("WALLETD_ISSUER").into(),
            ca: stack.get("STACK_GATEWAY_CA").into(),
            secret: stack.get("STACK_KEYCLOAK_SHIPPED_SECRET").into(),
            world,
            daemon,
            _turn: turn,
        })
    }

    /// A person who is new in the realm, with these roles.
    fn hires(&self, name: &str, roles: &[&str]) -> Person {
        // A second run on the same stack finds those of the first.
        let id = uuid::Uuid::new_v4().simple().to_string();
        let name = format!("test-{name}-{}", &id[..8]);
        self.keycloak.hires(&name, roles);
        let person = Person { name, world: World::new() };
        let words = ["context", "set", "site", "--daemon", &self.url, "--issuer", &self.issuer, "--ca-file", &self.ca];
        person.world.ctl_words(&words).ok();
        person.world.ctl("context use site").ok();
        person
    }

    /// The person's browser.
    fn approves(&self, person: &Person, login: &Waiting, more: &[&str]) -> crate::harness::Run {
        let otp = person.world.path("phone");
        let cookies = person.world.path("cookies");
        let words = ["--ca", &self.ca, "--otp", otp.to_str().unwrap(), "--cookies", cookies.to_str().unwrap()];
        let words: Vec<&str> = words.iter().chain(more).copied().collect();
        approves(&login.page(), &person.name, &words)
    }

    fn curl(&self, words: &[&str]) -> super::super::keycloak::Answer {
        let words: Vec<&str> = ["--cacert", self.ca.as_str()].iter().chain(words).copied().collect();
        curl(&words)
    }
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
