//! SQLite files: opening, migrating, running work off the async threads, and what errors mean.
//!
//! One connection writes, so that a writer waits in line in memory and never for SQLite's lock; a few read,
//! each on the state of the moment it began (WAL). All writes are one transaction with a synced commit.
//! Costs: one fsync a write; memory is the page caches of [`Tuning`], which are bounds.

use std::{
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::Semaphore;
use wallet_core::ports::StoreError;

pub use crate::adapters::schema::Schema;

/// Readers at a time: more than the cores of a small machine only fight over them.
const READERS: usize = 2;
/// How long SQLite waits for another process (a reader that opens, a backup tool) before it says busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements kept prepared on each connection; more than any store here has.
const STATEMENTS: usize = 32;
/// The log file is cut back to this after a burst.
const LOG_BYTES: u32 = 64 * 1024 * 1024;

/// What differs between the files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    /// Bytes of a page; set once, when the file is made.
    pub(crate) page_bytes: u32,
    /// Page cache of the writer, in KiB.
    pub(crate) writer_kib: u32,
    /// Page cache of each reader, in KiB.
    pub(crate) reader_kib: u32,
    /// Pages in the log before a commit copies them into the file.
    pub(crate) checkpoint_pages: u32,
}

/// Why work on a connection failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite said so.
    Sqlite(rusqlite::Error),
    /// The file holds something that cannot be.
    Damaged(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// When an error came up: before the commit nothing can have happened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    Commit,
}

impl Failure {
    fn into_store(self, store: &'static str, stage: Stage) -> StoreError {
        match self {
            Self::Damaged(what) => StoreError::corrupt(store, what),
            Self::Sqlite(error) => classify(store, error, stage),
        }
    }
}

/// What an SQLite error means to a caller, by its code.
fn classify(store: &'static str, error: rusqlite::Error, stage: Stage) -> StoreError {
    let Some(code) = error.sqlite_error_code() else {
        // Not SQLite but a value of it that does not fit our types.
        return StoreError::corrupt(store, error);
    };
    match code {
        ErrorCode::DiskFull => StoreError::DiskFull { store },
        ErrorCode::DatabaseCorrupt
        | ErrorCode::NotADatabase
        | ErrorCode::ConstraintViolation
        | ErrorCode::TypeMismatch => StoreError::corrupt(store, error),
        // The log may have reached the disk although the sync failed.
        ErrorCode::SystemIoFailure if stage == Stage::Commit => StoreError::uncertain(store, error),
        _ => StoreError::unavailable(store, error),
    }
}

/// One SQLite file of this daemon.
#[derive(Clone)]
pub(crate) struct Database {
    store: &'static str,
    // Closed in this order: SQLite folds its log into the file when the last connection closes, if that one may write.
    readers: Arc<Readers>,
    writer: Arc<tokio::sync::Mutex<Connection>>,
}

struct Readers {
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens or makes the file (0600) and brings its schema up to date. Blocks: call it at start, or off the async threads.
    pub(crate) fn open(
        store: &'static str,
        path: &Path,
        tuning: Tuning,
        migrations: &refinery::Runner,
    ) -> Result<Self, StoreError> {
        let before = |error| classify(store, error, Stage::Before);
        create_private(path).map_err(|error| StoreError::unavailable(store, error))?;
        let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, tuning.writer_kib).map_err(before)?;
        prepare_writer(&writer, tuning).map_err(before)?;
        migrate(store, &mut writer, migrations)?;
        let mut idle = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            idle.push(connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, tuning.reader_kib).map_err(before)?);
        }
        Ok(Self {
            store,
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            readers: Arc::new(Readers { permits: Arc::new(Semaphore::new(READERS)), idle: Mutex::new(idle) }),
        })
    }

    /// Runs `work` in one durable transaction. It runs to its end even if the caller goes away.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store;
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let before = |failure: Failure| failure.into_store(store, Stage::Before);
            let transaction = writer
                .transaction_with_behavior(TransactionBehavior::Immediate)
                .map_err(|error| before(error.into()))?;
            let value = work(&transaction).map_err(before)?;
            transaction.commit().map_err(|error| classify(store, error, Stage::Commit))?;
            Ok(value)
        });
        done.await.map_err(|error| StoreError::uncertain(store, error))?
    }

    /// Runs `work` on one committed state.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store;
        let readers = Arc::clone(&self.readers);
        let permit = Arc::clone(&readers.permits)
            .acquire_owned()
            .await
            .map_err(|error| StoreError::unavailable(store, error))?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let taken = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            // As many connections as permits: one is always idle here.
            let Some(mut connection) = taken else {
                return Err(StoreError::unavailable(store, "its readers were lost"));
            };
            let result = connection.transaction().map_err(Failure::from).and_then(|transaction| work(&transaction));
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            result.map_err(|failure| failure.into_store(store, Stage::Before))
        });
        done.await.map_err(|error| StoreError::unavailable(store, error))?
    }
}

/// SQLite gives the log and the index beside the file the file's own mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

fn connect(path: &Path, access: OpenFlags, cache_kib: u32) -> rusqlite::Result<Connection> {
    // Each connection is used by one thread at a time: SQLite's own mutexes would be paid for nothing.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

fn prepare_writer(writer: &Connection, tuning: Tuning) -> rusqlite::Result<()> {
    writer.pragma_update(None, "page_size", tuning.page_bytes)?;
    writer.pragma_update(None, "journal_mode", "wal")?;
    // Once more: a new file had pages of another size until here, and SQLite counts its cache in pages.
    writer.pragma_update(None, "cache_size", -i64::from(tuning.writer_kib))?;
    writer.pragma_update(None, "synchronous", "full")?;
    writer.pragma_update(None, "foreign_keys", true)?;
    writer.pragma_update(None, "wal_autocheckpoint", tuning.checkpoint_pages)?;
    writer.pragma_update(None, "journal_size_limit", LOG_BYTES)
}

fn migrate(store: &'static str, writer: &mut Connection, migrations: &refinery::Runner) -> Result<(), StoreError> {
    migrations.run(writer).map(drop).map_err(|error| {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(at) = cause {
            if let Some(rusqlite::Error::SqliteFailure(code, text)) = at.downcast_ref::<rusqlite::Error>() {
                return classify(store, rusqlite::Error::SqliteFailure(*code, text.clone()), Stage::Before);
            }
            cause = at.source();
        }
        StoreError::corrupt(store, format_args!("its schema is not one of this program's: {error}"))
    })
}

/// Looks at a file without changing or making it.
pub(crate) fn schema(store: &'static str, path: &Path, migrations: &refinery::Runner) -> Result<Schema, StoreError> {
    let known = migrations.get_migrations().iter().map(|migration| i64::from(migration.version())).max();
    let applied =
        if path.exists() { applied(path).map_err(|error| classify(store, error, Stage::Before))? } else { None };
    Ok(Schema { applied, known: known.unwrap_or_default() })
}

fn applied(path: &Path) -> rusqlite::Result<Option<i64>> {
    const HISTORY: &str = "SELECT count(*) FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, 64)?;
    if connection.query_row(HISTORY, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(None);
    }
    connection.query_row("SELECT max(version) FROM refinery_schema_history", [], |row| row.get(0))
}

/// A number of ours as SQLite's. All of them stay below 2^53.
pub(crate) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number of SQLite's as ours.
pub(crate) fn number(row: &rusqlite::Row<'_>, column: usize) -> Result<u64, Failure> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| Failure::Damaged(format!("{value} where no number is below zero")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: std::os::raw::c_int) -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)
    }

    #[test]
    fn errors_say_whether_the_thing_may_have_happened() {
        use rusqlite::ffi::{SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_FULL, SQLITE_IOERR, SQLITE_NOTADB};
        let of = |code, stage| classify("test", failure(code), stage);
        assert!(matches!(of(SQLITE_FULL, Stage::Commit), StoreError::DiskFull { .. }));
        assert!(matches!(of(SQLITE_FULL, Stage::Before), StoreError::DiskFull { .. }));
        assert!(matches!(of(SQLITE_BUSY, Stage::Commit), StoreError::Unavailable { .. }));
        assert!(matches!(of(SQLITE_IOERR, Stage::Before), StoreError::Unavailable { .. }));
        assert!(matches!(of(SQLITE_IOERR, Stage::Commit), StoreError::Uncertain { .. }));
        assert!(matches!(of(SQLITE_CORRUPT, Stage::Before), StoreError::Corrupt { .. }));
        assert!(matches!(of(SQLITE_NOTADB, Stage::Before), StoreError::Corrupt { .. }));
    }
}
