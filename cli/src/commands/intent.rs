//! `walletctl intent`.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use wallet_api::types::{AssetView, Posted, TransactionView, WalletView};
use wallet_core::key::Key;

use super::write::{resend, show as show_posted};
use crate::{
    context::Context,
    error::CliError,
    intents::{Held, Intent, Intents},
    output::{Cell, Meta, Record},
};

/// Examples of the group.
pub const EXAMPLE: &str = "Example:
  walletctl intent list";

/// Intents.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum Command {
    List(List),
    Show(Show),
    Resume(Resume),
    Forget(Forget),
}

/// List the writes whose outcome is not known
#[derive(Args)]
#[command(after_help = "Example:
  walletctl intent list -o json")]
pub struct List {}

/// Show one with the whole request
#[derive(Args)]
#[command(after_help = "Example:
  walletctl intent show inv-9913")]
pub struct Show {
    /// Its idempotency key
    key: Key,
}

/// Send it again with the same key: it happens now, or replays if it had happened
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl intent resume inv-9913
  walletctl intent resume --all --yes")]
pub struct Resume {
    /// Its idempotency key
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    key: Option<Key>,
    /// All of this context's daemon
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Forget one without sending it: whether it happened stays open
#[derive(Args)]
#[command(after_help = "Example:
  walletctl intent forget inv-9913 --yes")]
pub struct Forget {
    /// Its idempotency key
    key: Key,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Record for Intent {
    const COLUMNS: &'static [&'static str] = &["key", "command", "summary", "context", "made_at"];
    const MORE: &'static [&'static str] = &["endpoint", "path", "body"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "key" => Cell::text(self.key.as_str()),
            "command" => Cell::text(&self.command),
            "summary" => Cell::text(&self.summary),
            "context" => Cell::text(&self.context),
            "made_at" => Cell::Time(&self.made_at),
            "endpoint" => Cell::text(&self.endpoint),
            "path" => Cell::text(&self.path),
            "body" => Cell::owned(self.body.to_string()),
            _ => Cell::None,
        }
    }
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    let intents = Intents::of(&ctx.paths);
    match command {
        Command::List(_) => ctx.out().list("intents", &intents.list()?, Meta::new()),
        Command::Show(args) => {
            let endpoint = ctx.settings.endpoint.value.to_string();
            // One of another daemon may have the same key; this context's comes first.
            let mut found: Vec<_> = intents.list()?.into_iter().filter(|intent| intent.key == args.key).collect();
            found.sort_by_key(|intent| intent.endpoint != endpoint);
            let found = found.first().ok_or_else(|| missing(&args.key))?;
            ctx.out().one("intent", found, Meta::new())
        }
        Command::Resume(args) => resume(ctx, &intents, args).await,
        Command::Forget(args) => forget(ctx, &intents, &args).await,
    }
}

fn missing(key: &Key) -> CliError {
    CliError::new("not_found", format!("there is no open intent with the key {key}"))
        .hint("walletctl intent list shows them. An intent goes as soon as the daemon has answered.")
}

async fn resume(ctx: &Context, intents: &Intents, args: Resume) -> Result<(), CliError> {
    ctx.allow_write()?;
    let endpoint = ctx.settings.endpoint.value.to_string();
    let keys = if let Some(key) = args.key {
        vec![key]
    } else {
        let here = |intent: &Intent| intent.endpoint == endpoint;
        intents.list()?.into_iter().filter(here).map(|intent| intent.key).collect()
    };
    let mut worst = Ok(());
    for key in keys {
        let (intent, held) =
            intents.reopen(&endpoint, &key).await.map_err(|error| elsewhere(ctx, intents, &key, error))?;
        ctx.confirm(args.yes, &format!("Send again: {}?", intent.summary), None)?;
        if let Err(error) = again(ctx, &intent, held).await {
            if !args.all || error.quiet {
                return Err(error);
            }
            ctx.prompt.note(&format!("{key}: {error}"));
            worst = worse(worst, error);
        }
    }
    worst
}

/// An unknown outcome counts before a refusal, a refusal before "try again".
fn worse(first: Result<(), CliError>, second: CliError) -> Result<(), CliError> {
    let rank = |error: &CliError| (error.is_unknown(), error.exit != wallet_api::problem::exit::TRY_AGAIN);
    match first {
        Err(first) if rank(&first) >= rank(&second) => Err(first),
        _ => Err(second),
    }
}

/// Names the context, or the address, of an intent that belongs to another daemon.
fn elsewhere(ctx: &Context, intents: &Intents, key: &Key, error: CliError) -> CliError {
    let found = intents.list().unwrap_or_default().into_iter().find(|intent| intent.key == *key);
    match found {
        Some(intent) => {
            let flag = match (&intent.context, intent.endpoint.starts_with('/')) {
                (context, _) if *context != ctx.settings.context.value => format!("--context {context}"),
                (_, true) => format!("--socket {}", intent.endpoint),
                (_, false) => format!("--url {}", intent.endpoint),
            };
            CliError::new("not_found", format!("the intent {key} belongs to another daemon: {}", intent.endpoint))
                .hint(format!("Add {flag}."))
        }
        None if error.exit == wallet_api::problem::exit::NOT_FOUND => missing(key),
        None => error,
    }
}

async fn again(ctx: &Context, intent: &Intent, held: Held) -> Result<(), CliError> {
    match intent.command.as_str() {
        "asset" => posted::<AssetView>(ctx, intent, held).await,
        "wallet" => posted::<WalletView>(ctx, intent, held).await,
        "api" => {
            let answer = resend::<Value>(ctx, intent, held).await?;
            ctx.out().json(&answer.body)
        }
        _ => posted::<TransactionView>(ctx, intent, held).await,
    }
}

async fn posted<R>(ctx: &Context, intent: &Intent, held: Held) -> Result<(), CliError>
where
    R: Record + Serialize + serde::de::DeserializeOwned,
{
    ctx.out().check::<Posted<R>>()?;
    let answer = resend::<Posted<R>>(ctx, intent, held).await?;
    show_posted(ctx, &intent.command, &answer)
}

async fn forget(ctx: &Context, intents: &Intents, args: &Forget) -> Result<(), CliError> {
    let endpoint = ctx.settings.endpoint.value.to_string();
    let reopened = intents.reopen(&endpoint, &args.key).await;
    let (intent, held) = reopened.map_err(|error| elsewhere(ctx, intents, &args.key, error))?;
    let question = format!("Forget, without knowing whether it happened: {}?", intent.summary);
    ctx.confirm(args.yes, &question, None)?;
    held.settle();
    ctx.out().one("intent", &intent, Meta::new().with("forgotten", &true))
}
