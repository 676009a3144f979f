//! `walletctl tx`.

use clap::{Args, Subcommand};
use wallet_api::types::{ReverseTransaction, TransactionFilter, TransactionView};
use wallet_core::{
    ids::{TransactionId, WalletId},
    key::Key,
    text::Memo,
    time::calendar::Moment,
};

use super::{
    pages::{Page, Paging},
    write::{Ask, WriteArgs, post},
};
use crate::{context::Context, error::CliError, output::Meta};

/// Examples of the group.
pub const EXAMPLE: &str = "Example:
  walletctl tx list --wallet w_42 --from 2026-01-01";

/// Transactions.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum Command {
    List(List),
    Show(Show),
    Reverse(Reverse),
}

/// List transactions, newest recorded first
#[derive(Args)]
#[command(after_help = "Example:
  walletctl tx list --wallet w_42 --from 2026-01-01 --to 2026-01-31 \\
      --kind transfer --all -o csv")]
pub struct List {
    /// Only of this wallet
    #[arg(long)]
    wallet: Option<WalletId>,
    /// Only of this kind
    #[arg(long, value_parser = ["deposit", "withdrawal", "transfer", "reversal"])]
    kind: Option<String>,
    /// Only recorded at or after: a date (its start) or an instant
    #[arg(long, value_name = "T")]
    from: Option<Moment>,
    /// Only recorded at or before: a date (its close) or an instant
    #[arg(long, value_name = "T")]
    to: Option<Moment>,
    #[command(flatten)]
    paging: Paging,
}

/// Show one transaction, by its id or by its key
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl tx show tx_1_42
  walletctl tx show --key inv-9913 -o json")]
pub struct Show {
    /// Its id
    #[arg(required_unless_present = "key", conflicts_with = "key")]
    id: Option<TransactionId>,
    /// Its idempotency key
    #[arg(long)]
    key: Option<Key>,
}

/// Undo a transaction by its opposite, once
#[derive(Args)]
#[command(after_help = "Example:
  walletctl tx reverse tx_1_42 --memo 'paid twice'")]
pub struct Reverse {
    /// The transaction to undo
    id: TransactionId,
    /// Let the paying wallet go below its limit
    #[arg(long)]
    allow_negative: bool,
    /// When it counts, not before the original: a date (its first instant) or an instant; now when left out
    #[arg(long, value_name = "T")]
    effective_at: Option<Moment>,
    /// A note
    #[arg(long, default_value = "")]
    memo: Memo,
    #[command(flatten)]
    write: WriteArgs,
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::List(args) => list(ctx, args).await,
        Command::Show(args) => show(ctx, args).await,
        Command::Reverse(args) => reverse(ctx, args).await,
    }
}

async fn list(ctx: &Context, args: List) -> Result<(), CliError> {
    let filter = TransactionFilter {
        wallet: args.wallet.map(|wallet| wallet.to_string()),
        kind: args.kind,
        from: args.from.as_ref().map(written),
        to: args.to.as_ref().map(written),
        tz: ctx.tz(),
        ..TransactionFilter::default()
    };
    let api = ctx.api()?;
    let ask = async |after, limit| {
        Ok(api.transactions(&TransactionFilter { after, limit: Some(limit), ..filter.clone() }).await?)
    };
    let page = |list: &mut wallet_api::types::TransactionList| Page {
        rows: std::mem::take(&mut list.transactions),
        next: list.next.clone(),
    };
    args.paging.show(ctx, "transactions", ask, page, |_, _, meta| meta).await
}

/// A moment as the daemon reads it.
pub fn written(moment: &Moment) -> String {
    match moment {
        Moment::Instant(at) => at.to_string(),
        Moment::Date(date) => date.to_string(),
        Moment::Local(local) => local.to_string(),
    }
}

async fn show(ctx: &Context, args: Show) -> Result<(), CliError> {
    ctx.out().check::<TransactionView>()?;
    let api = ctx.api()?;
    let answer = match (args.id, &args.key) {
        (Some(id), _) => api.transaction(id).await?,
        (None, Some(key)) => api.transaction_by_key(key).await?,
        (None, None) => return Err(CliError::usage("give an id, or --key")),
    };
    ctx.out().one("transaction", &answer.body, Meta::of(&answer))
}

async fn reverse(ctx: &Context, args: Reverse) -> Result<(), CliError> {
    let below = if args.allow_negative { ", even below its wallet's limit" } else { "" };
    let ask = Ask {
        command: "reversal",
        path: format!("/v1/transactions/{}/reverse", args.id),
        summary: format!("Reverse {}{below}?", args.id),
        amount: None,
    };
    let body = ReverseTransaction {
        effective_at: args.effective_at.map(|moment| ctx.instant(&moment)).transpose()?,
        allow_negative: args.allow_negative,
        memo: args.memo,
    };
    post::<_, TransactionView>(ctx, &args.write, ask, &body).await
}
