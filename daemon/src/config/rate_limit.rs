//! `[rate_limit]`: who may call how often.
//!
//! On the Unix socket the kernel vouches for the user: one bucket a user limits arrivals, attempts and subjects alike. On
//! TCP a request passes, in this order, the bucket of its address, those of signing in, and, once a token is verified,
//! that of its subject.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// Far above what one machine does: stops only a caller that has gone wild.
const WILD: Bucket = Bucket { per_second: 200_000, burst: 400_000 };
/// An address may be a whole site behind one router, or one host that runs batches; a flood is far above both.
const ADDRESS: Bucket = Bucket { per_second: 5_000, burst: 20_000 };
/// Failures of all clients behind one address: four a second for ever, and 80 at once.
const SIGN_IN: Bucket = Bucket { per_second: 20, burst: 400 };
/// Failures of one client behind one address: one a second, and 20 at once. A job with an old secret stops itself, not its
/// neighbours.
const CLIENT: Bucket = Bucket { per_second: 5, burst: 100 };
/// Ten people of one address sign in at a time, each asked every second whether they are done.
const PENDING: Bucket = Bucket { per_second: 10, burst: 600 };
/// Tokens that a failure takes.
const FAILURE_COST: u32 = 5;
/// How long a refusal is held back, in milliseconds: a client that does not wait is slowed to its connections over this.
const REFUSAL_DELAY_MS: u64 = 250;

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
    /// Of a user on the socket.
    pub socket: Bucket,
    /// Of an address (/64 of IPv6) on TCP, before anything is known about the caller.
    pub address: Bucket,
    /// Of an address: refused tokens and attempts to sign in.
    pub sign_in: Bucket,
    /// Of one client behind an address: refused tokens and attempts to sign in.
    pub client: Bucket,
    /// Of one client behind an address: answers "not yet" while somebody signs in, which cost nothing up to this.
    pub pending: Bucket,
    /// Of a subject, once a token has been verified.
    pub subject: Bucket,
    /// Tokens that a refused token or a failed attempt to sign in takes; another attempt takes one.
    pub failure_cost: u32,
    /// Daemons that share the limits. Without their server each enforces its part.
    pub replicas: u32,
    /// Milliseconds that a refusal on TCP is held back.
    pub refusal_delay_ms: u64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            socket: WILD,
            address: ADDRESS,
            sign_in: SIGN_IN,
            client: CLIENT,
            pending: PENDING,
            subject: WILD,
            failure_cost: FAILURE_COST,
            replicas: 1,
            refusal_delay_ms: REFUSAL_DELAY_MS,
        }
    }
}

impl RateLimit {
    /// How long a refusal is held back.
    pub fn refusal_delay(&self) -> Duration {
        Duration::from_millis(self.refusal_delay_ms)
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        let range = 1..=10_000_000;
        Invalid::range("rate_limit.socket.per_second", &self.socket.per_second, range.clone())?;
        Invalid::range("rate_limit.socket.burst", &self.socket.burst, range.clone())?;
        Invalid::range("rate_limit.address.per_second", &self.address.per_second, range.clone())?;
        Invalid::range("rate_limit.address.burst", &self.address.burst, range.clone())?;
        Invalid::range("rate_limit.sign_in.per_second", &self.sign_in.per_second, range.clone())?;
        Invalid::range("rate_limit.sign_in.burst", &self.sign_in.burst, range.clone())?;
        Invalid::range("rate_limit.client.per_second", &self.client.per_second, range.clone())?;
        Invalid::range("rate_limit.client.burst", &self.client.burst, range.clone())?;
        Invalid::range("rate_limit.pending.per_second", &self.pending.per_second, range.clone())?;
        Invalid::range("rate_limit.pending.burst", &self.pending.burst, range.clone())?;
        Invalid::range("rate_limit.subject.per_second", &self.subject.per_second, range.clone())?;
        Invalid::range("rate_limit.subject.burst", &self.subject.burst, range)?;
        Invalid::range("rate_limit.failure_cost", &self.failure_cost, 1..=1_000)?;
        Invalid::range("rate_limit.replicas", &self.replicas, 1..=1_000)?;
        Invalid::range("rate_limit.refusal_delay_ms", &self.refusal_delay_ms, 0..=10_000)
    }
}
