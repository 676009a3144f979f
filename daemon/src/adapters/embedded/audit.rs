//! The audit store on SQLite: `audit.sqlite`, a second copy of the journal that can be searched.
//!
//! It takes a record only where it follows: the next seq, and a hash that is SHA-256 of the last hash here
//! and its bytes. It keeps the very bytes, and gives back bytes and hashes as found, so a verifier compares what is on disk.
//!
//! Costs: a record is one appended row and a 64th of a print ([`marks`]); a page of records is one synced commit. A
//! search looks at the blocks of 64 records that may hold all it asks for, newest first; time bounds are found by halving, since
//! `recorded_at` grows with seq.

mod marks;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use wallet_core::{
    cut::{Cut, Hash},
    journal::{Record, Stored, genesis},
    ports::{AuditQuery, AuditStore, Page, StoreError},
    time::Timestamp,
};

use self::marks::{BLOCK, Filter, Prints};
use super::sqlite::{Database, Failure, Schema, Tuning, integer, number, schema};

#[allow(clippy::unwrap_used, missing_docs)] // generated: file names that the build has checked
mod embedded {
    refinery::embed_migrations!("migrations/sqlite/audit");
}

const STORE: &str = "audit store";

/// Records are appended: a large page holds some forty of them, and is written with two calls and copied with two more. The
/// log may grow to 32 MB before it is copied. The writer keeps what one transaction changes and reads nothing else again.
const TUNING: Tuning = Tuning { page_bytes: 32_768, writer_kib: 4096, reader_kib: 2048, checkpoint_pages: 1000 };

const COLUMNS: &str = "seq, hash, bytes, trace";

/// The [`AuditStore`] of the embedded default. Clones share one file.
#[derive(Clone)]
pub struct SqliteAudit {
    database: Database,
    genesis: Hash,
}

impl SqliteAudit {
    /// Opens or makes the file for the ledger of this id and migrates it. Blocks.
    pub fn open(path: &Path, ledger_id: &str) -> Result<Self, StoreError> {
        let database = Database::open(STORE, path, TUNING, &embedded::migrations::runner())?;
        Ok(Self { database, genesis: genesis(ledger_id) })
    }

    /// How a file's schema stands, without touching it.
    pub fn schema(path: &Path) -> Result<Schema, StoreError> {
        schema(STORE, path, &embedded::migrations::runner())
    }
}

fn hash(row: &Row<'_>, column: usize) -> Result<Hash, Failure> {
    let bytes = row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?;
    bytes.try_into().map(Hash).map_err(|_| Failure::Damaged("a hash that is not 32 bytes".into()))
}

/// A row of [`COLUMNS`] as it was found.
fn stored(row: &Row<'_>) -> Result<Arc<Stored>, Failure> {
    let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
    let trace: Option<String> = row.get(3)?;
    let opened = Stored::open(bytes, hash(row, 1)?, trace.map(String::into_boxed_str));
    match opened {
        Ok(opened) => Ok(Arc::new(opened)),
        Err(error) => Err(Failure::Damaged(format!("record {}: {error}", number(row, 0)?))),
    }
}

/// The last seq and hash; seq 0 while empty.
fn last(transaction: &Transaction<'_>, genesis: Hash) -> Result<(u64, Hash), Failure> {
    let mut find = transaction.prepare_cached("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1")?;
    let found =
        find.query_and_then([], |row| Ok::<_, Failure>((number(row, 0)?, hash(row, 1)?)))?.next().transpose()?;
    Ok(found.unwrap_or((0, genesis)))
}

fn add(transaction: &Transaction<'_>, records: &[Arc<Stored>], genesis: Hash) -> Result<(), Failure> {
    let (mut seq, mut previous) = last(transaction, genesis)?;
    let mut insert = transaction
        .prepare_cached("INSERT INTO records (seq, recorded_at, hash, bytes, trace) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut prints = Prints::default();
    for record in records {
        let number = record.record.seq;
        if number <= seq {
            same(transaction, record)?;
            continue;
        }
        let follows = seq.checked_add(1) == Some(number) && record.continues(previous);
        if !follows {
            return Err(Failure::Damaged(format!("record {number} does not follow record {seq}")));
        }
        insert.execute(params![
            integer(number),
            record.record.recorded_at.as_micros(),
            record.hash.0.as_slice(),
            &*record.bytes,
            record.trace.as_deref(),
        ])?;
        prints.add(&record.record);
        (seq, previous) = (number, record.hash);
    }
    prints.write(transaction)
}

/// A record that comes again must be the one that is there.
fn same(transaction: &Transaction<'_>, record: &Stored) -> Result<(), Failure> {
    let seq = record.record.seq;
    let mut find = transaction.prepare_cached("SELECT hash FROM records WHERE seq = ?1")?;
    let found = find.query_and_then([integer(seq)], |row| hash(row, 0))?.next().transpose()?;
    match found {
        Some(there) if there == record.hash => Ok(()),
        Some(there) => {
            Err(Failure::Damaged(format!("record {seq} has the hash {there} here and {} in the journal", record.hash)))
        }
        None => Err(Failure::Damaged(format!("record {seq} is missing here"))),
    }
}

fn records(transaction: &Transaction<'_>, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, Failure> {
    let mut find =
        transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM records WHERE seq > ?1 ORDER BY seq LIMIT ?2"))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    find.query_and_then([integer(after), limit], stored)?.collect()
}

/// The first seq up to `end` recorded at or after `at` (or, with `behind`, after it); `end` if there is none.
fn first_at(transaction: &Transaction<'_>, at: Timestamp, behind: bool, end: u64) -> Result<u64, Failure> {
    let mut find =
        transaction.prepare_cached("SELECT seq, recorded_at FROM records WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
    let (mut low, mut high) = (1, end.max(1));
    while low < high {
        let middle = low.midpoint(high);
        let found = find.query_row([integer(middle)], |row| row.get::<_, i64>(1)).optional()?;
        let reached =
            found.is_none_or(|recorded| if behind { recorded > at.as_micros() } else { recorded >= at.as_micros() });
        if reached {
            high = middle;
        } else {
            low = middle.saturating_add(1);
        }
    }
    Ok(low)
}

fn list(transaction: &Transaction<'_>, query: &AuditQuery) -> Result<Page<Arc<Stored>>, Failure> {
    let (head, _) = last(transaction, Hash([0; 32]))?;
    let mut end = head.saturating_add(1);
    let from = match query.from {
        Some(from) => first_at(transaction, from, false, end)?,
        None => 1,
    };
    if let Some(to) = query.to {
        end = first_at(transaction, to, true, end)?;
    }
    if let Some(before) = query.before {
        end = end.min(before);
    }
    let mut search = Search { from, end, filter: Filter::of(query), limit: query.limit, found: Vec::new() };
    if search.filter.is_empty() {
        search.scan(transaction, from, end)?;
    } else {
        search.blocks(transaction)?;
    }
    let mut items = search.found;
    let more = items.len() > query.limit;
    items.truncate(query.limit);
    Ok(Page { items, more })
}

/// A search under way: newest first, one more than the page to know whether there is more.
struct Search {
    from: u64,
    /// The first seq not looked at.
    end: u64,
    filter: Filter,
    limit: usize,
    found: Vec<Arc<Stored>>,
}

impl Search {
    fn is_full(&self) -> bool {
        self.found.len() > self.limit
    }

    /// Takes what matches in `from..end`.
    fn scan(&mut self, transaction: &Transaction<'_>, from: u64, end: u64) -> Result<(), Failure> {
        let mut find = transaction
            .prepare_cached(&format!("SELECT {COLUMNS} FROM records WHERE seq >= ?1 AND seq < ?2 ORDER BY seq DESC"))?;
        let mut rows = find.query([integer(from), integer(end)])?;
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            if !self.filter.may_match(bytes) {
                continue;
            }
            let stored = stored(row)?;
            if self.filter.matches(&stored.record) {
                self.found.push(stored);
                if self.is_full() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn blocks(&mut self, transaction: &Transaction<'_>) -> Result<(), Failure> {
        if self.from >= self.end {
            return Ok(());
        }
        let (first, last) = (marks::chunk(self.from), marks::chunk(self.end.saturating_sub(1)));
        for chunk in (first..=last).rev() {
            for block in self.filter.blocks(transaction, chunk)? {
                let start = block.saturating_mul(BLOCK);
                let (from, end) = (start.max(self.from), start.saturating_add(BLOCK).min(self.end));
                if from < end {
                    self.scan(transaction, from, end)?;
                }
                if self.is_full() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The head's cut from its row; its epoch and time are in its bytes.
fn head(transaction: &Transaction<'_>) -> Result<Option<Cut>, Failure> {
    let mut find = transaction.prepare_cached(&format!("SELECT {COLUMNS} FROM records ORDER BY seq DESC LIMIT 1"))?;
    let mut rows = find.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let seq = number(row, 0)?;
    let bytes = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
    let record = Record::from_bytes(bytes).map_err(|error| Failure::Damaged(format!("record {seq}: {error}")))?;
    Ok(Some(Cut { epoch: record.epoch, seq, recorded_at: record.recorded_at, hash: hash(row, 1)? }))
}

#[async_trait]
impl AuditStore for SqliteAudit {
    async fn add(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let (records, genesis) = (records.to_vec(), self.genesis);
        self.database.write(move |transaction| add(transaction, &records, genesis)).await
    }

    async fn head(&self) -> Result<Option<Cut>, StoreError> {
        self.database.read(head).await
    }

    async fn records(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        self.database.read(move |transaction| records(transaction, after, limit)).await
    }

    async fn list(&self, query: &AuditQuery) -> Result<Page<Arc<Stored>>, StoreError> {
        let query = query.clone();
        self.database.read(move |transaction| list(transaction, &query)).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.database
            .write(|transaction| {
                transaction.execute("DELETE FROM records", [])?;
                transaction.execute("DELETE FROM prints", [])?;
                transaction.execute("DELETE FROM marks", [])?;
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests;
