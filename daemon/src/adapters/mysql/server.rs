//! The way to the server: a bounded pool, time limits, and attempts.
//!
//! An operation has one time limit for all it does: waiting for a connection, connecting, its statements, its
//! repeats. A connection whose operation was cut off is closed, never used again.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use mysql_async::{
    ClientIdentity, Conn, Error, Opts, OptsBuilder, Params, Pool, PoolConstraints, PoolOpts, Row, SslOpts, TxOpts,
    Value, prelude::Queryable as _,
};
use wallet_core::ports::StoreError;

use super::{PoolUse, STORE, errors};
use crate::adapters::{
    connection::{Connection, Tls},
    schema::OpenError,
};

/// MySQL's port.
const PORT: u16 = 3306;
/// Seconds a statement waits for another's lock: less than an operation's usual limit, so that there is a repeat.
const LOCK_WAIT_SECONDS: u32 = 2;
/// Most repeats of a transaction that met others' locks.
const LOCKED_REPEATS: u32 = 5;
/// The wait before the first of them; it doubles.
const LOCKED_WAIT: Duration = Duration::from_millis(5);
/// Most repeats on a new connection. One is enough for those a restarted server left in the pool.
const LOST_REPEATS: u32 = 2;
/// Statements kept prepared on each connection: more than this store has, but for pages of odd lengths.
const STATEMENTS: usize = 32;
/// A connection is not kept longer, so that the pool follows a name that now means another server.
const LONGEST_LIFE: Duration = Duration::from_mins(30);
/// How long a connection may idle.
const LONGEST_IDLE: Duration = Duration::from_mins(5);
/// After so long without a word the network is asked whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A statement with its values.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
}

impl Statement {
    pub(super) fn plain(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), values: Vec::new() }
    }

    fn params(&self) -> Params {
        if self.values.is_empty() { Params::Empty } else { Params::Positional(self.values.clone()) }
    }
}

/// A server with a pool of connections.
pub(super) struct Server {
    pool: Pool,
    limit: usize,
    timeout: Duration,
}

impl Server {
    /// Connects nowhere yet.
    pub(super) fn new(connection: &Connection) -> Result<Self, OpenError> {
        let limit = connection.pool.max(1);
        Ok(Self { pool: pool(connection, limit)?, limit, timeout: connection.timeout })
    }

    pub(super) fn pool_use(&self) -> PoolUse {
        let metrics = self.pool.metrics();
        PoolUse {
            limit: self.limit,
            open: metrics.connection_count.load(Ordering::Relaxed),
            in_use: metrics.connections_in_use.load(Ordering::Relaxed),
            waiting: metrics.active_wait_requests.load(Ordering::Relaxed),
        }
    }

    /// Reads rows.
    pub(super) async fn read(&self, statement: &Statement) -> Result<Vec<Row>, StoreError> {
        self.ask(statement).await.map_err(|error| errors::classify(error, false))
    }

    /// Reads rows; the error is MySQL's own.
    pub(super) async fn ask(&self, statement: &Statement) -> Result<Vec<Row>, Error> {
        let reading = async {
            let mut repeats = Repeats::default();
            loop {
                let mut conn = self.pool.get_conn().await?;
                match conn.exec(statement.sql.as_ref(), statement.params()).await {
                    Ok(rows) => return Ok(rows),
                    Err(error) => repeats.after(error).await?,
                }
            }
        };
        tokio::time::timeout(self.timeout, reading).await.unwrap_or_else(|_| Err(late()))
    }

    /// Runs statements in one durable transaction. Returns the rows that the last one changed.
    pub(super) async fn write(&self, statements: &[Statement]) -> Result<u64, StoreError> {
        if statements.is_empty() {
            return Ok(0);
        }
        // Set while a commit may have been done without our knowing; what is not known stays so until a repeat succeeds.
        let possibly = AtomicBool::new(false);
        let writing = async {
            let mut repeats = Repeats::default();
            loop {
                let mut conn = self.pool.get_conn().await?;
                match write_once(&mut conn, statements, &possibly).await {
                    Ok(changed) => return Ok(changed),
                    Err(error) => repeats.after(error).await?,
                }
            }
        };
        let done = tokio::time::timeout(self.timeout, writing).await.unwrap_or_else(|_| Err(late()));
        done.map_err(|error| errors::classify(error, possibly.load(Ordering::Relaxed)))
    }
}

async fn write_once(conn: &mut Conn, statements: &[Statement], possibly: &AtomicBool) -> Result<u64, Error> {
    let before = possibly.load(Ordering::Relaxed);
    let settled = |done: &Result<(), Error>| {
        if done.as_ref().is_err_and(errors::is_settled) {
            possibly.store(before, Ordering::Relaxed);
        }
    };
    if let [one] = statements {
        possibly.store(true, Ordering::Relaxed);
        let done = conn.exec_drop(one.sql.as_ref(), one.params()).await;
        settled(&done);
        return done.map(|()| conn.affected_rows());
    }
    let mut transaction = conn.start_transaction(TxOpts::default()).await?;
    let mut changed = 0;
    for statement in statements {
        if let Err(error) = transaction.exec_drop(statement.sql.as_ref(), statement.params()).await {
            if matches!(error, Error::Server(_)) {
                // Its locks are to go before a repeat. Should this fail, the connection is closed, to the same end.
                let _undone = transaction.rollback().await;
            }
            return Err(error);
        }
        changed = transaction.affected_rows();
    }
    possibly.store(true, Ordering::Relaxed);
    let done = transaction.commit().await;
    settled(&done);
    done.map(|()| changed)
}

/// What was tried already.
#[derive(Default)]
struct Repeats {
    locked: u32,
    lost: u32,
}

impl Repeats {
    /// Waits for the next attempt, or hands back the error if there is none.
    async fn after(&mut self, error: Error) -> Result<(), Error> {
        if errors::is_locked(&error) && self.locked < LOCKED_REPEATS {
            tokio::time::sleep(LOCKED_WAIT.saturating_mul(1 << self.locked)).await;
            self.locked += 1;
            Ok(())
        } else if errors::is_lost(&error) && self.lost < LOST_REPEATS {
            self.lost += 1;
            Ok(())
        } else {
            Err(error)
        }
    }
}

fn late() -> Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "it did not answer in time").into()
}

/// A pool of at most `most` connections.
pub(super) fn pool(connection: &Connection, most: usize) -> Result<Pool, OpenError> {
    let url = &connection.url;
    let [host] = url.hosts() else {
        return Err(OpenError::configuration(STORE, "its URL names several hosts; MySQL is reached at one"));
    };
    if url.path().is_empty() {
        return Err(OpenError::configuration(STORE, "its URL names no database: mysql://user@host/database"));
    }
    if !url.query().is_empty() {
        return Err(OpenError::configuration(STORE, "its URL has parameters; none are known for mysql://"));
    }
    let constraints = PoolConstraints::new(0, most).ok_or_else(|| OpenError::configuration(STORE, "an empty pool"))?;
    let pooled = PoolOpts::default()
        .with_constraints(constraints)
        .with_inactive_connection_ttl(LONGEST_IDLE)
        .with_abs_conn_ttl(Some(LONGEST_LIFE))
        .with_abs_conn_ttl_jitter(Some(LONGEST_LIFE))
        // No session state is ever changed; prepared statements are to be kept.
        .with_reset_connection(false);
    let options = OptsBuilder::default()
        .ip_or_hostname(host.name.clone())
        .tcp_port(host.port.unwrap_or(PORT))
        .user(url.user())
        .pass(url.password())
        .db_name(Some(url.path()))
        // The way that is configured is the way that is taken.
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        .stmt_cache_size(STATEMENTS)
        .setup(vec![session(connection.timeout)])
        .ssl_opts(connection.tls.as_ref().map(encrypted).transpose()?)
        .pool_opts(pooled);
    Ok(Pool::new(Opts::from(options)))
}

/// READ COMMITTED: every statement here stands alone or locks what it changes, and gaps need not be locked. What does not
/// fit a column is an error. A read that takes longer than the caller waits is given up by the server too.
fn session(timeout: Duration) -> String {
    format!(
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin, \
         SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
         SESSION transaction_isolation = 'READ-COMMITTED', \
         SESSION autocommit = 1, \
         SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}, \
         SESSION lock_wait_timeout = {LOCK_WAIT_SECONDS}, \
         SESSION max_execution_time = {}",
        timeout.as_millis().max(1)
    )
}

fn encrypted(tls: &Tls) -> Result<SslOpts, OpenError> {
    // The same reading as everyone's finds a file that cannot be used now, not at the first connection.
    tls.rustls(STORE)?;
    // The client asks rustls for the process's provider; the first to set it wins, and all of ours set this one.
    let _already_set = rustls::crypto::ring::default_provider().install_default();
    let roots = match &tls.ca_file {
        Some(file) => vec![file.clone().into()],
        None => rustls_native_certs::load_native_certs().certs.iter().map(|root| root.to_vec().into()).collect(),
    };
    let identity = tls
        .identity
        .as_ref()
        .map(|identity| ClientIdentity::new(identity.cert_file.clone().into(), identity.key_file.clone().into()));
    Ok(SslOpts::default().with_root_certs(roots).with_disable_built_in_roots(true).with_client_identity(identity))
}
