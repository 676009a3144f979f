//! Batches: up to 5,000 commands, an outcome each, with a key of their own.

use std::sync::Arc;

use axum::{Json, extract::State};
use sha2::{Digest as _, Sha256};
use wallet_api::{
    problem::Problem,
    types::{Batch, BatchCommand, BatchMode, BatchParams, BatchResult, Op},
};
use wallet_core::{
    command::{Action, Command, MAX_COMMANDS, Mode, Move, OwnKey},
    cut::Hash,
};

use super::{
    super::{
        Services,
        context::Context,
        document::Refusals,
        extract::{Body, Params},
        fault::Fault,
        views,
    },
    money,
};
use crate::services::{ServiceError, commits::Commits as _};

/// Run a batch of commands.
#[utoipa::path(post, path = "/v1/batches", tag = "money", request_body = Batch, params(("Idempotency-Key" = String, Header,), BatchParams),
    responses((status = 200, body = BatchResult), Refusals))]
pub(super) async fn run(
    State(services): State<Arc<Services>>,
    context: Context,
    Params(how): Params<BatchParams>,
    Body(batch): Body<Batch>,
) -> Result<Json<BatchResult>, Fault> {
    if batch.commands.len() > MAX_COMMANDS {
        return Err(Problem::new("too_large", format!("a batch has at most {MAX_COMMANDS} commands")).into());
    }
    if context.only.is_some() && batch.commands.iter().any(|command| command.op != Op::Transfer) {
        let detail = format!("{} may only transfer: no deposits and no withdrawals", context.caller.actor);
        return Err(Problem::new("forbidden", detail).into());
    }
    context.may_backdate(batch.commands.iter().any(|command| command.effective_at.is_some()))?;
    let behind = how.behind.map(|key| context.scoped(key));
    let own_key = OwnKey { key: context.write_key()?, content: content(&batch), behind };
    let mode = match batch.mode {
        BatchMode::Continue => Mode::Continue,
        BatchMode::Stop => Mode::Stop,
        BatchMode::Atomic => Mode::Atomic,
    };
    let commands: Result<Vec<_>, Fault> =
        batch.commands.into_iter().enumerate().map(|(index, row)| command(&context, index, row)).collect();
    let mut request = context.request(mode, commands?);
    request.own_key = Some(own_key);
    let answer = if how.dry_run {
        services.transactions.preview(request).await?
    } else {
        services.transactions.submit(request).await.map_err(ServiceError::from)?
    };
    Ok(Json(views::rows(answer)?))
}

fn command(context: &Context, index: usize, row: BatchCommand) -> Result<Command, Fault> {
    let wrong = |what: &str| Fault::invalid(format!("commands[{index}]: {what}"));
    money::ends(row.op, row.from.as_ref(), row.to.as_ref()).map_err(wrong)?;
    let action = Action::Move(Move {
        from: row.from,
        to: row.to,
        amount: row.amount,
        asset: row.asset,
        effective_at: row.effective_at,
        memo: row.memo,
        meta: row.meta,
    });
    Ok(Command { key: context.scoped(row.key), action })
}

/// The hash of what a batch asks for: mode and commands as this daemon reads them.
fn content(batch: &Batch) -> Hash {
    struct Hasher(Sha256);
    impl std::io::Write for Hasher {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hasher = std::io::BufWriter::new(Hasher(Sha256::new()));
    // Hashing cannot fail, and the batch came from JSON.
    let written = serde_json::to_writer(&mut hasher, batch).is_ok();
    match hasher.into_inner() {
        Ok(Hasher(hash)) if written => Hash(hash.finalize().into()),
        _ => Hash([0; 32]),
    }
}
