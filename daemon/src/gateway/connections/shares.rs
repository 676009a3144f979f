//! How much of something each caller has, connections or requests: one client cannot have it all.
//!
//! Bounded by what there is of it. A client with IPv6 has a /64 to itself, so that is its address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// The part of an IPv6 address that belongs to one client.
const NETWORK: u128 = !0 << 64;

/// Who has a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::gateway) enum Whose {
    /// An address.
    Address(IpAddr),
    /// A user of this machine.
    User(u32),
    /// All users of this machine that may not call, together.
    Strangers,
}

impl From<IpAddr> for Whose {
    fn from(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
        })
    }
}

/// Counts by caller.
#[derive(Debug)]
pub(in crate::gateway) struct Shares {
    most: usize,
    taken: Mutex<HashMap<Whose, usize>>,
}

impl Shares {
    /// At most so many each.
    pub(in crate::gateway) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// A place for one more; none if the caller has its share.
    pub(in crate::gateway) fn take(self: &Arc<Self>, whose: impl Into<Whose>) -> Option<Share> {
        let whose = whose.into();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(whose).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Share { whose, of: Arc::clone(self) })
    }
}

/// One of a caller's.
#[derive(Debug)]
pub(in crate::gateway) struct Share {
    whose: Whose,
    of: Arc<Shares>,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = taken.get_mut(&self.whose) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            taken.remove(&self.whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_their_share_and_no_more_and_nothing_is_kept_of_those_that_left() {
        let shares = Shares::new(2);
        let take = |address: &str| shares.take(address.parse::<IpAddr>().unwrap());
        let (first, second) = (take("192.0.2.1"), take("192.0.2.1"));
        assert!(first.is_some() && second.is_some() && take("192.0.2.1").is_none());
        let neighbours = (take("2001:db8::1"), take("2001:db8::2"));
        assert!(take("2001:db8::3").is_none() && take("2001:db8:0:1::1").is_some());
        let users = (shares.take(Whose::User(7)), shares.take(Whose::User(7)), shares.take(Whose::Strangers));
        assert!(shares.take(Whose::User(7)).is_none() && shares.take(Whose::User(8)).is_some());
        drop(first);
        assert!(take("192.0.2.1").is_some());
        drop((second, neighbours, users));
        assert!(shares.taken.lock().unwrap().is_empty());
    }
}
