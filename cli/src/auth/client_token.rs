//! Tokens of a client itself, for cron: asked for with a secret or a signature, kept in memory alone.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rsa::{RsaPrivateKey, pkcs1::DecodeRsaPrivateKey as _, traits::PublicKeyParts as _};
use serde::Serialize;
use wallet_api::client::Token;

use super::{
    discovery::{Provider, provider},
    http::Http,
    identity::Credentials,
    tokens::{Denied, Tokens, ask, of_client, second},
};
use crate::{env::Env, error::CliError};

/// How long a signed assertion is good: long enough for a slow issuer, useless to whoever finds it later.
const ASSERTION_LIFE: i64 = 60;
/// Bits of the smallest RSA key that signs here: what RS256 asks for (RFC 7518, 3.3).
const MIN_RSA_BITS: usize = 2048;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Asks for a token.
pub async fn fetch(
    http: &Http,
    issuer: &str,
    client: &str,
    credentials: &Credentials,
    env: &Env,
) -> Result<Tokens, CliError> {
    // What is wrong here is found before anybody is asked.
    let secret = match credentials.place() {
        Some(place) => place.read(env)?,
        None => return Err(CliError::new("internal", "a login is no client's own")),
    };
    let provider = provider(http, issuer).await?;
    let grant = ("grant_type", "client_credentials");
    let answer = match credentials {
        Credentials::Key(place, id) => {
            let assertion = assertion(&provider, client, &secret, id.as_deref())
                .map_err(|why| CliError::configuration(format!("{place}: {why}")).hint(
                    "It must be a private key in PEM: RSA of at least 2048 bits, or EC P-256 (openssl pkcs8 -topk8 -nocrypt).",
                ))?;
            let form = [
                grant,
                ("client_id", client),
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", assertion.expose()),
            ];
            ask(http, &provider.token, &form, None).await
        }
        _ => ask(http, &provider.token, &[grant], Some((client, &secret))).await,
    };
    answer.map_err(|denied| match denied {
        Denied::Refused(refusal) => of_client(issuer, client, &refusal),
        Denied::Trouble(trouble) => trouble.into(),
    })
}

#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

/// What the client signs in the place of a secret: for this issuer, for a minute, once.
fn assertion(provider: &Provider, client: &str, pem: &Token, id: Option<&str>) -> Result<Token, String> {
    let pem = pem.expose().as_bytes();
    let (algorithm, key) = match EncodingKey::from_ec_pem(pem) {
        Ok(key) => (Algorithm::ES256, key),
        Err(_) => (Algorithm::RS256, rsa_key(pem)?),
    };
    let mut header = Header::new(algorithm);
    header.kid = id.map(str::to_owned);
    let iat = second();
    let jti = uuid::Uuid::new_v4().to_string();
    let claims = Assertion { iss: client, sub: client, aud: &provider.issuer, iat, exp: iat + ASSERTION_LIFE, jti };
    jsonwebtoken::encode(&header, &claims, &key).map(Token::new).map_err(|e| e.to_string())
}

/// A private RSA key, if it is long enough: what is signed by a short one anybody can sign.
fn rsa_key(pem: &[u8]) -> Result<EncodingKey, String> {
    let key = EncodingKey::from_rsa_pem(pem).map_err(|e| e.to_string())?;
    let bits = RsaPrivateKey::from_pkcs1_der(key.as_bytes()).map_err(|e| e.to_string())?.n().bits();
    if bits < MIN_RSA_BITS {
        return Err(format!("the RSA key has {bits} bits only"));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode, jwk::Jwk};
    use rsa::{pkcs1::EncodeRsaPrivateKey as _, pkcs8::EncodePrivateKey as _, rand_core::OsRng};

    use super::*;
    use crate::auth::claims::Claims;

    const EC: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2
OF/2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz+jn65BtOMvdyHKcvjBeBSDZH2r
1RTwjmYSi9R/zpBnuQ4EiMnCqfMPWiZqB4QdbAd0E7oH50VpuZ1P087G
-----END PRIVATE KEY-----
";

    fn provider() -> Provider {
        Provider {
            issuer: "https://id.example/realms/w".into(),
            token: "https://id.example/realms/w/token".into(),
            device: None,
            revocation: None,
        }
    }

    #[test]
    fn an_rsa_key_signs_by_rs256_in_either_form_of_pem_unless_it_is_short() {
        let key = RsaPrivateKey::new(&mut OsRng, MIN_RSA_BITS).unwrap();
        let older = key.to_pkcs1_pem(rsa::pkcs8::LineEnding::LF).unwrap();
        let newer = key.to_pkcs8_pem(rsa::pkcs8::LineEnding::LF).unwrap();
        let encoding = EncodingKey::from_rsa_der(key.to_pkcs1_der().unwrap().as_bytes());
        let jwk = Jwk::from_encoding_key(&encoding, Algorithm::RS256).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[provider().issuer]);
        for pem in [older, newer] {
            let signed = assertion(&provider(), "cron", &Token::new(pem.as_str()), None).unwrap();
            let decoding = DecodingKey::from_jwk(&jwk).unwrap();
            let claims = decode::<serde_json::Value>(signed.expose(), &decoding, &validation).unwrap().claims;
            assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some("cron"), Some("cron")));
        }
        let short = RsaPrivateKey::new(&mut OsRng, 1024).unwrap().to_pkcs8_pem(rsa::pkcs8::LineEnding::LF).unwrap();
        let why = assertion(&provider(), "cron", &Token::new(short.as_str()), None).unwrap_err();
        assert_eq!(why, "the RSA key has 1024 bits only");
    }

    #[test]
    fn an_assertion_names_the_client_and_this_issuer_alone() {
        let provider = provider();
        let signed = assertion(&provider, "cron", &Token::new(EC), Some("k1")).unwrap();
        let header = jsonwebtoken::decode_header(signed.expose()).unwrap();
        assert_eq!((header.alg, header.kid.as_deref()), (Algorithm::ES256, Some("k1")));
        let claims = Claims::of(&signed).unwrap();
        assert_eq!(
            (claims.iss.as_str(), claims.sub.as_str(), claims.exp - claims.iat),
            ("cron", "cron", ASSERTION_LIFE)
        );
        let why = assertion(&provider, "cron", &Token::new("not a key"), None).unwrap_err();
        assert!(!why.contains("not a key"), "{why}");
    }
}
