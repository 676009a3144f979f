//! The TCP listener: bounded connections, each served until it ends, and an orderly end of all.
//!
//! A connection takes a place before it is accepted; beyond `gateway.connection_limit` clients wait in the
//! kernel's backlog. One address has at most `gateway.connections_per_address`; its next connection is
//! closed at once. It has at most `gateway.requests_per_address` of the requests that run; its next one is
//! answered `overloaded`. Every wait on a client has a limit: handshake and head, pauses of a body, a
//! connection on which nothing happens, an answer that is not read.
//!
//! The end: nobody new is accepted, those who had connected are; for a moment requests that are on their
//! way still come in and are answered; then every connection finishes what runs and closes.

mod activity;
mod addresses;
mod body;
mod connection;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::activity::Patience;
pub(super) use self::{
    addresses::{Addresses, Share},
    body::TooSlow,
};
use super::{
    proxies::Proxies,
    tls::{Certificate, CertificateError},
};
use crate::{config, metrics::figures::Http};

/// Connections that wait to be accepted: a burst of as many clients as a daemon has.
const BACKLOG: u32 = 1_024;
/// From connecting to sending a request: the same moment as the socket's, and a network's way.
const LINGER: Duration = Duration::from_millis(300);
/// Out of file descriptors: wait for one instead of spinning.
const BREATH: Duration = Duration::from_millis(20);
/// How often a line says that connections are refused.
const SELDOM: Duration = Duration::from_mins(1);

/// Why there is no TCP listener.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be had.
    #[error("cannot listen on {address} (gateway.listen)")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error("the certificate of the TCP listener cannot be used (gateway.cert_file, gateway.key_file)")]
    Certificate(#[from] CertificateError),
}

/// The bound listener.
pub struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    limits: config::Gateway,
}

impl Tcp {
    /// Binds the address. Port 0 takes a free one: [`Tcp::address`] says which.
    pub fn bind(
        address: SocketAddr,
        limits: &config::Gateway,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<Self, ListenError> {
        let tls = certificate.map(Certificate::server).transpose()?.map(TlsAcceptor::from);
        let fault = |source| ListenError::Bind { address, source };
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(fault)?;
        socket.set_reuseaddr(true).map_err(fault)?;
        socket.bind(address).map_err(fault)?;
        let listener = socket.listen(BACKLOG).map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        Ok(Self { listener, address, tls, limits: limits.clone() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `soft`, and then until what runs has finished.
    pub async fn serve(self, router: Router, request_timeout: Duration, figures: Arc<Http>, soft: CancellationToken) {
        let Self { listener, tls, limits, .. } = self;
        let shared = Arc::new(Shared {
            router,
            tls,
            proxies: Proxies::new(limits.trusted_proxies.clone()),
            patience: Patience {
                head: Duration::from_secs(limits.head_timeout_s),
                idle: Duration::from_secs(limits.idle_timeout_s),
            },
            body_pause: Duration::from_secs(limits.body_timeout_s),
            body_whole: request_timeout,
            head_limit: limits.head_limit_bytes,
            streams: limits.streams_per_connection,
            requests: Semaphore::new(limits.request_limit),
            of_address: Addresses::new(limits.requests_per_address),
            figures,
            soft: soft.clone(),
            ending: CancellationToken::new(),
        });
        let door = Door {
            shared: Arc::clone(&shared),
            places: Arc::new(Semaphore::new(limits.connection_limit)),
            addresses: Addresses::new(limits.connections_per_address),
            visits: TaskTracker::new(),
            turned_away: AtomicU64::new(0),
        };
        tokio::select! {
            () = soft.cancelled() => {}
            () = door.accept(&listener) => {}
            () = door.speak_of_those_turned_away() => {}
        }
        door.accept_who_waits(listener);
        tokio::time::sleep(LINGER).await;
        shared.ending.cancel();
        door.visits.close();
        door.visits.wait().await;
    }
}

/// What every connection needs.
struct Shared {
    router: Router,
    tls: Option<TlsAcceptor>,
    proxies: Proxies,
    patience: Patience,
    /// Between two pieces of a request's body.
    body_pause: Duration,
    /// For a request's body as a whole.
    body_whole: Duration,
    head_limit: usize,
    streams: u32,
    /// Requests that may run at a time.
    requests: Semaphore,
    /// And those of one address.
    of_address: Arc<Addresses>,
    figures: Arc<Http>,
    /// The daemon stops: connections are not kept.
    soft: CancellationToken,
    /// Connections finish what runs, and close.
    ending: CancellationToken,
}

/// Who comes in.
struct Door {
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    visits: TaskTracker,
    /// Connections that were closed at once since the last line about them.
    turned_away: AtomicU64,
}

impl Door {
    /// Accepts as long as it is polled.
    async fn accept(&self, listener: &TcpListener) {
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => self.admit(stream, peer, place),
                Err(error) => {
                    tracing::warn!(%error, "a TCP connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    /// Closes the listener; who had connected before is served: a client whose connection is cut unread
    /// could not know what became of its request.
    fn accept_who_waits(&self, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        while let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            let Ok((stream, peer)) = listener.accept() else { return };
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                self.admit(stream, peer, place);
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let peer = peer.ip().to_canonical();
        // All clients of a trusted proxy come from its address.
        let share = if self.shared.proxies.include(peer) { Ok(None) } else { self.share(peer).map(Some) };
        let Ok(share) = share else { return };
        let shared = Arc::clone(&self.shared);
        let open = shared.figures.connections.begin();
        self.visits.spawn(async move {
            if let Err(failure) = connection::serve(shared, stream, peer).await {
                let source = std::error::Error::source(&failure).map(ToString::to_string).unwrap_or_default();
                tracing::debug!(%peer, %failure, source, "a connection ended");
            }
            drop((share, place, open));
        });
    }

    fn share(&self, peer: IpAddr) -> Result<addresses::Share, ()> {
        self.addresses.take(peer).ok_or_else(|| {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
            self.shared.figures.connections_refused.one();
        })
    }

    async fn speak_of_those_turned_away(&self) {
        loop {
            tokio::time::sleep(SELDOM).await;
            let turned_away = self.turned_away.swap(0, Ordering::Relaxed);
            if turned_away > 0 {
                tracing::warn!(
                    turned_away,
                    "connections of addresses that have as many as one may have (gateway.connections_per_address)"
                );
            }
        }
    }
}
