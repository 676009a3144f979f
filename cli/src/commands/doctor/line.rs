//! The command line of a job: that it is understood, and asks nobody.

use clap::{ArgMatches, CommandFactory as _};

use super::Finding;
use crate::{cli::Cli, config::Origin, context::Context, error::CliError};

const CHECK: &str = "command";

/// Looks at a command line.
pub(super) fn look(ctx: &Context, words: &[String]) -> Finding {
    let own = words.first().is_some_and(|word| word == "walletctl" || word.ends_with("/walletctl"));
    let words = words.get(usize::from(own)..).unwrap_or_default();
    let all = std::iter::once("walletctl").chain(words.iter().map(String::as_str));
    let matches = match Cli::command().try_get_matches_from(all) {
        Ok(matches) => matches,
        Err(error) => {
            let text = error.to_string();
            let first = text.trim_start_matches("error: ").lines().next().unwrap_or_default();
            return Finding::fault(CHECK, &CliError::usage(format!("it is not understood: {first}")));
        }
    };
    let named = matches.contains_id("context") || ctx.settings.context.origin == Origin::Flag("--context");
    match missing(&matches) {
        Some(flag) => Finding::fault(
            CHECK,
            &CliError::usage(format!("it is a write without {flag}, and would be refused where nobody can be asked"))
                .hint(format!("Add {flag}; a key is made and kept by the script, so that a second run replays.")),
        ),
        None if ctx.settings.protected.value && !named && writes(&matches) => {
            let name = &ctx.settings.context.value;
            Finding::fault(
                CHECK,
                &CliError::usage(format!("the context {name} is protected, and the command does not name it"))
                    .hint(format!("Add --context {name}.")),
            )
        }
        None => Finding::good(CHECK, "it is understood, and asks nobody"),
    }
}

/// The flag without which a write asks a person.
fn missing(matches: &ArgMatches) -> Option<&'static str> {
    let leaf = leaf(matches);
    let flag = |id: &str| leaf.try_get_one::<bool>(id).ok().flatten().copied();
    if flag("dry_run") == Some(true) {
        return None;
    }
    if flag("yes") == Some(false) {
        return Some("--yes");
    }
    // Only commands that have the flag are asked for it; a batch's keys are in its file.
    match leaf.try_contains_id("idempotency_key") {
        Ok(false) if flag("yes").is_some() => Some("--idempotency-key"),
        _ => None,
    }
}

fn writes(matches: &ArgMatches) -> bool {
    leaf(matches).try_get_one::<bool>("yes").is_ok_and(|flag| flag.is_some())
}

fn leaf(matches: &ArgMatches) -> &ArgMatches {
    let mut leaf = matches;
    while let Some((_, sub)) = leaf.subcommand() {
        leaf = sub;
    }
    leaf
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<&'static str> {
        let words = std::iter::once("walletctl").chain(line.split(' '));
        missing(&Cli::command().try_get_matches_from(words).unwrap())
    }

    #[test]
    fn a_write_at_night_needs_its_key_and_a_yes() {
        let transfer = "transfer --from w_1 --to w_2 --amount 1 --asset EUR";
        assert_eq!(of(transfer), Some("--yes"));
        assert_eq!(of(&format!("{transfer} --yes")), Some("--idempotency-key"));
        assert_eq!(of(&format!("{transfer} --yes --idempotency-key k")), None);
        assert_eq!(of(&format!("{transfer} --dry-run")), None);
        assert_eq!(of("batch run pay.csv"), Some("--yes"));
        assert_eq!(of("batch run pay.csv --yes"), None);
        assert_eq!(of("export balances --at 2026-01-31 --format csv --out jan.csv"), None);
        assert_eq!(of("balance w_1"), None);
    }
}
