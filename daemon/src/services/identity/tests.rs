//! Tokens made for each way in which one can be wrong, and the life of the issuer's keys.
//!
//! The keys in `tests/keys` were made by openssl for these tests; nothing else knows or trusts them.

mod issuer;
mod speed;
mod tokens;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp, jwk::Jwk};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use wallet_core::{
    ports::{Clock, Document, Documents, FetchError},
    time::{SECOND, Timestamp},
};

use super::{
    Authenticate as _, Caller, Expected, Grant, Issuer, Mapping, Permission, Place, Reason, Refusal, Role, Tokens,
    issuer::Now, signatures,
};

const ISSUER: &str = "https://id.example/realms/wallet";
const INSIDE: &str = "http://keycloak:8080/realms/wallet";
const CERTS: &str = "http://keycloak:8080/realms/wallet/protocol/openid-connect/certs";
const DISCOVERY: &str = "http://keycloak:8080/realms/wallet/.well-known/openid-configuration";

/// A key with which tests sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signer {
    Rsa,
    OtherRsa,
    P256,
}

impl Signer {
    fn pem(self) -> &'static [u8] {
        match self {
            Self::Rsa => include_bytes!("tests/keys/rsa.pem"),
            Self::OtherRsa => include_bytes!("tests/keys/other.pem"),
            Self::P256 => include_bytes!("tests/keys/p256.pem"),
        }
    }

    fn algorithm(self) -> Algorithm {
        if self == Self::P256 { Algorithm::ES256 } else { Algorithm::RS256 }
    }

    fn key(self) -> EncodingKey {
        let key = if self == Self::P256 { EncodingKey::from_ec_pem } else { EncodingKey::from_rsa_pem };
        key(self.pem()).unwrap()
    }

    /// Its public half as an issuer publishes it.
    fn jwk(self, kid: &str) -> Value {
        signatures::install();
        let jwk = Jwk::from_encoding_key(&self.key(), self.algorithm()).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        jwk
    }
}

/// A token's header and claims, as Keycloak writes them; a test changes what it is about.
#[derive(Clone, Debug)]
struct Draft {
    header: Header,
    claims: Value,
}

impl Draft {
    fn good() -> Self {
        let now = get_current_timestamp();
        Self {
            header: Header { kid: Some("rsa".into()), typ: Some("JWT".into()), ..Header::new(Algorithm::RS256) },
            claims: json!({
                "iss": ISSUER, "aud": ["account", "walletd"], "sub": "0b9c", "typ": "Bearer", "azp": "walletctl",
                "exp": now + 300, "iat": now, "nbf": now, "realm_access": {"roles": ["operator", "offline_access"]},
                "preferred_username": "admin", "jti": "1"
            }),
        }
    }

    fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        self.claims[claim] = value.into();
        self
    }

    fn without(mut self, claim: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(claim);
        self
    }

    fn by(self, signer: Signer) -> String {
        signatures::install();
        encode(&self.header, &self.claims, &signer.key()).unwrap()
    }
}

/// What an issuer publishes, and how often it was asked.
struct Published {
    documents: Mutex<HashMap<String, Value>>,
    asked: AtomicUsize,
    /// Answers that may be given; many, unless a test holds them back.
    gate: Semaphore,
}

impl Published {
    fn keys(keys: &[Value]) -> Arc<Self> {
        let discovery = json!({"issuer": ISSUER, "jwks_uri": CERTS});
        let documents = [(DISCOVERY.to_owned(), discovery), (CERTS.to_owned(), json!({"keys": keys}))];
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        Arc::new(Self { documents: Mutex::new(documents.into()), asked: AtomicUsize::new(0), gate })
    }

    fn put(&self, url: &str, document: Value) {
        self.documents.lock().unwrap().insert(url.into(), document);
    }

    fn is_down(&self) {
        self.documents.lock().unwrap().clear();
    }

    /// How often the keys were asked for.
    fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }
}

#[async_trait]
impl Documents for Published {
    async fn fetch(&self, url: &str) -> Result<Document, FetchError> {
        if url.ends_with("openid-configuration") {
            self.asked.fetch_add(1, Ordering::AcqRel);
        }
        let _place = self.gate.acquire().await.unwrap();
        let found = self.documents.lock().unwrap().get(url).cloned();
        let found = found.ok_or(FetchError::Status(503))?;
        Ok(Document { body: found.to_string().into_bytes(), date: None })
    }
}

/// This machine's clock, to the second: jsonwebtoken judges by it too.
struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(i64::try_from(get_current_timestamp()).unwrap() * SECOND)
    }

    fn jump(&self) -> i64 {
        0
    }

    fn accept(&self) {}
}

/// A steady clock that a test moves.
#[derive(Clone)]
struct Steady(Arc<Mutex<Instant>>);

impl Steady {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn now(&self) -> Now {
        let at = Arc::clone(&self.0);
        Arc::new(move || *at.lock().unwrap())
    }

    fn passes(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }
}

fn mapping() -> Mapping {
    let roles = [
        ("operator", Grant::Role(Role::Operator)),
        ("auditor", Grant::Role(Role::Auditor)),
        ("user", Grant::Role(Role::User)),
        ("backdate", Grant::Permission(Permission::Backdate)),
    ];
    Mapping {
        roles: roles.into_iter().map(|(name, grant)| (name.to_owned(), grant)).collect(),
        owner_claim: "sub".into(),
    }
}

fn tokens(issuer: Arc<Issuer>) -> Tokens {
    let expected = Expected { audience: "walletd".into(), clients: vec!["walletctl".into(), "cron-job".into()] };
    Tokens::new(issuer, expected, mapping(), Arc::new(Wall))
}

/// Tokens of an issuer with these keys, already read.
struct World {
    published: Arc<Published>,
    clock: Steady,
    issuer: Arc<Issuer>,
    tokens: Tokens,
}

impl World {
    async fn of(keys: &[Value]) -> Self {
        let world = Self::unread(keys);
        assert!(world.issuer.refresh().await);
        world
    }

    fn unread(keys: &[Value]) -> Self {
        let (published, clock) = (Published::keys(keys), Steady::new());
        let place = Place { issuer: ISSUER.into(), discovery: INSIDE.into() };
        let issuer = Issuer::at(place, Arc::clone(&published) as Arc<dyn Documents>, clock.now());
        Self { tokens: tokens(Arc::clone(&issuer)), published, clock, issuer }
    }

    async fn usual() -> Self {
        Self::of(&[Signer::Rsa.jwk("rsa"), Signer::P256.jwk("p256")]).await
    }

    async fn judge(&self, token: &str) -> Result<Caller, Refusal> {
        self.tokens.authenticate(token).await
    }

    #[track_caller]
    fn refused(judged: Result<Caller, Refusal>) -> Reason {
        match judged.unwrap_err() {
            Refusal::Invalid(reason) => reason,
            Refusal::NoKeys => panic!("there are no keys"),
        }
    }
}
