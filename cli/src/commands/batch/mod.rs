//! `walletctl batch`: files of deposits, withdrawals and transfers.

mod options;
mod report;
mod run;
mod show;
mod validate;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

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
        results::{ResultsError, View, read_binding},
        row::Known,
    },
};

/// Runs one of the subcommands.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Validate(args) => validate::validate(ctx, args).await,
        Command::Run(args) => run::run(ctx, args).await,
        Command::Resume(args) => run::resume(ctx, args).await,
        Command::Status(args) => show::status(ctx, &args),
        Command::Report(args) => report::report(ctx, &args),
    }
}

fn open(file: &FileArgs) -> Result<(Arc<Source>, Format), CliError> {
    let source = Source::open(&file.file).map_err(|error| of_input(&error))?;
    Ok((Arc::new(source), file.format.unwrap_or_else(|| Format::of(&file.file))))
}

/// A batch that was run before: its file, and its results.
fn find(ctx: &Context, file: &FileArgs, results: Option<&Path>) -> Result<(Arc<Source>, View), CliError> {
    let (source, _) = open(file)?;
    let mut lines = source.lines();
    while lines.next_line().map_err(|error| CliError::usage(format!("{}: {error}", source.name())))?.is_some() {}
    let sha256 = Hash(lines.hash());
    let path = results.map_or_else(|| results_path(ctx, sha256), Path::to_owned);
    match View::find(&path).map_err(|error| of_results(&error))? {
        Some(view) if view.binding.plan.sha256 == sha256 => Ok((source, view)),
        Some(view) => Err(changed(&file.file, view.binding.plan.sha256, sha256)),
        None => match started(ctx, &file.file) {
            Some(theirs) => Err(changed(&file.file, theirs, sha256)),
            None => Err(CliError::usage(format!("{}: no batch with this content was run here", source.name()))
                .hint("walletctl batch run sends it. What another machine sent replays: money moves once.")),
        },
    }
}

fn changed(file: &Path, theirs: Hash, ours: Hash) -> CliError {
    CliError::new(
        "batch_changed",
        format!("{} was changed since it was run: its SHA-256 was {theirs} and is {ours}", file.display()),
    )
}

/// The content that a file of this name had when it was last run here.
fn started(ctx: &Context, file: &Path) -> Option<Hash> {
    let name = full(file);
    let entries = fs::read_dir(ctx.paths.batches()).ok()?;
    let bindings = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let results = path.to_str()?.strip_suffix(".batch.json")?.to_owned();
        read_binding(Path::new(&results)).ok()?
    });
    bindings.filter(|binding| binding.file == name).map(|binding| binding.plan.sha256).next()
}

/// A batch file's name, whatever folder it is named from.
fn full(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_owned())
}

fn results_path(ctx: &Context, sha256: Hash) -> PathBuf {
    ctx.paths.batches().join(format!("{sha256}.ndjson"))
}

/// The daemon's assets.
async fn assets(ctx: &Context) -> Result<Known, CliError> {
    let list = ctx.api()?.assets().await?.body.assets;
    let registered = list.into_iter().filter(|asset| !asset.built_in);
    Ok(Known::all(registered.map(|asset| wallet_core::asset::Asset { code: asset.code, scale: asset.scale })))
}

fn of_input(error: &InputError) -> CliError {
    CliError::usage(error.to_string()).hint("Nothing was sent.")
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
        ResultsError::Foreign(_) => CliError::usage(text).hint("Name another file with --results. Nothing was sent."),
    }
}
