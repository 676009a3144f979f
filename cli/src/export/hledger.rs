//! The ledger as a plain-text journal that hledger and ledger both read: an independent program can
//! then be asked for any balance at any date.
//!
//! One transaction a record: its effective date in the chosen zone, its id as the code, two postings
//! with exact amounts and their commodity. Records stand in recorded order; neither program minds.
//! A memo is somebody's text: what either program would read as a comment or a command is replaced.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use wallet_core::{
    asset::AssetCode,
    ids::AccountId,
    journal::{Leg, Record, Transaction},
    time::calendar::Zone,
};

/// Writes transactions.
pub struct Hledger {
    zone: Zone,
    known: BTreeSet<AssetCode>,
}

impl Hledger {
    /// With dates in this zone.
    pub fn new(zone: Zone) -> Self {
        Self { zone, known: BTreeSet::new() }
    }

    /// Writes one transaction; before the first of an asset, the asset.
    pub fn write(&mut self, to: &mut impl Write, record: &Record, t: &Transaction) -> io::Result<()> {
        if self.known.insert(t.asset) {
            commodity(to, t.asset, t.debit.amount.scale())?;
        }
        let date = self.zone.date(t.effective_at);
        write!(to, "{date} ({}) {}", record.id(), t.kind.as_str())?;
        if !t.memo.is_empty() {
            write!(to, ": {}", plain(t.memo.as_str()))?;
        }
        to.write_all(b"\n")?;
        posting(to, &t.debit, t.asset)?;
        posting(to, &t.credit, t.asset)?;
        to.write_all(b"\n")
    }
}

/// Its fraction digits, in the form both programs read. hledger wants a decimal point even where there is no fraction.
fn commodity(to: &mut impl Write, asset: AssetCode, scale: u32) -> io::Result<()> {
    let name = symbol(asset);
    let zeros = "0".repeat(usize::try_from(scale).unwrap_or_default());
    write!(to, "commodity {name}\n    format 1000.{zeros} {name}\n\n")
}

fn posting(to: &mut impl Write, leg: &Leg, asset: AssetCode) -> io::Result<()> {
    let account = account(&leg.account);
    writeln!(to, "    {account}  {} {}", leg.amount, symbol(asset))
}

/// The name of an account. Wallet ids have no character that means anything in an account's name.
pub fn account(id: &AccountId) -> String {
    match id {
        AccountId::External(asset) => format!("external:{asset}"),
        AccountId::Wallet(wallet) => format!("wallets:{wallet}"),
    }
}

/// A commodity's symbol: quoted where it has digits.
pub fn symbol(asset: AssetCode) -> String {
    if asset.as_str().bytes().all(|b| b.is_ascii_alphabetic()) { asset.to_string() } else { format!("\"{asset}\"") }
}

/// Text that cannot start a comment, a note or another field.
fn plain(text: &str) -> String {
    let safe = text.chars().map(|c| match c {
        ';' => ',',
        '|' => '/',
        c if c.is_whitespace() => ' ',
        c => c,
    });
    safe.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
