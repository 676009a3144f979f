//! Token buckets in process.
//!
//! Buckets live in a bounded cache, so that a caller who invents keys costs nothing but its own: the
//! keys in use stay, the ones used once go first. A forgotten key starts with a full bucket again.

use std::sync::Arc;

use async_trait::async_trait;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter as Bucket, clock::Clock as _};
use quick_cache::sync::Cache;
pub use wallet_core::ports::Rate;
use wallet_core::ports::{RateLimiter, StoreError, Verdict};

/// Most keys remembered: some 10 MB of them at worst.
const MAX_KEYS: usize = 50_000;

/// The [`RateLimiter`] of one process.
pub struct LocalLimiter {
    quota: Quota,
    buckets: Cache<String, Arc<DefaultDirectRateLimiter>>,
}

impl LocalLimiter {
    /// A limiter whose buckets are full.
    pub fn new(rate: Rate) -> Self {
        Self::with_keys(rate, MAX_KEYS)
    }

    fn with_keys(rate: Rate, keys: usize) -> Self {
        Self { quota: Quota::per_second(rate.per_second).allow_burst(rate.burst), buckets: Cache::new(keys) }
    }
}

#[async_trait]
impl RateLimiter for LocalLimiter {
    async fn take(&self, key: &str) -> Result<Verdict, StoreError> {
        let bucket = match self.buckets.get(key) {
            Some(bucket) => bucket,
            None => {
                self.buckets.get_or_insert_with(key, || Ok::<_, StoreError>(Arc::new(Bucket::direct(self.quota))))?
            }
        };
        Ok(match bucket.check() {
            Ok(()) => Verdict::Allowed,
            Err(until) => Verdict::Wait(until.wait_time_from(governor::clock::DefaultClock::default().now())),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn rate(per_second: u32, burst: u32) -> Rate {
        Rate { per_second: NonZeroU32::new(per_second).unwrap(), burst: NonZeroU32::new(burst).unwrap() }
    }

    #[tokio::test]
    async fn each_key_has_its_own_bucket() {
        let limiter = LocalLimiter::new(rate(1, 2));
        assert_eq!(limiter.take("a").await.unwrap(), Verdict::Allowed);
        assert_eq!(limiter.take("a").await.unwrap(), Verdict::Allowed);
        let Verdict::Wait(wait) = limiter.take("a").await.unwrap() else { panic!("a third token of two") };
        assert!(wait.as_millis() <= 1_000 && wait.as_millis() > 500, "{wait:?}");
        assert_eq!(limiter.take("b").await.unwrap(), Verdict::Allowed);
    }

    #[tokio::test]
    async fn the_number_of_keys_is_bounded() {
        let limiter = LocalLimiter::with_keys(rate(1, 1), 100);
        for key in 0..10_000 {
            assert_eq!(limiter.take(&key.to_string()).await.unwrap(), Verdict::Allowed);
        }
        assert!(limiter.buckets.len() <= 100);
    }
}
