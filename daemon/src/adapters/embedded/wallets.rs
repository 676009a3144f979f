//! The wallet store on SQLite: `wallets.sqlite`.
//!
//! Rows are small and rarely change; a synced commit a call is its whole cost. Lists are keyset pages on the primary key or
//! on (owner, id). What contradicts the types on the way out is damage and is said so, never guessed at.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction, params, params_from_iter, types::Value};
use wallet_core::{
    account::Status,
    ids::WalletId,
    ports::{Page, StoreError, WalletQuery, WalletRow, WalletState, WalletStore},
    text::Metadata,
    time::Timestamp,
};

use super::sqlite::{Database, Failure, Schema, Tuning, integer, number, schema};

#[allow(clippy::unwrap_used, missing_docs)] // generated: file names that the build has checked
mod embedded {
    refinery::embed_migrations!("migrations/sqlite/wallets");
}

const STORE: &str = "wallet store";

/// Reads are random by id, writes come one wallet or one import page at a time.
const TUNING: Tuning = Tuning { page_bytes: 4096, writer_kib: 4096, reader_kib: 2048, checkpoint_pages: 2000 };

const COLUMNS: &str = "id, owner, asset, state, overdraft, opened_at, label, meta, seq";

/// The [`WalletStore`] of the embedded default. Clones share one file.
#[derive(Clone)]
pub struct SqliteWallets {
    database: Database,
}

impl SqliteWallets {
    /// Opens or makes the file and migrates it. Blocks.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { database: Database::open(STORE, path, TUNING, &embedded::migrations::runner())? })
    }

    /// How a file's schema stands, without touching it.
    pub fn schema(path: &Path) -> Result<Schema, StoreError> {
        schema(STORE, path, &embedded::migrations::runner())
    }
}

fn put_if_newer(transaction: &Transaction<'_>, rows: &[WalletRow]) -> Result<(), Failure> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO wallets (id, owner, asset, state, overdraft, opened_at, label, meta, seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET owner = ?2, asset = ?3, state = ?4, overdraft = ?5, opened_at = ?6,
             label = ?7, meta = ?8, seq = ?9
         WHERE excluded.seq > wallets.seq",
    )?;
    for row in rows {
        put.execute(values(row)?)?;
    }
    Ok(())
}

fn opening(transaction: &Transaction<'_>, rows: &[WalletRow]) -> Result<(), Failure> {
    let mut note = transaction.prepare_cached(
        "INSERT INTO wallets (id, owner, asset, state, overdraft, opened_at, label, meta, seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO NOTHING",
    )?;
    for row in rows {
        note.execute(values(row)?)?;
    }
    Ok(())
}

fn values(row: &WalletRow) -> Result<[Value; 9], Failure> {
    let meta = serde_json::to_string(&row.meta).map_err(|error| Failure::Damaged(error.to_string()))?;
    let text = |text: &str| Value::Text(text.to_owned());
    Ok([
        text(row.id.as_str()),
        text(row.owner.as_str()),
        text(row.asset.as_str()),
        text(row.state.as_str()),
        text(&row.overdraft),
        Value::Integer(row.opened_at.as_micros()),
        text(row.label.as_str()),
        Value::Text(meta),
        Value::Integer(integer(row.seq)),
    ])
}

fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> Result<T, Failure>
where
    T::Err: std::fmt::Display,
{
    let text = row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?;
    text.parse().map_err(|error: T::Err| Failure::Damaged(format!("a wallet's row: {error}")))
}

fn wallet(row: &Row<'_>) -> Result<WalletRow, Failure> {
    let state = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    let state = match state {
        "opening" => WalletState::Opening,
        open => WalletState::Open(open.parse::<Status>().map_err(|error| Failure::Damaged(error.to_string()))?),
    };
    let meta = row.get_ref(7)?.as_str().map_err(rusqlite::Error::from)?;
    let meta: Metadata = serde_json::from_str(meta).map_err(|error| Failure::Damaged(format!("metadata: {error}")))?;
    Ok(WalletRow {
        id: parsed(row, 0)?,
        owner: parsed(row, 1)?,
        asset: parsed(row, 2)?,
        state,
        overdraft: row.get(4)?,
        opened_at: Timestamp::from_micros(row.get(5)?),
        label: parsed(row, 6)?,
        meta,
        seq: number(row, 8)?,
    })
}

fn get(transaction: &Transaction<'_>, id: &WalletId) -> Result<Option<WalletRow>, Failure> {
    let mut find = transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM wallets WHERE id = ?1"))?;
    find.query_and_then([id.as_str()], wallet)?.next().transpose()
}

fn list(transaction: &Transaction<'_>, query: &WalletQuery) -> Result<Page<WalletRow>, Failure> {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut sql = format!("SELECT {COLUMNS} FROM wallets WHERE id > ?");
    let mut values = vec![text(query.after.as_ref().map_or("", WalletId::as_str))];
    if let Some(owner) = &query.owner {
        sql.push_str(" AND owner = ?");
        values.push(text(owner.as_str()));
    }
    if let Some(asset) = &query.asset {
        sql.push_str(" AND asset = ?");
        values.push(text(asset.as_str()));
    }
    match query.state {
        // A partial index is used where its condition stands as a literal.
        Some(WalletState::Opening) => sql.push_str(" AND state = 'opening'"),
        Some(WalletState::Open(status)) => {
            sql.push_str(" AND state = ?");
            values.push(text(status.as_str()));
        }
        None => {}
    }
    sql.push_str(" ORDER BY id LIMIT ?");
    values.push(Value::Integer(i64::try_from(query.limit).unwrap_or(i64::MAX).saturating_add(1)));
    let mut find = transaction.prepare_cached(&sql)?;
    let mut items: Vec<WalletRow> = find.query_and_then(params_from_iter(values), wallet)?.collect::<Result<_, _>>()?;
    let more = items.len() > query.limit;
    items.truncate(query.limit);
    Ok(Page { items, more })
}

fn position(transaction: &Transaction<'_>) -> Result<u64, Failure> {
    let mut find = transaction.prepare_cached("SELECT position FROM follower WHERE one = 1")?;
    let found = find.query_row([], |row| row.get::<_, i64>(0)).optional()?;
    let found = found.ok_or_else(|| Failure::Damaged("its follower's row is missing".into()))?;
    u64::try_from(found).map_err(|_| Failure::Damaged(format!("a position of {found}")))
}

#[async_trait]
impl WalletStore for SqliteWallets {
    async fn opening(&self, rows: &[WalletRow]) -> Result<(), StoreError> {
        let rows = rows.to_vec();
        self.database.write(move |transaction| opening(transaction, &rows)).await
    }

    async fn put_if_newer(&self, rows: &[WalletRow]) -> Result<(), StoreError> {
        let rows = rows.to_vec();
        self.database.write(move |transaction| put_if_newer(transaction, &rows)).await
    }

    async fn forget_opening(&self, ids: &[WalletId]) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        self.database
            .write(move |transaction| {
                let mut forget =
                    transaction.prepare_cached("DELETE FROM wallets WHERE id = ?1 AND state = 'opening'")?;
                for id in &ids {
                    forget.execute([id.as_str()])?;
                }
                Ok(())
            })
            .await
    }

    async fn get(&self, id: &WalletId) -> Result<Option<WalletRow>, StoreError> {
        let id = id.clone();
        self.database.read(move |transaction| get(transaction, &id)).await
    }

    async fn get_many(&self, ids: &[WalletId]) -> Result<Vec<WalletRow>, StoreError> {
        let ids = ids.to_vec();
        self.database
            .read(move |transaction| ids.iter().filter_map(|id| get(transaction, id).transpose()).collect())
            .await
    }

    async fn list(&self, query: &WalletQuery) -> Result<Page<WalletRow>, StoreError> {
        let query = query.clone();
        self.database.read(move |transaction| list(transaction, &query)).await
    }

    async fn position(&self) -> Result<u64, StoreError> {
        self.database.read(position).await
    }

    async fn follow(&self, rows: &[WalletRow], position: u64) -> Result<(), StoreError> {
        let rows = rows.to_vec();
        self.database
            .write(move |transaction| {
                put_if_newer(transaction, &rows)?;
                let mut advance =
                    transaction.prepare_cached("UPDATE follower SET position = max(position, ?1) WHERE one = 1")?;
                advance.execute(params![integer(position)])?;
                Ok(())
            })
            .await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.database
            .write(|transaction| {
                transaction.execute("DELETE FROM wallets", [])?;
                transaction.execute("UPDATE follower SET position = 0 WHERE one = 1", [])?;
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests;
