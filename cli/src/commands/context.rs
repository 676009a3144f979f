//! `walletctl context`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use wallet_api::client::Endpoint;
use wallet_core::{money::Quantity, time::calendar::Zone};

use crate::{
    auth::identity::of_named,
    config::{DEFAULT_CONTEXT, File, Named, Origin},
    context::Context,
    error::CliError,
    output::{Cell, Format, Meta, Record},
};

/// Examples of the group.
pub const EXAMPLE: &str = "Examples:
  walletctl context list
  walletctl context show prod";

/// Longest name of a context.
const MAX_NAME: usize = 64;

/// Contexts.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum Command {
    List(List),
    Use(Use),
    Set(Box<Set>),
    Show(Show),
}

/// List all contexts; the local daemon's is always among them
#[derive(Args)]
#[command(after_help = "Example:
  walletctl context list -o json")]
pub struct List {}

/// Make a context the current one
#[derive(Args)]
#[command(after_help = "Example:
  walletctl context use prod")]
pub struct Use {
    /// Its name; default is the local daemon
    name: String,
}

/// Make or change a context; what is not named stays as it is
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl context set prod --daemon /run/walletd/walletd.sock \\
      --zone Europe/Lisbon --protected true --confirm-above 1000
  walletctl context set test --daemon http://127.0.0.1:7117
  walletctl context set night --daemon https://wallet.example \\
      --issuer https://wallet.example/auth/realms/wallet \\
      --client cron --secret-file /etc/walletctl/secret")]
pub struct Set {
    /// Its name
    name: String,
    /// The daemon: a socket's absolute path, https://, or http:// and a loopback address
    #[arg(long, value_name = "PATH|URL")]
    daemon: Option<String>,
    #[command(flatten)]
    who: Who,
    /// Zone of dates
    #[arg(long, value_name = "ZONE")]
    zone: Option<Zone>,
    /// Form of output
    #[arg(long, value_enum, value_name = "FORM")]
    form: Option<Format>,
    /// Writes need --context NAME
    #[arg(long, value_name = "YES")]
    protected: Option<bool>,
    /// Above this amount, of any asset, a person types the amount
    #[arg(long, value_name = "AMOUNT")]
    confirm_above: Option<Quantity>,
}

/// Who walletctl is there. A secret is never given here, only where it is.
#[derive(Args)]
struct Who {
    /// Pin who issues the daemon's tokens
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The client walletctl is to the issuer; walletctl unless told otherwise
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Certificate authorities besides the system's, PEM
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Sign in as the client itself, with the secret in this file
    #[arg(long, value_name = "FILE", group = "credentials")]
    secret_file: Option<PathBuf>,
    /// The same, with the secret in a systemd credential
    #[arg(long, value_name = "NAME", group = "credentials")]
    secret_credential: Option<String>,
    /// Sign in as the client itself, with the private key in this file, PEM
    #[arg(long, value_name = "FILE", group = "credentials")]
    key_file: Option<PathBuf>,
    /// The same, with the key in a systemd credential
    #[arg(long, value_name = "NAME", group = "credentials")]
    key_credential: Option<String>,
    /// The key's id at the issuer, if it knows several
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// People sign in: no secret or key any more
    #[arg(long, value_name = "YES", group = "credentials")]
    login: Option<bool>,
}

impl Who {
    /// Changes what is named. One way to sign in takes the place of another.
    fn apply(self, named: &mut Named) -> Result<(), CliError> {
        let path = |path: Option<PathBuf>| -> Result<Option<String>, CliError> {
            let Some(path) = path else { return Ok(None) };
            let whole = std::path::absolute(&path).map_err(|e| CliError::usage(format!("{}: {e}", path.display())))?;
            let text = whole.into_os_string().into_string();
            text.map(Some).map_err(|_| CliError::usage(format!("{}: a path must be UTF-8", path.display())))
        };
        let ways = [path(self.secret_file)?, self.secret_credential, path(self.key_file)?, self.key_credential];
        if self.login == Some(true) || ways.iter().any(Option::is_some) {
            [named.secret_file, named.secret_credential, named.key_file, named.key_credential] = ways;
        }
        if named.key_file.is_none() && named.key_credential.is_none() {
            named.key_id = None;
        }
        named.key_id = self.key_id.or(named.key_id.take());
        named.issuer = self.issuer.or(named.issuer.take());
        named.client = self.client.or(named.client.take());
        named.ca_file = path(self.ca_file)?.or(named.ca_file.take());
        of_named(named, "context set").map(drop).map_err(|e| CliError::usage(e.message.clone()))
    }
}

/// Show a context
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl context show
  walletctl context show prod")]
pub struct Show {
    /// Its name; the one in use when left out
    name: Option<String>,
}

/// A context as it is shown.
#[derive(Serialize)]
struct Row {
    name: String,
    current: bool,
    #[serde(flatten)]
    named: Named,
}

impl Record for Row {
    const COLUMNS: &'static [&'static str] =
        &["name", "current", "socket", "url", "tz", "output", "protected", "confirm_above", "issuer", "client"];
    const TABLE: &'static [&'static str] =
        &["name", "current", "socket", "url", "issuer", "client", "credentials", "tz", "protected", "confirm_above"];
    const MORE: &'static [&'static str] = &["credentials", "secret", "ca_file"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "name" => Cell::text(&self.name),
            "current" => Cell::Bool(self.current),
            "socket" => Cell::maybe(self.named.socket.as_deref()),
            "url" => Cell::maybe(self.named.url.as_deref()),
            "tz" => Cell::maybe(self.named.tz.as_deref()),
            "output" => Cell::maybe(self.named.output.map(Format::as_str)),
            "protected" => Cell::Bool(self.named.protected),
            "confirm_above" => Cell::maybe_amount(self.named.confirm_above.as_deref()),
            "issuer" => Cell::maybe(self.named.issuer.as_deref()),
            "client" => Cell::maybe(self.named.client.as_deref()),
            "ca_file" => Cell::maybe(self.named.ca_file.as_deref()),
            // What contradicts itself is told when the context is used.
            "credentials" => of_named(&self.named, &self.name).map_or(Cell::None, |who| {
                if self.named.url.is_some() { Cell::text(who.credentials.kind()) } else { Cell::None }
            }),
            "secret" => of_named(&self.named, &self.name).map_or(Cell::None, |who| {
                who.credentials.place().map_or(Cell::None, |place| Cell::owned(place.to_string()))
            }),
            _ => Cell::None,
        }
    }
}

/// Runs one.
pub fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    let file = File::read(&ctx.paths)?;
    match command {
        Command::List(List {}) => ctx.out().list("contexts", &rows(&file), Meta::new()),
        Command::Use(args) => use_one(ctx, file, &args.name),
        Command::Set(args) => set(ctx, file, *args),
        Command::Show(args) => show(ctx, &file, args.name.as_ref().unwrap_or(&ctx.settings.context.value)),
    }
}

fn use_one(ctx: &Context, mut file: File, name: &str) -> Result<(), CliError> {
    if name != DEFAULT_CONTEXT && !file.contexts.contains_key(name) {
        return Err(missing(name));
    }
    file.current = Some(name.to_owned());
    file.write(&ctx.paths)?;
    show(ctx, &file, name)
}

fn set(ctx: &Context, mut file: File, args: Set) -> Result<(), CliError> {
    let good = (1..=MAX_NAME).contains(&args.name.len())
        && args.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !good {
        return Err(CliError::usage("a context's name is 1 to 64 of A-Z a-z 0-9 . _ -"));
    }
    for (origin, kept_by) in [(&ctx.settings.endpoint.origin, "--daemon"), (&ctx.settings.tz.origin, "--zone")] {
        if let Origin::Flag(flag) = origin {
            let text = format!("{flag} is for one command, and kept by no context");
            return Err(
                CliError::usage(text).hint(format!("To keep it in this one, say {kept_by}. Nothing was changed."))
            );
        }
    }
    let named = file.contexts.entry(args.name.clone()).or_default();
    if let Some(daemon) = args.daemon {
        let endpoint: Endpoint = daemon.parse().map_err(|e| CliError::usage(format!("--daemon: {e}")))?;
        if forget(named, &endpoint) {
            let before = named.url.as_deref().unwrap_or_default();
            ctx.prompt.note(&format!("issuer, client and credentials were for {before}, and are dropped"));
        }
        (named.socket, named.url) = match endpoint {
            Endpoint::Socket(_) => (Some(daemon), None),
            Endpoint::Http(url) | Endpoint::Https(url) => (None, Some(url)),
        };
    }
    args.who.apply(named)?;
    if let Some(zone) = args.zone {
        named.tz = Some(zone.to_string());
    }
    named.output = args.form.or(named.output);
    named.protected = args.protected.unwrap_or(named.protected);
    if let Some(amount) = args.confirm_above {
        named.confirm_above = Some(amount.to_string());
    }
    file.write(&ctx.paths)?;
    show(ctx, &file, &args.name)
}

/// Another daemon gets nothing that was meant for the one before; true if there was something.
fn forget(named: &mut Named, endpoint: &Endpoint) -> bool {
    if named.url.is_none() || named.url.as_deref() == endpoint.url() {
        return false;
    }
    let own = [
        &mut named.issuer,
        &mut named.client,
        &mut named.secret_file,
        &mut named.secret_credential,
        &mut named.key_file,
        &mut named.key_credential,
        &mut named.key_id,
        &mut named.ca_file,
    ];
    own.map(|field| field.take().is_some()).contains(&true)
}

/// All of them; the local daemon's needs no file.
fn rows(file: &File) -> Vec<Row> {
    let current = file.current.as_deref().unwrap_or(DEFAULT_CONTEXT);
    let local = (!file.contexts.contains_key(DEFAULT_CONTEXT)).then(|| (DEFAULT_CONTEXT.to_owned(), Named::default()));
    let all = local.into_iter().chain(file.contexts.clone());
    all.map(|(name, named)| Row { current: name == current, name, named }).collect()
}

fn show(ctx: &Context, file: &File, name: &str) -> Result<(), CliError> {
    let row = rows(file).into_iter().find(|row| row.name == name).ok_or_else(|| missing(name))?;
    ctx.out().one("context", &row, Meta::new())
}

fn missing(name: &str) -> CliError {
    CliError::new("not_found", format!("there is no context {name}"))
        .hint("walletctl context list shows them; walletctl context set NAME makes one.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_daemons_context_is_among_all_and_current_unless_another_is() {
        let names = |text: &str| -> Vec<_> {
            let file: File = toml::from_str(text).unwrap();
            rows(&file).into_iter().map(|row| (row.name, row.current)).collect()
        };
        let all =
            |rows: &[(&str, bool)]| -> Vec<_> { rows.iter().map(|(name, on)| ((*name).to_owned(), *on)).collect() };
        assert_eq!(names(""), all(&[("default", true)]));
        assert_eq!(
            names("current = \"a\"\n[contexts.a]\n[contexts.b]"),
            all(&[("default", false), ("a", true), ("b", false)])
        );
        assert_eq!(names("[contexts.a]\n[contexts.default]\ntz = \"UTC\""), all(&[("a", false), ("default", true)]));
    }
}
