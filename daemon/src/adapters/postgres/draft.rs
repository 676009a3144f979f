//! A ledger in the making: a restore builds it in a schema of its own and moves its tables into their place in one
//! transaction, when everything is proven. Until then nobody sees it; what a killed restore left is dropped by the next.

use std::sync::Arc;

use deadpool_postgres::tokio_postgres::{Client, Row};
use wallet_core::ports::{Clock, StoreError};

use super::{
    PostgresLedger, STORE, errors,
    link::{Connected, Link},
    schema,
};
use crate::adapters::{connection::Connection, schema::OpenError};

/// The schema in which it is made.
const DRAFT: &str = "walletd_restoring";
/// Names the lock under which one restore at a time works on a database; a number nobody else is likely to use.
const RESTORING: i64 = 0x0077_616c_6c65_7273;

/// A ledger in the making.
pub struct Draft {
    connection: Connection,
    link: Link,
    /// Holds the lock while it lives.
    held: Connected,
}

impl Draft {
    /// Begins one in a database that has no ledger, or an empty one that nobody serves.
    pub async fn begin(connection: &Connection) -> Result<Self, OpenError> {
        let link = Link::new(connection, "walletd restore")?;
        let held = link.try_connect().await?;
        held.client.batch_execute(schema::PATIENT).await.map_err(errors::open)?;
        let lock = ask(&held.client, &format!("SELECT pg_try_advisory_lock({RESTORING})")).await?;
        if !lock.first().is_some_and(|row| row.try_get(0).unwrap_or(false)) {
            return Err(OpenError::configuration(STORE, "another restore works on its database; wait for it"));
        }
        refuse_a_ledger(&held.client).await?;
        let begin = format!("DROP SCHEMA IF EXISTS {DRAFT} CASCADE; CREATE SCHEMA {DRAFT}");
        held.client.batch_execute(&begin).await.map_err(errors::open)?;
        let link = link.within(DRAFT);
        let mut inside = link.try_connect().await?;
        schema::apply(&mut inside).await?;
        Ok(Self { connection: connection.clone(), link, held })
    }

    /// The ledger, empty, of a given id.
    pub async fn ledger(&self, id: &str, clock: Arc<dyn Clock>) -> Result<PostgresLedger, StoreError> {
        let opened = PostgresLedger::on(self.link.clone(), &self.connection, id, clock).await;
        opened.map_err(|error| match error {
            OpenError::Store(error) => error,
            other => StoreError::unavailable(STORE, other),
        })
    }

    /// Moves the ledger into its place. Every other use of it has ended.
    pub async fn publish(self) -> Result<(), OpenError> {
        let client = &self.held.client;
        client.batch_execute("BEGIN").await.map_err(errors::open)?;
        // Somebody may have begun a ledger meanwhile.
        refuse_a_ledger(client).await?;
        let tables = ask(client, &format!("SELECT tablename FROM pg_tables WHERE schemaname = '{DRAFT}'")).await?;
        let place = ask(client, "SELECT quote_ident(current_schema())").await?;
        let place: String = place
            .first()
            .and_then(|row| row.try_get(0).ok())
            .ok_or_else(|| OpenError::configuration(STORE, "its user has no schema to make tables in (search_path)"))?;
        for row in tables {
            let table: String = row.try_get(0).map_err(errors::open)?;
            let step =
                format!("DROP TABLE IF EXISTS {place}.\"{table}\"; ALTER TABLE {DRAFT}.\"{table}\" SET SCHEMA {place}");
            client.batch_execute(&step).await.map_err(errors::open)?;
        }
        client.batch_execute(&format!("DROP SCHEMA {DRAFT}; COMMIT")).await.map_err(errors::open)
    }

    /// Drops it.
    pub async fn discard(self) -> Result<(), OpenError> {
        // A publication that failed left its transaction open.
        let drop = format!("ROLLBACK; DROP SCHEMA IF EXISTS {DRAFT} CASCADE");
        self.held.client.batch_execute(&drop).await.map_err(errors::open)
    }
}

async fn ask(client: &Client, sql: &str) -> Result<Vec<Row>, OpenError> {
    client.query(sql, &[]).await.map_err(errors::open)
}

/// A ledger that has a record, or that a daemon serves, is never written over.
async fn refuse_a_ledger(client: &Client) -> Result<(), OpenError> {
    let there = ask(client, "SELECT to_regclass('clock') IS NOT NULL").await?;
    if !there.first().is_some_and(|row| row.try_get(0).unwrap_or(true)) {
        return Ok(());
    }
    let head = ask(client, "SELECT seq FROM clock").await?;
    let seq: i64 = head.first().map(|row| row.try_get(0)).transpose().map_err(errors::open)?.unwrap_or_default();
    if seq > 0 {
        let why = format!("its database has a ledger already (its last record is {seq}); restore into an empty one");
        return Err(OpenError::configuration(STORE, why));
    }
    let leases = ask(client, "SELECT holder FROM leases WHERE until > clock_timestamp() LIMIT 1").await?;
    match leases.first().map(|row| row.try_get::<_, String>(0)).transpose().map_err(errors::open)? {
        None => Ok(()),
        Some(holder) => {
            let why = format!("a daemon serves the empty ledger in its database ({holder}); stop it first");
            Err(OpenError::configuration(STORE, why))
        }
    }
}
