//! Deposits, withdrawals, transfers.

use std::sync::Arc;

use axum::{Json, extract::State};
use wallet_api::{
    problem::Problem,
    types::{DryRun, MoveMoney, Posted, TransactionView},
};
use wallet_core::command::{Action, Command, Mode, Move};

use super::super::{
    Services,
    context::Context,
    document::{NotFound, Refusals},
    extract::{Body, Params},
    fault::Fault,
    views,
};
use crate::services::commits::Commits as _;

type Answer = Result<Json<Posted<TransactionView>>, Fault>;

/// Pay money into a wallet.
#[utoipa::path(post, path = "/v1/deposits", tag = "money", request_body = MoveMoney, params(("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<TransactionView>), NotFound, Refusals))]
pub(super) async fn deposit(
    State(services): State<Arc<Services>>,
    context: Context,
    Params(how): Params<DryRun>,
    Body(body): Body<MoveMoney>,
) -> Answer {
    match (&body.from, &body.to) {
        (None, Some(_)) => run(&services, &context, how, body).await,
        _ => Err(Fault::invalid("a deposit names `to` and not `from`")),
    }
}

/// Pay money out of a wallet.
#[utoipa::path(post, path = "/v1/withdrawals", tag = "money", request_body = MoveMoney, params(("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<TransactionView>), NotFound, Refusals))]
pub(super) async fn withdraw(
    State(services): State<Arc<Services>>,
    context: Context,
    Params(how): Params<DryRun>,
    Body(body): Body<MoveMoney>,
) -> Answer {
    match (&body.from, &body.to) {
        (Some(_), None) => run(&services, &context, how, body).await,
        _ => Err(Fault::invalid("a withdrawal names `from` and not `to`")),
    }
}

/// Move money between two wallets.
#[utoipa::path(post, path = "/v1/transfers", tag = "money", request_body = MoveMoney, params(("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<TransactionView>), NotFound, Refusals))]
pub(super) async fn transfer(
    State(services): State<Arc<Services>>,
    context: Context,
    Params(how): Params<DryRun>,
    Body(body): Body<MoveMoney>,
) -> Answer {
    match (&body.from, &body.to) {
        (Some(_), Some(_)) => run(&services, &context, how, body).await,
        _ => Err(Fault::invalid("a transfer names `from` and `to`")),
    }
}

async fn run(services: &Services, context: &Context, how: DryRun, body: MoveMoney) -> Answer {
    context.may_backdate(body.effective_at.is_some())?;
    let action = Action::Move(Move {
        from: body.from,
        to: body.to,
        amount: body.amount,
        asset: body.asset,
        effective_at: body.effective_at,
        memo: body.memo,
        meta: body.meta,
    });
    one(services, context, how, action).await
}

/// Runs one command that makes a transaction.
pub(super) async fn one(services: &Services, context: &Context, how: DryRun, action: Action) -> Answer {
    let command = Command { key: context.write_key()?, action };
    let request = context.request(Mode::Continue, vec![command]);
    let answer = if how.dry_run {
        services.transactions.preview(request).await?
    } else {
        services.transactions.submit(request).await.map_err(crate::services::ServiceError::from)?
    };
    let outcome = views::single(answer)?;
    let made = outcome.record().and_then(|stored| stored.record.transaction().map(|t| (stored, t)));
    let (stored, transaction) =
        made.ok_or_else(|| Fault::from(Problem::new("internal", "the command made no transaction")))?;
    let new = how.dry_run && outcome.as_str() == "ok";
    // A caller bound to its own wallets pays out of one of them; the other one's balance is not its business.
    let sides = views::Sides { debit: true, credit: context.only.is_none() };
    let view = views::transaction(stored, transaction, context, sides, new);
    Ok(Json(views::posted(&outcome, how.dry_run, view)))
}
