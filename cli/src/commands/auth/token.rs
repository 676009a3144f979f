//! `walletctl auth token`, `whoami`.

use clap::Args;
use serde::Serialize;

use super::login::moment;
use crate::{
    context::Context,
    error::CliError,
    output::{Cell, Format, Meta, Record},
};

/// Print an access token, renewed if need be: for other programs that call the daemon
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl auth token
  curl -H @<(printf 'Authorization: Bearer %s' \"$(walletctl auth token)\") \\
      https://wallet.example/v1/whoami")]
pub struct TokenArgs {}

/// Show who you are to the daemon, and what you may do
#[derive(Args)]
#[command(after_help = "Example:
  walletctl auth whoami")]
pub struct Whoami {}

#[derive(Serialize)]
struct Row {
    token: String,
    ends_at: String,
}

impl Record for Row {
    const COLUMNS: &'static [&'static str] = &["token", "ends_at"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "token" => Cell::text(&self.token),
            "ends_at" => Cell::Time(&self.ends_at),
            _ => Cell::None,
        }
    }
}

/// Prints a token.
pub(super) async fn token(ctx: &Context, _args: TokenArgs) -> Result<(), CliError> {
    let session = super::session(ctx)?;
    ctx.out().check::<Row>()?;
    let tokens = session.tokens(None).await?.ok_or_else(|| super::nobody(session))?;
    if ctx.out().format() == Format::Table {
        // Nothing but the token, for $(...).
        return ctx.out().write(format!("{}\n", tokens.access.expose()).as_bytes());
    }
    let row = Row { token: tokens.access.expose().to_owned(), ends_at: moment(tokens.ends_at) };
    ctx.out().one("token", &row, Meta::new())
}

/// Asks the daemon.
pub(super) async fn whoami(ctx: &Context, _args: Whoami) -> Result<(), CliError> {
    ctx.out().check::<wallet_api::types::Whoami>()?;
    let answer = ctx.api()?.whoami().await?;
    ctx.out().one("whoami", &answer.body, Meta::of(&answer))
}
