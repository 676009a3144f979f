//! The way into the ledger for every service that writes.

use async_trait::async_trait;
use wallet_core::{command::Request, outcome::Answer, ports::StoreError};

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The ledger did not do it, or its answer was lost: the variant tells.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too much waits already; nothing happened.
    #[error("too many commands wait to be committed")]
    Overloaded,
    /// The daemon is stopping; nothing happened.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Takes requests to the one writer.
#[async_trait]
pub trait Commits: Send + Sync {
    /// Queues a request and waits until it is durable (or refused).
    async fn submit(&self, request: Request) -> Result<Answer, SubmitError>;
}
