//! What can go wrong, as the person or the script is told.
//!
//! One error answers five questions without reading text: which code, did it happen, may it be tried
//! again, which request, which exit code. Codes, advice and exit codes come from the one table in
//! `wallet_api::problem`.

use std::{
    fmt, io,
    ops::{Deref, DerefMut},
};

use serde::Serialize;
use wallet_api::{
    client::{BearerError, ClientError},
    problem::{Problem, code},
};

use crate::output::sanitize;

/// An error of a command: one pointer, since every function of the program may return it.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct CliError(Box<Told>);

/// What is told of an error.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// A code of `walletctl explain`.
    pub code: String,
    /// What happened and why.
    pub message: String,
    /// What it is made of, line by line: the first faults of a file, the first refusals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to do next.
    pub hint: String,
    /// True if the same command may succeed later without a change.
    pub retryable: bool,
    /// `not_applied` (certainly nothing happened), `partly_applied` (some of it has taken effect, now or before),
    /// `applied` (all of it has; only telling of it failed) or `unknown`.
    pub outcome: &'static str,
    /// For a conflict: the first field that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// For a conflict: what has the key, a transaction's id or another record's number and kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<String>,
    /// The daemon's name for the request.
    pub request_id: Option<String>,
    /// The trace the request was part of.
    pub trace_id: Option<String>,
    /// The process's exit code.
    #[serde(skip)]
    pub exit: u8,
    /// True if there is nothing to say: the reader of stdout has gone.
    #[serde(skip)]
    pub quiet: bool,
}

impl Deref for CliError {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.0
    }
}

impl DerefMut for CliError {
    fn deref_mut(&mut self) -> &mut Told {
        &mut self.0
    }
}

impl CliError {
    /// An error of a code in the table, with the table's advice as its hint.
    pub fn new(name: &str, message: impl Into<String>) -> Self {
        let row = code(name);
        Self(Box::new(Told {
            code: row.code.into(),
            message: message.into(),
            details: Vec::new(),
            hint: row.advice.into(),
            retryable: row.retryable,
            outcome: if row.code == "outcome_unknown" { "unknown" } else { "not_applied" },
            field: None,
            existing: None,
            request_id: None,
            trace_id: None,
            exit: row.exit,
            quiet: false,
        }))
    }

    /// The command line, or a file named on it, is not usable.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new("usage", message)
    }

    /// The configuration or walletctl's own files are not usable.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new("configuration", message)
    }

    /// A write was sent and its answer was lost.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new("outcome_unknown", message)
    }

    /// With another hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// With these details.
    #[must_use]
    pub fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    /// With the daemon's name for the request, and its trace.
    #[must_use]
    pub fn request(mut self, request_id: Option<String>, trace_id: Option<String>) -> Self {
        (self.request_id, self.trace_id) = (request_id, trace_id);
        self
    }

    /// After part of what was asked for has taken effect: a script that reads `not_applied` would pay again.
    #[must_use]
    pub fn partly_applied(mut self) -> Self {
        if !self.is_unknown() {
            self.outcome = "partly_applied";
        }
        self
    }

    /// After all of it has: what failed is only telling of it.
    #[must_use]
    pub fn applied(mut self) -> Self {
        if !self.is_unknown() {
            self.outcome = "applied";
        }
        self
    }

    /// True if the outcome is not known.
    pub fn is_unknown(&self) -> bool {
        self.outcome == "unknown"
    }

    /// The error of a request that changes something: a lost answer leaves its outcome unknown.
    pub fn of_write(error: ClientError, key: Option<&str>) -> Self {
        let mut error = match error {
            ClientError::Lost { why, trace_id } => {
                Self::unknown(format!("the answer was lost: {why}")).request(None, Some(trace_id))
            }
            ClientError::Protocol { why, request_id, trace_id } => {
                Self::unknown(format!("walletd's answer is not understood: {why}")).request(request_id, Some(trace_id))
            }
            other => other.into(),
        };
        if let Some(key) = key.filter(|_| error.is_unknown()) {
            error.message = format!("{} (key {key})", error.message);
        }
        error
    }

    /// Writes it for people, or as one JSON object for programs.
    pub fn report(&self, to: &mut dyn io::Write, json: bool, color: bool) -> io::Result<()> {
        if self.quiet {
            return Ok(());
        }
        if json {
            let text = serde_json::to_string(self).unwrap_or_default();
            return writeln!(to, "{}", crate::output::escape_json(&text));
        }
        let (red, bold, plain) = if color { ("\u{1b}[1;31m", "\u{1b}[1m", "\u{1b}[0m") } else { ("", "", "") };
        for line in &self.details {
            writeln!(to, "{}", sanitize(line))?;
        }
        writeln!(to, "{red}error[{}]{plain}: {}", self.code, sanitize(&self.message))?;
        if let Some(existing) = &self.existing {
            writeln!(to, "  the key belongs to {}", sanitize(existing))?;
        }
        writeln!(to, "{bold}hint{plain}: {}", sanitize(&self.hint))?;
        if let Some(request) = &self.request_id {
            writeln!(to, "request: {}", sanitize(request))?;
        }
        if let Some(trace) = &self.trace_id {
            writeln!(to, "trace: {}", sanitize(trace))?;
        }
        Ok(())
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CliError {}

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        let mut error = Self::new(&problem.code, problem.detail);
        // A code that a newer daemon may have is kept, with what the daemon says of it.
        if error.code != problem.code {
            error.code = problem.code;
            error.hint =
                format!("{} (this walletctl does not know the code: it may be older than walletd)", problem.title);
        }
        error.retryable = problem.retryable;
        if problem.outcome == "unknown" {
            error.outcome = "unknown";
            error.exit = code("outcome_unknown").exit;
        }
        (error.field, error.existing) = (problem.field, problem.existing);
        error.request(problem.request_id, problem.trace_id)
    }
}

/// The error of a request that changes nothing; [`CliError::of_write`] is for those that do.
impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::Problem(problem) => (*problem).into(),
            ClientError::Unreachable { .. } => Self::new("unreachable", message),
            ClientError::Untrusted { .. } => Self::new("untrusted_server", message),
            ClientError::Bearer(BearerError { code, hint, .. }) => {
                let error = Self::new(code, message);
                match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            }
            ClientError::Lost { trace_id, .. } => Self::new("unavailable", message)
                .hint("Try again. If it stays, look at the daemon's log.")
                .request(None, Some(trace_id)),
            ClientError::Protocol { request_id, trace_id, .. } => Self::new("internal", message)
                .hint("Do walletctl and walletd have the same version? (walletctl version, walletctl daemon status)")
                .request(request_id, Some(trace_id)),
            ClientError::Endpoint(_) => Self::configuration(message),
            ClientError::Request(_) => Self::usage(message),
        }
    }
}

/// The error of writing to stdout.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            // Whoever read our output has seen enough; `walletctl ... | head` is not a failure.
            let mut gone = Self::new("internal", "stdout was closed");
            (gone.quiet, gone.exit) = (true, 0);
            return gone;
        }
        Self::new("internal", format!("cannot write to stdout: {error}")).hint("Is the disk full that stdout goes to?")
    }
}

#[cfg(test)]
mod tests {
    use wallet_api::problem::{CODES, exit};

    use super::*;

    #[test]
    fn every_code_of_the_table_has_its_exit_code_and_advice() {
        for row in CODES {
            let error = CliError::from(Problem::new(row.code, "what happened"));
            assert_eq!((error.exit, error.code.as_str(), error.retryable), (row.exit, row.code, row.retryable));
            assert_eq!(error.hint, row.advice);
        }
    }

    #[test]
    fn a_lost_answer_is_unknown_for_a_write_and_retryable_for_a_read() {
        let lost = || ClientError::Lost { why: "connection reset".into(), trace_id: "t".into() };
        let write = CliError::of_write(lost(), Some("inv-1"));
        assert_eq!((write.exit, write.outcome), (exit::UNKNOWN, "unknown"));
        assert!(write.message.contains("inv-1"));
        assert_eq!(CliError::from(lost()).exit, exit::TRY_AGAIN);
    }

    #[test]
    fn what_has_taken_effect_is_never_told_as_not_applied() {
        let refusals = || CliError::new("batch_refusals", "1 of 2 rows");
        assert_eq!(refusals().outcome, "not_applied");
        assert_eq!(refusals().partly_applied().outcome, "partly_applied");
        assert_eq!(CliError::from(io::Error::other("full")).applied().outcome, "applied");
        assert_eq!(CliError::unknown("lost").partly_applied().outcome, "unknown");
    }

    #[test]
    fn a_code_of_a_newer_daemon_is_kept() {
        let mut problem = Problem::new("insufficient_funds", "no");
        problem.code = "from_the_future".into();
        let error = CliError::from(problem);
        assert_eq!((error.code.as_str(), error.exit), ("from_the_future", exit::BUG));
    }

    #[test]
    fn errors_for_programs_are_one_json_object_and_for_people_three_answers() {
        let mut error = CliError::new("insufficient_funds", "w_1 holds 3.00 EUR\u{1b}[31m");
        error.request_id = Some("req-1".into());
        error.trace_id = Some("4bf92f3577b34da6a3ce929d0e0e4736".into());
        let mut text = Vec::new();
        error.report(&mut text, true, false).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
    {"code":"insufficient_funds","message":"w_1 holds 3.00 EUR\u001b[31m","hint":"Lower the amount, pay money in first, or raise the wallet's limit (walletctl wallet set-limit).","retryable":false,"outcome":"not_applied","request_id":"req-1","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}
    "#);
        let mut text = Vec::new();
        error.report(&mut text, false, false).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @"
    error[insufficient_funds]: w_1 holds 3.00 EUR
    hint: Lower the amount, pay money in first, or raise the wallet's limit (walletctl wallet set-limit).
    request: req-1
    trace: 4bf92f3577b34da6a3ce929d0e0e4736
    ");
    }

    #[test]
    fn a_closed_pipe_is_quiet() {
        let error = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        let mut text = Vec::new();
        error.report(&mut text, false, false).unwrap();
        assert_eq!((error.exit, text.len()), (0, 0));
    }
}
