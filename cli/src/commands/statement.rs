//! `walletctl statement`.

use clap::Args;
use wallet_api::types::{Statement as StatementView, StatementQuery};
use wallet_core::{ids::WalletId, time::calendar::Moment};

use super::{
    pages::{Page, Paging},
    transaction::written,
};
use crate::{context::Context, error::CliError};

/// Show a wallet's statement: opening balance, every movement by the time it counts, closing balance
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl statement w_42 --from 2026-01-01 --to 2026-01-31
  walletctl statement w_42 --from 2026-01-01 --all -o csv")]
pub struct Statement {
    /// The wallet
    wallet: WalletId,
    /// Start: a date (its first instant) or an instant
    #[arg(long, value_name = "T")]
    from: Moment,
    /// End: a date (its close) or an instant; now when left out
    #[arg(long, value_name = "T")]
    to: Option<Moment>,
    /// As known then: a date (its close), an instant, or a record's number; all that is known when left out
    #[arg(long, value_name = "T|SEQ")]
    known_at: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Shows a statement.
pub async fn statement(ctx: &Context, args: Statement) -> Result<(), CliError> {
    let query = StatementQuery {
        from: written(&args.from),
        to: args.to.as_ref().map(written),
        known_at: args.known_at,
        tz: ctx.tz(),
        ..StatementQuery::default()
    };
    let api = ctx.api()?;
    // Later pages are asked for at the first page's cut and end, or they would not fit together.
    let fixed = std::cell::RefCell::new(query);
    let ask = async |after, limit| {
        let query = StatementQuery { after, limit: Some(limit), ..fixed.borrow().clone() };
        let answer = api.statement(&args.wallet, &query).await?;
        let mut fixed = fixed.borrow_mut();
        fixed.known_at = Some(answer.body.cut.seq.to_string());
        fixed.to = Some(answer.body.to.clone());
        Ok(answer)
    };
    let page = |body: &mut StatementView| Page { rows: std::mem::take(&mut body.lines), next: body.next.clone() };
    args.paging
        .show(ctx, "statement", ask, page, |answer, rows, meta| {
            let body = &answer.body;
            rows.foot(String::new());
            rows.foot(format!("opening  {} {}  {}", body.opening, body.asset, body.from));
            rows.foot(format!("closing  {} {}  {}", body.closing, body.asset, body.to));
            meta.with("wallet", &body.wallet)
                .with("asset", &body.asset)
                .with("from", &body.from)
                .with("to", &body.to)
                .with("opening", &body.opening)
                .with("closing", &body.closing)
                .with("cut", &body.cut)
        })
        .await
}
