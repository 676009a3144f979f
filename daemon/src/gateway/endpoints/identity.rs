//! Who the caller is, what it may do, and where to sign in.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{ConnectInfo, Request},
};
use wallet_api::{
    problem::Problem,
    types::{CanI, CanIQuery, ProtectedResource, Whoami},
};

use super::super::{
    authz::{self, Reach},
    context::Context,
    document::NotFound,
    edge::host,
    extract::Params,
    fault::Fault,
    metadata::Metadata,
    source::Source,
};
use crate::services::identity::Permission;

/// Where to sign in for this daemon (RFC 9728).
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource", tag = "identity",
    responses((status = 200, body = ProtectedResource), NotFound))]
pub(super) async fn metadata(
    ConnectInfo(source): ConnectInfo<Source>,
    Extension(metadata): Extension<Arc<Metadata>>,
    request: Request,
) -> Result<Json<ProtectedResource>, Fault> {
    metadata.document(source, host(&request)).map(Json).ok_or_else(|| {
        let detail = "nobody signs in here: auth.issuer is not configured, or the daemon does not know its own URL \
                      (gateway.public_url)";
        Problem::new("not_found", detail).into()
    })
}

/// Who the caller is to the daemon.
#[utoipa::path(get, path = "/v1/whoami", tag = "identity",
    responses((status = 200, body = Whoami)))]
pub(super) async fn whoami(context: Context) -> Json<Whoami> {
    let caller = &context.caller;
    let token = caller.token.as_deref();
    Json(Whoami {
        actor: caller.actor.to_string(),
        roles: caller.role_names(),
        permissions: caller.permission_names(),
        owner: caller.owner.as_ref().map(ToString::to_string),
        expires_at: token.map(|token| token.expires_at.to_string()),
        issuer: token.map(|token| token.issuer.to_string()),
        client: token.map(|token| token.client.clone()),
    })
}

/// Whether the caller may do something. Whether its wallets hold enough is another matter.
#[utoipa::path(get, path = "/v1/can-i", tag = "identity", params(CanIQuery),
    responses((status = 200, body = CanI)))]
pub(super) async fn can_i(context: Context, Params(query): Params<CanIQuery>) -> Result<Json<CanI>, Fault> {
    let rule = match (query.action.as_deref(), query.method.as_deref(), query.path.as_deref()) {
        (Some(action), None, None) => authz::of_action(action)
            .ok_or_else(|| Fault::invalid("action: there is no such action; walletd authz lists them"))?,
        (None, Some(method), Some(path)) => authz::of_path(method, path)
            .ok_or_else(|| Fault::invalid("method, path: there is no such route; see /openapi.json"))?,
        _ => return Err(Fault::invalid("give either action, or method and path")),
    };
    let decided = authz::decide(rule, &context.caller);
    let backdate = rule.backdate && decided.is_ok() && context.caller.permissions.contains(&Permission::Backdate);
    Ok(Json(CanI {
        allowed: decided.is_ok(),
        action: rule.action.into(),
        method: rule.method.into(),
        path: rule.path.into(),
        wallets: decided.ok().filter(|reach| *reach != Reach::None).map(|reach| reach.as_str().to_owned()),
        backdate,
        lacks: decided.err().map(|lack| lack.to_string()),
    }))
}
