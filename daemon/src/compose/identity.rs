//! Whose tokens are believed: the issuer of the configuration, its keys over HTTP, what its roles give here.

use std::sync::Arc;

use wallet_core::ports::Documents;

use crate::{
    adapters::{issuer::HttpDocuments, schema::OpenError},
    config::{self, Auth},
    services::identity::{Expected, Grant, Issuer, Mapping, Permission, Place, Role, Tokens},
};

/// Where the issuer is, and how it is reached; none while none is configured.
pub(super) fn issuer(auth: &Auth) -> Result<Option<(Place, Arc<dyn Documents>)>, OpenError> {
    let Some(issuer) = auth.issuer.clone() else { return Ok(None) };
    let discovery = auth.discovery_base().unwrap_or_else(|| issuer.clone());
    let documents = HttpDocuments::new(&discovery, auth.ca_file.clone())?;
    Ok(Some((Place { issuer, discovery }, Arc::new(documents))))
}

/// What verifies tokens, and what keeps its keys fresh.
pub(super) fn tokens(auth: &Auth) -> Result<Option<(Arc<Tokens>, Arc<Issuer>)>, OpenError> {
    let Some((place, documents)) = issuer(auth)? else { return Ok(None) };
    let issuer = Issuer::new(place, documents);
    let expected = Expected { audience: auth.audience.clone(), clients: auth.clients.clone() };
    let roles = auth.roles.iter().map(|(name, gives)| (name.clone(), grant(*gives))).collect();
    let mapping = Mapping { roles, owner_claim: auth.owner_claim.clone() };
    Ok(Some((Arc::new(Tokens::new(Arc::clone(&issuer), expected, mapping)), issuer)))
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
