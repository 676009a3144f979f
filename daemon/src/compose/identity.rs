//! Whose tokens are believed: the issuer of the configuration, its keys over HTTP, what its roles give here.

use std::sync::Arc;

use wallet_core::{
    ports::{Clock, Documents, FetchError},
    time::SECOND,
};

use super::doctor::Examined;
use crate::{
    adapters::{embedded::clock::SystemClock, finding::Finding, issuer::HttpDocuments, schema::OpenError},
    address::ServerUrl,
    config::{self, Auth},
    services::{
        identity::{Expected, Grant, Issuer, IssuerError, Look, Mapping, Permission, Place, Role, Tokens},
        whole,
    },
};

/// Seconds the issuer's clock may differ: the leeway of tokens.
const LEEWAY: i64 = 10;
/// Seconds that are worth a word. HTTP tells whole ones.
const NOTABLE: i64 = 3;

/// Where an issuer is, and how its documents are fetched.
type Reached = (Place, Arc<dyn Documents>);
/// What verifies tokens, and what keeps its keys fresh.
type Believed = (Arc<Tokens>, Arc<Issuer>);

/// Where the issuer is, and how it is reached; none while none is configured.
fn issuer(auth: &Auth) -> Result<Option<Reached>, OpenError> {
    let Some(issuer) = auth.issuer.clone() else { return Ok(None) };
    let discovery = auth.discovery_base().unwrap_or_else(|| issuer.clone());
    let documents = HttpDocuments::new(&discovery, auth.ca_file.clone())?;
    Ok(Some((Place { issuer, discovery }, Arc::new(documents))))
}

/// What verifies tokens, and what keeps its keys fresh.
pub(crate) fn tokens(auth: &Auth, clock: Arc<dyn Clock>) -> Result<Option<Believed>, OpenError> {
    let Some((place, documents)) = issuer(auth)? else { return Ok(None) };
    let issuer = Issuer::new(place, documents);
    let expected = Expected { audience: auth.audience.clone(), clients: auth.clients.clone() };
    let roles = auth.roles.iter().map(|(name, gives)| (name.clone(), grant(*gives))).collect();
    let mapping = Mapping { roles, owner_claim: auth.owner_claim.clone() };
    Ok(Some((Arc::new(Tokens::new(Arc::clone(&issuer), expected, mapping, clock)), issuer)))
}

fn grant(gives: config::Grant) -> Grant {
    match gives {
        config::Grant::Operator => Grant::Role(Role::Operator),
        config::Grant::Auditor => Grant::Role(Role::Auditor),
        config::Grant::User => Grant::Role(Role::User),
        config::Grant::Backdate => Grant::Permission(Permission::Backdate),
        config::Grant::Admin => Grant::Permission(Permission::Admin),
    }
}

/// What `walletd doctor` finds at the issuer; none while none is configured.
pub(super) async fn examine(auth: &Auth) -> Option<Examined> {
    let place = auth.discovery_base()?;
    let mut unreachable = false;
    let findings = match issuer(auth) {
        Err(error) => {
            vec![Finding::fault("configuration", whole(&error), "change the configuration of auth")]
        }
        Ok(None) => return None,
        Ok(Some((at, documents))) => match at.look(&*documents).await {
            Ok(look) => findings(auth, &look),
            Err(error) => {
                unreachable = is_away(&error);
                vec![fault(&error)]
            }
        },
    };
    Some(Examined { store: "issuer", place, findings, unreachable })
}

fn findings(auth: &Auth, look: &Look) -> Vec<Finding> {
    let mut found = vec![
        Finding::good("issuer", format!("it says it is {}", auth.issuer.as_deref().unwrap_or_default())),
        Finding::good("keys", format!("{} for RS256 or ES256, at {}", look.keys, look.keys_url)),
    ];
    if let Some(date) = look.date {
        found.push(clock(date.micros_since(SystemClock::new().now())));
    }
    let plain = |url: &str| url.starts_with("http://") && !url.parse::<ServerUrl>().is_ok_and(|url| url.is_loopback());
    if auth.discovery_base().is_some_and(|url| plain(&url)) || plain(&look.keys_url) {
        let advice = "whoever is on the way there can put keys of their own in place: unless that network is yours \
                      alone, use an https URL in auth.discovery_url";
        found.push(Finding::warning("encryption", "the way to the issuer is not encrypted", advice));
    }
    found
}

/// Beyond the leeway with which tokens are taken, good ones are refused.
fn clock(micros: i64) -> Finding {
    let text = format!("{:+} s from this machine's", micros / SECOND);
    let advice = "set both clocks by NTP: tokens are taken with ten seconds of leeway";
    match micros.abs() {
        off if off > LEEWAY * SECOND => Finding::fault("clock", text, advice),
        off if off > NOTABLE * SECOND => Finding::warning("clock", text, advice),
        _ => Finding::good("clock", text),
    }
}

fn is_away(error: &IssuerError) -> bool {
    matches!(error, IssuerError::Fetch { source: FetchError::Unreachable(_), .. })
        || matches!(error, IssuerError::Fetch { source: FetchError::Status(500..), .. })
}

fn fault(error: &IssuerError) -> Finding {
    let text = whole(error);
    match error {
        _ if is_away(error) => {
            let advice = "start it, or correct auth.issuer or auth.discovery_url; until then tokens are answered with \
                          503";
            Finding::fault("connection", text, advice)
        }
        IssuerError::Fetch { .. } | IssuerError::Form { .. } => {
            let advice = "auth.issuer (or auth.discovery_url) is the realm's URL, for Keycloak \
                          https://HOST/realms/REALM or https://HOST/auth/realms/REALM";
            Finding::fault("document", text, advice)
        }
        IssuerError::OtherIssuer { .. } => {
            let advice = "set auth.issuer to what it says, to the letter, or give Keycloak that name (--hostname)";
            Finding::fault("issuer", text, advice)
        }
        IssuerError::KeysElsewhere { .. } => {
            Finding::fault("keys", text, "set auth.discovery_url to the URL that the issuer has from here")
        }
        IssuerError::NoKey => Finding::fault("keys", text, "give the realm a key for signatures by RS256 or ES256"),
    }
}
