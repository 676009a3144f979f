//! What the journal keeps of access: refused sign-ins, forbidden attempts, configuration read again.
//!
//! One record stands for many attempts: it has a count, and when the first and the last was. What was claimed without
//! proof (a name, a token, a key id) has no place in it: only why, by one of the daemon's own words, and from which network.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::{fmt, str::FromStr};

use crate::{
    text::{Reason, TextError, serde_as_text},
    time::Timestamp,
};

/// Bits of an IPv6 address that name a network: what one subscriber gets at least.
const V6_NETWORK: u32 = 64;
/// Bits of an IPv4 address that name a network.
const V4_NETWORK: u32 = 24;

/// What was attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessKind {
    /// Somebody did not prove who they are.
    SignInRefused,
    /// Somebody known tried what they may not do.
    Forbidden,
    /// The daemon was told to read its configuration again.
    ConfigurationReloaded,
}

impl AccessKind {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::SignInRefused, Self::Forbidden, Self::ConfigurationReloaded];

    /// The kind of the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignInRefused => "sign_in_refused",
            Self::Forbidden => "access_forbidden",
            Self::ConfigurationReloaded => "configuration_reloaded",
        }
    }

    pub(super) fn of(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == kind)
    }
}

/// Where attempts came from: coarse enough to be bounded, fine enough to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Network {
    /// A /24, as its first address.
    V4(Ipv4Addr),
    /// A /64, as its first address.
    V6(Ipv6Addr),
    /// A user of this machine, on the socket.
    User(u32),
    /// Any other: more networks at a time than are told apart.
    Other,
}

impl Network {
    /// The network of an address. An IPv4 address written as IPv6 is the IPv4 address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - V4_NETWORK)))),
            IpAddr::V6(address) => Self::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - V6_NETWORK)))),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "other" {
            return Some(Self::Other);
        }
        if let Some(uid) = text.strip_prefix("uid:") {
            return uid.parse().ok().map(Self::User);
        }
        let (address, _) = text.split_once('/')?;
        address.parse().ok().map(Self::of)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "{address}/{V4_NETWORK}"),
            Self::V6(address) => write!(f, "{address}/{V6_NETWORK}"),
            Self::User(uid) => write!(f, "uid:{uid}"),
            Self::Other => f.write_str("other"),
        }
    }
}

impl FromStr for Network {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        // One text for one network, so that the bytes of a record are the only ones it can have.
        let read = Self::read(text).filter(|network| network.to_string() == text);
        read.ok_or(TextError::new("network", "a /24 or /64 by its first address, uid:N, or other"))
    }
}

serde_as_text!(Network);

/// Attempts of one kind, for one reason, from one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// What was attempted.
    pub kind: AccessKind,
    /// Why it was refused, or what became of it: one of the daemon's own words.
    pub reason: Reason,
    /// Where from; none for what the daemon was told by a signal.
    pub network: Option<Network>,
    /// How many attempts.
    pub count: u64,
    /// When the first was, by the clock of the daemon that saw it.
    pub first_at: Timestamp,
    /// When the last was.
    pub last_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_kinds_are_among_those_that_queries_take() {
        for kind in AccessKind::ALL {
            assert!(super::super::Event::KINDS.contains(&kind.as_str()), "{}", kind.as_str());
        }
    }

    #[test]
    fn a_network_is_all_that_is_kept_of_an_address() {
        for (address, network) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            let made = Network::of(address.parse().unwrap());
            assert_eq!(made.to_string(), network);
            assert_eq!(network.parse::<Network>().unwrap(), made);
        }
    }

    #[test]
    fn a_network_has_one_text() {
        for good in ["uid:0", "uid:4294967295", "other", "0.0.0.0/24"] {
            assert_eq!(good.parse::<Network>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "203.0.113.1/24",
            "203.0.113.0/25",
            "203.0.113.0",
            "2001:DB8::/64",
            "2001:db8::1/64",
            "::ffff:1.2.3.0/64",
            "uid:01",
            "uid:-1",
            "uid:",
            "any",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
