//! What became of rows: lines of a results file, and what they come to.
//!
//! Lines are counted by the same rule whether they are written ([`Tally`] in a run) or read again
//! ([`scan`]), so that a run need not read what it wrote to tell what came of it.

use std::{borrow::Cow, io};

use serde::{Deserialize, Serialize};
use wallet_api::types::RowOutcome;

use super::row::{number, string};

/// Refusals and conflicts kept to be shown to people.
const SHOWN: usize = 10;

/// One line.
#[derive(Debug, Deserialize)]
pub struct ResultLine<'a> {
    /// Line of the batch file.
    pub line: u64,
    /// First row of its chunk, in the order they run.
    pub chunk: u64,
    /// The row's key.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// `ok`, `replayed`, `refused`, `conflict`, `not_attempted` or `unknown`.
    #[serde(borrow)]
    pub outcome: Cow<'a, str>,
    /// Why it was refused.
    #[serde(borrow, default)]
    pub code: Option<Cow<'a, str>>,
    /// For a conflict: the first field that differs.
    #[serde(borrow, default)]
    pub field: Option<Cow<'a, str>>,
    /// Why, in words.
    #[serde(borrow, default)]
    pub message: Option<Cow<'a, str>>,
    /// The transaction.
    #[serde(borrow, default)]
    pub transaction: Option<Cow<'a, str>>,
    /// Its record.
    #[serde(default)]
    pub seq: Option<u64>,
}

/// Rows by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Happened now.
    pub ok: u64,
    /// Had happened before.
    pub replayed: u64,
    /// A rule forbids them.
    pub refused: u64,
    /// Their key was used for something else.
    pub conflict: u64,
    /// Not tried.
    pub not_attempted: u64,
    /// The answer was lost.
    pub unknown: u64,
}

impl Counts {
    /// Counts one outcome.
    pub fn add(&mut self, outcome: &str) {
        *match outcome {
            "ok" => &mut self.ok,
            "replayed" => &mut self.replayed,
            "refused" => &mut self.refused,
            "conflict" => &mut self.conflict,
            "not_attempted" => &mut self.not_attempted,
            _ => &mut self.unknown,
        } += 1;
    }

    /// Rows whose outcome never changes.
    pub fn settled(&self) -> u64 {
        self.ok + self.replayed + self.refused + self.conflict
    }

    /// Rows whose money has moved, now or before.
    pub fn committed(&self) -> u64 {
        self.ok + self.replayed
    }

    /// Rows that were judged and turned down.
    pub fn failed(&self) -> u64 {
        self.refused + self.conflict
    }
}

/// True if a row's money has moved, now or before.
pub fn is_committed(outcome: &str) -> bool {
    matches!(outcome, "ok" | "replayed")
}

/// True if a row was judged and turned down.
pub fn is_failed(outcome: &str) -> bool {
    matches!(outcome, "refused" | "conflict")
}

/// A row that failed, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Line of the batch file.
    pub line: u64,
    /// The row's key.
    pub key: String,
    /// `refused` or `conflict`.
    pub outcome: String,
    /// Why: the code, or the field that differs.
    pub code: String,
    /// Why, in words.
    pub message: String,
}

impl Failure {
    fn of(line: &ResultLine<'_>) -> Self {
        let text = |text: &Option<Cow<'_, str>>| text.as_ref().map_or_else(String::new, ToString::to_string);
        Self {
            line: line.line,
            key: line.key.to_string(),
            outcome: line.outcome.to_string(),
            code: text(if line.code.is_some() { &line.code } else { &line.field }),
            message: text(&line.message),
        }
    }
}

/// What the lines of a results file come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows by outcome.
    pub counts: Counts,
    /// The first failures.
    pub failures: Vec<Failure>,
    /// Lines in all.
    pub lines: u64,
}

impl Tally {
    /// Counts a line with this outcome. `failure` is asked for if the row failed and is one of the first.
    fn take(&mut self, outcome: &str, failure: impl FnOnce() -> Option<Failure>) {
        self.lines += 1;
        self.counts.add(outcome);
        if is_failed(outcome) && self.failures.len() < SHOWN {
            self.failures.extend(failure());
        }
    }
}

/// What a results file holds.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// All of it.
    pub tally: Tally,
    /// Rows whose outcome stands: where the batch goes on.
    pub settled: u64,
    /// Bytes of their lines.
    pub keep: u64,
    /// True if rows that were not tried or whose outcome is unknown are written down.
    pub stopped: bool,
}

/// Appends a line, and counts it as it is written.
pub fn write(into: &mut Vec<u8>, tally: &mut Tally, (row, chunk): (u64, u64), key: &[u8], outcome: &RowOutcome) {
    let start = into.len();
    into.extend_from_slice(b"{\"line\":");
    number(into, row);
    into.extend_from_slice(b",\"key\":");
    into.extend_from_slice(key);
    into.extend_from_slice(b",\"outcome\":");
    string(into, &outcome.outcome);
    for (name, text) in
        [(&b",\"code\":"[..], &outcome.code), (b",\"field\":", &outcome.field), (b",\"message\":", &outcome.message)]
    {
        if let Some(text) = text {
            into.extend_from_slice(name);
            string(into, text);
        }
    }
    if let Some(id) = outcome.transaction {
        into.extend_from_slice(b",\"transaction\":\"tx_");
        number(into, id.epoch);
        into.push(b'_');
        number(into, id.seq);
        into.push(b'"');
    }
    if let Some(seq) = outcome.seq {
        into.extend_from_slice(b",\"seq\":");
        number(into, seq);
    }
    into.extend_from_slice(b",\"chunk\":");
    number(into, chunk);
    into.extend_from_slice(b"}\n");
    // One that failed is read back, so that it is told as whoever reads the file tells it.
    tally.take(&outcome.outcome, || {
        let line = into.get(start..).unwrap_or_default();
        serde_json::from_slice(line).ok().as_ref().map(Failure::of)
    });
}

/// Reads lines up to the first that is none. `rows` is how many the batch has.
pub fn scan(mut reader: impl io::BufRead, rows: u64, atomic: bool) -> io::Result<Held> {
    let mut held = Held::default();
    let mut text = Vec::new();
    // Bytes and rows before the chunk that the last settled line is of.
    let (mut chunk, mut before) = (None, (0_u64, 0_u64));
    let mut bytes = 0_u64;
    loop {
        text.clear();
        let read = reader.read_until(b'\n', &mut text)? as u64;
        if read == 0 || text.last() != Some(&b'\n') {
            break;
        }
        let Ok(line) = serde_json::from_slice::<ResultLine<'_>>(&text) else {
            break;
        };
        held.tally.take(&line.outcome, || Some(Failure::of(&line)));
        let settled = is_committed(&line.outcome) || is_failed(&line.outcome);
        held.stopped |= !settled;
        if !held.stopped {
            if chunk != Some(line.chunk) {
                chunk = Some(line.chunk);
                before = (bytes, held.settled);
            }
            held.settled += 1;
            held.keep = bytes + read;
        }
        bytes += read;
    }
    if !held.stopped && held.tally.lines < rows {
        // Ended without a word: part of the last chunk may be missing.
        (held.keep, held.settled) = before;
    }
    if atomic && held.tally.counts.committed() < rows {
        (held.keep, held.settled) = (0, 0);
    }
    Ok(held)
}
