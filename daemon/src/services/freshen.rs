//! Offering the balances of our own commits to the cache, right behind them.
//!
//! The projection does so as well, page by page: what is lost or left out here costs nothing but time. Alone a commit's
//! balances are offered at once; while commits follow each other closely they are gathered for [`GATHER`], if each
//! offer is a way to a server and back. Memory: at most [`MOST`] wallets wait.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use wallet_core::{
    account::Status,
    ids::WalletId,
    journal::{Event, Stored},
    ledger::Map,
    ports::{BalanceCache, CachedBalance},
};

/// Least time between two offers: a fresh balance is a few milliseconds old, and one client costs a fifth of the calls.
const GATHER: Duration = Duration::from_millis(5);
/// Most wallets that wait: a cache that does not keep up is left to its projection.
const MOST: usize = 20_000;

/// Offers balances to one cache, one offer at a time.
pub(super) struct Freshener {
    cache: Arc<dyn BalanceCache>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    balances: Map<WalletId, CachedBalance>,
    /// The head behind the earliest of their commits: of a later one somebody else may have changed a balance before it.
    read_at: u64,
    /// Somebody offers.
    offered: bool,
}

impl Freshener {
    pub(super) fn new(cache: Arc<dyn BalanceCache>) -> Self {
        Self { cache, waiting: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing here panics half way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what a commit wrote, which ends with the record `read_at`; offers it, and what comes meanwhile, unless
    /// somebody does already.
    pub(super) async fn offer(&self, written: Vec<Arc<Stored>>, read_at: u64) {
        if !self.waiting().take(&written, read_at) {
            return;
        }
        drop(written);
        loop {
            let begun = Instant::now();
            let (balances, read_at) = {
                let mut waiting = self.waiting();
                if waiting.balances.is_empty() {
                    waiting.offered = false;
                    return;
                }
                (std::mem::take(&mut waiting.balances).into_iter().collect::<Vec<_>>(), waiting.read_at)
            };
            if let Err(error) = self.cache.put_if_newer(&balances, read_at).await {
                tracing::debug!(%error, "the balance cache did not take the balances of a commit");
            }
            if self.cache.is_afar() {
                tokio::time::sleep_until(begun + GATHER).await;
            }
        }
    }
}

impl Waiting {
    /// Adds balances; true if they are to be offered by the caller.
    fn take(&mut self, written: &[Arc<Stored>], read_at: u64) -> bool {
        if self.balances.len() >= MOST {
            return false;
        }
        self.read_at = if self.balances.is_empty() { read_at } else { self.read_at.min(read_at) };
        for stored in written {
            self.add(stored);
        }
        !std::mem::replace(&mut self.offered, true)
    }

    /// The wallets' balances that a transaction leaves. Commits may come out of order.
    fn add(&mut self, stored: &Stored) {
        let Event::Transaction(t) = &stored.record.event else { return };
        for leg in [&t.debit, &t.credit] {
            let Some(wallet) = leg.account.wallet() else { continue };
            let (epoch, seq) = (stored.record.epoch, stored.record.seq);
            if self.balances.get(wallet).is_some_and(|known| (known.epoch, known.seq) >= (epoch, seq)) {
                continue;
            }
            let balance = CachedBalance {
                epoch,
                seq,
                balance: leg.balance_after,
                asset: t.asset,
                // Money only moves through active wallets.
                status: Status::Active,
                recorded_at: stored.record.recorded_at,
            };
            self.balances.insert(wallet.clone(), balance);
        }
    }
}

#[cfg(test)]
mod tests {
    use wallet_core::{model::MemoryLedger, ports::LedgerStore as _};

    use super::*;
    use crate::services::testing::{commit, deposit, id, open};

    async fn written(ledger: &MemoryLedger, key: &str, wallets: &[&str]) -> (Vec<Arc<Stored>>, u64) {
        let head = ledger.head().await.unwrap().seq;
        commit(ledger, key, wallets.iter().map(|wallet| deposit(wallet, "1"))).await;
        (ledger.records(head, 100).await.unwrap(), ledger.head().await.unwrap().seq)
    }

    #[tokio::test]
    async fn commits_told_out_of_order_leave_the_last_balances_as_known_at_the_first() {
        let ledger = MemoryLedger::new("test");
        commit(&ledger, "open", [open("a"), open("b")]).await;
        let (first, first_head) = written(&ledger, "first", &["a", "b"]).await;
        let (second, second_head) = written(&ledger, "second", &["a"]).await;
        let mut waiting = Waiting::default();
        assert!(waiting.take(&second, second_head), "nobody offers yet");
        assert!(!waiting.take(&first, first_head), "one offers them all");
        assert_eq!(waiting.read_at, first_head);
        let of = |name: &str| waiting.balances.get(&id(name)).map(|balance| (balance.seq, balance.balance.to_string()));
        assert_eq!(of("a"), Some((second_head, "2.00".to_owned())));
        assert_eq!(of("b"), Some((first_head, "1.00".to_owned())));
    }

    #[tokio::test]
    async fn what_comes_while_somebody_offers_is_offered_by_them() {
        let ledger = MemoryLedger::new("test");
        commit(&ledger, "open", [open("a"), open("b")]).await;
        let cache = Arc::new(crate::adapters::embedded::cache::MemoryCache::new());
        let head = ledger.head().await.unwrap();
        let position = wallet_core::ports::CachePosition { epoch: head.epoch, seq: head.seq };
        cache.follow(&[], head.seq, position).await.unwrap();
        let freshener = Arc::new(Freshener::new(cache.clone()));
        let known = async |name: &str| cache.get(&id(name)).await.unwrap().0.map(|found| found.balance.to_string());
        for (round, expected) in [(1, "1.00"), (2, "2.00")] {
            let (records, seq) = written(&ledger, &format!("one-{round}"), &["a"]).await;
            let offering = tokio::spawn({
                let freshener = Arc::clone(&freshener);
                async move { freshener.offer(records, seq).await }
            });
            while known("a").await.as_deref() != Some(expected) {
                tokio::task::yield_now().await;
            }
            let (records, seq) = written(&ledger, &format!("two-{round}"), &["b"]).await;
            freshener.offer(records, seq).await;
            offering.await.unwrap();
            assert_eq!(known("b").await.as_deref(), Some(expected), "none is left behind");
        }
    }
}
