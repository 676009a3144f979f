//! Balances at past moments: per run, one look-up and a few rows, however long the history is.
//!
//! Behind every [`MARK_EVERY`]th entry of an account stands a mark: where its runs ended then. The last mark at or
//! before the cut splits each run. What counts before the run's end there was known by then, since in a run time and seq
//! grow together: one look-up by time finds it. What counts later is that end itself or one of the
//! fewer than [`MARK_EVERY`] entries behind the mark, read in order until time or cut end it.
//!
//! Cost: one look-up for the mark, one a run, and fewer than [`MARK_EVERY`] rows in all; none of it for a
//! run that ends before both.

use std::cell::Cell;

use fjall::{Keyspace, Readable, Snapshot};
use wallet_core::{
    account::Account,
    money::Balance,
    ports::StoreError,
    runs::{OVERFLOW, Tail},
    time::Timestamp,
};

use super::{
    codec::{ENTRY_KEY, Place, damaged, decode_entry, decode_entry_key, decode_mark, entry_key, mark_key},
    engine,
};

/// Entries of an account between two marks. Fewer would be read faster, and cost more room: a mark has about 15
/// bytes a run, an entry about 40.
pub(super) const MARK_EVERY: u64 = 64;

/// Below this many entries a point, walking the run is cheaper than looking each point up.
/// (A look-up costs a seek of about 2 µs, walking an entry about 0.2 µs.)
const WALK_PER_POINT: u64 = 12;

pub(super) struct Search<'a> {
    snapshot: &'a Snapshot,
    entries: &'a Keyspace,
    pub(super) account: &'a Account,
    /// What was read so far.
    reads: Cell<Reads>,
}

/// What answering took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Places looked up.
    pub(super) seeks: u64,
    /// Rows read.
    pub(super) rows: u64,
}

/// An account's runs as a cut knows them.
pub(super) struct Past {
    known: u64,
    /// Where the runs ended at the last mark the cut knows.
    tails: Vec<Tail>,
    /// Nothing the cut knows stands behind those ends.
    whole: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, entries: &'a Keyspace, account: &'a Account) -> Self {
        Self { snapshot, entries, account, reads: Cell::default() }
    }

    pub(super) fn reads(&self) -> Reads {
        self.reads.get()
    }

    fn count(&self, seeks: u64, rows: u64) {
        let so_far = self.reads.get();
        self.reads.set(Reads { seeks: so_far.seeks + seeks, rows: so_far.rows + rows });
    }

    /// Balances at ascending times, as known at a seq.
    pub(super) fn balances(&self, times: &[Timestamp], known: u64) -> Result<Vec<Balance>, StoreError> {
        let account = self.account;
        let mut sums = vec![Balance::zero(account.scale()); times.len()];
        let runs = account.runs.tails.len() as u64;
        let looked_up = (times.len() as u64).saturating_mul(runs).saturating_mul(WALK_PER_POINT);
        if account.version < looked_up && times.len() > 1 {
            self.walk(times, known, &mut sums)?;
        } else {
            let past = self.past(known)?;
            for (at, sum) in times.iter().zip(&mut sums) {
                for (run, _) in (0_u8..).zip(&account.runs.tails) {
                    if let Some((_, run_after)) = self.last_of_run(run, *at, &past)? {
                        add(sum, run_after)?;
                    }
                }
            }
        }
        if account.runs.overflow > 0 {
            self.overflow(times, known, &mut sums)?;
        }
        Ok(sums)
    }

    /// Every entry once, in every run at the same time as the points: O(entries + points).
    fn walk(&self, times: &[Timestamp], known: u64, sums: &mut [Balance]) -> Result<(), StoreError> {
        for (run, _) in (0_u8..).zip(&self.account.runs.tails) {
            let mut point = 0;
            let mut last = None;
            let end = times.last().copied().unwrap_or(Timestamp::MIN);
            for guard in self.range(run, Timestamp::MIN, end) {
                let (key, value) = guard.into_inner().map_err(engine)?;
                let place = decode_entry_key(&key)?;
                if place.seq > known {
                    break;
                }
                while times.get(point).is_some_and(|at| *at < place.effective_at) {
                    add_at(sums, point, last)?;
                    point += 1;
                }
                last = Some(decode_entry(&value, self.account.scale())?.run_after);
            }
            for rest in point..times.len() {
                add_at(sums, rest, last)?;
            }
        }
        Ok(())
    }

    fn overflow(&self, times: &[Timestamp], known: u64, sums: &mut [Balance]) -> Result<(), StoreError> {
        let end = times.last().copied().unwrap_or(Timestamp::MIN);
        for guard in self.range(OVERFLOW, Timestamp::MIN, end) {
            let (key, value) = guard.into_inner().map_err(engine)?;
            let place = decode_entry_key(&key)?;
            if place.seq > known {
                continue;
            }
            let amount = decode_entry(&value, self.account.scale())?.amount;
            let first = times.partition_point(|at| *at < place.effective_at);
            for sum in sums.iter_mut().skip(first) {
                add(sum, amount)?;
            }
        }
        Ok(())
    }

    fn range(&self, run: u8, from: Timestamp, to: Timestamp) -> fjall::Iter {
        let number = self.account.opened_seq;
        self.rows(entry_key(number, run, from, 0)..=entry_key(number, run, to, u64::MAX))
    }

    /// Rows of a range of entry keys.
    pub(super) fn rows(&self, range: std::ops::RangeInclusive<[u8; ENTRY_KEY]>) -> fjall::Iter {
        self.count(1, 0);
        self.snapshot.range(self.entries, range)
    }

    /// The account's runs as known at a seq.
    pub(super) fn past(&self, known: u64) -> Result<Past, StoreError> {
        let account = self.account;
        if known >= account.seq {
            return Ok(Past { known, tails: account.runs.tails.clone(), whole: true });
        }
        if account.version < MARK_EVERY {
            return Ok(Past { known, tails: Vec::new(), whole: false });
        }
        self.count(1, 1);
        let marks = mark_key(account.opened_seq, 0)..=mark_key(account.opened_seq, known);
        let tails = match self.snapshot.range(self.entries, marks).next_back() {
            Some(guard) => decode_mark(&guard.value().map_err(engine)?, account.scale())?,
            None => Vec::new(),
        };
        Ok(Past { known, tails, whole: false })
    }

    /// The last entry of a run with `effective_at <= at` that a cut knows, and the run's sum there.
    pub(super) fn last_of_run(
        &self,
        run: u8,
        at: Timestamp,
        past: &Past,
    ) -> Result<Option<(Place, Balance)>, StoreError> {
        let mark = past.tails.get(usize::from(run)).copied();
        if mark.is_some_and(|mark| at < mark.effective_at) {
            let last = self.range(run, Timestamp::MIN, at).next_back();
            self.count(0, 1);
            return last.map(|guard| self.found(guard.into_inner())).transpose();
        }
        let end = self.account.runs.tails.get(usize::from(run)).map(|tail| tail.seq);
        if past.whole || mark.map(|mark| mark.seq) == end {
            return Ok(mark.map(at_tail));
        }
        self.behind(run, mark, at, past.known)
    }

    /// The last entry of a run behind a mark's end that counts by `at` and is known; else that end.
    fn behind(
        &self,
        run: u8,
        mark: Option<Tail>,
        at: Timestamp,
        known: u64,
    ) -> Result<Option<(Place, Balance)>, StoreError> {
        let number = self.account.opened_seq;
        let start = mark.map_or((Timestamp::MIN, 0), |mark| (mark.effective_at, mark.seq.saturating_add(1)));
        let mut last = None;
        for guard in self.rows(entry_key(number, run, start.0, start.1)..=entry_key(number, run, at, u64::MAX)) {
            let row = guard.into_inner().map_err(engine)?;
            self.count(0, 1);
            if decode_entry_key(&row.0)?.seq > known {
                break;
            }
            last = Some(row);
        }
        match last {
            Some(row) => self.found(Ok(row)).map(Some),
            None => Ok(mark.map(at_tail)),
        }
    }

    fn found(&self, row: fjall::Result<fjall::KvPair>) -> Result<(Place, Balance), StoreError> {
        let (key, value) = row.map_err(engine)?;
        Ok((decode_entry_key(&key)?, decode_entry(&value, self.account.scale())?.run_after))
    }
}

fn at_tail(tail: Tail) -> (Place, Balance) {
    (Place { effective_at: tail.effective_at, seq: tail.seq }, tail.sum)
}

fn add(sum: &mut Balance, more: Balance) -> Result<(), StoreError> {
    *sum = sum.plus(more).ok_or_else(|| damaged("a sum of runs leaves the range"))?;
    Ok(())
}

fn add_at(sums: &mut [Balance], index: usize, more: Option<Balance>) -> Result<(), StoreError> {
    match (sums.get_mut(index), more) {
        (Some(sum), Some(more)) => add(sum, more),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
