//! The second reading: rows in the order they run, made into requests.
//!
//! A chunk is what one request carries. Its key is made of the file's hash, how the batch runs and
//! the chunk's first row, so the same rows are always asked for under the same key: a chunk whose
//! answer was lost gives the very same outcomes when it is sent again.

use std::{io, ops::Range, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wallet_api::types::BatchMode;
use wallet_core::{cut::Hash, time::Timestamp};

use super::{
    check::{Format, Parser, text},
    csv::Field,
    faults::Faults,
    input::{Lines, Source},
    row::Known,
    sort::{Sorted, Sorter},
};

/// A chunk is closed behind the row that takes it over so many bytes. With the longest row on top it stays
/// far below the daemon's limit on a body.
const MAX_BODY: usize = 4 << 20;
/// Room for a typical chunk of 5,000 rows.
const BODY: usize = 1 << 20;

/// In which order rows run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// As they stand in the file.
    #[default]
    File,
    /// By `effective_at`; rows without one come last. For files that are newest first.
    #[value(name = "effective_at")]
    EffectiveAt,
}

/// How a batch runs; part of every chunk's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// SHA-256 of the file.
    pub sha256: Hash,
    /// The file's format.
    pub format: Format,
    /// What happens after a refusal.
    pub mode: BatchMode,
    /// In which order rows run.
    pub sort: Sort,
    /// Most rows of a chunk.
    pub chunk: usize,
    /// 1, so that every machine asks under the same keys; for a batch that is asked for once more, the
    /// moment of that, so that its rows are judged anew.
    pub attempt: i64,
}

impl Plan {
    /// The key of the chunk that starts with a row, counted from 0 in the order they run.
    pub fn key(&self, start: u64) -> String {
        let mut hash = Sha256::new();
        hash.update(self.sha256.0);
        hash.update(format!("{:?} {:?} {} {}", self.mode, self.sort, self.chunk, self.attempt));
        let digest = Hash(hash.finalize().into()).to_string();
        format!("batch:{}:{start}", digest.get(..40).unwrap_or_default())
    }
}

/// A row of a chunk.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its line in the file.
    pub line: u64,
    /// Where its key is in the chunk's body, as a JSON string.
    pub key: Range<usize>,
}

/// What one request carries.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Its first row, counted from 0 in the order they run.
    pub start: u64,
    /// Its rows.
    pub rows: Vec<Sent>,
    /// The request's body.
    pub body: Bytes,
}

impl Chunk {
    /// The row behind its last.
    pub fn end(&self) -> u64 {
        self.start + self.rows.len() as u64
    }
}

/// Why the second reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    /// The file cannot be read, or the sort has no room.
    #[error("reading the batch: {0}")]
    Io(#[from] io::Error),
    /// The file is not what it was when it was checked.
    #[error("{0} was changed while it ran")]
    Changed(String),
}

enum Order {
    File(Lines),
    Sorted { items: Sorted<28>, buffer: Vec<u8> },
}

/// Makes chunks.
pub struct Chunker {
    source: Arc<Source>,
    parser: Parser,
    order: Order,
    fields: Vec<Field>,
    head: Vec<u8>,
    max_rows: usize,
    next: u64,
}

impl Chunker {
    /// Reads a checked file again, in the plan's order.
    pub fn new(source: &Arc<Source>, plan: &Plan, mut known: Known) -> Result<Self, ChunkError> {
        let changed = || ChunkError::Changed(source.name().to_owned());
        let mut lines = source.lines();
        let mut faults = Faults::default();
        let parser = Parser::start(plan.format, &mut lines, &mut faults)?.ok_or_else(changed)?;
        let mut fields = Vec::new();
        let order = match plan.sort {
            Sort::File => Order::File(lines),
            Sort::EffectiveAt => {
                let items = sort(&mut lines, &parser, &mut fields, &mut known)?.ok_or_else(changed)?;
                Order::Sorted { items, buffer: Vec::new() }
            }
        };
        let head = format!("{{\"mode\":{},\"commands\":[", mode_json(plan.mode)).into_bytes();
        Ok(Self { source: source.clone(), parser, order, fields, head, max_rows: plan.chunk, next: 0 })
    }

    /// Passes over the first rows.
    pub fn skip(&mut self, rows: u64) -> Result<(), ChunkError> {
        while self.next < rows {
            let skipped = match &mut self.order {
                Order::File(lines) => loop {
                    match lines.next_line()? {
                        Some(line) if line.bytes.is_some_and(<[u8]>::is_empty) => {}
                        line => break line.is_some(),
                    }
                },
                Order::Sorted { items, .. } => items.next_item()?.is_some(),
            };
            if !skipped {
                return Err(self.changed());
            }
            self.next += 1;
        }
        Ok(())
    }

    /// The next chunk; none behind the last row.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, ChunkError> {
        let mut rows = Vec::with_capacity(self.max_rows);
        let mut body = Vec::with_capacity(BODY);
        body.extend_from_slice(&self.head);
        while rows.len() < self.max_rows && body.len() < MAX_BODY && self.add(&mut rows, &mut body)? {}
        if !self.source.unchanged() {
            return Err(self.changed());
        }
        if rows.is_empty() {
            return Ok(None);
        }
        body.extend_from_slice(b"]}");
        let chunk = Chunk { start: self.next, rows, body: body.into() };
        self.next = chunk.end();
        Ok(Some(chunk))
    }

    /// Adds the next row; false behind the last.
    fn add(&mut self, rows: &mut Vec<Sent>, body: &mut Vec<u8>) -> Result<bool, ChunkError> {
        let (line, bytes) = match &mut self.order {
            Order::File(lines) => match lines.next_line()? {
                None => return Ok(false),
                Some(line) => match line.bytes {
                    Some([]) => return Ok(true),
                    bytes => (line.number, bytes),
                },
            },
            Order::Sorted { items, buffer } => match items.next_item()? {
                None => return Ok(false),
                Some(item) => {
                    let item = Item::from_bytes(item);
                    self.source.line_at(item.offset, item.len as usize, buffer)?;
                    (item.line, Some(buffer.as_slice()))
                }
            },
        };
        // The first reading found every row good, and whether the file is still that one is asked behind the chunk's last row:
        // the rules need not be gone through again. A row that is none was changed since.
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some(row) = text.and_then(|text| self.parser.row(text, &mut self.fields).ok()) else {
            return Err(ChunkError::Changed(self.source.name().to_owned()));
        };
        if !rows.is_empty() {
            body.push(b',');
        }
        let key = row.encode(body);
        rows.push(Sent { line, key });
        Ok(true)
    }

    fn changed(&self) -> ChunkError {
        ChunkError::Changed(self.source.name().to_owned())
    }
}

fn mode_json(mode: BatchMode) -> &'static str {
    match mode {
        BatchMode::Continue => "\"continue\"",
        BatchMode::Stop => "\"stop\"",
        BatchMode::Atomic => "\"atomic\"",
    }
}

/// A row's place in the order, and where it is in the file.
struct Item {
    at: Timestamp,
    line: u64,
    offset: u64,
    len: u32,
}

impl Item {
    /// Bytes that sort by time, then line.
    fn to_bytes(&self) -> [u8; 28] {
        // Flipping the sign bit makes negative times sort before positive ones.
        let at = self.at.as_micros().cast_unsigned() ^ (1 << 63);
        let mut bytes = [0; 28];
        let parts = at.to_be_bytes().into_iter().chain(self.line.to_be_bytes()).chain(self.offset.to_be_bytes());
        for (to, from) in bytes.iter_mut().zip(parts.chain(self.len.to_be_bytes())) {
            *to = from;
        }
        bytes
    }

    fn from_bytes(bytes: [u8; 28]) -> Self {
        let number = |from: usize| {
            let part = bytes.get(from..).and_then(<[u8]>::first_chunk::<8>).copied();
            u64::from_be_bytes(part.unwrap_or_default())
        };
        let at = (number(0) ^ (1 << 63)).cast_signed();
        let len = u32::from_be_bytes(bytes.last_chunk::<4>().copied().unwrap_or_default());
        Self { at: Timestamp::from_micros(at), line: number(8), offset: number(16), len }
    }
}

fn sort(
    lines: &mut Lines,
    parser: &Parser,
    fields: &mut Vec<Field>,
    known: &mut Known,
) -> Result<Option<Sorted<28>>, ChunkError> {
    let mut sorter = Sorter::<28>::default();
    let mut faults = Faults::default();
    while let Some(line) = lines.next_line()? {
        if line.bytes.is_some_and(<[u8]>::is_empty) {
            continue;
        }
        let facts = text(&line, &mut faults)
            .and_then(|text| parser.row(text, fields).ok().and_then(|row| row.check(text, known).ok()));
        let Some(facts) = facts else {
            return Ok(None);
        };
        let len = u32::try_from(line.bytes.map_or(0, <[u8]>::len)).unwrap_or(u32::MAX);
        let at = facts.effective_at.unwrap_or(Timestamp::MAX);
        sorter.push(Item { at, line: line.number, offset: line.offset, len }.to_bytes())?;
    }
    Ok(Some(sorter.finish()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_sort_by_time_then_line_and_read_back() {
        let item = |micros, line| Item { at: Timestamp::from_micros(micros), line, offset: 7, len: 9 }.to_bytes();
        let mut items = [item(5, 1), item(-3, 9), item(5, 0), item(i64::MAX, 2), item(0, 4)];
        items.sort_unstable();
        let back: Vec<_> =
            items.map(Item::from_bytes).iter().map(|i| (i.at.as_micros(), i.line, i.offset, i.len)).collect();
        assert_eq!(
            back,
            [(-3, 9, 7, 9), (0, 4, 7, 9), (5, 0, 7, 9), (5, 1, 7, 9), (Timestamp::MAX.as_micros(), 2, 7, 9)]
        );
    }
}
