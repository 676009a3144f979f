//! Whose word is taken for where a request comes from: the configured proxies', nobody else's.
//!
//! A proxy appends the address it was called from, so the list is read from its right end. The first
//! address that is no trusted proxy is the client; what stands left of it came from that client and
//! says nothing. An entry that is no address ends the search at the proxy that let it pass.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use super::source::Remote;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The networks of trusted proxies.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxies(Vec<IpNet>);

impl Proxies {
    /// These networks.
    pub(super) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// True for the address of a trusted proxy.
    pub(super) fn include(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Where a request comes from that `peer` handed over.
    pub(super) fn remote(&self, peer: IpAddr, encrypted: bool, headers: &HeaderMap) -> Remote {
        if !self.include(peer) {
            return Remote { address: peer, secure: encrypted };
        }
        let last = headers.get_all(FORWARDED_PROTO).iter().next_back().and_then(|value| value.to_str().ok());
        let last = last.and_then(|words| words.rsplit(',').next());
        let secure = last.is_some_and(|word| word.trim().eq_ignore_ascii_case("https"));
        let mut address = peer;
        'search: for value in headers.get_all(FORWARDED_FOR).iter().rev() {
            let Ok(value) = value.to_str() else { break };
            for entry in value.rsplit(',') {
                let Some(entry) = address_of(entry.trim()) else { break 'search };
                address = entry;
                if !self.include(address) {
                    break 'search;
                }
            }
        }
        Remote { address, secure: encrypted || secure }
    }
}

/// An entry of the list: an address, which some proxies write with a port.
fn address_of(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|whole| whole.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(peer: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let Remote { address, secure } = proxies.remote(peer.parse().unwrap(), false, &map);
        (address.to_string(), secure)
    }

    #[test]
    fn nobody_is_believed_but_a_trusted_proxy() {
        let lies = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")];
        assert_eq!(remote("192.0.2.1", &lies), ("192.0.2.1".into(), false));
        assert_eq!(remote("10.0.0.1", &lies), ("1.1.1.1".into(), true));
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_client() {
        for (list, client) in [
            ("6.6.6.6, 192.0.2.7", "192.0.2.7"),
            ("6.6.6.6,192.0.2.7,10.1.1.1 , 10.2.2.2", "192.0.2.7"),
            ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
            ("", "10.0.0.1"),
            ("nonsense", "10.0.0.1"),
            ("192.0.2.7, unknown", "10.0.0.1"),
            ("6.6.6.6, nonsense, 10.3.3.3", "10.3.3.3"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1, fd00::9", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(remote("10.0.0.1", &[("x-forwarded-for", list)]).0, client, "{list}");
        }
        let lines = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "192.0.2.7, 10.1.1.1")];
        assert_eq!(remote("10.0.0.1", &lines).0, "192.0.2.7");
    }

    #[test]
    fn the_nearest_proxys_word_on_encryption_counts() {
        assert!(!remote("10.0.0.1", &[("x-forwarded-proto", "https, http")]).1);
        assert!(remote("10.0.0.1", &[("x-forwarded-proto", "http, HTTPS")]).1);
    }
}
