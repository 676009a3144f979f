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
    account::Status,
    ids::WalletId,
    journal::{Event, Record, Stored, genesis},
    money::Balance,
    ports::{AuditStore, BalanceCache, CachedBalance, LedgerStore, StoreError, WalletStore},
};

use super::{Effect, Place};
use crate::services::wallets::rows;

/// The audit trail's synced writes compete with the ledger's: at most 20 a second while pages are small.
const AUDIT_PACE: Duration = Duration::from_millis(50);
/// The cache is in memory, or a network away; it is to be fresh.
const BALANCES_PACE: Duration = Duration::from_millis(10);
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
}

impl Balances {
    /// The balances of this cache.
    pub fn new(cache: Arc<dyn BalanceCache>) -> Self {
        Self { cache }
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

    /// A cache may forget anything: one that is empty, far behind, or ahead of the ledger starts empty at its head.
    async fn start(&self, ledger: &dyn LedgerStore) -> Result<Place, StoreError> {
        let head = ledger.head().await?;
        let position = self.cache.position().await?;
        let behind = head.seq.checked_sub(position);
        if position == 0 || behind.is_none_or(|behind| behind > DROP_BEHIND) {
            self.cache.clear().await?;
            self.cache.advance(head.epoch, head.seq).await?;
            return Ok(Place { seq: head.seq, hash: head.hash });
        }
        Place::of(ledger, position).await
    }

    async fn apply(&self, ledger: &dyn LedgerStore, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let Some(last) = records.last().map(|stored| &stored.record) else { return Ok(()) };
        let mut balances = HashMap::new();
        let mut others = Vec::new();
        for stored in records {
            offered(&stored.record, &mut balances, &mut others);
        }
        let balances: Vec<_> = balances.into_iter().collect();
        self.cache.put_if_newer(&balances, last.seq).await?;
        if !others.is_empty() {
            let head = ledger.head().await?;
            let mut read = Vec::with_capacity(others.len());
            for wallet in others {
                read.extend(account(ledger, head.epoch, wallet).await?);
            }
            self.cache.put_if_newer(&read, head.seq).await?;
        }
        self.cache.advance(last.epoch, last.seq).await
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
        Event::AssetRegistered(_) | Event::EpochRaised { .. } => {}
    }
}

/// A wallet's balance as its account stands.
async fn account(
    ledger: &dyn LedgerStore,
    epoch: u64,
    wallet: WalletId,
) -> Result<Option<(WalletId, CachedBalance)>, StoreError> {
    let Some(account) = ledger.account(&wallet).await? else { return Ok(None) };
    let Some(record) = ledger.record(account.seq).await? else { return Ok(None) };
    let balance = CachedBalance {
        epoch,
        seq: account.seq,
        balance: account.balance,
        asset: account.asset,
        status: account.status,
        recorded_at: record.record.recorded_at,
    };
    Ok(Some((wallet, balance)))
}
