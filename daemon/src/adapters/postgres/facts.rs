//! What the server says about itself: for `walletd doctor` and for metrics.

use wallet_core::{ports::Clock, time::Timestamp};

use super::{PostgresLedger, errors, link::Link};
use crate::adapters::{connection::Connection, schema::OpenError};

/// Settings that a commit's durability hangs on, with what they must be: promise 5.
const DURABLE: [(&str, &[&str]); 3] = [
    ("fsync", &["on"]),
    ("full_page_writes", &["on"]),
    // As the sessions of this program have it, whatever the server's default is.
    ("synchronous_commit", &["on", "remote_apply"]),
];
/// The oldest server this program is made for: the first that ends a session whose client has gone while it waits.
const OLDEST: i32 = 140_000;

/// One setting of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// Its value in a session of this program.
    pub value: String,
    /// False if acknowledged commits could be lost with it.
    pub durable: bool,
}

/// What a server says about itself.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Its version, as it says it.
    pub version: String,
    /// False for a version older than this program is made for.
    pub supported: bool,
    /// The settings durability hangs on.
    pub settings: Vec<Setting>,
    /// How far the server's clock is ahead of this machine's, in microseconds; the way there and back is in it.
    pub skew: i64,
    /// Sessions the server allows in all; every daemon's pool and writer must fit.
    pub max_connections: i64,
}

/// Asks a server about itself. It needs no ledger in it.
pub async fn facts(connection: &Connection, clock: &dyn Clock) -> Result<Facts, OpenError> {
    let connected = Link::new(connection, "walletd doctor")?.try_connect().await?;
    let client = &connected.client;
    let one = "SELECT current_setting('server_version'), current_setting('server_version_num')::int4, \
        current_setting('max_connections')::int8, (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
    let row = client.query_one(one, &[]).await.map_err(errors::open)?;
    let now: i64 = row.try_get(3).map_err(errors::open)?;
    let skew = Timestamp::from_micros(now).micros_since(clock.now());
    let mut settings = Vec::with_capacity(DURABLE.len());
    for (name, good) in DURABLE {
        let row = client.query_one("SELECT current_setting($1)", &[&name]).await.map_err(errors::open)?;
        let value: String = row.try_get(0).map_err(errors::open)?;
        let durable = good.contains(&value.as_str());
        settings.push(Setting { name, value, durable });
    }
    let number: i32 = row.try_get(1).map_err(errors::open)?;
    Ok(Facts {
        version: row.try_get(0).map_err(errors::open)?,
        supported: number >= OLDEST,
        settings,
        skew,
        max_connections: row.try_get(2).map_err(errors::open)?,
    })
}

/// How much of a pool is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// Most connections.
    pub max: usize,
    /// Connections open now.
    pub open: usize,
    /// Of those, in use.
    pub used: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

impl PostgresLedger {
    /// How much of the readers' pool is in use. The writer has one more connection of its own.
    pub fn pool_use(&self) -> PoolUse {
        let status = self.pool.status();
        PoolUse {
            max: status.max_size,
            open: status.size,
            used: status.size.saturating_sub(status.available),
            waiting: status.waiting,
        }
    }
}
