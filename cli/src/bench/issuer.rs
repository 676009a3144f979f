//! The issuer whose tokens a scratch daemon believes while it is measured: its documents on a loopback port, and tokens
//! signed by RS256 and ES256, as large as Keycloak's.
//!
//! Keys and audience are made for the run and kept in memory alone: nobody else's token fits, and nothing believes these
//! once the daemon has ended. The documents are served by a thread of their own, since some limits are measured by programs
//! that this one waits for.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use rsa::{
    RsaPrivateKey,
    pkcs1::EncodeRsaPrivateKey as _,
    rand_core::{OsRng, RngCore as _},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{auth::tokens::second, error::CliError};

/// What Keycloak's realms have unless somebody says otherwise.
const RSA_BITS: usize = 2048;
/// Seconds that tokens are good: longer than any run.
const LIFE: i64 = 7 * 86_400;
/// Longest head of a request for a document.
const HEAD: usize = 8 << 10;
/// How long whoever asks for a document may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The client that tokens say they are of: one that every daemon takes.
const CLIENT: &str = "walletctl";

/// A private key of P-256 in PKCS #8 without its public half (RFC 5208, 5915), up to the number itself.
const P256_FRAME: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
];

/// A key, and what it is called.
struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    id: &'static str,
}

/// See the module.
pub struct Issuer {
    address: SocketAddr,
    audience: String,
    rs256: Signer,
    es256: Signer,
    ended: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

fn internal(error: impl std::fmt::Display) -> CliError {
    CliError::new("internal", format!("the benchmark's issuer: {error}"))
}

impl Signer {
    fn rs256() -> Result<Self, CliError> {
        let key = RsaPrivateKey::new(&mut OsRng, RSA_BITS).map_err(internal)?;
        let der = key.to_pkcs1_der().map_err(internal)?;
        Ok(Self { algorithm: Algorithm::RS256, key: EncodingKey::from_rsa_der(der.as_bytes()), id: "rs256" })
    }

    /// A private key of P-256 is a number below the group's order, which begins with 32 bits set: any number of one bit
    /// less, in the frame that PKCS #8 gives it.
    fn es256() -> Self {
        let mut der = P256_FRAME.to_vec();
        let mut number = [0; 32];
        OsRng.fill_bytes(&mut number);
        if let Some(first) = number.first_mut() {
            *first &= 0x7f;
        }
        der.extend_from_slice(&number);
        Self { algorithm: Algorithm::ES256, key: EncodingKey::from_ec_der(&der), id: "es256" }
    }

    /// The public half, as an issuer publishes it.
    fn published(&self) -> Result<Value, CliError> {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).map_err(internal)?;
        let mut jwk = serde_json::to_value(jwk).map_err(internal)?;
        if let Some(jwk) = jwk.as_object_mut() {
            jwk.insert("kid".into(), self.id.into());
            jwk.insert("use".into(), "sig".into());
        }
        Ok(jwk)
    }
}

impl Issuer {
    /// Makes keys, and serves documents on a free port.
    pub fn start() -> Result<Self, CliError> {
        let (rs256, es256) = (Signer::rs256()?, Signer::es256());
        let keys = json!({"keys": [rs256.published()?, es256.published()?]}).to_string();
        let listener = TcpListener::bind("127.0.0.1:0").map_err(internal)?;
        let address = listener.local_addr().map_err(internal)?;
        let ended = Arc::new(AtomicBool::new(false));
        let mut issuer = Self {
            address,
            audience: format!("bench-{}", Uuid::new_v4().simple()),
            rs256,
            es256,
            ended: Arc::clone(&ended),
            thread: None,
        };
        let name = issuer.name();
        let document = json!({"issuer": name, "jwks_uri": format!("{name}/keys")}).to_string();
        let serving = move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                // Who went away asks again.
                let _ = answer(stream, &document, &keys);
            }
        };
        issuer.thread = Some(thread::Builder::new().name("issuer".into()).spawn(serving).map_err(internal)?);
        Ok(issuer)
    }

    /// What it is called: what a daemon is to believe.
    pub fn name(&self) -> String {
        format!("http://{}/realms/bench", self.address)
    }

    /// Whom its tokens are for.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// So many tokens, each another operator's, made on as many threads as there are cores.
    pub fn tokens(&self, algorithm: Algorithm, count: usize) -> Result<Vec<String>, CliError> {
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(count.max(1));
        thread::scope(|scope| {
            let part = |number: usize| count / threads + usize::from(number < count % threads);
            let making: Vec<_> = (0..threads)
                .map(|number| scope.spawn(move || (0..part(number)).map(|_| self.token(algorithm)).collect::<Vec<_>>()))
                .collect();
            let mut tokens = Vec::with_capacity(count);
            for made in making {
                let made = made.join().map_err(|_| internal("a thread that makes tokens ended early"))?;
                for token in made {
                    tokens.push(token?);
                }
            }
            Ok(tokens)
        })
    }

    fn token(&self, algorithm: Algorithm) -> Result<String, CliError> {
        let signer = if algorithm == Algorithm::ES256 { &self.es256 } else { &self.rs256 };
        let mut header = Header::new(signer.algorithm);
        header.kid = Some(signer.id.into());
        let now = second();
        let id = || Uuid::new_v4().to_string();
        // What Keycloak puts into one, so that it is as long.
        let claims = json!({
            "exp": now + LIFE, "iat": now, "jti": id(), "iss": self.name(), "aud": [self.audience, "account"],
            "sub": id(), "typ": "Bearer", "azp": CLIENT, "sid": id(), "acr": "1",
            "realm_access": {"roles": ["default-roles-bench", "offline_access", "uma_authorization", "operator"]},
            "resource_access": {"account": {"roles": ["manage-account", "manage-account-links", "view-profile"]}},
            "scope": "profile email", "email_verified": false, "preferred_username": "bench",
        });
        jsonwebtoken::encode(&header, &claims, &signer.key).map_err(internal)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        // A last visitor, so that the thread looks up.
        if TcpStream::connect(self.address).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// Answers one request for a document.
fn answer(mut stream: TcpStream, document: &str, keys: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut part = [0; 1 << 10];
    while memchr::memmem::find(&head, b"\r\n\r\n").is_none() && head.len() < HEAD {
        let read = stream.read(&mut part)?;
        if read == 0 {
            return Ok(());
        }
        head.extend_from_slice(part.get(..read).unwrap_or_default());
    }
    let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let (status, body) = match path {
        b"/realms/bench/.well-known/openid-configuration" => ("200 OK", document),
        b"/realms/bench/keys" => ("200 OK", keys),
        _ => ("404 Not Found", "{}"),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;

    fn get(issuer: &Issuer, path: &str) -> String {
        let mut stream = TcpStream::connect(issuer.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn document(issuer: &Issuer, path: &str) -> Value {
        serde_json::from_str(get(issuer, path).split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    #[test]
    fn its_tokens_fit_the_keys_that_it_publishes_and_no_two_are_the_same() {
        let issuer = Issuer::start().unwrap();
        let found = document(&issuer, "/realms/bench/.well-known/openid-configuration");
        assert_eq!(found["issuer"], issuer.name());
        assert_eq!(found["jwks_uri"], format!("{}/keys", issuer.name()));
        let published = document(&issuer, "/realms/bench/keys");
        for (place, algorithm) in [Algorithm::RS256, Algorithm::ES256].into_iter().enumerate() {
            let jwk: Jwk = serde_json::from_value(published["keys"][place].clone()).unwrap();
            let key = DecodingKey::from_jwk(&jwk).unwrap();
            let tokens = issuer.tokens(algorithm, 5).unwrap();
            let mut validation = Validation::new(algorithm);
            validation.set_audience(&[issuer.audience()]);
            for token in &tokens {
                decode::<Value>(token, &key, &validation).unwrap();
            }
            let different: std::collections::BTreeSet<_> = tokens.iter().collect();
            assert_eq!(different.len(), 5);
        }
        assert!(get(&issuer, "/elsewhere").starts_with("HTTP/1.1 404 "));
    }

    #[test]
    fn two_runs_share_neither_keys_nor_audience() {
        let (one, other) = (Issuer::start().unwrap(), Issuer::start().unwrap());
        assert_ne!(one.audience(), other.audience());
        assert_ne!(one.es256.published().unwrap(), other.es256.published().unwrap());
        assert_ne!(one.rs256.published().unwrap(), other.rs256.published().unwrap());
    }
}
