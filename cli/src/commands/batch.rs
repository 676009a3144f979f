//! `walletctl batch`.

use clap::Subcommand;

use crate::{context::Context, error::CliError};

/// Examples of the group.
pub const EXAMPLE: &str = "Example:\n  walletctl batch ";

/// Batches.
#[derive(Subcommand)]
pub enum Command {}

/// Runs one.
pub async fn run(_ctx: &Context, command: Command) -> Result<(), CliError> {
    match command {}
}
