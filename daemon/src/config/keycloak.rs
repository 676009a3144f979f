//! `[keycloak]`: a Keycloak behind the gateway. What a client needs to sign in is forwarded under `/auth`, nothing else.
//!
//! Its issuer is `{gateway.public_url}/auth/realms/{realm}`, and Keycloak must know: see daemon/docs/gateway.md.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::Invalid;

/// Keycloak hashes a password for tens of milliseconds of a core: more at a time only wait for each other.
const DEFAULT_REQUESTS: usize = 64;
/// A password's hash on a busy machine takes seconds.
const DEFAULT_TIMEOUT_S: u64 = 15;
/// Names of realms are short words.
const MAX_REALM: usize = 64;

/// A Keycloak behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keycloak {
    /// Where it is reached from here; none to forward nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The one realm that is forwarded.
    pub realm: String,
    /// The only certificate authorities to trust on the way there, PEM; without it the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Requests that may be with Keycloak at a time; one address has a quarter of them, and of forms that are still coming.
    pub request_limit: usize,
    /// Seconds Keycloak may take to answer.
    pub timeout_s: u64,
}

impl Default for Keycloak {
    fn default() -> Self {
        Self {
            url: None,
            realm: "wallet".into(),
            ca_file: None,
            request_limit: DEFAULT_REQUESTS,
            timeout_s: DEFAULT_TIMEOUT_S,
        }
    }
}

impl Keycloak {
    /// What Keycloak may take to answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s)
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if self.realm.eq_ignore_ascii_case("master") {
            return Err(Invalid::new("keycloak.realm", "the realm master is Keycloak's own and is never forwarded"));
        }
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if self.realm.is_empty() || self.realm.len() > MAX_REALM || !self.realm.bytes().all(is_word) {
            let why = format!("{:?} is no name of a realm that can be forwarded: letters, digits, - and _", self.realm);
            return Err(Invalid::new("keycloak.realm", why));
        }
        if let Some(url) = &self.url {
            let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
            if !rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#', '@', ' '])) {
                return Err(Invalid::new(
                    "keycloak.url",
                    format!("{url:?} is not http://HOST:PORT or https://HOST:PORT"),
                ));
            }
        }
        Invalid::range("keycloak.request_limit", &self.request_limit, 1..=10_000)?;
        Invalid::range("keycloak.timeout_s", &self.timeout_s, 1..=120)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_master_realm_and_what_is_no_name_are_refused() {
        let of = |realm: &str| Keycloak { realm: realm.into(), ..Keycloak::default() }.validate();
        assert_eq!(of("wallet-2"), Ok(()));
        for bad in ["master", "Master", "", "a/b", "..", "a%2f", "a b"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_one_of_http() {
        let of = |url: &str| Keycloak { url: Some(url.into()), ..Keycloak::default() }.validate();
        assert_eq!(of("http://keycloak:8080"), Ok(()));
        assert_eq!(of("https://keycloak:8443/inner/"), Ok(()));
        for bad in ["", "keycloak:8080", "ftp://keycloak", "http://", "http://a@b", "http://b/?x"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
