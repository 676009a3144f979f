//! The command line of `walletctl batch`.

use std::path::PathBuf;

use wallet_core::{asset::AssetCode, command::MAX_COMMANDS, money::Quantity};

use crate::batch::{check::Format, chunks::Sort};

/// Examples of the group.
pub const EXAMPLE: &str = "Examples:
  walletctl batch validate pay.csv
  walletctl batch run pay.csv --yes
  walletctl batch report pay.csv --failed --out failed.csv";

/// What a batch file looks like.
macro_rules! file_help {
    () => {
        "The file is CSV with a header (UTF-8, LF or CRLF), columns in any order:

    key,op,from,to,amount,asset,effective_at,memo,meta.invoice
    pay-0001,transfer,w_ops,w_42,10.50,EUR,,January,INV-9913
    pay-0002,deposit,,w_42,100,EUR,2026-01-31T12:00:00Z,,

or NDJSON, one object a line with the same names:

    {\"key\":\"pay-3\",\"op\":\"deposit\",\"to\":\"w_42\",\"amount\":\"1\",\"asset\":\"EUR\"}

key, op, amount and asset are needed. key is the idempotency key, unique in the
file. op is deposit (to), withdraw (from) or transfer (from, to). amount is digits
with an optional point, in JSON a string. effective_at is RFC 3339 with an offset;
empty means now. memo and any meta.NAME are free. The whole file is checked before
anything is sent: what is wrong is told with line and column."
    };
}

/// Files of deposits, withdrawals and transfers
#[derive(clap::Subcommand)]
pub enum Command {
    /// Check a batch file without sending anything
    #[command(after_help = concat!("Example:\n  walletctl batch validate pay.csv --max-total EUR=10000\n\n", file_help!()))]
    Validate(Validate),
    /// Check a batch file, send its rows, and keep every row's outcome
    #[command(after_help = concat!(
        "Examples:\n  walletctl batch run pay.csv --on-error stop\n  walletctl batch run - --format ndjson --yes -o json\n\n",
        file_help!()
    ))]
    Run(Run),
    /// Show how far a batch is, without sending anything
    #[command(after_help = "Example:\n  walletctl batch status pay.csv -o json")]
    Status(Status),
    /// Send what is not final: rows not attempted, and rows whose answer was lost
    #[command(after_help = "Example:\n  walletctl batch resume pay.csv --yes")]
    Resume(Resume),
    /// List a batch's outcomes, or write the rows that failed to a file that can be run again
    #[command(
        after_help = "Examples:\n  walletctl batch report pay.csv --failed --out failed.csv\n  walletctl batch report pay.csv -o csv"
    )]
    Report(Report),
}

/// Which batch file.
#[derive(clap::Args)]
pub struct FileArgs {
    /// Batch file: CSV or NDJSON; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Its format; by its name when left out (.ndjson and .jsonl are NDJSON)
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
}

/// Limits on what a file may move.
#[derive(clap::Args)]
pub(super) struct Limits {
    /// Refuse a file whose rows of this asset add up to more (repeatable)
    #[arg(long = "max-total", value_name = "ASSET=AMOUNT", value_parser = max_total)]
    pub max_total: Vec<(AssetCode, Quantity)>,
}

/// `batch validate`.
#[derive(clap::Args)]
pub struct Validate {
    #[command(flatten)]
    pub(super) file: FileArgs,
    #[command(flatten)]
    pub(super) limits: Limits,
}

/// What happens after a row is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OnError {
    /// Go on with the next row
    #[default]
    Continue,
    /// Leave the rows behind it untried
    Stop,
}

/// `batch run`.
#[derive(clap::Args)]
#[expect(clippy::struct_field_names, reason = "fields have the names of their flags")]
pub struct Run {
    #[command(flatten)]
    pub(super) file: FileArgs,
    #[command(flatten)]
    pub(super) limits: Limits,
    /// After a row is refused
    #[arg(long, value_enum, default_value_t)]
    pub(super) on_error: OnError,
    /// All rows or none, as one request of at most 5,000 rows
    #[arg(long, conflicts_with = "on_error")]
    pub(super) atomic: bool,
    /// In which order rows run
    #[arg(long, value_enum, default_value_t)]
    pub(super) sort: Sort,
    /// Rows of one request
    #[arg(long, value_name = "ROWS", default_value_t = MAX_COMMANDS, value_parser = chunk)]
    pub(super) chunk: usize,
    /// Ask for every row again, refused ones included; what happened replays
    #[arg(long)]
    pub(super) again: bool,
    /// Only ask what would happen (at most 5,000 rows)
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) sending: Sending,
}

/// How rows are sent.
#[derive(clap::Args)]
pub(super) struct Sending {
    /// Results file, instead of the one in the state directory
    #[arg(long, value_name = "FILE")]
    pub(super) results: Option<PathBuf>,
    /// How long to send a request again while the daemon does not answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(super) retry_for: u64,
    /// Go on without a question
    #[arg(long, short)]
    pub(super) yes: bool,
}

/// `batch resume`.
#[derive(clap::Args)]
pub struct Resume {
    #[command(flatten)]
    pub(super) file: FileArgs,
    #[command(flatten)]
    pub(super) sending: Sending,
}

/// `batch status`.
#[derive(clap::Args)]
pub struct Status {
    #[command(flatten)]
    pub(super) file: FileArgs,
    /// Results file, instead of the one in the state directory
    #[arg(long, value_name = "FILE")]
    pub(super) results: Option<PathBuf>,
}

/// `batch report`.
#[derive(clap::Args)]
pub struct Report {
    #[command(flatten)]
    pub(super) file: FileArgs,
    /// Results file, instead of the one in the state directory
    #[arg(long, value_name = "FILE")]
    pub(super) results: Option<PathBuf>,
    /// Only rows that were refused or in conflict
    #[arg(long)]
    pub(super) failed: bool,
    /// Write the rows themselves to this file, as they stand in the batch file
    #[arg(long, value_name = "FILE", requires = "failed")]
    pub(super) out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "out")]
    pub(super) force: bool,
}

fn max_total(text: &str) -> Result<(AssetCode, Quantity), String> {
    let (asset, amount) = text.split_once('=').ok_or("write ASSET=AMOUNT, for example EUR=10000")?;
    let asset = asset.parse().map_err(|error| format!("{error}"))?;
    Ok((asset, amount.parse().map_err(|error| format!("{error}"))?))
}

fn chunk(text: &str) -> Result<usize, String> {
    let rows = text.parse().map_err(|_| "not a number")?;
    if (1..=MAX_COMMANDS).contains(&rows) { Ok(rows) } else { Err(format!("1 to {MAX_COMMANDS} rows")) }
}
