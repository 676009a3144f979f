//! The whole-file check: everything that can be wrong with a batch file by itself is found before
//! anything is sent.
//!
//! Files are nearly always good, and that much is found out by [`quick`]. Only one that may not be is read
//! as a whole here, in constant memory: faults keep the first hundred, keys go to a sorter as 16 bytes of
//! their hash with the place they stand at. Two keys share those bytes by chance once in 2^64 files of
//! this size.

use std::{collections::BTreeMap, io, sync::Arc};

use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};
use wallet_api::types::Op;
use wallet_core::{asset::AssetCode, cut::Hash};

use super::{
    csv::{Field, Header},
    faults::Faults,
    input::{Line, Lines, MAX_ROW, MAX_ROWS, Source},
    ndjson,
    quick::quick,
    row::{Facts, Known, Row, RowFault},
    sort::Sorter,
};

/// Bits of a place that hold the column: a row has at most 2^20 bytes.
const COLUMN_BITS: u32 = 20;

/// The two formats of a batch file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated values, header by name.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// The format a file's name says.
    pub fn of(path: &std::path::Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("ndjson" | "jsonl") => Self::Ndjson,
            _ => Self::Csv,
        }
    }
}

/// What the rows of one asset move.
#[derive(Clone, Copy, Debug, Default)]
pub struct Total {
    /// Rows.
    pub rows: u64,
    /// All of them together.
    pub amount: Decimal,
    /// Of that, by deposits.
    pub deposits: Decimal,
    /// Of that, by withdrawals.
    pub withdrawals: Decimal,
    /// Of that, by transfers.
    pub transfers: Decimal,
}

/// What a file holds.
#[derive(Debug)]
pub struct Checked {
    /// SHA-256 of its bytes.
    pub sha256: Hash,
    /// Rows.
    pub rows: u64,
    /// What they move, by asset.
    pub totals: BTreeMap<AssetCode, Total>,
    /// What is wrong.
    pub faults: Faults,
    /// True if an asset could not be looked up, so that its scale was not checked.
    pub unknown_assets: bool,
}

/// Turns lines into rows.
pub enum Parser {
    /// By the header's columns.
    Csv(Header),
    /// By name.
    Ndjson,
}

impl Parser {
    /// Reads the header, if the format has one.
    pub fn start(format: Format, lines: &mut Lines, faults: &mut Faults) -> io::Result<Option<Self>> {
        match format {
            Format::Ndjson => Ok(Some(Self::Ndjson)),
            Format::Csv => {
                let Some(line) = lines.next_line()? else {
                    return Ok(None);
                };
                let header = text(&line, faults).and_then(|text| Header::read(text, faults));
                Ok(header.map(Self::Csv))
            }
        }
    }

    /// Reads a row's text.
    pub fn row<'a>(&'a self, line: &'a str, fields: &mut Vec<Field>) -> Result<Row<'a>, RowFault> {
        match self {
            Self::Csv(header) => header.row(line, fields),
            Self::Ndjson => ndjson::row(line),
        }
    }
}

/// A line's text, unless something is wrong with its bytes.
pub fn text<'a>(line: &Line<'a>, faults: &mut Faults) -> Option<&'a str> {
    let Some(bytes) = line.bytes else {
        faults.at(line.number, 1, format!("the line is longer than {MAX_ROW} bytes"));
        return None;
    };
    if line.number == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
        faults.at(1, 1, "the file starts with a byte order mark: save it as UTF-8 without one");
        return None;
    }
    if line.number == 1 && (bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")) {
        faults.at(1, 1, "the file is UTF-16: save it as UTF-8");
        return None;
    }
    if let Some(at) = memchr::memchr(0, bytes) {
        faults.at(line.number, at + 1, "a NUL byte");
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            faults.at(line.number, error.valid_up_to() + 1, "not UTF-8");
            None
        }
    }
}

/// Reads the whole file, by several threads as long as nothing is wrong with it.
pub fn check(source: &Arc<Source>, format: Format, known: &mut Known) -> io::Result<Checked> {
    match quick(source, format, known) {
        Some(good) => Ok(good),
        None => thorough(source, format, known),
    }
}

/// Reads the whole file from its start to its end, and tells everything that is wrong with it.
pub(super) fn thorough(source: &Arc<Source>, format: Format, known: &mut Known) -> io::Result<Checked> {
    let mut lines = source.lines();
    let mut faults = Faults::default();
    let mut check = Check { totals: BTreeMap::new(), keys: Sorter::default(), rows: 0, unknown: false };
    if source.size() == 0 {
        faults.at(1, 1, "the file is empty: not even a header is there");
    }
    if let Some(parser) = Parser::start(format, &mut lines, &mut faults)? {
        let mut fields = Vec::new();
        while let Some(line) = lines.next_line()? {
            if line.bytes.is_some_and(<[u8]>::is_empty) {
                continue;
            }
            check.rows += 1;
            if check.rows > MAX_ROWS {
                faults.at(line.number, 1, format!("more than {MAX_ROWS} rows: split the batch"));
                break;
            }
            check.line(&line, &parser, &mut fields, known, &mut faults)?;
        }
    }
    let sha256 = source.hash()?;
    duplicates(std::mem::take(&mut check.keys), &mut faults)?;
    Ok(Checked { sha256, rows: check.rows, totals: check.totals, faults, unknown_assets: check.unknown })
}

struct Check {
    totals: BTreeMap<AssetCode, Total>,
    keys: Sorter<24>,
    rows: u64,
    unknown: bool,
}

impl Check {
    fn line(
        &mut self,
        line: &Line<'_>,
        parser: &Parser,
        fields: &mut Vec<Field>,
        known: &mut Known,
        faults: &mut Faults,
    ) -> io::Result<()> {
        let Some(text) = text(line, faults) else {
            return Ok(());
        };
        let row = match parser.row(text, fields) {
            Ok(row) => row,
            Err((column, what)) => {
                faults.at(line.number, column, what);
                return Ok(());
            }
        };
        if !row.key.is_empty() {
            let column = (row.key.as_ptr() as usize).checked_sub(text.as_ptr() as usize).filter(|at| *at <= MAX_ROW);
            self.keys.push(place(&row.key, line.number, column.unwrap_or_default()))?;
        }
        match row.check(text, known) {
            Ok(facts) => {
                self.unknown |= known.get(facts.asset).is_none();
                if !self.add(&facts) {
                    faults.at(line.number, 1, format!("the rows of {} add up to more than 27 digits", facts.asset));
                }
            }
            Err(found) => found.into_iter().for_each(|(column, what)| faults.at(line.number, column, what)),
        }
        Ok(())
    }

    /// Adds to the totals; false if they no longer fit.
    fn add(&mut self, facts: &Facts) -> bool {
        let total = self.totals.entry(facts.asset).or_default();
        total.rows += 1;
        let part = match facts.op {
            Op::Deposit => &mut total.deposits,
            Op::Withdraw => &mut total.withdrawals,
            Op::Transfer => &mut total.transfers,
        };
        match (part.checked_add(facts.amount), total.amount.checked_add(facts.amount)) {
            // A sum that Decimal had to round has fewer fraction digits than its parts.
            (Some(sum), Some(all)) if all.scale() >= facts.amount.scale() => {
                *part = sum;
                total.amount = all;
                true
            }
            _ => false,
        }
    }
}

/// 16 bytes of the key's hash, then line and byte, so that equal keys come out in file order.
fn place(key: &str, line: u64, column: usize) -> [u8; 24] {
    let mut item = [0; 24];
    let hash = Sha256::digest(key.as_bytes());
    let place = (line << COLUMN_BITS) | column as u64;
    for (to, from) in item.iter_mut().zip(hash.into_iter().take(16).chain(place.to_be_bytes())) {
        *to = from;
    }
    item
}

fn duplicates(keys: Sorter<24>, faults: &mut Faults) -> io::Result<()> {
    let mut sorted = keys.finish()?;
    let mut first: Option<[u8; 24]> = None;
    let line_of = |item: &[u8; 24]| u64::from_be_bytes(item.last_chunk().copied().unwrap_or_default());
    while let Some(item) = sorted.next_item()? {
        match first {
            Some(first) if first.first_chunk::<16>() == item.first_chunk::<16>() => {
                let place = line_of(&item);
                let column = usize::try_from(place & ((1 << COLUMN_BITS) - 1)).unwrap_or_default() + 1;
                let message = format!("the key of line {} again: a key is used once", line_of(&first) >> COLUMN_BITS);
                faults.at(place >> COLUMN_BITS, column, message);
            }
            _ => first = Some(item),
        }
    }
    Ok(())
}
