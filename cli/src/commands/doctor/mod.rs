//! `walletctl doctor`: what would go wrong, found by day.
//!
//! It looks at everything a command needs, from its own folders to the daemon's certificate, and changes nothing but a
//! file that it writes and removes again where files have to be written. With `--for-cron` it asks as cron would: nobody at a terminal, no keyring.

mod certificate;
mod line;
mod looks;
mod may;

use clap::Args;
use serde::Serialize;

use self::line::Line;
use crate::{
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
};

/// Find what would go wrong: folders, sign-in, daemon, clocks, rights, certificate; at night, with nobody there
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl doctor
  walletctl --context night doctor --for-cron
  walletctl --context night doctor --for-cron -- batch run pay.csv --yes")]
pub struct Doctor {
    /// As a cron job: no terminal, no keyring, no environment but what it is given
    #[arg(long)]
    for_cron: bool,
    /// Folder of results files, if batches name one
    #[arg(long, value_name = "DIR")]
    results: Option<std::path::PathBuf>,
    /// The command line that will run, without the program's name
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Good,
    Warning,
    Fault,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    found: String,
    /// The code of a fault, as `walletctl explain` knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    advice: String,
    #[serde(skip)]
    exit: u8,
}

impl Finding {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: State::Good, found: found.into(), code: None, advice: String::new(), exit: 0 }
    }

    fn warning(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, state: State::Warning, found: found.into(), code: None, advice: advice.into(), exit: 0 }
    }

    fn fault(check: &'static str, error: &CliError) -> Self {
        Self {
            check,
            state: State::Fault,
            found: error.message.clone(),
            code: Some(error.code.clone()),
            advice: error.hint.clone(),
            exit: error.exit,
        }
    }
}

impl Record for Finding {
    const COLUMNS: &'static [&'static str] = &["check", "state", "found", "code", "advice"];
    const TABLE: &'static [&'static str] = &["check", "state", "found", "advice"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "check" => Cell::text(self.check),
            "state" => Cell::text(match self.state {
                State::Good => "good",
                State::Warning => "warning",
                State::Fault => "fault",
            }),
            "found" => Cell::text(&self.found),
            "code" => Cell::maybe(self.code.as_deref()),
            "advice" => Cell::maybe(Some(self.advice.as_str()).filter(|text| !text.is_empty())),
            _ => Cell::None,
        }
    }
}

/// Exit codes of faults, the one that a person must see to first: what does not mend itself before what may.
const WORST: [u8; 6] = [78, 4, 5, 2, 1, 75];

/// Looks.
pub async fn doctor(ctx: &Context, args: Doctor) -> Result<(), CliError> {
    ctx.out().check::<Finding>()?;
    let mut found = looks::here(ctx, args.for_cron, args.results.as_deref());
    let line = (!args.command.is_empty()).then(|| Line::read(&args.command)).transpose();
    let line = line.unwrap_or_else(|error| {
        found.push(Finding::fault(line::CHECK, &error));
        None
    });
    found.extend(line.as_ref().map(|line| line::look(ctx, line)));
    found.extend(looks::sign_in(ctx, args.for_cron).await);
    let daemon = looks::daemon(ctx).await;
    let answers = daemon.iter().all(|finding| finding.state != State::Fault);
    found.extend(daemon);
    if let Some(line) = line.filter(|_| answers) {
        found.extend(may::look(ctx, &line).await);
    }
    if let Some(session) = ctx.session() {
        found.extend(certificate::look(session).await);
    }
    ctx.out().list("doctor", &found, Meta::new().with("for_cron", &args.for_cron))?;
    verdict(&found).map_or(Ok(()), Err)
}

/// The error to end with, if anything is at fault.
fn verdict(found: &[Finding]) -> Option<CliError> {
    let faults: Vec<_> = found.iter().filter(|finding| finding.state == State::Fault).collect();
    let rank = |finding: &&&Finding| WORST.iter().position(|exit| *exit == finding.exit).unwrap_or(WORST.len());
    let worst = faults.iter().min_by_key(rank)?;
    let code = worst.code.as_deref().unwrap_or("configuration");
    let many = if faults.len() == 1 { "1 check".to_owned() } else { format!("{} checks", faults.len()) };
    Some(CliError::new(code, format!("{many} failed; first: {}: {}", worst.check, worst.found)).hint(&worst.advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_the_fault_that_does_not_mend_itself() {
        let fault = |code: &str| Finding::fault("x", &CliError::new(code, "m"));
        assert!(verdict(&[Finding::good("a", "b"), Finding::warning("c", "d", "e")]).is_none());
        let of = |codes: &[&str]| verdict(&codes.iter().map(|code| fault(code)).collect::<Vec<_>>()).unwrap().exit;
        assert_eq!(of(&["unreachable"]), 75);
        assert_eq!(of(&["unreachable", "not_signed_in"]), 4);
        assert_eq!(of(&["unreachable", "not_signed_in", "configuration"]), 78);
        assert_eq!(of(&["forbidden", "unreachable"]), 5);
    }
}
