//! `[auth]`: whose tokens are believed, and what they say about a caller.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Invalid;

/// What a role of a token gives its bearer here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// The role operator.
    Operator,
    /// The role auditor.
    Auditor,
    /// The role user.
    User,
    /// The permission backdate.
    Backdate,
    /// The permission admin.
    Admin,
}

/// Whose tokens are believed, and what they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Who issues tokens, exactly as they say it; none for no tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Where this daemon reaches the issuer, if not at its public URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery_url: Option<String>,
    /// The only certificate authorities to trust on the way there, PEM; without it the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// This deployment's own audience: a token for another is no token here.
    pub audience: String,
    /// Clients whose tokens are taken (`azp`).
    pub clients: Vec<String>,
    /// The claim with a user's owner name.
    pub owner_claim: String,
    /// What each role of a token gives.
    pub roles: BTreeMap<String, Grant>,
}

impl Default for Auth {
    fn default() -> Self {
        let roles = [
            ("operator", Grant::Operator),
            ("auditor", Grant::Auditor),
            ("user", Grant::User),
            ("backdate", Grant::Backdate),
            ("admin", Grant::Admin),
        ];
        Self {
            issuer: None,
            discovery_url: None,
            ca_file: None,
            audience: "walletd".into(),
            clients: vec!["walletctl".into()],
            owner_claim: "sub".into(),
            roles: roles.into_iter().map(|(name, grant)| (name.to_owned(), grant)).collect(),
        }
    }
}

impl Auth {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if self.audience.is_empty() {
            return Err(Invalid::new("auth.audience", "must not be empty"));
        }
        Ok(())
    }
}
