use async_trait::async_trait;

use super::StoreError;
use crate::{account::Status, asset::AssetCode, ids::WalletId, money::Balance, time::Timestamp};

/// A wallet's balance at some committed state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedBalance {
    /// The epoch of that state.
    pub epoch: u64,
    /// The last record that touched the wallet then.
    pub seq: u64,
    /// Its balance.
    pub balance: Balance,
    /// Its asset.
    pub asset: AssetCode,
    /// Its status.
    pub status: Status,
    /// When that record was made.
    pub recorded_at: Timestamp,
}

/// The balance cache. It may forget anything at any time; it never answers a state older than it says.
#[async_trait]
pub trait BalanceCache: Send + Sync {
    /// The balance of a wallet, if known, with the cache's position.
    async fn get(&self, wallet: &WalletId) -> Result<(Option<CachedBalance>, u64), StoreError>;

    /// Puts balances, each only if it is newer (epoch, then seq) than what is there. A wallet that is
    /// absent is added only when `read_at` (the position the state was read at) is at or after the
    /// cache's position: so late messages after an eviction cannot revive an old balance.
    async fn put_if_newer(&self, balances: &[(WalletId, CachedBalance)], read_at: u64) -> Result<(), StoreError>;

    /// The journal position up to which every balance has been offered to the cache.
    async fn position(&self) -> Result<u64, StoreError>;

    /// Moves the position forward; it never moves back.
    async fn advance(&self, epoch: u64, position: u64) -> Result<(), StoreError>;

    /// Forgets everything.
    async fn clear(&self) -> Result<(), StoreError>;
}
