//! The schema: how far it is, bringing it up to date, and the ledger's id.

use deadpool_postgres::tokio_postgres::Client;
use wallet_core::{cut::Cut, journal::genesis, ports::StoreError, time::Timestamp};

use super::{
    STORE,
    errors::{self, damaged},
    link::{Connected, Link},
};
use crate::adapters::{
    connection::Connection,
    schema::{OpenError, Schema},
};

#[allow(clippy::unwrap_used, missing_docs)] // generated: file names that the build has checked
mod embedded {
    refinery::embed_migrations!("migrations/postgres");
}

/// Names the lock under which one daemon at a time migrates; a number nobody else is likely to use.
const MIGRATING: i64 = 0x0077_616c_6c65_7464;
/// A session that does so for a large ledger takes as long as it takes.
pub(super) const PATIENT: &str =
    "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0";

/// How far a server's schema is, changing nothing.
pub async fn schema(connection: &Connection) -> Result<Schema, OpenError> {
    let connected = Link::new(connection, "walletd schema")?.try_connect().await?;
    look(&connected.client).await
}

/// Brings the schema up to date; of several daemons that do so at once, one does and the others wait for it.
pub async fn migrate(connection: &Connection) -> Result<Schema, OpenError> {
    let mut connected = Link::new(connection, "walletd migrate")?.try_connect().await?;
    connected.client.batch_execute(PATIENT).await.map_err(errors::open)?;
    // Held by the session, so it goes with it however this ends.
    connected.client.execute("SELECT pg_advisory_lock($1)", &[&MIGRATING]).await.map_err(errors::open)?;
    apply(&mut connected).await
}

/// Applies what is missing, on a connection that nobody else migrates beside.
pub(super) async fn apply(connected: &mut Connected) -> Result<Schema, OpenError> {
    let before = look(&connected.client).await?;
    if before.applied.is_none_or(|applied| applied < before.known) {
        embedded::migrations::runner().run_async(&mut connected.client).await.map_err(|error| failed(&error))?;
    }
    look(&connected.client).await
}

async fn look(client: &Client) -> Result<Schema, OpenError> {
    let known = embedded::migrations::runner().get_migrations().iter().map(|one| i64::from(one.version())).max();
    let known = known.unwrap_or_default();
    let exists = client
        .query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[])
        .await
        .and_then(|row| row.try_get::<_, bool>(0))
        .map_err(errors::open)?;
    if !exists {
        return Ok(Schema { applied: None, known });
    }
    let row = client.query_one("SELECT max(version)::int8 FROM refinery_schema_history", &[]).await;
    let applied = row.and_then(|row| row.try_get(0)).map_err(errors::open)?;
    Ok(Schema { applied, known })
}

fn failed(error: &refinery::Error) -> OpenError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(at) = cause {
        if let Some(said) = at.downcast_ref::<tokio_postgres::Error>() {
            return if said.is_closed() {
                StoreError::unavailable(STORE, errors::shown(said)).into()
            } else {
                OpenError::configuration(STORE, format_args!("a migration failed: {}", errors::shown(said)))
            };
        }
        cause = at.source();
    }
    damaged(format_args!("its schema is not one of this program's: {error}")).into()
}

/// The ledger's id; a new ledger gets its clock row, with this id, first.
pub(super) async fn identify(link: &Link, new_id: &str) -> Result<String, OpenError> {
    let connected = link.try_connect().await?;
    let start = Cut { epoch: 1, seq: 0, recorded_at: Timestamp::EPOCH, hash: genesis(new_id) };
    let make = "INSERT INTO clock (one, ledger_id, epoch, seq, recorded_at, hash) VALUES (1, $1, 1, 0, $2, $3) \
                ON CONFLICT (one) DO NOTHING";
    let (recorded_at, hash) = (start.recorded_at.as_micros(), start.hash.0);
    let client = &connected.client;
    client.execute(make, &[&new_id, &recorded_at, &hash.as_slice()]).await.map_err(errors::open)?;
    let row = client.query_one("SELECT ledger_id FROM clock", &[]).await.map_err(errors::open)?;
    row.try_get(0).map_err(errors::open)
}

/// Makes a database of this plain name beside the connection's own: a benchmark's.
pub async fn make_database(connection: &Connection, name: &str) -> Result<(), OpenError> {
    beside(connection, &format!("CREATE DATABASE {name}")).await
}

/// Drops a database that [`make_database`] made, whoever is connected to it.
pub async fn drop_database(connection: &Connection, name: &str) -> Result<(), OpenError> {
    beside(connection, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
}

async fn beside(connection: &Connection, statement: &str) -> Result<(), OpenError> {
    let connected = Link::new(connection, "walletd bench")?.try_connect().await?;
    // A copy of the template, or a checkpoint, takes as long as the disk does.
    connected.client.batch_execute("SET statement_timeout = 0").await.map_err(errors::open)?;
    connected.client.batch_execute(statement).await.map_err(errors::open)
}
