//! Leases as rows, by the database's clock: one holder over all daemons of a ledger.

use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::{Object, Pool};
use tokio_postgres::Row;
use wallet_core::ports::{Leases, StoreError};

use super::{STORE, codec::number, errors, link::Link, schema::schema, session::Parameter};
use crate::adapters::{connection::Connection, schema::OpenError};

/// Leases are taken once in a while, by a few parts of a daemon.
const CONNECTIONS: usize = 2;

/// Takes or keeps it in one statement; no row while another holds it.
const TAKE: &str = "INSERT INTO leases AS l (name, holder, fence, until) \
    VALUES ($1, $2, 1, clock_timestamp() + $3::int8 * interval '1 microsecond') \
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until, \
        fence = l.fence + CASE WHEN l.holder = excluded.holder THEN 0 ELSE 1 END \
    WHERE l.holder = excluded.holder OR l.until <= clock_timestamp() RETURNING fence";

const RELEASE: &str = "UPDATE leases SET until = clock_timestamp() WHERE name = $1 AND holder = $2";

/// The [`Leases`] of all daemons that share a PostgreSQL ledger.
pub struct PostgresLeases {
    pool: Pool,
    limit: Duration,
}

impl PostgresLeases {
    /// Opens the leases of a ledger whose schema is this program's.
    pub async fn open(connection: &Connection) -> Result<Self, OpenError> {
        let found = schema(connection).await?;
        if !found.is_current() {
            return Err(OpenError::Schema { store: STORE, schema: found });
        }
        let pool = Link::new(connection, "walletd leases")?.pool(CONNECTIONS)?;
        Ok(Self { pool, limit: connection.timeout })
    }

    async fn ask(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, StoreError> {
        let client = self.pool.get().await.map_err(errors::pool)?;
        let asked = async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, parameters).await
        };
        if let Ok(done) = tokio::time::timeout(self.limit, asked).await {
            return done.map_err(errors::store);
        }
        // Whoever gets it next would wait for this answer first.
        drop(Object::take(client));
        Err(errors::too_slow())
    }
}

#[async_trait]
impl Leases for PostgresLeases {
    async fn take(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<u64>, StoreError> {
        let micros = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        let found = self.ask(TAKE, &[&name, &holder, &micros]).await?;
        found.first().map(|row| number(row.try_get(0).map_err(errors::store)?)).transpose()
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.ask(RELEASE, &[&name, &holder]).await.map(drop)
    }
}
