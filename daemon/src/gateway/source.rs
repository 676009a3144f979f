//! Where a request comes from: all that is known before anybody is asked who they are.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv6Net};
use tokio::net::unix::UCred;

use crate::services::identity::Origin;

/// Bits of an IPv6 address that one site has: within it a client takes any address it likes.
const SITE: u8 = 64;

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
    /// As the audit trail names it: an address, the /64 of an IPv6 one, or a user of this machine.
    pub fn origin(self) -> Origin {
        match self {
            Self::Socket(peer) => Origin::User(peer.uid),
            Self::Tcp(remote) => Origin::Network(remote.network()),
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

impl Remote {
    /// What counts as one caller: an IPv4 address, or the /64 of an IPv6 one.
    pub fn network(&self) -> IpNet {
        match self.address.to_canonical() {
            IpAddr::V4(address) => IpNet::from(IpAddr::V4(address)),
            IpAddr::V6(address) => Ipv6Net::new_assert(address, SITE).trunc().into(),
        }
    }
}
