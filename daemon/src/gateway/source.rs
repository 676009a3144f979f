//! Where a request comes from: all that is known before anybody is asked who they are.

use std::net::IpAddr;

use tokio::net::unix::UCred;
use wallet_core::journal::Network;

/// The other end of a connection of the Unix socket.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl Peer {
    /// From the socket's credentials.
    pub fn new(credentials: UCred) -> Self {
        Self { uid: credentials.uid(), gid: credentials.gid() }
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The Unix socket: the kernel says who it is.
    Socket(Peer),
    /// TCP: only a token says who it is.
    Tcp(Remote),
}

impl Source {
    /// As the audit trail names it.
    pub fn network(self) -> Network {
        match self {
            Self::Socket(peer) => Network::User(peer.uid),
            Self::Tcp(remote) => Network::of(remote.address),
        }
    }
}

/// The other end of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub struct Remote {
    /// Its address; a trusted proxy's word for it counts.
    pub address: IpAddr,
    /// The way from the client is encrypted.
    pub secure: bool,
}
