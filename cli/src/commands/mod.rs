//! The commands: one file a group, each an Args struct and one function.

pub mod api;
pub mod asset;
pub mod audit;
pub mod auth;
pub mod balance;
pub mod batch;
pub mod bench;
pub mod config;
pub mod context;
pub mod daemon;
pub mod doctor;
pub mod explain;
pub mod export;
pub mod generate;
pub mod import;
pub mod intent;
pub mod money;
pub mod pages;
pub mod records;
pub mod statement;
pub mod transaction;
pub mod wallet;
pub mod write;

use crate::{cli::Command, context::Context, error::CliError};

/// Runs a command.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Asset(command) => asset::run(ctx, command).await,
        Command::Wallet(command) => wallet::run(ctx, command).await,
        Command::Deposit(args) => money::deposit(ctx, args).await,
        Command::Withdraw(args) => money::withdraw(ctx, args).await,
        Command::Transfer(args) => money::transfer(ctx, args).await,
        Command::Tx(command) => transaction::run(ctx, command).await,
        Command::Balance(args) => balance::balance(ctx, args).await,
        Command::Statement(args) => statement::statement(ctx, args).await,
        Command::Batch(command) => batch::run(ctx, command).await,
        Command::Export(command) => export::run(ctx, command).await,
        Command::Audit(command) => audit::run(ctx, command).await,
        Command::Auth(command) => auth::run(ctx, command).await,
        Command::Intent(command) => intent::run(ctx, command).await,
        Command::Context(command) => context::run(ctx, command),
        Command::Config(command) => config::run(ctx, command),
        Command::Daemon(command) => daemon::run(ctx, command).await,
        Command::Doctor(args) => doctor::doctor(ctx, args).await,
        Command::Explain(args) => explain::explain(ctx, args),
        Command::Api(args) => api::api(ctx, args).await,
        Command::Bench(args) => bench::bench(ctx, args).await,
        Command::Completion(args) => generate::completion(ctx, &args),
        Command::Man(args) => generate::man(ctx, args),
        Command::Version(args) => generate::version(ctx, args),
    }
}
