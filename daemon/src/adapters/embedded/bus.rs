//! The bus in process: the journal itself is what is published, so nothing is stored twice.
//!
//! Publishing moves a tail that waiters watch, and keeps the last records at hand: consumers that keep up share
//! them and the ledger is not read again; one that fell behind reads the ledger. What is kept is bounded by number and by bytes.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::watch;
use wallet_core::{
    cut::{Cut, Hash},
    journal::{Stored, chain, genesis},
    ports::{EventBus, LedgerStore, StoreError},
};

const STORE: &str = "event bus";
/// Most records kept at hand: a few pages of a consumer.
const RECENT: usize = 8_192;
/// Most bytes of records kept at hand; parsed, they take about twice that.
const RECENT_BYTES: usize = 8 * 1024 * 1024;

/// The [`EventBus`] of one process, over its ledger.
pub struct LocalBus {
    ledger: Arc<dyn LedgerStore>,
    tail: watch::Sender<Option<Cut>>,
    recent: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    records: VecDeque<Arc<Stored>>,
    bytes: usize,
}

impl Recent {
    fn push(&mut self, record: &Arc<Stored>) {
        self.bytes = self.bytes.saturating_add(record.bytes.len());
        self.records.push_back(Arc::clone(record));
        while self.records.len() > RECENT || self.bytes > RECENT_BYTES {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.bytes.len());
        }
    }

    /// The records behind `after`; none if the first of them is not here any more.
    fn behind(&self, after: u64, limit: usize) -> Option<Vec<Arc<Stored>>> {
        let first = self.records.front()?.record.seq;
        let skip = after.checked_add(1)?.checked_sub(first)?;
        let skip = usize::try_from(skip).ok().filter(|skip| *skip < self.records.len())?;
        Some(self.records.iter().skip(skip).take(limit).cloned().collect())
    }
}

impl LocalBus {
    /// A bus whose tail is the ledger's head: what is in the journal is published.
    pub async fn open(ledger: Arc<dyn LedgerStore>) -> Result<Self, StoreError> {
        let head = ledger.head().await?;
        let (tail, _) = watch::channel((head.seq > 0).then_some(head));
        Ok(Self { ledger, tail, recent: Mutex::default() })
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        // Nothing below panics half way; a poisoned queue is a whole queue.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> (u64, Hash) {
        self.tail.borrow().map_or_else(|| (0, genesis(self.ledger.id())), |cut| (cut.seq, cut.hash))
    }
}

#[async_trait]
impl EventBus for LocalBus {
    async fn publish(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let mut recent = self.recent();
        let (tail, mut hash) = self.place();
        let new: Vec<_> = records.iter().filter(|record| record.record.seq > tail).collect();
        let Some(last) = new.last() else { return Ok(()) };
        for (record, due) in new.iter().zip(tail.saturating_add(1)..) {
            if record.record.seq != due || record.hash != chain(hash, &record.bytes) {
                let what = format!("record {} does not follow the tail, record {due} is due", record.record.seq);
                return Err(StoreError::corrupt(STORE, what));
            }
            hash = record.hash;
        }
        for record in &new {
            recent.push(record);
        }
        // Still under the queue's lock: two publishers cannot take turns between check and move.
        self.tail.send_replace(Some(last.cut()));
        Ok(())
    }

    async fn tail(&self) -> Result<Option<Cut>, StoreError> {
        Ok(*self.tail.borrow())
    }

    async fn fetch(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        let tail = self.place().0;
        if tail <= after {
            return Ok(Vec::new());
        }
        if let Some(records) = self.recent().behind(after, limit) {
            return Ok(records);
        }
        let published = usize::try_from(tail.saturating_sub(after)).unwrap_or(usize::MAX);
        self.ledger.records(after, limit.min(published)).await
    }

    async fn wait(&self, after: u64) -> Result<(), StoreError> {
        let mut tail = self.tail.subscribe();
        let moved = tail.wait_for(|tail| tail.is_some_and(|cut| cut.seq > after)).await;
        moved.map(drop).map_err(|error| StoreError::unavailable(STORE, error))
    }
}

#[cfg(test)]
mod tests {
    use wallet_core::{
        command::{Action, Command, Request},
        ids::Actor,
        key::ScopedKey,
        model::MemoryLedger,
    };

    use super::*;

    async fn ledger(records: usize) -> Arc<MemoryLedger> {
        let ledger = Arc::new(MemoryLedger::new("test"));
        grow(&ledger, 0, records).await;
        ledger
    }

    async fn grow(ledger: &MemoryLedger, from: usize, to: usize) {
        for n in from..to {
            let asset = wallet_core::asset::Asset { code: format!("X{n}").parse().unwrap(), scale: 2 };
            let key = ScopedKey::shared(format!("k{n}").parse().unwrap());
            let command = Command { key, action: Action::RegisterAsset(asset) };
            ledger.commit(&[Request::single(Actor::system(), command)]).await.unwrap();
        }
    }

    fn seqs(records: &[Arc<Stored>]) -> Vec<u64> {
        records.iter().map(|record| record.record.seq).collect()
    }

    #[tokio::test]
    async fn what_is_in_the_journal_at_the_start_is_published() {
        let ledger = ledger(3).await;
        let bus = LocalBus::open(ledger.clone()).await.unwrap();
        assert_eq!(bus.tail().await.unwrap(), Some(ledger.head().await.unwrap()));
        assert_eq!(seqs(&bus.fetch(1, 10).await.unwrap()), [2, 3]);
        assert_eq!(LocalBus::open(self::ledger(0).await).await.unwrap().tail().await.unwrap(), None);
    }

    #[tokio::test]
    async fn nothing_is_seen_before_it_is_published() {
        let ledger = ledger(2).await;
        let bus = LocalBus::open(ledger.clone()).await.unwrap();
        grow(&ledger, 2, 6).await;
        assert!(bus.fetch(2, 10).await.unwrap().is_empty());
        assert_eq!(seqs(&bus.fetch(0, 10).await.unwrap()), [1, 2]);
        bus.publish(&ledger.records(0, 4).await.unwrap()).await.unwrap();
        assert_eq!(bus.tail().await.unwrap().unwrap().seq, 4);
        assert_eq!(seqs(&bus.fetch(0, 10).await.unwrap()), [1, 2, 3, 4]);
        assert_eq!(seqs(&bus.fetch(2, 1).await.unwrap()), [3]);
    }

    #[tokio::test]
    async fn a_repeat_changes_nothing_and_a_gap_is_refused() {
        let ledger = ledger(0).await;
        let bus = LocalBus::open(ledger.clone()).await.unwrap();
        grow(&ledger, 0, 4).await;
        let records = ledger.records(0, 10).await.unwrap();
        bus.publish(&records[..2]).await.unwrap();
        bus.publish(&records[..2]).await.unwrap();
        assert_eq!(bus.tail().await.unwrap().unwrap().seq, 2);
        assert!(matches!(bus.publish(&records[3..]).await, Err(StoreError::Corrupt { .. })));
        bus.publish(&records).await.unwrap();
        assert_eq!(bus.tail().await.unwrap().unwrap().seq, 4);
    }

    #[tokio::test]
    async fn a_waiter_wakes_when_something_newer_is_published() {
        let ledger = ledger(1).await;
        let bus = Arc::new(LocalBus::open(ledger.clone()).await.unwrap());
        bus.wait(0).await.unwrap();
        let waiter = tokio::spawn({
            let bus = bus.clone();
            async move { bus.wait(1).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        grow(&ledger, 1, 2).await;
        bus.publish(&ledger.records(1, 1).await.unwrap()).await.unwrap();
        waiter.await.unwrap().unwrap();
    }

    #[test]
    fn what_is_kept_at_hand_is_bounded() {
        let mut recent = Recent::default();
        let record = wallet_core::journal::Record {
            seq: 1,
            epoch: 1,
            recorded_at: wallet_core::time::Timestamp::EPOCH,
            actor: Actor::system(),
            key: None,
            request: None,
            group: None,
            event: wallet_core::journal::Event::EpochRaised { reason: "r".repeat(400).parse().unwrap() },
        };
        let mut hash = genesis("test");
        for seq in 1..30_000 {
            let stored = Arc::new(Stored::seal(wallet_core::journal::Record { seq, ..record.clone() }, hash, None));
            hash = stored.hash;
            recent.push(&stored);
        }
        assert!(recent.records.len() <= RECENT && recent.bytes <= RECENT_BYTES);
        assert!(recent.behind(1, 10).is_none());
        assert_eq!(seqs(&recent.behind(29_997, 10).unwrap()), [29_998, 29_999]);
        assert!(recent.behind(29_999, 10).is_none());
    }
}
