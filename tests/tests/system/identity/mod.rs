//! Who may do what, on TCP, with tokens of each role: the table on every route, users in their own wallets, and the way
//! to sign in.

mod refused;
pub mod signer;
mod users;

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use self::signer::{Signer, free_port};
use crate::harness::{Daemon, World, certificate, until};

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    /// A header's value.
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    #[track_caller]
    fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.body
    }

    /// The problem's body, without what is every request's own.
    #[track_caller]
    fn problem(self, status: u16) -> Value {
        let mut body = self.is(status);
        body.as_object_mut().unwrap().remove("request_id");
        body
    }
}

/// A machine whose daemon listens on TCP and takes tokens of an issuer.
struct Place {
    world: World,
    signer: Signer,
    port: u16,
}

impl Place {
    fn new() -> Self {
        let (signer, port) = (Signer::new(), free_port());
        let env = [
            ("WALLETD_GATEWAY__LISTEN", format!("\"127.0.0.1:{port}\"")),
            ("WALLETD_AUTH__ISSUER", format!("\"{}\"", signer.name())),
            // How many refusals are too many is another test's matter.
            ("WALLETD_RATE_LIMIT__CLIENT__BURST", "100000".into()),
            ("WALLETD_RATE_LIMIT__SIGN_IN__BURST", "100000".into()),
        ];
        let env: BTreeMap<String, String> = env.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Self { world: World::having(&env), signer, port }
    }

    /// With its daemon, and its issuer up.
    fn up() -> (Self, Daemon) {
        let place = Self::new();
        place.signer.serve();
        let daemon = place.world.daemon();
        let token = place.signer.token("first", &[]);
        until("the keys are read", || place.ask("GET", "/v1/whoami", Some(&token), None).status == 200);
        (place, daemon)
    }

    fn ask(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        self.ask_with(method, path, token, body, "")
    }

    /// A write with a key.
    fn write(&self, path: &str, token: &str, key: &str, body: &Value) -> Answer {
        self.ask_with("POST", path, Some(token), Some(body), &format!("idempotency-key: {key}\r\n"))
    }

    fn ask_with(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>, headers: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let text = body.map(ToString::to_string).unwrap_or_default();
        let kind = if body.is_some() { "content-type: application/json\r\n" } else { "" };
        let length = text.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n", self.port);
        write!(stream, "{head}{token}{kind}{headers}content-length: {length}\r\n\r\n{text}").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        Answer { status, head: head.into(), body: serde_json::from_str(body).unwrap_or(json!(body)) }
    }

    /// The rows of `walletd authz --json`.
    fn table(&self) -> Vec<Value> {
        let text = self.world.walletd_runs("authz --json").ok();
        let table: Value = serde_json::from_str(&text).unwrap();
        table["rules"].as_array().unwrap().clone()
    }
}

/// A path of the table with something in its variable parts.
fn filled(path: &str) -> String {
    path.replace("{id}", "w1").replace("{key}", "k1").replace("{store}", "nothing")
}

#[test]
fn every_role_is_held_to_the_table_on_every_route() {
    let (place, _daemon) = Place::up();
    let roles = ["operator", "auditor", "user"];
    let tokens = roles.map(|role| place.signer.token(&format!("an-{role}"), &[role]));
    let nobody = place.signer.token("nobody", &["offline_access"]);
    for row in place.table() {
        let (method, path) = (row["method"].as_str().unwrap(), filled(row["path"].as_str().unwrap()));
        let body = json!({});
        let body = (method == "POST").then_some(&body);
        for (role, token) in roles.iter().zip(&tokens) {
            let cell = row[role].as_str().unwrap();
            let answer = place.ask(method, &path, Some(token), body);
            let forbidden = cell == "-" || cell.starts_with("with ");
            assert_eq!(answer.status == 403, forbidden, "{role} {method} {path}: {answer:?}");
            assert!(answer.status != 401 && answer.status < 500, "{role} {method} {path}: {answer:?}");
        }
        let cell = row["operator"].as_str().unwrap();
        let unsigned = place.ask(method, &path, None, body);
        assert_eq!(unsigned.status == 401, cell != "open", "{method} {path}: {unsigned:?}");
        let without_role = place.ask(method, &path, Some(&nobody), body);
        let known = ["open", "yes"].contains(&cell) && row["user"] == cell && row["auditor"] == cell;
        let open = cell == "open" || (known && ["/v1/whoami", "/v1/can-i"].contains(&path.as_str()));
        assert_eq!(without_role.status == 403, !open, "nobody {method} {path}: {without_role:?}");
    }
}

#[test]
fn whoever_is_not_signed_in_is_told_where_to() {
    let (place, _daemon) = Place::up();
    let url = format!("http://127.0.0.1:{}", place.port);
    let metadata = place.ask("GET", "/.well-known/oauth-protected-resource", None, None).is(200);
    assert_eq!(
        (metadata["resource"].as_str(), &metadata["authorization_servers"]),
        (Some(url.as_str()), &json!([place.signer.name()]))
    );
    assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    let way = format!("resource_metadata=\"{url}/.well-known/oauth-protected-resource\"");
    for path in ["/v1/wallets", "/v1/nothing", "/"] {
        let answer = place.ask("GET", path, None, None);
        assert_eq!(answer.header("www-authenticate"), Some(format!("Bearer {way}").as_str()), "{path} {answer:?}");
        answer.is(401);
    }
    let answer = place.ask("GET", "/v1/wallets", Some("not.a.token\"><script>"), None);
    let expected = format!("Bearer error=\"invalid_token\", error_description=\"it is not a signed token\", {way}");
    assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));
    assert!(!answer.body.to_string().contains("script"), "{answer:?}");
    let two = format!("authorization: Bearer {}\r\n", place.signer.token("a", &["operator"]));
    assert_eq!(
        place.ask_with("GET", "/v1/wallets", Some(&place.signer.token("a", &["operator"])), None, &two).status,
        401
    );
    let basic = place.ask_with("GET", "/v1/wallets", None, None, "authorization: Basic YTpi\r\n");
    assert_eq!(basic.header("www-authenticate"), Some(format!("Bearer {way}").as_str()));
    // Of a caller on the socket the kernel says who it is; the way in is told as well.
    let on_socket = place.world.ctl("api GET /.well-known/oauth-protected-resource").ok();
    assert!(on_socket.contains(&url), "{on_socket}");
}

#[test]
fn a_write_with_two_keys_or_a_broken_one_is_no_write() {
    let (place, _daemon) = Place::up();
    let token = place.signer.token("olivia", &["operator"]);
    place.write("/v1/wallets", &token, "open", &json!({"id": "w1", "owner": "o", "asset": "EUR"})).is(200);
    let deposit = json!({"to": "w1", "amount": "1", "asset": "EUR"});
    for (keys, why) in [
        ("idempotency-key: a\r\nidempotency-key: b\r\n", "given once"),
        ("idempotency-key: a\r\nidempotency-key: a\r\n", "given once"),
        ("idempotency-key: a b\r\n", "visible ASCII"),
        ("idempotency-key:\r\n", "visible ASCII"),
    ] {
        let problem = place.ask_with("POST", "/v1/deposits", Some(&token), Some(&deposit), keys).problem(400);
        assert!(problem["detail"].as_str().unwrap().contains(why), "{keys:?}: {problem}");
    }
    let balance = place.ask("GET", "/v1/wallets/w1/balance", Some(&token), None).is(200);
    assert_eq!(balance["balance"], "0.00");
}

#[test]
fn a_method_that_a_path_does_not_take_is_told_which_it_takes() {
    let (place, _daemon) = Place::up();
    let token = place.signer.token("olivia", &["operator"]);
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = place.ask(method, "/v1/wallets", Some(&token), None);
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST, HEAD")), "{method} {answer:?}");
    }
    place.ask("GET", "/v1/nothing", Some(&token), None).is(404);
}

#[test]
fn whoami_and_can_i_tell_what_the_token_is_worth() {
    let (place, _daemon) = Place::up();
    let token = place.signer.token("uma", &["user", "backdate"]);
    let who = place.ask("GET", "/v1/whoami", Some(&token), None).is(200);
    assert_eq!((who["actor"].as_str(), who["owner"].as_str()), (Some("sub:uma"), Some("uma")));
    assert_eq!((&who["roles"], &who["permissions"]), (&json!(["user"]), &json!(["backdate"])));
    assert_eq!(
        (who["issuer"].as_str(), who["client"].as_str()),
        (Some(place.signer.name().as_str()), Some("walletctl"))
    );
    assert!(who["expires_at"].as_str().unwrap().ends_with('Z'));
    let can = |question: &str| place.ask("GET", &format!("/v1/can-i?{question}"), Some(&token), None).is(200);
    let transfer = can("action=transfer");
    assert_eq!(
        (&transfer["allowed"], &transfer["wallets"], &transfer["backdate"]),
        (&json!(true), &json!("own"), &json!(true))
    );
    assert_eq!(transfer, can("method=post&path=/v1/transfers"));
    let freeze = can("method=POST&path=/v1/wallets/w1/freeze");
    assert_eq!((&freeze["allowed"], freeze["lacks"].as_str()), (&json!(false), Some("the role operator")));
    for bad in
        ["", "?action=fly", "?method=GET", "?action=transfer&method=GET", "?method=GET&path=/v1/x", "?actoin=transfer"]
    {
        place.ask("GET", &format!("/v1/can-i{bad}"), Some(&token), None).is(400);
    }
    let socket: Value = serde_json::from_str(&place.world.ctl("api GET /v1/whoami").ok()).unwrap();
    assert!(socket["actor"].as_str().unwrap().starts_with("uid:") && socket.get("issuer").is_none());
}

#[test]
fn a_daemon_whose_issuer_is_away_serves_and_says_so() {
    let place = Place::new();
    let doctor = place.world.walletd_runs("doctor");
    assert!(doctor.code == 75 && doctor.out.contains("issuer"), "{doctor}");
    let daemon = place.world.daemon();
    let token = place.signer.token("olivia", &["operator"]);
    let answer = place.ask("GET", "/v1/wallets", Some(&token), None);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert_eq!(answer.problem(503)["code"], "unavailable");
    place.world.ctl("wallet list").ok();
    until("the log says so", || daemon.log().contains("the issuer's keys cannot be read"));
    place.signer.serve();
    until("the issuer is found", || place.ask("GET", "/v1/wallets", Some(&token), None).status == 200);
    place.world.walletd_runs("doctor").ok();
}

#[test]
fn keys_at_an_https_url_are_read_by_the_systems_authorities_though_the_document_is_plain() {
    let mut place = Place::new();
    let Some((cert, key)) = certificate(&place.world.path(""), "keys") else { return };
    place.signer.serve_with_keys_at(&Signer::serve_keys_by_tls(&cert, &key));
    let token = place.signer.token("olivia", &["operator"]);
    let daemon = place.world.daemon();
    until("the log says so", || daemon.log().contains("the issuer's keys cannot be read"));
    assert_eq!(place.ask("GET", "/v1/wallets", Some(&token), None).status, 503, "nobody vouches for it");
    assert_eq!(daemon.stop(), 0);
    // What the system trusts, where this variable says it.
    place.world.add("SSL_CERT_FILE", cert.to_str().unwrap());
    let _daemon = place.world.daemon();
    until("the keys are read", || place.ask("GET", "/v1/wallets", Some(&token), None).status == 200);
}
