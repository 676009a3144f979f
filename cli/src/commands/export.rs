//! `walletctl export`: files of balances, transactions or the journal, and checking them.
//!
//! Balances are the daemon's own report, line by line. Transactions and the plain-text journal are folded
//! here from the journal's stream. All of it is from one cut, in constant memory.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use wallet_api::{
    client::{CutQuery, Lines},
    types::{CutView, JournalLine, JournalQuery, ReportQuery},
};
use wallet_core::{
    asset::AssetCode,
    ids::WalletId,
    journal::Record as JournalRecord,
    time::{
        Timestamp,
        calendar::{Bound, Every, Moment},
    },
};

use super::{balance::cut_of, transaction::written};
use crate::{
    context::Context,
    env::now,
    error::CliError,
    export::{
        forms::{Frame, TRANSACTION_COLUMNS, TransactionRow, csv_cell},
        hledger::Hledger,
        manifest::{Form, Manifest, SCHEMA},
        target::{Placed, Target},
        verify::{Check, verify},
    },
    flight::InFlight,
    output::{Cell, Meta, Record},
    paths::is_full,
    progress::Progress,
};

/// Rows between two looks at the clock, the person and the bar.
const LOOK: u64 = 4_096;

/// Examples of the group.
pub const EXAMPLE: &str = "Examples:
  walletctl export balances --at 2026-01-31 --format csv --out jan.csv
  walletctl export journal --format hledger --out wallets.journal
  walletctl export verify jan.csv";

/// Exports.
#[derive(Subcommand)]
pub enum Command {
    /// Write what all wallets hold, at a moment or over time
    Balances(Balances),
    /// Write transactions
    Transactions(Transactions),
    /// Write the journal: its records and hashes, or a plain-text journal for hledger
    Journal(Journal),
    /// Check an export against its manifest, and a journal's chain of hashes
    Verify(Verify),
}

/// Where an export goes.
#[derive(Args)]
pub struct To {
    /// Form of the file
    #[arg(long, value_enum)]
    format: Form,
    /// The file; its manifest is FILE.manifest.json
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

/// Write what all wallets hold, at a moment or over time
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl export balances --at 2026-01-31 --format csv --out jan.csv
  walletctl export balances --from 2026-01-01 --every month \\
      --format ndjson --out months.ndjson")]
pub struct Balances {
    /// The moment: a date (its close) or an instant; now when left out
    #[arg(long, value_name = "T", conflicts_with_all = ["from", "until", "every"])]
    at: Option<Moment>,
    /// Over time: from this date (its start) or instant
    #[arg(long, value_name = "T", requires = "every")]
    from: Option<Moment>,
    /// Over time: to this date (its close) or instant; now when left out
    #[arg(id = "until", long = "to", value_name = "T", requires = "from")]
    until: Option<Moment>,
    /// Over time: at the close of every hour, day, week or month
    #[arg(long, value_name = "PERIOD", requires = "from")]
    every: Option<Every>,
    /// As known then: a date (its close), an instant, or a record's number
    #[arg(long, value_name = "T|SEQ")]
    known_at: Option<String>,
    /// Only wallets of this asset
    #[arg(long)]
    asset: Option<AssetCode>,
    #[command(flatten)]
    to: To,
}

/// Write transactions
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl export transactions --from 2026-01-01 --to 2026-01-31 \\
      --format csv --out jan.csv
  walletctl export transactions --wallet w_42 --format json --out w_42.json")]
pub struct Transactions {
    /// Only recorded at or after: a date (its start) or an instant
    #[arg(long, value_name = "T")]
    from: Option<Moment>,
    /// Only recorded at or before: a date (its close) or an instant
    #[arg(id = "until", long = "to", value_name = "T")]
    until: Option<Moment>,
    /// Only of this wallet
    #[arg(long)]
    wallet: Option<WalletId>,
    /// As known then: a date (its close), an instant, or a record's number
    #[arg(long, value_name = "T|SEQ")]
    known_at: Option<String>,
    #[command(flatten)]
    to: To,
}

/// Write the journal: its records and hashes, or a plain-text journal for hledger
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl export journal --format ndjson --out journal.ndjson
  walletctl export journal --format hledger --tz Europe/Prague \\
      --out wallets.journal")]
pub struct Journal {
    /// Only records behind this one
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    /// As known then: a date (its close), an instant, or a record's number
    #[arg(long, value_name = "T|SEQ")]
    known_at: Option<String>,
    #[command(flatten)]
    to: To,
}

/// Check an export against its manifest, and a journal's chain of hashes
#[derive(Args)]
#[command(after_help = "Example:
  walletctl export verify journal.ndjson")]
pub struct Verify {
    /// The file; its manifest lies beside it
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// An export that was made.
#[derive(Serialize)]
struct Made {
    file: String,
    kind: String,
    rows: u64,
    bytes: u64,
    sha256: String,
    seq: u64,
    identical: bool,
}

impl Record for Made {
    const COLUMNS: &'static [&'static str] = &["file", "kind", "rows", "bytes", "sha256", "seq", "identical"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "file" => Cell::text(&self.file),
            "kind" => Cell::text(&self.kind),
            "rows" => Cell::Int(self.rows),
            "bytes" => Cell::Int(self.bytes),
            "sha256" => Cell::text(&self.sha256),
            "seq" => Cell::Int(self.seq),
            "identical" => Cell::Bool(self.identical),
            _ => Cell::None,
        }
    }
}

impl Record for Check {
    const COLUMNS: &'static [&'static str] = &["check", "ok", "detail"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "check" => Cell::text(self.check),
            "ok" => Cell::Bool(self.ok),
            "detail" => Cell::text(&self.detail),
            _ => Cell::None,
        }
    }
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    if !matches!(command, Command::Verify(_)) {
        ctx.out().check::<Made>()?;
    }
    match command {
        Command::Balances(args) => balances(ctx, args).await,
        Command::Transactions(args) => transactions(ctx, args).await,
        Command::Journal(args) => journal(ctx, args).await,
        Command::Verify(args) => check(ctx, &args),
    }
}

/// An export under way.
struct Export<'a> {
    ctx: &'a Context,
    to: &'a To,
    kind: &'static str,
    target: Target,
    progress: Progress,
    rows: u64,
    _hold: InFlight,
}

impl<'a> Export<'a> {
    fn start(ctx: &'a Context, to: &'a To, kind: &'static str) -> Result<Self, CliError> {
        if to.out.as_os_str() == "-" {
            return Err(CliError::usage("an export is a file with a manifest beside it: - is none")
                .hint("Name a file with --out. Balances as a stream: walletctl balance --all-wallets -o csv."));
        }
        let folder = to.out.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(CliError::usage(format!("there is no folder {}", folder.display())).hint("Make it first."));
        }
        let manifest = Manifest::read(&to.out).map_err(|error| wrong(to, &error))?;
        if to.out.exists() && manifest.is_none() && !to.force {
            return Err(occupied(to));
        }
        let target = Target::create(&to.out).map_err(|error| wrong(to, &error))?;
        // The first interruption ends it here, so that no temporary file is left behind.
        let hold = ctx.flight.hold(interrupted());
        Ok(Self { ctx, to, kind, target, progress: Progress::new(None), rows: 0, _hold: hold })
    }

    /// Counts a row, and looks up from time to time.
    fn row(&mut self) -> Result<(), CliError> {
        self.rows += 1;
        if self.rows.is_multiple_of(LOOK) {
            self.progress.advance(LOOK, 0);
            if self.ctx.flight.asked() {
                return Err(interrupted());
            }
        }
        Ok(())
    }

    fn place(self, query: Value, ledger_id: String, cut: CutView, previous: Option<String>) -> Result<(), CliError> {
        let Self { ctx, to, kind, target, progress, rows, .. } = self;
        let name = to.out.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let seq = cut.seq;
        let describe = |bytes, sha256| Manifest {
            schema: SCHEMA.into(),
            kind: kind.into(),
            format: to.format,
            file: name,
            query,
            ledger_id,
            cut,
            previous,
            rows,
            bytes,
            sha256,
            created_by: concat!("walletctl ", env!("CARGO_PKG_VERSION")).into(),
        };
        let (manifest, placed) = target.place(to.force, describe).map_err(|error| wrong(to, &error))?;
        drop(progress);
        if placed == Placed::Occupied {
            return Err(occupied(to));
        }
        let made = Made {
            file: to.out.display().to_string(),
            kind: kind.into(),
            rows,
            bytes: manifest.bytes,
            sha256: manifest.sha256,
            seq,
            identical: placed == Placed::Identical,
        };
        ctx.out().one("export", &made, Meta::new().with("cut", &manifest.cut))?;
        if made.identical {
            ctx.prompt.note("the file was there already, byte for byte");
        }
        Ok(())
    }
}

fn interrupted() -> CliError {
    CliError::new("interrupted", "interrupted: no file was written")
}

fn occupied(to: &To) -> CliError {
    CliError::usage(format!("{} is there already", to.out.display())).hint("Add --force to replace it.")
}

fn wrong(to: &To, error: &io::Error) -> CliError {
    if is_full(error) {
        return CliError::new("disk_full", format!("{}: {error}", to.out.display()))
            .hint("Make room. No file was written.");
    }
    CliError::usage(format!("{}: {error}", to.out.display())).hint("No file was written.")
}

fn no_cut() -> CliError {
    CliError::new("internal", "walletd's answer names no cut")
}

async fn balances(ctx: &Context, args: Balances) -> Result<(), CliError> {
    let format = match args.to.format {
        Form::Csv => "csv",
        Form::Json | Form::Ndjson => "ndjson",
        Form::Hledger => {
            return Err(CliError::usage("balances have no hledger form")
                .hint("walletctl export journal --format hledger: hledger computes the balances from it."));
        }
    };
    let query = ReportQuery {
        at: args.at.as_ref().map(written),
        from: args.from.as_ref().map(written),
        to: args.until.as_ref().map(written),
        every: args.every.map(|every| every.to_string()),
        known_at: args.known_at.clone(),
        tz: ctx.tz(),
        asset: args.asset.map(|asset| asset.to_string()),
        format: Some(format.into()),
    };
    let api = ctx.api()?;
    let ledger_id = api.status().await?.body.ledger_id;
    let mut export = Export::start(ctx, &args.to, "balances")?;
    let mut lines = api.report(&query).await?;
    let cut = cut_of(&lines).ok_or_else(no_cut)?;
    let at = lines.header("wallet-at");
    export.copy(&mut lines, "balances", &cut).await?;
    let asked = json!({
        "at": query.at, "from": query.from, "to": query.to, "every": query.every, "known_at": query.known_at,
        "tz": query.tz, "asset": query.asset, "resolved_at": at,
    });
    export.place(asked, ledger_id, cut, None)
}

async fn transactions(ctx: &Context, args: Transactions) -> Result<(), CliError> {
    let from = resolved(ctx, args.from.as_ref(), Bound::Start)?;
    let until = resolved(ctx, args.until.as_ref(), Bound::Close)?;
    let (ledger_id, cut) = cut(ctx, args.known_at.as_deref()).await?;
    let mut export = Export::start(ctx, &args.to, "transactions")?;
    let query = JournalQuery { after: 0, to: Some(cut.seq) };
    let mut lines = ctx.api()?.journal(&query).await?;
    let cut = cut_of(&lines).ok_or_else(no_cut)?;
    let wanted = |record: &JournalRecord| {
        let of_wallet = |wallet: &WalletId| record.event.wallets().any(|id| id == wallet);
        from.is_none_or(|from| record.recorded_at >= from) && args.wallet.as_ref().is_none_or(of_wallet)
    };
    export.fold(&mut lines, until, wanted, &cut).await?;
    let asked = json!({
        "from": from.map(|at| at.to_string()), "to": until.map(|at| at.to_string()), "wallet": args.wallet,
        "known_at": args.known_at, "tz": ctx.tz(),
    });
    export.place(asked, ledger_id, cut, None)
}

async fn journal(ctx: &Context, args: Journal) -> Result<(), CliError> {
    let (ledger_id, cut) = cut(ctx, args.known_at.as_deref()).await?;
    let api = ctx.api()?;
    let previous = match args.after {
        0 => None,
        after => {
            let before = api.cut(&CutQuery { at: None, seq: Some(after) }).await?.body;
            if before.seq != after {
                return Err(CliError::usage(format!("--after {after} would cut an atomic group in two"))
                    .hint(format!("Give --after {}.", before.seq)));
            }
            Some(before.hash)
        }
    };
    let mut export = Export::start(ctx, &args.to, "journal")?;
    let mut lines = api.journal(&JournalQuery { after: args.after, to: Some(cut.seq) }).await?;
    let cut = cut_of(&lines).ok_or_else(no_cut)?;
    match args.to.format {
        Form::Hledger => export.fold(&mut lines, None, |_| true, &cut).await?,
        Form::Csv => export.journal_csv(&mut lines).await?,
        Form::Json | Form::Ndjson => export.copy(&mut lines, "journal", &cut).await?,
    }
    let asked = json!({"after": args.after, "known_at": args.known_at, "tz": ctx.tz()});
    export.place(asked, ledger_id, cut, previous)
}

/// The ledger's id, and the cut somebody wrote; the head if nobody did.
async fn cut(ctx: &Context, known_at: Option<&str>) -> Result<(String, CutView), CliError> {
    let api = ctx.api()?;
    let status = api.status().await?.body;
    let Some(text) = known_at else {
        return Ok((status.ledger_id, status.cut));
    };
    let query = if let Ok(seq) = text.parse::<u64>() {
        CutQuery { at: None, seq: Some(seq) }
    } else {
        let moment: Moment = text.parse().map_err(|e| CliError::new("invalid_time", format!("--known-at: {e}")))?;
        let at = resolved(ctx, Some(&moment), Bound::Close)?;
        CutQuery { at: at.map(|at| at.to_string()), seq: None }
    };
    Ok((status.ledger_id, api.cut(&query).await?.body))
}

fn resolved(ctx: &Context, moment: Option<&Moment>, bound: Bound) -> Result<Option<Timestamp>, CliError> {
    let zone = ctx.settings.zone()?;
    let resolve = |moment: &Moment| moment.resolve(bound, &zone, now());
    moment.map(resolve).transpose().map_err(|error| CliError::new("invalid_time", error.to_string()))
}

impl Export<'_> {
    /// Copies the daemon's lines as they are.
    async fn copy(&mut self, lines: &mut Lines, schema: &str, cut: &CutView) -> Result<(), CliError> {
        let to = self.to;
        let fault = |error: io::Error| wrong(to, &error);
        let mut frame = Frame::start(&mut self.target, to.format, schema).map_err(fault)?;
        let mut header = to.format == Form::Csv;
        while let Some(line) = lines.next().await? {
            frame.row(&mut self.target, &line).map_err(fault)?;
            if !std::mem::take(&mut header) {
                self.row()?;
            }
        }
        frame.finish(&mut self.target, cut, self.rows).map_err(fault)
    }

    /// Writes the journal's transactions, up to those recorded at `until`.
    async fn fold(
        &mut self,
        lines: &mut Lines,
        until: Option<Timestamp>,
        wanted: impl Fn(&JournalRecord) -> bool,
        cut: &CutView,
    ) -> Result<(), CliError> {
        let to = self.to;
        let fault = |error: io::Error| wrong(to, &error);
        let mut hledger = Hledger::new(self.ctx.settings.zone()?);
        let mut frame = Frame::start(&mut self.target, to.format, self.kind).map_err(fault)?;
        if to.format == Form::Csv {
            writeln!(self.target, "{TRANSACTION_COLUMNS}").map_err(fault)?;
        }
        while let Some(line) = lines.next_json::<JournalLine>().await? {
            let record = JournalRecord::from_bytes(line.record.as_bytes())
                .map_err(|error| CliError::new("corrupt", format!("record {}: {error}", line.seq)))?;
            if until.is_some_and(|until| record.recorded_at > until) {
                break;
            }
            let Some(transaction) = record.transaction().filter(|_| wanted(&record)) else {
                continue;
            };
            let target = &mut self.target;
            match to.format {
                Form::Hledger => hledger.write(target, &record, transaction),
                Form::Csv => TransactionRow::of(&record, transaction).csv(target),
                Form::Json | Form::Ndjson => serde_json::to_vec(&TransactionRow::of(&record, transaction))
                    .map_err(io::Error::from)
                    .and_then(|row| frame.row(target, &row)),
            }
            .map_err(fault)?;
            self.row()?;
        }
        frame.finish(&mut self.target, cut, self.rows).map_err(fault)
    }

    async fn journal_csv(&mut self, lines: &mut Lines) -> Result<(), CliError> {
        let to = self.to;
        let fault = |error: io::Error| wrong(to, &error);
        writeln!(self.target, "seq,hash,record").map_err(fault)?;
        while let Some(line) = lines.next_json::<JournalLine>().await? {
            let target = &mut self.target;
            write!(target, "{},{},", line.seq, line.hash)
                .and_then(|()| csv_cell(target, &line.record))
                .and_then(|()| target.write_all(b"\n"))
                .map_err(fault)?;
            self.row()?;
        }
        Ok(())
    }
}

fn check(ctx: &Context, args: &Verify) -> Result<(), CliError> {
    ctx.out().check::<Check>()?;
    let unreadable = |error: io::Error| CliError::usage(format!("{}: {error}", args.file.display()));
    let manifest = Manifest::read(&args.file).map_err(unreadable)?.ok_or_else(|| {
        CliError::usage(format!("{} has no manifest beside it", args.file.display()))
            .hint("walletctl export writes FILE.manifest.json with every file; keep the two together.")
    })?;
    let checks = verify(&args.file, &manifest).map_err(unreadable)?;
    ctx.out().list("export.verify", &checks, Meta::new().with("cut", &manifest.cut))?;
    match checks.iter().find(|check| !check.ok) {
        None => Ok(()),
        Some(fault) => Err(CliError::new(
            "verification_failed",
            format!("{}: {}: {}", args.file.display(), fault.check, fault.detail),
        )
        .hint("The file is not what walletctl wrote. Export it again, or take the copy that is whole.")),
    }
}
