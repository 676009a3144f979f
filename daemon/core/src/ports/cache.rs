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

/// Up to where a cache has followed the journal. The default is nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CachePosition {
    /// The epoch of that record; 0 while nobody has followed.
    pub epoch: u64,
    /// The last record followed.
    pub seq: u64,
}

/// The balance cache. It may forget anything at any time; it never answers a state older than it says.
///
/// What makes that true is the position: every balance held is right up to there. So a cache without a position (new,
/// cleared, or it has lost it) holds nothing and takes nothing until a follower sets one, and a follower says where it
/// stood before: a cache that is found behind that has lost something and forgets the rest. A cache may be in parts that
/// forget apart; then each part keeps this promise by itself.
#[async_trait]
pub trait BalanceCache: Send + Sync {
    /// False if it is in this process, so that a call costs next to nothing and waits for nobody.
    fn is_afar(&self) -> bool {
        true
    }

    /// The balance of a wallet, if known, with the position it is right up to.
    async fn get(&self, wallet: &WalletId) -> Result<(Option<CachedBalance>, u64), StoreError>;

    /// Puts balances, each only if it is newer (epoch, then seq) than what is there. A wallet that is
    /// absent is added only when `read_at` (the position the state was read at) is at or after the
    /// cache's position: so late messages after an eviction cannot revive an old balance. Balances of an epoch
    /// before the cache's are no balances any more and are left out.
    async fn put_if_newer(&self, balances: &[(WalletId, CachedBalance)], read_at: u64) -> Result<(), StoreError>;

    /// Follows the journal from behind record `from` to `to`, in one step (of each part): puts the balances that these
    /// records left, as [`BalanceCache::put_if_newer`] does with what was read at `to`, and moves the position to `to`; it never moves back.
    ///
    /// Where the cache has no position, one before `from`, or one of an earlier epoch, it forgets all it has first: the
    /// balances given are then what it holds. Where it is of a later epoch nothing happens. A repeat changes nothing.
    async fn follow(
        &self,
        balances: &[(WalletId, CachedBalance)],
        from: u64,
        to: CachePosition,
    ) -> Result<(), StoreError>;

    /// The position up to which everything held is right: of all parts that have one the lowest.
    async fn position(&self) -> Result<CachePosition, StoreError>;

    /// Notes that at `moment` the cache, followed up to `upto`, had everything the ledger had acknowledged. It is how a
    /// reader knows how old an answer is without asking the ledger. An earlier moment than the noted one changes nothing.
    async fn stamp(&self, upto: CachePosition, moment: Timestamp) -> Result<(), StoreError>;

    /// What was noted last; none if it was never, or is forgotten.
    async fn stamped(&self) -> Result<Option<(CachePosition, Timestamp)>, StoreError>;

    /// Forgets everything, the position too.
    async fn clear(&self) -> Result<(), StoreError>;
}
