//! The database's schema: looking at it, checking it, migrating it.

use std::{error::Error as _, time::Duration};

use mysql_async::{Error, prelude::Queryable as _};
use wallet_core::ports::StoreError;

use super::{
    STORE, errors,
    rows::Cells,
    server::{Server, Statement, pool},
};
use crate::adapters::{
    connection::Connection,
    schema::{OpenError, Schema},
};

#[allow(clippy::unwrap_used, missing_docs)] // generated: file names that the build has checked
mod embedded {
    refinery::embed_migrations!("migrations/mysql");
}

/// The first version with a name for the new row in ON DUPLICATE KEY UPDATE.
const OLDEST: (u64, u64, u64) = (8, 0, 19);
/// Most time for a migration: it changes whole tables.
const LONGEST_MIGRATION: Duration = Duration::from_mins(10);
/// How long one waits for another daemon's.
const TURN_SECONDS: u32 = 60;
/// `ER_NO_SUCH_TABLE`.
const NO_TABLE: u16 = 1146;

fn known() -> i64 {
    let runner = embedded::migrations::runner();
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or_default()
}

/// How the schema stands.
pub(super) async fn found(server: &Server) -> Result<Schema, OpenError> {
    supported(&version(server).await?)?;
    let asked = server.ask(&Statement::plain("SELECT max(version) FROM refinery_schema_history")).await;
    let applied = match asked {
        Ok(rows) => match rows.into_iter().next() {
            Some(row) => Cells::of(row).taken::<Option<i64>>()?,
            None => None,
        },
        Err(Error::Server(error)) if error.code == NO_TABLE => None,
        Err(error) => return Err(errors::at_opening(error)),
    };
    Ok(Schema { applied, known: known() })
}

/// That the schema is this program's.
pub(super) async fn check(server: &Server) -> Result<(), OpenError> {
    let schema = found(server).await?;
    if schema.is_current() { Ok(()) } else { Err(OpenError::Schema { store: STORE, schema }) }
}

async fn version(server: &Server) -> Result<String, OpenError> {
    let found = server.ask(&Statement::plain("SELECT version()")).await.map_err(errors::at_opening)?;
    let row = found.into_iter().next().ok_or_else(|| StoreError::corrupt(STORE, "a server without a version"))?;
    Ok(Cells::of(row).taken()?)
}

fn supported(version: &str) -> Result<(), OpenError> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u64>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let number = (next(), next(), next());
    if number < OLDEST || version.contains("MariaDB") {
        let why = format!("the server is {version}; this program needs MySQL 8.0.19 or newer, and not MariaDB");
        return Err(OpenError::configuration(STORE, why));
    }
    Ok(())
}

/// Brings the schema up to date, one daemon at a time.
pub(super) async fn migrate(connection: &Connection) -> Result<Schema, OpenError> {
    let server = Server::new(connection)?;
    let schema = found(&server).await?;
    if schema.is_current() {
        return Ok(schema);
    }
    if schema.applied.is_some_and(|applied| applied > schema.known) {
        return Err(OpenError::Schema { store: STORE, schema });
    }
    let done = tokio::time::timeout(LONGEST_MIGRATION, in_turn(connection)).await;
    done.map_err(|_| StoreError::unavailable(STORE, "its migration took too long"))??;
    found(&server).await
}

/// Under a named lock of the server; it goes with the connection.
async fn in_turn(connection: &Connection) -> Result<(), OpenError> {
    // A definition may take longer than an operation.
    let patient = Connection { timeout: LONGEST_MIGRATION, ..connection.clone() };
    let mut pool = pool(&patient, 2)?;
    let mut holder = pool.get_conn().await.map_err(errors::at_opening)?;
    let turn = format!("SELECT get_lock(left(concat('walletd ', database()), 64), {TURN_SECONDS})");
    let taken: Option<Option<i64>> = holder.query_first(turn).await.map_err(errors::at_opening)?;
    if taken.flatten() != Some(1) {
        return Err(StoreError::unavailable(STORE, "another migration is still running").into());
    }
    let done = embedded::migrations::runner().run_async(&mut pool).await;
    drop(holder);
    // The connections are closed in order; if not, the server closes them.
    let _closed = pool.disconnect().await;
    done.map(drop).map_err(|error| {
        let mut cause = error.source();
        while let Some(at) = cause {
            if let Some(Error::Server(server)) = at.downcast_ref::<Error>() {
                return errors::at_opening(Error::Server(server.clone()));
            }
            if at.is::<Error>() {
                return StoreError::unavailable(STORE, error).into();
            }
            cause = at.source();
        }
        StoreError::corrupt(STORE, format_args!("its schema is not one of this program's: {error}")).into()
    })
}

/// Makes a database of this plain name beside the connection's own: a benchmark's.
pub(super) async fn make_database(connection: &Connection, name: &str) -> Result<(), OpenError> {
    beside(connection, format!("CREATE DATABASE {name}")).await
}

/// Drops it.
pub(super) async fn drop_database(connection: &Connection, name: &str) -> Result<(), OpenError> {
    beside(connection, format!("DROP DATABASE IF EXISTS {name}")).await
}

async fn beside(connection: &Connection, statement: String) -> Result<(), OpenError> {
    Server::new(connection)?.ask(&Statement::plain(statement)).await.map(drop).map_err(errors::at_opening)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_lack_what_is_used_are_refused() {
        for good in ["8.0.33", "8.0.19", "8.4.0", "9.1.0-commercial"] {
            assert!(supported(good).is_ok(), "{good}");
        }
        for bad in ["5.7.44", "8.0.18", "10.11.6-MariaDB-1", "", "strange"] {
            assert!(supported(bad).is_err(), "{bad}");
        }
    }
}
