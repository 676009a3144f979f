//! Balances at past moments: one reverse look-up a run, and more only where the cut is older than
//! what the first one found.
//!
//! In a run, `effective_at` never falls as seq grows, so "the last entry with seq <= K" is a search
//! over time as well: it is bracketed by probes, each one seek, guided by interpolation and kept honest by bisection.

use fjall::{Keyspace, Readable, Snapshot};
use wallet_core::{account::Account, money::Balance, ports::StoreError, runs::OVERFLOW, time::Timestamp};

use super::{
    codec::{ENTRY_KEY, Place, damaged, decode_entry, decode_entry_key, entry_key},
    engine,
};

/// Below this many entries a point, walking the run is cheaper than looking each point up.
/// (A look-up costs a seek of about 2 µs, walking an entry about 0.2 µs.)
const WALK_PER_POINT: u64 = 12;

/// Entries looked at from a run's end before it is searched: they lie in one block.
const STEPS_BACK: usize = 12;

pub(super) struct Search<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) entries: &'a Keyspace,
    pub(super) account: &'a Account,
    pub(super) known: u64,
    /// When the record `known` was made, or later.
    pub(super) known_at: Timestamp,
}

impl Search<'_> {
    /// Balances at ascending times.
    pub(super) fn balances(&self, times: &[Timestamp]) -> Result<Vec<Balance>, StoreError> {
        let account = self.account;
        let mut sums = vec![Balance::zero(account.scale()); times.len()];
        let runs = account.runs.tails.len() as u64;
        let looked_up = (times.len() as u64).saturating_mul(runs).saturating_mul(WALK_PER_POINT);
        if account.version < looked_up && times.len() > 1 {
            self.walk(times, &mut sums)?;
            return Ok(sums);
        }
        for (at, sum) in times.iter().zip(&mut sums) {
            for (run, _) in (0_u8..).zip(&account.runs.tails) {
                if let Some(run_after) = self.run_at(run, *at)? {
                    add(sum, run_after)?;
                }
            }
        }
        if account.runs.overflow > 0 {
            self.overflow(times, &mut sums)?;
        }
        Ok(sums)
    }

    /// Every entry once, in every run at the same time as the points: O(entries + points).
    fn walk(&self, times: &[Timestamp], sums: &mut [Balance]) -> Result<(), StoreError> {
        for (run, _) in (0_u8..).zip(&self.account.runs.tails) {
            let mut point = 0;
            let mut last = None;
            let end = times.last().copied().unwrap_or(Timestamp::MIN);
            for guard in self.range(run, Timestamp::MIN, end) {
                let (key, value) = guard.into_inner().map_err(engine)?;
                let place = decode_entry_key(&key)?;
                if place.seq > self.known {
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
        if self.account.runs.overflow > 0 {
            self.overflow(times, sums)?;
        }
        Ok(())
    }

    fn overflow(&self, times: &[Timestamp], sums: &mut [Balance]) -> Result<(), StoreError> {
        let end = times.last().copied().unwrap_or(Timestamp::MIN);
        for guard in self.range(OVERFLOW, Timestamp::MIN, end) {
            let (key, value) = guard.into_inner().map_err(engine)?;
            let place = decode_entry_key(&key)?;
            if place.seq > self.known {
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
        self.snapshot.range(self.entries, entry_key(number, run, from, 0)..=entry_key(number, run, to, u64::MAX))
    }

    /// The sum of a run at (T, K).
    fn run_at(&self, run: u8, at: Timestamp) -> Result<Option<Balance>, StoreError> {
        Ok(self.last_of_run(run, at, self.known)?.map(|(_, sum)| sum))
    }

    /// Rows of a range of entry keys.
    pub(super) fn rows(&self, range: std::ops::RangeInclusive<[u8; ENTRY_KEY]>) -> fjall::Iter {
        self.snapshot.range(self.entries, range)
    }

    /// The last entry of a run with `effective_at <= at` and `seq <= known`, and the run's sum there.
    ///
    /// Three steps, each for what the one before leaves open: one look-up by time; a few steps back,
    /// since what is too new lies mostly at the end; a search over time.
    pub(super) fn last_of_run(
        &self,
        run: u8,
        at: Timestamp,
        known: u64,
    ) -> Result<Option<(Place, Balance)>, StoreError> {
        // Nothing counts later than it was recorded, so nothing known counts after the cut was made.
        let at = at.min(self.known_at);
        let number = self.account.opened_seq;
        let range = entry_key(number, run, Timestamp::MIN, 0)..=entry_key(number, run, at, u64::MAX);
        let mut high = None;
        for guard in self.rows(range).rev().take(STEPS_BACK) {
            match self.found(Some(guard))? {
                Some((place, sum)) if place.seq <= known => return Ok(Some((place, sum))),
                found => high = found.map(|(place, _)| place),
            }
        }
        match high {
            Some(high) => self.last_known(run, high, known),
            None => Ok(None),
        }
    }

    /// The last entry of a run with `(effective_at, seq)` at or before the given.
    fn last_before(&self, run: u8, at: Timestamp, seq: u64) -> Result<Option<(Place, Balance)>, StoreError> {
        let number = self.account.opened_seq;
        let range = entry_key(number, run, Timestamp::MIN, 0)..=entry_key(number, run, at, seq);
        self.found(self.snapshot.range(self.entries, range).next_back())
    }

    fn found(&self, guard: Option<fjall::Guard>) -> Result<Option<(Place, Balance)>, StoreError> {
        let Some(guard) = guard else {
            return Ok(None);
        };
        let (key, value) = guard.into_inner().map_err(engine)?;
        Ok(Some((decode_entry_key(&key)?, decode_entry(&value, self.account.scale())?.run_after)))
    }

    /// The last entry of a run with `seq <= known`, given a later one with a greater seq.
    ///
    /// Holds `low` (known, or before the run) and `high` (not known); each probe looks at the last
    /// entry at or before a time between them. Alternating interpolation with bisection bounds it
    /// by the logarithm of the time between.
    fn last_known(&self, run: u8, mut high: Place, known: u64) -> Result<Option<(Place, Balance)>, StoreError> {
        let first = self.range(run, Timestamp::MIN, high.effective_at).next();
        let Some((first, sum)) = self.found(first)? else {
            return Err(damaged("a run lost its entries"));
        };
        if first.seq > known {
            return Ok(None);
        }
        let (mut low, mut best) = (first, (first, sum));
        let mut interpolate = true;
        loop {
            let span = high.effective_at.micros_since(low.effective_at);
            if span <= 0 {
                break;
            }
            let step = if interpolate { guess(low, high, known, span) } else { span / 2 };
            interpolate = !interpolate;
            let middle = low.effective_at.plus_micros(step.clamp(0, span - 1));
            match self.last_before(run, middle, u64::MAX)? {
                Some((place, sum)) if place.seq <= known => {
                    best = (place, sum);
                    low = Place { effective_at: middle, seq: place.seq };
                    if span - step.clamp(0, span - 1) <= 1 {
                        break;
                    }
                }
                Some((place, _)) => high = place,
                None => return Err(damaged("a run lost its entries")),
            }
        }
        // What is left are entries of high's own time; there, seq is the next part of the key.
        Ok(Some(match self.last_before(run, high.effective_at, known)? {
            Some((place, sum)) if place.seq <= known => (place, sum),
            _ => best,
        }))
    }
}

/// Where between low and high a seq would be if time went evenly with it.
fn guess(low: Place, high: Place, known: u64, span: i64) -> i64 {
    let all = high.seq.saturating_sub(low.seq).max(1);
    let part = known.saturating_sub(low.seq);
    i64::try_from(i128::from(span) * i128::from(part) / i128::from(all)).unwrap_or(span / 2)
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
