use std::ops::Range;

use tempfile::TempDir;
use wallet_core::{
    account::Status,
    command::StatusChange,
    ids::WalletId,
    model::{ManualClock, MemoryLedger},
    ports::{BalanceCache, CachePosition, CachedBalance, WalletState},
};

use super::*;
use crate::{
    adapters::embedded::{audit::SqliteAudit, bus::LocalBus, cache::MemoryCache, wallets::SqliteWallets},
    services::testing::{commit, deposit, id, limit, open, register, status},
};

/// A bus over a list, which may lack records or hold foreign ones.
struct ListBus(Mutex<Vec<Arc<Stored>>>);

#[async_trait]
impl EventBus for ListBus {
    async fn publish(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        self.0.lock().unwrap().extend_from_slice(records);
        Ok(())
    }

    async fn tail(&self) -> Result<Option<Cut>, StoreError> {
        Ok(self.0.lock().unwrap().last().map(|stored| stored.cut()))
    }

    async fn fetch(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        let records = self.0.lock().unwrap();
        Ok(records.iter().filter(|stored| stored.record.seq > after).take(limit).cloned().collect())
    }

    async fn wait(&self, after: u64) -> Result<(), StoreError> {
        while self.fetch(after, 1).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.0.lock().unwrap().clear();
        Ok(())
    }
}

/// An effect that notes what it gets, and fails when told.
#[derive(Default)]
struct Notes {
    seqs: Mutex<Vec<u64>>,
    start: Mutex<Option<Place>>,
    failures: Mutex<usize>,
    settled: AtomicU64,
}

#[async_trait]
impl Effect for Notes {
    fn name(&self) -> &'static str {
        "notes"
    }

    fn pace(&self) -> Duration {
        Duration::from_millis(10)
    }

    async fn start(&self, ledger: &dyn LedgerStore) -> Result<Place, StoreError> {
        let start = *self.start.lock().unwrap();
        match start {
            Some(place) => Ok(place),
            None => Place::of(ledger, 0).await,
        }
    }

    async fn apply(&self, _: &dyn LedgerStore, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(StoreError::unavailable("notes", "told to fail"));
        }
        self.seqs.lock().unwrap().extend(records.iter().map(|stored| stored.record.seq));
        let last = records.last().unwrap();
        *self.start.lock().unwrap() = Some(Place { seq: last.record.seq, hash: last.hash });
        Ok(())
    }

    async fn settle(&self, position: u64) -> Result<(), StoreError> {
        self.settled.store(position, Ordering::Relaxed);
        Ok(())
    }
}

struct Following {
    follower: Arc<Follower>,
    notes: Arc<Notes>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

fn follow(ledger: &MemoryLedger, bus: Arc<dyn EventBus>, notes: Notes) -> Following {
    let notes = Arc::new(notes);
    let follower = Arc::new(Follower::new(notes.clone(), Arc::new(ledger.clone()), bus));
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (follower, stop) = (follower.clone(), stop.clone());
        async move { follower.run(&stop).await }
    });
    Following { follower, notes, stop, running }
}

impl Following {
    async fn until(&self, seq: u64) {
        let reached = async {
            while self.follower.state(seq).seq < seq {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), reached).await.unwrap();
    }

    async fn stopped(self) -> Arc<Notes> {
        self.stop.cancel();
        self.running.await.unwrap();
        self.notes
    }
}

async fn ledger(records: Range<u64>) -> MemoryLedger {
    let ledger = MemoryLedger::new("test");
    register(&ledger, records).await;
    ledger
}

async fn all(ledger: &MemoryLedger) -> Vec<Arc<Stored>> {
    ledger.records(0, usize::MAX).await.unwrap()
}

#[tokio::test]
async fn every_record_takes_effect_once_and_in_order() {
    let ledger = ledger(0..5).await;
    let bus = Arc::new(LocalBus::open(Arc::new(ledger.clone())).await.unwrap());
    let following = follow(&ledger, bus.clone(), Notes::default());
    following.until(5).await;
    register(&ledger, 5..9).await;
    bus.publish(&ledger.records(5, 10).await.unwrap()).await.unwrap();
    following.until(9).await;
    assert_eq!(
        following.follower.state(12),
        Projection { name: "notes", seq: 9, lag: 3, error: None },
        "three more than it has would be a lag of three"
    );
    let notes = following.stopped().await;
    assert_eq!(*notes.seqs.lock().unwrap(), (1..=9).collect::<Vec<_>>());
    assert_eq!(notes.settled.load(Ordering::Relaxed), 9, "the place is written down at the end");
}

#[tokio::test]
async fn a_gap_and_foreign_bytes_are_filled_from_the_ledger() {
    let ledger = ledger(0..6).await;
    let mut published = all(&ledger).await;
    let foreign = published[4].with_bytes(b"{}");
    published[4] = Arc::new(foreign);
    published.remove(1);
    let following = follow(&ledger, Arc::new(ListBus(Mutex::new(published))), Notes::default());
    following.until(6).await;
    assert_eq!(*following.stopped().await.seqs.lock().unwrap(), (1..=6).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_error_is_kept_and_tried_again() {
    let ledger = ledger(0..3).await;
    let bus = Arc::new(LocalBus::open(Arc::new(ledger.clone())).await.unwrap());
    let following = follow(&ledger, bus, Notes { failures: Mutex::new(3), ..Notes::default() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let state = following.follower.state(3);
    assert_eq!((state.seq, state.error.as_deref()), (0, Some("notes is unavailable: told to fail")));
    following.until(3).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(following.follower.state(3).error, None);
    assert_eq!(*following.stopped().await.seqs.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn a_follower_whose_past_is_another_one_stands_still_and_says_so() {
    let ledger = ledger(0..4).await;
    let bus = Arc::new(LocalBus::open(Arc::new(ledger.clone())).await.unwrap());
    let place = Place { seq: 2, hash: Hash([7; 32]) };
    let following = follow(&ledger, bus, Notes { start: Mutex::new(Some(place)), ..Notes::default() });
    tokio::time::sleep(Duration::from_millis(250)).await;
    let error = following.follower.state(4).error.unwrap();
    assert!(error.contains("record 3 of the journal does not follow"), "{error}");
    assert!(following.stopped().await.seqs.lock().unwrap().is_empty());
}

struct Stores {
    wallets: Arc<SqliteWallets>,
    cache: Arc<MemoryCache>,
    audit: Arc<SqliteAudit>,
    dir: TempDir,
}

fn stores() -> Stores {
    let dir = TempDir::new().unwrap();
    Stores {
        wallets: Arc::new(SqliteWallets::open(&dir.path().join("wallets.sqlite")).unwrap()),
        cache: Arc::new(MemoryCache::new()),
        audit: Arc::new(SqliteAudit::open(&dir.path().join("audit.sqlite"), "test").unwrap()),
        dir,
    }
}

/// Runs all projections until they stand at the ledger's head.
async fn catch_up(ledger: &MemoryLedger, stores: &Stores) {
    let shared: Arc<dyn LedgerStore> = Arc::new(ledger.clone());
    let bus: Arc<dyn EventBus> = Arc::new(LocalBus::open(shared.clone()).await.unwrap());
    let projections = Projections::new(
        &shared,
        &bus,
        vec![
            Arc::new(effects::WalletRows::new(stores.wallets.clone())),
            Arc::new(effects::Balances::new(stores.cache.clone(), Arc::new(ManualClock::default()))),
            Arc::new(effects::Trail::new(stores.audit.clone())),
        ],
    );
    let head = ledger.head().await.unwrap().seq;
    let stop = CancellationToken::new();
    let caught_up = async {
        while projections.states(head).iter().any(|state| state.seq < head) {
            assert!(projections.states(head).iter().all(|state| state.error.is_none()));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        stop.cancel();
    };
    tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(projections.run(&stop), caught_up) })
        .await
        .unwrap();
}

async fn cached(cache: &MemoryCache, wallet: &str) -> Option<CachedBalance> {
    cache.get(&id(wallet)).await.unwrap().0
}

#[tokio::test]
async fn the_stores_end_where_the_journal_is_and_can_be_dropped_and_rebuilt() {
    let (ledger, stores) = (MemoryLedger::new("test"), stores());
    commit(&ledger, "a", [open("w"), open("x"), deposit("w", "10"), deposit("w", "2.50")]).await;
    commit(&ledger, "b", [status("x", StatusChange::Freeze), limit("w", "5")]).await;
    for _ in 0..2 {
        catch_up(&ledger, &stores).await;
        assert_eq!(stores.audit.records(0, 100).await.unwrap(), all(&ledger).await);
        let row = |name: &str| {
            let (store, id) = (stores.wallets.clone(), id(name));
            async move { store.get(&id).await.unwrap().unwrap() }
        };
        let (w, x) = (row("w").await, row("x").await);
        assert_eq!((w.state, w.overdraft.as_str(), w.seq), (WalletState::Open(Status::Active), "5.00", 6));
        assert_eq!((x.state, x.overdraft.as_str(), x.seq), (WalletState::Open(Status::Frozen), "0.00", 5));
        assert_eq!(stores.wallets.position().await.unwrap(), 6);
        stores.wallets.clear().await.unwrap();
        stores.audit.clear().await.unwrap();
    }
}

async fn apply_to_cache(ledger: &MemoryLedger, cache: &Arc<MemoryCache>, after: u64) {
    let effect = effects::Balances::new(cache.clone(), Arc::new(ManualClock::default()));
    effect.apply(ledger, &ledger.records(after, 100).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn the_cache_holds_the_last_balance_and_status_of_each_wallet() {
    let (ledger, cache) = (MemoryLedger::new("test"), Arc::new(MemoryCache::new()));
    commit(&ledger, "a", [open("w"), open("x"), deposit("w", "10"), deposit("w", "2.50")]).await;
    apply_to_cache(&ledger, &cache, 0).await;
    let entry = cached(&cache, "w").await.unwrap();
    assert_eq!((entry.balance.to_string().as_str(), entry.seq, entry.status), ("12.50", 4, Status::Active));
    assert_eq!(cached(&cache, "x").await.unwrap().balance.to_string(), "0.00");
    assert_eq!(cache.position().await.unwrap(), CachePosition { epoch: 1, seq: 4 });
    commit(&ledger, "b", [status("w", StatusChange::Freeze)]).await;
    apply_to_cache(&ledger, &cache, 4).await;
    let entry = cached(&cache, "w").await.unwrap();
    assert_eq!((entry.balance.to_string().as_str(), entry.seq, entry.status), ("12.50", 5, Status::Frozen));
}

#[tokio::test]
async fn an_empty_cache_starts_at_the_head_and_one_ahead_is_dropped() {
    let ledger = ledger(0..4).await;
    let cache = Arc::new(MemoryCache::new());
    let effect = effects::Balances::new(cache.clone(), Arc::new(ManualClock::default()));
    assert_eq!(effect.start(&ledger).await.unwrap().seq, 4);
    assert_eq!(cache.position().await.unwrap(), CachePosition { epoch: 1, seq: 4 });
    cache.follow(&[], 4, CachePosition { epoch: 1, seq: 9 }).await.unwrap();
    let nobody: WalletId = id("w");
    let entry = CachedBalance {
        epoch: 1,
        seq: 9,
        balance: wallet_core::money::Balance::zero(2),
        asset: "EUR".parse().unwrap(),
        status: Status::Active,
        recorded_at: wallet_core::time::Timestamp::EPOCH,
    };
    cache.put_if_newer(&[(nobody, entry)], 9).await.unwrap();
    assert_eq!(effect.start(&ledger).await.unwrap().seq, 4);
    let at_head = CachePosition { epoch: 1, seq: 4 };
    assert_eq!((cached(&cache, "w").await, cache.position().await.unwrap()), (None, at_head));
    // Of another epoch, though its number is one that the ledger has: it may hold what was lost.
    cache.follow(&[], 3, CachePosition { epoch: 2, seq: 3 }).await.unwrap();
    assert_eq!(effect.start(&ledger).await.unwrap().seq, 4);
    assert_eq!(cache.position().await.unwrap(), at_head);
}

#[tokio::test]
async fn a_quiet_follower_writes_the_place_it_only_had_in_memory() {
    let (ledger, stores) = (ledger(0..3).await, stores());
    let effect = effects::WalletRows::new(stores.wallets.clone());
    effect.start(&ledger).await.unwrap();
    effect.apply(&ledger, &all(&ledger).await).await.unwrap();
    assert_eq!(stores.wallets.position().await.unwrap(), 0, "no wallet changed: nothing is written yet");
    effect.settle(3).await.unwrap();
    assert_eq!(stores.wallets.position().await.unwrap(), 3);
}

#[tokio::test]
async fn a_projection_ahead_of_the_ledger_is_named_with_both_cuts() {
    let (long, stores) = (ledger(0..5).await, stores());
    let check = async |ledger: &MemoryLedger| {
        let bus = LocalBus::open(Arc::new(ledger.clone())).await.unwrap();
        check_not_ahead(ledger, &*stores.wallets, &*stores.audit, &bus).await
    };
    check(&long).await.unwrap();
    stores.audit.add(&all(&long).await).await.unwrap();
    check(&long).await.unwrap();
    let short = ledger(0..2).await;
    let error = check(&short).await.unwrap_err();
    let (ahead, head) = (long.head().await.unwrap(), short.head().await.unwrap());
    for part in ["audit", "record 5 of epoch 1", &ahead.hash.to_string(), "record 2 of epoch 1", &head.hash.to_string()]
    {
        assert!(error.to_string().contains(part), "{part} in {error}");
    }
    stores.audit.clear().await.unwrap();
    stores.wallets.follow(&[], 3).await.unwrap();
    let error = check(&short).await.unwrap_err();
    assert!(matches!(error, AheadError::Ahead { projection: "wallets", at: Standing { seq: 3, cut: None }, .. }));
    check(&long).await.unwrap();
    assert!(stores.dir.path().exists());
}

#[tokio::test]
async fn a_damaged_copy_is_no_reason_not_to_serve() {
    let (ledger, stores) = (ledger(0..3).await, stores());
    stores.audit.add(&all(&ledger).await).await.unwrap();
    let hand = rusqlite::Connection::open(stores.dir.path().join("audit.sqlite")).unwrap();
    hand.execute("UPDATE records SET hash = zeroblob(32) WHERE seq = 3", []).unwrap();
    let bus = LocalBus::open(Arc::new(ledger.clone())).await.unwrap();
    check_not_ahead(&ledger, &*stores.wallets, &*stores.audit, &bus).await.unwrap();
}
