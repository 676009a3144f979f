//! What the doctor asks a MySQL server.

use wallet_core::{
    ports::{Clock, StoreError},
    time::Timestamp,
};

use super::{
    STORE, errors,
    rows::Cells,
    server::{Server, Statement},
};
use crate::adapters::schema::OpenError;

/// How a pool of connections is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// Most connections at a time.
    pub limit: usize,
    /// Connections open now.
    pub open: usize,
    /// Of these, those at work.
    pub in_use: usize,
    /// Operations that wait for one.
    pub waiting: usize,
}

/// What the doctor wants to know of a MySQL server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its version.
    pub version: String,
    /// `innodb_flush_log_at_trx_commit`: 1 is durable; with 0 or 2 a crash loses up to a second of commits.
    pub flush_log_at_trx_commit: i64,
    /// Whether there is a binary log.
    pub log_bin: bool,
    /// `sync_binlog`: 1 is durable; anything else can leave replicas and the server apart after a crash.
    pub sync_binlog: i64,
    /// `innodb_doublewrite`: `OFF` can leave torn pages after a power loss.
    pub doublewrite: String,
    /// Whether the server refuses writes (a replica).
    pub read_only: bool,
    /// `max_connections` of the server, to hold the pool's limit against.
    pub max_connections: i64,
    /// Whether the way there is encrypted.
    pub encrypted: bool,
    /// The server's clock minus ours, in microseconds, give or take the way there.
    pub skew_micros: i64,
}

const QUESTION: &str = "\
    SELECT version(), @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.log_bin, @@GLOBAL.sync_binlog, \
           CAST(@@GLOBAL.innodb_doublewrite AS CHAR), @@GLOBAL.read_only, @@GLOBAL.max_connections, \
           timestampdiff(MICROSECOND, '1970-01-01 00:00:00', utc_timestamp(6))";

pub(super) async fn ask(server: &Server, clock: &dyn Clock) -> Result<Facts, OpenError> {
    let asked = async |statement: &Statement| server.ask(statement).await.map_err(errors::at_opening);
    let cipher = Statement::plain("SHOW SESSION STATUS LIKE 'Ssl_cipher'");
    let encrypted = match asked(&cipher).await?.into_iter().next() {
        Some(row) => {
            let mut cells = Cells::of(row);
            let _name: String = cells.taken()?;
            !cells.taken::<String>()?.is_empty()
        }
        None => false,
    };
    let question = Statement::plain(QUESTION);
    // Asked twice: the second time the statement is prepared, and the clocks are read one round trip apart.
    asked(&question).await?;
    let before = clock.now();
    let found = asked(&question).await?;
    let after = clock.now();
    let row = found.into_iter().next().ok_or_else(|| StoreError::corrupt(STORE, "a question without an answer"))?;
    let mut cells = Cells::of(row);
    Ok(Facts {
        version: cells.taken()?,
        flush_log_at_trx_commit: cells.taken()?,
        log_bin: cells.taken::<i64>()? != 0,
        sync_binlog: cells.taken()?,
        doublewrite: cells.taken()?,
        read_only: cells.taken::<i64>()? != 0,
        max_connections: cells.taken()?,
        encrypted,
        skew_micros: {
            let theirs = Timestamp::from_micros(cells.taken()?);
            theirs.micros_since(before.plus_micros(after.micros_since(before) / 2))
        },
    })
}
