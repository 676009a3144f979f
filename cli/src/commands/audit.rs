//! `walletctl audit`.

use std::str::FromStr;

use clap::{Args, Subcommand, builder::PossibleValuesParser};
use wallet_api::types::{AuditFilter, Check, VerifyRequest};
use wallet_core::{
    cut::Hash,
    ids::{Actor, WalletId},
    journal::Event,
    time::calendar::Moment,
};

use super::{
    pages::{Page, Paging},
    transaction::written,
};
use crate::{context::Context, error::CliError, output::Meta};

/// Examples of the group.
pub const EXAMPLE: &str = "Example:
  walletctl audit verify";

/// The audit trail.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum Command {
    List(List),
    Verify(Verify),
}

/// List records of the audit trail, newest first
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl audit list --wallet w_42 --from 2026-01-01 -o json
  walletctl audit list --kind sign_in_refused --from 2026-01-01")]
pub struct List {
    /// Only about this wallet
    #[arg(long)]
    wallet: Option<WalletId>,
    /// Only by this actor, for example uid:1000
    #[arg(long)]
    actor: Option<Actor>,
    /// Only of this kind
    #[arg(long, value_parser = PossibleValuesParser::new(Event::KINDS))]
    kind: Option<String>,
    /// Only of this request
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Only recorded at or after: a date (its start) or an instant
    #[arg(long, value_name = "T")]
    from: Option<Moment>,
    /// Only recorded at or before: a date (its close) or an instant
    #[arg(long, value_name = "T")]
    to: Option<Moment>,
    #[command(flatten)]
    paging: Paging,
}

/// Verify every record, balance and hash, and the audit trail against the ledger
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl audit verify
  walletctl audit verify --stores
  walletctl audit verify \\
      --cut 7:9b74c9897bac770ffc029102a200c5de9b74c9897bac770ffc029102a200c5de")]
pub struct Verify {
    /// A cut that was written down: proves that nothing up to it was changed or cut off
    #[arg(long, value_name = "SEQ:HASH")]
    cut: Option<WrittenCut>,
    /// Every store that follows the ledger as well: audit trail, events, wallet rows, cached balances
    #[arg(long)]
    stores: bool,
}

/// A cut as people write it down.
#[derive(Clone, Debug)]
struct WrittenCut(String);

impl FromStr for WrittenCut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (seq, hash) = text.split_once(':').ok_or("must be SEQ:HASH")?;
        seq.parse::<u64>().map_err(|_| "must be SEQ:HASH, SEQ a number")?;
        hash.parse::<Hash>().map_err(|e| e.to_string())?;
        Ok(Self(text.to_owned()))
    }
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::List(args) => list(ctx, args).await,
        Command::Verify(args) => verify(ctx, args).await,
    }
}

async fn list(ctx: &Context, args: List) -> Result<(), CliError> {
    let filter = AuditFilter {
        actor: args.actor.map(|actor| actor.to_string()),
        wallet: args.wallet.map(|wallet| wallet.to_string()),
        kind: args.kind,
        request: args.request,
        from: args.from.as_ref().map(written),
        to: args.to.as_ref().map(written),
        tz: ctx.tz(),
        ..AuditFilter::default()
    };
    let api = ctx.api()?;
    let ask = async |after, limit| Ok(api.audit(&AuditFilter { after, limit: Some(limit), ..filter.clone() }).await?);
    let page = |list: &mut wallet_api::types::AuditList| Page {
        rows: std::mem::take(&mut list.records),
        next: list.next.clone(),
    };
    args.paging.show(ctx, "audit", ask, page, |_, _, meta| meta).await
}

async fn verify(ctx: &Context, args: Verify) -> Result<(), CliError> {
    ctx.out().check::<Check>()?;
    let answer = ctx.api()?.verify(&VerifyRequest { cut: args.cut.map(|cut| cut.0), stores: args.stores }).await?;
    let found = &answer.body;
    let mut rows = ctx.out().rows::<Check>("verification")?;
    for check in &found.checks {
        rows.row(check)?;
    }
    rows.foot(String::new());
    rows.foot(if found.ok { "everything agrees".into() } else { "NOT everything agrees".into() });
    rows.foot(format!("cut {}:{} of {}", found.cut.seq, found.cut.hash, found.cut.recorded_at));
    let meta = Meta::of(&answer).with("ok", &found.ok).with("cut", &found.cut).with("took_ms", &found.took_ms);
    rows.finish(meta)?;
    if found.ok {
        return Ok(());
    }
    let failed = found.checks.iter().find(|check| !check.ok);
    let detail =
        failed.map_or_else(|| "a check failed".to_owned(), |check| format!("{}: {}", check.name, check.detail));
    let mut error = CliError::new("verification_failed", detail);
    error.request_id.clone_from(&answer.request_id);
    error.trace_id = Some(answer.trace_id);
    Err(error)
}
