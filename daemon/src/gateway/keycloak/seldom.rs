//! Lines of the log that clients could ask for as often as they like: one a minute, with how often there was reason.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Least time between two lines.
const PAUSE: Duration = Duration::from_mins(1);

/// One kind of line.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    count: u64,
}

impl Seldom {
    /// There is reason for a line; if it is time for one, how often there was since the last.
    pub(super) fn reason(&self) -> Option<u64> {
        self.reason_at(Instant::now())
    }

    fn reason_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.count += 1;
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_reasons_makes_a_line_a_minute_and_none_is_forgotten() {
        let (seldom, begin) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.reason_at(begin), Some(1));
        for second in 0..59 {
            assert_eq!(seldom.reason_at(begin + Duration::from_secs(second)), None);
        }
        assert_eq!(seldom.reason_at(begin + PAUSE), Some(60));
        assert_eq!(seldom.reason_at(begin + PAUSE * 3), Some(1));
    }
}
