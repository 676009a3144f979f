use std::{num::NonZeroU32, time::Duration};

use async_trait::async_trait;

use super::StoreError;

/// What the limiter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allowed,
    /// Not before so long.
    Wait(Duration),
}

/// How fast each key's bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens a second.
    pub per_second: NonZeroU32,
    /// Tokens at once.
    pub burst: NonZeroU32,
}

/// Token buckets by key. The number of keys it remembers is bounded.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Takes one token of a key's bucket.
    async fn take(&self, key: &str) -> Result<Verdict, StoreError>;
}
