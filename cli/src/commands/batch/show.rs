//! What became of a batch, for people and programs, and the exit code it means.

use serde::Serialize;
use wallet_api::types::BatchMode;

use super::{find_standing, of_results, options::Status};
use crate::{
    CliError, Context,
    batch::{
        chunks::Sort,
        outcomes::{Counts, Failure, Tally},
        results::View,
        run::End,
    },
    output::{Cell, Format, Meta, Record},
};

impl Record for Failure {
    const COLUMNS: &'static [&'static str] = &["line", "key", "outcome", "code", "message"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "line" => Cell::Int(self.line),
            "key" => Cell::text(&self.key),
            "outcome" => Cell::text(&self.outcome),
            "code" => Cell::text(&self.code),
            "message" => Cell::text(&self.message),
            _ => Cell::None,
        }
    }
}

/// A batch, in numbers.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// SHA-256 of its file.
    batch: String,
    /// The file.
    file: String,
    mode: BatchMode,
    sort: Sort,
    rows: u64,
    #[serde(flatten)]
    counts: Counts,
    /// The ledger its rows were sent to.
    ledger_id: String,
    /// The results file.
    results: String,
    /// The first rows that were turned down.
    failures: Vec<Failure>,
}

impl Record for Summary {
    const COLUMNS: &'static [&'static str] =
        &["batch", "rows", "ok", "replayed", "refused", "conflict", "not_attempted", "unknown", "results"];
    const MORE: &'static [&'static str] = &["file", "mode", "sort", "ledger_id"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "batch" => Cell::text(&self.batch),
            "rows" => Cell::Int(self.rows),
            "ok" => Cell::Int(self.counts.ok),
            "replayed" => Cell::Int(self.counts.replayed),
            "refused" => Cell::Int(self.counts.refused),
            "conflict" => Cell::Int(self.counts.conflict),
            "not_attempted" => Cell::Int(self.counts.not_attempted),
            "unknown" => Cell::Int(self.counts.unknown),
            "results" => Cell::text(&self.results),
            "file" => Cell::text(&self.file),
            "ledger_id" => Cell::text(&self.ledger_id),
            "mode" => Cell::text(mode_name(self.mode)),
            "sort" => Cell::text(if self.sort == Sort::File { "file" } else { "effective_at" }),
            _ => Cell::None,
        }
    }
}

fn mode_name(mode: BatchMode) -> &'static str {
    match mode {
        BatchMode::Continue => "continue",
        BatchMode::Stop => "stop",
        BatchMode::Atomic => "atomic",
    }
}

impl Summary {
    pub(super) fn new(view: &View, tally: Tally) -> Self {
        let mut counts = tally.counts;
        // Rows that were never written down were never tried.
        counts.not_attempted += view.binding.rows.saturating_sub(tally.lines);
        Self {
            batch: view.binding.plan.sha256.to_string(),
            file: view.binding.file.display().to_string(),
            mode: view.binding.plan.mode,
            sort: view.binding.plan.sort,
            rows: view.binding.rows,
            counts,
            ledger_id: view.binding.ledger.id.clone(),
            results: view.path.display().to_string(),
            failures: tally.failures,
        }
    }

    pub(super) fn show(&self, ctx: &Context) -> Result<(), CliError> {
        ctx.out().one("batch", self, Meta::new())?;
        if ctx.out().format() == Format::Table && !self.failures.is_empty() {
            ctx.out().write(b"\n")?;
            let mut rows = ctx.out().rows::<Failure>("batch.failures")?;
            for failure in &self.failures {
                rows.row(failure)?;
            }
            let more = self.counts.failed().saturating_sub(self.failures.len() as u64);
            if more > 0 {
                rows.foot(format!("and {more} more: walletctl batch report --failed lists them all"));
            }
            rows.finish(Meta::new())?;
        }
        Ok(())
    }

    /// The exit code of a batch that ended like this: 11 before 8 before 75, and 75 never once a row is committed.
    /// Its outcome is never `not_applied` once a row is.
    pub(super) fn verdict(&self, end: End) -> Result<(), CliError> {
        let judged = self.judged(end);
        if self.counts.committed() > 0 { judged.map_err(CliError::partly_applied) } else { judged }
    }

    /// What is said when the outcomes cannot be shown.
    pub(super) fn untold(&self, error: CliError) -> CliError {
        match self.counts.committed() {
            0 => error,
            some if some == self.rows => error.applied(),
            _ => error.partly_applied(),
        }
    }

    fn judged(&self, end: End) -> Result<(), CliError> {
        let Counts { unknown, not_attempted, .. } = self.counts;
        let (rows, failed) = (self.rows, self.counts.failed());
        let resume = "walletctl batch resume sends what is not final; what happened replays.";
        if unknown > 0 {
            let why = match end {
                End::Lost(error) => format!(": {}", error.message),
                _ => String::new(),
            };
            return Err(CliError::unknown(format!("{unknown} of {rows} rows have no known outcome{why}")).hint(resume));
        }
        if self.counts.committed() == 0 && failed == 0 {
            match end {
                End::Failed(error) => return Err(error),
                End::Interrupted => return Err(CliError::new("interrupted", "interrupted before anything was sent")),
                End::Done | End::Refused | End::Lost(_) => {}
            }
        } else if not_attempted > 0 {
            let why = match end {
                End::Interrupted => ": interrupted".to_owned(),
                End::Failed(error) => format!(": {}", error.message),
                End::Done | End::Refused | End::Lost(_) => String::new(),
            };
            let turned = if failed > 0 { format!(", {failed} were refused or in conflict") } else { String::new() };
            return Err(CliError::new(
                "batch_refusals",
                format!("{not_attempted} of {rows} rows were not attempted{turned}{why}"),
            )
            .hint(resume));
        }
        if failed > 0 {
            return Err(CliError::new(
                "batch_refusals",
                format!("{failed} of {rows} rows were refused or in conflict"),
            ));
        }
        Ok(())
    }
}

pub(super) async fn status(ctx: &Context, args: &Status) -> Result<(), CliError> {
    ctx.out().check::<Summary>()?;
    let (_, view) = find_standing(ctx, &args.file, args.results.as_deref()).await?;
    let held = view.held().map_err(|error| of_results(&error))?;
    Summary::new(&view, held.tally).show(ctx)
}
