//! Balances at past moments: one look-up, and one a run, however long the history is.
//!
//! What is read are the rows that [`super::past`] writes behind every [`MARK_EVERY`]th entry of an account: a mark, where
//! its runs ended then, and the entries since the mark before in short, a stretch a run. The last mark at or
//! before the cut splits each run. What counts before the run's end there was known by then, since in a run time and seq
//! grow together: it is in the last stretch that begins by that time. What counts later is that end itself or in the
//! first stretch behind it. Only behind the account's last mark are the entries themselves read, in order until time or
//! cut end it.
//!
//! Of many runs few go on between two marks: the next mark says which, and only those are looked up behind the cut's.
//!
//! Cost: one or two look-ups for marks, one a run, and fewer than [`MARK_EVERY`] rows in all; none of it for a
//! run that ends before both.

use std::{
    cell::{Cell, OnceCell},
    ops::RangeInclusive,
};

use fjall::{Readable as _, Snapshot};
use wallet_core::{
    account::Account,
    money::Balance,
    ports::StoreError,
    runs::{OVERFLOW, Tail},
    time::Timestamp,
};

use super::{
    Engine,
    codec::{
        ENTRY_KEY, Mark, Place, damaged, decode_entry, decode_entry_key, decode_mark, entry_key, entry_key_behind,
        last_step, mark_key,
    },
    engine,
};

/// Entries of an account between two marks. Fewer would be read faster, and cost more room: a mark has about 15
/// bytes a run, an entry about 40 and in a stretch 10.
pub(super) const MARK_EVERY: u64 = 64;

/// Below this many entries a point, walking the run is cheaper than looking each point up.
/// (A look-up costs a seek of about 2 µs, walking an entry about 0.2 µs.)
const WALK_PER_POINT: u64 = 12;

/// From so many runs on, asking the next mark which of them go on saves more look-ups than it is.
const MANY_RUNS: usize = 4;

pub(super) struct Search<'a> {
    snapshot: &'a Snapshot,
    store: &'a Engine,
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
    rest: Rest,
    /// Where they ended at the mark behind that one, once it was asked for.
    next: OnceCell<Vec<Tail>>,
}

/// Where that is which the cut knows behind those ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// There is nothing.
    Nothing,
    /// In the stretches of the next mark.
    Stretches,
    /// Among the entries: there is no next mark.
    Entries,
}

impl Past {
    fn of(known: u64, tails: Vec<Tail>, rest: Rest) -> Self {
        Self { known, tails, rest, next: OnceCell::new() }
    }
}

impl<'a> Search<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, store: &'a Engine, account: &'a Account) -> Self {
        Self { snapshot, store, account, reads: Cell::default() }
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
            let first = times.first().copied().unwrap_or(Timestamp::MAX);
            let past = self.past(known, first)?;
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
    pub(super) fn rows(&self, range: RangeInclusive<[u8; ENTRY_KEY]>) -> fjall::Iter {
        self.count(1, 0);
        self.snapshot.range(&self.store.entries, range)
    }

    /// Marks or stretches of a range of keys.
    fn past_rows(&self, range: RangeInclusive<[u8; ENTRY_KEY]>) -> fjall::Iter {
        self.count(1, 1);
        self.snapshot.range(&self.store.past, range)
    }

    /// The account's runs as known at a seq, asked for no time before `first`.
    pub(super) fn past(&self, known: u64, first: Timestamp) -> Result<Past, StoreError> {
        let account = self.account;
        let short = account.version < MARK_EVERY || account.runs.tails.iter().all(|tail| tail.effective_at <= first);
        if known >= account.seq && short {
            return Ok(Past::of(known, account.runs.tails.clone(), Rest::Nothing));
        }
        if account.version < MARK_EVERY {
            return Ok(Past::of(known, Vec::new(), Rest::Entries));
        }
        let marks = mark_key(account.opened_seq, 0)..=mark_key(account.opened_seq, known);
        let mark = match self.past_rows(marks).next_back() {
            Some(guard) => decode_mark(&guard.value().map_err(engine)?, account.scale())?,
            None => Mark::default(),
        };
        let last = mark.version.saturating_add(MARK_EVERY) > account.version;
        let rest = if last { Rest::Entries } else { Rest::Stretches };
        Ok(Past::of(known, mark.tails, rest))
    }

    /// The last entry of a run with `effective_at <= at` that a cut knows, and the run's sum there.
    pub(super) fn last_of_run(
        &self,
        run: u8,
        at: Timestamp,
        past: &Past,
    ) -> Result<Option<(Place, Balance)>, StoreError> {
        let number = self.account.opened_seq;
        let mark = past.tails.get(usize::from(run)).copied();
        let end = self.account.runs.tails.get(usize::from(run)).map(|tail| tail.seq);
        match mark {
            Some(mark) if at < mark.effective_at && past.rest == Rest::Nothing => self.by_time(run, at),
            Some(mark) if at < mark.effective_at => {
                let begun = entry_key(number, run, Timestamp::MIN, 0)..=entry_key(number, run, at, u64::MAX);
                self.in_stretch(self.past_rows(begun).next_back(), at, past.known)
            }
            _ if past.rest == Rest::Nothing || mark.map(|mark| mark.seq) == end => Ok(mark.map(at_tail)),
            _ if past.rest == Rest::Entries => self.behind(run, mark, at, past.known),
            _ if !self.goes_on(run, mark, past)? => Ok(mark.map(at_tail)),
            _ => {
                let behind = entry_key_behind(number, run, mark)..=entry_key(number, run, at, u64::MAX);
                let found = self.in_stretch(self.past_rows(behind).next(), at, past.known)?;
                Ok(found.or(mark.map(at_tail)))
            }
        }
    }

    /// False if a run ends at the next mark where it ended at the last one, or is at neither.
    fn goes_on(&self, run: u8, mark: Option<Tail>, past: &Past) -> Result<bool, StoreError> {
        if self.account.runs.tails.len() < MANY_RUNS {
            return Ok(true);
        }
        let next = if let Some(next) = past.next.get() {
            next
        } else {
            let number = self.account.opened_seq;
            let marks = mark_key(number, past.known.saturating_add(1))..=mark_key(number, u64::MAX);
            let guard = self.past_rows(marks).next().ok_or_else(|| damaged("an account lacks a mark"))?;
            let tails = decode_mark(&guard.value().map_err(engine)?, self.account.scale())?.tails;
            past.next.get_or_init(|| tails)
        };
        Ok(next.get(usize::from(run)).map(|next| next.seq) != mark.map(|mark| mark.seq))
    }

    /// The last step of a stretch that counts by a time and is known.
    fn in_stretch(
        &self,
        stretch: Option<fjall::Guard>,
        at: Timestamp,
        known: u64,
    ) -> Result<Option<(Place, Balance)>, StoreError> {
        let Some(stretch) = stretch else { return Ok(None) };
        let (key, row) = stretch.into_inner().map_err(engine)?;
        let step = last_step(decode_entry_key(&key)?, &row, self.account.scale(), at, known)?;
        Ok(step.map(|step| (step.place, step.run_after)))
    }

    /// The last entry of a run behind the last mark's end that counts by `at` and is known; else that end.
    fn behind(
        &self,
        run: u8,
        mark: Option<Tail>,
        at: Timestamp,
        known: u64,
    ) -> Result<Option<(Place, Balance)>, StoreError> {
        let number = self.account.opened_seq;
        let mut last = None;
        for guard in self.rows(entry_key_behind(number, run, mark)..=entry_key(number, run, at, u64::MAX)) {
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

    /// The last entry of a run by a time, whoever knows it.
    fn by_time(&self, run: u8, at: Timestamp) -> Result<Option<(Place, Balance)>, StoreError> {
        let last = self.range(run, Timestamp::MIN, at).next_back();
        self.count(0, 1);
        last.map(|guard| self.found(guard.into_inner())).transpose()
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
