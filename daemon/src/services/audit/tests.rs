//! How many verifications run and wait, and what becomes of those that nobody waits for.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use tempfile::TempDir;
use wallet_core::{model::MemoryLedger, ports::EventBus};

use super::*;
use crate::adapters::embedded::{audit::SqliteAudit, cache::MemoryCache, wallets::SqliteWallets};

/// A bus that lets a walk go on when it is told to, one for each permit.
struct Gate {
    entered: AtomicU64,
    open: Semaphore,
}

#[async_trait]
impl EventBus for Gate {
    async fn publish(&self, _: &[Arc<Stored>]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn tail(&self) -> Result<Option<Cut>, StoreError> {
        self.entered.fetch_add(1, Ordering::SeqCst);
        self.open.acquire().await.unwrap().forget();
        Ok(None)
    }

    async fn fetch(&self, _: u64, _: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        Ok(Vec::new())
    }

    async fn wait(&self, _: u64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn clear(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

struct World {
    _dir: TempDir,
    gate: Arc<Gate>,
    audit: Audit,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gate = Arc::new(Gate { entered: AtomicU64::new(0), open: Semaphore::new(0) });
        let followers = Followers {
            wallets: Arc::new(SqliteWallets::open(&dir.path().join("wallets.sqlite")).unwrap()),
            cache: Arc::new(MemoryCache::new()),
            bus: Arc::clone(&gate) as Arc<dyn EventBus>,
        };
        let trail = SqliteAudit::open(&dir.path().join("audit.sqlite"), "ledger").unwrap();
        let audit = Audit::new(Arc::new(MemoryLedger::new("ledger")), Arc::new(trail), followers);
        Self { _dir: dir, gate, audit }
    }

    fn asks(&self) -> tokio::task::JoinHandle<Result<Verification, ServiceError>> {
        let audit = self.audit.clone();
        tokio::spawn(async move { audit.verify(Wish { cut: None, stores: true }).await })
    }

    /// Waits until so many walks came as far as the gate.
    async fn entered(&self, count: u64) {
        while self.gate.entered.load(Ordering::SeqCst) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(self.gate.entered.load(Ordering::SeqCst), count);
    }
}

#[tokio::test]
async fn verifications_run_one_at_a_time_few_wait_and_the_next_is_told_that_there_is_no_room() {
    let world = World::new();
    let first = world.asks();
    world.entered(1).await;
    let waiting: Vec<_> = (0..MAX_WAITING).map(|_| world.asks()).collect();
    while world.audit.turns.line.available_permits() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(world.asks().await.unwrap(), Err(ServiceError::Busy(_))));
    world.entered(1).await;
    world.gate.open.add_permits(1);
    assert!(first.await.unwrap().is_ok());
    world.entered(2).await;
    world.gate.open.add_permits(MAX_WAITING);
    for one in waiting {
        assert!(one.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_verification_ends_with_who_asked_for_it_and_the_next_begins() {
    let world = World::new();
    let (first, second, third) = (world.asks(), world.asks(), world.asks());
    world.entered(1).await;
    for gone in [first, second] {
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
    }
    world.gate.open.add_permits(1);
    assert!(third.await.unwrap().is_ok());
    assert_eq!(world.audit.turns.line.available_permits(), 1 + MAX_WAITING);
}
