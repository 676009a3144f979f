//! Connections, on the socket and over TCP: one way of serving them, to one set of limits.
//!
//! Every wait on a client has a limit: for the head of a request, between two pieces of a body and for the whole of it,
//! for a connection on which nothing happens and an answer that is not read. Who may have how many connections is the
//! listeners' business, and so is where a request comes from: an [`Origin`].

mod activity;
mod body;
mod connection;
mod shares;
mod stream;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use tokio_util::sync::CancellationToken;

use self::activity::Patience;
pub(super) use self::{
    body::TooSlow,
    connection::{encrypted, plain},
    shares::{Share, Shares, Whose},
};
use super::{fault::Fault, site::Site, source::Source};
use crate::config;

/// Out of file descriptors: wait for one instead of spinning.
pub(super) const BREATH: Duration = Duration::from_millis(20);
/// How often a line says that connections are refused.
const SELDOM: Duration = Duration::from_mins(1);

/// What every connection of a listener gets, and may take.
pub(super) struct Terms {
    site: Site,
    patience: Patience,
    /// Between two pieces of a request's body.
    body_pause: Duration,
    /// For a request's body as a whole.
    body_whole: Duration,
    head_limit: usize,
    streams: u32,
    /// The daemon stops: connections are not kept.
    stopping: AtomicBool,
    /// Connections finish what runs, and close. Asked for at each step of each of them: a load, where the token has a
    /// lock that all of them share.
    is_over: AtomicBool,
    /// Wakes them for that.
    ending: CancellationToken,
}

impl Terms {
    /// By these limits.
    pub(super) fn new(site: impl Into<Site>, limits: &config::Gateway, request_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            site: site.into(),
            patience: Patience {
                head: Duration::from_secs(limits.head_timeout_s),
                idle: Duration::from_secs(limits.idle_timeout_s),
            },
            body_pause: Duration::from_secs(limits.body_timeout_s),
            body_whole: request_timeout,
            head_limit: limits.head_limit_bytes,
            streams: limits.streams_per_connection,
            stopping: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            ending: CancellationToken::new(),
        })
    }

    /// From now on an answer is its connection's last.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Connections finish what runs, and close.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
        self.ending.cancel();
    }
}

/// The other end of a connection.
pub(super) trait Origin: Send + Sync + 'static {
    /// What a request holds while it runs.
    type Place<'a>: Send
    where
        Self: 'a;

    /// Where a request comes from, by its headers where they may say so.
    fn source(&self, headers: &HeaderMap) -> Source;

    /// A place for a request that comes from there, or what it is answered without one.
    fn place(&self, source: Source) -> Result<Self::Place<'_>, Fault>;

    /// What is wrong with a request's head besides. The connection ends with one.
    fn judge(&self, request: &Request<Body>) -> Result<(), Fault>;
}

/// Connections that were closed at once, since the last line about them.
#[derive(Debug, Default)]
pub(super) struct TurnedAway(AtomicU64);

impl TurnedAway {
    /// One more.
    pub(super) fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Says now and then how many there were, as long as it is polled.
    pub(super) async fn speak(&self, limit: &'static str) {
        loop {
            tokio::time::sleep(SELDOM).await;
            let turned_away = self.0.swap(0, Ordering::Relaxed);
            if turned_away > 0 {
                tracing::warn!(turned_away, limit, "connections were closed at once: there were as many as may be");
            }
        }
    }
}
