//! `walletctl wallet import`.

use clap::Args;

use crate::{context::Context, error::CliError};

/// Open wallets from a CSV file
#[derive(Args)]
#[command(after_help = "Example:
  walletctl wallet import wallets.csv --yes")]
pub struct Import {
    /// The file; - is stdin
    file: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Imports.
pub async fn import(_ctx: &Context, args: Import) -> Result<(), CliError> {
    Err(CliError::usage(args.file))
}
