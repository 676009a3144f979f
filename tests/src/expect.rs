//! An independent ledger, as small as it can be: it folds rows in file order with decimals and knows
//! nothing of runs, stores or journals. What it says is what the programs must say.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

/// One wallet of a wallets file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Its id.
    pub id: String,
    /// Its asset.
    pub asset: String,
    /// The lowest balance; none for no limit.
    pub floor: Option<Decimal>,
    /// The first day it exists, `YYYY-MM-DD`.
    pub opened: String,
}

/// One row of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: String,
    /// Who pays; empty for a deposit.
    pub from: String,
    /// Who is paid; empty for a withdrawal.
    pub to: String,
    /// How much.
    pub amount: Decimal,
    /// Of what.
    pub asset: String,
    /// The day it counts on, `YYYY-MM-DD`.
    pub day: String,
}

/// What became of rows, and what wallets hold.
#[derive(Debug, Default)]
pub struct Expected {
    /// For each row in order: none if it is accepted, else the code of the refusal.
    pub refused: Vec<Option<&'static str>>,
    /// Accepted changes: wallet to (day, amount) in recorded order.
    changes: BTreeMap<String, Vec<(String, Decimal)>>,
    scales: BTreeMap<String, u32>,
}

/// Folds rows in order.
pub fn fold(wallets: &[Wallet], rows: &[Row], scale: impl Fn(&str) -> u32) -> Expected {
    let mut expected = Expected::default();
    let mut held: BTreeMap<&str, Decimal> = BTreeMap::new();
    let known: BTreeMap<&str, &Wallet> = wallets.iter().map(|wallet| (wallet.id.as_str(), wallet)).collect();
    for wallet in wallets {
        expected.changes.insert(wallet.id.clone(), Vec::new());
        expected.scales.insert(wallet.id.clone(), scale(&wallet.asset));
    }
    for row in rows {
        let refusal = judge(&known, &held, row);
        expected.refused.push(refusal);
        if refusal.is_some() {
            continue;
        }
        for (id, delta) in [(&row.from, -row.amount), (&row.to, row.amount)] {
            if let Some(wallet) = known.get(id.as_str()) {
                *held.entry(&wallet.id).or_default() += delta;
                expected.changes.entry(id.clone()).or_default().push((row.day.clone(), delta));
            }
        }
    }
    expected
}

fn judge(known: &BTreeMap<&str, &Wallet>, held: &BTreeMap<&str, Decimal>, row: &Row) -> Option<&'static str> {
    for id in [&row.from, &row.to].into_iter().filter(|id| !id.is_empty()) {
        let Some(wallet) = known.get(id.as_str()) else {
            return Some("unknown_wallet");
        };
        if wallet.asset != row.asset {
            return Some("asset_mismatch");
        }
        if row.day < wallet.opened {
            return Some("before_opened");
        }
    }
    let floor = known.get(row.from.as_str())?.floor?;
    let left = held.get(row.from.as_str()).copied().unwrap_or_default() - row.amount;
    (left < floor).then_some("insufficient_funds")
}

impl Expected {
    /// What a wallet holds at the close of a day, at its asset's scale.
    pub fn balance(&self, wallet: &str, day: &str) -> String {
        let changes = self.changes.get(wallet).map(Vec::as_slice).unwrap_or_default();
        let sum: Decimal = changes.iter().filter(|(when, _)| when.as_str() <= day).map(|(_, delta)| *delta).sum();
        let scale = self.scales.get(wallet).copied().unwrap_or_default();
        format!("{sum:.*}", usize::try_from(scale).unwrap_or_default())
    }

    /// How many rows are refused.
    pub fn refusals(&self) -> usize {
        self.refused.iter().flatten().count()
    }

    /// The wallets, by id.
    pub fn wallets(&self) -> impl Iterator<Item = &str> {
        self.changes.keys().map(String::as_str)
    }
}
