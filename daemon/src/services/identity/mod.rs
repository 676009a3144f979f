//! Auth User Service: who a caller is, by the token it brings.

mod caller;

use async_trait::async_trait;

pub use self::caller::{Caller, Permission, Role};

/// Why a token was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The token is not good: why is for the log and the audit trail.
    #[error("the token is not valid: {0}")]
    Invalid(&'static str),
    /// No keys to judge it by are at hand: the issuer does not answer.
    #[error("the issuer's keys are not at hand")]
    NoKeys,
}

/// Tells who bears a token.
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// Verifies a bearer token.
    async fn authenticate(&self, token: &str) -> Result<Caller, Refusal>;
}
