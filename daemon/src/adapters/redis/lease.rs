//! Tokens taken in advance: what one answer of the server is good for.
//!
//! Asking for every request would cost a round trip each. So a little more is taken than is needed, and what follows is
//! served from that in process. How much more follows the use: it doubles while it is used up soon and halves when it is
//! not, so that a bucket used once leaves next to nothing lying about, and a busy one costs some twenty calls a second. What
//! is not used in time is given up: it comes back with time, as everything in a bucket does.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use quick_cache::sync::Cache;
use wallet_core::ports::{Rate, Take};

use crate::adapters::buckets::{Id, MAX_BUCKETS, Names};

/// How long tokens taken in advance are good.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// A portion is at most what comes back in this time, in nanoseconds: 50 ms.
const PORTION_TIME: u64 = 50_000_000;
/// A portion is at most this part of what a bucket holds, so that the replicas do not hold it all.
const PORTION_PART: u32 = 16;
/// The first portion.
const FIRST: u32 = 8;

/// What one bucket has in advance.
#[derive(Debug)]
pub(super) struct Lease {
    tokens: u32,
    good_until: Instant,
    /// How much is taken in advance next time.
    portion: u32,
    /// Somebody asks for more already.
    asking: bool,
}

impl Lease {
    fn tokens(&self, now: Instant) -> u32 {
        if self.good_until > now { self.tokens } else { 0 }
    }
}

/// What is in advance, by bucket.
#[derive(Debug)]
pub(super) struct Leases {
    names: Names,
    leases: Cache<Id, Arc<Mutex<Lease>>>,
}

/// What a take from the leases came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Took {
    /// There was enough.
    Enough,
    /// There was, and it is time to see to more.
    Low,
    /// There was too little; nothing was taken.
    TooLittle,
}

/// The most that is ever taken in advance; 0 for a bucket that is too small or too slow for it.
fn most(rate: Rate) -> u32 {
    let in_time = u32::try_from(PORTION_TIME / rate.each()).unwrap_or(u32::MAX);
    in_time.min(rate.burst() / PORTION_PART)
}

fn locked(lease: &Mutex<Lease>) -> MutexGuard<'_, Lease> {
    // Assignments only; a poisoned lease is a whole one.
    lease.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Leases {
    pub(super) fn new() -> Self {
        Self { names: Names::default(), leases: Cache::new(MAX_BUCKETS) }
    }

    fn of(&self, take: &Take<'_>) -> Option<Arc<Mutex<Lease>>> {
        self.leases.get(&self.names.of(take))
    }

    /// Takes of all, or of none.
    pub(super) fn take(&self, takes: &[Take<'_>], now: Instant) -> Took {
        let mut took = Took::Enough;
        for (place, take) in takes.iter().enumerate() {
            let one = self.of(take).map_or(Took::TooLittle, |lease| {
                let mut lease = locked(&lease);
                let Some(left) = lease.tokens(now).checked_sub(take.cost) else { return Took::TooLittle };
                lease.tokens = left;
                if left < lease.portion / 4 && !lease.asking {
                    lease.asking = true;
                    return Took::Low;
                }
                Took::Enough
            });
            match one {
                Took::Enough => {}
                Took::Low => took = Took::Low,
                Took::TooLittle => {
                    for taken in takes.iter().take(place) {
                        if let Some(lease) = self.of(taken) {
                            let mut lease = locked(&lease);
                            lease.tokens = lease.tokens.saturating_add(taken.cost);
                        }
                    }
                    return Took::TooLittle;
                }
            }
        }
        took
    }

    /// How much to take in advance of a bucket now.
    pub(super) fn portion(&self, take: &Take<'_>, now: Instant) -> u32 {
        let most = most(take.rate);
        let Some(lease) = self.of(take) else { return most.min(FIRST) };
        let mut lease = locked(&lease);
        let used_up = lease.good_until > now;
        lease.portion =
            if used_up { lease.portion.saturating_mul(2) } else { lease.portion / 2 }.clamp(most.min(FIRST), most);
        lease.portion
    }

    /// So many tokens more, taken in advance; none if the server gave none.
    pub(super) fn add(&self, take: &Take<'_>, tokens: u32, now: Instant) {
        let most = most(take.rate);
        if most == 0 {
            return;
        }
        let made = self.leases.get_or_insert_with(&self.names.of(take), || {
            let lease = Lease { tokens: 0, good_until: now, portion: most.min(FIRST), asking: false };
            Ok::<_, std::convert::Infallible>(Arc::new(Mutex::new(lease)))
        });
        let Ok(lease) = made;
        let mut lease = locked(&lease);
        lease.asking = false;
        if tokens > 0 {
            lease.tokens = lease.tokens(now).saturating_add(tokens);
            lease.good_until = now + GOOD_FOR;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn take(per_second: u32, burst: u32) -> Take<'static> {
        let rate = Rate::per_second(NonZeroU32::new(per_second).unwrap(), NonZeroU32::new(burst).unwrap());
        Take { limit: "test", whose: "ada", part: None, rate, cost: 1 }
    }

    #[test]
    fn a_busy_bucket_takes_ever_more_and_a_quiet_one_less() {
        let (leases, busy) = (Leases::new(), take(200_000, 400_000));
        let mut now = Instant::now();
        let mut portions = Vec::new();
        for _ in 0..15 {
            let portion = leases.portion(&busy, now);
            portions.push(portion);
            leases.add(&busy, portion, now);
            now += Duration::from_millis(50);
        }
        assert_eq!(portions.first(), Some(&FIRST));
        assert_eq!(portions.last(), Some(&10_000), "{portions:?}");
        now += GOOD_FOR;
        assert_eq!(leases.portion(&busy, now), 5_000);
        assert_eq!(leases.take(&[busy], now), Took::TooLittle, "what was not used in time is given up");
    }

    #[test]
    fn a_small_or_slow_bucket_takes_nothing_in_advance() {
        let (leases, now) = (Leases::new(), Instant::now());
        for take in [take(5, 60), take(200_000, 15)] {
            assert_eq!(leases.portion(&take, now), 0);
            leases.add(&take, 3, now);
            assert_eq!(leases.take(&[take], now), Took::TooLittle);
        }
    }

    #[test]
    fn what_is_there_is_taken_once_and_of_all_or_none() {
        let (leases, now) = (Leases::new(), Instant::now());
        let (one, two) = (take(1_000, 1_000), Take { part: Some("phone"), ..take(1_000, 1_000) });
        leases.add(&one, 20, now);
        leases.add(&two, 3, now);
        let took: Vec<_> = (0..5).map(|_| leases.take(&[one, two], now)).collect();
        assert_eq!(took, [Took::Enough, Took::Low, Took::Enough, Took::TooLittle, Took::TooLittle]);
        assert_eq!((0..30).filter(|_| leases.take(&[one], now) != Took::TooLittle).count(), 17);
    }
}
