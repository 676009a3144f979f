//! The machine's clocks: the wall clock, and `CLOCK_BOOTTIME`, which nobody can set and which runs on through a suspend.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};
use wallet_core::{ports::Clock, time::Timestamp};

/// The [`Clock`] of a real machine.
///
/// All it keeps is how far the wall clock was ahead of the steady one when it was last taken for
/// right: one number, so that concurrent callers never see half of an update.
#[derive(Debug)]
pub struct SystemClock {
    accepted: AtomicI64,
}

impl SystemClock {
    /// Takes the wall clock as it stands for right.
    pub fn new() -> Self {
        Self { accepted: AtomicI64::new(offset()) }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(wall())
    }

    fn jump(&self) -> i64 {
        offset().saturating_sub(self.accepted.load(Ordering::Acquire))
    }

    fn accept(&self) {
        self.accepted.store(offset(), Ordering::Release);
    }
}

/// How far the wall clock is ahead of the steady one.
fn offset() -> i64 {
    wall().saturating_sub(steady())
}

#[allow(clippy::disallowed_methods)] // this is the Clock port's adapter: the one place that asks the machine
fn wall() -> i64 {
    let now = SystemTime::now();
    let micros = |span: std::time::Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    now.duration_since(UNIX_EPOCH).map_or_else(|before| micros(before.duration()).saturating_neg(), micros)
}

fn steady() -> i64 {
    let since_boot = clock_gettime(ClockId::Boottime);
    since_boot.tv_sec.saturating_mul(1_000_000).saturating_add(since_boot.tv_nsec / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_nobody_sets_does_not_jump() {
        let clock = SystemClock::new();
        let before = clock.now();
        assert!(before > Timestamp::from_micros(1_700_000_000_000_000));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(clock.now() > before);
        assert!(clock.jump().abs() < 1_000_000, "{}", clock.jump());
    }

    #[test]
    fn a_jump_is_seen_until_it_is_accepted() {
        let clock = SystemClock::new();
        clock.accepted.fetch_sub(3_600_000_000, Ordering::AcqRel);
        assert!((clock.jump() - 3_600_000_000).abs() < 1_000_000, "{}", clock.jump());
        clock.accept();
        assert!(clock.jump().abs() < 1_000_000);
    }
}
