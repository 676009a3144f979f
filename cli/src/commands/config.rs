//! `walletctl config`.

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::{
    auth::identity::Identity,
    config::Settings,
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
};

/// Examples of the group.
pub const EXAMPLE: &str = "Example:
  walletctl config show --origin";

/// Settings.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum Command {
    Show(Show),
}

/// Show every setting as it is now
#[derive(Args)]
#[command(after_help = "Example:
  walletctl config show --origin")]
pub struct Show {
    /// Say where each comes from
    #[arg(long)]
    origin: bool,
}

#[derive(Serialize)]
struct Row {
    setting: &'static str,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
}

impl Record for Row {
    const COLUMNS: &'static [&'static str] = &["setting", "value", "origin"];
    const TABLE: &'static [&'static str] = &["setting", "value"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "setting" => Cell::text(self.setting),
            "value" => Cell::text(&self.value),
            "origin" => Cell::maybe(self.origin.as_deref()),
            _ => Cell::None,
        }
    }
}

/// The same where the origin was asked for.
#[derive(Serialize)]
#[serde(transparent)]
struct Traced(Row);

impl Record for Traced {
    const COLUMNS: &'static [&'static str] = Row::COLUMNS;

    fn cell(&self, column: &str) -> Cell<'_> {
        self.0.cell(column)
    }
}

/// Where the identity comes from: all of it from where the URL does.
fn whose(settings: &Settings) -> String {
    match &settings.identity.context {
        Some(name) => format!("context {name}"),
        None if settings.identity == Identity::default() => "default".into(),
        None => "variables WALLETCTL_ISSUER, WALLETCTL_CLIENT ...".into(),
    }
}

fn credentials(settings: &Settings) -> String {
    let credentials = &settings.identity.credentials;
    match credentials.place() {
        Some(place) => format!("{} ({place})", credentials.kind()),
        None if settings.endpoint.value.url().is_none() => "socket".into(),
        None => credentials.kind().into(),
    }
}

/// Runs one.
pub fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    let Command::Show(args) = command;
    let s = &ctx.settings;
    let above = s.confirm_above.value.map(|amount| amount.to_string()).unwrap_or_default();
    let row = |setting, value: String, origin: String| Row { setting, value, origin: args.origin.then_some(origin) };
    let rows = [
        row("context", s.context.value.clone(), s.context.origin.to_string()),
        row("daemon", s.endpoint.value.to_string(), s.endpoint.origin.to_string()),
        row("issuer", s.identity.issuer.clone().unwrap_or_default(), whose(s)),
        row("client", s.identity.client.clone(), whose(s)),
        row("credentials", credentials(s), whose(s)),
        row("tz", s.tz.value.clone(), s.tz.origin.to_string()),
        row("output", s.output.value.as_str().into(), s.output.origin.to_string()),
        row("protected", s.protected.value.to_string(), s.protected.origin.to_string()),
        row("confirm_above", above, s.confirm_above.origin.to_string()),
        row("config_file", ctx.paths.config_file().display().to_string(), "XDG_CONFIG_HOME, HOME".into()),
        row("state_folder", ctx.paths.state.display().to_string(), "XDG_STATE_HOME, HOME".into()),
    ];
    if args.origin {
        return ctx.out().list("config", &rows.map(Traced), Meta::new());
    }
    ctx.out().list("config", &rows, Meta::new())
}
