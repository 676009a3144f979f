//! The TCP listener: bounded connections, each served until it ends, and an orderly end of all.
//!
//! A connection takes a place before it is accepted; beyond `gateway.connection_limit` clients wait in the
//! kernel's backlog. One address has at most `gateway.connections_per_address`; its next connection is
//! closed at once. It has at most `gateway.requests_per_address` of the requests that run; its next one is
//! answered `overloaded`. What a connection may take is the same as on the socket: `connections`.
//!
//! The end: nobody new is accepted, those who had connected are; for a moment requests that are on their
//! way still come in and are answered; then every connection finishes what runs and closes.

#[cfg(test)]
mod tests;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderMap, Method, Request, Version, header},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wallet_api::problem::Problem;

use super::{
    connections::{BREATH, Origin, Share, Shares, Terms, TurnedAway, encrypted, plain},
    fault::Fault,
    proxies::Proxies,
    site::Site,
    source::Source,
    tls::{Certificate, CertificateError},
};
use crate::{config, metrics::figures::Http};

/// Connections that wait to be accepted: a burst of as many clients as a daemon has.
const BACKLOG: u32 = 1_024;
/// From connecting to sending a request: the same moment as the socket's, and a network's way.
const LINGER: Duration = Duration::from_millis(300);

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
    pub async fn serve(
        self,
        site: impl Into<Site>,
        request_timeout: Duration,
        figures: Arc<Http>,
        soft: CancellationToken,
    ) {
        let Self { listener, tls, limits, .. } = self;
        let gate = Arc::new(Gate {
            proxies: Proxies::new(limits.trusted_proxies.clone()),
            requests: Semaphore::new(limits.request_limit),
            of_address: Shares::new(limits.requests_per_address),
        });
        let door = Door {
            terms: Terms::new(site, &limits, request_timeout),
            tls,
            gate,
            places: Arc::new(Semaphore::new(limits.connection_limit)),
            shares: Shares::new(limits.connections_per_address),
            visits: TaskTracker::new(),
            turned_away: TurnedAway::default(),
            figures,
        };
        tokio::select! {
            () = soft.cancelled() => {}
            () = door.accept(&listener) => {}
            () = door.turned_away.speak("gateway.connections_per_address") => {}
        }
        door.terms.stop();
        door.accept_who_waits(listener);
        tokio::time::sleep(LINGER).await;
        door.terms.end();
        door.visits.close();
        door.visits.wait().await;
    }
}

/// Which requests may run.
struct Gate {
    proxies: Proxies,
    /// At a time.
    requests: Semaphore,
    /// Of one address.
    of_address: Arc<Shares>,
}

/// A connection's other end.
struct Client {
    gate: Arc<Gate>,
    peer: IpAddr,
    encrypted: bool,
}

impl Origin for Client {
    type Place<'a> = (Option<Share>, SemaphorePermit<'a>);

    fn source(&self, headers: &HeaderMap) -> Source {
        Source::Tcp(self.gate.proxies.remote(self.peer, self.encrypted, headers))
    }

    /// A trusted proxy that does not say for whom it asks has no share, as it has none of the connections.
    fn place(&self, source: Source) -> Result<Self::Place<'_>, Fault> {
        let overloaded = |detail| Fault::from(Problem::new("overloaded", detail));
        let share = match source {
            Source::Tcp(remote) if !self.gate.proxies.include(remote.address) => {
                let full = "this address has as many requests running as one may have (gateway.requests_per_address)";
                Some(self.gate.of_address.take(remote.address).ok_or_else(|| overloaded(full))?)
            }
            _ => None,
        };
        let full = "as many requests run as may run at a time (gateway.request_limit)";
        Ok((share, self.gate.requests.try_acquire().map_err(|_| overloaded(full))?))
    }

    /// A request names a path, and one host, or it could mean something else to a proxy in front (RFC 9112, 3.2).
    fn judge(&self, request: &Request<Body>) -> Result<(), Fault> {
        if request.uri().path().is_empty() && request.method() != Method::CONNECT {
            return Err(Fault::invalid("the request names no path"));
        }
        if request.uri().authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Fault::invalid("the request names a user with its host"));
        }
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let (first, second) = (hosts.next(), hosts.next());
        let fault = match (first, second) {
            (_, Some(_)) => "the request has more than one Host",
            (None, None) if request.version() == Version::HTTP_11 => "the request has no Host",
            (None, None) => return Ok(()),
            (Some(host), None) => {
                let parsed = host.to_str().ok().and_then(|host| host.parse::<axum::http::uri::Authority>().ok());
                if parsed.is_some_and(|host| !host.as_str().contains('@')) {
                    return Ok(());
                }
                "the Host is no host"
            }
        };
        Err(Fault::invalid(fault))
    }
}

/// Who comes in.
struct Door {
    terms: Arc<Terms>,
    tls: Option<TlsAcceptor>,
    gate: Arc<Gate>,
    places: Arc<Semaphore>,
    shares: Arc<Shares>,
    visits: TaskTracker,
    turned_away: TurnedAway,
    figures: Arc<Http>,
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
        let share = if self.gate.proxies.include(peer) { Ok(None) } else { self.share(peer).map(Some) };
        let Ok(share) = share else { return };
        // An answer is written whole; waiting for more of it costs the client 40 ms.
        drop(stream.set_nodelay(true));
        let (terms, tls) = (Arc::clone(&self.terms), self.tls.clone());
        let client = Client { gate: Arc::clone(&self.gate), peer, encrypted: tls.is_some() };
        let open = self.figures.connections.begin();
        self.visits.spawn(async move {
            let ended = match tls {
                None => plain(terms, client, stream).await,
                Some(acceptor) => encrypted(terms, &acceptor, client, stream).await,
            };
            if let Err(failure) = ended {
                failure.tell(&peer);
            }
            drop((share, place, open));
        });
    }

    fn share(&self, peer: IpAddr) -> Result<Share, ()> {
        self.shares.take(peer).ok_or_else(|| {
            self.turned_away.one();
            self.figures.connections_refused.one();
        })
    }
}
