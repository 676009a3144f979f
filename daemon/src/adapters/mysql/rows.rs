//! Wallets as rows: the statements that write and find them, and what is made of what was found.

use std::{fmt::Display, str::FromStr};

use mysql_async::{FromValueError, Row, Value, prelude::FromValue};
use wallet_core::{
    account::Status,
    ids::WalletId,
    ports::{StoreError, WalletQuery, WalletRow, WalletState},
    text::Metadata,
    time::Timestamp,
};

use super::{STORE, server::Statement};

const COLUMNS: &str = "id, owner, asset, state, overdraft, opened_at, label, meta, seq";
/// Rows of one INSERT, ids of one IN: a few hundred make a round trip worth it; at its longest a row is 9 KB, so they
/// stay far below the smallest `max_allowed_packet` in use (16 MB).
const ROWS: usize = 256;

/// A row that is there stays; this assignment changes nothing.
const KEEP: &str = "id = wallets.id";
/// Assignments are made from left to right and see those before them: seq, which they all ask, comes last.
const IF_NEWER: &str = "\
    owner = IF(new.seq > wallets.seq, new.owner, wallets.owner), \
    asset = IF(new.seq > wallets.seq, new.asset, wallets.asset), \
    state = IF(new.seq > wallets.seq, new.state, wallets.state), \
    overdraft = IF(new.seq > wallets.seq, new.overdraft, wallets.overdraft), \
    opened_at = IF(new.seq > wallets.seq, new.opened_at, wallets.opened_at), \
    label = IF(new.seq > wallets.seq, new.label, wallets.label), \
    meta = IF(new.seq > wallets.seq, new.meta, wallets.meta), \
    seq = IF(new.seq > wallets.seq, new.seq, wallets.seq)";

pub(super) fn opening(rows: &[WalletRow]) -> Result<Vec<Statement>, StoreError> {
    insert(rows, KEEP)
}

pub(super) fn put_if_newer(rows: &[WalletRow]) -> Result<Vec<Statement>, StoreError> {
    insert(rows, IF_NEWER)
}

/// Rows in the order of their ids, so that two writers lock them in the same order; of several with one id the
/// statement takes them in the order given.
fn insert(rows: &[WalletRow], on_duplicate: &str) -> Result<Vec<Statement>, StoreError> {
    let mut sorted: Vec<&WalletRow> = rows.iter().collect();
    sorted.sort_by(|one, other| one.id.cmp(&other.id));
    sorted
        .chunks(ROWS)
        .map(|chunk| {
            let places = repeated("(?, ?, ?, ?, ?, ?, ?, ?, ?)", chunk.len());
            let mut values = Vec::with_capacity(chunk.len() * 9);
            for row in chunk {
                values.extend(cells(row)?);
            }
            let sql = format!(
                "INSERT INTO wallets ({COLUMNS}) VALUES {places} AS new ON DUPLICATE KEY UPDATE {on_duplicate}"
            );
            Ok(Statement { sql: sql.into(), values })
        })
        .collect()
}

pub(super) fn forget_opening(ids: &[WalletId]) -> Vec<Statement> {
    by_ids(ids, |places| format!("DELETE FROM wallets WHERE state = 'opening' AND id IN ({places})"))
}

pub(super) fn get_many(ids: &[WalletId]) -> Vec<Statement> {
    by_ids(ids, |places| format!("SELECT {COLUMNS} FROM wallets WHERE id IN ({places})"))
}

fn by_ids(ids: &[WalletId], sql: impl Fn(&str) -> String) -> Vec<Statement> {
    let mut sorted: Vec<&WalletId> = ids.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let statement = |chunk: &[&WalletId]| Statement {
        sql: sql(&repeated("?", chunk.len())).into(),
        values: chunk.iter().map(|id| Value::from(id.as_str())).collect(),
    };
    sorted.chunks(ROWS).map(statement).collect()
}

pub(super) fn list(query: &WalletQuery) -> Statement {
    let mut sql = format!("SELECT {COLUMNS} FROM wallets WHERE id > ?");
    let mut values = vec![Value::from(query.after.as_ref().map_or("", WalletId::as_str))];
    let mut only = |column: &str, value: &str| {
        sql.extend([" AND ", column, " = ?"]);
        values.push(Value::from(value));
    };
    if let Some(owner) = &query.owner {
        only("owner", owner.as_str());
    }
    if let Some(asset) = &query.asset {
        only("asset", asset.as_str());
    }
    if let Some(state) = &query.state {
        only("state", state.as_str());
    }
    sql.push_str(" ORDER BY id LIMIT ?");
    // One more than the page, to know whether there is more.
    values.push(Value::from(i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1)));
    Statement { sql: sql.into(), values }
}

pub(super) fn advance(position: u64) -> Statement {
    Statement {
        sql: "UPDATE follower SET position = GREATEST(position, ?) WHERE one = 1".into(),
        values: vec![integer(position)],
    }
}

fn repeated(what: &str, times: usize) -> String {
    vec![what; times].join(", ")
}

/// A number of ours as MySQL's. All of them stay below 2^53.
fn integer(number: u64) -> Value {
    Value::from(i64::try_from(number).unwrap_or(i64::MAX))
}

fn cells(row: &WalletRow) -> Result<[Value; 9], StoreError> {
    let meta = serde_json::to_string(&row.meta).map_err(|error| StoreError::corrupt(STORE, error))?;
    Ok([
        Value::from(row.id.as_str()),
        Value::from(row.owner.as_str()),
        Value::from(row.asset.as_str()),
        Value::from(row.state.as_str()),
        Value::from(row.overdraft.as_str()),
        Value::from(row.opened_at.as_micros()),
        Value::from(row.label.as_str()),
        Value::from(meta),
        integer(row.seq),
    ])
}

/// A row of [`COLUMNS`] as a wallet.
pub(super) fn wallet(row: Row) -> Result<WalletRow, StoreError> {
    let mut cells = Cells::of(row);
    let id = cells.parsed()?;
    let owner = cells.parsed()?;
    let asset = cells.parsed()?;
    let state = match cells.taken::<String>()?.as_str() {
        "opening" => WalletState::Opening,
        open => WalletState::Open(open.parse::<Status>().map_err(damaged)?),
    };
    Ok(WalletRow {
        id,
        owner,
        asset,
        state,
        overdraft: cells.taken()?,
        opened_at: Timestamp::from_micros(cells.taken()?),
        label: cells.parsed()?,
        meta: serde_json::from_str::<Metadata>(&cells.taken::<String>()?).map_err(damaged)?,
        seq: cells.number()?,
    })
}

fn damaged(error: impl Display) -> StoreError {
    StoreError::corrupt(STORE, format_args!("a row: {error}"))
}

/// The columns of a row, taken from left to right.
pub(super) struct Cells {
    row: Row,
    next: usize,
}

impl Cells {
    pub(super) fn of(row: Row) -> Self {
        Self { row, next: 0 }
    }

    /// The next column; NULL and what is no such value are damage.
    pub(super) fn taken<T: FromValue>(&mut self) -> Result<T, StoreError> {
        let column = self.next;
        self.next += 1;
        match self.row.take_opt::<T, usize>(column) {
            Some(Ok(value)) => Ok(value),
            Some(Err(FromValueError(_))) => Err(damaged(format_args!("column {column} holds no such value"))),
            None => Err(damaged(format_args!("there is no column {column}"))),
        }
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self) -> Result<T, StoreError> {
        self.taken::<String>()?.parse().map_err(damaged)
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        let value: i64 = self.taken()?;
        u64::try_from(value).map_err(|_| damaged(format_args!("{value} where no number is below zero")))
    }
}
