//! Settings: flag, then `WALLETCTL_*`, then the context, then the default; each with its origin. Which daemon is asked is
//! said by a context too that a flag names: what somebody names on the command line is not sent elsewhere.
//!
//! The file is `config.toml` in walletctl's configuration folder: named contexts and which of them
//! is current. It is read only if it is there, and written only by `walletctl context`.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use wallet_api::client::Endpoint;
use wallet_core::{money::Quantity, time::calendar::Zone};

use crate::{
    auth::identity::{self, Identity},
    env::Env,
    error::CliError,
    output::Format,
    paths::{Paths, read_private, replace_private},
};

/// The configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The context that is used when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// The contexts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contexts: BTreeMap<String, Named>,
}

/// A named context: a daemon and how to treat it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The daemon's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The daemon's socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// Who issues tokens for the daemon: remembered when somebody signs in, or pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The client walletctl is to the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Certificate authorities besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The file with the client's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<String>,
    /// The systemd credential with the client's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_credential: Option<String>,
    /// The file with the client's private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// The systemd credential with the client's private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_credential: Option<String>,
    /// The key's id at the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The zone of dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// The form of output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Format>,
    /// Writes need `--context NAME`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// Above this amount, of any asset, a person types the amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_above: Option<String>,
}

impl File {
    /// Reads it; empty if there is none.
    pub fn read(paths: &Paths) -> Result<Self, CliError> {
        let path = paths.config_file();
        let Some(text) = read_private(&path)? else { return Ok(Self::default()) };
        toml::from_str(&text)
            .map_err(|e| CliError::configuration(format!("{}: {}", path.display(), e.to_string().trim())))
    }

    /// Writes it whole.
    pub fn write(&self, paths: &Paths) -> Result<(), CliError> {
        let text = toml::to_string_pretty(self).map_err(|e| CliError::configuration(e.to_string()))?;
        replace_private(&paths.config_file(), text.as_bytes())
    }
}

/// What flags say.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--context`.
    pub context: Option<String>,
    /// `--url`.
    pub url: Option<String>,
    /// `--socket`.
    pub socket: Option<String>,
    /// `--tz`.
    pub tz: Option<String>,
    /// `--output`.
    pub output: Option<Format>,
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A context of the file, or the file itself.
    Context(String),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Context(name) => write!(f, "context {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// What it is.
    pub value: T,
    /// Who said so.
    pub origin: Origin,
}

/// All settings, resolved and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The context's name; `default` is the local daemon and needs no file.
    pub context: Setting<String>,
    /// Where the daemon is.
    pub endpoint: Setting<Endpoint>,
    /// Who walletctl is to the daemon's issuer; of no concern on a socket.
    pub identity: Identity,
    /// The zone of dates.
    pub tz: Setting<String>,
    /// The form of output.
    pub output: Setting<Format>,
    /// Writes need `--context NAME`.
    pub protected: Setting<bool>,
    /// Above this amount a person types the amount.
    pub confirm_above: Setting<Option<Quantity>>,
}

/// The variables that are settings, beside those that say who ([`identity::WHO`]).
const VARIABLES: [&str; 6] =
    ["WALLETCTL_CONTEXT", "WALLETCTL_URL", "WALLETCTL_SOCKET", "WALLETCTL_TZ", "WALLETCTL_OUTPUT", "WALLETCTL_CA_FILE"];

/// The name of the context that needs no file.
pub const DEFAULT_CONTEXT: &str = "default";

impl Settings {
    /// Resolves them.
    pub fn resolve(flags: &Flags, env: &Env, file: &File, paths: &Paths) -> Result<Self, CliError> {
        // One letter wrong, and another daemon would be asked.
        let variables = [&VARIABLES[..], &identity::WHO[..]].concat();
        if let Some(name) = env.unknown("WALLETCTL_", &variables).first() {
            return Err(CliError::configuration(format!("{name} is set, and is no setting of walletctl"))
                .hint(format!("The settings are {}.", variables.join(", "))));
        }
        let context = pick(
            [
                (flags.context.clone(), Origin::Flag("--context")),
                (env.get("WALLETCTL_CONTEXT"), Origin::Variable("WALLETCTL_CONTEXT")),
                (file.current.clone(), Origin::Context("file (current)".into())),
            ],
            DEFAULT_CONTEXT.into(),
        );
        let named = match file.contexts.get(&context.value) {
            Some(named) => named.clone(),
            None if context.value == DEFAULT_CONTEXT => Named::default(),
            None => {
                return Err(CliError::configuration(format!("there is no context {}", context.value))
                    .hint("walletctl context list shows them; walletctl context set NAME makes one."));
            }
        };
        let from = || Origin::Context(context.value.clone());
        let tz = pick(
            [
                (flags.tz.clone(), Origin::Flag("--tz")),
                (env.get("WALLETCTL_TZ"), Origin::Variable("WALLETCTL_TZ")),
                (named.tz.clone(), from()),
            ],
            "UTC".into(),
        );
        let output = match env.get("WALLETCTL_OUTPUT") {
            Some(word) if flags.output.is_none() => Some(clap::ValueEnum::from_str(&word, false).map_err(|_| {
                CliError::configuration(format!("WALLETCTL_OUTPUT={word}: must be table, json, ndjson or csv"))
            })?),
            _ => None,
        };
        let output = pick(
            [
                (flags.output, Origin::Flag("--output")),
                (output, Origin::Variable("WALLETCTL_OUTPUT")),
                (named.output, from()),
            ],
            Format::Table,
        );
        let confirm_above = named.confirm_above.as_deref().map(|text| {
            text.parse().map_err(|e| {
                CliError::configuration(format!("context {}: confirm_above = {text:?}: {e}", context.value))
            })
        });
        let confirm_above = confirm_above.transpose()?;
        let said = |yes: bool| if yes { from() } else { Origin::Default };
        let endpoint = endpoint(flags, env, &named, &context, paths)?;
        Ok(Self {
            identity: identity::resolve(&endpoint, env, &named, &context.value)?,
            endpoint,
            tz,
            output,
            protected: Setting { value: named.protected, origin: said(named.protected) },
            confirm_above: Setting { value: confirm_above, origin: said(confirm_above.is_some()) },
            context,
        })
    }

    /// The zone of dates. Looked up only where a date is resolved here.
    pub fn zone(&self) -> Result<Zone, CliError> {
        self.tz.value.parse().map_err(|e| {
            CliError::new("invalid_time", format!("{e} ({})", self.tz.origin))
                .hint("Give a zone by its IANA name, such as Europe/Lisbon: --tz, WALLETCTL_TZ, or the context's zone.")
        })
    }
}

/// The first that is there.
fn pick<T, const N: usize>(from: [(Option<T>, Origin); N], default: T) -> Setting<T> {
    let found = from.into_iter().find_map(|(value, origin)| value.map(|value| Setting { value, origin }));
    found.unwrap_or(Setting { value: default, origin: Origin::Default })
}

/// A URL and a socket on the same level contradict each other; a higher level replaces both. Beside a context that a flag
/// names, variables do not count.
fn endpoint(
    flags: &Flags,
    env: &Env,
    named: &Named,
    context: &Setting<String>,
    paths: &Paths,
) -> Result<Setting<Endpoint>, CliError> {
    let by_flag = matches!(context.origin, Origin::Flag(_));
    let variable = |name| if by_flag { None } else { env.get(name) };
    let levels = [
        (flags.url.clone(), flags.socket.clone(), Origin::Flag("--url"), Origin::Flag("--socket")),
        (
            variable("WALLETCTL_URL"),
            variable("WALLETCTL_SOCKET"),
            Origin::Variable("WALLETCTL_URL"),
            Origin::Variable("WALLETCTL_SOCKET"),
        ),
        (
            named.url.clone(),
            named.socket.clone(),
            Origin::Context(context.value.clone()),
            Origin::Context(context.value.clone()),
        ),
        (None, env.get("WALLETD_SOCKET"), Origin::Default, Origin::Variable("WALLETD_SOCKET")),
    ];
    for (url, socket, url_origin, socket_origin) in levels {
        match (url, socket) {
            (Some(_), Some(_)) => {
                return Err(CliError::configuration(format!(
                    "both a URL and a socket are given ({url_origin}, {socket_origin})"
                ))
                .hint("Give one of them."));
            }
            (Some(url), None) => {
                let bad = |e| CliError::configuration(format!("{e} ({url_origin})"));
                return Ok(Setting { value: url.parse().map_err(bad)?, origin: url_origin });
            }
            (None, Some(socket)) => {
                let path = std::path::absolute(&socket);
                let path = path.map_err(|e| CliError::configuration(format!("{socket}: {e} ({socket_origin})")))?;
                return Ok(Setting { value: Endpoint::Socket(path), origin: socket_origin });
            }
            (None, None) => {}
        }
    }
    Ok(Setting { value: Endpoint::Socket(paths.socket.clone()), origin: Origin::Default })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Paths {
        Paths::find(&Env::of([("HOME", "/home/me")])).unwrap()
    }

    fn file() -> File {
        toml::from_str(
            r#"
            current = "prod"
            [contexts.prod]
            socket = "/run/walletd/walletd.sock"
            tz = "Europe/Lisbon"
            output = "json"
            protected = true
            confirm_above = "1000"
            [contexts.test]
            url = "http://127.0.0.1:7117"
            "#,
        )
        .unwrap()
    }

    #[test]
    fn nothing_said_means_the_local_daemon_in_utc_as_a_table() {
        let found = Settings::resolve(&Flags::default(), &Env::of([]), &File::default(), &paths()).unwrap();
        assert_eq!(found.endpoint.value, Endpoint::Socket("/home/me/.local/state/walletd/walletd.sock".into()));
        assert_eq!((found.tz.value.as_str(), found.output.value), ("UTC", Format::Table));
        assert_eq!(found.endpoint.origin, Origin::Default);
    }

    #[test]
    fn a_flag_wins_over_a_variable_over_the_context_over_the_default() {
        let context = Settings::resolve(&Flags::default(), &Env::of([]), &file(), &paths()).unwrap();
        assert_eq!(
            (context.tz.value.as_str(), context.tz.origin.to_string()),
            ("Europe/Lisbon", "context prod".into())
        );
        assert!(context.protected.value && context.confirm_above.value.is_some());
        let env =
            Env::of([("WALLETCTL_TZ", "Asia/Tokyo"), ("WALLETCTL_OUTPUT", "csv"), ("WALLETCTL_URL", "http://[::1]:1")]);
        let variable = Settings::resolve(&Flags::default(), &env, &file(), &paths()).unwrap();
        assert_eq!((variable.tz.value.as_str(), variable.output.value), ("Asia/Tokyo", Format::Csv));
        assert_eq!(variable.endpoint.origin, Origin::Variable("WALLETCTL_URL"));
        let flags = Flags {
            tz: Some("UTC".into()),
            output: Some(Format::Table),
            socket: Some("/s".into()),
            context: Some("test".into()),
            ..Flags::default()
        };
        let flag = Settings::resolve(&flags, &env, &file(), &paths()).unwrap();
        assert_eq!((flag.tz.value.as_str(), flag.output.value), ("UTC", Format::Table));
        assert_eq!((flag.endpoint.value, flag.context.value.as_str()), (Endpoint::Socket("/s".into()), "test"));
    }

    #[test]
    fn a_context_that_is_named_is_asked_at_its_own_address_whatever_the_environment_says() {
        let env = Env::of([("WALLETCTL_URL", "http://[::1]:1"), ("WALLETCTL_CONTEXT", "prod")]);
        let found = |flags: Flags| Settings::resolve(&flags, &env, &file(), &paths()).unwrap();
        let named = |name: &str| Flags { context: Some(name.into()), ..Flags::default() };
        let prod = found(named("prod"));
        assert_eq!(prod.endpoint.value, Endpoint::Socket("/run/walletd/walletd.sock".into()));
        assert!(prod.protected.value && prod.confirm_above.value.is_some());
        assert_eq!(found(named("test")).endpoint.origin, Origin::Context("test".into()));
        // One that names no daemon is of the local one.
        assert_eq!(found(named(DEFAULT_CONTEXT)).endpoint.origin, Origin::Default);
        // Flag beside flag, and variable beside variable: the address is the closer word.
        let both = Flags { url: Some("http://127.0.0.1:2".into()), ..named("prod") };
        assert_eq!(found(both).endpoint.origin, Origin::Flag("--url"));
        assert_eq!(found(Flags::default()).endpoint.origin, Origin::Variable("WALLETCTL_URL"));
    }

    #[test]
    fn contradictions_and_unknown_names_are_configuration_errors() {
        let exit =
            |flags: Flags, env: Env, file: &File| Settings::resolve(&flags, &env, file, &paths()).unwrap_err().exit;
        let both = Flags { url: Some("http://127.0.0.1:1".into()), socket: Some("/s".into()), ..Flags::default() };
        assert_eq!(exit(both, Env::of([]), &file()), 78);
        assert_eq!(exit(Flags { context: Some("nope".into()), ..Flags::default() }, Env::of([]), &file()), 78);
        assert_eq!(exit(Flags::default(), Env::of([("WALLETCTL_OUTPUT", "xml")]), &file()), 78);
        assert_eq!(exit(Flags::default(), Env::of([("WALLETCTL_URL", "http://10.0.0.1")]), &file()), 78);
        assert_eq!(exit(Flags::default(), Env::of([("WALLETCTL_SOKET", "/s")]), &file()), 78);
        assert!(toml::from_str::<File>("[contexts.a]\npasword = 1").is_err());
    }
}
