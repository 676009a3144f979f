//! The relay: carries the journal from the ledger to the bus, in order.
//!
//! One relay at a time leads, by a lease: the others stand by and look again before it ends. Whoever has just taken the
//! lease becomes the bus's one publisher first ([`EventBus::lead`]), which fences off whoever led before, so one that was
//! stopped and wakes up publishes nothing, whatever it believes.
//!
//! It is told of commits and looks by itself now and then, so a lost notice delays and loses nothing. Where it stands is
//! the bus's own tail, so starting again continues there and a repeat is skipped. Memory: one page at a time. Under load
//! it waits a moment between pages so that a page is worth its wake-ups: the ledger's writer needs the cores more.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use wallet_core::ports::{EventBus, Leases, LedgerStore, StoreError};

use super::pace::{Backoff, PageSize};
use crate::telemetry::{Step, follow};

/// Without a notice, the ledger's head is looked at this often: other daemons commit to the same ledger.
const POLL: Duration = Duration::from_millis(200);
/// Least time between two pages that are not full: on Kafka each is a transaction, and followers take none sooner.
const GATHER: Duration = Duration::from_millis(10);
/// The lease's name.
const LEASE: &str = "relay";
/// How long a lease lasts: a relay that was killed is followed by another after so long at most.
const TERM: Duration = Duration::from_secs(4);
/// How often it is renewed, and how often one that stands by looks: a few lost attempts do not end a term.
const RENEW: Duration = Duration::from_secs(1);

/// The relay of one ledger to one bus.
pub struct Relay {
    ledger: Arc<dyn LedgerStore>,
    bus: Arc<dyn EventBus>,
    leases: Arc<dyn Leases>,
    holder: String,
    leading: AtomicBool,
    published: AtomicU64,
    error: Mutex<Option<String>>,
}

/// A lease as one relay has it.
#[derive(Default)]
struct Term {
    fence: Option<u64>,
    renewed: Option<Instant>,
}

impl Relay {
    /// A relay that has not started. `holder` names this daemon among all of the ledger.
    pub fn new(
        ledger: Arc<dyn LedgerStore>,
        bus: Arc<dyn EventBus>,
        leases: Arc<dyn Leases>,
        holder: impl Into<String>,
    ) -> Self {
        let (leading, published) = (AtomicBool::new(false), AtomicU64::new(0));
        Self { ledger, bus, leases, holder: holder.into(), leading, published, error: Mutex::default() }
    }

    /// Why it does not move, if it does not.
    pub fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True while this relay is the one that publishes.
    pub fn is_leading(&self) -> bool {
        self.leading.load(Ordering::Relaxed)
    }

    /// The bus's tail as this relay last saw it.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Carries until `stop`. `head` is the seq of the last commit, as whoever commits tells it.
    pub async fn run(&self, mut head: watch::Receiver<u64>, stop: &CancellationToken) {
        let mut backoff = Backoff::default();
        let mut page = PageSize::default();
        let mut term = Term::default();
        while !stop.is_cancelled() {
            match self.step(&mut term, &mut head, &mut page, stop).await {
                Ok(()) => {
                    backoff = Backoff::default();
                    self.note(None);
                }
                Err(error) => {
                    // Whether it still leads, and where the tail is, is to be found out anew.
                    term = Term::default();
                    self.leading.store(false, Ordering::Relaxed);
                    self.note(Some(&error));
                    backoff.wait(stop).await;
                }
            }
        }
        self.leading.store(false, Ordering::Relaxed);
        if let Err(error) = self.leases.release(LEASE, &self.holder).await {
            tracing::debug!(error = %super::pace::whole(&error), "the relay's lease ends by itself");
        }
    }

    fn note(&self, error: Option<&StoreError>) {
        let text = error.map(|error| super::pace::whole(error));
        let mut kept = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = text.as_ref().filter(|text| kept.as_ref() != Some(*text)) {
            tracing::warn!(error = %text, "the relay cannot publish");
        }
        *kept = text;
    }

    /// One page while it leads; else a wait for the lease.
    async fn step(
        &self,
        term: &mut Term,
        head: &mut watch::Receiver<u64>,
        page: &mut PageSize,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        if self.leads(term).await? {
            return self.carry(head, page, stop).await;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(RENEW) => {}
        }
        Ok(())
    }

    /// Takes or renews the lease where that is due.
    async fn leads(&self, term: &mut Term) -> Result<bool, StoreError> {
        if term.fence.is_some() && term.renewed.is_some_and(|renewed| renewed.elapsed() < RENEW) {
            return Ok(true);
        }
        let asked = Instant::now();
        let fence = self.leases.take(LEASE, &self.holder, TERM).await?;
        if fence.is_some() && fence != term.fence {
            self.bus.lead().await?;
            tracing::info!(holder = self.holder, fence, "this relay leads now");
        } else if fence.is_none() && term.fence.is_some() {
            tracing::warn!(holder = self.holder, "another relay leads now");
        }
        *term = Term { fence, renewed: Some(asked) };
        self.leading.store(fence.is_some(), Ordering::Relaxed);
        Ok(fence.is_some())
    }

    /// One page, or a wait for one.
    async fn carry(
        &self,
        head: &mut watch::Receiver<u64>,
        page: &mut PageSize,
        stop: &CancellationToken,
    ) -> Result<(), StoreError> {
        let tail = self.bus.tail().await?.map_or(0, |cut| cut.seq);
        self.published.store(tail, Ordering::Relaxed);
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
        let spans = follow(Step::Publish, &records);
        let published = self.bus.publish(&records).await;
        spans.end(&published);
        published?;
        if let Some(last) = records.last() {
            self.published.store(last.record.seq, Ordering::Relaxed);
        }
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
    use crate::{
        adapters::embedded::{bus::LocalBus, leases::LocalLeases},
        services::testing::register,
    };

    async fn until_tail(bus: &dyn EventBus, seq: u64) {
        tokio::time::timeout(Duration::from_secs(5), bus.wait(seq - 1)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn what_is_committed_is_published_in_order() {
        let ledger = Arc::new(MemoryLedger::new("test"));
        register(&ledger, 0..3).await;
        let bus = Arc::new(LocalBus::open(ledger.clone()).await.unwrap());
        let relay = Arc::new(Relay::new(ledger.clone(), bus.clone(), Arc::new(LocalLeases::default()), "a"));
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

    #[tokio::test]
    async fn one_relay_leads_and_another_takes_over() {
        let ledger = Arc::new(MemoryLedger::new("test"));
        register(&ledger, 0..3).await;
        let bus = Arc::new(LocalBus::open(Arc::new(MemoryLedger::new("test"))).await.unwrap());
        let leases: Arc<dyn Leases> = Arc::new(LocalLeases::default());
        let (_told, head) = watch::channel(0);
        let relay = |name| Arc::new(Relay::new(ledger.clone(), bus.clone(), Arc::clone(&leases), name));
        let run = |relay: &Arc<Relay>, stop: &CancellationToken| {
            let (relay, head, stop) = (relay.clone(), head.clone(), stop.clone());
            tokio::spawn(async move { relay.run(head, &stop).await })
        };
        let (first, second) = (relay("a"), relay("b"));
        let (stop_first, stop_second) = (CancellationToken::new(), CancellationToken::new());
        let running = run(&first, &stop_first);
        until_tail(&*bus, 3).await;
        let standing_by = run(&second, &stop_second);
        register(&ledger, 3..4).await;
        until_tail(&*bus, 4).await;
        assert!(first.is_leading() && !second.is_leading());
        stop_first.cancel();
        running.await.unwrap();
        register(&ledger, 4..5).await;
        until_tail(&*bus, 5).await;
        assert!(second.is_leading() && !first.is_leading());
        stop_second.cancel();
        standing_by.await.unwrap();
    }
}
