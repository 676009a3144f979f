//! Looking transactions up, and reversing one.

use std::sync::Arc;

use axum::{Json, extract::State};
use wallet_api::types::{DryRun, Posted, ReverseTransaction, TransactionFilter, TransactionList, TransactionView};
use wallet_core::{
    command::{Action, Reverse},
    ids::TransactionId,
    journal::{Leg, Stored, TransactionKind},
    key::Key,
};

use super::{
    super::{
        Services,
        context::Context,
        document::{NotFound, Refusals},
        extract::{Body, Id, Params},
        fault::Fault,
        views::{self, Sides},
    },
    limit, money, read,
};
use crate::services::{ServiceError, moments::Moments, transactions};

/// A transaction as one is shown; there is none for a caller with no wallet in it.
async fn shown(
    services: &Services,
    context: &Context,
    (stored, reversed_by): (Arc<Stored>, Option<TransactionId>),
    unknown: ServiceError,
) -> Result<Json<TransactionView>, Fault> {
    let Some(t) = stored.record.transaction() else { return Err(unknown.into()) };
    let own = |leg: &Leg| {
        let wallet = leg.account.wallet().cloned();
        async move {
            match (wallet, &context.only) {
                (_, None) => Ok(true),
                (None, Some(_)) => Ok(false),
                (Some(wallet), only) => services.wallets.reaches(&wallet, only.as_ref()).await,
            }
        }
    };
    let sides = Sides { debit: own(&t.debit).await?, credit: own(&t.credit).await? };
    if !sides.debit && !sides.credit {
        return Err(unknown.into());
    }
    let view = views::transaction(&stored, t, context, sides, false);
    Ok(Json(TransactionView { reversed_by: reversed_by.map(|id| id.to_string()), ..view }))
}

fn kind(text: &str) -> Result<TransactionKind, Fault> {
    let kinds =
        [TransactionKind::Deposit, TransactionKind::Withdrawal, TransactionKind::Transfer, TransactionKind::Reversal];
    let found = kinds.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| Fault::invalid("kind: must be deposit, withdrawal, transfer or reversal"))
}

/// List transactions, newest recorded first.
#[utoipa::path(get, path = "/v1/transactions", tag = "transactions", params(TransactionFilter),
    responses((status = 200, body = TransactionList), NotFound))]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    context: Context,
    Params(filter): Params<TransactionFilter>,
) -> Result<Json<TransactionList>, Fault> {
    let zone = Moments::zone(filter.tz.as_deref())?;
    let moments = &services.balances.moments;
    let (from, to) = moments.bounds(filter.from.as_deref(), filter.to.as_deref(), &zone).await?;
    let query = transactions::TransactionList {
        wallet: read("wallet", filter.wallet.as_deref())?,
        kind: filter.kind.as_deref().map(kind).transpose()?,
        from,
        to,
        before: read("after", filter.after.as_deref())?,
        limit: limit(filter.limit)?,
    };
    match &query.wallet {
        Some(wallet) => services.wallets.reached(wallet, context.only.as_ref()).await?,
        None if context.only.is_some() => return Err(Fault::invalid("wallet: name one of your own wallets")),
        None => {}
    }
    let (found, next) = services.transactions.list(&query).await?;
    // Of one's own wallet the other side may be anybody's.
    let seen = |leg: &Leg| context.only.is_none() || leg.account.wallet() == query.wallet.as_ref();
    let view = |stored: &Arc<Stored>| {
        let t = stored.record.transaction()?;
        let sides = Sides { debit: seen(&t.debit), credit: seen(&t.credit) };
        Some(views::transaction(stored, t, &context, sides, false))
    };
    let transactions = found.iter().filter_map(view).collect();
    Ok(Json(TransactionList { transactions, next: next.map(|seq| seq.to_string()) }))
}

/// Show a transaction.
#[utoipa::path(get, path = "/v1/transactions/{id}", tag = "transactions", params(("id" = String, Path,)),
    responses((status = 200, body = TransactionView), NotFound))]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(id): Id<TransactionId>,
) -> Result<Json<TransactionView>, Fault> {
    let found = services.transactions.show(id).await?;
    shown(&services, &context, found, ServiceError::unknown_transaction(id)).await
}

/// Show the transaction that a key made.
#[utoipa::path(get, path = "/v1/transactions/by-key/{key}", tag = "transactions", params(("key" = String, Path,)),
    responses((status = 200, body = TransactionView), NotFound))]
pub(super) async fn by_key(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(key): Id<Key>,
) -> Result<Json<TransactionView>, Fault> {
    let found = services.transactions.by_key(&context.scoped(key.clone())).await?;
    shown(&services, &context, found, ServiceError::unknown_key(&key)).await
}

/// Undo a transaction by its opposite, once.
#[utoipa::path(post, path = "/v1/transactions/{id}/reverse", tag = "transactions", request_body = ReverseTransaction,
    params(("id" = String, Path,), ("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<TransactionView>), NotFound, Refusals))]
pub(super) async fn reverse(
    State(services): State<Arc<Services>>,
    context: Context,
    Id(id): Id<TransactionId>,
    Params(how): Params<DryRun>,
    Body(body): Body<ReverseTransaction>,
) -> Result<money::Made, Fault> {
    context.may_backdate(body.effective_at.is_some())?;
    let reverse = Reverse {
        transaction: id,
        effective_at: body.effective_at,
        allow_negative: body.allow_negative,
        memo: body.memo,
    };
    money::one(&services, &context, how, Action::Reverse(reverse)).await
}
