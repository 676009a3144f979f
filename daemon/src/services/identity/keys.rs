//! An issuer's key set (RFC 7517), as far as this daemon uses it: keys for signatures, RS256 and ES256.
//!
//! Every other key of a set is left out, so that it can be published beside them and never verifies anything.

use std::collections::HashMap;

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use serde::Deserialize;

/// Most keys of a set: an issuer has two or three, a few more while it changes them.
const MAX_KEYS: usize = 64;
/// Bytes of the smallest RSA modulus that is believed: 2048 bits.
const MIN_MODULUS: usize = 256;
/// Bytes of the largest: 8192 bits, beyond which verifying costs too much.
const MAX_MODULUS: usize = 1024;
/// An uncompressed point of P-256.
const POINT: usize = 65;

/// A key that verifies signatures by exactly one algorithm.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// The keys of a set by their id.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(HashMap<String, (Key, Jwk)>);

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Keys {
    /// From a published set. Keys that cannot be used are left out; of two with one id the first stays.
    pub(super) fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        let set: Set = serde_json::from_slice(json)?;
        let mut keys = HashMap::new();
        for value in set.keys.into_iter().take(MAX_KEYS) {
            let Ok(jwk) = serde_json::from_value::<Jwk>(value) else { continue };
            if let Some(key) = jwk.key()
                && let Some(kid) = jwk.kid.clone()
            {
                keys.entry(kid).or_insert((key, jwk));
            }
        }
        Ok(Self(keys))
    }

    pub(super) fn get(&self, kid: &str) -> Option<&Key> {
        self.0.get(kid).map(|(key, _)| key)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// True if it verifies exactly what the other does.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().all(|(kid, (_, jwk))| other.0.get(kid).is_some_and(|(_, known)| known == jwk))
    }
}

impl Jwk {
    /// The key, if it is one for signatures by an accepted algorithm.
    fn key(&self) -> Option<Key> {
        if self.usage.as_deref() != Some("sig") {
            return None;
        }
        let (algorithm, decoding) = match self.kty.as_str() {
            "RSA" => {
                let decoding = DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?).ok()?;
                let DecodingKeyKind::RsaModulusExponent { n, .. } = decoding.kind() else { return None };
                if !(MIN_MODULUS..=MAX_MODULUS).contains(&n.len()) {
                    return None;
                }
                (Algorithm::RS256, decoding)
            }
            "EC" if self.crv.as_deref() == Some("P-256") => {
                let decoding = DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?).ok()?;
                if decoding.try_get_as_bytes().ok()?.len() != POINT {
                    return None;
                }
                (Algorithm::ES256, decoding)
            }
            _ => return None,
        };
        let named = match algorithm {
            Algorithm::RS256 => "RS256",
            _ => "ES256",
        };
        self.alg.as_deref().is_none_or(|alg| alg == named).then_some(Key { algorithm, decoding })
    }
}
