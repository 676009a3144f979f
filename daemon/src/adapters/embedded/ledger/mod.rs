//! The embedded ledger on fjall, a log-structured merge tree.
//!
//! Keyspaces: `journal` (seq → hash, trace, bytes), `keys` (16 bytes of the key's hash → seq),
//! `entries` (account, run, `effective_at`, seq → sums), [`past`] (them once more, for balances at past moments), `accounts`, `answers` (kept under batch
//! requests' own keys), `reversals`, `meta`. Rows of accounts are written [`behind`] the others. One commit is one atomic batch over all of them, synced
//! before the answer. One process holds the directory: fjall locks it.
//!
//! Beside the store lies a [`tail`]: the last records once more, as they are. fjall cuts its log off
//! at the first block it cannot read; what was acknowledged behind that point comes back from there.
//!
//! A failed write or sync poisons fjall. The next call reopens it and looks at what is really there, on the disk and not in the
//! system's memory, so a commit is only ever answered by what the store holds.

mod behind;
mod codec;
mod commit;
mod cuts;
mod merge;
mod past;
mod read;
mod repair;
mod search;
mod tail;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode,
    compaction::Leveled,
    config::{CompressionPolicy, FilterPolicy, PartitioningPolicy, RestartIntervalPolicy},
};
use wallet_core::{
    account::Account,
    asset::{Asset, Assets},
    cut::Cut,
    ids::AccountId,
    journal::genesis,
    ports::{Clock, StoreError},
    time::Timestamp,
};

use self::{behind::Behind, cuts::Cuts, tail::Tail};
use crate::adapters::recent::Recent;

/// The name errors give this store.
const STORE: &str = "ledger";
/// Accounts the writer keeps decoded; about 400 bytes each. One that is not there costs a few microseconds.
const CACHED_ACCOUNTS: usize = 16_384;
/// How long a reopening waits for readers to let go of the old store.
const REOPEN_PATIENCE: Duration = Duration::from_secs(5);
/// fdatasync: data and the size needed to read it back are on disk before the answer.
const DURABLE: PersistMode = PersistMode::SyncData;

/// How the ledger is opened.
#[derive(Clone)]
pub struct LedgerOptions {
    /// Its directory; made if absent.
    pub dir: PathBuf,
    /// Block cache, in bytes.
    pub cache_bytes: u64,
    /// Memory for the newest rows of all keyspaces, in bytes, before they are written out.
    pub write_buffer_bytes: u64,
    /// Room that must stay free on the disk; below it writes are refused before they touch the store.
    pub reserve_bytes: u64,
    /// The id of a ledger that is made anew.
    pub new_id: String,
    /// The clock of `recorded_at`.
    pub clock: Arc<dyn Clock>,
}

/// The embedded ledger.
pub struct FjallLedger {
    options: LedgerOptions,
    id: String,
    engine: RwLock<Option<Arc<Engine>>>,
    writer: Mutex<Writer>,
    head: RwLock<Cut>,
    assets: RwLock<Assets>,
    behind: Behind,
    cuts: Cuts,
    recent: Recent,
}

/// The open store.
struct Engine {
    db: Database,
    journal: Keyspace,
    keys: Keyspace,
    entries: Keyspace,
    past: Keyspace,
    accounts: Keyspace,
    answers: Keyspace,
    reversals: Keyspace,
    meta: Keyspace,
    /// What the memtables that are being filled hold at the most, as the store counts.
    memtable_bytes: u64,
}

/// Accounts decoded, by their ids.
type CachedAccounts = quick_cache::unsync::Cache<AccountId, Box<Account>>;

/// Puts an account in place of what it was: a box that stays does not keep a page of memory alone.
fn keep(accounts: &mut CachedAccounts, account: Account) {
    if let Some(mut kept) = accounts.get_mut(&account.id) {
        **kept = account;
        return;
    }
    accounts.insert(account.id.clone(), Box::new(account));
}

/// What only the one writer uses.
struct Writer {
    /// Accounts as their rows are; one whose row is behind is newer in [`Behind`].
    accounts: CachedAccounts,
    open: past::Open,
    tail: Tail,
}

/// What a keyspace is mostly asked for.
///
/// Indexes and filters of large tables are read in parts of 4 KiB, as data is: whole, they take half a
/// megabyte each, push everything else out of the cache and are read again at every look-up.
#[derive(Clone, Copy)]
enum Asked {
    /// Rows that are there, and the rows beside them: no filter.
    InOrder,
    /// The same anywhere in a long history: a block that is not in the cache is read and checked for one row of it, and
    /// unpacking it would take as long again.
    Anywhere,
    /// The same, one row at a time and each longer than what its key has in common with the one before: all keys are whole,
    /// so that one is found without reading through those in front of it.
    Alone,
    /// Whether a row is there at all; mostly it is not.
    IfThere,
}

impl Asked {
    fn options(self) -> KeyspaceCreateOptions {
        // What is read whole stays in memory with its table, also of a fresh one that is moved down as it is, as the
        // journal's always are. Filters of fresh tables are small and go with them.
        let in_parts = PartitioningPolicy::all(true);
        let (fresh, bytes) = match self {
            Self::Alone => (FRESH_TABLES_ALONE, TABLE_BYTES_ALONE),
            _ => (FRESH_TABLES, TABLE_BYTES),
        };
        let levels = Leveled::default().with_l0_threshold(fresh).with_table_target_size(bytes);
        let options = KeyspaceCreateOptions::default()
            .index_block_partitioning_policy(in_parts)
            .compaction_strategy(Arc::new(levels));
        match self {
            Self::InOrder => options.filter_policy(FilterPolicy::disabled()),
            Self::Anywhere => options
                .filter_policy(FilterPolicy::disabled())
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::None)),
            Self::Alone => options
                .filter_policy(FilterPolicy::disabled())
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
                .data_block_restart_interval_policy(RestartIntervalPolicy::all(1)),
            Self::IfThere => options.filter_block_partitioning_policy(PartitioningPolicy::new([false, true])),
        }
    }
}

fn engine(error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => io(error),
        fjall::Error::Poisoned => StoreError::unavailable(STORE, "an earlier write failed; it is being reopened"),
        fjall::Error::Locked => StoreError::unavailable(STORE, "another process holds it"),
        other => StoreError::corrupt(STORE, other),
    }
}

fn io(error: std::io::Error) -> StoreError {
    if error.kind() == std::io::ErrorKind::StorageFull || error.kind() == std::io::ErrorKind::QuotaExceeded {
        StoreError::DiskFull { store: STORE }
    } else {
        StoreError::unavailable(STORE, error)
    }
}

impl Engine {
    fn open(options: &LedgerOptions) -> Result<Self, fjall::Error> {
        let db = Database::builder(&options.dir)
            .cache_size(options.cache_bytes)
            .max_journaling_size(LOG_BYTES)
            .worker_threads(WORKERS)
            .open()?;
        let mut memtable_bytes: u64 = 0;
        let mut keyspace = |name: &str, share: u64, asked: Asked| {
            let bytes = (options.write_buffer_bytes / share).max(MIN_MEMTABLE);
            memtable_bytes = memtable_bytes.saturating_add(bytes);
            db.keyspace(name, || asked.options().max_memtable_size(bytes))
        };
        Ok(Self {
            // Shares of the write buffer; one memtable is being written out while the next fills.
            journal: keyspace("journal", 4, Asked::InOrder)?,
            keys: keyspace("keys", 8, Asked::IfThere)?,
            entries: keyspace("entries", 8, Asked::Anywhere)?,
            past: keyspace("past", 32, Asked::Alone)?,
            accounts: keyspace("accounts", 8, Asked::IfThere)?,
            answers: keyspace("answers", 32, Asked::IfThere)?,
            reversals: keyspace("reversals", 64, Asked::IfThere)?,
            meta: keyspace("meta", 64, Asked::IfThere)?,
            memtable_bytes,
            db,
        })
    }

    /// The ledger's id; a new store gets one, and its format number, first.
    fn identify(&self, new_id: &str) -> Result<String, StoreError> {
        if let Some(format) = self.meta.get("format").map_err(engine)? {
            if *format != *codec::FORMAT.as_bytes() {
                let found = String::from_utf8_lossy(&format).into_owned();
                return Err(StoreError::corrupt(
                    STORE,
                    format!(
                        "format {found}; this walletd reads format {}: make a backup with the walletd that wrote it, \
                         restore it with this one",
                        codec::FORMAT
                    ),
                ));
            }
            let id = self.meta.get("ledger_id").map_err(engine)?.ok_or_else(|| codec::damaged("it has no id"))?;
            return String::from_utf8(id.to_vec()).map_err(|_| codec::damaged("its id is not text"));
        }
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&self.meta, "format", codec::FORMAT);
        batch.insert(&self.meta, "ledger_id", new_id);
        batch.insert(&self.meta, behind::UNTIL, 0_u64.to_be_bytes());
        batch.commit().map_err(engine)?;
        Ok(new_id.to_owned())
    }

    fn head(&self, id: &str) -> Result<Cut, StoreError> {
        match self.journal.last_key_value() {
            Some(guard) => Ok(codec::decode_stored(&guard.value().map_err(engine)?)?.cut()),
            None => Ok(start(id)),
        }
    }

    fn assets(&self) -> Result<Assets, StoreError> {
        let mut assets = Assets::default();
        for guard in self.meta.prefix(ASSET_PREFIX) {
            let (key, value) = guard.into_inner().map_err(engine)?;
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let code = text(key.strip_prefix(ASSET_PREFIX.as_bytes()).unwrap_or_default());
            let asset = code.parse().ok().zip(text(&value).parse().ok());
            let (code, scale) = asset.ok_or_else(|| codec::damaged("a registered asset is unreadable"))?;
            assets.register(Asset { code, scale });
        }
        Ok(assets)
    }
}

/// Bytes of fjall's own log before the oldest rows are written out: the least it allows. It bounds
/// the time a restart needs.
const LOG_BYTES: u64 = 64 << 20;
/// Threads that write out and merge rows. One keeps the second core for the writer.
const WORKERS: usize = 1;
/// Tables fresh from memory before they are merged into the first level; each is one more place to look in.
const FRESH_TABLES: u8 = 6;
/// Bytes of a merged table. The first level is as large as [`FRESH_TABLES`] of them, and is written anew whenever so many
/// fresh ones are merged into it: large tables make that the most expensive thing of all.
const TABLE_BYTES: u64 = 4 << 20;
/// The same where few bytes are written and each look-up asks every fresh table: twice as many fresh ones took 2 us more each.
const FRESH_TABLES_ALONE: u8 = 2;
/// The same there: the first level holds a million entries.
const TABLE_BYTES_ALONE: u64 = 8 << 20;
/// The least a keyspace gets.
const MIN_MEMTABLE: u64 = 1 << 20;
const ASSET_PREFIX: &str = "asset:";

impl FjallLedger {
    /// Opens (or makes) a ledger. Blocks.
    ///
    /// What the log lost behind the last good block comes back from the tail; if it cannot, the
    /// error is `Corrupt` and names both ends.
    pub fn open(options: LedgerOptions) -> Result<Self, StoreError> {
        std::fs::create_dir_all(&options.dir).map_err(io)?;
        let store = repair::open(&options)?;
        let id = store.identify(&options.new_id)?;
        let head = store.head(&id)?;
        let assets = store.assets()?;
        let behind = Behind::of(&store, start(&id), head, assets.clone())?;
        let (tail, lost) = Tail::open(&beside(&options.dir, "tail"), head)?;
        let cuts = Cuts::open(&beside(&options.dir, "cuts"), &id, head.seq)?;
        let ledger = Self {
            id,
            engine: RwLock::new(Some(Arc::new(store))),
            writer: Mutex::new(Writer {
                accounts: CachedAccounts::new(CACHED_ACCOUNTS),
                open: past::Open::default(),
                tail,
            }),
            head: RwLock::new(head),
            assets: RwLock::new(assets),
            behind,
            cuts,
            recent: Recent::default(),
            options,
        };
        if !lost.is_empty() {
            tracing::warn!(
                records = lost.len(),
                from_seq = head.seq + 1,
                "the store's log was cut off behind acknowledged records; they are put back from its tail file"
            );
            ledger.put_back(&lost)?;
        }
        Ok(ledger)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic while deciding leaves nothing half written: the store itself is the state.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn head_now(&self) -> Cut {
        *self.head.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_head(&self, head: Cut) {
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = head;
    }

    fn assets_now(&self) -> Assets {
        self.assets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_assets(&self, assets: Assets) {
        *self.assets.write().unwrap_or_else(PoisonError::into_inner) = assets;
    }

    fn engine(&self) -> Result<Arc<Engine>, StoreError> {
        let held = self.engine.read().unwrap_or_else(PoisonError::into_inner);
        held.clone().ok_or_else(|| StoreError::unavailable(STORE, "it is being reopened after a failed write"))
    }

    /// Closes and opens the store after a failed write, and reads its head anew.
    fn reopen(&self, writer: &mut Writer) -> Result<Arc<Engine>, StoreError> {
        let old = self.engine.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut old) = old {
            let step = Duration::from_millis(5);
            let mut waited = Duration::ZERO;
            // Readers hold the old store for one page at most.
            while let Err(still_held) = Arc::try_unwrap(old).map(drop) {
                if waited > REOPEN_PATIENCE {
                    *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Some(still_held);
                    return Err(StoreError::unavailable(STORE, "readers still hold the store"));
                }
                std::thread::sleep(step);
                waited += step;
                old = still_held;
            }
        }
        repair::forget_logs(&self.options.dir)?;
        let store = Arc::new(Engine::open(&self.options).map_err(engine)?);
        let head = store.head(&self.id)?;
        let assets = store.assets()?;
        self.cuts.forget_behind(head.seq)?;
        writer.accounts.clear();
        writer.open = past::Open::default();
        self.behind.replace(Behind::of(&store, start(&self.id), head, assets.clone())?);
        self.set_assets(assets);
        self.set_head(head);
        *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&store));
        tracing::warn!(seq = head.seq, "the ledger was reopened after a failed write");
        Ok(store)
    }
}

/// The cut of the empty ledger.
fn start(id: &str) -> Cut {
    Cut { epoch: 1, seq: 0, recorded_at: Timestamp::EPOCH, hash: genesis(id) }
}

/// What lies beside the store, not in it.
fn beside(dir: &Path, what: &str) -> PathBuf {
    let mut name = dir.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
