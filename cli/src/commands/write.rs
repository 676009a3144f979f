//! How a single write is made: key, question, intent, request, answer, in this order.
//!
//! Nothing is sent before the key is known, the person has agreed and the intent is on disk. From
//! then until the answer an interruption is told as an outcome that is not known.

use std::fmt::Write as _;

use clap::Args;
use serde::{Serialize, de::DeserializeOwned};
use wallet_api::{
    client::{Answer, Write},
    types::Posted,
};
use wallet_core::{key::Key, money::Quantity};

use crate::{
    context::Context,
    env::{new_key, now},
    error::CliError,
    intents::{Intent, Intents},
    output::{Meta, Record},
};

/// Flags of every write.
#[derive(Args, Clone, Debug, Default)]
pub struct WriteArgs {
    /// What makes it happen at most once: the same key and content again gives the first answer
    /// again. Made at a terminal; required without one
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<Key>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Only ask the daemon what would happen
    #[arg(long)]
    pub dry_run: bool,
}

/// What a write is about.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The command, which is also the schema of its answer.
    pub command: &'static str,
    /// The path it is posted to.
    pub path: String,
    /// What it does, in one line.
    pub summary: String,
    /// How much money it moves.
    pub amount: Option<Quantity>,
}

impl WriteArgs {
    /// The key given, or one made for a person and printed at once, before anything is sent.
    pub fn key(&self, ctx: &Context) -> Result<Key, CliError> {
        if let Some(key) = &self.idempotency_key {
            return Ok(key.clone());
        }
        if self.dry_run {
            return Ok(new_key());
        }
        if !ctx.prompt.is_interactive() {
            return Err(CliError::new("key_missing", "a write without a terminal needs --idempotency-key")
                .hint("Give --idempotency-key KEY, made and kept by your script, so that a retry does not happen twice. Nothing was sent."));
        }
        let key = new_key();
        ctx.prompt.note(&format!("idempotency key: {key}"));
        Ok(key)
    }

    /// The same with its key settled, for a command that needs it before the write.
    pub fn with_key(self, ctx: &Context) -> Result<(Key, Self), CliError> {
        let key = self.key(ctx)?;
        Ok((key.clone(), Self { idempotency_key: Some(key), ..self }))
    }
}

/// Makes a write and shows its answer.
pub async fn post<B, R>(ctx: &Context, args: &WriteArgs, ask: Ask, body: &B) -> Result<(), CliError>
where
    B: Serialize,
    R: Record + DeserializeOwned,
{
    ctx.out().check::<Posted<R>>()?;
    let command = ask.command;
    let answer = send::<B, Posted<R>>(ctx, args, ask, body).await?;
    show(ctx, command, &answer)
}

/// Makes a write.
pub async fn send<B, T>(ctx: &Context, args: &WriteArgs, ask: Ask, body: &B) -> Result<Answer<T>, CliError>
where
    B: Serialize,
    T: DeserializeOwned,
{
    let key = args.key(ctx)?;
    if args.dry_run {
        return Ok(ctx
            .api()?
            .post(&ask.path, body, Write { key: Some(&key), dry_run: true, ..Write::default() })
            .await?);
    }
    ctx.allow_write()?;
    // `api` sends what it is given: it has no --dry-run to name.
    if ask.command == "api" {
        ctx.confirm(args.yes, &ask.summary, ask.amount)?;
    } else {
        ctx.confirm_or_preview(args.yes, &ask.summary, ask.amount)?;
    }
    let intent = Intent {
        key,
        summary: ask.summary.trim_end_matches('?').to_owned(),
        command: ask.command.to_owned(),
        endpoint: ctx.settings.endpoint.value.to_string(),
        context: ctx.settings.context.value.clone(),
        path: ask.path,
        body: serde_json::to_value(body).map_err(|e| CliError::new("internal", e.to_string()))?,
        made_at: now().to_string(),
    };
    // An endpoint that cannot be used must not leave an intent behind.
    ctx.api()?;
    let held = Intents::of(&ctx.paths).begin(&intent).await?;
    resend(ctx, &intent, held).await
}

/// Sends an intent that is on disk and held, and settles it when there is an answer.
pub async fn resend<T: DeserializeOwned>(
    ctx: &Context,
    intent: &Intent,
    held: crate::intents::Held,
) -> Result<Answer<T>, CliError> {
    let key = intent.key.as_str();
    let told =
        CliError::unknown(format!("interrupted while waiting for the answer (key {key})")).hint(resume_hint(key));
    let flight = ctx.flight.begin(told);
    let write = Write { key: Some(&intent.key), ..Write::default() };
    let result = ctx.api()?.post::<T>(&intent.path, &intent.body, write).await;
    drop(flight);
    match result {
        Ok(answer) => {
            held.settle();
            Ok(answer)
        }
        Err(error) => {
            let error = CliError::of_write(error, Some(key));
            if error.is_unknown() {
                return Err(error.hint(resume_hint(key)));
            }
            held.settle();
            Err(error)
        }
    }
}

fn resume_hint(key: &str) -> String {
    format!("walletctl intent resume {key} sends it again with the same key: if it happened, it replays.")
}

/// Shows what became of a write.
pub fn show<R: Record>(ctx: &Context, command: &str, answer: &Answer<Posted<R>>) -> Result<(), CliError>
where
    Posted<R>: Serialize,
{
    let shown = ctx.out().one(command, &answer.body, Meta::of(answer));
    if answer.body.dry_run {
        shown?;
    } else {
        // It has happened, whether it can be shown or not.
        shown.map_err(CliError::applied)?;
    }
    if answer.body.dry_run {
        ctx.prompt.note("dry run: nothing was written");
    }
    Ok(())
}

/// A summary of facts after a verb: `Transfer 10.50 EUR from w_1 to w_2, effective 2026-01-01`.
pub fn summary(verb: &str, facts: &[(&str, Option<String>)]) -> String {
    facts.iter().fold(verb.to_owned(), |mut text, (name, value)| {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = write!(text, " {name} {value}");
        }
        text
    })
}
