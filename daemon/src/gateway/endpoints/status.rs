//! What the daemon says about itself.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;
use wallet_api::types::{CutView, Status, Total, Totals};

use super::super::{Services, context::Context, extract::Params, fault::Fault, views};
use crate::services::moments::Moments;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "daemon", responses((status = 200, body = String)))]
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// The process can serve: its ledger answers and it is not stopping.
#[utoipa::path(get, path = "/readyz", tag = "daemon", responses((status = 200, body = String)))]
pub(super) async fn ready(State(services): State<Arc<Services>>) -> Result<&'static str, Fault> {
    services.status.ready().await?;
    Ok("ok\n")
}

/// What the daemon is doing: head, queue, projections, stores.
#[utoipa::path(get, path = "/v1/status", tag = "daemon", responses((status = 200, body = Status)))]
pub(super) async fn status(State(services): State<Arc<Services>>, _: Context) -> Result<Json<Status>, Fault> {
    let mut status = services.status.status().await?;
    status.queued = services.transactions.waiting() as u64;
    Ok(Json(status))
}

/// What all wallets of each asset hold together, and its other side.
#[utoipa::path(get, path = "/v1/totals", tag = "reports", responses((status = 200, body = Totals)))]
pub(super) async fn totals(State(services): State<Arc<Services>>, _: Context) -> Result<Json<Totals>, Fault> {
    let (externals, cut) = services.status.externals().await?;
    let totals = externals.into_iter().map(|account| Total {
        asset: account.asset.to_string(),
        wallets: account.balance.negated().to_string(),
        external: account.balance.to_string(),
    });
    Ok(Json(Totals { totals: totals.collect(), cut: views::cut(cut) }))
}

/// Which cut: by seq, or as known at a moment; the head when both are left out.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CutQuery {
    /// The last record it may hold.
    seq: Option<u64>,
    /// A date (its close) or an instant.
    at: Option<String>,
    /// The zone of dates.
    tz: Option<String>,
}

/// A cut of the ledger: write it down, and later verify that nothing up to it was changed.
#[utoipa::path(get, path = "/v1/cut", tag = "reports", params(CutQuery),
    responses((status = 200, body = CutView)))]
pub(super) async fn cut(
    State(services): State<Arc<Services>>,
    _: Context,
    Params(query): Params<CutQuery>,
) -> Result<Json<CutView>, Fault> {
    let zone = Moments::zone(query.tz.as_deref())?;
    let known_at = match (query.seq.map(|seq| seq.to_string()), query.at) {
        (Some(_), Some(_)) => return Err(Fault::invalid("give seq or at, not both")),
        (seq, at) => seq.or(at),
    };
    let moments = &services.balances.moments;
    let cut = moments.cut(&moments.present().await?, known_at.as_deref(), &zone).await?;
    Ok(Json(views::cut(cut)))
}
