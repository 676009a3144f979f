//! Who issues tokens for a daemon (RFC 9728), and where the issuer takes requests (`OpenID` Connect discovery).
//!
//! Both documents name themselves, and are taken only if they name exactly what was asked for: a document found at one
//! place never speaks for another.

use openidconnect::{AdditionalProviderMetadata, ProviderMetadata, core};
use serde::{Deserialize, Serialize};
use wallet_api::client::secure;

use super::http::{Http, Trouble};

/// Where a daemon says who issues tokens for it.
pub const RESOURCE_PATH: &str = "/.well-known/oauth-protected-resource";
const ISSUER_PATH: &str = "/.well-known/openid-configuration";

/// What a daemon says of itself.
#[derive(Debug, Deserialize)]
struct Resource {
    resource: String,
    #[serde(default)]
    authorization_servers: Vec<String>,
}

/// The issuers that a daemon names, the preferred one first; none if it says nothing.
pub async fn issuers(http: &Http, url: &str) -> Result<Option<Vec<String>>, Trouble> {
    let reply = http.get(&format!("{url}{RESOURCE_PATH}")).await?;
    if reply.status == reqwest::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let at = reply.at.clone();
    let found: Resource = reply.json()?;
    if found.resource != url {
        let why = format!("it speaks for {}, not for {url}: use the daemon's own URL", found.resource);
        return Err(Trouble::Useless { at, why });
    }
    for issuer in &found.authorization_servers {
        check(&at, "the issuer", issuer)?;
    }
    Ok(Some(found.authorization_servers))
}

/// Where an issuer takes requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name, exactly.
    pub issuer: String,
    /// Where tokens are asked for.
    pub token: String,
    /// Where a device flow begins.
    pub device: Option<String>,
    /// Where tokens are given back.
    pub revocation: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct More {
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
}

impl AdditionalProviderMetadata for More {}

type Document = ProviderMetadata<
    More,
    core::CoreAuthDisplay,
    core::CoreClientAuthMethod,
    core::CoreClaimName,
    core::CoreClaimType,
    core::CoreGrantType,
    core::CoreJweContentEncryptionAlgorithm,
    core::CoreJweKeyManagementAlgorithm,
    core::CoreJsonWebKey,
    core::CoreResponseMode,
    core::CoreResponseType,
    core::CoreSubjectIdentifierType,
>;

/// Asks an issuer.
pub async fn provider(http: &Http, issuer: &str) -> Result<Provider, Trouble> {
    check(issuer, "the issuer", issuer)?;
    let reply = http.get(&format!("{}{ISSUER_PATH}", issuer.trim_end_matches('/'))).await?;
    let at = reply.at.clone();
    let found: Document = reply.json()?;
    if found.issuer().as_str() != issuer {
        let why = format!("it speaks for {}, not for {issuer}", found.issuer().as_str());
        return Err(Trouble::Useless { at, why });
    }
    let token = found.token_endpoint().map(|url| url.as_str().to_owned());
    let more = found.additional_metadata().clone();
    let Some(token) = token else {
        return Err(Trouble::Useless { at, why: "it names no token endpoint".into() });
    };
    let all = [Some(&token), more.device_authorization_endpoint.as_ref(), more.revocation_endpoint.as_ref()];
    for url in all.into_iter().flatten() {
        check(&at, "an endpoint", url)?;
    }
    let (device, revocation) = (more.device_authorization_endpoint, more.revocation_endpoint);
    Ok(Provider { issuer: issuer.to_owned(), token, device, revocation })
}

fn check(at: &str, what: &str, url: &str) -> Result<(), Trouble> {
    let wrong = |why: String| Trouble::Useless { at: at.to_owned(), why: format!("{what} {url}: {why}") };
    secure(url).map(drop).map_err(wrong)
}
