//! One row: its text, the rules it has to keep before anything is sent, and its JSON.
//!
//! The rules are those of the core's types, so that the daemon never refuses a row for its form. A
//! row is checked without making the core's values where a look at the bytes says the same.

use std::borrow::Cow;

use rust_decimal::Decimal;
use wallet_api::types::Op;
use wallet_core::{
    asset::{Asset, AssetCode, Assets},
    digits::Digits,
    ids::WalletId,
    key::Key,
    money::{Amount, Quantity},
    text::{MAX_METADATA_BYTES, MAX_METADATA_ENTRIES, Memo, Metadata},
    time::Timestamp,
};

use super::csv::column;

/// A row's text by column; empty means absent.
#[derive(Clone, Debug, Default)]
pub struct Row<'a> {
    /// Idempotency key.
    pub key: Cow<'a, str>,
    /// deposit, withdraw or transfer.
    pub op: Cow<'a, str>,
    /// The wallet that pays.
    pub from: Cow<'a, str>,
    /// The wallet that is paid.
    pub to: Cow<'a, str>,
    /// How much.
    pub amount: Cow<'a, str>,
    /// Of what.
    pub asset: Cow<'a, str>,
    /// When it counts.
    pub effective_at: Cow<'a, str>,
    /// A note.
    pub memo: Cow<'a, str>,
    /// Free facts.
    pub meta: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// What a good row means, as far as a batch needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Its operation.
    pub op: Op,
    /// Its asset.
    pub asset: AssetCode,
    /// Its amount.
    pub amount: Decimal,
    /// When it counts.
    pub effective_at: Option<Timestamp>,
}

/// Which assets there are.
#[derive(Clone, Debug)]
pub struct Known {
    assets: Assets,
    /// True if every registered asset is among them (the daemon was asked).
    complete: bool,
    /// The asset of the row before: batches rarely change it.
    last: Option<Asset>,
}

impl Known {
    /// The built-in assets only; others pass unless their form is wrong.
    pub fn built_in() -> Self {
        Self { assets: Assets::default(), complete: false, last: None }
    }

    /// Every asset the daemon knows.
    pub fn all(registered: impl IntoIterator<Item = Asset>) -> Self {
        let mut assets = Assets::default();
        registered.into_iter().for_each(|asset| assets.register(asset));
        Self { assets, complete: true, last: None }
    }

    /// The asset, if it is known.
    pub fn get(&self, code: AssetCode) -> Option<Asset> {
        self.assets.get(code)
    }

    fn look(&mut self, text: &str) -> Result<(AssetCode, Option<Asset>), String> {
        if let Some(last) = self.last.filter(|last| last.code.as_str() == text) {
            return Ok((last.code, Some(last)));
        }
        let code: AssetCode = text.parse().map_err(|error| format!("{error}"))?;
        let asset = self.assets.get(code);
        if asset.is_none() && self.complete {
            return Err(format!("asset {code} is neither in ISO 4217 nor registered"));
        }
        self.last = asset;
        Ok((code, asset))
    }
}

/// A fault of a row: the character it is at, from 1, and what is wrong.
pub type RowFault = (usize, String);

impl Row<'_> {
    /// Holds the row against every rule that needs no ledger. All its faults, not only the first.
    pub fn check(&self, line: &str, known: &mut Known) -> Result<Facts, Vec<RowFault>> {
        let mut faults = Vec::new();
        if self.key.is_empty() {
            fault(&mut faults, line, &self.key, Some("key is empty".into()));
        } else if !is_key(&self.key) {
            fault(&mut faults, line, &self.key, self.key.parse::<Key>().err().map(|e| e.to_string()));
        }
        let op = self.operation(line, &mut faults);
        let amount = match self.amount.parse::<Quantity>() {
            _ if self.amount.is_empty() => Err("amount is empty".to_owned()),
            Ok(quantity) if quantity.is_zero() => Err("amount: must be above zero".to_owned()),
            Ok(quantity) => Ok(quantity),
            Err(error) => Err(format!("amount: {error}")),
        };
        let asset = match &*self.asset {
            "" => Err("asset is empty".to_owned()),
            text => known.look(text),
        };
        let facts = match (amount, asset) {
            (Ok(quantity), Ok((code, Some(asset)))) => match Amount::new(quantity, asset.scale) {
                Ok(amount) => Some((code, amount.decimal())),
                Err(error) => {
                    fault(&mut faults, line, &self.amount, Some(format!("amount: {error}")));
                    None
                }
            },
            // Not known here: its scale is checked where it is known.
            (Ok(quantity), Ok((code, None))) => Amount::new(quantity, 18).ok().map(|amount| (code, amount.decimal())),
            (amount, asset) => {
                fault(&mut faults, line, &self.amount, amount.err());
                fault(&mut faults, line, &self.asset, asset.err());
                None
            }
        };
        let effective_at = match &*self.effective_at {
            "" => None,
            text => match text.parse::<Timestamp>() {
                Ok(at) => Some(at),
                Err(error) => {
                    let why = if is_date(text) {
                        format!(
                            "effective_at: a date alone names no instant: write {text}T00:00:00Z, or the time and offset meant"
                        )
                    } else {
                        format!("effective_at: {error}")
                    };
                    fault(&mut faults, line, &self.effective_at, Some(why));
                    None
                }
            },
        };
        if !is_plain(&self.memo) {
            let error = self.memo.parse::<Memo>().err();
            fault(&mut faults, line, &self.memo, error.map(|error| format!("memo: must be {}", error.rule)));
        }
        if let Some((_, first)) = self.meta.first()
            && !is_plain_metadata(&self.meta)
        {
            let pairs = self.meta.iter().map(|(name, value)| (&**name, &**value));
            fault(&mut faults, line, first, Metadata::new(pairs).err().map(|error| error.to_string()));
        }
        match (op, facts) {
            (Some(op), Some((asset, amount))) if faults.is_empty() => Ok(Facts { op, asset, amount, effective_at }),
            _ => Err(faults),
        }
    }

    fn operation(&self, line: &str, faults: &mut Vec<RowFault>) -> Option<Op> {
        let (op, needs_from, needs_to) = match &*self.op {
            "deposit" => (Op::Deposit, false, true),
            "withdraw" => (Op::Withdraw, true, false),
            "transfer" => (Op::Transfer, true, true),
            op => {
                let why = if op.is_empty() { "op is empty" } else { "op" };
                fault(faults, line, &self.op, Some(format!("{why}: must be deposit, withdraw or transfer")));
                return None;
            }
        };
        for (name, wallet, needed) in [("from", &self.from, needs_from), ("to", &self.to, needs_to)] {
            let what = match (wallet.is_empty(), needed) {
                (true, true) => Some(format!("{name}: a {} needs it", self.op)),
                (false, false) => Some(format!("{name}: a {} has none", self.op)),
                (false, true) if !is_wallet(wallet) => {
                    wallet.parse::<WalletId>().err().map(|error| format!("{name}: {error}"))
                }
                _ => None,
            };
            fault(faults, line, wallet, what);
        }
        if op == Op::Transfer && self.from == self.to && !self.from.is_empty() {
            fault(faults, line, &self.to, Some("from and to are the same wallet".into()));
        }
        Some(op)
    }

    /// Appends the row as a command of `POST /v1/batches`; returns where its key is, quotes included.
    pub fn encode(&self, into: &mut Vec<u8>) -> std::ops::Range<usize> {
        into.extend_from_slice(b"{\"key\":");
        let from = into.len();
        string(into, &self.key);
        let key = from..into.len();
        for (name, text) in [
            (&b",\"op\":"[..], &self.op),
            (b",\"from\":", &self.from),
            (b",\"to\":", &self.to),
            (b",\"amount\":", &self.amount),
            (b",\"asset\":", &self.asset),
            (b",\"effective_at\":", &self.effective_at),
            (b",\"memo\":", &self.memo),
        ] {
            if !text.is_empty() {
                into.extend_from_slice(name);
                string(into, text);
            }
        }
        if !self.meta.is_empty() {
            into.extend_from_slice(b",\"meta\":{");
            for (index, (name, value)) in self.meta.iter().enumerate() {
                if index > 0 {
                    into.push(b',');
                }
                string(into, name);
                into.push(b':');
                string(into, value);
            }
            into.push(b'}');
        }
        into.push(b'}');
        key
    }
}

/// Appends a JSON string.
pub fn string(into: &mut Vec<u8>, text: &str) {
    // Every byte is looked at: without a way out of the loop many are looked at together.
    if text.bytes().fold(0, |escaped, b| escaped | u8::from(b < 0x20 || b == b'"' || b == b'\\')) == 0 {
        into.push(b'"');
        into.extend_from_slice(text.as_bytes());
        into.push(b'"');
    } else if serde_json::to_writer(&mut *into, text).is_err() {
        // Writing a string to memory cannot fail; an empty one would be refused by the daemon.
        into.extend_from_slice(b"\"\"");
    }
}

/// Appends a number.
pub fn number(into: &mut Vec<u8>, value: u64) {
    into.extend_from_slice(Digits::number(value).as_bytes());
}

fn fault(faults: &mut Vec<RowFault>, line: &str, part: &str, what: Option<String>) {
    if let Some(what) = what {
        faults.push((place(line, part), what));
    }
}

/// The character at which a part of a line starts; an empty cell is a part, too. One that was unescaped is no slice of
/// the line any more, and one that is missing never was: 1.
fn place(line: &str, part: &str) -> usize {
    let offset = (part.as_ptr() as usize).checked_sub(line.as_ptr() as usize);
    offset.filter(|at| *at <= line.len()).map_or(1, |at| column(line, at))
}

/// True for what has the form of a date.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() })
}

/// The same as parsing a [`Key`], without making one.
fn is_key(text: &str) -> bool {
    (1..=wallet_core::key::MAX_KEY).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The same as parsing a [`WalletId`], without making one.
fn is_wallet(text: &str) -> bool {
    (1..=wallet_core::ids::MAX_ID).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// True for text that is certainly a good memo; anything else is asked of the core.
fn is_plain(text: &str) -> bool {
    text.len() <= 500 && is_printable(text)
}

/// True for what are certainly good metadata; anything else is asked of the core.
fn is_plain_metadata(meta: &[(Cow<'_, str>, Cow<'_, str>)]) -> bool {
    let name = |text: &str| {
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let bytes: usize = meta.iter().map(|(name, value)| name.len() + value.len()).sum();
    meta.len() <= MAX_METADATA_ENTRIES
        && bytes <= MAX_METADATA_BYTES
        && meta.iter().all(|(key, value)| name(key) && is_printable(value))
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

#[cfg(test)]
mod tests {
    use wallet_api::types::BatchCommand;

    use super::*;

    fn row(fields: [&str; 8]) -> Row<'_> {
        let [key, op, from, to, amount, asset, effective_at, memo] = fields.map(Cow::Borrowed);
        Row { key, op, from, to, amount, asset, effective_at, memo, meta: Vec::new() }
    }

    #[test]
    fn good_rows_pass_and_become_the_commands_the_daemon_reads() {
        let mut row =
            row(["k\"1\\", "transfer", "w1", "w2", "10.5", "EUR", "2026-01-31T12:00:00+01:00", "naïve \"x\""]);
        row.meta.push(("invoice".into(), "INV-\\1".into()));
        let facts = row.check("", &mut Known::built_in()).unwrap();
        assert_eq!((facts.op, facts.amount.to_string().as_str()), (Op::Transfer, "10.50"));
        let mut json = Vec::new();
        let key = row.encode(&mut json);
        assert_eq!(&json[key], br#""k\"1\\""#);
        let command: BatchCommand = serde_json::from_slice(&json).unwrap();
        assert_eq!((command.key.as_str(), command.memo.as_str()), ("k\"1\\", "naïve \"x\""));
        assert_eq!(command.meta.get("invoice"), Some("INV-\\1"));
        assert_eq!(command.effective_at, facts.effective_at);
    }

    #[test]
    fn every_rule_of_form_is_held() {
        let bad = [
            ["", "deposit", "", "w", "1", "EUR", "", ""],
            ["k k", "deposit", "", "w", "1", "EUR", "", ""],
            ["k", "pay", "", "w", "1", "EUR", "", ""],
            ["k", "deposit", "x", "w", "1", "EUR", "", ""],
            ["k", "deposit", "", "", "1", "EUR", "", ""],
            ["k", "withdraw", "", "", "1", "EUR", "", ""],
            ["k", "transfer", "w", "w", "1", "EUR", "", ""],
            ["k", "transfer", "w", "../etc", "1", "EUR", "", ""],
            ["k", "deposit", "", "w", "0", "EUR", "", ""],
            ["k", "deposit", "", "w", "0.00", "EUR", "", ""],
            ["k", "deposit", "", "w", "-1", "EUR", "", ""],
            ["k", "deposit", "", "w", "1e3", "EUR", "", ""],
            ["k", "deposit", "", "w", "1_000", "EUR", "", ""],
            ["k", "deposit", "", "w", "1.001", "EUR", "", ""],
            ["k", "deposit", "", "w", "9999999999999999999999999999", "EUR", "", ""],
            ["k", "deposit", "", "w", "1", "eur", "", ""],
            ["k", "deposit", "", "w", "1", "EUR", "2026-01-31", ""],
            ["k", "deposit", "", "w", "1", "EUR", "2026-02-30T00:00:00Z", ""],
            ["k", "deposit", "", "w", "1", "EUR", "", "a\u{1b}[31m"],
        ];
        for fields in bad {
            let faults = row(fields).check("", &mut Known::built_in()).unwrap_err();
            assert_eq!(faults.len(), 1, "{fields:?}: {faults:?}");
        }
    }

    #[test]
    fn an_asset_is_only_unknown_when_all_are_known() {
        let row = row(["k", "deposit", "", "w", "1.123456789", "BTC", "", ""]);
        assert!(row.check("", &mut Known::built_in()).is_ok());
        assert!(row.check("", &mut Known::all([])).is_err());
        let btc = Asset { code: "BTC".parse().unwrap(), scale: 8 };
        assert!(row.check("", &mut Known::all([btc])).is_err());
    }
}
