//! Sending a batch: chunks one behind the other, in the order they run.
//!
//! Where rows stand each on its own, two chunks are on their way: while one is committed the next one is received and read.
//! The second names the first, and the daemon does not try it before the first is answered, since a later row
//! may need what an earlier one brought. What follows a chunk that did not happen does not happen either. Where a refusal ends the
//! batch, each chunk is answered before the next is sent. Meanwhile outcomes are written to the results file, and the chunk behind is made.
//!
//! What certainly did not happen, and what was lost on the way, is sent again under the same key for a bounded time.
//! An interruption ends the run behind the chunks that are on their way.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream::FuturesOrdered};
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, spawn_blocking},
};
use wallet_api::{
    client::{Client, Write},
    types::{BatchMode, BatchResult, RowOutcome},
};
use wallet_core::key::Key;

use super::{
    chunks::{Chunk, ChunkError, Chunker, Plan},
    input::Source,
    results::{Results, ResultsError},
    row::Known,
};
use crate::{error::CliError, flight::Flight, progress::Progress};

/// The first wait before a chunk is sent again; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Chunks made ahead of those on their way.
const AHEAD: usize = 1;
/// Chunks on their way at a time, where none of them can end the batch.
const ON_THEIR_WAY: usize = 2;

/// Why a run ended.
#[derive(Debug)]
pub enum End {
    /// Every row was asked for.
    Done,
    /// A row was turned down, and the batch stops there.
    Refused,
    /// Somebody interrupted it; nothing is in flight.
    Interrupted,
    /// A chunk certainly did not happen, and trying again did not help.
    Failed(CliError),
    /// A chunk's answer was lost, and asking again did not help.
    Lost(CliError),
}

/// What sending needs.
pub struct Sender<'a> {
    /// The daemon.
    pub api: &'a Client,
    /// The batch.
    pub source: &'a Arc<Source>,
    /// The assets it was checked against.
    pub known: &'a Known,
    /// Whether somebody wants it to end.
    pub flight: &'a Flight,
    /// What people see.
    pub progress: &'a Progress,
    /// How long a chunk is tried again.
    pub retry_for: Duration,
}

/// A chunk that was sent, and what came back: on failure, true if it may have happened.
type Answered = (Chunk, Result<Vec<RowOutcome>, (CliError, bool)>);

impl Sender<'_> {
    /// Sends every row from `first` on, and writes down every outcome.
    pub async fn send(&self, results: Results, first: u64) -> Result<(End, Results), CliError> {
        let plan = results.view().binding.plan.clone();
        let fresh = results.is_fresh();
        let (mut chunks, making) = self.make(&plan, first);
        let mut recorder = Recorder::start(results);
        let (halt, halted) = watch::channel(false);
        let most = if plan.mode == BatchMode::Continue { ON_THEIR_WAY } else { 1 };
        let mut flying = FuturesOrdered::new();
        let mut so_far = SoFar { end: End::Done, failed: 0, stuck: false };
        let (mut last, mut untried, mut made) = (None, None, false);
        loop {
            let open = matches!(so_far.end, End::Done) && !made && flying.len() < most;
            tokio::select! {
                biased;
                Some(answered) = flying.next(), if !flying.is_empty() => {
                    self.answered(&mut so_far, answered, plan.mode, &mut recorder).await?;
                    if !matches!(so_far.end, End::Done) {
                        // Whoever is still on the way is not sent again.
                        halt.send_replace(true);
                    }
                }
                chunk = chunks.recv(), if open => match chunk {
                    None => made = true,
                    // What went before is told, and that it happened: see `Summary::verdict`.
                    Some(Err(error)) => so_far.end = End::Failed(of_chunk(&error)),
                    Some(Ok(chunk)) if self.flight.asked() => {
                        so_far.end = End::Interrupted;
                        untried = Some(chunk);
                    }
                    Some(Ok(chunk)) => {
                        let key = key(&plan.key(chunk.start))?;
                        let behind = last.replace(key.clone()).filter(|_| !flying.is_empty());
                        flying.push_back(self.post(chunk, key, behind, fresh, halted.clone()));
                    }
                },
                else => break,
            }
        }
        if let Some(chunk) = untried {
            recorder.tell(chunk, Told::Same("not_attempted")).await?;
        }
        // What is left was not tried; it is written down too, as far as it can still be read.
        while let Some(Ok(chunk)) = chunks.recv().await {
            recorder.tell(chunk, Told::Same("not_attempted")).await?;
        }
        drop(chunks);
        making.await.map_err(internal)?;
        Ok((so_far.end, recorder.finish().await?))
    }

    /// Chunks from row `first` on, made on another thread.
    fn make(&self, plan: &Plan, first: u64) -> (mpsc::Receiver<Result<Chunk, ChunkError>>, JoinHandle<()>) {
        let (to, chunks) = mpsc::channel(AHEAD);
        let (source, known, plan) = (self.source.clone(), self.known.clone(), plan.clone());
        let making = spawn_blocking(move || {
            let all = || -> Result<(), ChunkError> {
                let mut chunker = Chunker::new(&source, &plan, known)?;
                chunker.skip(first)?;
                while let Some(chunk) = chunker.next_chunk()? {
                    if to.blocking_send(Ok(chunk)).is_err() {
                        break;
                    }
                }
                Ok(())
            };
            if let Err(error) = all() {
                // Nobody waits for it any more if this fails.
                let _ = to.blocking_send(Err(error));
            }
        });
        (chunks, making)
    }

    /// Takes what became of the next chunk.
    async fn answered(
        &self,
        so_far: &mut SoFar,
        (chunk, answer): Answered,
        mode: BatchMode,
        recorder: &mut Recorder,
    ) -> Result<(), CliError> {
        match answer {
            Ok(outcomes) => {
                let refused = outcomes.iter().filter(|o| matches!(&*o.outcome, "refused" | "conflict")).count() as u64;
                so_far.failed += refused;
                self.progress.advance(chunk.rows.len() as u64, so_far.failed);
                if refused > 0 && mode != BatchMode::Continue {
                    so_far.end = End::Refused;
                }
                recorder.tell(chunk, Told::Outcomes(outcomes)).await
            }
            Err((error, lost)) => {
                // What follows a chunk that certainly did not happen did not happen either.
                let lost = lost && !so_far.stuck;
                so_far.stuck |= !lost;
                if matches!(so_far.end, End::Done | End::Interrupted) {
                    so_far.end = if lost { End::Lost(error) } else { End::Failed(error) };
                }
                recorder.tell(chunk, Told::Same(if lost { "unknown" } else { "not_attempted" })).await
            }
        }
    }

    /// Sends one chunk until it is answered. `behind` is the key of the one it follows, if that is still on its way. `fresh`
    /// if it was never sent from here before: an answer that was kept is then another run's, and its rows replay.
    async fn post(
        &self,
        chunk: Chunk,
        key: Key,
        behind: Option<Key>,
        fresh: bool,
        mut halted: watch::Receiver<bool>,
    ) -> Answered {
        let until = Instant::now() + self.retry_for;
        let rows = chunk.rows.len();
        let (mut wait, mut lost) = (FIRST_WAIT, false);
        loop {
            let write = Write { key: Some(&key), dry_run: false, behind: behind.as_ref() };
            let error = match self.api.post_bytes::<BatchResult>("/v1/batches", chunk.body.clone(), write).await {
                Ok(answer) if answer.body.outcomes.len() == rows => {
                    let BatchResult { replayed, mut outcomes } = answer.body;
                    if replayed && fresh && !lost {
                        outcomes.iter_mut().filter(|o| o.outcome == "ok").for_each(|o| o.outcome = "replayed".into());
                    }
                    return (chunk, Ok(outcomes));
                }
                Ok(answer) => {
                    let got = answer.body.outcomes.len();
                    CliError::unknown(format!("walletd answered {got} outcomes to {rows} rows (key {key})"))
                }
                Err(error) => CliError::of_write(error, Some(key.as_str())),
            };
            lost |= error.is_unknown();
            let again = error.retryable && !self.flight.asked() && Instant::now() + wait < until;
            if !again || *halted.borrow() {
                return (chunk, Err((error, lost)));
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = halted.wait_for(|halted| *halted) => return (chunk, Err((error, lost))),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// Where a run stands.
struct SoFar {
    end: End,
    /// Rows that were turned down.
    failed: u64,
    /// A chunk certainly did not happen.
    stuck: bool,
}

/// What is written down of a chunk.
enum Told {
    /// Each row's outcome, synced.
    Outcomes(Vec<RowOutcome>),
    /// One same outcome for all rows.
    Same(&'static str),
}

/// Writes outcomes on a thread of its own, in order, while the next chunks are on their way.
struct Recorder {
    to: mpsc::Sender<(Chunk, Told)>,
    /// None once it has ended.
    writing: Option<JoinHandle<Result<Results, ResultsError>>>,
}

impl Recorder {
    fn start(mut results: Results) -> Self {
        let (to, mut told) = mpsc::channel(1);
        let writing = spawn_blocking(move || {
            while let Some((chunk, what)) = told.blocking_recv() {
                match what {
                    Told::Outcomes(outcomes) => results.record(&chunk, &outcomes)?,
                    Told::Same(outcome) => results.record_all(&chunk, outcome)?,
                }
            }
            results.sync()?;
            Ok(results)
        });
        Self { to, writing: Some(writing) }
    }

    /// Hands over a chunk's outcomes. Fails if those before could not be written down.
    async fn tell(&mut self, chunk: Chunk, what: Told) -> Result<(), CliError> {
        match self.to.send((chunk, what)).await {
            Ok(()) => Ok(()),
            Err(_) => self.ended().await.map(drop),
        }
    }

    /// Waits until everything is written down and durable.
    async fn finish(mut self) -> Result<Results, CliError> {
        let (nobody, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.to, nobody));
        self.ended().await
    }

    async fn ended(&mut self) -> Result<Results, CliError> {
        let writing = self.writing.take().ok_or_else(|| internal("the results file is gone"))?;
        writing.await.map_err(internal)?.map_err(|error| {
            CliError::unknown(error.to_string())
                .hint("Outcomes could not be written down. Make room, then run walletctl batch resume: what happened replays.")
        })
    }
}

fn internal(error: impl std::fmt::Display) -> CliError {
    CliError::new("internal", error.to_string())
}

fn key(text: &str) -> Result<Key, CliError> {
    text.parse().map_err(|error| CliError::new("internal", format!("{error}")))
}

fn of_chunk(error: &ChunkError) -> CliError {
    match error {
        ChunkError::Changed(_) => CliError::new("batch_changed", error.to_string()),
        ChunkError::Io(why) if crate::paths::is_full(why) => CliError::new("disk_full", error.to_string())
            .hint("Make room for temporary files, or name another place for them with TMPDIR."),
        ChunkError::Io(_) => CliError::usage(error.to_string()).hint("Is there room for temporary files (TMPDIR)?"),
    }
}
