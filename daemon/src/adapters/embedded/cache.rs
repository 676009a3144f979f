//! The balance cache in process: bounded, lost with the process, rebuilt by use.
//!
//! One mutex holds entries and position together, because the rule for absent wallets compares the two; it is
//! held for map operations only. At the bound the coldest entries go.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use quick_cache::unsync::Cache;
use wallet_core::{
    ids::WalletId,
    ports::{BalanceCache, CachedBalance, StoreError},
};

/// Most wallets remembered: some 20 MB.
const MAX_WALLETS: usize = 100_000;

/// The [`BalanceCache`] of one process.
pub struct MemoryCache {
    inner: Mutex<Inner>,
}

struct Inner {
    balances: Cache<WalletId, CachedBalance>,
    /// Epoch and seq.
    position: (u64, u64),
}

impl MemoryCache {
    /// An empty cache at position 0.
    pub fn new() -> Self {
        Self::with_wallets(MAX_WALLETS)
    }

    fn with_wallets(wallets: usize) -> Self {
        Self { inner: Mutex::new(Inner { balances: Cache::new(wallets), position: (0, 0) }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing below panics half way; a poisoned map is a whole map.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl BalanceCache for MemoryCache {
    async fn get(&self, wallet: &WalletId) -> Result<(Option<CachedBalance>, u64), StoreError> {
        let inner = self.inner();
        Ok((inner.balances.get(wallet).cloned(), inner.position.1))
    }

    async fn put_if_newer(&self, balances: &[(WalletId, CachedBalance)], read_at: u64) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let late = read_at < inner.position.1;
        for (wallet, balance) in balances {
            match inner.balances.get_mut(wallet) {
                Some(mut there) => {
                    if (balance.epoch, balance.seq) > (there.epoch, there.seq) {
                        *there = balance.clone();
                    }
                }
                None if late => {}
                None => inner.balances.insert(wallet.clone(), balance.clone()),
            }
        }
        Ok(())
    }

    async fn position(&self) -> Result<u64, StoreError> {
        Ok(self.inner().position.1)
    }

    async fn advance(&self, epoch: u64, position: u64) -> Result<(), StoreError> {
        let mut inner = self.inner();
        inner.position = inner.position.max((epoch, position));
        Ok(())
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let mut inner = self.inner();
        inner.balances.clear();
        inner.position = (0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wallet_core::{account::Status, money::Balance, time::Timestamp};

    use super::*;

    fn id(text: &str) -> WalletId {
        text.parse().unwrap()
    }

    fn at(epoch: u64, seq: u64) -> CachedBalance {
        CachedBalance {
            epoch,
            seq,
            balance: Balance::from_units(i128::from(seq), 2).unwrap(),
            asset: "EUR".parse().unwrap(),
            status: Status::Active,
            recorded_at: Timestamp::from_micros(i64::try_from(seq).unwrap()),
        }
    }

    async fn seq(cache: &MemoryCache, wallet: &str) -> Option<u64> {
        cache.get(&id(wallet)).await.unwrap().0.map(|balance| balance.seq)
    }

    #[tokio::test]
    async fn an_older_state_never_replaces_a_newer_one() {
        let cache = MemoryCache::new();
        cache.put_if_newer(&[(id("w"), at(1, 5))], 5).await.unwrap();
        cache.put_if_newer(&[(id("w"), at(1, 4))], 9).await.unwrap();
        assert_eq!(seq(&cache, "w").await, Some(5));
        cache.put_if_newer(&[(id("w"), at(1, 6))], 6).await.unwrap();
        assert_eq!(seq(&cache, "w").await, Some(6));
        cache.put_if_newer(&[(id("w"), at(2, 3))], 6).await.unwrap();
        assert_eq!(cache.get(&id("w")).await.unwrap().0, Some(at(2, 3)), "a later epoch is newer");
    }

    #[tokio::test]
    async fn a_late_message_does_not_revive_what_was_evicted() {
        let cache = MemoryCache::with_wallets(1);
        cache.put_if_newer(&[(id("w"), at(1, 5))], 5).await.unwrap();
        cache.advance(1, 10).await.unwrap();
        cache.inner().balances.remove(&id("w"));
        cache.put_if_newer(&[(id("w"), at(1, 5))], 9).await.unwrap();
        assert_eq!(seq(&cache, "w").await, None);
        cache.put_if_newer(&[(id("w"), at(1, 10))], 10).await.unwrap();
        assert_eq!(seq(&cache, "w").await, Some(10));
    }

    #[tokio::test]
    async fn a_late_message_still_updates_what_is_there() {
        let cache = MemoryCache::new();
        cache.put_if_newer(&[(id("w"), at(1, 5))], 5).await.unwrap();
        cache.advance(1, 10).await.unwrap();
        cache.put_if_newer(&[(id("w"), at(1, 7))], 7).await.unwrap();
        assert_eq!(seq(&cache, "w").await, Some(7));
    }

    #[tokio::test]
    async fn the_position_only_grows_until_all_is_forgotten() {
        let cache = MemoryCache::new();
        cache.advance(1, 10).await.unwrap();
        cache.advance(1, 8).await.unwrap();
        assert_eq!(cache.position().await.unwrap(), 10);
        cache.put_if_newer(&[(id("w"), at(1, 10))], 10).await.unwrap();
        assert_eq!(cache.get(&id("w")).await.unwrap(), (Some(at(1, 10)), 10));
        cache.clear().await.unwrap();
        assert_eq!(cache.get(&id("w")).await.unwrap(), (None, 0));
    }

    #[tokio::test]
    async fn the_number_of_wallets_is_bounded() {
        let cache = MemoryCache::with_wallets(100);
        for n in 0..10_000 {
            cache.put_if_newer(&[(id(&format!("w{n}")), at(1, n))], n).await.unwrap();
        }
        assert!(cache.inner().balances.len() <= 100);
    }
}
