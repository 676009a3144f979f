//! Judging a bearer token: form, algorithm, key, signature, times, issuer, audience, kind, client, subject, in this
//! order. Each refusal has its reason; the first one counts.
//!
//! Verified tokens are kept until they end, so that a client's next request costs a hash and a look-up. A change of
//! the issuer's keys makes all of them be verified anew.

use std::sync::Arc;

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, errors::ErrorKind};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use wallet_core::{
    ports::Clock,
    time::{SECOND, Timestamp},
};

use super::{
    Authenticate, Reason, Refusal,
    caller::{Bearer, Caller},
    issuer::{Held, Issuer},
    mapping::Mapping,
    signatures,
};

/// Longest token: one of Keycloak with a hundred roles has a fourth of it.
const MAX_TOKEN: usize = 16 << 10;
/// Seconds the issuer's clock may differ from this machine's.
const LEEWAY: u64 = 10;
/// Verified tokens that are kept: some 5 MB. Beyond it the least used go, and are verified again.
const KEPT: usize = 10_000;

type Claims = Map<String, Value>;

/// What a token must say.
#[derive(Clone, Debug)]
pub struct Expected {
    /// This deployment's own audience.
    pub audience: String,
    /// Clients whose tokens are taken.
    pub clients: Vec<String>,
}

struct Kept {
    caller: Caller,
    /// Seconds since 1970: the first at which it has ended, leeway included.
    ends: u64,
}

/// Verifies bearer tokens of one issuer.
pub struct Tokens {
    issuer: Arc<Issuer>,
    name: Arc<str>,
    clients: Vec<String>,
    mapping: Mapping,
    /// What is checked of a token signed by RS256, and of one by ES256.
    validations: [Validation; 2],
    kept: Cache<[u8; 32], Arc<Kept>>,
    clock: Arc<dyn Clock>,
}

impl Tokens {
    /// Tokens of this issuer.
    pub fn new(issuer: Arc<Issuer>, expected: Expected, mapping: Mapping, clock: Arc<dyn Clock>) -> Self {
        signatures::install();
        let validation = |algorithm| {
            let mut validation = Validation::new(algorithm);
            validation.leeway = LEEWAY;
            validation.validate_nbf = true;
            validation.set_issuer(&[issuer.name()]);
            validation.set_audience(&[&expected.audience]);
            validation.set_required_spec_claims(&["exp", "iss", "aud"]);
            validation
        };
        let validations = [validation(Algorithm::RS256), validation(Algorithm::ES256)];
        let name = issuer.name().into();
        Self { issuer, name, clients: expected.clients, mapping, validations, kept: Cache::new(KEPT), clock }
    }

    async fn judged(&self, token: &str) -> Result<Caller, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(Refusal::Invalid(Reason::Malformed));
        }
        let held = match self.issuer.held() {
            Some(held) => held,
            None => self.issuer.asked_again().await.ok_or(Refusal::NoKeys)?,
        };
        let name = fingerprint(token, held.generation);
        let now = self.now();
        if let Some(kept) = self.kept.get(&name) {
            if now < kept.ends {
                return Ok(kept.caller.clone());
            }
            self.kept.remove(&name);
            return Err(Refusal::Invalid(Reason::Expired));
        }
        let header = header(token).map_err(Refusal::Invalid)?;
        let kid = header.kid.as_deref().unwrap_or_default();
        let held =
            if held.keys.get(kid).is_some() { held } else { self.issuer.asked_again().await.ok_or(Refusal::NoKeys)? };
        let (caller, ends) = self.verify(token, &header, &held).map_err(Refusal::Invalid)?;
        self.kept.insert(fingerprint(token, held.generation), Arc::new(Kept { caller: caller.clone(), ends }));
        Ok(caller)
    }

    /// Seconds since 1970.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().as_micros() / SECOND).unwrap_or_default()
    }

    /// Everything about a token but whether it is known: its bearer, and when it ends.
    fn verify(&self, token: &str, header: &Header, held: &Held) -> Result<(Caller, u64), Reason> {
        let key = header.kid.as_deref().and_then(|kid| held.keys.get(kid)).ok_or(Reason::UnknownKey)?;
        if key.algorithm != header.alg {
            return Err(Reason::Algorithm);
        }
        let [rs256, es256] = &self.validations;
        let validation = if key.algorithm == Algorithm::RS256 { rs256 } else { es256 };
        let claims = decode::<Claims>(token, &key.decoding, validation).map_err(|error| reason(error.kind()))?.claims;
        self.bearer(&claims)
    }

    /// What jsonwebtoken does not look at, or not strictly.
    fn bearer(&self, claims: &Claims) -> Result<(Caller, u64), Reason> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(&*self.name) {
            return Err(Reason::Issuer);
        }
        if text("typ") != Some("Bearer") {
            return Err(Reason::Kind);
        }
        let client = text("azp").filter(|azp| self.clients.iter().any(|known| known == azp)).ok_or(Reason::Client)?;
        let exp = claims.get("exp").and_then(whole_seconds).ok_or(Reason::Malformed)?;
        let issued = claims.get("iat").map(|iat| whole_seconds(iat).ok_or(Reason::Malformed)).transpose()?;
        if issued.is_some_and(|issued| issued > self.now().saturating_add(LEEWAY)) {
            return Err(Reason::NotYetValid);
        }
        let micros = i64::try_from(exp).ok().and_then(|exp| exp.checked_mul(1_000_000)).ok_or(Reason::Malformed)?;
        let bearer = Bearer {
            issuer: Arc::clone(&self.name),
            client: client.to_owned(),
            expires_at: Timestamp::from_micros(micros),
        };
        let caller = self.mapping.caller(claims, bearer).ok_or(Reason::Subject)?;
        // jsonwebtoken takes a token while exp is not before now less the leeway.
        Ok((caller, exp.saturating_add(LEEWAY).saturating_add(1)))
    }
}

#[async_trait]
impl Authenticate for Tokens {
    fn known(&self, token: &str) -> Option<Caller> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let kept = self.kept.get(&fingerprint(token, self.issuer.held()?.generation))?;
        (self.now() < kept.ends).then(|| kept.caller.clone())
    }

    async fn authenticate(&self, token: &str) -> Result<Caller, Refusal> {
        self.judged(token).await
    }
}

/// The header, if it is of a kind that is looked at further. What it says about where keys are is not read.
fn header(token: &str) -> Result<Header, Reason> {
    let header = decode_header(token).map_err(|_| Reason::Malformed)?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(Reason::Algorithm);
    }
    let known = |typ: &str| typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("at+jwt");
    if header.typ.as_deref().is_some_and(|typ| !known(typ)) {
        return Err(Reason::Kind);
    }
    if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(Reason::Malformed);
    }
    Ok(header)
}

/// A token under the keys it was verified by.
fn fingerprint(token: &str, generation: u64) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(generation.to_be_bytes());
    hash.update(token.as_bytes());
    hash.finalize().into()
}

/// A time claim (RFC 7519: a number, which may have a fraction), rounded down.
fn whole_seconds(claim: &Value) -> Option<u64> {
    const LAST: f64 = 1e12;
    if let Some(seconds) = claim.as_u64() {
        return Some(seconds);
    }
    let seconds = claim.as_f64().filter(|seconds| (0.0..LAST).contains(seconds))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was just looked at")]
    Some(seconds as u64)
}

fn reason(kind: &ErrorKind) -> Reason {
    match kind {
        ErrorKind::InvalidSignature => Reason::Signature,
        ErrorKind::ExpiredSignature => Reason::Expired,
        ErrorKind::ImmatureSignature => Reason::NotYetValid,
        ErrorKind::InvalidIssuer => Reason::Issuer,
        ErrorKind::InvalidAudience => Reason::Audience,
        ErrorKind::InvalidAlgorithm => Reason::Algorithm,
        ErrorKind::MissingRequiredClaim(claim) => match claim.as_str() {
            "iss" => Reason::Issuer,
            "aud" => Reason::Audience,
            _ => Reason::Malformed,
        },
        _ => Reason::Malformed,
    }
}
