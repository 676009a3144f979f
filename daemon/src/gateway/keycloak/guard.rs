//! What the rate limit of sign-ins sees of a request that is forwarded, before and after.

use std::net::IpAddr;

use async_trait::async_trait;
use axum::response::Response;

use super::allowed::Route;

/// A request that is about to be forwarded.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Where it comes from.
    pub address: IpAddr,
    /// What it is for.
    pub route: Route,
    /// The OAuth client it names; nobody has proved to be it yet.
    pub client: Option<&'a str>,
    /// It sends a secret that could be guessed: a password, a one-time password, a user code.
    pub guesses: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was taken.
    Taken,
    /// A client polls, as it should: `authorization_pending` or `slow_down`.
    Polling,
    /// It was refused.
    Refused,
    /// Keycloak did not answer, or has a fault: nobody's attempt was judged.
    Unknown,
}

/// Limits attempts to sign in.
#[async_trait]
pub trait Guard: Send + Sync {
    /// Is its address listened to? Asked before a form is read, so its client is not known yet; if not, what to answer.
    async fn listens(&self, attempt: &Attempt<'_>) -> Result<(), Response>;

    /// May it be forwarded? If not, what to answer.
    async fn admit(&self, attempt: &Attempt<'_>) -> Result<(), Response>;

    /// How an attempt ended that was admitted and forwarded, whether or not its client is still there to hear of it.
    async fn ended(&self, attempt: &Attempt<'_>, how: Ended);
}
