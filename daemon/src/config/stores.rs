//! `[stores.*]`: which engine each store is, by URL.
//!
//! `embedded` is the default of each: nothing else is needed then. Another URL names a server.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Invalid;
use crate::address::ServerUrl;

/// The URL of what is embedded in the daemon.
pub const EMBEDDED: &str = "embedded";

/// Most connections of one pool: more than the cores of a large database server.
const MOST_CONNECTIONS: usize = 512;
/// Longest time limit of one operation: a request would not wait as long.
const LONGEST_MS: u64 = 60_000;

/// Which engine each store is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stores {
    /// The ledger: embedded, or `postgres://`.
    pub ledger: Store,
    /// The wallets: embedded, or `mysql://`.
    pub wallets: Store,
    /// The audit trail: embedded, or `mongodb://`.
    pub audit: Store,
    /// The events: embedded, or `kafka://`.
    pub events: Store,
    /// The balance cache: embedded, or `redis://`.
    pub balances: Store,
    /// The rate limits: embedded, or `redis://`. Never the server that evicts cached balances.
    pub limits: Store,
}

/// One store: where it is and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `embedded`, or the server's URL.
    pub url: String,
    /// A file that holds the password, if the URL does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Whether the way is encrypted. Without it: always, but for a server on loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
    /// The only certificate authorities to trust, PEM; without it the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// This daemon's own certificate, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// Its key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Most connections at a time.
    pub pool: usize,
    /// Most milliseconds for one operation.
    pub timeout_ms: u64,
}

impl Default for Stores {
    fn default() -> Self {
        // A cache that does not answer at once is no help, a limiter that does not must not delay.
        let quick = |timeout_ms| Store { timeout_ms, ..Store::default() };
        Self {
            ledger: Store::default(),
            wallets: Store::default(),
            audit: Store::default(),
            events: Store::default(),
            balances: quick(250),
            limits: quick(20),
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: EMBEDDED.into(),
            password_file: None,
            tls: None,
            ca_file: None,
            cert_file: None,
            key_file: None,
            pool: 16,
            timeout_ms: 5_000,
        }
    }
}

impl Store {
    /// True if no server is named.
    pub fn is_embedded(&self) -> bool {
        self.url == EMBEDDED
    }

    /// The server's URL; none while embedded (or not a URL, which is refused at the start).
    pub fn server(&self) -> Option<ServerUrl> {
        if self.is_embedded() { None } else { self.url.parse().ok() }
    }

    /// Whether the way to this server is encrypted.
    pub fn encrypted(&self, url: &ServerUrl) -> bool {
        self.tls.unwrap_or_else(|| url.scheme() == "rediss" || !url.is_loopback())
    }

    fn validate(&self, keys: &Keys, schemes: &[&str]) -> Result<(), Invalid> {
        Invalid::range(keys.pool, &self.pool, 1..=MOST_CONNECTIONS)?;
        Invalid::range(keys.timeout, &self.timeout_ms, 1..=LONGEST_MS)?;
        if self.is_embedded() {
            return Ok(());
        }
        let known = || {
            format!("use {EMBEDDED} or {}", schemes.iter().map(|s| format!("{s}://")).collect::<Vec<_>>().join(", "))
        };
        let url: ServerUrl = self
            .url
            .parse()
            .map_err(|error| Invalid::new(keys.url, format!("it is not a server's URL: {error}; {}", known())))?;
        if !schemes.contains(&url.scheme()) {
            return Err(Invalid::new(
                keys.url,
                format!("{}:// is not an engine of this store; {}", url.scheme(), known()),
            ));
        }
        if url.password().is_some() && self.password_file.is_some() {
            return Err(Invalid::new(keys.url, "it has a password and there is a password_file: use one of them"));
        }
        if self.cert_file.is_some() != self.key_file.is_some() {
            return Err(Invalid::new(keys.url, "cert_file and key_file go together"));
        }
        Ok(())
    }
}

struct Keys {
    url: &'static str,
    pool: &'static str,
    timeout: &'static str,
}

macro_rules! keys {
    ($name:literal) => {
        Keys {
            url: concat!("stores.", $name, ".url"),
            pool: concat!("stores.", $name, ".pool"),
            timeout: concat!("stores.", $name, ".timeout_ms"),
        }
    };
}

impl Stores {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        self.ledger.validate(&keys!("ledger"), &["postgres", "postgresql"])?;
        self.wallets.validate(&keys!("wallets"), &["mysql"])?;
        self.audit.validate(&keys!("audit"), &["mongodb", "mongodb+srv"])?;
        self.events.validate(&keys!("events"), &["kafka"])?;
        self.balances.validate(&keys!("balances"), &["redis", "rediss"])?;
        self.limits.validate(&keys!("limits"), &["redis", "rediss"])
    }

    /// Each by its name.
    pub fn each(&self) -> [(&'static str, &Store); 6] {
        [
            ("ledger", &self.ledger),
            ("wallets", &self.wallets),
            ("audit", &self.audit),
            ("events", &self.events),
            ("balances", &self.balances),
            ("limits", &self.limits),
        ]
    }
}
