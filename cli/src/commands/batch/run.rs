//! `batch run` and `batch resume`.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use serde::Serialize;
use wallet_api::{
    client,
    types::{BatchMode, BatchResult, RowOutcome},
};
use wallet_core::{command::MAX_COMMANDS, key::Key, money::Quantity};

use super::{
    assets, find, full, of_results, open,
    options::{OnError, Resume, Run, Sending},
    results_path,
    show::Summary,
    validate::{checked, totals},
};
use crate::{
    CliError, Context,
    batch::{
        check::Checked,
        chunks::{Chunk, Chunker, Plan, Sort},
        input::Source,
        outcomes::{Held, Tally},
        results::{Binding, Results, SCHEMA, View},
        row::Known,
        run::{End, Sender},
    },
    env::now,
    output::{Cell, Meta, Record},
    paths::private_dir,
    progress::Progress,
};

pub(super) async fn run(ctx: &Context, args: Run) -> Result<(), CliError> {
    ctx.allow_write()?;
    ctx.out().check::<Summary>()?;
    let (source, format) = open(&args.file)?;
    let (known, ledger) = assets(ctx).await?;
    let (checked, known) = checked(ctx, &source, format, known, &args.limits)?;
    let mode = match (args.atomic, args.on_error) {
        (true, _) => BatchMode::Atomic,
        (false, OnError::Continue) => BatchMode::Continue,
        (false, OnError::Stop) => BatchMode::Stop,
    };
    if args.atomic && checked.rows > MAX_COMMANDS as u64 {
        return Err(CliError::usage(format!(
            "--atomic takes at most {MAX_COMMANDS} rows; {} has {}",
            source.name(),
            checked.rows
        ))
        .hint("Split the file, or run it without --atomic. Nothing was sent."));
    }
    let chunk = if args.atomic { MAX_COMMANDS } else { args.chunk };
    let plan = Plan { sha256: checked.sha256, format, mode, sort: args.sort, chunk, attempt: 1 };
    if args.dry_run {
        return dry_run(ctx, &source, &plan, known, checked.rows).await;
    }
    let path = if let Some(path) = &args.sending.results {
        path.clone()
    } else {
        private_dir(&ctx.paths.batches())?;
        results_path(ctx, checked.sha256, &ledger)?
    };
    // What was done to another ledger, or to this one before it was restored from a backup, tells nothing.
    let known_before = View::find(&path)
        .map_err(|error| of_results(&error))?
        .filter(|view| view.binding.plan.sha256 == plan.sha256 && view.is_of(&ledger));
    let mut held = match &known_before {
        Some(view) => view.held().map_err(|error| of_results(&error))?,
        None => Held::default(),
    };
    if let Some(view) = known_before.filter(|_| held.tally.lines > 0 && !args.again) {
        same_plan(&plan, &view.binding.plan)?;
        if held.settled == checked.rows || final_anyway(mode, &held) {
            ctx.prompt.note(
                "this file was run before: nothing is sent, these are its outcomes (--again asks for every row again)",
            );
            return tell(ctx, &view, held.tally, End::Done);
        }
    }
    if args.again {
        held = Held::default();
    }
    if checked.rows > 0 {
        ctx.confirm_or_preview(args.sending.yes, &question(&source, &checked, &held, mode), largest(&checked))?;
    }
    let binding = Binding {
        schema: SCHEMA.into(),
        ledger: ledger.clone(),
        file: full(&args.file.file),
        rows: checked.rows,
        plan: plan.clone(),
    };
    let mut results = Results::open(&path, binding).map_err(|error| of_results(&error))?;
    // Another run may have gone on while somebody thought about the question.
    let mut held = results.view().held().map_err(|error| of_results(&error))?;
    if args.again || held.tally.lines == 0 || !results.view().is_of(&ledger) {
        let attempt = if args.again { now().as_micros() } else { results.view().binding.plan.attempt };
        results.begin(Plan { attempt, ..plan }, ledger.epoch).map_err(|error| of_results(&error))?;
        held = Held::default();
    } else {
        same_plan(&plan, &results.view().binding.plan)?;
    }
    send(ctx, &source, known, results, held, &args.sending).await
}

pub(super) async fn resume(ctx: &Context, args: Resume) -> Result<(), CliError> {
    ctx.allow_write()?;
    ctx.out().check::<Summary>()?;
    let (known, ledger) = assets(ctx).await?;
    let (source, view) = find(ctx, &args.file, args.sending.results.as_deref(), Ok(&ledger))?;
    let binding = Binding { ledger: ledger.clone(), ..view.binding };
    let mut results = Results::open(&view.path, binding).map_err(|error| of_results(&error))?;
    let stands = results.view().is_of(&ledger);
    let mut held = if stands { results.view().held().map_err(|error| of_results(&error))? } else { Held::default() };
    let rows = results.view().binding.rows;
    if held.settled == rows {
        return tell(ctx, results.view(), held.tally, End::Done);
    }
    let left = rows - held.settled;
    ctx.confirm(args.sending.yes, &format!("Send the {left} rows of {} that are not final?", source.name()), None)?;
    let plan = results.view().binding.plan.clone();
    if !stands {
        results.begin(plan, ledger.epoch).map_err(|error| of_results(&error))?;
    } else if plan.mode == BatchMode::Atomic && held.tally.counts.failed() > 0 {
        let plan = Plan { attempt: now().as_micros(), ..plan };
        results.begin(plan, ledger.epoch).map_err(|error| of_results(&error))?;
        held = Held::default();
    }
    send(ctx, &source, known, results, held, &args.sending).await
}

/// True if only a person can decide to go on: somebody asked for it to stop there.
fn final_anyway(mode: BatchMode, held: &Held) -> bool {
    mode != BatchMode::Continue && held.tally.counts.failed() > 0 && held.stopped
}

fn same_plan(asked: &Plan, kept: &Plan) -> Result<(), CliError> {
    if (asked.mode, asked.sort) == (kept.mode, kept.sort) {
        return Ok(());
    }
    Err(CliError::usage("the batch was started with another --on-error, --atomic or --sort")
        .hint("Give the same ones, or walletctl batch resume. Nothing was sent."))
}

fn question(source: &Source, checked: &Checked, held: &Held, mode: BatchMode) -> String {
    let what = match mode {
        BatchMode::Continue => "",
        BatchMode::Stop => ", stopping at the first that is refused",
        BatchMode::Atomic => ", all or none",
    };
    let mut text = format!("Send {} rows of {}{what}", checked.rows - held.settled, source.name());
    for total in totals(checked) {
        let cell = |name| match total.cell(name) {
            Cell::Amount(text) => text.to_owned(),
            _ => String::new(),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n  {} {} in {} rows: {} in, {} out, {} between wallets",
            cell("amount"),
            total.asset(),
            total.rows(),
            cell("deposits"),
            cell("withdrawals"),
            cell("transfers")
        );
    }
    text.push('?');
    text
}

/// The largest total, to be held against `confirm_above`.
fn largest(checked: &Checked) -> Option<Quantity> {
    let most = checked.totals.values().map(|total| total.amount).max()?;
    most.to_string().parse().ok()
}

async fn send(
    ctx: &Context,
    source: &Arc<Source>,
    known: Known,
    mut results: Results,
    held: Held,
    sending: &Sending,
) -> Result<(), CliError> {
    results.cut(&held).map_err(|error| of_results(&error))?;
    let told = CliError::unknown("interrupted while a part of the batch was in flight")
        .hint("walletctl batch resume sends what is not final; what happened replays.");
    let in_flight = ctx.flight.hold(told);
    let progress = Progress::new(Some(results.view().binding.rows - held.settled));
    let sender = Sender {
        api: ctx.api()?,
        source,
        known: &known,
        flight: &ctx.flight,
        progress: &progress,
        retry_for: Duration::from_secs(sending.retry_for),
    };
    let (end, results) = sender.send(results, held.settled).await?;
    drop((progress, in_flight));
    // What was written is what reading it again would come to: it is counted by the same rule.
    tell(ctx, results.view(), results.tally().clone(), end)
}

fn tell(ctx: &Context, view: &View, tally: Tally, end: End) -> Result<(), CliError> {
    let summary = Summary::new(view, tally);
    let shown = summary.show(ctx);
    // What became of the money comes before that it could not be shown.
    summary.verdict(end)?;
    shown.map_err(|error| summary.untold(error))
}

/// A row of a dry run.
#[derive(Serialize)]
struct Preview {
    line: u64,
    key: String,
    #[serde(flatten)]
    outcome: RowOutcome,
}

impl Record for Preview {
    const COLUMNS: &'static [&'static str] = &["line", "key", "outcome", "code", "message"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "line" => Cell::Int(self.line),
            "key" => Cell::text(&self.key),
            "outcome" => Cell::text(&self.outcome.outcome),
            "code" => Cell::maybe(self.outcome.code.as_deref().or(self.outcome.field.as_deref())),
            "message" => Cell::maybe(self.outcome.message.as_deref()),
            _ => Cell::None,
        }
    }
}

/// One request that changes nothing. A second one would not see what the first would have done, so a
/// longer file has no true preview.
async fn dry_run(ctx: &Context, source: &Arc<Source>, plan: &Plan, known: Known, rows: u64) -> Result<(), CliError> {
    ctx.out().check::<Preview>()?;
    if rows > MAX_COMMANDS as u64 {
        return Err(CliError::usage(format!(
            "a dry run takes at most {MAX_COMMANDS} rows; {} has {rows}",
            source.name()
        ))
        .hint("walletctl batch validate checks the file; each row's outcome depends on the rows before it."));
    }
    let plan = Plan { chunk: MAX_COMMANDS, ..plan.clone() };
    let mut chunker =
        Chunker::new(source, &plan, known).map_err(|error| CliError::new("batch_changed", error.to_string()))?;
    let chunk = chunker.next_chunk().map_err(|error| CliError::new("batch_changed", error.to_string()))?;
    let mut out = ctx.out().rows::<Preview>("batch.dry_run")?;
    let mut failed = 0;
    if let Some(chunk) = chunk {
        let key: Key = plan.key(0).parse().map_err(|error| CliError::new("internal", format!("{error}")))?;
        let write = client::Write { key: Some(&key), dry_run: true, behind: None };
        let answer = ctx.api()?.post_bytes::<BatchResult>("/v1/batches", chunk.body.clone(), write).await?;
        for (index, outcome) in answer.body.outcomes.into_iter().enumerate() {
            failed += u64::from(matches!(&*outcome.outcome, "refused" | "conflict"));
            let (line, key) = place(&chunk, index);
            out.row(&Preview { line, key, outcome })?;
        }
    }
    out.foot("dry run: nothing was written".into());
    out.finish(Meta::new().with("dry_run", &true).with("sort", &(plan.sort == Sort::EffectiveAt)))?;
    match failed {
        0 => Ok(()),
        _ => Err(CliError::new("batch_refusals", format!("{failed} of {rows} rows would be refused or in conflict"))
            .hint("Nothing was written.")),
    }
}

fn place(chunk: &Chunk, index: usize) -> (u64, String) {
    chunk.rows.get(index).map_or_else(Default::default, |row| {
        let key = chunk.body.get(row.key.clone()).unwrap_or_default();
        (row.line, serde_json::from_slice(key).unwrap_or_default())
    })
}
