use std::sync::atomic::{AtomicI64, Ordering};

use crate::{ports::Clock, time::Timestamp};

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    jump: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.as_micros()), jump: AtomicI64::new(0) }
    }

    /// Lets time pass, as clocks do.
    pub fn advance(&self, micros: i64) {
        self.now.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets the clock, as an operator with a wrong date would: the steady clock does not follow.
    pub fn set(&self, now: Timestamp) {
        let before = self.now.swap(now.as_micros(), Ordering::SeqCst);
        self.jump.fetch_add(now.as_micros().saturating_sub(before), Ordering::SeqCst);
    }
}

/// 2026-06-01T00:00:00Z: behind everything that the checks date back.
impl Default for ManualClock {
    fn default() -> Self {
        Self::at(Timestamp::from_micros(1_780_272_000_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::SeqCst))
    }

    fn jump(&self) -> i64 {
        self.jump.load(Ordering::SeqCst)
    }

    fn accept(&self) {
        self.jump.store(0, Ordering::SeqCst);
    }
}
