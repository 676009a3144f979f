//! What PostgreSQL's errors mean, by SQLSTATE, never by text.

use deadpool_postgres::PoolError;
use tokio_postgres::{Error, error::SqlState};
use wallet_core::ports::StoreError;

use super::STORE;
use crate::adapters::schema::OpenError;

/// The ledger holds something that cannot be.
pub(super) fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::corrupt(STORE, what)
}

/// It certainly did not happen: the time ran out.
pub(super) fn too_slow() -> StoreError {
    StoreError::unavailable(STORE, "it did not answer in time")
}

/// An error of something that certainly did not happen.
pub(super) fn store(error: Error) -> StoreError {
    let Some(code) = error.code() else {
        // No SQLSTATE: the connection, or a value that does not fit our types. The former says so.
        let unfit =
            !error.is_closed() && std::error::Error::source(&error).is_some_and(|why| !why.is::<std::io::Error>());
        return if unfit { damaged(error) } else { StoreError::unavailable(STORE, error) };
    };
    if *code == SqlState::DISK_FULL {
        return StoreError::DiskFull { store: STORE };
    }
    // Integrity violations, our own assertion (a division by zero), PostgreSQL's own word for damage.
    let damage = ["22", "23", "XX"].iter().any(|class| code.code().starts_with(class));
    if damage && *code != SqlState::INTERNAL_ERROR { damaged(error) } else { StoreError::unavailable(STORE, error) }
}

/// True if what was to be written contradicts what is there: a key twice, or our own assertion (a division by zero).
pub(super) fn contradicts(error: &Error) -> bool {
    error.code().is_some_and(|code| [SqlState::UNIQUE_VIOLATION, SqlState::DIVISION_BY_ZERO].contains(code))
}

/// True if the same may well succeed at once: the server gave up for others' sake, or ended the connection.
pub(super) fn passing(error: &Error) -> bool {
    let Some(code) = error.code() else { return true };
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ]
    .contains(code)
        || code.code().starts_with("08")
}

/// An error of the pool: nothing was even asked.
pub(super) fn pool(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => store(error),
        other => StoreError::unavailable(STORE, other),
    }
}

/// An error while opening: a refused user or password, a database that is not there, or a certificate that is not to be
/// trusted is a fault of the configuration.
pub(super) fn open(error: Error) -> OpenError {
    if mistrusted(&error) {
        return OpenError::configuration(STORE, shown(&error));
    }
    let class = error.code().map(|code| code.code().get(..2).unwrap_or_default().to_owned());
    match class.as_deref() {
        Some("28" | "3D" | "42") => OpenError::configuration(STORE, shown(&error)),
        _ => store(error).into(),
    }
}

/// True if the two sides did not come to terms about encryption.
fn mistrusted(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.and_then(std::io::Error::get_ref).is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
}

/// An error with its cause: PostgreSQL's own text is in the cause.
pub(super) fn shown(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
