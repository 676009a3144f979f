//! `walletctl daemon`.

use clap::{Args, Subcommand};

use crate::{context::Context, error::CliError, output::Meta};

/// Examples of the group.
pub const EXAMPLE: &str = "Example:
  walletctl daemon status";

/// The daemon.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum Command {
    Status(Status),
}

/// Show what the daemon says about itself: version, head of the ledger, projections
#[derive(Args)]
#[command(after_help = "Example:
  walletctl daemon status -o json")]
pub struct Status {}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    let Command::Status(_) = command;
    ctx.out().check::<wallet_api::types::Status>()?;
    let answer = ctx.api()?.status().await?;
    ctx.out().one("status", &answer.body, Meta::of(&answer))
}
