//! The command line's tree. Each command's Args live with its function in [`crate::commands`].

use clap::{Args, Parser, Subcommand};

use crate::{
    commands::{
        api, asset, audit, auth, balance, batch, bench, config, context, daemon, doctor, explain, export, intent,
        money, statement, transaction, wallet,
    },
    output::{Color, Format},
};

/// Wallets from the command line: move money, and ask what any wallet held at any past moment
#[derive(Parser)]
#[command(
    name = "walletctl",
    version,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Examples:
  walletctl wallet create w_42 --owner alice --asset EUR
  walletctl deposit --to w_42 --amount 100 --asset EUR
  walletctl balance w_42 --at 2026-01-31 --tz Europe/Lisbon

Exit codes: 0 done, 1 bug, 2 usage, 3 not found, 4 not signed in, 5 forbidden, 6 refused, 7 key conflict,
8 batch with refusals, 9 verification failed, 10 declined, 11 outcome unknown, 75 try again, 78 configuration, 130 interrupted.
walletctl explain CODE tells more of any error code or exit code."
)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Form of the result on stdout: table, json, ndjson or csv
    #[arg(short, long, global = true, value_enum, value_name = "FORM", hide_possible_values = true)]
    pub output: Option<Format>,
    /// Columns to show, separated by commas
    #[arg(long, global = true, value_name = "A,B")]
    pub fields: Option<String>,
    /// When to use colour: auto, always or never
    #[arg(long, global = true, value_enum, value_name = "WHEN", hide_possible_values = true)]
    pub color: Option<Color>,
    /// Zone of dates, by its IANA name; UTC unless the context says otherwise
    #[arg(long, global = true, value_name = "ZONE")]
    pub tz: Option<String>,
    /// Context to use
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Socket of the daemon
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<String>,
    /// Address of the daemon: https://, or http:// and a loopback address
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Say on stderr which trace the requests are part of (the one TRACEPARENT names, or a new one)
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// The commands.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum Command {
    /// Currencies and other units of money
    #[command(subcommand, after_help = asset::EXAMPLE)]
    Asset(asset::Command),
    /// Wallets and their life
    #[command(subcommand, after_help = wallet::EXAMPLE)]
    Wallet(wallet::Command),
    Deposit(money::Deposit),
    Withdraw(money::Withdraw),
    Transfer(money::Transfer),
    /// Transactions
    #[command(subcommand, after_help = transaction::EXAMPLE)]
    Tx(transaction::Command),
    Balance(balance::Balance),
    Statement(statement::Statement),
    /// Many commands from a file
    #[command(subcommand, after_help = batch::EXAMPLE)]
    Batch(batch::Command),
    /// Files of balances, transactions or the journal
    #[command(subcommand, after_help = export::EXAMPLE)]
    Export(export::Command),
    /// The audit trail
    #[command(subcommand, after_help = audit::EXAMPLE)]
    Audit(audit::Command),
    /// Signing in
    #[command(subcommand, after_help = auth::EXAMPLE)]
    Auth(auth::Command),
    /// Writes that a crash or a lost answer left open
    #[command(subcommand, after_help = intent::EXAMPLE)]
    Intent(intent::Command),
    /// Named daemons and how to treat them
    #[command(subcommand, after_help = context::EXAMPLE)]
    Context(context::Command),
    /// Settings
    #[command(subcommand, after_help = config::EXAMPLE)]
    Config(config::Command),
    /// The daemon
    #[command(subcommand, after_help = daemon::EXAMPLE)]
    Daemon(daemon::Command),
    Doctor(doctor::Doctor),
    Explain(explain::Explain),
    Api(api::Api),
    Bench(bench::Bench),
    Completion(crate::commands::generate::Completion),
    Man(crate::commands::generate::Man),
    Version(crate::commands::generate::Version),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn visit(command: &clap::Command, path: &str, check: &mut dyn FnMut(&clap::Command, &str)) {
        check(command, path);
        for sub in command.get_subcommands() {
            visit(sub, &format!("{path} {}", sub.get_name()), check);
        }
    }

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_is_for_and_gives_an_example_of_itself() {
        visit(&Cli::command(), "walletctl", &mut |command, path| {
            assert!(command.get_about().is_some(), "{path} has no description");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(
                help.contains("Example") && help.contains(&format!("  {path} "))
                    || help.contains(&format!("  {path}\n"))
                    || help.ends_with(path),
                "{path} has no example: {help}"
            );
        });
    }

    /// Words as a shell makes them; only plain single quotes are used in examples.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        for (index, part) in line.trim().split('\'').enumerate() {
            let pieces: Vec<_> = if index % 2 == 1 { vec![part] } else { part.split(' ').collect() };
            for (place, piece) in pieces.into_iter().enumerate() {
                if place > 0 {
                    words.push(String::new());
                }
                words.last_mut().unwrap().push_str(piece);
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn no_line_below_the_options_is_broken_in_two_by_a_narrow_terminal() {
        visit(&Cli::command(), "walletctl", &mut |command, path| {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            // The prose of the first page is broken like any other; what is copied is not.
            for line in help.lines().filter(|line| line.starts_with("  ")) {
                assert!(line.chars().count() <= 78, "{path}: {line}");
            }
        });
    }

    #[test]
    fn every_example_is_understood() {
        visit(&Cli::command(), "walletctl", &mut |command, path| {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let help = help.replace("\\\n      ", "");
            for line in help.lines().filter(|line| line.starts_with("  walletctl ")) {
                let line = line.split(['>', '|']).next().unwrap_or_default();
                let error = Cli::try_parse_from(words(line)).err().map(|e| e.to_string());
                assert_eq!(error, None, "{path}: {line}");
            }
        });
    }
}
