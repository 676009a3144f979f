//! `walletctl deposit`, `withdraw`, `transfer`.

use std::str::FromStr;

use clap::Args;
use wallet_api::types::{MoveMoney, TransactionView};
use wallet_core::{
    asset::AssetCode,
    ids::WalletId,
    money::Quantity,
    text::{Memo, Metadata},
    time::calendar::Moment,
};

use super::write::{Ask, WriteArgs, post};
use crate::{context::Context, error::CliError, output::sanitize};

/// A name and a value.
#[derive(Clone, Debug)]
pub struct Pair {
    name: String,
    value: String,
}

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
        Ok(Self { name: name.into(), value: value.into() })
    }
}

/// Metadata of pairs; a name given twice is an error.
pub fn metadata(pairs: &[Pair]) -> Result<Metadata, CliError> {
    let mut names: Vec<_> = pairs.iter().map(|pair| pair.name.as_str()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names.array_windows().find(|[a, b]| a == b) {
        return Err(CliError::usage(format!("--meta {name} is given twice")));
    }
    Metadata::new(pairs.iter().map(|pair| (&pair.name, &pair.value)))
        .map_err(|e| CliError::usage(format!("--meta: {e}")))
}

/// How much, and what goes with it.
#[derive(Args)]
struct Money {
    /// How much: digits, with an optional point; nothing is ever rounded
    #[arg(long, allow_hyphen_values = true)]
    amount: Quantity,
    /// Of what
    #[arg(long)]
    asset: AssetCode,
    /// A note
    #[arg(long, default_value = "")]
    memo: Memo,
    /// A free fact; may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    meta: Vec<Pair>,
    /// When it counts, in the past: a date (its first instant) or an instant; now when left out
    #[arg(long, value_name = "T")]
    effective_at: Option<Moment>,
    #[command(flatten)]
    write: WriteArgs,
}

/// Pay money into a wallet from outside
#[derive(Args)]
#[command(after_help = "Example:
  walletctl deposit --to w_42 --amount 100 --asset EUR --memo 'cash desk 3'")]
pub struct Deposit {
    /// The wallet that is paid
    #[arg(long, value_name = "WALLET")]
    to: WalletId,
    #[command(flatten)]
    money: Money,
}

/// Pay money out of a wallet
#[derive(Args)]
#[command(after_help = "Example:
  walletctl withdraw --from w_42 --amount 20.50 --asset EUR")]
pub struct Withdraw {
    /// The wallet that pays
    #[arg(long, value_name = "WALLET")]
    from: WalletId,
    #[command(flatten)]
    money: Money,
}

/// Move money from one wallet to another
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl transfer --from w_ops --to w_42 --amount 10.50 --asset EUR \\
      --dry-run
  walletctl transfer --from w_ops --to w_42 --amount 10.50 --asset EUR \\
      --idempotency-key inv-9913 --yes -o json")]
pub struct Transfer {
    /// The wallet that pays
    #[arg(long, value_name = "WALLET")]
    from: WalletId,
    /// The wallet that is paid
    #[arg(long, value_name = "WALLET")]
    to: WalletId,
    #[command(flatten)]
    money: Money,
}

/// Pays in.
pub async fn deposit(ctx: &Context, args: Deposit) -> Result<(), CliError> {
    move_money(ctx, "deposit", "/v1/deposits", None, Some(args.to), args.money).await
}

/// Pays out.
pub async fn withdraw(ctx: &Context, args: Withdraw) -> Result<(), CliError> {
    move_money(ctx, "withdrawal", "/v1/withdrawals", Some(args.from), None, args.money).await
}

/// Moves.
pub async fn transfer(ctx: &Context, args: Transfer) -> Result<(), CliError> {
    move_money(ctx, "transfer", "/v1/transfers", Some(args.from), Some(args.to), args.money).await
}

async fn move_money(
    ctx: &Context,
    command: &'static str,
    path: &str,
    from: Option<WalletId>,
    to: Option<WalletId>,
    money: Money,
) -> Result<(), CliError> {
    let body = MoveMoney {
        from,
        to,
        amount: money.amount,
        asset: money.asset,
        effective_at: money.effective_at.map(|moment| ctx.instant(&moment)).transpose()?,
        memo: money.memo,
        meta: metadata(&money.meta)?,
    };
    let ask = Ask { command, path: path.into(), summary: summary(command, &body), amount: Some(money.amount) };
    post::<_, TransactionView>(ctx, &money.write, ask, &body).await
}

/// `Transfer 10.50 EUR from w_ops to w_42, counting from 2026-01-01T00:00:00.000000Z?`
fn summary(command: &str, body: &MoveMoney) -> String {
    let verb = match command {
        "deposit" => "Deposit",
        "withdrawal" => "Withdraw",
        _ => "Transfer",
    };
    let mut text = format!("{verb} {} {}", body.amount, body.asset);
    let facts = [
        (" from ", body.from.as_ref().map(ToString::to_string)),
        (" to ", body.to.as_ref().map(ToString::to_string)),
        (", counting from ", body.effective_at.map(|at| at.to_string())),
        (", memo ", Some(body.memo.to_string()).filter(|memo| !memo.is_empty())),
    ];
    for (word, value) in facts {
        if let Some(value) = value {
            text.push_str(word);
            text.push_str(&sanitize(&value));
        }
    }
    text.push('?');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_everything_that_matters() {
        let body = MoveMoney {
            from: Some("w_ops".parse().unwrap()),
            to: Some("w_42".parse().unwrap()),
            amount: "10.50".parse().unwrap(),
            asset: "EUR".parse().unwrap(),
            effective_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            memo: "January".parse().unwrap(),
            meta: Metadata::default(),
        };
        assert_eq!(
            summary("transfer", &body),
            "Transfer 10.50 EUR from w_ops to w_42, counting from 2026-01-01T00:00:00.000000Z, memo January?"
        );
    }

    #[test]
    fn metadata_is_name_value_and_each_name_once() {
        let pairs = |texts: &[&str]| texts.iter().map(|text| text.parse::<Pair>().unwrap()).collect::<Vec<_>>();
        assert_eq!(metadata(&pairs(&["invoice=INV=1"])).unwrap().get("invoice"), Some("INV=1"));
        assert_eq!(metadata(&pairs(&["a=1", "b=2", "a=3"])).unwrap_err().exit, 2);
        assert_eq!(metadata(&pairs(&["in voice=1"])).unwrap_err().exit, 2);
        assert!("novalue".parse::<Pair>().is_err());
    }
}
