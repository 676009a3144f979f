//! `[auth]`: whose tokens are believed, and what they say about a caller.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Gateway, Invalid};
use crate::address::ServerUrl;

/// Where an issuer says what it is; left off a `discovery_url` that has it.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

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
    /// Where this daemon reaches the issuer, without a slash at the end; none without an issuer.
    pub fn discovery_base(&self) -> Option<String> {
        let url = self.discovery_url.as_ref().or(self.issuer.as_ref())?;
        Some(url.strip_suffix(WELL_KNOWN).unwrap_or(url).trim_end_matches('/').to_owned())
    }

    /// Whoever signs in is told which daemon a token is for: by a configured URL, or on this machine by the one it used.
    pub(super) fn validate_with(&self, gateway: &Gateway) -> Result<(), Invalid> {
        let beyond = gateway.listen.is_some_and(|address| !address.ip().is_loopback());
        if self.issuer.is_some() && beyond && gateway.public_url.is_none() {
            let why = "is needed where people sign in from other machines: the URL they use";
            return Err(Invalid::new("gateway.public_url", why));
        }
        Ok(())
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if self.audience.is_empty() {
            return Err(Invalid::new("auth.audience", "must not be empty"));
        }
        let Some(issuer) = &self.issuer else {
            return match &self.discovery_url {
                None => Ok(()),
                Some(_) => Err(Invalid::new("auth.discovery_url", "is where an issuer is reached: set auth.issuer")),
            };
        };
        let url = web("auth.issuer", issuer)?;
        if url.scheme() != "https" && !url.is_loopback() {
            return Err(Invalid::new("auth.issuer", "must begin with https://, unless it is on loopback"));
        }
        if let Some(discovery) = &self.discovery_url {
            web("auth.discovery_url", discovery)?;
        }
        if self.clients.is_empty() || self.clients.iter().any(String::is_empty) {
            return Err(Invalid::new("auth.clients", "names the clients whose tokens are taken, at least one"));
        }
        if self.owner_claim.is_empty() {
            return Err(Invalid::new("auth.owner_claim", "must not be empty"));
        }
        if self.roles.is_empty() {
            return Err(Invalid::new("auth.roles", "is empty: no token would give its bearer anything"));
        }
        Ok(())
    }
}

/// A URL that documents can be fetched below.
fn web(key: &'static str, text: &str) -> Result<ServerUrl, Invalid> {
    let url: ServerUrl = text.parse().map_err(|error| Invalid::new(key, format!("is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.hosts().len() != 1 {
        return Err(Invalid::new(key, "must be one http or https URL"));
    }
    if url.user().is_some() || text.contains(['?', '#']) || text.chars().any(char::is_whitespace) {
        return Err(Invalid::new(key, "has no user, query, fragment or space"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(issuer: &str, discovery: Option<&str>) -> Auth {
        Auth { issuer: Some(issuer.into()), discovery_url: discovery.map(Into::into), ..Auth::default() }
    }

    #[test]
    fn an_issuer_is_https_or_on_loopback() {
        for good in ["https://id.example/realms/wallet", "http://127.0.0.1:8080/realms/wallet", "http://localhost/x"] {
            assert_eq!(of(good, None).validate(), Ok(()), "{good}");
        }
        for bad in ["http://id.example/x", "id.example", "https://a@id.example/x", "https://id.example/x?y", "ftp://x/"]
        {
            assert_eq!(of(bad, None).validate().unwrap_err().key, "auth.issuer", "{bad}");
        }
    }

    #[test]
    fn the_way_to_the_issuer_may_be_another_than_its_name() {
        let auth =
            of("https://id.example/realms/w", Some("http://keycloak:8080/realms/w/.well-known/openid-configuration"));
        assert_eq!(auth.validate(), Ok(()));
        assert_eq!(auth.discovery_base().as_deref(), Some("http://keycloak:8080/realms/w"));
        assert_eq!(of("https://id.example/w/", None).discovery_base().as_deref(), Some("https://id.example/w"));
    }

    #[test]
    fn a_token_needs_a_client_and_a_meaning() {
        let auth = Auth { clients: Vec::new(), ..of("https://id.example/x", None) };
        assert_eq!(auth.validate().unwrap_err().key, "auth.clients");
        let auth = Auth { roles: BTreeMap::new(), ..of("https://id.example/x", None) };
        assert_eq!(auth.validate().unwrap_err().key, "auth.roles");
    }
}
