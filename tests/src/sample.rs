//! The project's own sample: two assets of different scale, limits of each kind, refusals of each
//! kind a batch can meet, and one row in twenty late by up to two hundred places. The same on every
//! machine: its randomness is a counter that is mixed.

use std::{
    fmt::{self, Write as _},
    fs,
    path::Path,
};

use rust_decimal::Decimal;

use crate::expect::{Expected, Row, Wallet, fold};

/// Rows of the batch.
pub const ROWS: usize = 2_000;
/// The months it covers, and the day each ends on.
pub const MONTH_ENDS: [&str; 18] = [
    "2024-01-31",
    "2024-02-29",
    "2024-03-31",
    "2024-04-30",
    "2024-05-31",
    "2024-06-30",
    "2024-07-31",
    "2024-08-31",
    "2024-09-30",
    "2024-10-31",
    "2024-11-30",
    "2024-12-31",
    "2025-01-31",
    "2025-02-28",
    "2025-03-31",
    "2025-04-30",
    "2025-05-31",
    "2025-06-30",
];
/// The last of the month-end days, as an index of days since the first.
const DAYS: u64 = 547;
/// A late row is late by up to so many places.
const LATE: u64 = 200;

/// The sample, with what is expected of it.
#[derive(Debug)]
pub struct Sample {
    /// The wallets.
    pub wallets: Vec<Wallet>,
    /// The rows.
    pub rows: Vec<Row>,
    /// What is expected.
    pub expected: Expected,
}

/// `SplitMix64`: good enough to deal rows, and the same everywhere.
struct Dealer(u64);

impl Dealer {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The scale of the sample's assets.
pub fn scale(asset: &str) -> u32 {
    if asset == "JPY" { 0 } else { 2 }
}

/// The day with this number; 2024-01-01 is 0.
fn day(number: u64) -> String {
    let mut left = number;
    for end in MONTH_ENDS {
        let (month, days) = end.split_at(8);
        let days: u64 = days.parse().unwrap_or(31);
        if left < days {
            return format!("{month}{:02}", left + 1);
        }
        left -= days;
    }
    MONTH_ENDS[MONTH_ENDS.len() - 1].into()
}

fn wallets(limits: bool) -> Vec<Wallet> {
    let mut made = Vec::new();
    for (asset, name, count) in [("EUR", "w", 24_u64), ("JPY", "y", 12)] {
        for number in 1..=count {
            // Every sixth has some credit, every twelfth opens half a year later.
            let credit = if number % 6 == 0 { Decimal::new(-50_000, scale(asset)) } else { Decimal::ZERO };
            made.push(Wallet {
                id: format!("{name}_{number:02}"),
                asset: asset.into(),
                floor: limits.then_some(credit),
                opened: if number % 12 == 0 { "2024-07-01".into() } else { "2024-01-01".into() },
            });
        }
        made.push(Wallet {
            id: format!("float-{asset}"),
            asset: asset.into(),
            floor: None,
            opened: "2024-01-01".into(),
        });
    }
    made
}

/// Makes the sample. Without limits every wallet may go below zero without end.
pub fn generate(limits: bool) -> Sample {
    let wallets = wallets(limits);
    let mut dealer = Dealer(2024);
    let rows: Vec<Row> = (0..ROWS).map(|place| row(&mut dealer, &wallets, place)).collect();
    let expected = fold(&wallets, &rows, scale);
    Sample { wallets, rows, expected }
}

fn row(dealer: &mut Dealer, wallets: &[Wallet], place: usize) -> Row {
    let place = u64::try_from(place).unwrap_or_default();
    let late = if dealer.below(20) == 0 { dealer.below(LATE) } else { 0 };
    let day = day(place.saturating_sub(late) * DAYS / u64::try_from(ROWS).unwrap_or(1));
    let asset = if dealer.below(3) == 0 { "JPY" } else { "EUR" };
    let open: Vec<&Wallet> = wallets.iter().filter(|wallet| wallet.asset == asset && wallet.opened <= day).collect();
    let mut pick = |not: &str| -> String {
        let others: Vec<&&Wallet> = open.iter().filter(|wallet| wallet.id != not).collect();
        let index = usize::try_from(dealer.below(u64::try_from(others.len()).unwrap_or(1))).unwrap_or_default();
        others.get(index).map(|wallet| wallet.id.clone()).unwrap_or_default()
    };
    let from = pick("");
    let to = pick(&from);
    let amount = Decimal::new(i64::try_from(1 + dealer.below(30_000)).unwrap_or(1), scale(asset));
    let mut row = Row { key: format!("row-{:05}", place + 1), from, to, amount, asset: asset.into(), day };
    match dealer.below(100) {
        // Enough comes in at first that most of what follows is covered.
        _ if place < 150 => row.from.clear(),
        0..20 => row.from.clear(),
        20..35 => row.to.clear(),
        35 => row.to = "nobody".into(),
        36 => {
            row.from.clear();
            row.asset = if asset == "JPY" { "EUR".into() } else { "JPY".into() };
            row.amount = Decimal::new(500, 0);
        }
        37 if row.day.as_str() < "2024-07-01" => {
            row.from.clear();
            row.to = if asset == "JPY" { "y_12".into() } else { "w_12".into() };
        }
        _ => {}
    }
    row
}

impl Row {
    fn op(&self) -> &'static str {
        match (self.from.is_empty(), self.to.is_empty()) {
            (true, _) => "deposit",
            (_, true) => "withdraw",
            _ => "transfer",
        }
    }
}

/// Adds a line. Writing to memory cannot fail.
fn line(text: &mut String, content: fmt::Arguments<'_>) {
    let _ = text.write_fmt(content);
    text.push('\n');
}

/// A batch file of these rows.
pub fn batch_csv(rows: &[Row]) -> String {
    let mut text = String::from("key,op,from,to,amount,asset,effective_at,memo,meta.invoice\n");
    for row in rows {
        let Row { key, from, to, amount, asset, day } = row;
        let amount = format!("{amount:.*}", usize::try_from(scale(asset)).unwrap_or_default());
        let invoice = key.replace("row-", "INV-");
        let op = row.op();
        line(&mut text, format_args!("{key},{op},{from},{to},{amount},{asset},{day}T12:00:00Z,{op},{invoice}"));
    }
    text
}

impl Sample {
    /// The wallets file.
    pub fn wallets_csv(&self) -> String {
        let mut text = String::from("id,owner,asset,overdraft,opened_at,label,meta.branch\n");
        for Wallet { id, asset, floor, opened } in &self.wallets {
            let places = usize::try_from(scale(asset)).unwrap_or_default();
            let overdraft = floor.map_or("unlimited".into(), |floor| format!("{:.places$}", floor.abs()));
            line(&mut text, format_args!("{id},owner-{id},{asset},{overdraft},{opened}T00:00:00Z,Sample {id},lisbon"));
        }
        text
    }

    /// The batch file.
    pub fn batch_csv(&self) -> String {
        batch_csv(&self.rows)
    }

    /// What is expected of each row: `key,outcome,code`.
    pub fn outcomes_csv(&self) -> String {
        let mut text = String::from("key,outcome,code\n");
        for (row, refused) in self.rows.iter().zip(&self.expected.refused) {
            let outcome = if refused.is_some() { "refused" } else { "ok" };
            line(&mut text, format_args!("{},{outcome},{}", row.key, refused.unwrap_or_default()));
        }
        text
    }

    /// What each wallet holds at the close of each month.
    pub fn balances_csv(&self) -> String {
        let mut text = String::from("wallet,date,balance\n");
        for wallet in self.expected.wallets() {
            for end in MONTH_ENDS {
                line(&mut text, format_args!("{wallet},{end},{}", self.expected.balance(wallet, end)));
            }
        }
        text
    }

    /// Writes all four files.
    pub fn write(&self, directory: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("wallets.csv"), self.wallets_csv())?;
        fs::write(directory.join("batch.csv"), self.batch_csv())?;
        fs::write(directory.join("expected_outcomes.csv"), self.outcomes_csv())?;
        Ok(fs::write(directory.join("expected_balances.csv"), self.balances_csv())?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_sample_has_refusals_of_each_kind_and_late_rows() {
        let sample = generate(true);
        let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
        for code in sample.expected.refused.iter().flatten() {
            *codes.entry(code).or_default() += 1;
        }
        for code in ["insufficient_funds", "unknown_wallet", "asset_mismatch", "before_opened"] {
            assert!(codes.get(code).is_some_and(|count| *count >= 3), "{codes:?}");
        }
        assert!(sample.expected.refusals() < ROWS / 5, "{codes:?}");
        let late = sample.rows.windows(2).filter(|pair| pair[1].day < pair[0].day).count();
        assert!(late > ROWS / 30, "{late}");
    }

    #[test]
    fn the_checked_in_files_are_what_the_generator_makes() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample");
        let sample = generate(true);
        for (name, text) in [
            ("wallets.csv", sample.wallets_csv()),
            ("batch.csv", sample.batch_csv()),
            ("expected_outcomes.csv", sample.outcomes_csv()),
            ("expected_balances.csv", sample.balances_csv()),
        ] {
            let found = fs::read_to_string(dir.join(name)).unwrap();
            assert_eq!(found, text, "{name} is stale: run make generate");
        }
    }
}
