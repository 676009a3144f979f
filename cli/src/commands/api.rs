//! `walletctl api`: any request, for what has no command of its own.

use std::io::Read as _;

use bytes::Bytes;
use clap::Args;
use serde_json::Value;
use wallet_core::key::Key;

use super::write::{Ask, WriteArgs, send};
use crate::{context::Context, error::CliError};

/// Largest body that is read: far above the daemon's own limit.
const MAX_BODY: u64 = 64 << 20;
/// Posts that change nothing, or that need no key of their own.
const WITHOUT_KEY: [&str; 2] = ["/v1/audit/verify", "/v1/wallets/import"];

/// Send any request to the daemon and print its answer as it is
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl api GET /v1/whoami
  walletctl api POST /v1/transfers --data @transfer.json \\
      --idempotency-key inv-9913 --yes")]
pub struct Api {
    /// GET or POST
    #[arg(value_parser = ["GET", "POST"], ignore_case = true)]
    method: String,
    /// The path, with its query
    path: String,
    /// The body: JSON, @FILE, or @- for stdin (- too)
    #[arg(long, value_name = "JSON|@FILE|-")]
    data: Option<String>,
    /// What makes a write happen at most once
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<Key>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Sends.
pub async fn api(ctx: &Context, args: Api) -> Result<(), CliError> {
    if !args.path.starts_with('/') {
        return Err(CliError::usage(format!("{}: a path starts with /", args.path)));
    }
    let body = args.data.as_deref().map(read).transpose()?;
    if args.method.eq_ignore_ascii_case("GET") {
        if body.is_some() {
            return Err(CliError::usage("a GET has no body: leave --data out"));
        }
        return print(ctx, "GET", &args.path, None).await;
    }
    let body = body.unwrap_or_else(|| "{}".to_owned());
    let value: Value = serde_json::from_str(&body).map_err(|e| CliError::usage(format!("--data is not JSON: {e}")))?;
    let path = args.path.split('?').next().unwrap_or_default();
    if WITHOUT_KEY.contains(&path) {
        if path == "/v1/wallets/import" {
            ctx.allow_write()?;
            ctx.confirm(args.yes, &format!("POST {}?", args.path), None)?;
        }
        return print(ctx, "POST", &args.path, Some(body.into())).await;
    }
    let ask = Ask { command: "api", summary: format!("POST {} {value}?", args.path), path: args.path, amount: None };
    let write = WriteArgs { idempotency_key: args.idempotency_key, yes: args.yes, dry_run: false };
    let answer = send::<_, Value>(ctx, &write, ask, &value).await?;
    ctx.out().json(&answer.body)
}

/// Copies the answer as it comes.
async fn print(ctx: &Context, method: &str, path: &str, body: Option<Bytes>) -> Result<(), CliError> {
    let mut answer = ctx.api()?.raw(method, path, body, None).await?;
    let mut last = b'\n';
    while let Some(chunk) = answer.chunk().await? {
        last = chunk.last().copied().unwrap_or(last);
        if ctx.out().is_terminal() {
            // Pieces may end inside a character; a terminal is shown what can be shown.
            ctx.out().write(crate::output::escape_json(&String::from_utf8_lossy(&chunk)).as_bytes())?;
        } else {
            ctx.out().write(&chunk)?;
        }
    }
    if last == b'\n' { Ok(()) } else { ctx.out().write(b"\n") }
}

fn read(data: &str) -> Result<String, CliError> {
    let name = match data {
        "-" => "-",
        data => match data.strip_prefix('@') {
            Some(name) => name,
            None => return Ok(data.to_owned()),
        },
    };
    let mut text = String::new();
    let result = if name == "-" {
        std::io::stdin().take(MAX_BODY).read_to_string(&mut text)
    } else {
        std::fs::File::open(name).and_then(|file| file.take(MAX_BODY).read_to_string(&mut text))
    };
    result.map_err(|e| CliError::usage(format!("--data: cannot read {name}: {e}")))?;
    Ok(text)
}
