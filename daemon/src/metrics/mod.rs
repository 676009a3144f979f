//! Metrics: figures of the running daemon, served in Prometheus' format on a listener of their own.
//!
//! Whoever works keeps its own figures ([`figures`]) in atomics, without names and labels: counting costs some nanoseconds.
//! Names come in when they are asked for ([`exposition`]); daemon/docs/metrics.md says what each means, and a test holds
//! the two together. What lives elsewhere anyway (head, lags, queue, pools) is looked up at that time.

mod exposition;
pub mod figures;
mod server;
#[cfg(test)]
mod tests;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use wallet_api::types::Status;

use self::figures::{Access, CacheReads, Commits, Http};
pub use self::{
    exposition::Metrics,
    server::{ServeError, serve},
};

/// How a pool of connections is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Most connections at a time.
    pub limit: usize,
    /// Connections open now.
    pub open: usize,
    /// Of these, those at work.
    pub in_use: usize,
    /// Operations that wait for one.
    pub waiting: usize,
}

/// The pools there are: the store's name, and how its pool is used at the time of asking.
#[derive(Clone, Default)]
pub struct Pools(Vec<(&'static str, PoolLook)>);

type PoolLook = Arc<dyn Fn() -> PoolUse + Send + Sync>;

impl Pools {
    /// Adds a store's.
    pub fn add(&mut self, store: &'static str, look: impl Fn() -> PoolUse + Send + Sync + 'static) {
        self.0.push((store, Arc::new(look)));
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(store, look)| (store, look()))).finish()
    }
}

/// What has to be asked for when the figures are.
#[derive(Debug, Default)]
pub struct Looked {
    /// The daemon's status; none if the ledger did not answer.
    pub status: Option<Status>,
    /// The balance cache's position; none if it did not answer.
    pub cache_position: Option<u64>,
    /// Commands that wait to be committed.
    pub queued: u64,
    /// True while this daemon is the one that publishes.
    pub relay_leads: bool,
    /// True while the replicas share the rate limits; none where nothing is to be shared.
    pub limits_shared: Option<bool>,
}

/// Asks for it.
pub type Look = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Looked> + Send>> + Send + Sync>;

/// Where all figures come from.
pub struct Sources {
    /// The edge.
    pub http: Arc<Http>,
    /// The ledger's writer.
    pub commits: Arc<Commits>,
    /// The Balance Service's reads of the cache.
    pub cache: Arc<CacheReads>,
    /// What was kept of access.
    pub access: Arc<Access>,
    /// The spans' exporter.
    pub spans: Arc<crate::telemetry::Exported>,
    /// The servers' pools.
    pub pools: Pools,
    /// What has to be asked for.
    pub look: Look,
}
