//! The only place that names concrete adapters: configuration in, a running daemon out.

mod access;
pub mod doctor;
mod figures;
mod identity;
mod schemas;
mod stores;

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, atomic::AtomicU64},
    thread::JoinHandle,
};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wallet_core::ports::{Rate, RateLimiter, Sharing};

pub(crate) use self::identity::tokens;
pub use self::schemas::{migrate, schemas};
pub(crate) use self::stores::connection;
pub use self::stores::{Opening, Places, Stores, ledger_options, ledger_server, open};
use crate::{
    adapters::{embedded::limiter::LocalLimiter, redis::RedisLimiter},
    config::{Bucket, Config, Duty},
    gateway::{self, Edge, Keycloak, Metadata, RateLimits, Rates, Services, SignIns},
    metrics::{Look, Metrics, Pools, Sources, figures::Http},
    services::{
        access::{AccessLog, AccessRecords},
        assets::AssetService,
        audit::{Audit, Followers},
        balances::Balances,
        commits::Commits,
        projections::{self, Effect, Projections, check_not_ahead, effects},
        rebuild::Rebuild,
        relay::Relay,
        status::{Engines, StatusService},
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
    /// Where refusals and reloads are noted for the audit trail.
    pub access: Arc<AccessRecords>,
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
        let access = Arc::new(AccessRecords::new(Arc::clone(&commits), Arc::clone(&clock)));
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
        let (noting, ending) = (Arc::clone(&access), stop.clone());
        tasks.spawn(async move { noting.run(&ending).await });
        let (following, ending) = (Arc::clone(&projections), stop.clone());
        tasks.spawn(async move { following.run(&ending).await });
        if duties.includes(Duty::Api) {
            let (wallets, stop) = (wallets.clone(), stop.clone());
            tasks.spawn(async move { wallets.run_reconciler(&*leases, &holder, &stop).await });
        }
        let requests = Arc::new(Http::new(gateway::routes()));
        let limits = Arc::new(rate_limits(config, ledger.id(), &requests).await?);
        let edge = edge(config, requests, Arc::clone(&limits), Arc::clone(&access) as Arc<dyn AccessLog>)?;
        let edge = match identity::tokens(&config.auth, Arc::clone(&clock))? {
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
            status: StatusService::new(ledger, clock, progress, named_engines(engines, &limits, config), draining),
        };
        let look = figures::look(&services, asked, leader, limits);
        Ok(Self { services, edge, access, pools, look, writer, tasks, stop })
    }

    /// The daemon's figures.
    pub fn metrics(&self) -> Metrics {
        Metrics::new(Sources {
            http: Arc::clone(&self.edge.figures),
            commits: Arc::clone(self.services.transactions.figures()),
            cache: Arc::clone(&self.services.balances.cache_reads),
            access: Arc::clone(self.access.figures()),
            spans: exported(),
            pools: self.pools.clone(),
            look: Arc::clone(&self.look),
        })
    }

    /// Commits what still waits, then stops the followers. Every handler is done by now.
    pub async fn stop(self) {
        let Self { services, access, writer, tasks, stop, .. } = self;
        access.finish().await;
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

/// What each store is, and of the rate limits whether they are shared just now.
fn named_engines(stores: BTreeMap<String, String>, limits: &Arc<RateLimits>, config: &Config) -> Engines {
    let (limits, replicas) = (Arc::clone(limits), config.rate_limit.replicas);
    Arc::new(move || {
        let mut stores = stores.clone();
        if limits.sharing() == Sharing::CutOff
            && let Some(engine) = stores.get_mut("rate limit")
        {
            *engine = format!("{engine}, which does not answer: this daemon enforces 1/{replicas} of the rates");
        }
        stores
    })
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

fn edge(
    config: &Config,
    figures: Arc<Http>,
    limits: Arc<RateLimits>,
    access: Arc<dyn AccessLog>,
) -> anyhow::Result<Edge> {
    let keycloak = Keycloak::behind(&config.keycloak, config.gateway.public_url.as_deref())?;
    let guard = SignIns { limits: Arc::clone(&limits), access: Arc::clone(&access) };
    let keycloak = keycloak.map(|keycloak| keycloak.guarded(Arc::new(guard)));
    Ok(Edge {
        identify: access::identify(config.access.clone())?,
        authenticate: None,
        metadata: Metadata::of(config.auth.issuer.as_deref(), config.gateway.public_url.as_deref()),
        keycloak: keycloak.map(Arc::new),
        access,
        limits,
        time_limit: config.server.request_timeout(),
        boot: uuid::Uuid::new_v4().as_u64_pair().0 >> 24,
        counter: Arc::new(AtomicU64::new(1)),
        sampling: Arc::new(Sampling::new(&config.traces)),
        figures,
    })
}

/// The limits: of this process for the socket, and for TCP those that all replicas share, if there is a server for it.
pub(crate) async fn rate_limits(config: &Config, ledger: &str, http: &Http) -> anyhow::Result<RateLimits> {
    let local: Arc<dyn RateLimiter> = Arc::new(LocalLimiter::default());
    let limit = &config.rate_limit;
    let shared: Arc<dyn RateLimiter> = match stores::connection("limits", &config.stores.limits)? {
        None => Arc::clone(&local),
        Some(server) => {
            let replicas = NonZeroU32::new(limit.replicas).unwrap_or(NonZeroU32::MIN);
            Arc::new(RedisLimiter::open(&server, ledger, replicas).await?)
        }
    };
    let rate = |bucket: Bucket| {
        // Both were checked to be above zero with the configuration.
        let above_zero = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Rate::per_second(above_zero(bucket.per_second), above_zero(bucket.burst))
    };
    let rates = Rates {
        socket: rate(limit.socket),
        address: rate(limit.address),
        sign_in: rate(limit.sign_in),
        client: rate(limit.client),
        pending: rate(limit.pending),
        subject: rate(limit.subject),
        failure_cost: limit.failure_cost,
        refusal_delay: limit.refusal_delay(),
    };
    Ok(RateLimits::new(local, shared, rates, Arc::clone(&http.limited)))
}
