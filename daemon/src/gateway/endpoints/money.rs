//! Deposits, withdrawals, transfers.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use wallet_api::{
    problem::Problem,
    types::{DryRun, MoveMoney, Op, Posted, TransactionView},
};
use wallet_core::{
    command::{Action, Command, Mode, Move},
    ids::WalletId,
};

use super::super::{
    Services,
    context::Context,
    document::{NotFound, Refusals},
    extract::{Body, Params},
    fault::Fault,
    views,
};
use crate::services::commits::Commits as _;

type Answer = Result<Made, Fault>;

/// Pay money into a wallet.
#[utoipa::path(post, path = "/v1/deposits", tag = "money", request_body = MoveMoney, params(("Idempotency-Key" = String, Header,), DryRun),
    responses((status = 200, body = Posted<TransactionView>), NotFound, Refusals))]
pub(super) async fn deposit(
    State(services): State<Arc<Services>>,
    context: Context,
    Params(how): Params<DryRun>,
    Body(body): Body<MoveMoney>,
) -> Answer {
    run(&services, &context, Op::Deposit, how, body).await
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
    run(&services, &context, Op::Withdraw, how, body).await
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
    run(&services, &context, Op::Transfer, how, body).await
}

/// What moves money, and the path at which each is asked for by itself.
const PATHS: [(Op, &str); 3] =
    [(Op::Transfer, "/v1/transfers"), (Op::Deposit, "/v1/deposits"), (Op::Withdraw, "/v1/withdrawals")];

/// What is asked for at a path, and that path as the router has it.
pub(in crate::gateway) fn at(path: &str) -> Option<(Op, &'static str)> {
    PATHS.into_iter().find(|(_, there)| *there == path)
}

/// Whether the wallets that an operation needs are named, and no other; else what is to be named.
pub(super) fn ends(op: Op, from: Option<&WalletId>, to: Option<&WalletId>) -> Result<(), &'static str> {
    match (op, from, to) {
        (Op::Deposit, None, Some(_)) | (Op::Withdraw, Some(_), None) | (Op::Transfer, Some(_), Some(_)) => Ok(()),
        (Op::Deposit, ..) => Err("a deposit names `to` and not `from`"),
        (Op::Withdraw, ..) => Err("a withdrawal names `from` and not `to`"),
        (Op::Transfer, ..) => Err("a transfer names `from` and `to`"),
    }
}

/// Moves money.
pub(in crate::gateway) async fn run(
    services: &Services,
    context: &Context,
    op: Op,
    how: DryRun,
    body: MoveMoney,
) -> Answer {
    ends(op, body.from.as_ref(), body.to.as_ref()).map_err(Fault::invalid)?;
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
    Ok(Made(views::made(&outcome, (stored, transaction), context, sides, (how.dry_run, new))))
}

/// A `Posted<TransactionView>` as JSON.
pub(in crate::gateway) struct Made(Vec<u8>);

impl IntoResponse for Made {
    fn into_response(self) -> Response {
        let mut response = Response::new(axum::body::Body::from(self.0));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}
