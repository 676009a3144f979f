//! `walletctl wallet`.

use clap::{Args, Subcommand};
use wallet_api::types::{Because, CreateWallet, SetLimit as LimitBody, WalletFilter, WalletView};
use wallet_core::{
    account::Overdraft,
    asset::AssetCode,
    ids::{Owner, WalletId},
    text::{Label, Reason},
    time::calendar::Moment,
};

use super::{
    import::{self, Import},
    money::{Pair, metadata},
    pages::{Page, Paging},
    write::{Ask, WriteArgs, post},
};
use crate::{context::Context, env::wallet_id_of, error::CliError, output::Meta};

/// Examples of the group.
pub const EXAMPLE: &str = "Example:
  walletctl wallet list --owner alice";

/// Wallets.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum Command {
    Create(Create),
    Import(Import),
    List(List),
    Show(Show),
    Freeze(Freeze),
    Unfreeze(Unfreeze),
    Close(Close),
    SetLimit(SetLimit),
}

/// Open a wallet
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl wallet create w_42 --owner alice --asset EUR
  walletctl wallet create w_ops --owner bank --asset EUR \\
      --overdraft unlimited --opened-at 2020-01-01 --label Operations")]
pub struct Create {
    /// Its id; made from the idempotency key when left out
    id: Option<WalletId>,
    /// Who owns it
    #[arg(long)]
    owner: Owner,
    /// Its one asset
    #[arg(long)]
    asset: AssetCode,
    /// How far below zero it may go: an amount, or unlimited
    #[arg(long, default_value = "0", allow_hyphen_values = true)]
    overdraft: Overdraft,
    /// When it opened, in the past: a date (its first instant) or an instant
    #[arg(long, value_name = "T")]
    opened_at: Option<Moment>,
    /// A name for people
    #[arg(long, default_value = "")]
    label: Label,
    /// A free fact; may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    meta: Vec<Pair>,
    #[command(flatten)]
    write: WriteArgs,
}

/// List wallets by id
#[derive(Args)]
#[command(after_help = "Example:
  walletctl wallet list --asset EUR --status frozen --all -o csv")]
pub struct List {
    /// Only this owner's
    #[arg(long)]
    owner: Option<Owner>,
    /// Only of this asset
    #[arg(long)]
    asset: Option<AssetCode>,
    /// Only with this status
    #[arg(long, value_parser = ["opening", "active", "frozen", "closed"])]
    status: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Show a wallet and its balance now
#[derive(Args)]
#[command(after_help = "Example:
  walletctl wallet show w_42 -o json")]
pub struct Show {
    /// The wallet
    wallet: WalletId,
}

/// Freeze a wallet: no money leaves it or enters it until it is unfrozen
#[derive(Args)]
#[command(after_help = "Example:
  walletctl wallet freeze w_42 --reason 'card stolen'")]
pub struct Freeze {
    #[command(flatten)]
    step: Step,
}

/// Unfreeze a wallet
#[derive(Args)]
#[command(after_help = "Example:
  walletctl wallet unfreeze w_42 --reason 'new card'")]
pub struct Unfreeze {
    #[command(flatten)]
    step: Step,
}

/// Close an empty wallet, for ever
#[derive(Args)]
#[command(after_help = "Example:
  walletctl wallet close w_42 --reason 'account ended'")]
pub struct Close {
    #[command(flatten)]
    step: Step,
}

/// A step in a wallet's life.
#[derive(Args)]
struct Step {
    /// The wallet
    wallet: WalletId,
    /// Why; kept in the audit trail
    #[arg(long, default_value = "")]
    reason: Reason,
    #[command(flatten)]
    write: WriteArgs,
}

/// Change how far below zero a wallet may go
#[derive(Args)]
#[command(after_help = "Example:
  walletctl wallet set-limit w_42 --overdraft 500 --reason 'agreed by phone'")]
pub struct SetLimit {
    /// The wallet
    wallet: WalletId,
    /// An amount, or unlimited
    #[arg(long, allow_hyphen_values = true)]
    overdraft: Overdraft,
    /// Why; kept in the audit trail
    #[arg(long, default_value = "")]
    reason: Reason,
    #[command(flatten)]
    write: WriteArgs,
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Create(args) => create(ctx, args).await,
        Command::Import(args) => import::import(ctx, args).await,
        Command::List(args) => list(ctx, args).await,
        Command::Show(args) => show(ctx, args).await,
        Command::Freeze(args) => step(ctx, "Freeze", "freeze", args.step).await,
        Command::Unfreeze(args) => step(ctx, "Unfreeze", "unfreeze", args.step).await,
        Command::Close(args) => step(ctx, "Close, for ever,", "close", args.step).await,
        Command::SetLimit(args) => set_limit(ctx, args).await,
    }
}

async fn create(ctx: &Context, args: Create) -> Result<(), CliError> {
    let (key, write) = args.write.with_key(ctx)?;
    let id = args.id.unwrap_or_else(|| wallet_id_of(&key));
    let ask = Ask {
        command: "wallet",
        path: "/v1/wallets".into(),
        summary: format!("Open the wallet {id} for {} in {}, overdraft {}?", args.owner, args.asset, args.overdraft),
        amount: None,
    };
    let body = CreateWallet {
        id: Some(id),
        owner: args.owner,
        asset: args.asset,
        overdraft: Some(args.overdraft),
        opened_at: args.opened_at.map(|moment| ctx.instant(&moment)).transpose()?,
        label: args.label,
        meta: metadata(&args.meta)?,
    };
    post::<_, WalletView>(ctx, &write, ask, &body).await
}

async fn list(ctx: &Context, args: List) -> Result<(), CliError> {
    let filter = WalletFilter {
        owner: args.owner.map(|owner| owner.to_string()),
        asset: args.asset.map(|asset| asset.to_string()),
        status: args.status,
        ..WalletFilter::default()
    };
    let api = ctx.api()?;
    let ask =
        async |after, limit| Ok(api.wallets(&WalletFilter { after, limit: Some(limit), ..filter.clone() }).await?);
    let page = |list: &mut wallet_api::types::WalletList| Page {
        rows: std::mem::take(&mut list.wallets),
        next: list.next.clone(),
    };
    args.paging.show(ctx, "wallets", ask, page, |_, _, meta| meta).await
}

async fn show(ctx: &Context, args: Show) -> Result<(), CliError> {
    ctx.out().check::<WalletView>()?;
    let answer = ctx.api()?.wallet(&args.wallet).await?;
    ctx.out().one("wallet", &answer.body, Meta::of(&answer))
}

async fn step(ctx: &Context, verb: &str, name: &'static str, args: Step) -> Result<(), CliError> {
    let ask = Ask {
        command: "wallet",
        path: format!("/v1/wallets/{}/{name}", args.wallet),
        summary: format!("{verb} the wallet {}?", args.wallet),
        amount: None,
    };
    post::<_, WalletView>(ctx, &args.write, ask, &Because { reason: args.reason }).await
}

async fn set_limit(ctx: &Context, args: SetLimit) -> Result<(), CliError> {
    let ask = Ask {
        command: "wallet",
        path: format!("/v1/wallets/{}/limit", args.wallet),
        summary: format!("Let the wallet {} go below zero by {}?", args.wallet, args.overdraft),
        amount: None,
    };
    let body = LimitBody { overdraft: args.overdraft, reason: args.reason };
    post::<_, WalletView>(ctx, &args.write, ask, &body).await
}
