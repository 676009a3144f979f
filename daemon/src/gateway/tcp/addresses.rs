//! How much of something each address has, connections or requests: one client cannot have it all.
//!
//! Bounded by what there is of it. A client with IPv6 has a /64 to itself, so that is its address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// The part of an IPv6 address that belongs to one client.
const NETWORK: u128 = !0 << 64;

/// Counts by address.
#[derive(Debug)]
pub(in crate::gateway) struct Addresses {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Addresses {
    /// At most so many each.
    pub(in crate::gateway) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// A place for one more; none if the address has its share.
    pub(in crate::gateway) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let address = client(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Share { address, of: Arc::clone(self) })
    }
}

fn client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK)),
    }
}

/// One of an address.
#[derive(Debug)]
pub(in crate::gateway) struct Share {
    address: IpAddr,
    of: Arc<Addresses>,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut open = self.of.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = open.get_mut(&self.address) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            open.remove(&self.address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_no_more_and_nothing_is_kept_of_those_that_left() {
        let addresses = Addresses::new(2);
        let take = |address: &str| addresses.take(address.parse().unwrap());
        let (first, second) = (take("192.0.2.1"), take("192.0.2.1"));
        assert!(first.is_some() && second.is_some() && take("192.0.2.1").is_none());
        let neighbours = (take("2001:db8::1"), take("2001:db8::2"));
        assert!(take("2001:db8::3").is_none() && take("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(take("192.0.2.1").is_some());
        drop((second, neighbours));
        assert!(addresses.open.lock().unwrap().is_empty());
    }
}
