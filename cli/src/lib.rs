//! walletctl: wallets at a terminal, in scripts and in cron jobs.
//!
//! A command is an Args struct whose doc comment is its help, and one function from [`Context`] to a
//! result. stdout carries the result; prompts, progress and errors go to stderr. The command runs on
//! a thread of its own while the first one waits for signals, so that Ctrl-C is answered at once
//! whatever the command is doing, and the answer says whether something was already sent.

pub mod auth;
pub mod batch;
pub mod bench;
pub mod cli;
pub mod commands;
pub mod config;
pub mod context;
pub mod env;
pub mod error;
pub mod export;
pub mod flight;
pub mod intents;
pub mod output;
pub mod paths;
pub mod progress;
pub mod prompt;
pub mod tracing;

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser as _;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use self::{
    cli::Cli,
    env::Env,
    flight::Flight,
    output::{Color, Format},
};
pub use self::{context::Context, error::CliError};

/// Runs walletctl with these arguments, the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let env = Env::process();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error, &args, &env),
    };
    let color = cli.global.color.unwrap_or_default();
    // Until the settings are known, errors take the form the flag asks for.
    let mut format = cli.global.output.or_else(|| asked(&env));
    let result = Context::new(cli.global, env.clone(), Flight::default()).and_then(|build| {
        format = Some(build.format());
        wait(&build.flight(), move || {
            let context = build.finish();
            runtime()?.block_on(async {
                let result = commands::run(&context, cli.command).await;
                context.tell_unkept();
                context.tracing().end(&context.prompt, result.as_ref().err()).await;
                result
            })
        })
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error, format.unwrap_or_default(), color, &env),
    }
}

fn runtime() -> Result<Runtime, CliError> {
    Builder::new_current_thread().enable_all().build().map_err(|e| CliError::new("internal", e.to_string()))
}

/// What comes so soon behind a signal is the same one: `timeout` sends it to the program and to its group.
const ONE_SIGNAL: Duration = Duration::from_millis(250);

/// Runs a command on its own thread, unless a signal comes first.
fn wait(flight: &Flight, command: impl FnOnce() -> Result<(), CliError> + Send + 'static) -> Result<(), CliError> {
    let (done, result) = oneshot::channel();
    let internal = |e: &dyn std::fmt::Display| CliError::new("internal", e.to_string());
    let waiting = runtime()?;
    let _entered = waiting.enter();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| internal(&e))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| internal(&e))?;
    std::thread::Builder::new()
        .name("command".into())
        .spawn(move || drop(done.send(command())))
        .map_err(|e| internal(&e))?;
    waiting.block_on(async {
        let mut result = result;
        let mut first: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                result = &mut result => {
                    return result.unwrap_or_else(|_| Err(CliError::new("internal", "the command broke off")));
                }
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first.is_some_and(|first| first.elapsed() < ONE_SIGNAL) {
                continue;
            }
            first = Some(Instant::now());
            if let Some(told) = flight.signalled() {
                return Err(told);
            }
        }
    })
}

fn report(error: &CliError, format: Format, color: Color, env: &Env) -> ExitCode {
    let mut to = io::stderr().lock();
    let color = color.resolve(env, io::stderr().is_terminal());
    // Nobody is left to be told that stderr cannot be written.
    let _ = error.report(&mut to, format.is_json(), color);
    ExitCode::from(error.exit)
}

/// Help and version go to stdout; a command line that is not understood is an error like any other.
fn misunderstood(error: &clap::Error, args: &[OsString], env: &Env) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let format = format_in(args).or_else(|| asked(env)).unwrap_or_default();
    if format.is_json() {
        let text = error.render().to_string();
        let message = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default().trim().to_owned();
        return report(&CliError::usage(message), format, Color::Never, env);
    }
    let text = error.render();
    let color = format_color(args).resolve(env, io::stderr().is_terminal());
    let mut to = io::stderr().lock();
    let _ = if color { write!(to, "{}", text.ansi()) } else { write!(to, "{text}") };
    ExitCode::from(wallet_api::problem::exit::USAGE)
}

/// The output form of the environment.
fn asked(env: &Env) -> Option<Format> {
    clap::ValueEnum::from_str(&env.get("WALLETCTL_OUTPUT")?, false).ok()
}

/// The value of an option in arguments that could not be parsed as a whole.
fn option_in<'a>(args: &'a [OsString], long: &str, short: Option<&str>) -> Option<&'a str> {
    let texts: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    texts.iter().enumerate().find_map(|(index, text)| {
        if *text == long || Some(*text) == short {
            return texts.get(index + 1).copied();
        }
        let joined = |name: &str, mark: &str| text.strip_prefix(name).and_then(|rest| rest.strip_prefix(mark));
        joined(long, "=").or_else(|| short.and_then(|short| joined(short, "=").or_else(|| joined(short, ""))))
    })
}

fn format_in(args: &[OsString]) -> Option<Format> {
    clap::ValueEnum::from_str(option_in(args, "--output", Some("-o"))?, false).ok()
}

fn format_color(args: &[OsString]) -> Color {
    option_in(args, "--color", None).and_then(|value| clap::ValueEnum::from_str(value, false).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_errors_is_known_even_when_the_command_line_is_not_understood() {
        let of = |text: &str| format_in(&text.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(of("walletctl transfer -o json --nope"), Some(Format::Json));
        assert_eq!(of("walletctl transfer -ojson"), Some(Format::Json));
        assert_eq!(of("walletctl transfer --output=ndjson"), Some(Format::Ndjson));
        assert_eq!(of("walletctl transfer --output"), None);
        assert_eq!(of("walletctl transfer"), None);
    }
}
