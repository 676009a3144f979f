//! The only place that names concrete adapters: configuration in, a running daemon out.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    thread::JoinHandle,
};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wallet_core::{
    ids::Actor,
    key::KeyScope,
    ports::{AuditStore, BalanceCache, Clock, EventBus, LedgerStore, RateLimiter, StoreError, WalletStore},
};

use crate::{
    adapters::embedded::{
        audit::SqliteAudit,
        bus::LocalBus,
        cache::MemoryCache,
        clock::SystemClock,
        ledger::{FjallLedger, LedgerOptions},
        limiter::{LocalLimiter, Rate},
        wallets::SqliteWallets,
    },
    config::{self, Access, Config},
    gateway::{Caller, Edge, Identify, Peer, Permission, Role, Services},
    services::{
        assets::AssetService,
        audit::Audit,
        balances::Balances,
        commits::Commits,
        projections::{self, Projections, check_not_ahead},
        relay::Relay,
        status::StatusService,
        transactions::{Limits, Transactions},
        wallets::Wallets,
    },
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
pub struct Stores {
    /// The ledger.
    pub ledger: Arc<dyn LedgerStore>,
    /// The wallets.
    pub wallets: Arc<dyn WalletStore>,
    /// The audit trail.
    pub audit: Arc<dyn AuditStore>,
    /// The clock of the ledger.
    pub clock: Arc<dyn Clock>,
}

/// A new ledger's id.
fn new_ledger_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// How the ledger of a configuration is opened; a new one gets `id`, or one of its own.
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

/// Opens every store of a configuration. Blocks.
pub fn open(config: &Config) -> Result<Stores, StoreError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ledger = FjallLedger::open(ledger_options(config, Arc::clone(&clock), None))?;
    let places = Places::of(&config.data.directory);
    let audit = SqliteAudit::open(&places.audit, ledger.id())?;
    let wallets = SqliteWallets::open(&places.wallets)?;
    Ok(Stores { ledger: Arc::new(ledger), wallets: Arc::new(wallets), audit: Arc::new(audit), clock })
}

/// Everything that runs behind the socket.
pub struct Daemon {
    /// What the handlers use.
    pub services: Services,
    /// What every request passes first.
    pub edge: Edge,
    writer: JoinHandle<()>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Daemon {
    /// Starts the services over open stores. `draining` is set when the daemon is told to stop.
    pub async fn start(config: &Config, stores: Stores, draining: CancellationToken) -> anyhow::Result<Self> {
        let Stores { ledger, wallets, audit, clock } = stores;
        let cache: Arc<dyn BalanceCache> = Arc::new(MemoryCache::new());
        let bus: Arc<dyn EventBus> = Arc::new(LocalBus::open(Arc::clone(&ledger)).await?);
        check_not_ahead(&*ledger, &*wallets, &*audit).await?;
        let projections =
            Arc::new(Projections::new(&ledger, &bus, Arc::clone(&wallets), Arc::clone(&cache), Arc::clone(&audit)));
        let (head, head_seen) = watch::channel(ledger.head().await?.seq);
        let limits =
            Limits { requests: config.server.connection_limit.max(1_024), commands: config.server.queue_limit };
        let runtime = tokio::runtime::Handle::current();
        let (transactions, writer) =
            Transactions::start(Arc::clone(&ledger), Arc::clone(&cache), head, limits, &runtime)?;
        let transactions = Arc::new(transactions);
        let commits = Arc::clone(&transactions) as Arc<dyn Commits>;
        let wallets = Wallets::new(wallets, Arc::clone(&ledger), commits, Arc::clone(&clock));
        let relay = Arc::new(Relay::new(Arc::clone(&ledger), bus));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let followers = (Arc::clone(&relay), Arc::clone(&projections), wallets.clone());
        let ending = stop.clone();
        tasks.spawn(async move {
            let (relay, projections, wallets) = followers;
            tokio::join!(relay.run(head_seen, &ending), projections.run(&ending), wallets.run_reconciler(&ending));
        });
        tasks.close();
        let progress = Arc::new(move |head| projections.states(head).into_iter().map(projection).collect());
        let services = Services {
            transactions,
            wallets,
            balances: Balances::new(Arc::clone(&ledger), cache, Arc::clone(&clock)),
            audit: Audit::new(Arc::clone(&ledger), audit),
            assets: AssetService::new(Arc::clone(&ledger)),
            status: StatusService::new(ledger, clock, progress, embedded_stores(), draining),
        };
        Ok(Self { services, edge: edge(config)?, writer, tasks, stop })
    }

    /// Commits what still waits, then stops the followers. Every handler is done by now.
    pub async fn stop(self) {
        let Self { services, writer, tasks, stop, .. } = self;
        services.transactions.stop();
        services.transactions.drain().await;
        stop.cancel();
        tasks.wait().await;
        drop(services);
        if tokio::task::spawn_blocking(move || writer.join()).await.is_err() {
            tracing::error!("the writer ended with a panic");
        }
    }
}

fn projection(state: projections::Projection) -> wallet_api::types::Projection {
    let projections::Projection { name, seq, lag, error } = state;
    wallet_api::types::Projection { name: name.into(), seq, lag, error }
}

fn embedded_stores() -> BTreeMap<String, String> {
    let stores = [
        ("ledger", "fjall"),
        ("wallets", "sqlite"),
        ("audit", "sqlite"),
        ("events", "in process"),
        ("balances", "in process"),
        ("rate limit", "in process"),
        ("identity", "peer credentials"),
    ];
    stores.into_iter().map(|(port, adapter)| (port.to_owned(), adapter.to_owned())).collect()
}

fn edge(config: &Config) -> anyhow::Result<Edge> {
    let bucket = config.rate_limit.address;
    let rate = NonZeroU32::new(bucket.per_second).zip(NonZeroU32::new(bucket.burst));
    let limiter =
        rate.map(|(per_second, burst)| Arc::new(LocalLimiter::new(Rate { per_second, burst })) as Arc<dyn RateLimiter>);
    Ok(Edge {
        identify: identify(config.access.clone())?,
        limiter,
        time_limit: config.server.request_timeout(),
        boot: uuid::Uuid::new_v4().as_u64_pair().0 >> 24,
        counter: Arc::new(AtomicU64::new(1)),
    })
}

/// The daemon's own user is operator with every permission; others are what the configuration says.
fn identify(access: Access) -> anyhow::Result<Identify> {
    let own = rustix::process::geteuid().as_raw();
    let me = Caller {
        actor: actor(own)?,
        scope: KeyScope::Shared,
        roles: Arc::new([Role::Operator, Role::Auditor]),
        permissions: Arc::new([Permission::Backdate, Permission::Admin]),
    };
    Ok(Arc::new(move |peer: Peer| {
        if peer.uid == own {
            return Some(me.clone());
        }
        let found = access.peers.iter().find(|known| known.uid == Some(peer.uid) || known.gid == Some(peer.gid))?;
        Some(Caller {
            actor: actor(peer.uid).ok()?,
            scope: KeyScope::Shared,
            roles: found
                .roles
                .iter()
                .map(|role| match role {
                    config::Role::Operator => Role::Operator,
                    config::Role::Auditor => Role::Auditor,
                })
                .collect(),
            permissions: found
                .permissions
                .iter()
                .map(|permission| match permission {
                    config::Permission::Backdate => Permission::Backdate,
                    config::Permission::Admin => Permission::Admin,
                })
                .collect(),
        })
    }))
}

fn actor(uid: u32) -> anyhow::Result<Actor> {
    Ok(format!("uid:{uid}").parse()?)
}
