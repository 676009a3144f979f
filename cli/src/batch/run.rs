//! Sending a batch: chunks one behind the other, each answered before the next is sent, since a later
//! row may need what an earlier one brought.
//!
//! Three things overlap: one chunk is in flight, the one before it is written to the results file, the
//! one behind it is made. What certainly did not happen, and what was lost on the way, is sent again
//! under the same key for a bounded time. An interruption ends the run behind the chunk in flight.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{sync::mpsc, task::spawn_blocking};
use wallet_api::{
    client::{Client, Write},
    types::{BatchMode, BatchResult, RowOutcome},
};
use wallet_core::key::Key;

use super::{
    chunks::{Chunk, ChunkError, Chunker},
    input::Source,
    results::{Results, ResultsError},
    row::Known,
};
use crate::{error::CliError, flight::Flight, progress::Progress};

/// The first wait before a chunk is sent again; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Chunks made ahead of the one in flight.
const AHEAD: usize = 1;

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

impl Sender<'_> {
    /// Sends every row from `first` on, and writes down every outcome.
    pub async fn send(&self, results: Results, first: u64) -> Result<(End, Results), CliError> {
        let plan = results.view().binding.plan.clone();
        let fresh = results.is_fresh();
        let (to, mut chunks) = mpsc::channel::<Result<Chunk, ChunkError>>(AHEAD);
        let (source, known, mode) = (self.source.clone(), self.known.clone(), plan.mode);
        let asked = plan.clone();
        let making = spawn_blocking(move || {
            let all = || -> Result<(), ChunkError> {
                let mut chunker = Chunker::new(&source, &asked, known)?;
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
        let mut recorder = Recorder { results: Some(results), waiting: None };
        let mut end = End::Done;
        let mut failed = 0;
        while let Some(chunk) = chunks.recv().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    // What went before is told, and that it happened: see `Summary::verdict`.
                    end = End::Failed(of_chunk(&error));
                    break;
                }
            };
            if self.flight.asked() {
                end = End::Interrupted;
                recorder.rest(chunk, "not_attempted").await?;
                break;
            }
            let key = key(&plan.key(chunk.start))?;
            let (answer, written) =
                tokio::join!(self.post(chunk.body.clone(), &key, chunk.rows.len(), fresh), recorder.write());
            written?;
            match answer {
                Ok(outcomes) => {
                    let refused =
                        outcomes.iter().filter(|o| matches!(&*o.outcome, "refused" | "conflict")).count() as u64;
                    failed += refused;
                    self.progress.advance(chunk.rows.len() as u64, failed);
                    recorder.waiting = Some((chunk, outcomes));
                    if refused > 0 && mode != BatchMode::Continue {
                        end = End::Refused;
                        break;
                    }
                }
                Err((error, lost)) => {
                    recorder.rest(chunk, if lost { "unknown" } else { "not_attempted" }).await?;
                    end = if lost { End::Lost(error) } else { End::Failed(error) };
                    break;
                }
            }
        }
        recorder.write().await?;
        // What is left was not tried; it is written down too, as far as it can still be read.
        while let Some(Ok(chunk)) = chunks.recv().await {
            recorder.rest(chunk, "not_attempted").await?;
        }
        drop(chunks);
        making.await.map_err(|error| CliError::new("internal", error.to_string()))?;
        let results = recorder.finish().await?;
        Ok((end, results))
    }

    /// Sends one chunk until it is answered. On failure: true if it may have happened. `fresh` if it was
    /// never sent from here before: an answer that was kept is then another run's, and its rows replay.
    async fn post(
        &self,
        body: Bytes,
        key: &Key,
        rows: usize,
        fresh: bool,
    ) -> Result<Vec<RowOutcome>, (CliError, bool)> {
        let until = Instant::now() + self.retry_for;
        let (mut wait, mut lost) = (FIRST_WAIT, false);
        loop {
            let write = Write { key: Some(key), dry_run: false };
            let error = match self.api.post_bytes::<BatchResult>("/v1/batches", body.clone(), write).await {
                Ok(answer) if answer.body.outcomes.len() == rows => {
                    let BatchResult { replayed, mut outcomes } = answer.body;
                    if replayed && fresh && !lost {
                        outcomes.iter_mut().filter(|o| o.outcome == "ok").for_each(|o| o.outcome = "replayed".into());
                    }
                    return Ok(outcomes);
                }
                Ok(answer) => {
                    let got = answer.body.outcomes.len();
                    CliError::unknown(format!("walletd answered {got} outcomes to {rows} rows (key {key})"))
                }
                Err(error) => CliError::of_write(error, Some(key.as_str())),
            };
            lost |= error.is_unknown();
            let again = error.retryable && !self.flight.asked() && Instant::now() + wait < until;
            if !again {
                return Err((error, lost));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// Writes outcomes on another thread while the next chunk is in flight.
struct Recorder {
    /// None only while a thread has it, or after it failed there.
    results: Option<Results>,
    waiting: Option<(Chunk, Vec<RowOutcome>)>,
}

impl Recorder {
    /// Writes down and syncs what waits.
    async fn write(&mut self) -> Result<(), CliError> {
        match self.waiting.take() {
            None => Ok(()),
            Some((chunk, outcomes)) => self.on_thread(move |results| results.record(&chunk, &outcomes)).await,
        }
    }

    /// Writes down one same outcome for a chunk, behind what waits.
    async fn rest(&mut self, chunk: Chunk, outcome: &'static str) -> Result<(), CliError> {
        self.write().await?;
        self.on_thread(move |results| results.record_all(&chunk, outcome)).await
    }

    async fn finish(mut self) -> Result<Results, CliError> {
        self.write().await?;
        self.on_thread(Results::sync).await?;
        self.results.ok_or_else(lost_results)
    }

    async fn on_thread(
        &mut self,
        work: impl FnOnce(&mut Results) -> Result<(), ResultsError> + Send + 'static,
    ) -> Result<(), CliError> {
        let mut results = self.results.take().ok_or_else(lost_results)?;
        let (results, done) = spawn_blocking(move || {
            let done = work(&mut results);
            (results, done)
        })
        .await
        .map_err(|error| CliError::new("internal", error.to_string()))?;
        self.results = Some(results);
        done.map_err(|error| {
            CliError::unknown(error.to_string())
                .hint("Outcomes could not be written down. Make room, then run walletctl batch resume: what happened replays.")
        })
    }
}

fn lost_results() -> CliError {
    CliError::new("internal", "the results file is gone")
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
