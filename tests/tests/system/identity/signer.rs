//! An issuer's public side: its document and its keys, and tokens signed by them. It is not Keycloak; that one has
//! tests of its own.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    sync::Arc,
    thread,
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp, jwk::Jwk};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};

/// Made by openssl for tests; nothing else trusts it.
const PEM: &[u8] = include_bytes!("../../../../daemon/src/services/identity/tests/keys/rsa.pem");
pub const KID: &str = "test";

/// A port of this machine that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An issuer at a port of its own, which serves or not.
pub struct Signer {
    port: u16,
}

impl Signer {
    /// The key it signs with.
    pub fn key() -> EncodingKey {
        EncodingKey::from_rsa_pem(PEM).unwrap()
    }

    /// The public side of it, as it is published.
    pub fn public() -> Value {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&Self::key(), Algorithm::RS256).unwrap()).unwrap();
        (jwk["kid"], jwk["use"]) = (json!(KID), json!("sig"));
        jwk
    }

    /// At a free port; it does not serve yet.
    pub fn new() -> Self {
        Self { port: free_port() }
    }

    pub fn name(&self) -> String {
        format!("http://127.0.0.1:{}/realms/wallet", self.port)
    }

    /// Begins to serve, for as long as the test runs.
    pub fn serve(&self) {
        self.serve_with_keys_at(&format!("{}/certs", self.name()));
    }

    /// The same; its document says that its keys are there.
    pub fn serve_with_keys_at(&self, url: &str) {
        let discovery = json!({"issuer": self.name(), "jwks_uri": url});
        let keys = json!({"keys": [Self::public()]});
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                answer(&mut stream, &discovery, &keys);
            }
        });
    }

    /// Serves the keys at an https URL; which one.
    pub fn serve_keys_by_tls(cert: &Path, key: &Path) -> String {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(cert).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}/realms/wallet/certs", listener.local_addr().unwrap().port());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = rustls::StreamOwned::new(server, stream);
                answer(&mut stream, &Value::Null, &json!({"keys": [Self::public()]}));
                stream.conn.send_close_notify();
                // Whoever does not trust it has gone.
                let _ = stream.flush();
            }
        });
        url
    }

    /// A token of walletctl for this subject and these roles.
    pub fn token(&self, subject: &str, roles: &[&str]) -> String {
        let now = get_current_timestamp();
        let claims = json!({
            "iss": self.name(), "aud": "walletd", "sub": subject, "typ": "Bearer", "azp": "walletctl",
            "iat": now, "exp": now + 600, "realm_access": {"roles": roles}
        });
        Self::signed(&claims)
    }

    /// A token of these claims.
    pub fn signed(claims: &Value) -> String {
        let header = Header { kid: Some(KID.into()), ..Header::new(Algorithm::RS256) };
        encode(&header, claims, &Self::key()).unwrap()
    }
}

fn answer(stream: &mut (impl Read + Write), discovery: &Value, keys: &Value) {
    let mut request = [0; 4_096];
    let read = stream.read(&mut request).unwrap_or_default();
    let path = String::from_utf8_lossy(&request[..read]).split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, body) = match path.as_str() {
        "/realms/wallet/.well-known/openid-configuration" => ("200 OK", discovery.to_string()),
        "/realms/wallet/certs" => ("200 OK", keys.to_string()),
        _ => ("404 Not Found", String::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // The daemon may have gone.
    let _ = stream.write_all((head + &body).as_bytes());
}
