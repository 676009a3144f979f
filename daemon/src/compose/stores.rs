//! The stores of a configuration, opened: embedded ones in the data directory, others at their URLs.

#![expect(clippy::single_match_else, reason = "a server or what is embedded: two cases of one rank")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use wallet_core::ports::{AuditStore, BalanceCache, Clock, EventBus, Leases, LedgerStore, StoreError, WalletStore};

use crate::{
    adapters::{
        connection::{Connection, Identity, Tls},
        embedded::{
            audit::SqliteAudit,
            bus::LocalBus,
            cache::MemoryCache,
            clock::SystemClock,
            leases::LocalLeases,
            ledger::{FjallLedger, LedgerOptions},
            wallets::SqliteWallets,
        },
        kafka::KafkaBus,
        mongo::MongoAudit,
        mysql::MysqlWallets,
        postgres::{self, PostgresLeases, PostgresLedger},
        redis::RedisCache,
        schema::OpenError,
    },
    config::{Config, Store},
    metrics::{PoolUse, Pools},
};

/// Where the embedded stores of a data directory are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The ledger's directory.
    pub ledger: PathBuf,
    /// The wallets' file.
    pub wallets: PathBuf,
    /// The audit trail's file.
    pub audit: PathBuf,
}

impl Places {
    /// In this data directory.
    pub fn of(directory: &Path) -> Self {
        Self {
            ledger: directory.join("ledger"),
            wallets: directory.join("wallets.sqlite"),
            audit: directory.join("audit.sqlite"),
        }
    }
}

/// The stores, open.
#[derive(Clone)]
pub struct Stores {
    /// The ledger.
    pub ledger: Arc<dyn LedgerStore>,
    /// The wallets.
    pub wallets: Arc<dyn WalletStore>,
    /// The audit trail.
    pub audit: Arc<dyn AuditStore>,
    /// The events.
    pub bus: Arc<dyn EventBus>,
    /// The balance cache.
    pub cache: Arc<dyn BalanceCache>,
    /// Who leads what.
    pub leases: Arc<dyn Leases>,
    /// The clock of the ledger.
    pub clock: Arc<dyn Clock>,
    /// The engine of each store, by its name.
    pub engines: BTreeMap<String, String>,
    /// How the servers' connections are used.
    pub pools: Pools,
}

/// What opening may do with a schema that is not the one this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nothing: a server's schema is refused. Embedded stores, which nobody else uses, migrate themselves.
    AsItIs,
    /// Migrate it.
    Migrate,
}

/// A new ledger's id.
fn new_ledger_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// How the embedded ledger of a configuration is opened; a new one gets `id`, or one of its own.
pub fn ledger_options(config: &Config, clock: Arc<dyn Clock>, id: Option<String>) -> LedgerOptions {
    LedgerOptions {
        dir: Places::of(&config.data.directory).ledger,
        cache_bytes: config.ledger.cache_bytes,
        write_buffer_bytes: config.ledger.write_buffer_bytes,
        reserve_bytes: config.ledger.reserve_bytes,
        new_id: id.unwrap_or_else(new_ledger_id),
        clock,
    }
}

/// How a store's server is reached; none while it is embedded.
pub(crate) fn connection(name: &'static str, store: &Store) -> Result<Option<Connection>, OpenError> {
    let Some(mut url) = store.server() else { return Ok(None) };
    if let Some(file) = &store.password_file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| OpenError::configuration(name, format_args!("cannot read {}: {error}", file.display())))?;
        url = url.having_password(text.trim_end_matches(['\r', '\n']).to_owned());
    }
    let identity = store.cert_file.clone().zip(store.key_file.clone());
    let identity = identity.map(|(cert_file, key_file)| Identity { cert_file, key_file });
    let tls = store.encrypted(&url).then(|| Tls { ca_file: store.ca_file.clone(), identity });
    Ok(Some(Connection { url, tls, pool: store.pool, timeout: Duration::from_millis(store.timeout_ms) }))
}

/// How the ledger's server is reached; none while the ledger is embedded.
pub fn ledger_server(config: &Config) -> Result<Option<Connection>, OpenError> {
    connection("ledger", &config.stores.ledger)
}

/// Opens every store of a configuration.
pub async fn open(config: &Config, how: Opening) -> anyhow::Result<Stores> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let places = Places::of(&config.data.directory);
    let mut engines = BTreeMap::new();
    let mut pools = Pools::default();
    let mut engine = |port: &str, adapter: &str| drop(engines.insert(port.to_owned(), adapter.to_owned()));

    let (ledger, leases): (Arc<dyn LedgerStore>, Arc<dyn Leases>) = match connection("ledger", &config.stores.ledger)? {
        Some(server) => {
            engine("ledger", "postgres");
            if how == Opening::Migrate {
                postgres::migrate(&server).await?;
            }
            let ledger = Arc::new(PostgresLedger::open(&server, new_ledger_id(), Arc::clone(&clock)).await?);
            let pool = Arc::clone(&ledger);
            pools.add("ledger", move || {
                let postgres::PoolUse { max, open, used, waiting } = pool.pool_use();
                PoolUse { limit: max, open, in_use: used, waiting }
            });
            (ledger, Arc::new(PostgresLeases::open(&server).await?))
        }
        None => {
            engine("ledger", "fjall");
            let options = ledger_options(config, Arc::clone(&clock), None);
            (blocking(move || FjallLedger::open(options)).await?, Arc::new(LocalLeases::default()))
        }
    };
    let audit: Arc<dyn AuditStore> = match connection("audit", &config.stores.audit)? {
        Some(server) => {
            engine("audit", "mongodb");
            Arc::new(match MongoAudit::open(&server, ledger.id()).await {
                Err(error) if is_down(&error) => MongoAudit::lazy(&server, ledger.id()).await?,
                opened => opened?,
            })
        }
        None => {
            engine("audit", "sqlite");
            let (place, id) = (places.audit, ledger.id().to_owned());
            blocking(move || SqliteAudit::open(&place, &id)).await?
        }
    };
    let wallets: Arc<dyn WalletStore> = match connection("wallets", &config.stores.wallets)? {
        Some(server) => {
            engine("wallets", "mysql");
            if how == Opening::Migrate {
                MysqlWallets::migrate(&server).await?;
            }
            let wallets = Arc::new(match MysqlWallets::open(&server).await {
                Err(error) if is_down(&error) => MysqlWallets::lazy(&server)?,
                opened => opened?,
            });
            let pool = Arc::clone(&wallets);
            pools.add("wallets", move || {
                let crate::adapters::mysql::PoolUse { limit, open, in_use, waiting } = pool.pool();
                PoolUse { limit, open, in_use, waiting }
            });
            wallets
        }
        None => {
            engine("wallets", "sqlite");
            blocking(move || SqliteWallets::open(&places.wallets)).await?
        }
    };
    let bus: Arc<dyn EventBus> = match connection("events", &config.stores.events)? {
        Some(servers) => {
            engine("events", "kafka");
            Arc::new(KafkaBus::open(&servers, ledger.id()).await?)
        }
        None => {
            engine("events", "in process");
            Arc::new(LocalBus::open(Arc::clone(&ledger)).await?)
        }
    };
    let cache: Arc<dyn BalanceCache> = match connection("balances", &config.stores.balances)? {
        Some(server) => {
            engine("balances", "redis");
            Arc::new(RedisCache::open(&server, ledger.id()).await?)
        }
        None => {
            engine("balances", "in process");
            Arc::new(MemoryCache::new())
        }
    };
    engine("rate limit", if config.stores.limits.is_embedded() { "in process" } else { "redis" });
    engine("identity", "peer credentials");
    Ok(Stores { ledger, wallets, audit, bus, cache, leases, clock, engines, pools })
}

/// A store that follows the ledger may be down when the daemon starts: money moves without it, and it is used once it
/// answers. What is wrong with it otherwise (schema, configuration, damage) is said at once.
fn is_down(error: &OpenError) -> bool {
    let OpenError::Store(error @ StoreError::Unavailable { .. }) = error else { return false };
    tracing::warn!(error = error as &dyn std::error::Error, "a store is down; it is used when it answers");
    true
}

/// Opens an embedded store, which waits on files.
pub(super) async fn blocking<T: Send + 'static>(
    open: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> anyhow::Result<Arc<T>> {
    let opened = tokio::task::spawn_blocking(open).await.context("a store's opening ended early")?;
    Ok(Arc::new(opened?))
}
