//! The balance cache in process: bounded, lost with the process, rebuilt by use.
//!
//! One mutex holds entries and position together, because the rule for absent wallets compares the two; it is
//! held for map operations only. At the bound the coldest entries go.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, UnitWeighter,
    unsync::{Cache, DefaultLifecycle},
};
use wallet_core::{
    ids::WalletId,
    ports::{BalanceCache, CachePosition, CachedBalance, StoreError},
    time::Timestamp,
};

/// Most wallets remembered: some 15 MB.
const MAX_WALLETS: usize = 100_000;

/// The [`BalanceCache`] of one process.
pub struct MemoryCache {
    inner: Mutex<Inner>,
}

struct Inner {
    balances: Cache<WalletId, CachedBalance>,
    /// None: nothing is held.
    position: Option<CachePosition>,
    stamp: Option<(CachePosition, Timestamp)>,
}

impl Inner {
    /// Puts a balance if it is newer; an absent one unless it comes late.
    fn put(&mut self, wallet: &WalletId, balance: &CachedBalance, late: bool) {
        match self.balances.get_mut(wallet) {
            Some(mut there) => {
                if (balance.epoch, balance.seq) > (there.epoch, there.seq) {
                    *there = balance.clone();
                }
            }
            None if late => {}
            None => self.balances.insert(wallet.clone(), balance.clone()),
        }
    }
}

impl MemoryCache {
    /// An empty cache without a position.
    pub fn new() -> Self {
        Self::with_wallets(MAX_WALLETS)
    }

    fn with_wallets(wallets: usize) -> Self {
        // Without places for names that were here before, which take as much room as balances do.
        let mut options = OptionsBuilder::new();
        options.estimated_items_capacity(wallets).weight_capacity(wallets as u64).ghost_allocation(0.0);
        let mut balances = options.build().map_or_else(
            |_| Cache::new(wallets),
            |options| {
                let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
                Cache::with_options(options, UnitWeighter, hasher, lifecycle)
            },
        );
        // All places at once: memory that is not written to yet takes none, and growing would take it twice.
        balances.reserve(wallets);
        Self { inner: Mutex::new(Inner { balances, position: None, stamp: None }) }
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
    fn is_afar(&self) -> bool {
        false
    }

    async fn get(&self, wallet: &WalletId) -> Result<(Option<CachedBalance>, u64), StoreError> {
        let inner = self.inner();
        Ok((inner.balances.get(wallet).cloned(), inner.position.unwrap_or_default().seq))
    }

    async fn put_if_newer(&self, balances: &[(WalletId, CachedBalance)], read_at: u64) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let Some(position) = inner.position else { return Ok(()) };
        for (wallet, balance) in balances.iter().filter(|(_, balance)| balance.epoch >= position.epoch) {
            inner.put(wallet, balance, read_at < position.seq);
        }
        Ok(())
    }

    async fn follow(
        &self,
        balances: &[(WalletId, CachedBalance)],
        from: u64,
        to: CachePosition,
    ) -> Result<(), StoreError> {
        let mut inner = self.inner();
        let position = match inner.position {
            Some(position) if position.epoch > to.epoch => return Ok(()),
            Some(position) if position.epoch == to.epoch && position.seq >= from => position,
            _ => {
                inner.balances.clear();
                to
            }
        };
        for (wallet, balance) in balances {
            inner.put(wallet, balance, to < position);
        }
        inner.position = Some(position.max(to));
        Ok(())
    }

    async fn position(&self) -> Result<CachePosition, StoreError> {
        Ok(self.inner().position.unwrap_or_default())
    }

    async fn stamp(&self, upto: CachePosition, moment: Timestamp) -> Result<(), StoreError> {
        let mut inner = self.inner();
        if inner.stamp.is_none_or(|(at, noted)| (at.epoch, noted) < (upto.epoch, moment)) {
            inner.stamp = Some((upto, moment));
        }
        Ok(())
    }

    async fn stamped(&self) -> Result<Option<(CachePosition, Timestamp)>, StoreError> {
        Ok(self.inner().stamp)
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let mut inner = self.inner();
        inner.stamp = None;
        inner.balances.clear();
        inner.position = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use wallet_core::{account::Status, money::Balance};

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

    async fn at_position(cache: MemoryCache, seq: u64) -> MemoryCache {
        cache.follow(&[], seq, CachePosition { epoch: 1, seq }).await.unwrap();
        cache
    }

    #[tokio::test]
    async fn a_late_message_does_not_revive_what_was_evicted() {
        let cache = at_position(MemoryCache::with_wallets(1), 5).await;
        cache.put_if_newer(&[(id("w"), at(1, 5))], 5).await.unwrap();
        cache.follow(&[], 5, CachePosition { epoch: 1, seq: 10 }).await.unwrap();
        cache.inner().balances.remove(&id("w"));
        cache.put_if_newer(&[(id("w"), at(1, 5))], 9).await.unwrap();
        assert_eq!(seq(&cache, "w").await, None);
        cache.put_if_newer(&[(id("w"), at(1, 10))], 10).await.unwrap();
        assert_eq!(seq(&cache, "w").await, Some(10));
    }

    #[tokio::test]
    async fn the_number_of_wallets_is_bounded() {
        let cache = at_position(MemoryCache::with_wallets(100), 0).await;
        for n in 0..10_000 {
            cache.put_if_newer(&[(id(&format!("w{n}")), at(1, n))], n).await.unwrap();
        }
        assert!(cache.inner().balances.len() <= 100);
    }
}
