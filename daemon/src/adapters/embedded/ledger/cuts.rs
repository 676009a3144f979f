//! Cuts: what a cut at each record is, in one plain file, each at its place.
//!
//! Every answer of the past names its cut. To read it from the journal is to read, unpack, check and parse a block of
//! records for one hash, a quarter of what such an answer costs; and to find the cut of a moment is a binary search
//! among them. Here it is one read of [`ROW`] bytes.
//!
//! Written behind every commit without syncing, since it follows from the journal, and never believed: a row has a check
//! that only its ledger and its place give. One that does not check out, be it damaged, lost with the power or never
//! written, is made from the journal when it is asked for, and put back.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use wallet_core::{
    cut::{Cut, Hash},
    journal::Stored,
    ports::StoreError,
    time::Timestamp,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::io;

/// Hash, time, epoch, group, check.
const ROW: usize = 64;
/// Most rows of one write.
const WRITE_ROWS: usize = 1_024;

/// The file. Readers use it beside the writer: a row is there before a head that lets it be asked for.
pub(super) struct Cuts {
    file: File,
    /// What a ledger's checks begin with: another ledger's rows are none.
    seed: u64,
    failing: AtomicBool,
}

/// A record's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CutRow {
    cut: Cut,
    /// Records of its group up to it, if the group goes on behind it: no cut ends there.
    unfinished: u64,
}

impl CutRow {
    pub(super) fn of(stored: &Stored) -> Self {
        let record = &stored.record;
        let up_to = record.group.filter(|_| !record.ends_group()).map(|part| u64::from(part.index) + 1);
        Self { cut: stored.cut(), unfinished: up_to.unwrap_or_default() }
    }

    /// The chain at its record.
    pub(super) fn cut(&self) -> Cut {
        self.cut
    }

    /// The seq before its record's group, if the group goes on behind it.
    pub(super) fn before_group(&self) -> Option<u64> {
        (self.unfinished > 0).then(|| self.cut.seq.saturating_sub(self.unfinished))
    }

    fn encode(&self, seed: u64, row: &mut Vec<u8>) {
        let begin = row.len();
        row.extend_from_slice(&self.cut.hash.0);
        row.extend_from_slice(&self.cut.recorded_at.as_micros().to_be_bytes());
        row.extend_from_slice(&self.cut.epoch.to_be_bytes());
        row.extend_from_slice(&self.unfinished.to_be_bytes());
        let check = check_of(row.get(begin..).unwrap_or_default(), seed, self.cut.seq);
        row.extend_from_slice(&check.to_be_bytes());
    }

    fn decode(row: &[u8; ROW], seed: u64, seq: u64) -> Option<Self> {
        let (checked, check) = row.split_last_chunk()?;
        if check_of(checked, seed, seq) != u64::from_be_bytes(*check) {
            return None;
        }
        let (hash, rest) = checked.split_first_chunk()?;
        let (recorded_at, rest) = rest.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let recorded_at = Timestamp::from_micros(i64::from_be_bytes(*recorded_at));
        let cut = Cut { epoch: u64::from_be_bytes(*epoch), seq, recorded_at, hash: Hash(*hash) };
        Some(Self { cut, unfinished: u64::from_be_bytes(*rest.first_chunk()?) })
    }
}

fn check_of(checked: &[u8], seed: u64, seq: u64) -> u64 {
    xxh3_64_with_seed(checked, seed.wrapping_add(seq))
}

impl Cuts {
    /// Opens the file of a ledger. What lies behind its head is none of its records.
    pub(super) fn open(path: &Path, id: &str, head: u64) -> Result<Self, StoreError> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(io)?;
        let cuts = Self { file, seed: xxh3_64_with_seed(id.as_bytes(), 0), failing: AtomicBool::new(false) };
        cuts.forget_behind(head)?;
        Ok(cuts)
    }

    /// Forgets what lies behind a head.
    pub(super) fn forget_behind(&self, head: u64) -> Result<(), StoreError> {
        let end = place(head.saturating_add(1));
        if self.file.metadata().map_err(io)?.len() > end {
            self.file.set_len(end).map_err(io)?;
        }
        Ok(())
    }

    /// Adds the rows of records that follow each other. Failing here loses nothing: the journal has them.
    pub(super) fn add<'a>(&self, records: impl IntoIterator<Item = &'a Stored>) {
        let mut rows = Vec::with_capacity(ROW);
        let mut first = None;
        for stored in records {
            first.get_or_insert(stored.record.seq);
            CutRow::of(stored).encode(self.seed, &mut rows);
            if rows.len() >= WRITE_ROWS * ROW {
                self.write(&rows, first.take());
                rows.clear();
            }
        }
        self.write(&rows, first);
    }

    fn write(&self, rows: &[u8], first: Option<u64>) {
        let Some(first) = first else { return };
        let written = self.file.write_all_at(rows, place(first));
        let failed = written.is_err();
        let failed_before = self.failing.swap(failed, Ordering::Relaxed);
        if let Err(error) = written
            && !failed_before
        {
            tracing::warn!(%error, "the ledger's file of cuts could not be written; the ledger itself is complete");
        }
    }

    /// The row of a record, if it is there and good.
    pub(super) fn get(&self, seq: u64) -> Option<CutRow> {
        let mut row = [0; ROW];
        self.file.read_exact_at(&mut row, place(seq)).ok()?;
        CutRow::decode(&row, self.seed, seq)
    }
}

fn place(seq: u64) -> u64 {
    seq.saturating_mul(ROW as u64)
}
