//! What to say when a signal ends the command: nothing was sent, or something is on its way.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::CliError;

/// What is on its way, shared between the command and the thread that waits for signals.
#[derive(Clone, Debug, Default)]
pub struct Flight(Arc<Mutex<Option<CliError>>>);

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
}
