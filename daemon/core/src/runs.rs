//! Runs: how a balance at any past moment costs a look-up or two, without ever rewriting a row.
//!
//! An account's entries are dealt into runs. In one run `effective_at` never falls as `seq` grows,
//! and every entry carries the sum of its run up to itself. A new entry joins the run whose last
//! `effective_at` is the largest that is not above its own (best fit, as in patience sorting), or
//! starts a run. The balance at (T, K) is then the sum, over runs, of `run_after` at the earlier of
//! two entries: the last with `effective_at <= T` and the last with `seq <= K`.
//!
//! One run when everything arrives in order; two when ten years of history are imported behind a
//! live entry. At most [`MAX_RUNS`]; what fits none goes to an overflow that is summed entry by entry.

use crate::{money::Balance, time::Timestamp};

/// Most runs of one account.
pub const MAX_RUNS: usize = 64;
/// The number of the overflow: behind all runs.
pub const OVERFLOW: u8 = 64;

/// The end of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The last entry's `effective_at`: the largest of the run.
    pub effective_at: Timestamp,
    /// The last entry's seq.
    pub seq: u64,
    /// The sum of the run.
    pub sum: Balance,
}

/// The ends of an account's runs, and whether it has an overflow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// One tail a run, by number.
    pub tails: Vec<Tail>,
    /// Entries that fitted no run.
    pub overflow: u64,
}

/// Where an entry went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dealt {
    /// The run's number, or [`OVERFLOW`].
    pub run: u8,
    /// The sum of the run with this entry. In the overflow, the entry's own amount.
    pub run_after: Balance,
}

impl Runs {
    /// The run whose last `effective_at` is the largest that is not above this one.
    fn best(&self, effective_at: Timestamp) -> Option<(usize, &Tail)> {
        let fitting = self.tails.iter().enumerate().filter(|(_, tail)| tail.effective_at <= effective_at);
        fitting.max_by_key(|(_, tail)| tail.effective_at)
    }

    /// True if [`Runs::deal`] would take this entry. A run's sum can leave the range of money while
    /// the balance stays in it: what one run gains, another loses.
    pub fn takes(&self, effective_at: Timestamp, amount: Balance) -> bool {
        self.best(effective_at).is_none_or(|(_, tail)| tail.sum.plus(amount).is_some())
    }

    /// Deals one entry to a run. `None` when a sum leaves the range of money.
    pub fn deal(&mut self, effective_at: Timestamp, seq: u64, amount: Balance) -> Option<Dealt> {
        if let Some((number, tail)) = self.best(effective_at) {
            let run_after = tail.sum.plus(amount)?;
            *self.tails.get_mut(number)? = Tail { effective_at, seq, sum: run_after };
            return Some(Dealt { run: u8::try_from(number).ok()?, run_after });
        }
        if self.tails.len() < MAX_RUNS {
            let run = u8::try_from(self.tails.len()).ok()?;
            self.tails.push(Tail { effective_at, seq, sum: amount });
            return Some(Dealt { run, run_after: amount });
        }
        self.overflow = self.overflow.saturating_add(1);
        Some(Dealt { run: OVERFLOW, run_after: amount })
    }

    /// Repeats what [`Runs::deal`] did with an entry: the runs as they were behind it.
    pub fn follow(&mut self, effective_at: Timestamp, seq: u64, dealt: Dealt) {
        let tail = Tail { effective_at, seq, sum: dealt.run_after };
        match self.tails.get_mut(usize::from(dealt.run)) {
            Some(last) => *last = tail,
            None if dealt.run == OVERFLOW => self.overflow = self.overflow.saturating_add(1),
            None => self.tails.push(tail),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Entry {
        effective_at: i64,
        seq: u64,
        amount: i128,
        dealt: Dealt,
    }

    fn deal(times: &[(i64, i128)]) -> (Runs, Vec<Entry>) {
        let mut runs = Runs::default();
        let mut entries = Vec::new();
        for (index, (effective_at, amount)) in times.iter().enumerate() {
            let seq = index as u64 + 1;
            let money = Balance::from_units(*amount, 2).unwrap();
            let dealt = runs.deal(Timestamp::from_micros(*effective_at), seq, money).unwrap();
            entries.push(Entry { effective_at: *effective_at, seq, amount: *amount, dealt });
        }
        (runs, entries)
    }

    /// The sum over runs of `run_after` at the earlier of the two look-ups.
    fn balance(runs: &Runs, entries: &[Entry], at: i64, known: u64) -> i128 {
        let mut sum = 0;
        for run in 0..runs.tails.len() {
            let of_run: Vec<_> = entries.iter().filter(|e| usize::from(e.dealt.run) == run).collect();
            let by_time = of_run.partition_point(|e| e.effective_at <= at);
            let by_seq = of_run.partition_point(|e| e.seq <= known);
            if let Some(last) = by_time.min(by_seq).checked_sub(1) {
                sum += of_run[last].dealt.run_after.units();
            }
        }
        let late = entries.iter().filter(|e| e.dealt.run == OVERFLOW);
        sum + late.filter(|e| e.effective_at <= at && e.seq <= known).map(|e| e.amount).sum::<i128>()
    }

    proptest! {
        #[test]
        fn a_look_up_per_run_equals_the_sum_of_entries(
            times in prop::collection::vec((0_i64..40, -50_i128..50), 0..120), at in -1_i64..41, known in 0_u64..121
        ) {
            let (runs, entries) = deal(&times);
            let brute = entries.iter().filter(|e| e.effective_at <= at && e.seq <= known).map(|e| e.amount).sum::<i128>();
            prop_assert_eq!(balance(&runs, &entries, at, known), brute);
        }
    }

    proptest! {
        #[test]
        fn following_what_was_dealt_leads_to_the_same_runs(times in prop::collection::vec((0_i64..400, -50_i128..50), 0..300)) {
            let (runs, entries) = deal(&times);
            let mut followed = Runs::default();
            for entry in &entries {
                followed.follow(Timestamp::from_micros(entry.effective_at), entry.seq, entry.dealt);
            }
            prop_assert_eq!(followed, runs);
        }
    }

    #[test]
    fn newest_first_overflows_and_still_sums() {
        let times: Vec<_> = (0..200).rev().map(|t| (t, 1)).collect();
        let (runs, entries) = deal(&times);
        assert_eq!((runs.tails.len(), runs.overflow), (MAX_RUNS, 200 - 64));
        assert_eq!(balance(&runs, &entries, 99, 200), 100);
    }

    #[test]
    fn in_order_is_one_run_and_an_import_behind_a_live_entry_is_two() {
        assert_eq!(deal(&(0..100).map(|t| (t, 1)).collect::<Vec<_>>()).0.tails.len(), 1);
        let mut import = vec![(1_000, 1)];
        import.extend((0..500).map(|t| (t, 1)));
        assert_eq!(deal(&import).0.tails.len(), 2);
    }
}
