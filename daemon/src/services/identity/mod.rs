//! Auth User Service: who a caller is, by the token it brings.
//!
//! A token is taken only if the configured issuer signed it, for this deployment, for a client that is allowed here,
//! and it has not ended: `tokens` judges it, by the keys that `issuer` keeps fresh, and `mapping` says what its
//! bearer is. Nothing a token says is believed, stored or logged before its signature is verified.
//!
//! Costs: a token seen before is a hash and a look-up, about a microsecond; a new one is one signature.

mod access;
mod caller;
mod issuer;
mod keys;
mod mapping;
mod signatures;
mod tokens;

#[cfg(test)]
mod tests;

use async_trait::async_trait;

pub use self::{
    access::Reason,
    caller::{Bearer, Caller, Permission, Role},
    issuer::{Issuer, IssuerError, Look, Place},
    mapping::{Grant, Mapping},
    tokens::{Expected, Tokens},
};

/// Why a token was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The token is not good.
    #[error("the token is not taken: {0}")]
    Invalid(Reason),
    /// No keys to judge it by are at hand: the issuer does not answer.
    #[error("the issuer's keys are not at hand: it does not answer")]
    NoKeys,
}

/// Tells who bears a token.
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// The bearer of a token that was verified before and still counts: a look-up, nobody is asked.
    fn known(&self, token: &str) -> Option<Caller>;

    /// Verifies a bearer token.
    async fn authenticate(&self, token: &str) -> Result<Caller, Refusal>;
}
