//! `walletctl bench`.

use clap::Args;

use crate::{context::Context, error::CliError};

/// Measure a scratch daemon
#[derive(Args)]
#[command(after_help = "Example:\n  walletctl bench")]
pub struct Bench {}

/// Measures.
pub async fn bench(_ctx: &Context, _args: Bench) -> Result<(), CliError> {
    Err(CliError::usage("there is nothing to measure yet"))
}
