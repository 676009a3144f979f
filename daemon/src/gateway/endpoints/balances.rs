//! One wallet's balances and its statement.

use std::sync::Arc;

use axum::{Json, extract::State};
use wallet_api::types::{BalanceQuery, BalanceView, History, HistoryQuery, Statement, StatementQuery};
use wallet_core::{ids::WalletId, money::Balance, ports::Posted, time::Timestamp};

use super::{
    super::{
        Services,
        context::Context,
        document::NotFound,
        extract::{Id, Params},
        fault::Fault,
        views,
    },
    limit,
};
use crate::services::{
    balances::{Question, Range, StatementCursor},
    moments::Moments,
};

/// The balance of a wallet, now or at a past moment.
#[utoipa::path(get, path = "/v1/wallets/{id}/balance", tag = "balances", params(("id" = String, Path,), BalanceQuery),
    responses((status = 200, body = BalanceView), NotFound))]
pub(super) async fn balance(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(wallet): Id<WalletId>,
    Params(query): Params<BalanceQuery>,
) -> Result<Json<BalanceView>, Fault> {
    services.wallets.reached(&wallet, context.only.as_ref()).await?;
    let cached = match query.consistency.as_deref() {
        None | Some("exact") => false,
        Some("cached") => true,
        Some(_) => return Err(Fault::invalid("consistency: must be exact or cached")),
    };
    let question = Question {
        at: query.at.as_deref(),
        known_at: query.known_at.as_deref(),
        tz: query.tz.as_deref(),
        min_seq: query.min_seq,
        cached,
    };
    let found = services.balances.balance(&wallet, &question).await?;
    Ok(Json(views::balance(&found)))
}

/// The balances of a wallet at the closes of calendar periods.
#[utoipa::path(get, path = "/v1/wallets/{id}/history", tag = "balances", params(("id" = String, Path,), HistoryQuery),
    responses((status = 200, body = History), NotFound))]
pub(super) async fn history(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(wallet): Id<WalletId>,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<History>, Fault> {
    services.wallets.reached(&wallet, context.only.as_ref()).await?;
    let range = Range {
        from: &query.from,
        to: query.to.as_deref(),
        every: &query.every,
        known_at: query.known_at.as_deref(),
        tz: query.tz.as_deref(),
    };
    let (found, resolved) = services.balances.history(&wallet, &range).await?;
    let rows = found.iter().zip(&resolved.points).map(|(row, point)| views::balance_row(row, point.partial)).collect();
    Ok(Json(History {
        rows,
        cut: views::cut(resolved.cut),
        from: resolved.from.to_string(),
        to: resolved.to.to_string(),
    }))
}

/// A wallet's statement by effective time.
#[utoipa::path(get, path = "/v1/wallets/{id}/statement", tag = "balances", params(("id" = String, Path,), StatementQuery),
    responses((status = 200, body = Statement), NotFound))]
pub(super) async fn statement(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(wallet): Id<WalletId>,
    Params(query): Params<StatementQuery>,
) -> Result<Json<Statement>, Fault> {
    services.wallets.reached(&wallet, context.only.as_ref()).await?;
    let zone = Moments::zone(query.tz.as_deref())?;
    let after = query.after.as_deref().map(cursor).transpose()?;
    let page = (after, limit(query.limit)?);
    let found = services
        .balances
        .statement(&wallet, &query.from, query.to.as_deref(), query.known_at.as_deref(), &zone, page)
        .await?;
    let line = |(posted, balance): &(Posted, Balance)| views::statement_line(posted, *balance, &context);
    let lines = found.lines.iter().filter_map(line).collect();
    Ok(Json(Statement {
        wallet: wallet.to_string(),
        asset: found.account.asset.to_string(),
        from: found.from.to_string(),
        to: found.to.to_string(),
        opening: found.opening.to_string(),
        closing: found.closing.to_string(),
        cut: views::cut(found.cut),
        lines,
        next: found.next.map(|next| format!("{}.{}.{}", next.effective_at.as_micros(), next.seq, next.known)),
    }))
}

fn cursor(text: &str) -> Result<StatementCursor, Fault> {
    let parts: Vec<_> = text.split('.').map(str::parse::<i64>).collect();
    match parts.as_slice() {
        [Ok(time), Ok(seq), Ok(known)] if *seq > 0 && *known > 0 => Ok(StatementCursor {
            effective_at: Timestamp::from_micros(*time),
            seq: seq.cast_unsigned(),
            known: known.cast_unsigned(),
        }),
        _ => Err(Fault::invalid("after: must be `next` of the page before")),
    }
}
