//! What MySQL's errors mean to a caller, by their codes.

use mysql_async::{DriverError, Error, IoError};
use wallet_core::ports::StoreError;

use super::{super::schema::OpenError, STORE};

/// `ER_LOCK_WAIT_TIMEOUT`, `ER_LOCK_DEADLOCK`.
const LOCKED: [u16; 2] = [1205, 1213];
/// `ER_DISK_FULL`, `ER_RECORD_FILE_FULL`, `ER_DISK_FULL_NOWAIT`.
const FULL: [u16; 3] = [1021, 1114, 3675];
/// What contradicts the schema or the types (no such table, column or database, a broken constraint, a value that does not
/// fit) and what InnoDB calls corrupt (`ER_NOT_KEYFILE`, `ER_CRASHED_ON_USAGE`, `ER_CRASHED_ON_REPAIR`,
/// `ER_INDEX_CORRUPT`, `ER_INNODB_INDEX_CORRUPT`, `ER_TABLE_CORRUPT`).
const DAMAGE: [u16; 14] = [1034, 1049, 1054, 1062, 1146, 1194, 1195, 1264, 1406, 1712, 1817, 1877, 3819, 3140];
/// Refused while logging in: the account may not come in, or not from here, or not to this database; the database is
/// not there; the server is blocked for this host, or wants an encrypted way.
const REFUSED: [u16; 9] = [1044, 1045, 1049, 1129, 1130, 1251, 1698, 3118, 3159];
/// A COMMIT answered by these may have been done: `ER_ERROR_DURING_COMMIT`, `ER_SERVER_SHUTDOWN`,
/// `ER_QUERY_INTERRUPTED`, `ER_SESSION_WAS_KILLED`.
const UNSETTLED: [u16; 4] = [1180, 1053, 1317, 3169];

fn code(error: &Error) -> Option<u16> {
    match error {
        Error::Server(error) => Some(error.code),
        _ => None,
    }
}

/// Another transaction was in the way; this one is undone and may be tried again.
pub(super) fn is_locked(error: &Error) -> bool {
    code(error).is_some_and(|code| LOCKED.contains(&code))
}

/// The connection is gone, and with it whatever was not committed.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Io(_) | Error::Driver(DriverError::ConnectionClosed))
        || code(error).is_some_and(|code| [1053, 1317, 3169].contains(&code))
}

/// The server said no to a COMMIT: certainly nothing happened.
pub(super) fn is_settled(error: &Error) -> bool {
    code(error).is_some_and(|code| !UNSETTLED.contains(&code))
}

/// What an error means; `possibly`: a commit was sent and not answered.
pub(super) fn classify(error: Error, possibly: bool) -> StoreError {
    match code(&error) {
        Some(code) if FULL.contains(&code) => StoreError::DiskFull { store: STORE },
        Some(code) if DAMAGE.contains(&code) => StoreError::corrupt(STORE, error),
        _ if possibly => StoreError::uncertain(STORE, cause(error)),
        _ => StoreError::unavailable(STORE, cause(error)),
    }
}

/// The error without the layers of the driver, each of which says it again.
fn cause(error: Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        Error::Server(error) => error.into(),
        Error::Io(IoError::Io(error)) => error.into(),
        Error::Io(IoError::Tls(error)) => error.into(),
        Error::Driver(error) => error.into(),
        other => other.into(),
    }
}

/// What an error of the first connection means: it may be the configuration's fault.
pub(super) fn at_opening(error: Error) -> OpenError {
    let refused = code(&error).is_some_and(|code| REFUSED.contains(&code));
    let unfit = match &error {
        Error::Driver(
            DriverError::NoClientSslFlagFromServer
            | DriverError::UnknownAuthPlugin { .. }
            | DriverError::CleartextPluginDisabled
            | DriverError::MysqlOldPasswordDisabled
            | DriverError::NoKeyFound,
        )
        | Error::Url(_)
        | Error::Io(IoError::Tls(_)) => true,
        Error::Io(IoError::Io(error)) => {
            // What rustls finds wrong with a certificate comes wrapped.
            matches!(error.get_ref(), Some(inner) if inner.is::<rustls::Error>())
        }
        _ => false,
    };
    if refused || unfit { OpenError::configuration(STORE, error) } else { classify(error, false).into() }
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    fn server(code: u16) -> Error {
        Error::Server(ServerError { code, message: "words".into(), state: "HY000".into() })
    }

    fn lost() -> Error {
        std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()
    }

    #[test]
    fn errors_say_whether_the_thing_may_have_happened() {
        for code in FULL {
            assert!(matches!(classify(server(code), true), StoreError::DiskFull { .. }), "{code}");
        }
        assert!(matches!(classify(server(3819), false), StoreError::Corrupt { .. }));
        assert!(matches!(classify(server(1290), false), StoreError::Unavailable { .. }));
        assert!(matches!(classify(lost(), false), StoreError::Unavailable { .. }));
        assert!(matches!(classify(lost(), true), StoreError::Uncertain { .. }));
    }

    #[test]
    fn only_an_answer_settles_a_commit() {
        assert!(is_settled(&server(1213)) && is_settled(&server(1114)));
        for code in UNSETTLED {
            assert!(!is_settled(&server(code)), "{code}");
        }
        assert!(!is_settled(&lost()));
    }

    #[test]
    fn a_refused_login_is_a_fault_of_the_configuration() {
        for code in [1044, 1045, 1049] {
            assert!(matches!(at_opening(server(code)), OpenError::Configuration { .. }), "{code}");
        }
        assert!(matches!(at_opening(lost()), OpenError::Store(StoreError::Unavailable { .. })));
        assert!(matches!(at_opening(server(1040)), OpenError::Store(StoreError::Unavailable { .. })));
    }
}
