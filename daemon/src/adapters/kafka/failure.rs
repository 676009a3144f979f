//! Why something with Kafka failed, by code.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use wallet_core::ports::StoreError;

use super::STORE;

/// Why something failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The client library or a broker says no.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A client cannot be made of this configuration.
    #[error("{0}")]
    Client(String),
    /// It was not over in time.
    #[error("no answer in time")]
    Slow,
    /// This daemon does not publish now.
    #[error("this daemon is not the one that publishes: it has to lead first")]
    NotLeading,
    /// Another publisher took over.
    #[error("another relay publishes now; this one was fenced off")]
    Fenced,
    /// The journal topic is not the one that was published to.
    #[error("the journal topic was deleted or made anew; publishing begins anew as well")]
    Anew,
    /// The journal topic is there with more than one partition.
    #[error("the topic {0} has {1} partitions; the journal needs exactly one, so delete it or use another prefix")]
    Partitions(String, usize),
    /// The topic carries another ledger.
    #[error("the journal topic carries ledger {0}; use another prefix for this one")]
    Ledger(String),
    /// It may have happened.
    #[error("the answer to a commit was lost: {0}")]
    Uncertain(KafkaError),
    /// A task of this program ended early.
    #[error("a task ended early")]
    Task,
}

impl Failure {
    /// A failure of a transaction's commit: whether it happened is known only where the coordinator said no.
    pub(super) fn of_commit(error: KafkaError) -> Self {
        let KafkaError::Transaction(reason) = &error else { return Self::Uncertain(error) };
        if is_fenced(&error) {
            Self::Fenced
        } else if reason.is_fatal() || reason.txn_requires_abort() {
            Self::Kafka(error)
        } else {
            Self::Uncertain(error)
        }
    }

    /// A failure before a commit was asked for.
    pub(super) fn of_publishing(error: KafkaError) -> Self {
        if is_fenced(&error) { Self::Fenced } else { Self::Kafka(error) }
    }
}

/// True if an error says that a younger publisher has taken over.
fn is_fenced(error: &KafkaError) -> bool {
    let code = match error {
        KafkaError::Transaction(reason) => Some(reason.code()),
        other => other.rdkafka_error_code(),
    };
    matches!(
        code,
        Some(
            RDKafkaErrorCode::Fenced
                | RDKafkaErrorCode::ProducerFenced
                | RDKafkaErrorCode::InvalidProducerEpoch
                | RDKafkaErrorCode::TransactionCoordinatorFenced
        )
    )
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match &failure {
            Failure::Uncertain(_) => Self::uncertain(STORE, failure),
            Failure::Partitions(..) | Failure::Ledger(_) => Self::corrupt(STORE, failure),
            _ => Self::unavailable(STORE, failure),
        }
    }
}
