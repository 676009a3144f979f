//! Rows to our types and back: what comes out contradicts the types only if it was damaged, and is said so.

use std::sync::Arc;

use tokio_postgres::{Row, types::FromSql};
use wallet_core::{
    account::{Account, Floor, Status},
    asset::{Asset, Assets},
    cut::{Cut, Hash},
    ids::{AccountId, TransactionId},
    journal::Stored,
    money::Balance,
    ports::StoreError,
    time::Timestamp,
};

use super::codec::{Numeric, decode_runs, number};
use super::errors::{damaged, store};

/// Columns of [`stored`], in its order.
pub(super) const RECORD: &str = "seq, hash, bytes, trace";
/// Columns of [`account`], in its order.
pub(super) const ACCOUNT: &str =
    "id, number, owner, asset, scale, status, floor, balance, version, opened_at, seq, runs";
/// Columns of [`cut`], in its order.
pub(super) const CLOCK: &str = "epoch, seq, recorded_at, hash";

/// A column's value.
pub(super) fn cell<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(store)
}

/// A number that is never below zero.
pub(super) fn count(row: &Row, column: usize) -> Result<u64, StoreError> {
    number(cell(row, column)?)
}

pub(super) fn time(row: &Row, column: usize) -> Result<Timestamp, StoreError> {
    cell(row, column).map(Timestamp::from_micros)
}

pub(super) fn money(row: &Row, column: usize, scale: u32) -> Result<Balance, StoreError> {
    cell::<Numeric>(row, column)?.at(scale)
}

pub(super) fn hash(row: &Row, column: usize) -> Result<Hash, StoreError> {
    let bytes: &[u8] = cell(row, column)?;
    bytes.try_into().map(Hash).map_err(|_| damaged("a hash has not 32 bytes"))
}

/// The clock row, from column `from` on.
pub(super) fn cut(row: &Row, from: usize) -> Result<Cut, StoreError> {
    Ok(Cut {
        epoch: count(row, from)?,
        seq: count(row, from + 1)?,
        recorded_at: time(row, from + 2)?,
        hash: hash(row, from + 3)?,
    })
}

/// A record, from column `from` on.
pub(super) fn stored(row: &Row, from: usize) -> Result<Arc<Stored>, StoreError> {
    let seq = count(row, from)?;
    let trace: Option<&str> = cell(row, from + 3)?;
    let stored = Stored::open(cell(row, from + 2)?, hash(row, from + 1)?, trace.map(Into::into))
        .map_err(|error| damaged(format_args!("record {seq}: {error}")))?;
    if stored.record.seq != seq {
        return Err(damaged(format_args!("record {} stands in the place of record {seq}", stored.record.seq)));
    }
    Ok(Arc::new(stored))
}

pub(super) fn stored_all(rows: &[Row]) -> Result<Vec<Arc<Stored>>, StoreError> {
    rows.iter().map(|row| stored(row, 0)).collect()
}

pub(super) fn account(row: &Row) -> Result<Account, StoreError> {
    let text: &str = cell(row, 0)?;
    let unreadable = |what: &str| damaged(format_args!("account {text} has no good {what}"));
    let id: AccountId = text.parse().map_err(|_| unreadable("id"))?;
    let owner: Option<&str> = cell(row, 2)?;
    let scale = u32::try_from(cell::<i16>(row, 4)?).map_err(|_| unreadable("scale"))?;
    let status: Status = cell::<&str>(row, 5)?.parse().map_err(|_| unreadable("status"))?;
    let floor = match cell::<Option<Numeric>>(row, 6)? {
        Some(floor) => Floor::At(floor.at(scale)?),
        None => Floor::None,
    };
    Ok(Account {
        owner: owner.map(|owner| owner.parse().map_err(|_| unreadable("owner"))).transpose()?,
        asset: cell::<&str>(row, 3)?.parse().map_err(|_| unreadable("asset"))?,
        status,
        floor,
        balance: money(row, 7, scale)?,
        version: count(row, 8)?,
        opened_at: time(row, 9)?,
        opened_seq: count(row, 1)?,
        seq: count(row, 10)?,
        runs: decode_runs(cell(row, 11)?, scale)?,
        id,
    })
}

pub(super) fn assets(rows: &[Row]) -> Result<Assets, StoreError> {
    let mut assets = Assets::default();
    for row in rows {
        let code = cell::<&str>(row, 0)?.parse().map_err(|_| damaged("a registered asset has no good code"))?;
        let scale = u32::try_from(cell::<i16>(row, 1)?).map_err(|_| damaged("a registered asset has no good scale"))?;
        assets.register(Asset { code, scale });
    }
    Ok(assets)
}

/// A reversal: what was undone, and by what. Columns seq, epoch, `by_seq`, `by_epoch`.
pub(super) fn reversal(row: &Row) -> Result<(TransactionId, TransactionId), StoreError> {
    let id = |at: usize| Ok::<_, StoreError>(TransactionId { seq: count(row, at)?, epoch: count(row, at + 1)? });
    Ok((id(0)?, id(2)?))
}
