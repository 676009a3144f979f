//! `walletctl balance diff`: what lies between two balances of a wallet, movement by movement.
//!
//! A balance is of a moment and as known at a record. A movement is in it if it counts by the moment and was recorded
//! by then; those in one of two balances and not in the other make the difference. What was read is added up and held
//! against the daemon's own balances. Between two moments only what counts in between is read; between two states of
//! knowledge everything up to the moment is.

use clap::Args;
use rust_decimal::Decimal;
use serde::Serialize;
use wallet_api::types::{BalanceQuery, BalanceView, StatementLine};
use wallet_core::{
    ids::WalletId,
    time::{Timestamp, calendar::Moment},
};

use super::{super::pages::Paging, decimal, movements, not_understood, plus, written};
use crate::{
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
};

/// List what makes the difference between two balances: at two moments, or as known at two
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl balance diff w_42 --from 2026-01-01 --to 2026-01-31
  walletctl balance diff w_42 --at 2026-01-31 --known-from 2026-02-03

Here --from, as --to, is the close of its day: the balance that is compared.")]
#[command(group = clap::ArgGroup::new("first").args(["from", "known_from"]).multiple(true).required(true))]
pub struct Diff {
    /// The wallet
    wallet: WalletId,
    /// The first balance's moment: a date (its close) or an instant
    #[arg(long, value_name = "T", conflicts_with = "at")]
    from: Option<Moment>,
    /// The second balance's moment; now when left out
    #[arg(long, value_name = "T", requires = "from")]
    to: Option<Moment>,
    /// The moment of both; now when left out
    #[arg(long, value_name = "T")]
    at: Option<Moment>,
    /// The first balance is as known then: a date (its close), an instant, or a record's number
    #[arg(long, value_name = "T|SEQ", conflicts_with = "known_at")]
    known_from: Option<String>,
    /// The second balance is as known then; all that is known when left out
    #[arg(long, value_name = "T|SEQ", requires = "known_from")]
    known_to: Option<String>,
    /// Both are as known then; all that is known when left out
    #[arg(long, value_name = "T|SEQ")]
    known_at: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// One movement that is in one balance only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Movement {
    /// `in` the second balance only, or `out`: in the first only.
    change: &'static str,
    /// What it adds to the difference.
    amount: String,
    transaction: String,
    seq: u64,
    kind: String,
    counterparty: Option<String>,
    effective_at: String,
    recorded_at: String,
    key: Option<String>,
    memo: String,
}

impl Record for Movement {
    const COLUMNS: &'static [&'static str] = &[
        "change",
        "amount",
        "transaction",
        "seq",
        "kind",
        "counterparty",
        "effective_at",
        "recorded_at",
        "key",
        "memo",
    ];
    const TABLE: &'static [&'static str] =
        &["change", "amount", "transaction", "kind", "counterparty", "effective_at", "recorded_at", "memo"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "change" => Cell::text(self.change),
            "amount" => Cell::Amount(&self.amount),
            "transaction" => Cell::text(&self.transaction),
            "seq" => Cell::Int(self.seq),
            "kind" => Cell::text(&self.kind),
            "counterparty" => Cell::maybe(self.counterparty.as_deref()),
            "effective_at" => Cell::Time(&self.effective_at),
            "recorded_at" => Cell::Time(&self.recorded_at),
            "key" => Cell::maybe(self.key.as_deref()),
            "memo" => Cell::text(&self.memo),
            _ => Cell::None,
        }
    }
}

/// What a balance holds: everything that counts by a moment and was recorded by a record.
#[derive(Clone, Copy, Debug)]
struct Side {
    at: Timestamp,
    known: u64,
}

impl Side {
    fn of(view: &BalanceView) -> Result<Self, CliError> {
        let at = view.at.parse().map_err(|_| not_understood(&format!("{} is no time", view.at)))?;
        Ok(Self { at, known: view.seq })
    }

    fn has(self, effective_at: Timestamp, seq: u64) -> bool {
        effective_at <= self.at && seq <= self.known
    }
}

/// What a movement adds to the second balance over the first; none if both or neither have it.
fn change(first: Side, second: Side, line: &StatementLine) -> Result<Option<Movement>, CliError> {
    let time = &line.effective_at;
    let effective_at = time.parse().map_err(|_| not_understood(&format!("{time} is no time")))?;
    let (change, amount) = match (first.has(effective_at, line.seq), second.has(effective_at, line.seq)) {
        (false, true) => ("in", line.amount.clone()),
        (true, false) => ("out", (-decimal(&line.amount)?).to_string()),
        (true, true) | (false, false) => return Ok(None),
    };
    Ok(Some(Movement {
        change,
        amount,
        transaction: line.transaction.clone(),
        seq: line.seq,
        kind: line.kind.clone(),
        counterparty: line.counterparty.clone(),
        effective_at: line.effective_at.clone(),
        recorded_at: line.recorded_at.clone(),
        key: line.key.clone(),
        memo: line.memo.clone(),
    }))
}

/// Lists what lies between two balances.
pub(super) async fn diff(ctx: &Context, args: &Diff) -> Result<(), CliError> {
    let ask = async |at: Option<&Moment>, known_at: Option<&String>| -> Result<_, CliError> {
        let query =
            BalanceQuery { at: at.map(written), known_at: known_at.cloned(), tz: ctx.tz(), ..BalanceQuery::default() };
        Ok(ctx.api()?.balance(&args.wallet, &query).await?)
    };
    let known = args.known_at.as_ref();
    let answer = ask(args.to.as_ref().or(args.at.as_ref()), args.known_to.as_ref().or(known)).await?;
    let meta = Meta::of(&answer);
    let second = answer.body;
    // What is left out is the same on both sides: the second answer's.
    let fixed = BalanceQuery {
        at: args.from.as_ref().map(written).or_else(|| Some(second.at.clone())),
        known_at: args.known_from.clone().or_else(|| Some(second.seq.to_string())),
        tz: ctx.tz(),
        ..BalanceQuery::default()
    };
    let first = ctx.api()?.balance(&args.wallet, &fixed).await?.body;
    let (one, two) = (Side::of(&first)?, Side::of(&second)?);
    let difference = plus(decimal(&second.balance)?, -decimal(&first.balance)?)?;
    let from = if one.known == two.known { one.at.min(two.at).plus_micros(1) } else { Timestamp::MIN };
    let to = one.at.max(two.at);
    let mut rows = ctx.out().rows::<Movement>("balance.diff")?;
    let (mut sum, mut count) = (Decimal::ZERO, 0_usize);
    let most = if args.paging.all { usize::MAX } else { args.paging.limit };
    if from <= to {
        movements(ctx, &args.wallet, (from, &to.to_string()), one.known.max(two.known), |line| {
            let Some(change) = change(one, two, line)? else { return Ok(()) };
            sum = plus(sum, decimal(&change.amount)?)?;
            count += 1;
            if count <= most { rows.row(&change) } else { Ok(()) }
        })
        .await?;
    }
    if sum != difference {
        return Err(not_understood(&format!("the movements add up to {sum}, not to {difference}")));
    }
    rows.foot(String::new());
    for (word, view) in [("first ", &first), ("second", &second)] {
        rows.foot(format!("{word}  {} {}  at {}, as known at record {}", view.balance, view.asset, view.at, view.seq));
    }
    rows.foot(format!("difference  {difference} {} in {count} movements", second.asset));
    let meta =
        meta.with("wallet", &second.wallet).with("asset", &second.asset).with("difference", &difference.to_string());
    let side = |view: &BalanceView| serde_json::json!({ "balance": view.balance, "at": view.at, "cut": view.cut });
    let meta = meta.with("first", &side(&first)).with("second", &side(&second)).with("movements", &count);
    rows.finish(meta)?;
    if count > most {
        Paging::cut_off(ctx);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_movement_is_in_one_balance_in_both_or_in_neither() {
        let side = |at: &str, known| Side { at: format!("{at}T00:00:00Z").parse().unwrap(), known };
        let line = |at: &str, seq, amount: &str| StatementLine {
            transaction: format!("tx_1_{seq}"),
            seq,
            kind: "deposit".into(),
            counterparty: None,
            amount: amount.into(),
            balance: "0".into(),
            effective_at: format!("{at}T00:00:00.000000Z"),
            recorded_at: String::new(),
            key: None,
            memo: String::new(),
        };
        let found = |first, second, line: &StatementLine| {
            change(first, second, line).unwrap().map(|change| (change.change, change.amount))
        };
        let (january, february) = (side("2026-01-31", 10), side("2026-02-28", 10));
        let between = line("2026-02-10", 5, "1.50");
        assert_eq!(found(january, february, &between), Some(("in", "1.50".into())));
        assert_eq!(found(february, january, &between), Some(("out", "-1.50".into())));
        assert_eq!(found(january, february, &line("2026-01-31", 5, "1.50")), None);
        assert_eq!(found(january, february, &line("2026-02-10", 11, "1.50")), None);
        let late = line("2026-01-20", 12, "-2.00");
        assert_eq!(found(january, side("2026-01-31", 12), &late), Some(("in", "-2.00".into())));
    }
}
