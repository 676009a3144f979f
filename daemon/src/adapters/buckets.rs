//! Token buckets in process, which both limiters have: the embedded one is nothing else, the shared one asks them first.
//!
//! A bucket is one number, the instant at which it is full again (generic cell rate algorithm): what is in it needs no
//! timer. Buckets live in a bounded cache, so that a caller who invents names costs nothing but its own: those in use stay,
//! those used once go first. A forgotten bucket is full again.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use quick_cache::sync::Cache;
use wallet_core::ports::{Take, Verdict};

/// Most buckets remembered: some 5 MB of them at worst.
pub const MAX_BUCKETS: usize = 50_000;

/// A bucket's name, hashed twice with seeds of this process: nobody can make two of one name.
pub type Id = [u64; 2];

/// Hashes names.
#[derive(Debug, Default)]
pub struct Names([RandomState; 2]);

impl Names {
    /// The name of the bucket that is taken of.
    pub fn of(&self, take: &Take<'_>) -> Id {
        let name = (take.limit, take.whose, take.part);
        [self.0[0].hash_one(name), self.0[1].hash_one(name)]
    }
}

/// Buckets by name.
#[derive(Debug)]
pub struct Buckets {
    began: Instant,
    names: Names,
    /// For each the nanosecond since `began` at which it is full again.
    full: Cache<Id, Arc<AtomicU64>>,
}

impl Default for Buckets {
    fn default() -> Self {
        Self::bounded(MAX_BUCKETS)
    }
}

impl Buckets {
    /// At most so many.
    pub fn bounded(buckets: usize) -> Self {
        Self { began: Instant::now(), names: Names::default(), full: Cache::new(buckets) }
    }

    /// Takes from every bucket, or from none of them.
    pub fn take(&self, takes: &[Take<'_>]) -> Verdict {
        let now = self.now();
        let mut left = 0;
        for (place, take) in takes.iter().enumerate() {
            match self.one(take, now) {
                Ok(of_this) if place == 0 => left = of_this,
                Ok(_) => {}
                Err(wait) => {
                    takes.iter().take(place).for_each(|taken| self.put_back(taken));
                    return Verdict::Wait { place, wait: Duration::from_nanos(wait) };
                }
            }
        }
        Verdict::Allowed { left }
    }

    /// Takes for what has happened already; a bucket owes at most as much as it holds.
    pub fn charge(&self, takes: &[Take<'_>]) {
        let now = self.now();
        for take in takes.iter().filter(|take| take.cost > 0) {
            let most = now.saturating_add(take.rate.span().saturating_mul(2));
            let more = take.rate.of(take.cost);
            self.change(take, |full| full.max(now).saturating_add(more).min(most));
        }
    }

    /// Learns that others took as well: the bucket is full again no sooner than in so long.
    pub fn learn(&self, take: &Take<'_>, until_full: Duration) {
        let full_at = self.now().saturating_add(u64::try_from(until_full.as_nanos()).unwrap_or(u64::MAX));
        self.change(take, |full| full.max(full_at));
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn bucket(&self, take: &Take<'_>) -> Arc<AtomicU64> {
        let id = self.names.of(take);
        if let Some(bucket) = self.full.get(&id) {
            return bucket;
        }
        let made = self.full.get_or_insert_with(&id, || Ok::<_, std::convert::Infallible>(Arc::default()));
        made.unwrap_or_default()
    }

    fn change(&self, take: &Take<'_>, change: impl Fn(u64) -> u64) {
        self.bucket(take).update(Ordering::Relaxed, Ordering::Relaxed, change);
    }

    /// Takes of one bucket: what is left in it, or the nanoseconds to wait.
    fn one(&self, take: &Take<'_>, now: u64) -> Result<u32, u64> {
        let rate = take.rate;
        // Looking makes no bucket: one that is not there is full.
        if take.cost == 0 {
            let full = self.full.get(&self.names.of(take)).map_or(0, |bucket| bucket.load(Ordering::Relaxed));
            let used = full.saturating_sub(now);
            let with_one = used.saturating_add(rate.each());
            return if with_one > rate.span() { Err(with_one - rate.span()) } else { Ok(left(take, used)) };
        }
        let more = rate.of(take.cost);
        let mut wait = 0;
        let taken = self.bucket(take).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full| {
            let next = full.max(now).saturating_add(more);
            wait = next.saturating_sub(now).saturating_sub(rate.span());
            (wait == 0).then_some(next)
        });
        taken.map(|full| left(take, full.max(now).saturating_add(more) - now)).map_err(|_| wait)
    }

    /// Gives back what was taken, but for the bucket in this place, where somebody who knows more refused.
    pub fn give_back(&self, takes: &[Take<'_>], but: usize) {
        let others = takes.iter().enumerate().filter(|(place, _)| *place != but);
        others.for_each(|(_, take)| self.put_back(take));
    }

    fn put_back(&self, take: &Take<'_>) {
        let more = take.rate.of(take.cost);
        self.change(take, |full| full.saturating_sub(more));
    }
}

/// Tokens left of a bucket that is full again in so many nanoseconds.
fn left(take: &Take<'_>, used: u64) -> u32 {
    let free = take.rate.span().saturating_sub(used);
    u32::try_from(free / take.rate.each()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use wallet_core::ports::Rate;

    use super::*;

    fn take(whose: &str, burst: u32, cost: u32) -> Take<'_> {
        let rate = Rate::every(Duration::from_hours(1), NonZeroU32::new(burst).unwrap());
        Take { limit: "test", whose, part: None, rate, cost }
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let buckets = Buckets::bounded(100);
        for name in 0..10_000 {
            assert!(buckets.take(&[take(&name.to_string(), 1, 1)]).is_allowed());
            assert!(buckets.take(&[take(&format!("only looked at {name}"), 1, 0)]).is_allowed());
        }
        assert!(buckets.full.len() <= 100);
    }

    #[test]
    fn what_others_took_counts_from_when_it_is_known() {
        let buckets = Buckets::default();
        buckets.learn(&take("ada", 10, 0), Duration::from_mins(3 * 60 + 30));
        assert_eq!(buckets.take(&[take("ada", 10, 1)]), Verdict::Allowed { left: 5 });
        buckets.learn(&take("ada", 10, 0), Duration::from_hours(1));
        assert_eq!(buckets.take(&[take("ada", 10, 1)]), Verdict::Allowed { left: 4 }, "older news changes nothing");
    }

    #[test]
    fn tokens_come_back_with_time() {
        let rate = Rate::every(Duration::from_micros(1), NonZeroU32::MIN);
        let take = Take { rate, ..take("ada", 1, 1) };
        let buckets = Buckets::default();
        for _ in 0..1_000 {
            while let Verdict::Wait { wait, .. } = buckets.take(&[take]) {
                assert!(wait <= Duration::from_micros(1));
                std::thread::sleep(wait);
            }
        }
    }
}
