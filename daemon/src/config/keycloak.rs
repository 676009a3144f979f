//! `[keycloak]`: a Keycloak behind the gateway. What a client needs to sign in is forwarded under `/auth`, nothing else.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// A Keycloak behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keycloak {
    /// Where it is reached from here; none to forward nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The one realm that is forwarded.
    pub realm: String,
}

impl Default for Keycloak {
    fn default() -> Self {
        Self { url: None, realm: "wallet".into() }
    }
}

impl Keycloak {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if self.realm == "master" {
            return Err(Invalid::new("keycloak.realm", "the realm master is Keycloak's own and is never forwarded"));
        }
        Ok(())
    }
}
