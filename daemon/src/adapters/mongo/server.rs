//! The way to the server: client, time limits, and what errors mean, by their kinds and codes.

use std::{future::IntoFuture, time::Duration};

use mongodb::{
    Client, Collection, Database,
    action::{Action as _, Find},
    bson::{Document, RawDocumentBuf, doc},
    error::{Error, ErrorKind, WriteFailure},
    options::{Acknowledgment, ClientOptions, Tls as MongoTls, TlsOptions, WriteConcern},
};
use wallet_core::ports::StoreError;

use super::STORE;
use crate::adapters::{
    connection::{Connection, Tls},
    schema::OpenError,
};

/// Longest wait for a server that can be written to: one that is down is to be said so quickly; an election takes longer,
/// and whoever follows the journal comes again.
const SELECTION: Duration = Duration::from_secs(2);
/// A connection that idles longer is closed.
const LONGEST_IDLE: Duration = Duration::from_mins(5);

/// Most documents asked for in one answer; what an answer holds the server bounds at 16 MB anyway.
const MOST_AT_ONCE: u32 = 10_000;

/// `DuplicateKey`.
const DUPLICATE: i32 = 11_000;
/// `Unauthorized`.
const UNAUTHORIZED: i32 = 13;
/// `AuthenticationFailed`, `UserNotFound`.
const NO_LOGIN: [i32; 2] = [18, 11];
/// `NamespaceNotFound`.
const NO_COLLECTION: i32 = 26;
/// `IndexAlreadyExists`.
const INDEXED: i32 = 68;
/// Another client makes, or drops, what is being made: `InternalError` (FerretDB's word for whatever it did not foresee),
/// `NamespaceNotFound`, `ConflictingOperationInProgress`, `IndexBuildAborted`, `BackgroundOperationInProgressForNamespace`.
const COMPANY: [i32; 5] = [1, NO_COLLECTION, 117, 276, 12_587];
/// `OutOfDiskSpace`, `QuotaExceeded`.
const FULL: [i32; 2] = [14_031, 12_501];
/// A server that goes down, steps down or is cut off from the others answers so; what it was doing may have been done:
/// `HostUnreachable`, `HostNotFound`, `NetworkTimeout`, `ShutdownInProgress`, `PrimarySteppedDown`, `ExceededTimeLimit`,
/// `SocketException`, `InterruptedAtShutdown`, `InterruptedDueToReplStateChange`, `MaxTimeMSExpired`.
const UNSETTLED: [i32; 10] = [6, 7, 89, 91, 189, 262, 9_001, 11_600, 11_602, 50];

/// Why the server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error(transparent)]
    Server(#[from] Error),
    #[error("it did not answer in time")]
    Late,
}

impl Refused {
    fn kind(&self) -> Option<&ErrorKind> {
        match self {
            Self::Server(error) => Some(&error.kind),
            Self::Late => None,
        }
    }

    /// The code the server gave.
    fn code(&self) -> Option<i32> {
        match self.kind()? {
            ErrorKind::Command(error) => Some(error.code),
            ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
            ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
            ErrorKind::InsertMany(error) => {
                let first = error.write_errors.as_ref().and_then(|errors| errors.first()).map(|error| error.code);
                first.or_else(|| error.write_concern_error.as_ref().map(|error| error.code))
            }
            _ => None,
        }
    }

    pub(super) fn is_duplicate(&self) -> bool {
        self.code() == Some(DUPLICATE)
    }

    pub(super) fn is_unauthorized(&self) -> bool {
        self.code() == Some(UNAUTHORIZED)
    }

    pub(super) fn is_no_such_collection(&self) -> bool {
        self.code() == Some(NO_COLLECTION)
    }

    /// An index was to be made that is there.
    pub(super) fn is_there_already(&self) -> bool {
        self.code() == Some(INDEXED)
    }

    /// It may have failed only because another client did the same at that moment.
    pub(super) fn is_of_company(&self) -> bool {
        self.is_lost() || self.code().is_some_and(|code| COMPANY.contains(&code))
    }

    /// The connection broke, or the server went away while it was at it.
    pub(super) fn is_lost(&self) -> bool {
        let broken = matches!(self.kind(), Some(ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. }));
        broken || self.code().is_some_and(|code| UNSETTLED.contains(&code))
    }

    /// Whether a write may have been done all the same.
    fn is_unsettled(&self) -> bool {
        match self.kind() {
            // The last: done, but not acknowledged as durable.
            None
            | Some(
                ErrorKind::Io(_)
                | ErrorKind::InvalidResponse { .. }
                | ErrorKind::Internal { .. }
                | ErrorKind::Write(WriteFailure::WriteConcernError(_)),
            ) => true,
            Some(ErrorKind::InsertMany(error)) => error.write_concern_error.is_some(),
            _ => self.code().is_some_and(|code| UNSETTLED.contains(&code)),
        }
    }

    /// For a read: nothing can have happened.
    pub(super) fn into_read(self) -> StoreError {
        self.into_write_if(false)
    }

    /// For a write; `before`: an earlier attempt may have been done.
    pub(super) fn into_write(self, before: bool) -> StoreError {
        let possibly = before || self.is_unsettled();
        self.into_write_if(possibly)
    }

    fn into_write_if(self, possibly: bool) -> StoreError {
        if self.code().is_some_and(|code| FULL.contains(&code)) {
            return StoreError::DiskFull { store: STORE };
        }
        match self.kind() {
            Some(ErrorKind::Bson(_)) => StoreError::corrupt(STORE, self),
            _ if possibly => StoreError::uncertain(STORE, self),
            _ => StoreError::unavailable(STORE, self),
        }
    }
}

/// What an error of the first connection means: it may be the configuration's fault.
pub(super) fn at_opening(refused: Refused) -> OpenError {
    let unfit = matches!(
        refused.kind(),
        Some(
            ErrorKind::Authentication { .. }
                | ErrorKind::InvalidArgument { .. }
                | ErrorKind::InvalidTlsConfig { .. }
                | ErrorKind::IncompatibleServer { .. }
        )
    );
    if refused.is_unauthorized() {
        let why = format!(
            "its account may not do what is needed (find, insert, createIndex, listIndexes, listCollections): {refused}"
        );
        return OpenError::configuration(STORE, why);
    }
    if unfit || refused.code().is_some_and(|code| NO_LOGIN.contains(&code)) {
        return OpenError::configuration(STORE, refused);
    }
    refused.into_read().into()
}

/// Time limits: each question to the server has one, on both sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    timeout: Duration,
}

impl Limits {
    /// Asks for something that changes nothing.
    pub(super) async fn read<T>(&self, question: impl IntoFuture<Output = Result<T, Error>>) -> Result<T, Refused> {
        Ok(tokio::time::timeout(self.timeout, question.into_future()).await.map_err(|_| Refused::Late)??)
    }

    /// Asks for a change: [`Refused::into_write`] says whether it may have happened.
    pub(super) async fn write<T>(&self, change: impl IntoFuture<Output = Result<T, Error>>) -> Result<T, Refused> {
        self.read(change).await
    }

    /// Every document that matches, by `_id` in this order, at most `limit`.
    pub(super) async fn all(
        &self,
        records: &Collection<RawDocumentBuf>,
        filter: Document,
        order: i32,
        limit: usize,
    ) -> Result<Vec<RawDocumentBuf>, Refused> {
        self.found(records, filter, order, limit, None).await
    }

    /// The hashes of every document that matches.
    pub(super) async fn hashes(
        &self,
        records: &Collection<RawDocumentBuf>,
        filter: Document,
        limit: usize,
    ) -> Result<Vec<RawDocumentBuf>, Refused> {
        self.found(records, filter, 1, limit, Some(doc! { "hash": 1 })).await
    }

    async fn found(
        &self,
        records: &Collection<RawDocumentBuf>,
        filter: Document,
        order: i32,
        limit: usize,
        fields: Option<Document>,
    ) -> Result<Vec<RawDocumentBuf>, Refused> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let reading = async {
            let find = records.find(filter).sort(doc! { "_id": order }).max_time(self.timeout);
            let find = find.limit(i64::try_from(limit).unwrap_or(i64::MAX));
            // In one answer, as far as it fits; the server cuts larger ones.
            let find = find
                .batch_size(u32::try_from(limit).unwrap_or(u32::MAX).min(MOST_AT_ONCE))
                .optional(fields, Find::projection);
            let mut cursor = find.await?;
            let mut found = Vec::new();
            while cursor.advance().await? {
                found.push(cursor.current().to_owned());
            }
            Ok(found)
        };
        self.read(reading).await
    }
}

/// The database of a URL, and the limits that go with it. Connects nowhere yet.
pub(super) async fn database(connection: &Connection) -> Result<(Database, Limits), OpenError> {
    let url = &connection.url;
    if url.path().is_empty() {
        return Err(OpenError::configuration(STORE, "its URL names no database: mongodb://user@host/database"));
    }
    // For mongodb+srv this asks the name service.
    let parsing = ClientOptions::parse(url.with_password());
    let parsed = tokio::time::timeout(connection.timeout, parsing.into_future()).await;
    let mut options = parsed.map_err(|_| at_opening(Refused::Late))?.map_err(|error| at_opening(error.into()))?;
    options.tls = Some(match &connection.tls {
        Some(tls) => MongoTls::Enabled(encrypted(tls)?),
        None => MongoTls::Disabled,
    });
    options.app_name.get_or_insert_with(|| "walletd".to_owned());
    options.max_pool_size = Some(u32::try_from(connection.pool.max(1)).unwrap_or(u32::MAX));
    options.connect_timeout = Some(connection.timeout);
    options.server_selection_timeout = Some(SELECTION.min(connection.timeout));
    options.max_idle_time = Some(LONGEST_IDLE);
    let durable = WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        // Over before the caller stops waiting, so that the answer is the server's.
        .w_timeout(connection.timeout.mul_f32(0.9))
        .build();
    options.write_concern = Some(durable);
    let client = Client::with_options(options).map_err(|error| at_opening(error.into()))?;
    Ok((client.database(url.path()), Limits { timeout: connection.timeout }))
}

/// Without a `ca_file` the driver trusts Mozilla's authorities, not the system's.
fn encrypted(tls: &Tls) -> Result<TlsOptions, OpenError> {
    // The same reading as everyone's finds a file that cannot be used now, not at the first connection.
    tls.rustls(STORE)?;
    let mut options = TlsOptions::default();
    options.ca_file_path.clone_from(&tls.ca_file);
    if let Some(identity) = &tls.identity {
        if identity.cert_file != identity.key_file {
            let why =
                "MongoDB's client takes certificate and key from one PEM file: name it as cert_file and as key_file";
            return Err(OpenError::configuration(STORE, why));
        }
        options.cert_key_file_path = Some(identity.cert_file.clone());
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(code: i32) -> Refused {
        let said = json!({ "code": code, "codeName": "Name", "errmsg": "words" });
        Error::from(ErrorKind::Command(serde_json::from_value(said).unwrap())).into()
    }

    fn inserting(write_errors: &[i32], concern: Option<i32>) -> Refused {
        let errors: Vec<_> =
            write_errors.iter().map(|code| json!({ "index": 0, "code": code, "errmsg": "x" })).collect();
        let concern = concern.map(|code| json!({ "code": code, "codeName": "Name", "errmsg": "x" }));
        let said = json!({ "writeErrors": errors, "writeConcernError": concern });
        Error::from(ErrorKind::InsertMany(serde_json::from_value(said).unwrap())).into()
    }

    fn broken() -> Refused {
        Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset)).into()
    }

    #[test]
    fn errors_say_whether_the_thing_may_have_happened() {
        for code in FULL {
            assert!(matches!(said(code).into_write(false), StoreError::DiskFull { .. }), "{code}");
        }
        for code in UNSETTLED {
            assert!(matches!(said(code).into_write(false), StoreError::Uncertain { .. }), "{code}");
            assert!(matches!(said(code).into_read(), StoreError::Unavailable { .. }), "{code}");
        }
        // A server that is no primary has done nothing.
        assert!(matches!(said(10_107).into_write(false), StoreError::Unavailable { .. }));
        assert!(matches!(said(10_107).into_write(true), StoreError::Uncertain { .. }), "an earlier attempt may have");
        assert!(matches!(broken().into_write(false), StoreError::Uncertain { .. }) && broken().is_lost());
        assert!(matches!(broken().into_read(), StoreError::Unavailable { .. }));
        assert!(matches!(Refused::Late.into_write(false), StoreError::Uncertain { .. }));
    }

    #[test]
    fn an_insert_is_refused_for_a_duplicate_or_may_have_been_done() {
        assert!(inserting(&[DUPLICATE], None).is_duplicate());
        assert!(!inserting(&[121], None).is_duplicate());
        // Done, but the majority did not say so in time.
        assert!(matches!(inserting(&[], Some(64)).into_write(false), StoreError::Uncertain { .. }));
        assert!(matches!(inserting(&[121], None).into_write(false), StoreError::Unavailable { .. }));
    }

    #[test]
    fn an_index_that_another_client_makes_is_done_or_tried_again_by_its_code() {
        assert!(said(INDEXED).is_there_already() && !said(INDEXED).is_of_company());
        for code in COMPANY {
            assert!(said(code).is_of_company() && !said(code).is_there_already(), "{code}");
        }
        assert!(broken().is_of_company());
        // Another index by this name, an account that may not: nothing that passes.
        for code in [86, UNAUTHORIZED] {
            assert!(!said(code).is_of_company() && !said(code).is_there_already(), "{code}");
        }
    }

    #[test]
    fn an_account_that_may_not_is_a_fault_of_the_configuration() {
        assert!(said(UNAUTHORIZED).is_unauthorized());
        for code in [UNAUTHORIZED, 18] {
            assert!(matches!(at_opening(said(code)), OpenError::Configuration { .. }), "{code}");
        }
        assert!(matches!(at_opening(broken()), OpenError::Store(StoreError::Unavailable { .. })));
    }
}
