//! Every embedded adapter passes the list of its port, on files of its own, across restarts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod common;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use common::{Places, kept};
use wallet_core::{
    conformance::{
        AUDIT_CHECKS, BUS_CHECKS, Bed, CACHE_CHECKS, LEASE_CHECKS, LEDGER_CHECKS, LIMITER_CHECKS, WALLET_CHECKS,
        run_all,
    },
    model::{ManualClock, MemoryLedger},
    ports::{AuditStore, BalanceCache, EventBus, Leases, LedgerStore, RateLimiter, StoreError, WalletStore},
};
use walletd::adapters::embedded::{
    audit::SqliteAudit,
    bus::LocalBus,
    cache::MemoryCache,
    leases::LocalLeases,
    ledger::{FjallLedger, LedgerOptions},
    limiter::LocalLimiter,
    wallets::SqliteWallets,
};

/// Makes stores in a directory that goes away with it, and remembers which lies where.
struct Files<S: ?Sized> {
    dir: tempfile::TempDir,
    open: fn(&Path, &str) -> Result<Arc<S>, StoreError>,
    count: AtomicUsize,
    places: Places<(PathBuf, String)>,
}

impl<S: ?Sized> Files<S> {
    fn new(open: fn(&Path, &str) -> Result<Arc<S>, StoreError>) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), open, count: AtomicUsize::new(0), places: Places::default() }
    }

    fn open_at(&self, path: PathBuf, id: String) -> Result<Arc<S>, StoreError> {
        Ok(self.places.keep((self.open)(&path, &id)?, (path, id)))
    }
}

#[async_trait]
impl<S: ?Sized + Send + Sync + 'static> Bed<S> for Files<S> {
    async fn fresh(&self, id: &str) -> Result<Arc<S>, StoreError> {
        let path = self.dir.path().join(format!("store-{}", self.count.fetch_add(1, Ordering::Relaxed)));
        self.open_at(path, id.to_owned())
    }

    async fn reopen(&self, store: Arc<S>) -> Result<Arc<S>, StoreError> {
        let (path, id) = self.places.close(store);
        self.open_at(path, id)
    }
}

#[tokio::test]
async fn the_embedded_ledger_keeps_every_promise() {
    let bed = Files::<dyn LedgerStore>::new(|path, id| {
        let options = LedgerOptions {
            dir: path.to_owned(),
            cache_bytes: 8 << 20,
            write_buffer_bytes: 4 << 20,
            reserve_bytes: 0,
            new_id: id.to_owned(),
            clock: Arc::new(ManualClock::default()),
        };
        Ok(Arc::new(FjallLedger::open(options)?))
    });
    kept(run_all(LEDGER_CHECKS, &bed).await);
}

#[tokio::test]
async fn the_embedded_wallet_store_keeps_every_promise() {
    let bed = Files::<dyn WalletStore>::new(|path, _| Ok(Arc::new(SqliteWallets::open(path)?)));
    kept(run_all(WALLET_CHECKS, &bed).await);
}

#[tokio::test]
async fn the_embedded_audit_store_keeps_every_promise() {
    let bed = Files::<dyn AuditStore>::new(|path, id| Ok(Arc::new(SqliteAudit::open(path, id)?)));
    kept(run_all(AUDIT_CHECKS, &bed).await);
}

struct Cache;

#[async_trait]
impl Bed<dyn BalanceCache> for Cache {
    async fn fresh(&self, _: &str) -> Result<Arc<dyn BalanceCache>, StoreError> {
        Ok(Arc::new(MemoryCache::new()))
    }
}

#[tokio::test]
async fn the_cache_in_process_keeps_every_promise() {
    kept(run_all(CACHE_CHECKS, &Cache).await);
}

struct Bus;

#[async_trait]
impl Bed<dyn EventBus> for Bus {
    async fn fresh(&self, id: &str) -> Result<Arc<dyn EventBus>, StoreError> {
        Ok(Arc::new(LocalBus::open(Arc::new(MemoryLedger::new(id))).await?))
    }
}

#[tokio::test]
async fn the_bus_in_process_keeps_every_promise() {
    kept(run_all(BUS_CHECKS, &Bus).await);
}

struct Turns;

#[async_trait]
impl Bed<dyn Leases> for Turns {
    async fn fresh(&self, _: &str) -> Result<Arc<dyn Leases>, StoreError> {
        Ok(Arc::new(LocalLeases::default()))
    }
}

#[tokio::test]
async fn the_leases_in_process_keep_every_promise() {
    kept(run_all(LEASE_CHECKS, &Turns).await);
}

struct Buckets;

#[async_trait]
impl Bed<dyn RateLimiter> for Buckets {
    async fn fresh(&self, _: &str) -> Result<Arc<dyn RateLimiter>, StoreError> {
        Ok(Arc::new(LocalLimiter::default()))
    }
}

#[tokio::test]
async fn the_limiter_in_process_keeps_every_promise() {
    kept(run_all(LIMITER_CHECKS, &Buckets).await);
}
