//! What an operator tells walletd to do besides serving: rebuild what follows the ledger, recover a restored one, look
//! whether everything is as it should be, restore a backup.

pub(crate) mod doctor;
pub(crate) mod rebuild;
pub(crate) mod recover;
pub(crate) mod restore;

use std::io::Write as _;

/// Progress, on stderr: results alone go to stdout.
fn say(text: &str) {
    // Nothing can be said if stderr is gone.
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// How far something is, said at most once a second.
struct Meter {
    what: &'static str,
    unit: &'static str,
    said: std::sync::Mutex<std::time::Instant>,
}

impl Meter {
    fn new(what: &'static str, unit: &'static str) -> Self {
        Self { what, unit, said: std::sync::Mutex::new(std::time::Instant::now()) }
    }

    fn tell(&self, done: u64, of: Option<u64>) {
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said.elapsed() < std::time::Duration::from_secs(1) {
            return;
        }
        *said = std::time::Instant::now();
        let (what, unit) = (self.what, self.unit);
        say(&of.map_or_else(|| format!("{what}: {done} {unit}"), |of| format!("{what}: {done} of {of} {unit}")));
    }
}
