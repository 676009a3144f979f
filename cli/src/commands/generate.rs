//! `walletctl completion`, `man`, `version`: what is generated from the clap tree.

use std::{fs, io, path::PathBuf};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use serde::Serialize;

use crate::{
    cli::Cli,
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
};

/// Print the completion script of a shell
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl completion bash > \\
      ~/.local/share/bash-completion/completions/walletctl
  walletctl completion zsh > ~/.zfunc/_walletctl")]
pub struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or write one for every command
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl man | man -l -
  walletctl man --out man")]
pub struct Man {
    /// Folder to write a page for every command to
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Print the version
#[derive(Args)]
#[command(after_help = "Example:
  walletctl version -o json")]
pub struct Version {}

#[derive(Serialize)]
struct Row {
    version: &'static str,
}

impl Record for Row {
    const COLUMNS: &'static [&'static str] = &["version"];

    fn cell(&self, column: &str) -> Cell<'_> {
        if column == "version" { Cell::text(self.version) } else { Cell::None }
    }
}

/// Prints a completion script.
pub fn completion(ctx: &Context, args: &Completion) -> Result<(), CliError> {
    ctx.out().write(&script(args.shell))
}

fn script(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "walletctl", &mut text);
    text
}

/// Prints or writes manual pages.
pub fn man(ctx: &Context, args: Man) -> Result<(), CliError> {
    let Some(folder) = args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        return ctx.out().write(&page);
    };
    let write = || {
        fs::create_dir_all(&folder)?;
        pages()?.into_iter().try_for_each(|(name, page)| fs::write(folder.join(name), page))
    };
    write().map_err(|e: io::Error| CliError::usage(format!("{}: {e}", folder.display())))
}

/// A page for every command, by file name.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    fn visit(command: &clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
        let man = clap_mangen::Man::new(command.clone());
        let mut page = Vec::new();
        man.render(&mut page)?;
        pages.push((man.get_filename(), page));
        command.get_subcommands().try_for_each(|sub| visit(sub, pages))
    }
    let mut command = Cli::command();
    command.build();
    let mut found = Vec::new();
    visit(&command, &mut found)?;
    Ok(found)
}

/// Prints the version.
pub fn version(ctx: &Context, _args: Version) -> Result<(), CliError> {
    ctx.out().one("version", &Row { version: env!("CARGO_PKG_VERSION") }, Meta::new())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    const HINT: &str = "is stale: run `make generate`";

    fn top() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn checked_in_completions_are_current() {
        for (shell, name) in
            [(Shell::Bash, "walletctl.bash"), (Shell::Zsh, "_walletctl"), (Shell::Fish, "walletctl.fish")]
        {
            let checked_in = fs::read(top().join("completions").join(name)).unwrap_or_default();
            assert!(checked_in == script(shell), "completions/{name} {HINT}");
        }
    }

    #[test]
    fn checked_in_manual_pages_are_current_and_no_more_than_there_are() {
        let mut names = BTreeSet::new();
        for (name, page) in pages().unwrap() {
            let checked_in = fs::read(top().join("man").join(&name)).unwrap_or_default();
            assert!(checked_in == page, "man/{name} {HINT}");
            names.insert(name);
        }
        let there = fs::read_dir(top().join("man")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        assert_eq!(there.collect::<BTreeSet<_>>(), names, "man/ {HINT}");
    }
}
