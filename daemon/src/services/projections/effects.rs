//! What the projections do with the journal's records.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use wallet_core::{
    account::{Account, Status},
    ids::WalletId,
    journal::{Event, Record, Stored, genesis},
    money::Balance,
    ports::{AuditStore, BalanceCache, CachePosition, CachedBalance, Clock, LedgerStore, StoreError, WalletStore},
};

use super::{Effect, Place};
use crate::services::wallets::rows;

/// The audit trail's synced writes compete with the ledger's: at most 20 a second while pages are small.
const AUDIT_PACE: Duration = Duration::from_millis(50);
/// Whoever commits offers its balances to the cache at once; what follows here is its position, a call for each of its
/// parts.
const BALANCES_PACE: Duration = Duration::from_millis(40);
/// Rows change seldom; the service writes them itself, too.
const WALLETS_PACE: Duration = Duration::from_millis(50);
/// Records without a wallet change before the position is written all the same: what a crash makes it read again.
const UNWRITTEN: u64 = 50_000;
/// A cache further behind than this is cheaper to drop than to bring up.
const DROP_BEHIND: u64 = 100_000;

/// Puts every record into the audit store.
pub struct Trail {
    store: Arc<dyn AuditStore>,
}

impl Trail {
    /// The trail kept in this store.
    pub fn new(store: Arc<dyn AuditStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Effect for Trail {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn pace(&self) -> Duration {
        AUDIT_PACE
    }

    async fn start(&self, ledger: &dyn LedgerStore) -> Result<Place, StoreError> {
        // Its own hash, not the ledger's: the two are evidence against each other.
        let head = self.store.head().await?;
        Ok(head
            .map_or_else(|| Place { seq: 0, hash: genesis(ledger.id()) }, |cut| Place { seq: cut.seq, hash: cut.hash }))
    }

    async fn apply(&self, _: &dyn LedgerStore, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        self.store.add(records).await
    }

    async fn settle(&self, _: u64) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Keeps the wallet store's rows.
pub struct WalletRows {
    store: Arc<dyn WalletStore>,
    written: AtomicU64,
}

impl WalletRows {
    /// The rows of this store.
    pub fn new(store: Arc<dyn WalletStore>) -> Self {
        Self { store, written: AtomicU64::new(0) }
    }

    fn unwritten(&self, position: u64) -> u64 {
        position.saturating_sub(self.written.load(Ordering::Relaxed))
    }
}

#[async_trait]
impl Effect for WalletRows {
    fn name(&self) -> &'static str {
        "wallets"
    }

    fn pace(&self) -> Duration {
        WALLETS_PACE
    }

    async fn start(&self, ledger: &dyn LedgerStore) -> Result<Place, StoreError> {
        let position = self.store.position().await?;
        self.written.store(position, Ordering::Relaxed);
        Place::of(ledger, position).await
    }

    async fn apply(&self, ledger: &dyn LedgerStore, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let Some(position) = records.last().map(|stored| stored.record.seq) else { return Ok(()) };
        let rows = rows::of_records(&*self.store, ledger, records).await?;
        if rows.is_empty() && self.unwritten(position) < UNWRITTEN {
            return Ok(());
        }
        self.store.follow(&rows, position).await?;
        self.written.store(position, Ordering::Relaxed);
        Ok(())
    }

    async fn settle(&self, position: u64) -> Result<(), StoreError> {
        if self.unwritten(position) == 0 {
            return Ok(());
        }
        self.store.follow(&[], position).await?;
        self.written.store(position, Ordering::Relaxed);
        Ok(())
    }
}

/// Offers every balance to the cache.
pub struct Balances {
    cache: Arc<dyn BalanceCache>,
    clock: Arc<dyn Clock>,
}

impl Balances {
    /// The balances of this cache.
    pub fn new(cache: Arc<dyn BalanceCache>, clock: Arc<dyn Clock>) -> Self {
        Self { cache, clock }
    }
}

#[async_trait]
impl Effect for Balances {
    fn name(&self) -> &'static str {
        "balances"
    }

    fn pace(&self) -> Duration {
        BALANCES_PACE
    }

    /// A cache may forget anything: one that is empty, far behind, of another epoch, or ahead of the ledger starts empty
    /// at its head.
    async fn start(&self, ledger: &dyn LedgerStore) -> Result<Place, StoreError> {
        // In this order: what another daemon's follower does in between does not make the cache look ahead.
        let position = self.cache.position().await?;
        let head = ledger.head().await?;
        let behind = head.seq.checked_sub(position.seq).filter(|_| position.epoch == head.epoch);
        if position.seq > 0 && behind.is_some_and(|behind| behind <= DROP_BEHIND) {
            Place::of(ledger, position.seq).await
        } else {
            self.cache.clear().await?;
            self.cache.follow(&[], head.seq, CachePosition { epoch: head.epoch, seq: head.seq }).await?;
            Ok(Place { seq: head.seq, hash: head.hash })
        }
    }

    async fn apply(&self, ledger: &dyn LedgerStore, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        let mut balances = HashMap::new();
        let mut others = Vec::new();
        for stored in records {
            offered(&stored.record, &mut balances, &mut others);
        }
        if !others.is_empty() {
            // Read now, so at or after the last of these records.
            let epoch = ledger.head().await?.epoch;
            for wallet in others {
                balances.extend(account(ledger, epoch, wallet).await?);
            }
        }
        let balances: Vec<_> = balances.into_iter().collect();
        let to = CachePosition { epoch: last.record.epoch, seq: last.record.seq };
        self.cache.follow(&balances, first.record.seq.saturating_sub(1), to).await?;
        self.cache.stamp(to, last.record.recorded_at).await
    }

    /// What is quiet is as good as new: a reader sees that nothing is missing, without asking the ledger.
    async fn rest(&self, ledger: &dyn LedgerStore, position: u64) -> Result<(), StoreError> {
        // The clock first: what is acknowledged from now on is not vouched for.
        let now = self.clock.now();
        let head = ledger.head().await?;
        if head.seq > position {
            return Ok(());
        }
        let upto = CachePosition { epoch: head.epoch, seq: head.seq };
        // A cache that forgot everything meanwhile begins anew here.
        self.cache.follow(&[], head.seq, upto).await?;
        self.cache.stamp(upto, now.max(head.recorded_at)).await
    }

    async fn settle(&self, _: u64) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What a record says about balances; wallets whose balance it does not say go to `others`.
fn offered(record: &Record, balances: &mut HashMap<WalletId, CachedBalance>, others: &mut Vec<WalletId>) {
    let mut offer = |wallet: &WalletId, balance: Balance, asset| {
        let Record { epoch, seq, recorded_at, .. } = *record;
        // Money moves through active wallets only.
        let status = Status::Active;
        balances.insert(wallet.clone(), CachedBalance { epoch, seq, balance, asset, status, recorded_at });
    };
    match &record.event {
        Event::Transaction(t) => {
            for leg in [&t.debit, &t.credit] {
                if let Some(wallet) = leg.account.wallet() {
                    offer(wallet, leg.balance_after, t.asset);
                }
            }
        }
        Event::WalletOpened(opened) => offer(&opened.id, Balance::zero(opened.asset.scale), opened.asset.code),
        Event::StatusChanged { wallet, .. } | Event::LimitChanged { wallet, .. } => others.push(wallet.clone()),
        Event::AssetRegistered(_) | Event::Access(_) | Event::EpochRaised { .. } => {}
    }
}

/// A wallet's balance as its account stands.
async fn account(
    ledger: &dyn LedgerStore,
    epoch: u64,
    wallet: WalletId,
) -> Result<Option<(WalletId, CachedBalance)>, StoreError> {
    match ledger.account(&wallet).await? {
        Some(account) => cached(ledger, epoch, &account).await,
        None => Ok(None),
    }
}

/// What the cache is to hold of an account; none for one that is no wallet.
pub async fn cached(
    ledger: &dyn LedgerStore,
    epoch: u64,
    account: &Account,
) -> Result<Option<(WalletId, CachedBalance)>, StoreError> {
    let Some(wallet) = account.id.wallet() else { return Ok(None) };
    let Some(record) = ledger.record(account.seq).await? else { return Ok(None) };
    let balance = CachedBalance {
        epoch,
        seq: account.seq,
        balance: account.balance,
        asset: account.asset,
        status: account.status,
        recorded_at: record.record.recorded_at,
    };
    Ok(Some((wallet.clone(), balance)))
}
