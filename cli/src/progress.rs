//! Progress on stderr, only where a person sees it.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of rows done, rate, time left and rows refused so far.
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for so many rows; none if it is not known how many there are.
    pub fn new(rows: Option<u64>) -> Self {
        let target =
            if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(rows, target);
        let form = if rows.is_some() {
            "{bar:30} {human_pos}/{human_len} rows  {per_sec}  {eta} left  {msg}"
        } else {
            "{spinner} {human_pos} rows  {per_sec}  {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many more rows are done, and so many were refused so far.
    pub fn advance(&self, rows: u64, refused: u64) {
        self.0.inc(rows);
        if refused > 0 {
            self.0.set_message(format!("{refused} refused"));
        }
    }
}

/// The bar goes when it is dropped.
impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
