use std::{num::NonZeroU32, time::Duration};

use async_trait::async_trait;

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds until one more token is there; never 0.
    each: u64,
    burst: NonZeroU32,
}

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

impl Rate {
    /// So many tokens a second, and so many at once.
    pub fn per_second(tokens: NonZeroU32, burst: NonZeroU32) -> Self {
        Self { each: SECOND.checked_div(u64::from(tokens.get())).unwrap_or(SECOND).max(1), burst }
    }

    /// One token every so often, and so many at once.
    pub fn every(each: Duration, burst: NonZeroU32) -> Self {
        Self { each: u64::try_from(each.as_nanos()).unwrap_or(u64::MAX).max(1), burst }
    }

    /// The part of it that one of so many replicas may give by itself: together they give no more than this rate. Each
    /// lets at least one through.
    #[must_use]
    pub fn share(self, replicas: NonZeroU32) -> Self {
        let burst = NonZeroU32::new(self.burst.get().checked_div(replicas.get()).unwrap_or(1));
        Self { each: self.each.saturating_mul(u64::from(replicas.get())), burst: burst.unwrap_or(NonZeroU32::MIN) }
    }

    /// Nanoseconds until one more token is there.
    pub fn each(self) -> u64 {
        self.each
    }

    /// Tokens at once.
    pub fn burst(self) -> u32 {
        self.burst.get()
    }

    /// Nanoseconds until an empty bucket is full.
    pub fn span(self) -> u64 {
        self.of(self.burst.get())
    }

    /// Nanoseconds in which so many tokens come back.
    pub fn of(self, tokens: u32) -> u64 {
        self.each.saturating_mul(u64::from(tokens))
    }
}

/// What is taken of one bucket.
#[derive(Clone, Copy, Debug)]
pub struct Take<'a> {
    /// What is limited: buckets of two limits have nothing to do with each other.
    pub limit: &'static str,
    /// Whose bucket it is.
    pub whose: &'a str,
    /// Which of its owner's, if there are several.
    pub part: Option<&'a str>,
    /// How fast it fills. Every take of a bucket is to say the same.
    pub rate: Rate,
    /// Tokens. 0 takes none and is refused while there is none.
    pub cost: u32,
}

/// What the limiter says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allowed {
        /// Tokens left in the first bucket, as far as is known here.
        left: u32,
    },
    /// Not before so long.
    Wait {
        /// The place of the take that was refused.
        place: usize,
        /// How long.
        wait: Duration,
    },
}

impl Verdict {
    /// True for "go on".
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::Allowed { .. })
    }
}

/// Whether others have a part in the same buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody has.
    Own,
    /// All replicas have.
    Shared,
    /// All should have, but what they share does not answer: each enforces its part of the rates.
    CutOff,
}

/// Token buckets. The number of them that is remembered is bounded; a forgotten bucket is full again. A limiter never
/// fails: where it cannot ask others it judges by itself, and says so.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Takes from every bucket, or from none of them. The takes of one call have one owner (`whose`).
    async fn take(&self, takes: &[Take<'_>]) -> Verdict;

    /// Takes for what has happened already: never refused. A bucket may be left owing as much as it holds, so that what
    /// comes next waits the longer.
    async fn charge(&self, takes: &[Take<'_>]);

    /// Who else has a part in it now.
    fn sharing(&self) -> Sharing;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    #[test]
    fn shares_add_up_to_no_more_than_the_rate() {
        for (per_second, burst, replicas) in [(200_000, 400_000, 3), (5, 60, 7), (1, 3, 4), (10_000_000, 1, 1)] {
            let rate = Rate::per_second(number(per_second), number(burst));
            let share = rate.share(number(replicas));
            assert!(share.each() >= rate.each() * u64::from(replicas));
            assert!(share.burst() * replicas <= burst.max(replicas), "{share:?}");
        }
        assert_eq!(Rate::per_second(number(200_000), number(1)).each(), 5_000);
        assert_eq!(Rate::every(Duration::from_hours(1), number(2)).span(), 7_200 * SECOND);
    }
}
