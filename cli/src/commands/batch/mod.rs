//! `walletctl batch`: files of deposits, withdrawals and transfers.

mod options;
mod report;
mod run;
mod show;
mod validate;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use wallet_api::types::AssetList;
use wallet_core::cut::Hash;

pub use self::{
    options::{Command, EXAMPLE, FileArgs, Report, Resume, Run, Status, Validate},
    show::Summary,
};
use crate::{
    CliError, Context,
    batch::{
        check::Format,
        input::{InputError, Source},
        results::{Ledger, ResultsError, View, read_binding},
        row::Known,
    },
};

/// Longest id of a ledger; walletd makes UUIDs.
const MAX_LEDGER_ID: usize = 64;

/// Runs one of the subcommands.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Validate(args) => validate::validate(ctx, args).await,
        Command::Run(args) => run::run(ctx, args).await,
        Command::Resume(args) => run::resume(ctx, args).await,
        Command::Status(args) => show::status(ctx, &args).await,
        Command::Report(args) => report::report(ctx, &args).await,
    }
}

fn open(file: &FileArgs) -> Result<(Arc<Source>, Format), CliError> {
    let source = Source::open(&file.file).map_err(|error| of_input(&error))?;
    Ok((Arc::new(source), file.format.unwrap_or_else(|| Format::of(&file.file))))
}

/// A batch that was run before: its file, and its results at the daemon's ledger. With the name of the results file
/// the daemon is not needed, nor while it does not answer and only one ledger has outcomes of this file.
fn find(
    ctx: &Context,
    file: &FileArgs,
    results: Option<&Path>,
    ledger: Result<&Ledger, &CliError>,
) -> Result<(Arc<Source>, View), CliError> {
    let (source, _) = open(file)?;
    let sha256 = source.hash().map_err(|error| of_io(source.name(), &error))?;
    let path = match (results, ledger) {
        (Some(path), _) => path.to_owned(),
        (None, Ok(ledger)) => results_path(ctx, sha256, ledger)?,
        (None, Err(error)) => only_results(ctx, sha256).ok_or_else(|| error.clone())?,
    };
    match View::find(&path).map_err(|error| of_results(&error))? {
        Some(view) if view.binding.plan.sha256 == sha256 => Ok((source, view)),
        Some(view) => Err(changed(&file.file, view.binding.plan.sha256, sha256)),
        None => {
            if let Some(theirs) = started(ctx, &file.file, ledger.ok()) {
                return Err(changed(&file.file, theirs, sha256));
            }
            let message = format!("{}: no batch with this content was run from here at this ledger", source.name());
            Err(CliError::usage(message)
                .hint("walletctl batch run sends it. What another machine sent replays: money moves once."))
        }
    }
}

/// The same, when its outcomes are to be told: refused when the ledger may no longer hold what they say.
async fn find_standing(
    ctx: &Context,
    file: &FileArgs,
    results: Option<&Path>,
) -> Result<(Arc<Source>, View), CliError> {
    let ledger = assets(ctx).await.map(|(_, ledger)| ledger);
    let (source, view) = find(ctx, file, results, ledger.as_ref())?;
    let theirs = &view.binding.ledger;
    match ledger {
        Ok(ours) if ours == *theirs => {}
        Ok(ours) if ours.id == theirs.id => {
            let (name, then, now) = (source.name(), theirs.epoch, ours.epoch);
            let message = format!(
                "{name} was run before its ledger was restored from a backup (epoch {then}, now {now}): its outcomes may not stand"
            );
            return Err(CliError::new("batch_changed", message)
                .hint("walletctl batch run asks for every row again: what still stands replays, money moves once."));
        }
        Ok(ours) => {
            ctx.prompt
                .note(&format!("note: these are outcomes at the ledger {}; this daemon has {}", theirs.id, ours.id));
        }
        Err(error) => {
            ctx.prompt.note(&format!("note: {}; these are the outcomes at the ledger {}", error.message, theirs.id));
        }
    }
    Ok((source, view))
}

fn changed(file: &Path, theirs: Hash, ours: Hash) -> CliError {
    CliError::new(
        "batch_changed",
        format!("{} was changed since it was run: its SHA-256 was {theirs} and is {ours}", file.display()),
    )
}

/// The content that a file of this name had when it was last run here, at this ledger if it is known.
fn started(ctx: &Context, file: &Path, ledger: Option<&Ledger>) -> Option<Hash> {
    let name = full(file);
    let entries = fs::read_dir(ctx.paths.batches()).ok()?;
    let bindings = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let results = path.to_str()?.strip_suffix(".batch.json")?.to_owned();
        read_binding(Path::new(&results)).ok()?
    });
    bindings
        .filter(|binding| binding.file == name && ledger.is_none_or(|ledger| ledger.id == binding.ledger.id))
        .map(|binding| binding.plan.sha256)
        .next()
}

/// The results of a batch, if they are of one ledger only.
fn only_results(ctx: &Context, sha256: Hash) -> Option<PathBuf> {
    let start = format!("{sha256}-");
    let entries = fs::read_dir(ctx.paths.batches()).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let mut found = entries.filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&start) && name.ends_with(".ndjson.batch.json")
    });
    let one = found.next().filter(|_| found.next().is_none())?;
    Some(one.to_str()?.strip_suffix(".batch.json")?.into())
}

/// A batch file's name, whatever folder it is named from.
fn full(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

/// Each ledger has a results file of its own: what was done to one says nothing about another.
fn results_path(ctx: &Context, sha256: Hash, ledger: &Ledger) -> Result<PathBuf, CliError> {
    let id = &ledger.id;
    // It becomes part of a file's name, so it is not taken as it comes.
    let plain = (1..=MAX_LEDGER_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !plain {
        return Err(CliError::new("internal", "walletd's answer is not understood: its ledger's id is none"));
    }
    Ok(ctx.paths.batches().join(format!("{sha256}-{id}.ndjson")))
}

/// The daemon's assets, and which ledger they are of.
async fn assets(ctx: &Context) -> Result<(Known, Ledger), CliError> {
    let AssetList { assets, ledger_id, epoch } = ctx.api()?.assets().await?.body;
    let registered = assets.into_iter().filter(|asset| !asset.built_in);
    let known = registered.map(|asset| wallet_core::asset::Asset { code: asset.code, scale: asset.scale });
    Ok((Known::all(known), Ledger { id: ledger_id, epoch }))
}

/// A file, or a temporary one made of it, cannot be read or written.
fn of_io(what: &str, error: &io::Error) -> CliError {
    let message = format!("{what}: {error}");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CliError::new("disk_full", message)
            .hint("Make room for temporary files, or name another place for them with TMPDIR. Nothing was sent."),
        _ => CliError::usage(message).hint("Nothing was sent."),
    }
}

/// A batch file, or one of wallets, cannot be used.
pub(super) fn of_input(error: &InputError) -> CliError {
    match error {
        InputError::Io { name, source } => of_io(name, source),
        InputError::Copy { name, source } => of_io(&format!("copying {name} to a temporary file"), source),
        InputError::TooLarge { .. } | InputError::TooManyLines { .. } | InputError::LongLine { .. } => {
            CliError::new("invalid_request", error.to_string()).hint("Nothing was sent.")
        }
    }
}

fn of_results(error: &ResultsError) -> CliError {
    let text = error.to_string();
    match error {
        ResultsError::Io { .. } => CliError::configuration(text)
            .hint("Make it usable for this user, or name another with --results. Nothing was sent."),
        ResultsError::Locked(_) => {
            CliError::new("unavailable", text).hint("Wait until it is through. Nothing was sent.")
        }
        ResultsError::Changed { .. } => CliError::new("batch_changed", text),
        ResultsError::OtherLedger { .. } => {
            CliError::usage(text).hint("Name another file with --results, or ask the other daemon. Nothing was sent.")
        }
        ResultsError::Foreign(_) => CliError::usage(text).hint("Name another file with --results. Nothing was sent."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_for_temporary_files_is_no_fault_of_the_command_line() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let error = of_input(&InputError::Copy { name: "standard input".into(), source: full() });
        assert_eq!((error.exit, error.retryable), (75, true));
        assert!(error.hint.contains("TMPDIR"));
        let missing = InputError::Io { name: "pay.csv".into(), source: io::ErrorKind::NotFound.into() };
        assert_eq!(of_input(&missing).exit, 2);
    }
}
