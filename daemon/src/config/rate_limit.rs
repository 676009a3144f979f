//! `[rate_limit]`: who may call how often.
//!
//! On the Unix socket a caller's address is its user, which the kernel vouches for: one bucket limits
//! addresses, attempts to sign in and subjects alike. The others are for TCP.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// Far above what one machine does: the usual buckets stop only a caller that has gone wild.
const USUAL: Bucket = Bucket { per_second: 200_000, burst: 400_000 };
/// Somebody who signs in polls every few seconds; a site behind one address has a few such at a time.
const SIGNING_IN: Bucket = Bucket { per_second: 5, burst: 60 };

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Requests a second in the long run.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

/// Who may call how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// By where the connection comes from, before anything is known about the caller.
    pub address: Bucket,
    /// Attempts to sign in, and refused tokens, by address and by address and client.
    pub sign_in: Bucket,
    /// By who the caller is, once a token has been verified.
    pub subject: Bucket,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { address: USUAL, sign_in: SIGNING_IN, subject: USUAL }
    }
}

impl RateLimit {
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        let range = 1..=10_000_000;
        Invalid::range("rate_limit.address.per_second", &self.address.per_second, range.clone())?;
        Invalid::range("rate_limit.address.burst", &self.address.burst, range.clone())?;
        Invalid::range("rate_limit.sign_in.per_second", &self.sign_in.per_second, range.clone())?;
        Invalid::range("rate_limit.sign_in.burst", &self.sign_in.burst, range.clone())?;
        Invalid::range("rate_limit.subject.per_second", &self.subject.per_second, range.clone())?;
        Invalid::range("rate_limit.subject.burst", &self.subject.burst, range)
    }
}
