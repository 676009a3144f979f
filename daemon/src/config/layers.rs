//! The layers of the configuration, lowest first, and which of them a value comes from.

use std::path::PathBuf;

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format as _, Toml},
    value::{Dict, Map, Value},
};

use super::{Config, ConfigError, Environment};

const PREFIX: &str = "WALLETD_";
/// Names the file; no key itself.
const FILE_VARIABLE: &str = "WALLETD_CONFIG";
/// Short names of the variables that walletctl, scripts and units share.
const SHORT: &[(&str, &str)] = &[
    ("WALLETD_SOCKET", "server.socket"),
    ("WALLETD_DATA", "data.directory"),
    ("WALLETD_LOG", "log.level"),
    ("WALLETD_ROLES", "server.roles"),
    ("WALLETD_LEDGER_URL", "stores.ledger.url"),
    ("WALLETD_WALLETS_URL", "stores.wallets.url"),
    ("WALLETD_AUDIT_URL", "stores.audit.url"),
    ("WALLETD_EVENTS_URL", "stores.events.url"),
    ("WALLETD_BALANCES_URL", "stores.balances.url"),
    ("WALLETD_LIMITS_URL", "stores.limits.url"),
    ("WALLETD_TRACES_URL", "traces.url"),
    ("WALLETD_LISTEN", "gateway.listen"),
    ("WALLETD_PUBLIC_URL", "gateway.public_url"),
    ("WALLETD_ISSUER", "auth.issuer"),
    ("WALLETD_DISCOVERY_URL", "auth.discovery_url"),
    ("WALLETD_KEYCLOAK_URL", "keycloak.url"),
    ("WALLETD_METRICS_LISTEN", "metrics.listen"),
];

const DEFAULTS: &str = "default";
const VARIABLES: &str = "environment";
const FLAGS: &str = "flag";

/// What flags say: the highest layer.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// Configuration file [default: `$XDG_CONFIG_HOME/walletd/config.toml` if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Socket to serve on [default: `$XDG_STATE_HOME/walletd/walletd.sock`]
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Directory of the stores [default: `$XDG_STATE_HOME/walletd/data`]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, trace, or a filter such as `walletd=debug`
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// How it is logged: text or json
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<String>,
    /// Which parts of the whole this process does; `serve` alone has the flag.
    #[arg(skip)]
    pub roles: Option<String>,
    /// Address and port to listen on besides the socket; `serve` alone has the flag.
    #[arg(skip)]
    pub listen: Option<String>,
}

/// A layer that is a dictionary in memory.
struct Layer {
    name: &'static str,
    dict: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

/// All layers, merged.
pub(super) fn figment(flags: &Flags, env: &Environment) -> Result<Figment, ConfigError> {
    let defaults = Value::serialize(Config::defaults(env)?)?.into_dict().unwrap_or_default();
    let mut figment = Figment::from(Layer { name: DEFAULTS, dict: defaults });
    if let Some(path) = file(flags, env)? {
        figment = figment.merge(Toml::file_exact(path));
    }
    Ok(figment
        .merge(Layer { name: VARIABLES, dict: variables(env) })
        .merge(Layer { name: FLAGS, dict: flag_values(flags)? }))
}

/// The file to read: the one asked for, which must be readable, or the usual one if it is there.
fn file(flags: &Flags, env: &Environment) -> Result<Option<PathBuf>, ConfigError> {
    let asked = flags.config.clone().or_else(|| env.var(FILE_VARIABLE).map(PathBuf::from));
    let (path, must_exist) = match asked {
        Some(path) => (path, true),
        None => (env.config_dir()?.join("config.toml"), false),
    };
    match std::fs::File::open(&path) {
        Ok(_) => Ok(Some(path)),
        Err(source) if !must_exist && source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::File { path, source }),
    }
}

/// The variable that sets a key.
fn variable(key: &str) -> String {
    let long = format!("{PREFIX}{}", key.replace('.', "__").to_ascii_uppercase());
    SHORT.iter().find(|(_, short)| *short == key).map_or(long, |(name, _)| (*name).into())
}

fn variables(env: &Environment) -> Dict {
    let mut dict = Dict::new();
    for (name, text) in env.prefixed(PREFIX).filter(|(name, _)| *name != FILE_VARIABLE) {
        let short = SHORT.iter().find(|(short, _)| *short == name).map(|(_, key)| (*key).to_owned());
        let is_text = short.is_some();
        let key = short.unwrap_or_else(|| name[PREFIX.len()..].to_ascii_lowercase().replace("__", "."));
        let parsed = text.parse::<Value>().unwrap_or_else(|never| match never {});
        put(&mut dict, &key, if is_text { Value::from(text) } else { parsed });
    }
    dict
}

fn flag_values(flags: &Flags) -> Result<Dict, ConfigError> {
    let mut dict = Dict::new();
    for (key, path) in [("server.socket", &flags.socket), ("data.directory", &flags.data)] {
        if let Some(path) = path {
            // A flag's relative path means the caller's directory; the daemon's own may differ later.
            let path = std::path::absolute(path).map_err(|source| ConfigError::File { path: path.clone(), source })?;
            put(&mut dict, key, Value::serialize(path)?);
        }
    }
    let texts = [
        ("log.level", &flags.log_level),
        ("log.format", &flags.log_format),
        ("server.roles", &flags.roles),
        ("gateway.listen", &flags.listen),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            put(&mut dict, key, Value::from(text.as_str()));
        }
    }
    Ok(dict)
}

/// Puts a value under its dotted key.
fn put(dict: &mut Dict, key: &str, value: Value) {
    let Some((section, rest)) = key.split_once('.') else {
        dict.insert(key.into(), value);
        return;
    };
    let inner = dict.entry(section.into()).or_insert_with(|| Value::from(Dict::new()));
    if let Value::Dict(_, inner) = inner {
        put(inner, rest, value);
    }
}

/// Which layer the value of a key comes from.
pub(super) fn origin(figment: &Figment, key: &str) -> String {
    let flag = |key: &str| match key {
        "server.socket" => "--socket",
        "data.directory" => "--data",
        "log.level" => "--log-level",
        "server.roles" => "--roles",
        "gateway.listen" => "--listen",
        _ => "--log-format",
    };
    match figment.find_metadata(key) {
        Some(metadata) if metadata.name == VARIABLES => format!("{VARIABLES} {}", variable(key)),
        Some(metadata) if metadata.name == FLAGS => format!("{FLAGS} {}", flag(key)),
        Some(metadata) => match &metadata.source {
            Some(figment::Source::File(path)) => format!("file {}", path.display()),
            _ => DEFAULTS.into(),
        },
        None => DEFAULTS.into(),
    }
}
