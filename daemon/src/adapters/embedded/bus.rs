//! The bus in process: the journal itself is what is published, so nothing is stored twice.
//!
//! Publishing moves a tail that waiters watch, and keeps the last records at hand: consumers that keep up share
//! them; one that fell behind reads the ledger.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use wallet_core::{
    cut::{Cut, Hash},
    journal::{Stored, genesis},
    ports::{EventBus, LedgerStore, StoreError},
};

use crate::adapters::recent::Recent;

const STORE: &str = "event bus";
/// The [`EventBus`] of one process, over its ledger.
pub struct LocalBus {
    ledger: Arc<dyn LedgerStore>,
    tail: watch::Sender<Option<Cut>>,
    recent: Recent,
    publishing: tokio::sync::Mutex<()>,
}

impl LocalBus {
    /// A bus whose tail is the ledger's head: what is in the journal is published.
    pub async fn open(ledger: Arc<dyn LedgerStore>) -> Result<Self, StoreError> {
        let head = ledger.head().await?;
        let (tail, _) = watch::channel((head.seq > 0).then_some(head));
        Ok(Self { ledger, tail, recent: Recent::default(), publishing: tokio::sync::Mutex::default() })
    }

    fn place(&self) -> (u64, Hash) {
        self.tail.borrow().map_or_else(|| (0, genesis(self.ledger.id())), |cut| (cut.seq, cut.hash))
    }
}

#[async_trait]
impl EventBus for LocalBus {
    async fn publish(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        // Two publishers do not take turns between check and move.
        let _alone = self.publishing.lock().await;
        let (tail, mut hash) = self.place();
        let known = records.partition_point(|record| record.record.seq <= tail);
        let new = records.get(known..).unwrap_or_default();
        let Some(last) = new.last() else { return Ok(()) };
        for (record, due) in new.iter().zip(tail.saturating_add(1)..) {
            if record.record.seq != due || !record.continues(hash) {
                let what = format!("record {} does not follow the tail, record {due} is due", record.record.seq);
                return Err(StoreError::corrupt(STORE, what));
            }
            hash = record.hash;
        }
        self.recent.push(new);
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
        if let Some(records) = self.recent.behind(after, limit) {
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

    /// Nothing is stored twice here, the journal is what is published: only the tail goes back to the beginning.
    async fn clear(&self) -> Result<(), StoreError> {
        let _alone = self.publishing.lock().await;
        self.tail.send_replace(None);
        Ok(())
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
}
