//! When not to ask a server that does not answer, and when to say so.
//!
//! Some failures in a row, and nobody asks for a pause, which doubles; then one asks for all. What is said about it lags on
//! purpose: a busy machine misses a time limit now and then, and a log that tells of each tells nothing.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Failures in a row until nobody asks.
const FAILURES: u32 = 5;
/// The first pause.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest: so soon a server that is back is used again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a server must answer again before that is said, and before the pauses are short again.
const STEADY: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct State {
    failures: u32,
    /// Nobody asks before this; then one does.
    closed_until: Option<Instant>,
    pause: Duration,
    /// Since when every answer came in time.
    good_since: Option<Instant>,
    /// What was said last.
    said: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Breaker(Mutex<State>);

/// What is to be said now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// Nothing new.
    Nothing,
    /// It does not answer any more.
    CutOff,
    /// It answers again.
    Back,
}

impl Breaker {
    pub(super) fn new() -> Self {
        let state = State { failures: 0, closed_until: None, pause: FIRST_PAUSE, good_since: None, said: false };
        Self(Mutex::new(state))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Assignments only; a poisoned state is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if the server may be asked now. After a pause that is one caller: the next only after another pause.
    pub(super) fn may_ask(&self, now: Instant) -> bool {
        let mut state = self.state();
        match state.closed_until {
            None => true,
            Some(until) if until > now => false,
            Some(_) => {
                state.closed_until = Some(now + state.pause);
                state.pause = state.pause.saturating_mul(2).min(LONGEST_PAUSE);
                true
            }
        }
    }

    /// True while nobody asks, or one does for all.
    pub(super) fn is_open(&self) -> bool {
        self.state().closed_until.is_some()
    }

    /// An answer came in time.
    pub(super) fn answered(&self, now: Instant) -> Say {
        let mut state = self.state();
        state.failures = 0;
        state.closed_until = None;
        let since = *state.good_since.get_or_insert(now);
        if now.saturating_duration_since(since) < STEADY {
            return Say::Nothing;
        }
        state.pause = FIRST_PAUSE;
        if std::mem::take(&mut state.said) { Say::Back } else { Say::Nothing }
    }

    /// None came, or it came late.
    pub(super) fn failed(&self, now: Instant) -> Say {
        let mut state = self.state();
        state.good_since = None;
        // While it is open, those who asked before come in late, and the one who asks for all has its pause already.
        if state.closed_until.is_some() {
            return Say::Nothing;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures < FAILURES {
            return Say::Nothing;
        }
        state.failures = 0;
        state.closed_until = Some(now + state.pause);
        if std::mem::replace(&mut state.said, true) { Say::Nothing } else { Say::CutOff }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A breaker that is open from `now` on.
    fn open(now: Instant) -> Breaker {
        let breaker = Breaker::new();
        let said: Vec<_> = (0..FAILURES).map(|_| breaker.failed(now)).collect();
        assert_eq!(said.iter().filter(|say| **say == Say::CutOff).count(), 1);
        assert_eq!(said.last(), Some(&Say::CutOff));
        breaker
    }

    #[test]
    fn a_failure_now_and_then_is_nothing_to_tell() {
        let (breaker, now) = (Breaker::new(), Instant::now());
        for round in 0..100 {
            for _ in 1..FAILURES {
                assert_eq!(breaker.failed(now), Say::Nothing);
            }
            assert_eq!(breaker.answered(now + Duration::from_secs(round)), Say::Nothing);
            assert!(breaker.may_ask(now) && !breaker.is_open());
        }
    }

    #[test]
    fn after_a_pause_one_asks_for_all_and_the_pauses_grow() {
        let mut now = Instant::now();
        let breaker = open(now);
        let pauses = [250, 250, 500, 1_000, 2_000, 4_000, 5_000, 5_000].map(Duration::from_millis);
        for pause in pauses {
            assert!(!breaker.may_ask(now + pause.saturating_sub(Duration::from_millis(1))));
            now += pause;
            assert!(breaker.may_ask(now) && !breaker.may_ask(now), "one, not two");
            assert_eq!(breaker.failed(now), Say::Nothing);
            assert!(breaker.is_open());
        }
    }

    #[test]
    fn it_is_said_once_that_it_is_gone_and_once_that_it_stays() {
        let now = Instant::now();
        let breaker = open(now);
        for second in 0..60 {
            let now = now + Duration::from_secs(second);
            // It comes and goes: every answer is followed by a failure soon after.
            assert_eq!(breaker.answered(now), Say::Nothing);
            for _ in 0..FAILURES {
                assert_eq!(breaker.failed(now + Duration::from_millis(500)), Say::Nothing);
            }
        }
        let back = now + Duration::from_mins(2);
        assert_eq!(breaker.answered(back), Say::Nothing);
        assert!(!breaker.is_open(), "it is used from the first answer on");
        assert_eq!(breaker.answered(back + STEADY), Say::Back);
        assert_eq!(breaker.answered(back + STEADY * 2), Say::Nothing);
    }
}
