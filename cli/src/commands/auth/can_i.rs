//! `walletctl auth can-i`.

use clap::Args;
use wallet_api::types::{CanI, CanIQuery};

use crate::{
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
};

/// Ask the daemon whether you may do something. Exits 5 if you may not
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl auth can-i transfer
  walletctl auth can-i wallet freeze
  walletctl auth can-i POST /v1/deposits -o json")]
pub struct CanIArgs {
    /// An action, as walletd authz lists them, or a method and a path
    #[arg(required = true, value_name = "ACTION")]
    words: Vec<String>,
}

impl Record for CanI {
    const COLUMNS: &'static [&'static str] = &["allowed", "action", "method", "path", "wallets", "backdate", "lacks"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "allowed" => Cell::Bool(self.allowed),
            "action" => Cell::text(&self.action),
            "method" => Cell::text(&self.method),
            "path" => Cell::text(&self.path),
            "wallets" => Cell::maybe(self.wallets.as_deref()),
            "backdate" => Cell::Bool(self.backdate),
            "lacks" => Cell::maybe(self.lacks.as_deref()),
            _ => Cell::None,
        }
    }
}

/// Asks.
pub(super) async fn can_i(ctx: &Context, args: CanIArgs) -> Result<(), CliError> {
    ctx.out().check::<CanI>()?;
    let answer = ctx.api()?.can_i(&query(&args.words)).await?;
    ctx.out().one("can_i", &answer.body, Meta::of(&answer))?;
    if answer.body.allowed {
        return Ok(());
    }
    let lacks = answer.body.lacks.map(|lacks| format!(": it takes {lacks}")).unwrap_or_default();
    Err(CliError::new("forbidden", format!("no{lacks}")))
}

fn query(words: &[String]) -> CanIQuery {
    match words {
        [method, path] if path.starts_with('/') => {
            CanIQuery { method: Some(method.to_ascii_uppercase()), path: Some(path.clone()), ..CanIQuery::default() }
        }
        words => CanIQuery { action: Some(words.join(" ")), ..CanIQuery::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_an_action_or_a_method_and_a_path() {
        let of = |line: &str| query(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("wallet freeze").action.as_deref(), Some("wallet freeze"));
        let route = of("post /v1/deposits");
        assert_eq!(
            (route.method.as_deref(), route.path.as_deref(), route.action),
            (Some("POST"), Some("/v1/deposits"), None)
        );
    }
}
