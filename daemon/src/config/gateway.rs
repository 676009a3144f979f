//! `[gateway]`: the TCP listener beside the socket, and its limits.
//!
//! Nothing listens on TCP unless an address is given. Plain TCP is for loopback: beyond it a
//! certificate is needed, or the word that somebody in front of the daemon has one.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Invalid, PublicUrl};

/// Largest head of a request: a bearer token of Keycloak with many roles is below 8 KiB.
const DEFAULT_HEAD: usize = 32 << 10;
/// A request waits for its client's body and for the ledger, so whoever has all places stops everybody: no address
/// has more than a quarter. It is four for each connection that it may have.
const DEFAULT_OF_ADDRESS: usize = 1_024;

/// Proxies are a handful of addresses; the widest private network (`10.0.0.0/8`, `fd00::/8`) is what may be meant at most.
const WIDEST: u8 = 8;

/// The TCP listener, and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Address and port to listen on; none for no TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// The URL that clients use, without a path: what tokens, metadata and links name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// This daemon's certificate and its chain, PEM; read again on SIGHUP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// Its key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Plain TCP beyond loopback, in so many words: something in front of the daemon has the certificate.
    pub plain_beyond_loopback: bool,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Connections at a time.
    pub connection_limit: usize,
    /// Connections of one address (or /64) at a time.
    pub connections_per_address: usize,
    /// Requests of one HTTP/2 connection at a time.
    pub streams_per_connection: u32,
    /// Requests over TCP that run at a time; more are answered `overloaded` at once.
    pub request_limit: usize,
    /// Of these, requests of one address (or /64); more are answered `overloaded` at once.
    pub requests_per_address: usize,
    /// Largest head of a request, in bytes.
    pub head_limit_bytes: usize,
    /// Seconds the head of a request may take to arrive, the handshake included.
    pub head_timeout_s: u64,
    /// Seconds between two pieces of a body.
    pub body_timeout_s: u64,
    /// Seconds after which a connection on which nothing happens is closed, an answer nobody reads included.
    pub idle_timeout_s: u64,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            listen: None,
            public_url: None,
            cert_file: None,
            key_file: None,
            plain_beyond_loopback: false,
            trusted_proxies: Vec::new(),
            connection_limit: 2_048,
            connections_per_address: 256,
            streams_per_connection: 128,
            request_limit: 4_096,
            requests_per_address: DEFAULT_OF_ADDRESS,
            head_limit_bytes: DEFAULT_HEAD,
            head_timeout_s: 10,
            body_timeout_s: 10,
            idle_timeout_s: 60,
        }
    }
}

impl Gateway {
    /// The certificate's files; none for plain TCP.
    pub fn files(&self) -> Option<(&Path, &Path)> {
        self.cert_file.as_deref().zip(self.key_file.as_deref())
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if let Some(url) = &self.public_url {
            let parsed = url.parse::<PublicUrl>();
            let origin =
                parsed.map_err(|error| Invalid::new("gateway.public_url", format!("{url:?} {error}")))?.origin();
            // Tokens, metadata and clients compare it letter by letter.
            if *url != origin {
                return Err(Invalid::new("gateway.public_url", format!("{url:?} must be written {origin}")));
            }
        }
        if let Some(wide) = self.trusted_proxies.iter().find(|network| network.prefix_len() < WIDEST) {
            let why = format!(
                "whoever is in {wide} could say to be anybody: name the proxies, no network wider than /{WIDEST}"
            );
            return Err(Invalid::new("gateway.trusted_proxies", why));
        }
        if self.cert_file.is_some() != self.key_file.is_some() {
            return Err(Invalid::new("gateway.cert_file", "a certificate and its key come together"));
        }
        if let Some(listen) = self.listen
            && self.cert_file.is_none()
            && !listen.ip().is_loopback()
            && !self.plain_beyond_loopback
        {
            let why = format!(
                "{listen} is beyond loopback without encryption: set gateway.cert_file and gateway.key_file, or say \
                 gateway.plain_beyond_loopback = true if something in front of the daemon encrypts"
            );
            return Err(Invalid::new("gateway.listen", why));
        }
        Invalid::range("gateway.connection_limit", &self.connection_limit, 1..=100_000)?;
        Invalid::range("gateway.connections_per_address", &self.connections_per_address, 1..=100_000)?;
        Invalid::range("gateway.streams_per_connection", &self.streams_per_connection, 1..=10_000)?;
        Invalid::range("gateway.request_limit", &self.request_limit, 1..=1_000_000)?;
        Invalid::range("gateway.requests_per_address", &self.requests_per_address, 1..=1_000_000)?;
        Invalid::range("gateway.head_limit_bytes", &self.head_limit_bytes, 8 << 10..=1 << 20)?;
        Invalid::range("gateway.head_timeout_s", &self.head_timeout_s, 1..=600)?;
        Invalid::range("gateway.body_timeout_s", &self.body_timeout_s, 1..=600)?;
        Invalid::range("gateway.idle_timeout_s", &self.idle_timeout_s, 1..=3_600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(listen: &str) -> Gateway {
        Gateway { listen: Some(listen.parse().unwrap()), ..Gateway::default() }
    }

    #[test]
    fn plain_tcp_is_for_loopback_unless_told_otherwise_in_so_many_words() {
        let pair = |gateway: Gateway| Gateway { cert_file: Some("c".into()), key_file: Some("k".into()), ..gateway };
        for good in [
            Gateway::default(),
            at("127.0.0.1:8420"),
            at("[::1]:0"),
            pair(at("0.0.0.0:8420")),
            Gateway { plain_beyond_loopback: true, ..at("0.0.0.0:8420") },
        ] {
            assert_eq!(good.validate(), Ok(()), "{good:?}");
        }
        for bad in [at("0.0.0.0:8420"), at("[::]:8420"), at("192.0.2.1:8420")] {
            let error = bad.validate().unwrap_err();
            assert!(error.key == "gateway.listen" && error.why.contains("plain_beyond_loopback"), "{error:?}");
        }
        let half = Gateway { cert_file: Some("c".into()), ..at("127.0.0.1:8420") };
        assert_eq!(half.validate().unwrap_err().key, "gateway.cert_file");
    }

    #[test]
    fn a_public_url_is_written_as_clients_compare_it() {
        let of = |url: &str| Gateway { public_url: Some(url.into()), ..Gateway::default() }.validate();
        for good in
            ["https://wallet.example", "https://wallet.example:8443", "http://127.0.0.1:8420", "https://[2001:db8::1]"]
        {
            assert_eq!(of(good), Ok(()), "{good}");
        }
        for (bad, right) in [
            ("https://wallet.example/", "https://wallet.example"),
            ("https://WALLET.example", "https://wallet.example"),
            ("HTTPS://wallet.example", "https://wallet.example"),
            ("https://wallet.example:443", "https://wallet.example"),
            ("http://localhost:80/", "http://localhost"),
        ] {
            let error = of(bad).unwrap_err();
            assert_eq!((error.key, error.why), ("gateway.public_url", format!("{bad:?} must be written {right}")));
        }
    }

    #[test]
    fn nobody_trusts_the_whole_world_to_say_where_requests_come_from() {
        let of = |networks: &[&str]| {
            let trusted_proxies = networks.iter().map(|network| network.parse().unwrap()).collect();
            Gateway { trusted_proxies, ..Gateway::default() }.validate()
        };
        assert_eq!(of(&["10.0.0.0/8", "192.0.2.7/32", "fd00::/8", "2001:db8::1/128"]), Ok(()));
        for wide in ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "2000::/3"] {
            let error = of(&["192.0.2.7/32", wide]).unwrap_err();
            assert!(error.key == "gateway.trusted_proxies" && error.why.contains(wide), "{error:?}");
        }
    }
}
