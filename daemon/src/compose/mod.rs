//! The only place that names concrete adapters: configuration in, a running daemon out.

mod access;
pub mod doctor;
mod figures;
mod identity;
mod schemas;
mod stores;

use std::{
    num::NonZeroU32,
    sync::{Arc, atomic::AtomicU64},
    thread::JoinHandle,
};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wallet_core::ports::{Rate, RateLimiter};

pub use self::schemas::{migrate, schemas};
pub(crate) use self::stores::connection;
pub use self::stores::{Opening, Places, Stores, ledger_options, ledger_server, open};
use crate::{
    adapters::{embedded::limiter::LocalLimiter, redis::RedisLimiter},
    config::{Config, Duty},
    gateway::{self, Edge, Keycloak, Metadata, Services},
    metrics::{Look, Metrics, Pools, Sources, figures::Http},
    services::{
        assets::AssetService,
        audit::{Audit, Followers},
        balances::Balances,
        commits::Commits,
        identity::Unnoticed,
        projections::{self, Effect, Projections, check_not_ahead, effects},
        rebuild::Rebuild,
        relay::Relay,
        status::StatusService,
        transactions::{Limits, Transactions},
        wallets::Wallets,
    },
    telemetry::{Sampling, exported},
};

/// Everything that runs behind the socket.
pub struct Daemon {
    /// What the handlers use.
    pub services: Services,
    /// What every request passes first.
    pub edge: Edge,
    pools: Pools,
    look: Look,
    writer: JoinHandle<()>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Daemon {
    /// Starts the services over open stores. `draining` is set when the daemon is told to stop.
    pub async fn start(config: &Config, stores: Stores, draining: CancellationToken) -> anyhow::Result<Self> {
        check_not_ahead(&*stores.ledger, &*stores.wallets, &*stores.audit, &*stores.bus).await?;
        let Stores { ledger, wallets, audit, bus, cache, leases, clock, engines, pools } = stores;
        let (head, head_seen) = watch::channel(ledger.head().await?.seq);
        let limits =
            Limits { requests: config.server.connection_limit.max(1_024), commands: config.server.queue_limit };
        let runtime = tokio::runtime::Handle::current();
        let (transactions, writer) =
            Transactions::start(Arc::clone(&ledger), Arc::clone(&cache), head, limits, &runtime)?;
        let transactions = Arc::new(transactions);
        let commits = Arc::clone(&transactions) as Arc<dyn Commits>;
        let duties = &config.server.roles;
        let mut kept: Vec<Arc<dyn Effect>> = Vec::new();
        if duties.includes(Duty::Api) {
            kept.push(Arc::new(effects::WalletRows::new(Arc::clone(&wallets))));
        }
        if duties.includes(Duty::Balances) {
            kept.push(Arc::new(effects::Balances::new(Arc::clone(&cache), Arc::clone(&clock))));
        }
        if duties.includes(Duty::Audit) {
            kept.push(Arc::new(effects::Trail::new(Arc::clone(&audit))));
        }
        let projections = Arc::new(Projections::new(&ledger, &bus, kept));
        let holder = holder();
        let relay = Relay::new(Arc::clone(&ledger), Arc::clone(&bus), Arc::clone(&leases), holder.as_str());
        let relay = Arc::new(relay);
        let rebuild = Rebuild::new(
            Arc::clone(&ledger),
            Arc::clone(&wallets),
            Arc::clone(&cache),
            Arc::clone(&audit),
            Arc::clone(&bus),
        );
        let followers = Followers { wallets: Arc::clone(&wallets), cache: Arc::clone(&cache), bus };
        let wallets = Wallets::new(wallets, Arc::clone(&ledger), commits, Arc::clone(&clock));

        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        if duties.includes(Duty::Relay) {
            let (relay, stop) = (Arc::clone(&relay), stop.clone());
            tasks.spawn(async move { relay.run(head_seen, &stop).await });
        }
        let (following, ending) = (Arc::clone(&projections), stop.clone());
        tasks.spawn(async move { following.run(&ending).await });
        if duties.includes(Duty::Api) {
            let (wallets, stop) = (wallets.clone(), stop.clone());
            tasks.spawn(async move { wallets.run_reconciler(&*leases, &holder, &stop).await });
        }
        let edge = edge(config).await?;
        let edge = match identity::tokens(&config.auth)? {
            None => edge,
            Some((tokens, issuer)) => {
                tracing::info!(
                    issuer = issuer.name(),
                    audience = config.auth.audience,
                    "tokens of this issuer are taken"
                );
                let stop = stop.clone();
                tasks.spawn(async move { issuer.run(&stop).await });
                Edge { authenticate: Some(tokens), ..edge }
            }
        };
        tasks.close();

        let leader = Arc::clone(&relay);
        let asked = Arc::clone(&cache);
        let progress = progress(projections, duties.includes(Duty::Relay).then_some(relay));
        let services = Services {
            transactions,
            wallets,
            balances: Balances::new(Arc::clone(&ledger), cache, Arc::clone(&clock)),
            audit: Audit::new(Arc::clone(&ledger), audit, followers),
            rebuild,
            assets: AssetService::new(Arc::clone(&ledger)),
            status: StatusService::new(ledger, clock, progress, engines, draining),
        };
        let look = figures::look(&services, asked, leader);
        Ok(Self { services, edge, pools, look, writer, tasks, stop })
    }

    /// The daemon's figures.
    pub fn metrics(&self) -> Metrics {
        Metrics::new(Sources {
            http: Arc::clone(&self.edge.figures),
            commits: Arc::clone(self.services.transactions.figures()),
            cache: Arc::clone(&self.services.balances.cache_reads),
            spans: exported(),
            pools: self.pools.clone(),
            look: Arc::clone(&self.look),
        })
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

/// This daemon's name among all that share its stores: another one after every start.
fn holder() -> String {
    format!("{}:{}:{}", hostname(), std::process::id(), uuid::Uuid::new_v4().simple())
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// How far what follows the journal in this process is: the projections, and the relay while it leads.
fn progress(projections: Arc<Projections>, relay: Option<Arc<Relay>>) -> crate::services::status::Progress {
    Arc::new(move |head| {
        let mut states: Vec<_> = projections.states(head).into_iter().map(projection).collect();
        if let Some(relay) = relay.as_ref().filter(|relay| relay.is_leading() || relay.error().is_some()) {
            let seq = relay.published();
            let lag = head.saturating_sub(seq);
            states.push(wallet_api::types::Projection { name: "events".into(), seq, lag, error: relay.error() });
        }
        states
    })
}

fn projection(state: projections::Projection) -> wallet_api::types::Projection {
    let projections::Projection { name, seq, lag, error } = state;
    wallet_api::types::Projection { name: name.into(), seq, lag, error }
}

async fn edge(config: &Config) -> anyhow::Result<Edge> {
    Ok(Edge {
        identify: access::identify(config.access.clone())?,
        authenticate: None,
        metadata: Metadata::of(config.auth.issuer.as_deref(), config.gateway.public_url.as_deref()),
        access: Arc::new(Unnoticed),
        keycloak: Keycloak::behind(&config.keycloak, config.gateway.public_url.as_deref())?.map(Arc::new),
        limiter: limiter(config).await?,
        time_limit: config.server.request_timeout(),
        boot: uuid::Uuid::new_v4().as_u64_pair().0 >> 24,
        counter: Arc::new(AtomicU64::new(1)),
        sampling: Arc::new(Sampling::new(&config.traces)),
        figures: Arc::new(Http::new(gateway::routes())),
    })
}

/// The limiter in process, and in front of it the one that the daemons of this machine share, if there is one.
async fn limiter(config: &Config) -> anyhow::Result<Option<Arc<dyn RateLimiter>>> {
    let bucket = config.rate_limit.address;
    let Some((per_second, burst)) = NonZeroU32::new(bucket.per_second).zip(NonZeroU32::new(bucket.burst)) else {
        return Ok(None);
    };
    let rate = Rate { per_second, burst };
    let local: Arc<dyn RateLimiter> = Arc::new(LocalLimiter::new(rate));
    let Some(server) = stores::connection("limits", &config.stores.limits)? else { return Ok(Some(local)) };
    // A caller on the socket is a user of this machine: another machine's user of that number is somebody else.
    let namespace = format!("address:{}", hostname());
    Ok(Some(Arc::new(RedisLimiter::open(&server, &namespace, rate, local).await?)))
}
