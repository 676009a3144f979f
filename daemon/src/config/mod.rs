//! Configuration: defaults, below the file, below `WALLETD_*`, below flags. One section a file.
//!
//! Nothing is needed: without a file and without variables walletd serves on a socket in the user's
//! state directory. A key nobody knows is an error, so a typing mistake never turns into a default.
//! Everything outside (environment, user) comes in as an [`Environment`], so tests hold it still.

mod access;
mod auth;
mod data;
mod duties;
mod gateway;
mod keycloak;
mod layers;
mod ledger;
mod log;
mod metrics;
mod paths;
mod public_url;
mod rate_limit;
mod server;
mod stores;
mod traces;

use std::{collections::BTreeMap, path::PathBuf};

use figment::{Figment, value::Value};
use serde::{Deserialize, Serialize};

use crate::address::ServerUrl;

pub use self::{
    access::{Access, Peer, Permission, Role},
    auth::{Auth, Grant},
    data::Data,
    duties::{Duties, Duty},
    gateway::Gateway,
    keycloak::Keycloak,
    layers::Flags,
    ledger::Ledger,
    log::{Format, Log},
    metrics::Metrics,
    paths::{Environment, PathError},
    public_url::{PublicUrl, PublicUrlError},
    rate_limit::{Bucket, RateLimit},
    server::Server,
    stores::{EMBEDDED, Store, Stores},
    traces::Traces,
};

/// Exit code for a configuration that cannot be used (`EX_CONFIG`).
pub const EXIT_CONFIGURATION: u8 = 78;

/// Everything that can be configured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The socket, and the limits of the edge.
    pub server: Server,
    /// The TCP listener, and its limits.
    pub gateway: Gateway,
    /// Whose tokens are believed, and what they say.
    pub auth: Auth,
    /// A Keycloak behind the gateway.
    pub keycloak: Keycloak,
    /// Where the stores are.
    pub data: Data,
    /// Which engine each store is.
    pub stores: Stores,
    /// The embedded ledger's memory and disk.
    pub ledger: Ledger,
    /// Who may call how often.
    pub rate_limit: RateLimit,
    /// Which local users may call, and as what.
    pub access: Access,
    /// What is logged, and how.
    pub log: Log,
    /// Where spans go, and which requests make them.
    pub traces: Traces,
    /// Where the figures are served.
    pub metrics: Metrics,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was asked for cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No default path can be made.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A key is unknown, missing or of the wrong type.
    #[error("{0}")]
    Figment(Box<figment::Error>),
    /// A value breaks a rule of its section.
    #[error("{key}: {why} (it comes from {origin})")]
    Invalid {
        /// The key, `section.name`.
        key: String,
        /// What it must be.
        why: String,
        /// Where the value comes from.
        origin: String,
    },
}

impl From<figment::Error> for ConfigError {
    fn from(error: figment::Error) -> Self {
        Self::Figment(Box::new(error))
    }
}

/// A value that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The key, `section.name`.
    pub key: &'static str,
    /// What it must be.
    pub why: String,
}

impl Invalid {
    fn new(key: &'static str, why: impl Into<String>) -> Self {
        Self { key, why: why.into() }
    }

    /// Fails unless `value` lies in `range`.
    fn range<T>(key: &'static str, value: &T, range: std::ops::RangeInclusive<T>) -> Result<(), Self>
    where
        T: PartialOrd + std::fmt::Display,
    {
        if range.contains(value) {
            return Ok(());
        }
        Err(Self::new(key, format!("{value} is not between {} and {}", range.start(), range.end())))
    }
}

impl Config {
    /// What holds when nobody says anything.
    pub fn defaults(env: &Environment) -> Result<Self, PathError> {
        let state = env.state_dir()?;
        Ok(Self {
            server: Server::at(state.join("walletd.sock")),
            gateway: Gateway::default(),
            auth: Auth::default(),
            keycloak: Keycloak::default(),
            data: Data { directory: state.join("data") },
            stores: Stores::default(),
            ledger: Ledger::default(),
            rate_limit: RateLimit::default(),
            access: Access::default(),
            log: Log::default(),
            traces: Traces::default(),
            metrics: Metrics::default(),
        })
    }

    /// True if a store of this configuration lies in the data directory.
    pub fn uses_data_directory(&self) -> bool {
        [&self.stores.ledger, &self.stores.wallets, &self.stores.audit].iter().any(|store| store.is_embedded())
    }

    /// A part of the whole shares every store with the other parts.
    fn validate_parts(&self) -> Result<(), Invalid> {
        if self.server.roles.are_all() {
            return Ok(());
        }
        let mut embedded =
            self.stores.each().into_iter().filter(|(name, store)| *name != "limits" && store.is_embedded());
        let Some((name, _)) = embedded.next() else { return Ok(()) };
        let why = format!(
            "roles share every store with other daemons, but {name} is embedded in this one: set stores.{name}.url"
        );
        Err(Invalid::new("server.roles", why))
    }

    /// What is behind the gateway needs a gateway, and its name.
    fn validate_sign_in(&self) -> Result<(), Invalid> {
        if self.keycloak.url.is_none() {
            return Ok(());
        }
        if self.gateway.listen.is_none() {
            return Err(Invalid::new(
                "keycloak.url",
                "forwarding to Keycloak needs a TCP listener: set gateway.listen",
            ));
        }
        let Some(public) = &self.gateway.public_url else {
            let why = "what is forwarded to Keycloak has the gateway's own URL as its issuer: set gateway.public_url";
            return Err(Invalid::new("keycloak.url", why));
        };
        let expected = format!("{public}/auth/realms/{}", self.keycloak.realm);
        let why = match &self.auth.issuer {
            Some(issuer) if *issuer == expected => return Ok(()),
            Some(issuer) => format!("{issuer:?} is not the realm behind the gateway, which issues as {expected}"),
            None => format!("people would sign in and no token be taken: set it to {expected}"),
        };
        Err(Invalid::new("auth.issuer", why))
    }

    fn validate(&self) -> Result<(), Invalid> {
        self.server.validate()?;
        self.gateway.validate()?;
        self.auth.validate()?;
        self.auth.validate_with(&self.gateway)?;
        self.keycloak.validate()?;
        self.data.validate()?;
        self.stores.validate()?;
        self.validate_parts()?;
        self.validate_sign_in()?;
        self.ledger.validate()?;
        self.rate_limit.validate()?;
        self.access.validate()?;
        self.log.validate()?;
        self.traces.validate()?;
        self.metrics.validate()
    }
}

/// A configuration, and where each value of it comes from.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    values: BTreeMap<String, (String, String)>,
}

impl Loaded {
    /// Reads all layers and checks the result.
    pub fn load(flags: &Flags, env: &Environment) -> Result<Self, ConfigError> {
        let figment = layers::figment(flags, env)?;
        let config: Config = figment.extract()?;
        config.validate().map_err(|invalid| ConfigError::Invalid {
            key: invalid.key.into(),
            why: invalid.why,
            origin: layers::origin(&figment, invalid.key),
        })?;
        let values = flat(&figment)?;
        Ok(Self { config, values })
    }

    /// One line a key, `key = value`, in TOML's spelling; with its origin behind it if asked.
    pub fn print(&self, origin: bool) -> String {
        let line = |(key, (value, from)): (&String, &(String, String))| {
            if origin { format!("{key} = {value}  # {from}\n") } else { format!("{key} = {value}\n") }
        };
        self.values.iter().map(line).collect()
    }
}

/// Every value by its dotted key, with its origin.
fn flat(figment: &Figment) -> Result<BTreeMap<String, (String, String)>, ConfigError> {
    let mut found = BTreeMap::new();
    let sections: BTreeMap<String, Value> = figment.extract()?;
    for (section, value) in sections {
        walk(figment, &section, &value, &mut found);
    }
    Ok(found)
}

fn walk(figment: &Figment, key: &str, value: &Value, found: &mut BTreeMap<String, (String, String)>) {
    if let Value::Dict(_, dict) = value {
        for (name, inner) in dict {
            walk(figment, &format!("{key}.{name}"), inner, found);
        }
    } else if let Ok(value) = value.deserialize::<toml::Value>() {
        found.insert(key.into(), (shown(&value).to_string(), layers::origin(figment, key)));
    }
}

/// A value as it may be printed: a URL without its password.
fn shown(value: &toml::Value) -> toml::Value {
    let url = value.as_str().and_then(|text| text.parse::<ServerUrl>().ok());
    url.map_or_else(|| value.clone(), |url| toml::Value::String(url.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: &[(&str, &str)]) -> Environment {
        let base = [("HOME", "/home/ana")];
        Environment::of(base.iter().chain(vars).map(|(k, v)| ((*k).into(), (*v).into())), 1000, None)
    }

    fn with_file(text: &str) -> (tempfile::TempDir, Flags) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("walletd.toml");
        std::fs::write(&path, text).unwrap();
        (dir, Flags { config: Some(path), ..Flags::default() })
    }

    #[test]
    fn nothing_has_to_be_configured() {
        let loaded = Loaded::load(&Flags::default(), &env(&[])).unwrap();
        assert_eq!(loaded.config.server.socket, PathBuf::from("/home/ana/.local/state/walletd/walletd.sock"));
        assert_eq!(loaded.config.data.directory, PathBuf::from("/home/ana/.local/state/walletd/data"));
    }

    #[test]
    fn flags_beat_variables_beat_the_file_beats_defaults() {
        let (_dir, mut flags) = with_file(
            "[server]\nsocket = \"/file.sock\"\nqueue_limit = 9\n[ledger]\ncache_bytes = 16777216\n[data]\ndirectory = \"/file\"",
        );
        flags.data = Some("/flag".into());
        let env =
            env(&[("WALLETD_SOCKET", "/env.sock"), ("WALLETD_DATA", "/env"), ("WALLETD_SERVER__QUEUE_LIMIT", "8")]);
        let loaded = Loaded::load(&flags, &env).unwrap();
        assert_eq!(loaded.config.server.socket, PathBuf::from("/env.sock"));
        assert_eq!(loaded.config.server.queue_limit, 8);
        assert_eq!(loaded.config.data.directory, PathBuf::from("/flag"));
        assert_eq!(loaded.config.ledger.cache_bytes, 16_777_216);
        let text = loaded.print(true);
        for line in [
            "data.directory = \"/flag\"  # flag --data",
            "server.socket = \"/env.sock\"  # environment WALLETD_SOCKET",
            "server.queue_limit = 8  # environment WALLETD_SERVER__QUEUE_LIMIT",
            "log.level = \"info\"  # default",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(text.contains("ledger.cache_bytes = 16777216  # file "), "{text}");
    }

    #[test]
    fn a_key_nobody_knows_is_an_error() {
        for text in ["[server]\nsocet = \"/x\"", "[sevrer]\nsocket = \"/x\"", "x = 1"] {
            let (_dir, flags) = with_file(text);
            assert!(Loaded::load(&flags, &env(&[])).is_err(), "{text}");
        }
        assert!(Loaded::load(&Flags::default(), &env(&[("WALLETD_SOCKT", "/x")])).is_err());
    }

    #[test]
    fn a_bad_value_is_named_with_its_origin() {
        let env = env(&[("WALLETD_SERVER__QUEUE_LIMIT", "0")]);
        let error = Loaded::load(&Flags::default(), &env).unwrap_err().to_string();
        assert!(error.contains("server.queue_limit") && error.contains("WALLETD_SERVER__QUEUE_LIMIT"), "{error}");
    }

    #[test]
    fn a_file_that_was_asked_for_must_exist() {
        let flags = Flags { config: Some("/nowhere/walletd.toml".into()), ..Flags::default() };
        assert!(matches!(Loaded::load(&flags, &env(&[])), Err(ConfigError::File { .. })));
    }

    #[test]
    fn peers_are_read_from_the_file() {
        let (_dir, flags) = with_file(
            "[[access.peers]]\nuid = 1001\nroles = [\"auditor\"]\n[[access.peers]]\ngid = 50\nroles = [\"operator\"]\npermissions = [\"backdate\"]",
        );
        let peers = Loaded::load(&flags, &env(&[])).unwrap().config.access.peers;
        assert_eq!((peers[0].uid, peers[1].gid), (Some(1001), Some(50)));
        assert_eq!(peers[1].permissions, [Permission::Backdate]);
    }
}
