//! `walletctl balance explain`: what a balance is made of, and what is not in it.
//!
//! Every movement up to the moment is read, so it costs what a whole statement does. The parts are added up here and
//! held against the daemon's own balance.

use std::collections::BTreeMap;

use clap::Args;
use rust_decimal::Decimal;
use serde::Serialize;
use wallet_api::types::{BalanceQuery, StatementLine};
use wallet_core::{
    ids::WalletId,
    time::{Timestamp, calendar::Moment},
};

use super::{decimal, movements, not_understood, plus, written};
use crate::{
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
};

/// Say what a balance is made of: how many movements of each kind, and what is known but not in it
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl balance explain w_42
  walletctl balance explain w_42 --at 2026-01-31 --known-at 2026-02-03

Rows that are in the balance add up to it. Of the others, counts_later is what
counts only after the moment, and recorded_later what counts by then but was
recorded only after --known-at.")]
pub struct Explain {
    /// The wallet
    wallet: WalletId,
    /// The moment: a date (its close) or an instant; now when left out
    #[arg(long, value_name = "T")]
    at: Option<Moment>,
    /// As known then: a date (its close), an instant, or a record's number; all that is known when left out
    #[arg(long, value_name = "T|SEQ")]
    known_at: Option<String>,
}

/// One part of a balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Share {
    /// The kind of movement; with its direction where it has two.
    part: String,
    /// How many there are; not told of what is not in the balance.
    count: Option<u64>,
    /// What they add up to.
    amount: String,
    /// True if that is in the balance.
    in_balance: bool,
}

impl Record for Share {
    const COLUMNS: &'static [&'static str] = &["part", "count", "amount", "in_balance"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "part" => Cell::text(&self.part),
            "count" => Cell::maybe_int(self.count),
            "amount" => Cell::Amount(&self.amount),
            "in_balance" => Cell::Bool(self.in_balance),
            _ => Cell::None,
        }
    }
}

/// Movements by kind.
#[derive(Debug, Default)]
struct Parts(BTreeMap<String, (u64, Decimal)>);

impl Parts {
    fn add(&mut self, line: &StatementLine) -> Result<(), CliError> {
        let amount = decimal(&line.amount)?;
        let way = if amount.is_sign_negative() { "out" } else { "in" };
        let name = match line.kind.as_str() {
            one_way @ ("deposit" | "withdrawal") => one_way.to_owned(),
            kind => format!("{kind}_{way}"),
        };
        let (count, sum) = self.0.entry(name).or_default();
        (*count, *sum) = (*count + 1, plus(*sum, amount)?);
        Ok(())
    }

    fn sum(&self) -> Result<Decimal, CliError> {
        self.0.values().try_fold(Decimal::ZERO, |sum, (_, amount)| plus(sum, *amount))
    }

    fn rows(self, scale: u32) -> Vec<Share> {
        let row = |(part, (count, mut amount)): (String, (u64, Decimal))| {
            amount.rescale(scale);
            Share { part, count: Some(count), amount: amount.to_string(), in_balance: true }
        };
        self.0.into_iter().map(row).collect()
    }
}

/// Explains one balance.
pub(super) async fn explain(ctx: &Context, args: &Explain) -> Result<(), CliError> {
    ctx.out().check::<Share>()?;
    let api = ctx.api()?;
    let ask = BalanceQuery {
        at: args.at.as_ref().map(written),
        known_at: args.known_at.clone(),
        tz: ctx.tz(),
        ..BalanceQuery::default()
    };
    let answer = api.balance(&args.wallet, &ask).await?;
    let meta = Meta::of(&answer);
    let found = answer.body;
    let mut parts = Parts::default();
    movements(ctx, &args.wallet, (Timestamp::MIN, &found.at), found.seq, |line| parts.add(line)).await?;
    let balance = decimal(&found.balance)?;
    if parts.sum()? != balance {
        return Err(not_understood(&format!("the movements add up to {}, not to {}", parts.sum()?, found.balance)));
    }
    let mut rows = parts.rows(balance.scale());
    let at_other = async |at: Option<String>, known_at: Option<u64>| -> Result<Share, CliError> {
        let part = if known_at.is_some() { "counts_later" } else { "recorded_later" };
        let ask = BalanceQuery { at, known_at: known_at.map(|seq| seq.to_string()), ..BalanceQuery::default() };
        let other = api.balance(&args.wallet, &ask).await?.body;
        let mut amount = plus(decimal(&other.balance)?, -balance)?;
        amount.rescale(balance.scale());
        Ok(Share { part: part.into(), count: None, amount: amount.to_string(), in_balance: false })
    };
    if args.at.is_some() {
        rows.push(at_other(None, Some(found.seq)).await?);
    }
    if args.known_at.is_some() {
        rows.push(at_other(Some(found.at.clone()), None).await?);
    }
    let mut out = ctx.out().rows::<Share>("balance.explain")?;
    for row in &rows {
        out.row(row)?;
    }
    out.foot(String::new());
    out.foot(format!("balance  {} {}  at {}, as known at record {}", found.balance, found.asset, found.at, found.seq));
    let meta = meta.with("wallet", &found.wallet).with("asset", &found.asset).with("balance", &found.balance);
    out.finish(meta.with("at", &found.at).with("cut", &found.cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(kind: &str, amount: &str) -> StatementLine {
        StatementLine {
            transaction: "tx_1_1".into(),
            seq: 1,
            kind: kind.into(),
            counterparty: None,
            amount: amount.into(),
            balance: "0".into(),
            effective_at: String::new(),
            recorded_at: String::new(),
            key: None,
            memo: String::new(),
        }
    }

    #[test]
    fn movements_are_counted_by_kind_and_direction() {
        let mut parts = Parts::default();
        for (kind, amount) in [
            ("deposit", "10.00"),
            ("transfer", "-2.50"),
            ("transfer", "1.00"),
            ("deposit", "0.05"),
            ("reversal", "-1.00"),
        ] {
            parts.add(&line(kind, amount)).unwrap();
        }
        assert_eq!(parts.sum().unwrap().to_string(), "7.55");
        let rows: Vec<_> = parts
            .rows(2)
            .into_iter()
            .map(|row| format!("{} {} {}", row.part, row.count.unwrap(), row.amount))
            .collect();
        assert_eq!(rows, ["deposit 2 10.05", "reversal_out 1 -1.00", "transfer_in 1 1.00", "transfer_out 1 -2.50"]);
        assert_eq!(Parts::default().add(&line("deposit", "ten")).unwrap_err().exit, 1);
    }
}
