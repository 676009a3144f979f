//! The relay: carries the journal from the ledger to the bus, in order.
//!
//! It is told of commits and looks by itself now and then, so a lost notice delays and loses nothing. Where it stands is the bus's own tail, so
//! starting again continues there and a repeat is skipped. Memory: one page at a time. Under load it waits a moment
//! between pages so that a page is worth its wake-ups: the ledger's writer needs the cores more.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use wallet_core::ports::{EventBus, LedgerStore, StoreError};

use super::pace::{Backoff, PageSize};

/// Without a notice, the ledger's head is looked at this often.
const POLL: Duration = Duration::from_secs(1);
/// Least time between two pages that are not full.
const GATHER: Duration = Duration::from_millis(5);

/// The relay of one ledger to one bus.
pub struct Relay {
    ledger: Arc<dyn LedgerStore>,
    bus: Arc<dyn EventBus>,
    error: Mutex<Option<String>>,
}

impl Relay {
    /// A relay that has not started.
    pub fn new(ledger: Arc<dyn LedgerStore>, bus: Arc<dyn EventBus>) -> Self {
        Self { ledger, bus, error: Mutex::default() }
    }

    /// Why it does not move, if it does not.
    pub fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Carries until `stop`. `head` is the seq of the last commit, as whoever commits tells it.
    pub async fn run(&self, mut head: watch::Receiver<u64>, stop: &CancellationToken) {
        let mut backoff = Backoff::default();
        let mut page = PageSize::default();
        while !stop.is_cancelled() {
            match self.carry(&mut head, &mut page, stop).await {
                Ok(()) => {
                    backoff = Backoff::default();
                    self.note(None);
                }
                Err(error) => {
                    self.note(Some(&error));
                    backoff.wait(stop).await;
                }
            }
        }
    }

    fn note(&self, error: Option<&StoreError>) {
        let text = error.map(super::pace::whole);
        let mut kept = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = text.as_ref().filter(|text| kept.as_ref() != Some(*text)) {
            tracing::warn!(error = %text, "the relay cannot publish");
        }
        *kept = text;
    }

    /// One page, or a wait for one.
    async fn carry(
        &self,
        head: &mut watch::Receiver<u64>,
        page: &mut PageSize,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let tail = self.bus.tail().await?.map_or(0, |cut| cut.seq);
        let begun = Instant::now();
        let records = self.ledger.records(tail, page.records()).await?;
        if records.is_empty() {
            let told = async {
                // No notice can come any more when the writer is gone; the poll goes on.
                if head.wait_for(|head| *head > tail).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = told => {}
                () = tokio::time::sleep(POLL) => {}
            }
            return Ok(());
        }
        self.bus.publish(&records).await?;
        if !page.learn(&records) {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep_until(begun + GATHER) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wallet_core::model::MemoryLedger;

    use super::*;
    use crate::{adapters::embedded::bus::LocalBus, services::testing::register};

    async fn until_tail(bus: &dyn EventBus, seq: u64) {
        tokio::time::timeout(Duration::from_secs(5), bus.wait(seq - 1)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_is_committed_is_published_in_order() {
        let ledger = Arc::new(MemoryLedger::new("test"));
        register(&ledger, 0..3).await;
        let bus = Arc::new(LocalBus::open(ledger.clone()).await.unwrap());
        let relay = Arc::new(Relay::new(ledger.clone(), bus.clone()));
        let (told, head) = watch::channel(3);
        let stop = CancellationToken::new();
        let running = tokio::spawn({
            let (relay, stop) = (relay.clone(), stop.clone());
            async move { relay.run(head, &stop).await }
        });
        register(&ledger, 3..6).await;
        told.send_replace(6);
        until_tail(&*bus, 6).await;
        assert_eq!(bus.fetch(0, 10).await.unwrap(), ledger.records(0, 10).await.unwrap());
        register(&ledger, 6..7).await;
        until_tail(&*bus, 7).await; // nobody told it
        drop(told);
        register(&ledger, 7..8).await;
        until_tail(&*bus, 8).await; // nobody can tell it any more
        assert_eq!(relay.error(), None);
        stop.cancel();
        running.await.unwrap();
    }
}
