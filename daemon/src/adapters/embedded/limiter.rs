//! The rate limiter of one process: buckets nobody else has a part in.

use async_trait::async_trait;
use wallet_core::ports::{RateLimiter, Sharing, Take, Verdict};

use crate::adapters::buckets::Buckets;

/// The [`RateLimiter`] of one process.
#[derive(Debug, Default)]
pub struct LocalLimiter(Buckets);

#[async_trait]
impl RateLimiter for LocalLimiter {
    async fn take(&self, takes: &[Take<'_>]) -> Verdict {
        self.0.take(takes)
    }

    async fn charge(&self, takes: &[Take<'_>]) {
        self.0.charge(takes);
    }

    fn sharing(&self) -> Sharing {
        Sharing::Own
    }
}
