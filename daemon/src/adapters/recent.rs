//! The last records, at hand and parsed: who keeps up with the journal shares them instead of reading and parsing
//! them again, which would cost more than committing them did. Bounded by number and by bytes.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use wallet_core::journal::Stored;

/// Most records: a few pages of a follower, and more than one commit.
const MAX_RECORDS: usize = 6_000;
/// Most bytes of records; parsed, they take about three times that.
const MAX_BYTES: usize = 5 * 1024 * 1024;

/// A window that ends with the last record pushed; never with a gap in it.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Window>);

#[derive(Default)]
struct Window {
    records: VecDeque<Arc<Stored>>,
    bytes: usize,
}

impl Window {
    fn push(&mut self, record: &Arc<Stored>) {
        let follows = self.records.back().is_none_or(|last| last.record.seq.checked_add(1) == Some(record.record.seq));
        if !follows {
            *self = Self::default();
        }
        self.bytes = self.bytes.saturating_add(record.bytes.len());
        self.records.push_back(Arc::clone(record));
        while self.records.len() > MAX_RECORDS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.bytes.len());
        }
    }
}

impl Recent {
    fn window(&self) -> MutexGuard<'_, Window> {
        // Nothing here panics half way; a poisoned window is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds records in order. What does not follow starts a new window.
    pub(crate) fn push(&self, records: &[Arc<Stored>]) {
        let mut window = self.window();
        for record in records {
            window.push(record);
        }
    }

    /// The records behind `after`, at most `limit`; none if the first of them is not here.
    pub(crate) fn behind(&self, after: u64, limit: usize) -> Option<Vec<Arc<Stored>>> {
        let window = self.window();
        let first = window.records.front()?.record.seq;
        let skip = after.checked_add(1)?.checked_sub(first)?;
        let skip = usize::try_from(skip).ok().filter(|skip| *skip < window.records.len())?;
        Some(window.records.iter().skip(skip).take(limit).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use wallet_core::{
        ids::Actor,
        journal::{Event, Record, genesis},
        time::Timestamp,
    };

    use super::*;

    fn record(seq: u64) -> Arc<Stored> {
        let record = Record {
            seq,
            epoch: 1,
            recorded_at: Timestamp::EPOCH,
            actor: Actor::system(),
            key: None,
            request: None,
            group: None,
            event: Event::EpochRaised { reason: "r".repeat(400).parse().unwrap() },
        };
        Arc::new(Stored::seal(record, genesis("test"), None))
    }

    fn seqs(records: Option<Vec<Arc<Stored>>>) -> Option<Vec<u64>> {
        records.map(|records| records.iter().map(|record| record.record.seq).collect())
    }

    #[test]
    fn what_is_kept_at_hand_is_bounded() {
        let recent = Recent::default();
        for seq in 1..30_000 {
            recent.push(&[record(seq)]);
        }
        assert!(recent.window().records.len() <= MAX_RECORDS && recent.window().bytes <= MAX_BYTES);
        assert_eq!(seqs(recent.behind(1, 10)), None);
        assert_eq!(seqs(recent.behind(29_996, 2)), Some(vec![29_997, 29_998]));
        assert_eq!(seqs(recent.behind(29_997, 10)), Some(vec![29_998, 29_999]));
        assert_eq!(seqs(recent.behind(29_999, 10)), None);
    }

    #[test]
    fn there_is_never_a_gap() {
        let recent = Recent::default();
        recent.push(&[record(1), record(2), record(5), record(6)]);
        assert_eq!(seqs(recent.behind(0, 10)), None);
        assert_eq!(seqs(recent.behind(4, 10)), Some(vec![5, 6]));
    }
}
