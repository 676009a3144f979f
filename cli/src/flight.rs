//! What to say when a signal ends the command: nothing was sent, or something is on its way.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::error::CliError;

/// What is on its way, shared between the command and the thread that waits for signals.
#[derive(Clone, Debug, Default)]
pub struct Flight(Arc<Mutex<Option<CliError>>>, Arc<Ending>);

/// Whether a command ends by itself when it is asked to, and whether it was asked.
#[derive(Debug, Default)]
struct Ending {
    held: AtomicBool,
    asked: AtomicBool,
}

impl Flight {
    /// From now on an interruption is told as this error, until the guard is dropped.
    pub fn begin(&self, told: CliError) -> InFlight {
        self.set(Some(told));
        InFlight(self.clone())
    }

    /// The error of an interruption now.
    pub fn interrupted(&self) -> CliError {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.clone().unwrap_or_else(|| CliError::new("interrupted", "interrupted before anything was sent"))
    }

    /// From now on the first signal only asks the command to end where it can ([`Flight::asked`]); a
    /// second one ends it at once, told as this error.
    pub fn hold(&self, told: CliError) -> InFlight {
        self.1.held.store(true, Ordering::SeqCst);
        self.begin(told)
    }

    /// True once a signal asked the command to end.
    pub fn asked(&self) -> bool {
        self.1.asked.load(Ordering::SeqCst)
    }

    /// Takes a signal; the error to end with, unless the command ends by itself.
    pub fn signalled(&self) -> Option<CliError> {
        let first = !self.1.asked.swap(true, Ordering::SeqCst);
        (!first || !self.1.held.load(Ordering::SeqCst)).then(|| self.interrupted())
    }

    fn set(&self, told: Option<CliError>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }
}

/// Something is on its way while this lives.
#[must_use]
#[derive(Debug)]
pub struct InFlight(Flight);

impl InFlight {
    /// Tells another error from now on: for instance when part of the work is known to be done.
    pub fn update(&self, told: CliError) {
        self.0.set(Some(told));
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.set(None);
        self.0.1.held.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_is_130_before_sending_and_unknown_after() {
        let flight = Flight::default();
        assert_eq!(flight.interrupted().exit, 130);
        let sent = flight.begin(CliError::unknown("interrupted after sending (key inv-1)"));
        assert_eq!(flight.interrupted().exit, 11);
        drop(sent);
        assert_eq!(flight.interrupted().exit, 130);
    }

    #[test]
    fn a_command_that_holds_ends_by_itself_at_the_first_signal_and_at_once_at_the_second() {
        let flight = Flight::default();
        let held = flight.hold(CliError::unknown("a part was in flight"));
        assert!(flight.signalled().is_none() && flight.asked());
        assert_eq!(flight.signalled().map(|told| told.exit), Some(11));
        drop(held);
        assert_eq!(flight.signalled().map(|told| told.exit), Some(130));
    }
}
