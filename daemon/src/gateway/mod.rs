//! API Gateway: the HTTP edge. Handlers translate between wire and core; rules live in core, work in services.
//!
//! `edge` has the order every request passes; `endpoints` one file a topic; `/openapi.json` is
//! generated from the handlers themselves.

pub mod authz;
mod connections;
mod context;
mod document;
mod edge;
mod endpoints;
mod extract;
mod fault;
mod keycloak;
mod listener;
mod metadata;
mod proxies;
mod rate;
mod site;
mod source;
mod tcp;
mod tls;
mod views;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, middleware, response::IntoResponse as _, routing::get};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use wallet_api::problem::Problem;

use self::fault::Fault;
pub use self::{
    edge::{Edge, Identify},
    keycloak::{Attempt, Down, Ended, Guard, Keycloak, KeycloakError, Route},
    listener::Listener,
    metadata::Metadata,
    rate::{RateLimits, Rates, SignIns, TooSoon},
    site::Site,
    source::{Peer, Remote, Source},
    tcp::{ListenError, Tcp},
    tls::{Certificate, CertificateError, Facts, Files, install_provider},
};
use crate::services::{
    assets::AssetService, audit::Audit, balances::Balances, rebuild::Rebuild, status::StatusService,
    transactions::Transactions, wallets::Wallets,
};

/// Every service the handlers use.
#[derive(Clone)]
pub struct Services {
    /// Transaction Service.
    pub transactions: Arc<Transactions>,
    /// Wallet Service.
    pub wallets: Wallets,
    /// Balance Service.
    pub balances: Balances,
    /// Audit Service.
    pub audit: Audit,
    /// Rebuilding what follows the ledger.
    pub rebuild: Rebuild,
    /// Assets.
    pub assets: AssetService,
    /// What the daemon says about itself.
    pub status: StatusService,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "walletd",
        description = "Wallets, transactions, balances at any moment, audit.",
        license(name = "MIT")
    ),
    components(schemas(Problem))
)]
struct Document;

/// The OpenAPI document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    document::completed(documented().split_for_parts().1)
}

/// Every route of the API: its path and method.
pub fn routes() -> Vec<(String, &'static str)> {
    let mut routes = vec![("/openapi.json".to_owned(), "GET")];
    for (path, item) in openapi().paths.paths {
        let methods =
            [("GET", item.get), ("POST", item.post), ("PUT", item.put), ("PATCH", item.patch), ("DELETE", item.delete)];
        routes
            .extend(methods.into_iter().filter(|(_, found)| found.is_some()).map(|(method, _)| (path.clone(), method)));
    }
    routes
}

fn documented() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::with_openapi(Document::openapi()).merge(endpoints::router())
}

/// What a daemon answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Everything.
    Everything,
    /// What is about the daemon itself: it does not have the role api.
    AboutItself,
}

/// The edge as a router.
pub fn router(services: Services, edge: Edge, body_limit: usize, answers: Answers) -> Router {
    let (everything, document) = documented().split_for_parts();
    let document = document::completed(document);
    let (router, missing) = match answers {
        Answers::Everything => (everything, ("not_found", "there is no such path; see /openapi.json")),
        Answers::AboutItself => (
            OpenApiRouter::new().merge(endpoints::about_the_daemon()).into(),
            ("no_api", "this daemon does not have the role api: it says how it is, and rebuilds stores"),
        ),
    };
    let document: Arc<str> = document.to_json().unwrap_or_default().into();
    let served =
        move || async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], document.to_string()) };
    router
        .route("/openapi.json", get(served))
        .fallback(move || async move {
            let (code, detail) = missing;
            Fault::from(Problem::new(code, detail)).into_response()
        })
        .method_not_allowed_fallback(|| async {
            Fault::from(Problem::new("method_not_allowed", "the path does not take this method")).into_response()
        })
        .layer(DefaultBodyLimit::max(body_limit))
        .layer(middleware::from_fn_with_state(Arc::new(edge), edge::pass))
        .with_state(Arc::new(services))
}
