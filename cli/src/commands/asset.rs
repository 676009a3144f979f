//! `walletctl asset`.

use clap::{Args, Subcommand};
use wallet_api::types::{AssetView, RegisterAsset};
use wallet_core::asset::AssetCode;

use super::write::{Ask, WriteArgs, post};
use crate::{context::Context, error::CliError, output::Meta};

/// Examples of the group.
pub const EXAMPLE: &str = "Example:
  walletctl asset list";

/// Assets.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum Command {
    List(List),
    Register(Register),
}

/// List every asset: the registered ones, then ISO 4217's
#[derive(Args)]
#[command(after_help = "Example:
  walletctl asset list -o csv")]
pub struct List {
    /// Only the registered ones
    #[arg(long)]
    registered: bool,
}

/// Register an asset, for ever: its scale never changes
#[derive(Args)]
#[command(after_help = "Example:
  walletctl asset register BTC --scale 8")]
pub struct Register {
    /// Its code: capital letters and digits
    code: AssetCode,
    /// Digits behind the point, at most 18
    #[arg(long)]
    scale: u32,
    #[command(flatten)]
    write: WriteArgs,
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::List(args) => list(ctx, &args).await,
        Command::Register(args) => register(ctx, args).await,
    }
}

async fn list(ctx: &Context, args: &List) -> Result<(), CliError> {
    ctx.out().check::<AssetView>()?;
    let answer = ctx.api()?.assets().await?;
    let meta = Meta::of(&answer);
    let assets: Vec<_> = answer.body.assets.into_iter().filter(|asset| !(args.registered && asset.built_in)).collect();
    ctx.out().list("assets", &assets, meta)
}

async fn register(ctx: &Context, args: Register) -> Result<(), CliError> {
    let ask = Ask {
        command: "asset",
        path: "/v1/assets".into(),
        summary: format!("Register the asset {} with {} fraction digits, for ever?", args.code, args.scale),
        amount: None,
    };
    let body = RegisterAsset { code: args.code, scale: args.scale };
    post::<_, AssetView>(ctx, &args.write, ask, &body).await
}
