//! Keycloak as a test uses it: its own interfaces by curl, and people with a browser (tests/stack/keycloak).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use super::stores::Stack;
use crate::harness::{Run, run};

/// What a form's fields are.
pub type Form<'a> = &'a [(&'a str, &'a str)];

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// A verifier and its S256 challenge: of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A file of the repository.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name)
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It went well; its content.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// It was refused with this status and OAuth's word.
    #[track_caller]
    pub fn refused(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.json()["error"].as_str()), (status, Some(error)), "{self:?}");
    }
}

/// Runs curl: status and body.
pub fn curl(words: &[&str]) -> Answer {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--write-out", "\n%{http_code}"]);
    command.args(words);
    let out = run(command, Vec::new()).ok();
    let (body, status) = out.rsplit_once('\n').unwrap();
    Answer { status: status.parse().unwrap(), body: body.into() }
}

/// One realm of a Keycloak.
#[derive(Clone, Debug)]
pub struct Keycloak {
    /// Where it listens.
    pub url: String,
    password: String,
}

impl Keycloak {
    /// The one with people in it; none, with a line that says what is skipped, without a stack.
    pub fn of(what: &str) -> Option<Self> {
        let stack = Stack::of(what)?;
        Some(Self { url: stack.get("STACK_KEYCLOAK_URL").into(), password: "admin".into() })
    }

    /// The shipped one.
    pub fn shipped(stack: &Stack) -> Self {
        let url = stack.get("WALLETD_KEYCLOAK_URL").into();
        Self { url, password: stack.get("STACK_KEYCLOAK_SHIPPED_ADMIN").into() }
    }

    pub fn issuer(&self) -> String {
        format!("{}/realms/wallet", self.url)
    }

    /// An endpoint of the realm's `OpenID` Connect.
    pub fn endpoint(&self, name: &str) -> String {
        format!("{}/protocol/openid-connect/{name}", self.issuer())
    }

    /// Sends a form.
    pub fn post(&self, endpoint: &str, form: Form<'_>) -> Answer {
        post(&self.endpoint(endpoint), form, &[])
    }

    /// Asks the admin API about the realm wallet; a path is behind `/admin/realms/wallet`.
    pub fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let master = format!("{}/realms/master/protocol/openid-connect/token", self.url);
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", "admin"),
            ("password", self.password.as_str()),
        ];
        let token = post(&master, &form, &[]).ok()["access_token"].as_str().unwrap().to_owned();
        let (bearer, url) =
            (format!("Authorization: Bearer {token}"), format!("{}/admin/realms/wallet{path}", self.url));
        let mut words = vec!["--request", method, "--header", &bearer, &url];
        let text = body.map(Value::to_string);
        if let Some(text) = &text {
            words.extend(["--header", "Content-Type: application/json", "--data", text]);
        }
        curl(&words)
    }

    /// Makes a person with these roles; the password is [`password`]'s.
    pub fn hires(&self, name: &str, roles: &[&str]) {
        let person = serde_json::json!({
            "username": name, "enabled": true, "email": format!("{name}@example.test"), "emailVerified": true,
            "firstName": name, "lastName": "Test",
            "credentials": [{ "type": "password", "value": password(name), "temporary": false }],
        });
        self.admin("POST", "/users", Some(&person)).ok();
        let found = self.admin("GET", &format!("/users?exact=true&username={name}"), None).ok();
        let id = found[0]["id"].as_str().unwrap();
        let roles = roles.iter().map(|role| self.admin("GET", &format!("/roles/{role}"), None).ok()).collect();
        self.admin("POST", &format!("/users/{id}/role-mappings/realm"), Some(&Value::Array(roles))).ok();
    }

    /// Asks for a device code as a client would.
    pub fn device_code(&self, client: &str) -> Value {
        let form = [("client_id", client), ("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
        self.post("auth/device", &form).ok()
    }

    /// Asks for what became of it.
    pub fn redeem(&self, client: &str, code: &Value) -> Answer {
        let form = [
            ("grant_type", DEVICE_GRANT),
            ("client_id", client),
            ("device_code", code["device_code"].as_str().unwrap()),
            ("code_verifier", VERIFIER),
        ];
        self.post("token", &form)
    }

    /// A person signs in to a client, from end to end; the tokens.
    pub fn signs_in(&self, client: &str, who: &str) -> Value {
        let code = self.device_code(client);
        approves(code["verification_uri_complete"].as_str().unwrap(), who, &[]).ok();
        self.redeem(client, &code).ok()
    }

    /// Gets new tokens for a refresh token.
    pub fn refresh(&self, client: &str, token: &str) -> Answer {
        self.post("token", &[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)])
    }
}

/// Sends a form to a URL.
pub fn post(url: &str, form: Form<'_>, more: &[&str]) -> Answer {
    let fields: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut words = more.to_vec();
    for field in &fields {
        words.extend(["--data-urlencode", field]);
    }
    words.push(url);
    curl(&words)
}

/// The password of everybody a test knows; those of the shipped realm are made long enough for its policy.
pub fn password(name: &str) -> String {
    format!("{name}-pw")
}

/// Somebody opens the link in a browser and does what the pages say; what pages they saw, and how it ended.
pub fn approves(uri: &str, who: &str, more: &[&str]) -> Run {
    let mut command = Command::new(file("tests/stack/keycloak/approve_device.py"));
    command.args([uri, who, &password(who)]).args(more);
    run(command, Vec::new())
}

/// What a token says, whoever signed it.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&from_base64url(payload)).unwrap()
}

/// RFC 4648, section 5, without padding.
pub fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for letter in 0..=group.len() {
            let index = usize::try_from(bits >> (18 - 6 * letter) & 0x3f).unwrap();
            text.push(char::from(LETTERS[index]));
        }
    }
    text
}

fn from_base64url(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => panic!("{byte} in {text}"),
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

/// The stack's program.
pub fn stack(words: &[&str]) -> Run {
    let mut command = Command::new(file("tests/stack/stack"));
    command.env("STACK_DIR", std::env::var_os("WALLET_STACK").unwrap()).args(words);
    run(command, Vec::new())
}

/// A port that nobody listens on, for a server whose address must be known before it starts.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The content of a JSON file of the repository.
pub fn json(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(file(name)).unwrap()).unwrap()
}
