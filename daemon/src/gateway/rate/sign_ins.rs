//! What signing in through the gateway costs, and which attempts the audit trail hears of.
//!
//! What sends a secret that could be guessed pays before it is forwarded, whatever comes of it; before its form is read an
//! address that has nothing left is not listened to. What asks for a token pays when its answer is known. A
//! failure takes more. Questions whether somebody has signed in meanwhile are free up to their budget. Pages and their
//! resources cost what every request does.

use std::sync::Arc;

use async_trait::async_trait;
use axum::response::Response;
use wallet_core::journal::Network;

use super::{RateLimits, TooSoon};
use crate::{
    gateway::keycloak::{Attempt, Ended, Guard, Route},
    services::access::{AccessEvent, AccessLog},
};

/// The [`Guard`] in front of Keycloak.
#[derive(Clone)]
pub struct SignIns {
    /// The limits.
    pub limits: Arc<RateLimits>,
    /// Where failures are noted.
    pub access: Arc<dyn AccessLog>,
}

/// What an attempt pays in advance; none for what is no attempt.
fn paid(attempt: &Attempt<'_>) -> Option<u32> {
    match attempt.route {
        _ if attempt.guesses => Some(1),
        Route::Device | Route::Token | Route::Revoke => Some(0),
        _ => None,
    }
}

impl SignIns {
    async fn refuse(&self, attempt: &Attempt<'_>, why: TooSoon) -> Response {
        self.access.note(why.event(), Some(Network::of(attempt.address)));
        self.limits.refuse_late(why).await
    }
}

#[async_trait]
impl Guard for SignIns {
    async fn listens(&self, attempt: &Attempt<'_>) -> Result<(), Response> {
        if paid(attempt).is_none() {
            return Ok(());
        }
        match self.limits.listens(attempt.address).await {
            Ok(()) => Ok(()),
            Err(why) => Err(self.refuse(attempt, why).await),
        }
    }

    async fn admit(&self, attempt: &Attempt<'_>) -> Result<(), Response> {
        let Some(cost) = paid(attempt) else { return Ok(()) };
        match self.limits.attempt(attempt.address, attempt.client, cost).await {
            Ok(()) => Ok(()),
            Err(why) => Err(self.refuse(attempt, why).await),
        }
    }

    async fn ended(&self, attempt: &Attempt<'_>, how: Ended) {
        let Some(paid) = paid(attempt) else { return };
        let (address, client) = (attempt.address, attempt.client);
        let cost = match how {
            Ended::Polling if self.limits.is_free_to_wait(address, client).await => 0,
            Ended::Polling | Ended::Taken | Ended::Unknown => 1,
            Ended::Refused => self.limits.rates.failure_cost,
        };
        if how == Ended::Refused {
            let event = if attempt.guesses { AccessEvent::LoginRefused } else { AccessEvent::GrantRefused };
            self.access.note(event, Some(Network::of(address)));
        }
        self.limits.attempted(address, client, cost.saturating_sub(paid)).await;
    }
}
