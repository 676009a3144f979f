//! An issuer of tokens that does as it is told, and a daemon's edge beside it on the same port: enough to see what
//! walletctl sends, to whom, and what it makes of any answer. Where a real walletd shall believe its tokens, it signs
//! them. It is not Keycloak; that one has tests of its own.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// An EC key of tests: what signs tokens, and what a client of tests signs with.
pub const KEY: &str = include_str!("issuer.pem");
/// Its public half, as a JWK has it.
const X: &str = "EVs_o5-uQbTjL3chynL4wXgUg2R9q9UU8I5mEovUf84";
const Y: &str = "kGe5DgSIycKp8w9aJmoHhB1sB3QTugfnRWm5nU_TzsY";

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The headers, their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Request {
    /// A field of a form.
    pub fn field(&self, name: &str) -> Option<String> {
        let mut pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| decoded(value))
    }

    /// The token it shows.
    pub fn bearer(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }
}

/// What the token endpoint does next.
#[derive(Clone)]
pub enum Next {
    /// Gives tokens.
    Tokens,
    /// Gives tokens once this was done: what happens elsewhere while somebody waits for them.
    After(Arc<dyn Fn() + Send + Sync>),
    /// Refuses with a word of OAuth.
    Refuse(&'static str),
    /// Answers with this status and a page for people.
    Page(u16),
    /// Ends the connection without an answer.
    Reset,
    /// Sends elsewhere.
    Redirect(String),
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tokens => f.write_str("Tokens"),
            Self::After(_) => f.write_str("After"),
            Self::Refuse(word) => write!(f, "Refuse({word})"),
            Self::Page(status) => write!(f, "Page({status})"),
            Self::Reset => f.write_str("Reset"),
            Self::Redirect(to) => write!(f, "Redirect({to})"),
        }
    }
}

/// What it is told, and what it saw.
#[derive(Debug)]
pub struct State {
    /// The next answers of the token endpoint; tokens when there are none left.
    pub next: VecDeque<Next>,
    /// What the daemon calls itself; its URL unless told otherwise.
    pub resource: Option<String>,
    /// The issuers that the daemon names; its own unless told otherwise.
    pub issuers: Option<Vec<String>>,
    /// Where the daemon sends those who ask about it.
    pub moved: Option<String>,
    /// How long an access token lives, in seconds.
    pub life: u64,
    /// How long a device code lives.
    pub code_life: u64,
    /// Tokens the daemon takes; the last one given unless told otherwise.
    pub good: Option<String>,
    /// True if giving tokens back fails.
    pub keeps_revoked: bool,
    /// Roles of tokens that are signed; unsigned ones unless somebody says so.
    pub roles: Option<Vec<&'static str>>,
    /// Every request, in order.
    pub seen: Vec<Request>,
    given: u64,
    refresh: Option<String>,
    challenge: Option<String>,
    /// How many times a refresh token came that was used before.
    pub reused: u64,
    /// How many times one was exchanged.
    pub renewed: u64,
}

/// The server; it ends with the process.
#[derive(Clone, Debug)]
pub struct Issuer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Issuer {
    /// One on a free port.
    pub fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let state = State {
            next: VecDeque::new(),
            resource: None,
            issuers: None,
            moved: None,
            life: 300,
            code_life: 60,
            good: None,
            keeps_revoked: false,
            roles: None,
            seen: Vec::new(),
            given: 0,
            refresh: None,
            challenge: None,
            reused: 0,
            renewed: 0,
        };
        let issuer = Self { address: listener.local_addr()?, state: Arc::new(Mutex::new(state)) };
        let serving = issuer.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                thread::spawn(move || drop(serving.serve(stream)));
            }
        });
        Ok(issuer)
    }

    /// The daemon's URL.
    pub fn daemon(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The issuer's name.
    pub fn name(&self) -> String {
        format!("http://{}/realms/test", self.address)
    }

    /// What it is told and what it saw.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The requests for a path.
    pub fn seen(&self, path: &str) -> Vec<Request> {
        let is = |request: &&Request| request.path.split('?').next() == Some(path);
        self.state().seen.iter().filter(is).cloned().collect()
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        while let Some(request) = read(&mut reader)? {
            match self.answer(&request) {
                None => return stream.shutdown(std::net::Shutdown::Both),
                Some((status, headers, body)) => {
                    let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", body.len());
                    for (name, value) in headers {
                        let _ = write!(head, "{name}: {value}\r\n");
                    }
                    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
                }
            }
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> Option<Answer> {
        let (daemon, name) = (self.daemon(), self.name());
        let mut state = self.state();
        state.seen.push(request.clone());
        let path = request.path.split('?').next().unwrap_or_default();
        match path.strip_prefix("/realms/test") {
            Some("/.well-known/openid-configuration") => Some(document(&name)),
            Some("/device") => Some(state.begin(request, &name)),
            Some("/certs") => Some(good(&json!({"keys": [{
                "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "test", "x": X, "y": Y
            }]}))),
            Some("/token") => state.token(request, &name),
            Some("/revoke") if state.keeps_revoked => Some((503, Vec::new(), String::new())),
            Some("/revoke") => Some((200, Vec::new(), String::new())),
            _ if path == "/.well-known/oauth-protected-resource" => Some(state.metadata(&daemon, &name)),
            _ => Some(state.daemon(request)),
        }
    }
}

type Answer = (u16, Vec<(&'static str, String)>, String);

fn good(body: &Value) -> Answer {
    (200, vec![("content-type", "application/json".into())], body.to_string())
}

fn refuse(word: &str) -> Answer {
    let body = json!({"error": word, "error_description": "as told"});
    (400, vec![("content-type", "application/json".into())], body.to_string())
}

/// A token that walletd believes if it believes this issuer.
fn signed(name: &str, roles: &[&str], life: u64) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let claims = json!({
        "iss": name, "sub": "job-subject", "aud": "walletd", "azp": "cron-job", "typ": "Bearer",
        "preferred_username": "service-account-cron-job", "iat": now, "exp": now + life,
        "jti": format!("jti-{now}"), "realm_access": {"roles": roles},
    });
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    header.kid = Some("test".into());
    let key = jsonwebtoken::EncodingKey::from_ec_pem(KEY.as_bytes());
    key.and_then(|key| jsonwebtoken::encode(&header, &claims, &key)).unwrap_or_default()
}

fn document(name: &str) -> Answer {
    good(&json!({
        "issuer": name,
        "authorization_endpoint": format!("{name}/auth"),
        "token_endpoint": format!("{name}/token"),
        "device_authorization_endpoint": format!("{name}/device"),
        "revocation_endpoint": format!("{name}/revoke"),
        "jwks_uri": format!("{name}/certs"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

impl State {
    fn metadata(&self, daemon: &str, name: &str) -> Answer {
        if let Some(elsewhere) = &self.moved {
            return (302, vec![("location", elsewhere.clone())], String::new());
        }
        let resource = self.resource.clone().unwrap_or_else(|| daemon.to_owned());
        let issuers = self.issuers.clone().unwrap_or_else(|| vec![name.to_owned()]);
        good(&json!({"resource": resource, "authorization_servers": issuers}))
    }

    fn begin(&mut self, request: &Request, name: &str) -> Answer {
        if request.field("code_challenge_method").as_deref() != Some("S256") {
            return refuse("invalid_request");
        }
        self.challenge = request.field("code_challenge");
        good(&json!({
            "device_code": "device-code-secret",
            "user_code": "ABCD-EFGH",
            "verification_uri": format!("{name}/approve"),
            "verification_uri_complete": format!("{name}/approve?user_code=ABCD-EFGH"),
            "expires_in": self.code_life,
            "interval": 1,
        }))
    }

    fn token(&mut self, request: &Request, name: &str) -> Option<Answer> {
        match self.next.pop_front().unwrap_or(Next::Tokens) {
            Next::Refuse(word) => return Some(refuse(word)),
            Next::Page(status) => return Some((status, Vec::new(), "<html>".into())),
            Next::Reset => return None,
            Next::Redirect(to) => return Some((307, vec![("location", to)], String::new())),
            Next::After(done) => done(),
            Next::Tokens => {}
        }
        match request.field("grant_type").as_deref() {
            Some("refresh_token") => {
                if request.field("refresh_token") != self.refresh {
                    self.reused += 1;
                    return Some(refuse("invalid_grant"));
                }
                self.renewed += 1;
                Some(self.give(name, true))
            }
            Some("client_credentials") => {
                let shown = request.headers.contains_key("authorization");
                let signed = request.field("client_assertion").is_some();
                Some(if shown || signed { self.give(name, false) } else { refuse("invalid_client") })
            }
            _ => {
                let verifier = request.field("code_verifier").unwrap_or_default();
                let proven = self.challenge.as_deref() == Some(&challenge_of(&verifier));
                Some(if proven { self.give(name, true) } else { refuse("invalid_grant") })
            }
        }
    }

    fn give(&mut self, name: &str, renewable: bool) -> Answer {
        self.given += 1;
        let access = match &self.roles {
            None => format!("access-secret-{}", self.given),
            Some(roles) => signed(name, roles, self.life),
        };
        self.good = Some(access.clone());
        let mut body = json!({"access_token": access, "token_type": "Bearer", "expires_in": self.life});
        if renewable {
            let refresh = format!("refresh-secret-{}", self.given);
            body["refresh_token"] = refresh.clone().into();
            body["refresh_expires_in"] = 1_800.into();
            self.refresh = Some(refresh);
        }
        good(&body)
    }

    /// Takes any request of a caller whose token is the good one.
    fn daemon(&self, request: &Request) -> Answer {
        let problem = |status: u16, code: &str| {
            json!({
                "type": format!("about:blank#{code}"), "title": code, "status": status, "detail": code, "code": code,
                "retryable": false, "outcome": "not_applied"
            })
            .to_string()
        };
        let kind = ("content-type", "application/problem+json".to_owned());
        match request.bearer() {
            None if request.path == "/healthz" => good(&json!({})),
            None => (401, vec![kind, ("www-authenticate", "Bearer".into())], problem(401, "not_signed_in")),
            Some(token) if Some(token) != self.good.as_deref() => {
                let challenge = r#"Bearer error="invalid_token""#.to_owned();
                (401, vec![kind, ("www-authenticate", challenge)], problem(401, "not_signed_in"))
            }
            Some(_) if request.path.starts_with("/v1/forbidden") => (403, vec![kind], problem(403, "forbidden")),
            Some(_) if request.path.starts_with("/v1/can-i") => good(&json!({
                "allowed": true, "action": "whatever", "method": "POST", "path": "/", "wallets": "any", "backdate": true
            })),
            Some(_) => good(&json!({"actor": "somebody", "roles": ["operator"], "permissions": []})),
        }
    }
}

/// What proves a verifier: its SHA-256 in base64url.
fn challenge_of(verifier: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let hash = Sha256::digest(verifier);
    let mut text = String::new();
    for three in hash.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            let digit = (bits >> (18 - 6 * place)) & 63;
            text.push(char::from(DIGITS[digit as usize]));
        }
    }
    text
}

fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, path, headers, body: String::from_utf8_lossy(&body).into_owned() }))
}

/// A form's value.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
