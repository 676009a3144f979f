//! The Unix socket's listener, with a bound on connections: what is beyond it waits in the backlog.
//!
//! Where other users may connect, each has a share of the connections, and those that may not call have one together:
//! the kernel says who they are before anything is read. The daemon's own user, who could stop it, is free of that.
//! What a connection may take is the same as over TCP: `connections`.

use std::{future::Future, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connections::{BREATH, Origin, Share, Shares, Terms, TurnedAway, Whose, plain},
    edge::Identify,
    fault::Fault,
    site::Site,
    source::{Peer, Source},
};
use crate::config;

/// The bound socket.
pub struct Listener {
    socket: UnixListener,
    limits: config::Server,
    own: u32,
    identify: Identify,
}

impl Listener {
    /// Of this socket; `own` is the daemon's user.
    pub fn new(socket: UnixListener, limits: &config::Server, own: u32, identify: Identify) -> Self {
        Self { socket, limits: limits.clone(), own, identify }
    }

    /// Serves until `soft`, then for as long as `retire` takes, so that requests on their way come in, and then until
    /// what runs has finished.
    pub async fn serve(
        self,
        site: impl Into<Site>,
        gateway: &config::Gateway,
        soft: CancellationToken,
        retire: impl Future<Output = ()>,
    ) {
        let Self { socket, limits, own, identify } = self;
        let door = Door {
            terms: Terms::new(site, gateway, limits.request_timeout()),
            places: Arc::new(Semaphore::new(limits.connection_limit)),
            shares: Shares::new(limits.connections_per_user),
            visits: TaskTracker::new(),
            turned_away: TurnedAway::default(),
            own,
            identify,
        };
        tokio::select! {
            () = async { soft.cancelled().await; door.terms.stop(); retire.await } => {}
            () = door.accept(&socket) => {}
            () = door.turned_away.speak("server.connections_per_user") => {}
        }
        drop(socket);
        door.terms.end();
        door.visits.close();
        door.visits.wait().await;
    }
}

impl Origin for Peer {
    type Place<'a> = ();

    fn source(&self, _: &HeaderMap) -> Source {
        Source::Socket(*self)
    }

    fn place(&self, _: Source) -> Result<(), Fault> {
        Ok(())
    }

    /// No proxy stands before the socket that could read a head differently.
    fn judge(&self, _: &Request<Body>) -> Result<(), Fault> {
        Ok(())
    }
}

/// Who comes in.
struct Door {
    terms: Arc<Terms>,
    places: Arc<Semaphore>,
    shares: Arc<Shares>,
    visits: TaskTracker,
    turned_away: TurnedAway,
    own: u32,
    identify: Identify,
}

impl Door {
    /// Accepts as long as it is polled.
    async fn accept(&self, socket: &UnixListener) {
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            match socket.accept().await.and_then(|(stream, _)| stream.peer_cred().map(|peer| (stream, peer))) {
                Ok((stream, peer)) => self.admit(stream, Peer::new(peer), place),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    fn admit(&self, stream: UnixStream, peer: Peer, place: OwnedSemaphorePermit) {
        let Ok(share) = self.share(peer) else { return };
        let terms = Arc::clone(&self.terms);
        self.visits.spawn(async move {
            if let Err(failure) = plain(terms, peer, stream).await {
                failure.tell(&format_args!("uid:{}", peer.uid));
            }
            drop((share, place));
        });
    }

    /// A peer's share of the connections; none is needed by the daemon's own user.
    fn share(&self, peer: Peer) -> Result<Option<Share>, ()> {
        if peer.uid == self.own {
            return Ok(None);
        }
        let whose = if (self.identify)(peer).is_some() { Whose::User(peer.uid) } else { Whose::Strangers };
        self.shares.take(whose).map(Some).ok_or_else(|| self.turned_away.one())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Router, routing::get};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use wallet_core::key::KeyScope;

    use super::*;
    use crate::services::identity::Caller;

    const OWN: u32 = 1_000;
    const KNOWN: [u32; 2] = [1_001, 1_002];
    /// Much longer than any limit that is tried here.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn identify() -> Identify {
        Arc::new(|peer: Peer| {
            KNOWN.contains(&peer.uid).then(|| Caller {
                actor: format!("uid:{}", peer.uid).parse().unwrap(),
                scope: KeyScope::Shared,
                roles: Arc::new([]),
                permissions: Arc::new([]),
                owner: None,
                token: None,
            })
        })
    }

    #[test]
    fn a_user_has_a_share_of_the_connections_strangers_have_one_together_and_the_daemons_own_user_is_free() {
        let gateway = config::Gateway::default();
        let door = Door {
            terms: Terms::new(Router::new(), &gateway, Duration::ZERO),
            places: Arc::new(Semaphore::new(0)),
            shares: Shares::new(2),
            visits: TaskTracker::new(),
            turned_away: TurnedAway::default(),
            own: OWN,
            identify: identify(),
        };
        let share = |uid| door.share(Peer { uid, gid: 1 });
        let held = [1_001, 1_001, 1_002, 1_002, 7, 8].map(|uid| share(uid).unwrap());
        for uid in [1_001, 1_002, 7, 8, 9] {
            assert!(share(uid).is_err(), "{uid}");
        }
        for _ in 0..10 {
            assert!(matches!(share(OWN), Ok(None)));
        }
        drop(held);
        assert!(share(1_001).is_ok() && share(9).is_ok());
    }

    #[tokio::test]
    async fn whoever_says_nothing_does_not_keep_a_place_from_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("walletd.sock");
        let limits = config::Server { connection_limit: 2, ..config::Server::at(path.clone()) };
        let gateway = config::Gateway { head_timeout_s: 1, body_timeout_s: 1, ..config::Gateway::default() };
        let router = Router::new().route("/", get(|| async { "here" }));
        let soft = CancellationToken::new();
        let listener = Listener::new(UnixListener::bind(&path).unwrap(), &limits, OWN, identify());
        let served = tokio::spawn({
            let soft = soft.clone();
            async move { listener.serve(router, &gateway, soft, async {}).await }
        });
        let silent = UnixStream::connect(&path).await.unwrap();
        let mut half = UnixStream::connect(&path).await.unwrap();
        half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let mut other = UnixStream::connect(&path).await.unwrap();
        other.write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, other.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert!(answer.ends_with(b"here"), "{}", answer.escape_ascii());
        drop((silent, half));
        soft.cancel();
        tokio::time::timeout(PATIENCE, served).await.unwrap().unwrap();
    }
}
