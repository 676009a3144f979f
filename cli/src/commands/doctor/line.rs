//! The command line of a job: that it is understood, asks nobody, and goes where the doctor looks.

use clap::{ArgMatches, Command, CommandFactory as _};

use super::Finding;
use crate::{cli::Cli, config::Origin, context::Context, error::CliError};

/// The name of the check.
pub(super) const CHECK: &str = "command";

/// A command line that is understood.
pub(super) struct Line {
    words: Vec<String>,
    command: Command,
    given: ArgMatches,
}

impl Line {
    /// Of its words, with or without the program's name.
    pub(super) fn read(words: &[String]) -> Result<Self, CliError> {
        let own = words.first().is_some_and(|word| word == "walletctl" || word.ends_with("/walletctl"));
        let words = words.get(usize::from(own)..).unwrap_or_default();
        let mut command = Cli::command();
        // With it, every command knows the flags of all commands.
        command.build();
        let all = std::iter::once("walletctl").chain(words.iter().map(String::as_str));
        let given = command.try_get_matches_from_mut(all).map_err(|error| {
            let text = error.to_string();
            let first = text.trim_start_matches("error: ").lines().next().unwrap_or_default();
            CliError::usage(format!("it is not understood: {first}"))
        })?;
        let mut line = Self { words: Vec::new(), command, given };
        while let Some((name, given)) = line.given.remove_subcommand() {
            let next = line.command.find_subcommand(&name).cloned();
            line = Self { command: next.unwrap_or(line.command), given, words: line.words };
            line.words.push(name);
        }
        Ok(line)
    }

    /// The words of its command: `batch run`.
    pub(super) fn words(&self) -> String {
        self.words.join(" ")
    }

    /// The value of a flag or argument; none if it is not given, or the command has none of this name.
    pub(super) fn get<T: Clone + Send + Sync + 'static>(&self, id: &str) -> Option<&T> {
        // Only a debug build's clap tells what a command has: it is looked up.
        if self.has(id) { self.given.try_get_one(id).ok().flatten() } else { None }
    }

    /// True if a flag or argument is given, whatever its value.
    pub(super) fn gives(&self, id: &str) -> bool {
        self.has(id) && self.given.try_contains_id(id).unwrap_or_default()
    }

    fn has(&self, id: &str) -> bool {
        self.command.get_arguments().any(|argument| argument.get_id() == id)
    }

    /// The flag without which a write asks a person.
    fn missing(&self) -> Option<&'static str> {
        let yes = self.get::<bool>("yes");
        if self.get::<bool>("dry_run") == Some(&true) {
            return None;
        }
        if yes == Some(&false) {
            return Some("--yes");
        }
        // Only commands that have the flag are asked for it; a batch's keys are in its file.
        let keyless = yes.is_some() && self.has("idempotency_key") && !self.gives("idempotency_key");
        keyless.then_some("--idempotency-key")
    }

    /// A flag by which it would go to another daemon than the one that the doctor looks at.
    fn elsewhere(&self, ctx: &Context) -> Option<String> {
        let settings = &ctx.settings;
        let named = |id: &str| self.get::<String>(id).map(|value| (format!("--{id} {value}"), value));
        let other_context = named("context").filter(|(_, name)| **name != settings.context.value);
        let other_address = ["url", "socket"].into_iter().filter_map(named).find(|(_, address)| {
            let address = address.parse().ok();
            address.is_none_or(|address: wallet_api::client::Endpoint| address != settings.endpoint.value)
        });
        other_context.or(other_address).map(|(flag, _)| flag)
    }
}

/// Looks at a command line.
pub(super) fn look(ctx: &Context, line: &Line) -> Finding {
    let named = line.gives("context") || ctx.settings.context.origin == Origin::Flag("--context");
    let writes = line.get::<bool>("yes").is_some();
    if let Some(flag) = line.missing() {
        let text = format!("it is a write without {flag}, and would be refused where nobody can be asked");
        let hint = format!("Add {flag}; a key is made and kept by the script, so that a second run replays.");
        return Finding::fault(CHECK, &CliError::usage(text).hint(hint));
    }
    if let Some(flag) = line.elsewhere(ctx) {
        let text = format!("it has {flag}, and the doctor looks at {}", ctx.settings.endpoint.value);
        let hint = format!("Ask the doctor about the same: walletctl {flag} doctor ...");
        return Finding::fault(CHECK, &CliError::usage(text).hint(hint));
    }
    if ctx.settings.protected.value && !named && writes {
        let name = &ctx.settings.context.value;
        let text = format!("the context {name} is protected, and the command does not name it");
        return Finding::fault(CHECK, &CliError::usage(text).hint(format!("Add --context {name}.")));
    }
    Finding::good(CHECK, "it is understood, and asks nobody")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Line {
        Line::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_write_at_night_needs_its_key_and_a_yes() {
        let of = |line: &str| of(line).missing();
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

    #[test]
    fn a_command_has_its_own_flags_and_those_of_all_and_no_others() {
        let line = of("/usr/bin/walletctl batch run pay.csv --yes --context night");
        assert_eq!(
            (line.words().as_str(), line.get::<String>("context").map(String::as_str)),
            ("batch run", Some("night"))
        );
        // A release build's clap knows no flag that was not given.
        assert!(line.has("yes") && line.has("context") && !line.has("idempotency_key") && !line.gives("effective_at"));
        assert!(Line::read(&["batch".into(), "rum".into()]).is_err());
    }
}
