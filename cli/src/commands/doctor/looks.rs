//! What the doctor looks at: here, at the issuer, at the daemon.

use std::{fs, path::Path};

use rustix::fs::statvfs;

use super::Finding;
use crate::{
    auth::{
        identity::Credentials,
        logins::Storage,
        session::Session,
        tokens::{second, span},
    },
    context::Context,
    env::now,
    error::CliError,
    paths::{fault, private_dir},
};

/// Less room than this is a fault: a batch's results and a spooled file need it.
const LEAST_ROOM: u64 = 16 << 20;
/// Less room than this is worth a word.
const LITTLE_ROOM: u64 = 256 << 20;
/// A clock further off than this makes tokens look expired or not yet valid: daemons give ten seconds.
const MOST_SKEW: i64 = 10;
/// A clock further off than this will soon be further off.
const NOTABLE_SKEW: i64 = 3;
/// A sign-in that ends sooner is worth a word.
const SOON: i64 = 86_400;

/// Folders and files of this machine.
pub(super) fn here(ctx: &Context, for_cron: bool, results: Option<&Path>) -> Vec<Finding> {
    let mut found = Vec::new();
    let by_xdg = ctx.env.get("XDG_STATE_HOME").is_some() && ctx.env.get("XDG_CONFIG_HOME").is_some();
    found.push(match ctx.env.get("HOME") {
        Some(home) => Finding::good("home", home),
        None if by_xdg => Finding::good("home", "not set, and not needed: XDG_STATE_HOME and XDG_CONFIG_HOME are"),
        None => Finding::warning(
            "home",
            format!("HOME is not set: the user's passwd entry is used, {}", ctx.paths.state.display()),
            "Set HOME, or XDG_STATE_HOME and XDG_CONFIG_HOME, to be sure.",
        ),
    });
    let state = &ctx.paths.state;
    found.push(match private_dir(state).and_then(|()| try_writing(state)) {
        Ok(()) => Finding::good("state", format!("{} can be written, by this user alone", state.display())),
        Err(error) => Finding::fault("state", &error),
    });
    found.extend(room(state));
    let results = results.map_or_else(|| ctx.paths.batches(), Path::to_owned);
    let nearest = results.ancestors().find(|path| path.exists()).unwrap_or(&results).to_owned();
    found.push(match try_writing(&nearest) {
        Ok(()) => Finding::good("results", format!("{} can be written", results.display())),
        Err(error) => Finding::fault("results", &error),
    });
    if nearest != *state {
        found.extend(room(&nearest));
    }
    if ctx.settings.protected.value && for_cron {
        let name = &ctx.settings.context.value;
        let advice = format!("Give --context {name} in the job's command: without it writes are refused.");
        found.push(Finding::warning("context", format!("{name} is protected"), advice));
    }
    found
}

/// Writes a file and removes it again.
fn try_writing(folder: &Path) -> Result<(), CliError> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    fs::write(&path, b"x").and_then(|()| fs::remove_file(&path)).map_err(|e| fault("write to", folder, &e))
}

fn room(folder: &Path) -> Option<Finding> {
    let disk = statvfs(folder).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let text = format!("{} MiB free at {}", free >> 20, folder.display());
    Some(if free < LEAST_ROOM {
        Finding::fault("room", &CliError::new("disk_full", text).hint("Make room."))
    } else if free < LITTLE_ROOM {
        Finding::warning("room", text, "Make room before a large batch or export.")
    } else {
        Finding::good("room", text)
    })
}

/// Whether there is a token to be had, without anybody there.
pub(super) async fn sign_in(ctx: &Context, for_cron: bool) -> Vec<Finding> {
    let Some(session) = ctx.session() else {
        return vec![Finding::good("sign_in", "not needed on a socket: the daemon knows this user")];
    };
    let mut found = Vec::new();
    if let Some(place) = session.identity.credentials.place() {
        found.push(match place.read(&ctx.env) {
            Ok(_) => Finding::good("secret", format!("{place}: nobody else may read it")),
            Err(error) => Finding::fault("secret", &error),
        });
    } else {
        let finding = of_login(session, for_cron);
        let usable = finding.exit == 0;
        found.push(finding);
        // In cron's place the keyring is not asked, even where it would answer by day.
        if !usable {
            return found;
        }
    }
    found.push(match session.tokens(None).await {
        Ok(Some(tokens)) => {
            Finding::good("token", format!("one was given, good for {}", span(tokens.ends_at - second())))
        }
        Ok(None) => Finding::fault("token", &CliError::new("not_signed_in", "there is none")),
        Err(error) => Finding::fault("token", &error),
    });
    found
}

fn of_login(session: &Session, for_cron: bool) -> Finding {
    const CHECK: &str = "sign_in";
    const OWN: &str = "Give the job credentials of its own: walletctl context set NAME --client ID --secret-file FILE.";
    debug_assert_eq!(session.identity.credentials, Credentials::Login);
    let login = match session.login() {
        Ok(Some(login)) => login,
        Ok(None) => {
            let error = CliError::new("not_signed_in", format!("nobody is signed in at {}", session.resource));
            return Finding::fault(CHECK, &if for_cron { error.hint(OWN) } else { error });
        }
        Err(error) => return Finding::fault(CHECK, &error),
    };
    let whose = login.who.as_deref().unwrap_or("somebody").to_owned();
    if for_cron && login.storage == Storage::Keyring {
        let text = format!("{whose}'s sign-in is in the keyring of a desktop, which a job has not");
        return Finding::fault(CHECK, &CliError::new("not_signed_in", text).hint(OWN));
    }
    let left = login.over_at().map(|end| end - second());
    match left {
        Some(left) if left <= 0 => {
            Finding::fault(CHECK, &CliError::new("not_signed_in", format!("{whose}'s sign-in has ended")))
        }
        _ if for_cron => {
            let left = left.map(|left| format!(", and ends in {}", span(left))).unwrap_or_default();
            Finding::warning(CHECK, format!("the job would run as {whose}, a person{left}"), OWN)
        }
        Some(left) if left < SOON => {
            Finding::warning(CHECK, format!("{whose}, for {}", span(left)), "It ends if it is not used until then.")
        }
        _ => Finding::good(CHECK, whose),
    }
}

/// Whether the daemon answers, and to whom.
pub(super) async fn daemon(ctx: &Context) -> Vec<Finding> {
    let mut found = Vec::new();
    let asked = async { Ok::<_, CliError>(ctx.stranger()?.raw("GET", "/healthz", None, None).await?) };
    match asked.await {
        Ok(answer) => {
            found.push(Finding::good("daemon", format!("{} answers", ctx.settings.endpoint.value)));
            found.extend(answer.header("date").and_then(|date| skew(&date)));
        }
        Err(error) => {
            found.push(Finding::fault("daemon", &error));
            return found;
        }
    }
    let whoami = async { Ok::<_, CliError>(ctx.api()?.whoami().await?) };
    found.push(match whoami.await {
        Ok(answer) if answer.body.roles.is_empty() => {
            let text = format!("{} is known, and has no role here", answer.body.actor);
            let hint = "Give it one at the issuer: operator, auditor or user.";
            Finding::fault("rights", &CliError::new("forbidden", text).hint(hint))
        }
        Ok(answer) => {
            let who = answer.body;
            Finding::good("rights", format!("{}: {}", who.actor, [who.roles, who.permissions].concat().join(" ")))
        }
        Err(error) => Finding::fault("rights", &error),
    });
    found
}

/// How far this clock is from the daemon's, to a second.
fn skew(date: &str) -> Option<Finding> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second();
    let off = now().as_micros().div_euclid(1_000_000) - theirs;
    let text = format!("{off:+} s from the daemon's");
    let advice = "Set both clocks by NTP: tokens are good only where clocks agree.";
    Some(match off.abs() {
        off if off > MOST_SKEW => Finding::fault("clock", &CliError::new("clock_skew", text).hint(advice)),
        off if off > NOTABLE_SKEW => Finding::warning("clock", text, advice),
        _ => Finding::good("clock", text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    #[test]
    fn clocks_are_compared_by_the_date_of_an_answer() {
        let at = |off: i64| {
            let then = jiff::Timestamp::from_second(second() - off).unwrap();
            let text = jiff::fmt::rfc2822::to_string(&then.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
            skew(&text).unwrap().state
        };
        assert_eq!((at(0), at(5), at(-60)), (State::Good, State::Warning, State::Fault));
        assert_eq!(skew("Mon, 23 Nov 2026 08:00:00 GMT").map(|found| found.check), Some("clock"));
        assert!(skew("yesterday").is_none());
    }
}
