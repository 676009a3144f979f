//! `walletctl balance`: now, at any past moment, as known at any past moment, over time, of one
//! wallet, several, or all.
//!
//! Several wallets are asked for one by one but at one cut: the first answer's. All wallets are one
//! stream of the daemon, written in constant memory except as a table. [`explain`] says what one balance is
//! made of, [`diff`] what lies between two.

mod diff;
mod explain;

use clap::{Args, Subcommand};
use rust_decimal::Decimal;
use wallet_api::{
    client::Lines,
    types::{BalanceQuery, BalanceRow, BalanceView, CutView, HistoryQuery, ReportQuery, StatementLine, StatementQuery},
};
use wallet_core::{
    asset::AssetCode,
    ids::WalletId,
    time::{
        Timestamp,
        calendar::{Every, Moment},
    },
};

use super::{pages::PAGE, records::Close, transaction::written};
use crate::{
    context::Context,
    error::CliError,
    output::{Meta, Rows},
};

/// Show what wallets hold, now or at any past moment
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl balance w_42
  walletctl balance w_42 --at 2026-01-31 --tz Europe/Lisbon
  walletctl balance w_42 --at 2026-01-31 --known-at 2026-02-03
  walletctl balance w_42 --from 2026-01-01 --to 2026-01-31 --every day -o csv
  walletctl balance --all-wallets --at 2026-01-31 --asset EUR -o csv > jan.csv")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Balance {
    #[command(subcommand)]
    about: Option<About>,
    /// The wallets
    #[arg(value_name = "WALLET", required_unless_present = "all_wallets", conflicts_with = "all_wallets")]
    wallets: Vec<WalletId>,
    /// All wallets, from one cut of the ledger
    #[arg(long)]
    all_wallets: bool,
    /// With --all-wallets: only those of this asset
    #[arg(long, conflicts_with = "wallets")]
    asset: Option<AssetCode>,
    /// The moment: a date (its close) or an instant; now when left out
    #[arg(long, value_name = "T", conflicts_with_all = ["from", "to", "every"])]
    at: Option<Moment>,
    /// As known then: a date (its close), an instant, or a record's number; all that is known when left out
    #[arg(long, value_name = "T|SEQ")]
    known_at: Option<String>,
    /// Balances over time: from this date (its start) or instant
    #[arg(long, value_name = "T", requires = "every")]
    from: Option<Moment>,
    /// Balances over time: to this date (its close) or instant; now when left out
    #[arg(long, value_name = "T", requires = "from")]
    to: Option<Moment>,
    /// Balances over time: at the close of every hour, day, week or month
    #[arg(long, value_name = "PERIOD", requires = "from")]
    every: Option<Every>,
    /// From the cache: quicker, and says how old it may be
    #[arg(long, conflicts_with_all = ["at", "known_at", "from", "all_wallets"])]
    cached: bool,
    /// The answer must know this record: read your writes
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["from", "all_wallets"])]
    min_seq: Option<u64>,
}

/// Questions about a balance.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum About {
    Explain(explain::Explain),
    Diff(diff::Diff),
}

/// Shows balances.
pub async fn balance(ctx: &Context, args: Balance) -> Result<(), CliError> {
    match args.about {
        Some(About::Explain(args)) => return explain::explain(ctx, &args).await,
        Some(About::Diff(args)) => return diff::diff(ctx, &args).await,
        None => {}
    }
    if args.all_wallets {
        all(ctx, &args).await
    } else if let (Some(from), Some(every)) = (&args.from, args.every) {
        history(ctx, &args, from, every).await
    } else {
        points(ctx, &args).await
    }
}

async fn points(ctx: &Context, args: &Balance) -> Result<(), CliError> {
    let api = ctx.api()?;
    let mut query = BalanceQuery {
        at: args.at.as_ref().map(written),
        known_at: args.known_at.clone(),
        tz: ctx.tz(),
        min_seq: args.min_seq,
        consistency: args.cached.then(|| "cached".to_owned()),
    };
    ctx.out().check::<BalanceView>()?;
    let mut found: Vec<BalanceView> = Vec::with_capacity(args.wallets.len());
    let mut meta = Meta::new();
    for wallet in &args.wallets {
        let answer = api.balance(wallet, &query).await?;
        if found.is_empty() {
            meta = Meta::of(&answer).with("at", &answer.body.at).with("cut", &answer.body.cut);
            if !args.cached {
                query.known_at = Some(answer.body.seq.to_string());
                query.at = Some(answer.body.at.clone());
            }
        }
        found.push(answer.body);
    }
    match found.as_slice() {
        [one] => ctx.out().one("balance", one, meta),
        several => ctx.out().list("balances", several, meta),
    }
}

async fn history(ctx: &Context, args: &Balance, from: &Moment, every: Every) -> Result<(), CliError> {
    let api = ctx.api()?;
    let mut query = HistoryQuery {
        from: written(from),
        to: args.to.as_ref().map(written),
        every: every.to_string(),
        known_at: args.known_at.clone(),
        tz: ctx.tz(),
    };
    let mut rows = ctx.out().rows::<Close>("balances")?;
    let mut meta = Meta::new();
    let mut open = None;
    for (index, wallet) in args.wallets.iter().enumerate() {
        let answer = api.history(wallet, &query).await?;
        if index == 0 {
            let body = &answer.body;
            meta = Meta::of(&answer).with("from", &body.from).with("to", &body.to).with("cut", &body.cut);
            query.known_at = Some(body.cut.seq.to_string());
            query.to = Some(body.to.clone());
        }
        for row in answer.body.rows {
            open = row.partial.then(|| row.at.clone()).or(open);
            rows.row(&Close(row))?;
        }
    }
    foot_of(&mut rows, open);
    rows.finish(meta)
}

/// Tells people that the last balance of a table is not a period's close.
fn foot_of(rows: &mut Rows<Close>, open: Option<String>) {
    if let Some(at) = open {
        rows.foot(String::new());
        rows.foot(format!("partial: the period of {at} has not ended"));
    }
}

async fn all(ctx: &Context, args: &Balance) -> Result<(), CliError> {
    let query = ReportQuery {
        at: args.at.as_ref().map(written),
        from: args.from.as_ref().map(written),
        to: args.to.as_ref().map(written),
        every: args.every.map(|every| every.to_string()),
        known_at: args.known_at.clone(),
        tz: ctx.tz(),
        asset: args.asset.map(|asset| asset.to_string()),
        format: Some("ndjson".into()),
    };
    if args.every.is_some() {
        ctx.out().check::<Close>()?;
    } else {
        ctx.out().check::<BalanceRow>()?;
    }
    let mut lines = ctx.api()?.report(&query).await?;
    let meta = stream_meta(&lines);
    if args.every.is_some() {
        let mut rows: Rows<Close> = ctx.out().rows("balances")?;
        let mut open = None;
        while let Some(row) = lines.next_json::<BalanceRow>().await? {
            open = row.partial.then(|| row.at.clone()).or(open);
            rows.row(&Close(row))?;
        }
        foot_of(&mut rows, open);
        return rows.finish(meta);
    }
    let mut rows: Rows<BalanceRow> = ctx.out().rows("balances")?;
    while let Some(row) = lines.next_json().await? {
        rows.row(&row)?;
    }
    rows.finish(meta)
}

/// Everything a wallet's statement has between two moments, as known at one cut, in pages: constant memory, and as
/// many requests as there are thousands of movements.
async fn movements(
    ctx: &Context,
    wallet: &WalletId,
    (from, to): (Timestamp, &str),
    known: u64,
    mut take: impl FnMut(&StatementLine) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let api = ctx.api()?;
    let mut after = None;
    loop {
        let query = StatementQuery {
            from: from.to_string(),
            to: Some(to.to_owned()),
            known_at: Some(known.to_string()),
            tz: None,
            after,
            limit: Some(PAGE),
        };
        let page = api.statement(wallet, &query).await?.body;
        page.lines.iter().try_for_each(&mut take)?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// An amount that walletd wrote.
fn decimal(text: &str) -> Result<Decimal, CliError> {
    text.parse().map_err(|_| not_understood(&format!("{text} is no amount")))
}

/// A sum of amounts that walletd wrote.
fn plus(one: Decimal, other: Decimal) -> Result<Decimal, CliError> {
    one.checked_add(other).ok_or_else(|| not_understood("a sum leaves the range of money"))
}

fn not_understood(why: &str) -> CliError {
    CliError::new("internal", format!("walletd's answer is not understood: {why}"))
}

/// What the headers of a stream say about it.
pub fn stream_meta(lines: &Lines) -> Meta {
    Meta::new()
        .with("request_id", &lines.request_id())
        .with("trace_id", &lines.trace_id())
        .with("at", &lines.header("wallet-at"))
        .with("cut", &cut_of(lines))
}

/// The cut that a stream was read from.
pub fn cut_of(lines: &Lines) -> Option<CutView> {
    let header = lines.header("wallet-cut")?;
    let mut parts = header.split(',');
    Some(CutView {
        epoch: parts.next()?.parse().ok()?,
        seq: parts.next()?.parse().ok()?,
        recorded_at: parts.next()?.to_owned(),
        hash: parts.next()?.to_owned(),
    })
}
