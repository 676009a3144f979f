//! `walletctl wallet import`: wallets from a CSV file.
//!
//! The whole file is checked before anything is sent, in constant memory but for the ids. Then it is
//! sent in chunks. Each wallet has the key `import:ID`, so an import that was cut short is simply run
//! again: what was opened replays.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufReader, Read as _, Seek as _},
    path::Path,
};

use clap::Args;
use csv::{ByteRecord, Reader, ReaderBuilder};
use serde::Serialize;
use wallet_api::types::{BatchResult, CreateWallet, ImportWallets};
use wallet_core::{account::Overdraft, ids::WalletId, text::Metadata, time::calendar::Moment};

use super::batch::of_input;
use crate::{
    batch::input::Source,
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
    progress::Progress,
};

/// Wallets a request: the daemon's own limit.
const CHUNK: usize = 5_000;
/// Faults and refusals that are told one by one; the rest is counted.
const TOLD: usize = 100;
/// Longest row: a wallet with the largest metadata is far below it.
const MAX_ROW: usize = 64 << 10;
/// Columns that are not `meta.NAME`.
const COLUMNS: [&str; 6] = ["id", "owner", "asset", "overdraft", "opened_at", "label"];

/// Open wallets from a CSV file
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl wallet import wallets.csv --dry-run
  walletctl wallet import wallets.csv --yes

Columns: id, owner and asset are needed; overdraft (an amount or unlimited), opened_at (a date, which
means its first instant in --tz, or an instant), label and any meta.NAME are not. The whole file is
checked first. Run it again after an interruption: what was opened is not opened twice.")]
pub struct Import {
    /// The file; - is stdin
    file: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Only ask the daemon what would happen
    #[arg(long)]
    dry_run: bool,
}

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    wallets: u64,
    opened: u64,
    replayed: u64,
    refused: u64,
    conflicts: u64,
}

impl Record for Counts {
    const COLUMNS: &'static [&'static str] = &["wallets", "opened", "replayed", "refused", "conflicts"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "wallets" => Cell::Int(self.wallets),
            "opened" => Cell::Int(self.opened),
            "replayed" => Cell::Int(self.replayed),
            "refused" => Cell::Int(self.refused),
            "conflicts" => Cell::Int(self.conflicts),
            _ => Cell::None,
        }
    }
}

impl Counts {
    fn failed(&self) -> u64 {
        self.refused + self.conflicts
    }

    fn took_effect(&self) -> u64 {
        self.opened + self.replayed
    }

    fn done(&self) -> u64 {
        self.opened + self.replayed + self.failed()
    }
}

/// Imports.
pub async fn import(ctx: &Context, args: Import) -> Result<(), CliError> {
    ctx.out().check::<Counts>()?;
    if !args.dry_run {
        ctx.allow_write()?;
    }
    let mut file = open(&args.file)?;
    let wallets = check(ctx, &mut file)?;
    if !args.dry_run {
        ctx.confirm_or_preview(args.yes, &format!("Open {wallets} wallets from {}?", args.file), None)?;
    }
    let mut counts = Counts { wallets, ..Counts::default() };
    let mut told = Vec::new();
    let sent = send(ctx, &mut file, args.dry_run, &mut counts, &mut told).await;
    let untold = counts.failed().saturating_sub(told.len() as u64);
    if untold > 0 {
        told.push(format!("and {untold} more"));
    }
    if args.dry_run {
        sent?;
        return preview(ctx, &counts, told);
    }
    sent.map_err(|error| cut_short(error, &counts).details(told.clone()))?;
    if counts.opened == 0 && counts.failed() == 0 {
        ctx.prompt.note("nothing new was opened: all of them were opened before");
    }
    let shown = ctx.out().one("import", &counts, Meta::new());
    if counts.failed() == 0 {
        return shown.map_err(CliError::applied);
    }
    let error = CliError::new(
        "batch_refusals",
        format!("{} of {wallets} wallets were refused or in conflict", counts.failed()),
    )
    .details(told)
    .hint("Mend these rows and run it again: what was opened is not opened twice.");
    Err(if counts.took_effect() > 0 { error.partly_applied() } else { error })
}

/// What would become of the file. A wallet's outcome hangs on no other row of it, so chunk by chunk is as good as at once.
fn preview(ctx: &Context, counts: &Counts, told: Vec<String>) -> Result<(), CliError> {
    ctx.out().one("import", counts, Meta::new().with("dry_run", &true))?;
    ctx.prompt.note("dry run: nothing was written");
    if counts.failed() == 0 {
        return Ok(());
    }
    let message = format!("{} of {} wallets would be refused or in conflict", counts.failed(), counts.wallets);
    Err(CliError::new("batch_refusals", message).details(told).hint("Mend these rows. Nothing was written."))
}

/// After part of the file took effect an error is never "nothing happened".
fn cut_short(error: CliError, counts: &Counts) -> CliError {
    const HINT: &str = "Run it again: what was opened is not opened twice.";
    if error.is_unknown() {
        return error.hint(HINT);
    }
    if counts.took_effect() == 0 {
        return error;
    }
    let told = CliError::new(
        "batch_refusals",
        format!("stopped after {} of {} wallets: {} ({})", counts.done(), counts.wallets, error.message, error.code),
    );
    let (request_id, trace_id) = (error.request_id.clone(), error.trace_id.clone());
    told.hint(HINT).request(request_id, trace_id).partly_applied()
}

async fn send(
    ctx: &Context,
    file: &mut File,
    dry_run: bool,
    counts: &mut Counts,
    told: &mut Vec<String>,
) -> Result<(), CliError> {
    let api = ctx.api()?;
    let progress = Progress::new(Some(counts.wallets));
    let mut rows = Rows::start(ctx, file)?;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK.min(usize::try_from(counts.wallets).unwrap_or(CHUNK)));
        while chunk.len() < CHUNK
            && let Some((_, row)) = rows.next()?
        {
            // It was good a moment ago; a file that changes under us is refused.
            chunk.push(row.map_err(|faults| CliError::usage(format!("the file changed: {}", faults.join("; "))))?);
        }
        if chunk.is_empty() {
            return Ok(());
        }
        let chunk = ImportWallets { wallets: chunk };
        let answer = if dry_run {
            api.import_wallets(&chunk, true).await?
        } else {
            let message = format!("interrupted after {} of {} wallets", counts.done(), counts.wallets);
            let told = CliError::unknown(message).hint("Run it again: what was opened is not opened twice.");
            let flight = ctx.flight.begin(told);
            let answer = api.import_wallets(&chunk, false).await.map_err(|error| CliError::of_write(error, None));
            drop(flight);
            answer?
        };
        tally(&chunk.wallets, &answer.body, counts, told)?;
        progress.advance(chunk.wallets.len() as u64, counts.failed());
    }
}

fn tally(
    wallets: &[CreateWallet],
    result: &BatchResult,
    counts: &mut Counts,
    told: &mut Vec<String>,
) -> Result<(), CliError> {
    if result.outcomes.len() != wallets.len() {
        return Err(CliError::new("internal", "walletd answered with another number of outcomes than wallets"));
    }
    for (wallet, row) in wallets.iter().zip(&result.outcomes) {
        match &*row.outcome {
            "ok" => counts.opened += 1,
            "replayed" => counts.replayed += 1,
            "conflict" => counts.conflicts += 1,
            _ => counts.refused += 1,
        }
        if !matches!(&*row.outcome, "ok" | "replayed") && told.len() < TOLD {
            let id = wallet.id.as_ref().map(ToString::to_string).unwrap_or_default();
            let why = [row.code.as_deref(), row.field.as_deref(), row.message.as_deref()];
            let why: Vec<_> = why.into_iter().flatten().collect();
            told.push(format!("{id}: {} {}", row.outcome, why.join(": ")));
        }
    }
    Ok(())
}

/// The file, from its start. What cannot be read twice is copied to a file that has no name, within a batch's bounds:
/// a stream that never ends must end somewhere.
fn open(name: &str) -> Result<File, CliError> {
    Source::open(Path::new(name)).map(Source::into_file).map_err(|error| of_input(&error))
}

/// Whether a row of a file gives a time; none if that cannot be told.
pub(super) fn gives_times(ctx: &Context, name: &str) -> Option<bool> {
    let mut file = open(name).ok()?;
    let mut rows = Rows::start(ctx, &mut file).ok()?;
    while let Some((_, row)) = rows.next().ok()? {
        if row.is_ok_and(|wallet| wallet.opened_at.is_some()) {
            return Some(true);
        }
    }
    Some(false)
}

/// Reads the whole file and says how many wallets it has, or what is wrong with it.
fn check(ctx: &Context, file: &mut File) -> Result<u64, CliError> {
    let (mut wallets, mut wrong, mut told) = (0_u64, 0_u64, Vec::new());
    let mut ids: HashSet<WalletId> = HashSet::new();
    let mut rows = Rows::start(ctx, file)?;
    while let Some((line, row)) = rows.next()? {
        let faults = match row {
            Ok(wallet) => {
                wallets += 1;
                let id = wallet.id.filter(|id| !ids.insert(id.clone()));
                id.map(|id| format!("line {line}, column id: {id} is in the file twice")).into_iter().collect()
            }
            Err(faults) => faults,
        };
        for fault in faults {
            wrong += 1;
            if told.len() < TOLD {
                told.push(fault);
            }
        }
    }
    if wrong > 0 {
        let first = told.len();
        return Err(CliError::usage(format!("the file has {wrong} faults, of which these are the first {first}"))
            .details(told)
            .hint("Mend them and run it again. Nothing was sent."));
    }
    if wallets == 0 {
        return Err(CliError::usage("the file has no wallets").hint("It needs a header and a row for each wallet."));
    }
    Ok(wallets)
}

/// The rows of a file.
struct Rows<'a> {
    ctx: &'a Context,
    reader: Reader<BufReader<&'a File>>,
    header: Vec<String>,
    record: ByteRecord,
}

/// A wallet, or everything that is wrong with its row.
type Row = Result<CreateWallet, Vec<String>>;

impl<'a> Rows<'a> {
    fn start(ctx: &'a Context, file: &'a mut File) -> Result<Self, CliError> {
        let fault = |e: io::Error| CliError::usage(format!("cannot read the file: {e}"));
        file.rewind().map_err(fault)?;
        let mut start = [0; 3];
        let mut whole = &*file;
        let begins_with_mark = whole.read_exact(&mut start).is_ok() && start == *b"\xef\xbb\xbf";
        if begins_with_mark {
            return Err(
                CliError::usage("line 1: the file starts with a byte order mark").hint("Save it as UTF-8 without BOM.")
            );
        }
        whole.rewind().map_err(fault)?;
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(BufReader::new(whole));
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record).map_err(|e| CliError::usage(format!("line 1: {e}")))? {
            return Err(CliError::usage("the file is empty").hint("It needs a header and a row for each wallet."));
        }
        let header: Vec<String> = record.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        check_header(&header)?;
        Ok(Self { ctx, reader, header, record })
    }

    /// The next row and its line.
    fn next(&mut self) -> Result<Option<(u64, Row)>, CliError> {
        let more = self.reader.read_byte_record(&mut self.record);
        if !more.map_err(|e| CliError::usage(format!("the file is not CSV: {e}")))? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        Ok(Some((line, self.read(line))))
    }

    fn read(&self, line: u64) -> Row {
        if self.record.len() != self.header.len() {
            let (found, named) = (self.record.len(), self.header.len());
            return Err(vec![format!("line {line}: {found} fields, but the header names {named}")]);
        }
        if self.record.as_slice().len() > MAX_ROW {
            return Err(vec![format!("line {line}: longer than {MAX_ROW} bytes")]);
        }
        let mut faults = Vec::new();
        let mut fields = Fields { rows: self, line, faults: &mut faults };
        let id = fields.parse("id", str::parse::<WalletId>);
        let owner = fields.parse("owner", str::parse);
        let asset = fields.parse("asset", str::parse);
        let overdraft = fields.optional("overdraft", str::parse::<Overdraft>);
        let opened_at = fields.optional("opened_at", |text| {
            let moment: Moment = text.parse().map_err(|e: wallet_core::time::calendar::MomentError| e.to_string())?;
            self.ctx.instant(&moment).map_err(|e| e.message.clone())
        });
        let label = fields.optional("label", str::parse);
        let meta = fields.meta();
        match (id, owner, asset, faults.is_empty()) {
            (Some(id), Some(owner), Some(asset), true) => Ok(CreateWallet {
                id: Some(id),
                owner,
                asset,
                overdraft,
                opened_at,
                label: label.unwrap_or_default(),
                meta,
            }),
            _ => Err(faults),
        }
    }
}

fn check_header(header: &[String]) -> Result<(), CliError> {
    let mut seen = HashSet::new();
    for (index, name) in header.iter().enumerate() {
        let place = index + 1;
        let known = COLUMNS.contains(&name.as_str()) || name.strip_prefix("meta.").is_some_and(|name| !name.is_empty());
        if !known {
            return Err(CliError::usage(format!("line 1, column {place}: there is no column {name:?}"))
                .hint(format!("The columns are {} and meta.NAME. Nothing was sent.", COLUMNS.join(", "))));
        }
        if !seen.insert(name) {
            return Err(CliError::usage(format!("line 1, column {place}: {name} is there twice")));
        }
    }
    for needed in ["id", "owner", "asset"] {
        if !header.iter().any(|name| name == needed) {
            return Err(CliError::usage(format!("line 1: the column {needed} is missing")));
        }
    }
    Ok(())
}

/// The fields of one row, and what is wrong with them.
struct Fields<'a> {
    rows: &'a Rows<'a>,
    line: u64,
    faults: &'a mut Vec<String>,
}

impl Fields<'_> {
    fn fault(&mut self, column: &str, why: &str) {
        let place = self.rows.header.iter().position(|name| name == column).map_or(0, |index| index + 1);
        self.faults.push(format!("line {}, column {place} ({column}): {why}", self.line));
    }

    fn text(&mut self, column: &str) -> Option<&str> {
        let index = self.rows.header.iter().position(|name| name == column)?;
        let rows = self.rows;
        let text = std::str::from_utf8(rows.record.get(index)?);
        if text.is_err() {
            self.fault(column, "not UTF-8");
        }
        text.ok()
    }

    fn parse<T, E: std::fmt::Display>(&mut self, column: &str, read: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        match self.text(column).map(read)? {
            Ok(value) => Some(value),
            Err(why) => {
                self.fault(column, &why.to_string());
                None
            }
        }
    }

    fn optional<T, E: std::fmt::Display>(&mut self, column: &str, read: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        if self.text(column)?.is_empty() { None } else { self.parse(column, read) }
    }

    fn meta(&mut self) -> Metadata {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        for column in &self.rows.header {
            if let Some(name) = column.strip_prefix("meta.")
                && let Some(value) = self.text(column).filter(|value| !value.is_empty())
            {
                let value = value.to_owned();
                pairs.push((name, value));
            }
        }
        Metadata::new(pairs).unwrap_or_else(|why| {
            self.faults.push(format!("line {}, meta: {why}", self.line));
            Metadata::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::{
        config::{File as Config, Flags, Settings},
        env::Env,
        flight::Flight,
        output::{Format, Out},
        paths::Paths,
        prompt::Prompt,
    };

    fn checked(text: &[u8]) -> Result<u64, CliError> {
        let paths = Paths::find(&Env::of([("HOME", "/home/me")])).unwrap();
        let settings = Settings::resolve(&Flags::default(), &Env::of([]), &Config::default(), &paths).unwrap();
        let out = Out::memory(Format::Table, None, None);
        let ctx = Context::with(settings, paths, Flight::default(), Prompt::scripted(None), out);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        check(&ctx, &mut file)
    }

    #[test]
    fn a_good_file_is_counted() {
        let text = "id,owner,asset,overdraft,opened_at,label,meta.branch\r\n\
                    w_1,alice,EUR,unlimited,2020-01-01,\"Rent, flat\",7\r\nw_2,bob,JPY,,,,\r\n";
        assert_eq!(checked(text.as_bytes()).unwrap(), 2);
        assert_eq!(checked(b"asset,owner,id\nEUR,alice,w_1\n").unwrap(), 1);
    }

    #[test]
    fn every_fault_is_told_with_line_and_column_before_anything_is_sent() {
        let text = b"id,owner,asset,overdraft,opened_at\n../x,alice,EUR,-1,\nw_2,bob,eur,0,2999-01-01\nw_3,carol,EUR\n\
                     w_4,\xff,EUR,0,\nw_5,dan,EUR,0,\nw_5,dan,EUR,0,\n";
        let error = checked(text).unwrap_err();
        assert_eq!(error.exit, 2);
        let places: Vec<_> = error.details.iter().map(|d| d.split(": ").next().unwrap()).collect();
        assert_eq!(
            places,
            [
                "line 2, column 1 (id)",
                "line 2, column 4 (overdraft)",
                "line 3, column 3 (asset)",
                "line 3, column 5 (opened_at)",
                "line 4",
                "line 5, column 2 (owner)",
                "line 7, column id",
            ]
        );
    }

    #[test]
    fn a_file_that_is_not_a_wallet_file_is_refused() {
        for (text, why) in [
            (&b""[..], "empty"),
            (b"id,owner,asset\n", "no wallets"),
            (b"\xef\xbb\xbfid,owner,asset\nw_1,alice,EUR\n", "byte order mark"),
            (b"id,owner,asset,balance\n", "balance"),
            (b"id,owner,asset,id\n", "twice"),
            (b"id,owner\n", "asset is missing"),
        ] {
            let error = checked(text).unwrap_err();
            assert!(error.exit == 2 && error.message.contains(why), "{}", error.message);
        }
    }

    #[test]
    fn only_the_first_hundred_faults_are_told() {
        let text = format!("id,owner,asset\n{}", "-,alice,EUR\n".repeat(250));
        let error = checked(text.as_bytes()).unwrap_err();
        assert!(error.details.len() == TOLD && error.message.contains("250 faults"), "{}", error.message);
    }

    #[test]
    fn after_a_part_took_effect_try_again_becomes_batch_refusals_but_unknown_stays() {
        let some = Counts { wallets: 9, opened: 5, ..Counts::default() };
        assert_eq!(cut_short(CliError::new("unavailable", "x"), &some).exit, 8);
        assert_eq!(cut_short(CliError::new("unavailable", "x"), &Counts::default()).exit, 75);
        assert_eq!(cut_short(CliError::unknown("x"), &some).exit, 11);
    }
}
