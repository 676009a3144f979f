//! What `walletd` can be told on its command line.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use wallet_core::ports::StoreError;

use crate::{
    adapters::{embedded::clock::SystemClock, schema::OpenError},
    allocator,
    backup::{self, BackupError, Source},
    compose::{self, Opening},
    config::{Config, EXIT_CONFIGURATION, Environment, Flags, Loaded},
    gateway::{self, ListenError},
    lifecycle::{DataLock, StartError},
    operate::{self, recover::RecoverError},
    rawbench, serve,
    services::{projections::AheadError, rebuild::Rebuildable},
    telemetry,
};

/// Nothing happened; try again (`EX_TEMPFAIL`).
const EXIT_TRY_AGAIN: u8 = 75;
/// The command line is not enough for what it would do.
const EXIT_USAGE: u8 = 2;
/// A store holds something that cannot be.
const EXIT_VERIFICATION: u8 = 9;

/// Headless wallet daemon: wallets, transactions, balances at any moment, audit
#[derive(Parser)]
#[command(name = "walletd", version, after_help = "Example:\n  walletd serve")]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve on the socket until told to stop
    #[command(
        after_help = "Example:\n  walletd serve\n  walletd serve --socket /run/walletd/walletd.sock --data /var/lib/walletd\n  walletd serve --roles relay,audit\n  walletd serve --listen 127.0.0.1:8420"
    )]
    Serve {
        /// Which parts of the whole this process does: api, relay, balances, audit [default: all]
        #[arg(long, value_name = "ROLES")]
        roles: Option<String>,
        /// Listen on this address and port too; beyond loopback a certificate is needed (`gateway.cert_file`)
        #[arg(long, value_name = "ADDRESS")]
        listen: Option<String>,
        /// Bring the servers' schemas to the one this program knows before serving
        #[arg(long)]
        migrate: bool,
    },
    /// Look at the configuration
    #[command(subcommand, after_help = "Example:\n  walletd config print --origin")]
    Config(ConfigCommand),
    /// Look at or change the stores' schemas
    #[command(subcommand, after_help = "Example:\n  walletd migrate status")]
    Migrate(MigrateCommand),
    /// Write the journal up to one cut to a file, while the daemon runs or not
    #[command(after_help = "Example:\n  walletd backup /var/backups/wallets.zst")]
    Backup {
        /// The file to make
        file: PathBuf,
        /// Replace the file if it is there
        #[arg(long)]
        force: bool,
    },
    /// Make a ledger from a backup, in an empty data directory or database and a new epoch
    #[command(after_help = "Example:\n  walletd restore /var/backups/wallets.zst --data /var/lib/walletd")]
    Restore {
        /// The backup
        file: PathBuf,
    },
    /// Drop a store that follows the ledger and make it anew, while the daemon runs or not
    #[command(after_help = "Example:\n  walletd rebuild audit")]
    Rebuild {
        /// Which: wallets, balances, audit or events
        store: Rebuildable,
    },
    /// Look at every store of the configuration, and say what to do
    #[command(after_help = "Example:\n  walletd doctor && walletd serve")]
    Doctor {
        /// As one JSON document
        #[arg(long)]
        json: bool,
    },
    /// After the ledger's server was restored from a backup: begin a new epoch, make anew what is ahead
    #[command(after_help = "Example:\n  walletd recover --yes")]
    Recover {
        /// Drop an audit trail and events that hold records the ledger does not have
        #[arg(long)]
        yes: bool,
    },
    /// A bare loop of the ledger's inserts, without the ledger: the raw limit for benchmarks
    #[command(hide = true)]
    BenchRaw(rawbench::BenchRaw),
    /// Print who may do what: every action, and what each role reaches by it
    #[command(after_help = "Example:\n  walletd authz")]
    Authz {
        /// As one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Databases of a benchmark's own on the configured servers
    #[command(hide = true)]
    BenchStores(rawbench::BenchStores),
    /// Print the OpenAPI document
    #[command(after_help = "Example:\n  walletd openapi > openapi.json")]
    Openapi,
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration can be used
    #[command(after_help = "Example:\n  walletd config check && walletd serve")]
    Check,
    /// Print every value
    #[command(after_help = "Example:\n  walletd config print --origin")]
    Print {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Subcommand)]
enum MigrateCommand {
    /// Say which schema each store has, and which this program knows
    #[command(after_help = "Example:\n  walletd migrate status")]
    Status,
    /// Bring every store to the schema this program knows
    #[command(after_help = "Example:\n  walletd migrate up")]
    Up,
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let mut cli = Cli::parse();
    if matches!(cli.command, Command::Serve { .. }) {
        allocator::settle();
    }
    gateway::install_provider();
    if let Command::Serve { roles, listen, .. } = &mut cli.command {
        (cli.flags.roles, cli.flags.listen) = (roles.take(), listen.take());
    }
    let loaded = match Loaded::load(&cli.flags, &Environment::of_process()) {
        Ok(loaded) => loaded,
        Err(error) => return fail(&error.into(), EXIT_CONFIGURATION),
    };
    let traces = matches!(cli.command, Command::Serve { .. }).then_some(&loaded.config.traces);
    // Until the end: then the last spans go out.
    let _telemetry = telemetry::start(&loaded.config.log, traces);
    match run(cli.command, &loaded) {
        Ok(code) => code,
        Err(error) => {
            let code = exit_code(&error);
            fail(&error, code)
        }
    }
}

fn run(command: Command, loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    match command {
        Command::Serve { migrate, .. } => {
            return serve::serve(config, if migrate { Opening::Migrate } else { Opening::AsItIs });
        }
        Command::Config(ConfigCommand::Check) => print("the configuration can be used\n")?,
        Command::Config(ConfigCommand::Print { origin }) => print(&loaded.print(origin))?,
        Command::Migrate(command) => migrate(&command, config)?,
        Command::Backup { file, force } => backup_to(&file, force, config)?,
        Command::Restore { file } => summarise("restored", &wait(operate::restore::restore(&file, config))?)?,
        Command::Rebuild { store } => print(&wait(operate::rebuild::rebuild(store, config))?)?,
        Command::Doctor { json } => {
            let (text, code) = wait(async { Ok::<_, anyhow::Error>(operate::doctor::doctor(config, json).await) })?;
            print(&text)?;
            return Ok(ExitCode::from(code));
        }
        Command::Recover { yes } => print(&wait(operate::recover::recover(config, yes))?)?,
        Command::Authz { json: true } => print(&crate::gateway::authz::in_json())?,
        Command::Authz { json: false } => print(&crate::gateway::authz::in_text())?,
        Command::BenchRaw(args) => print(&rawbench::run(&args, config)?)?,
        Command::BenchStores(args) => print(&rawbench::stores(&args, config)?)?,
        Command::Openapi => print(&(crate::gateway::openapi().to_pretty_json()? + "\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn migrate(command: &MigrateCommand, config: &Config) -> anyhow::Result<()> {
    let schemas = wait(async {
        if matches!(command, MigrateCommand::Up) {
            let _lock = DataLock::where_used(config)?;
            compose::migrate(config).await?;
        }
        Ok::<_, anyhow::Error>(compose::schemas(config).await?)
    })?;
    for (name, engine, schema) in schemas {
        let applied = schema.applied.map_or_else(|| "none".to_owned(), |version| version.to_string());
        let state = match schema.applied {
            _ if schema.is_current() => "current",
            Some(applied) if applied > schema.known => "made by a newer walletd",
            _ => "to be migrated",
        };
        print(&format!("{name} ({engine}): schema {applied}, known {}: {state}\n", schema.known))?;
    }
    Ok(())
}

/// From the running daemon if one answers on the socket, else from the directory itself.
fn backup_to(file: &Path, force: bool, config: &Config) -> anyhow::Result<()> {
    let clock = SystemClock::new();
    let summary = if std::os::unix::net::UnixStream::connect(&config.server.socket).is_ok() {
        wait(backup::backup(file, force, Source::Daemon(config.server.socket.clone()), &clock))?
    } else {
        let _lock = DataLock::where_used(config)?;
        wait(async {
            let ledger = compose::open(config, Opening::AsItIs).await?.ledger;
            Ok::<_, anyhow::Error>(backup::backup(file, force, Source::Ledger(ledger), &clock).await?)
        })?
    };
    summarise("backed up", &summary)
}

fn wait<T, E: Into<anyhow::Error>>(work: impl Future<Output = Result<T, E>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work).map_err(Into::into)
}

fn summarise(what: &str, summary: &backup::Summary) -> anyhow::Result<()> {
    let backup::Summary { ledger_id, cut, records, sha256 } = summary;
    print(&format!(
        "{what} {records} records of ledger {ledger_id}\ncut: epoch {}, {}:{}\nsha256: {sha256}\n",
        cut.epoch, cut.seq, cut.hash
    ))
}

fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref::<StartError>().is_some() || error.downcast_ref::<ListenError>().is_some() {
        return EXIT_CONFIGURATION;
    }
    if let Some(error) = error.downcast_ref::<BackupError>() {
        return error.exit();
    }
    if let Some(OpenError::Schema { .. } | OpenError::Configuration { .. }) = error.downcast_ref::<OpenError>() {
        return EXIT_CONFIGURATION;
    }
    match error.downcast_ref::<RecoverError>() {
        Some(RecoverError::Running) => return EXIT_TRY_AGAIN,
        Some(RecoverError::Confirm(_)) => return EXIT_USAGE,
        None => {}
    }
    if error.downcast_ref::<AheadError>().is_some() {
        return EXIT_CONFIGURATION;
    }
    let store = match error.downcast_ref::<OpenError>() {
        Some(OpenError::Store(store)) => Some(store),
        _ => error.downcast_ref::<StoreError>(),
    };
    match store {
        Some(StoreError::Corrupt { .. }) => EXIT_VERIFICATION,
        Some(_) => EXIT_TRY_AGAIN,
        None => 1,
    }
}

/// What happened, and why, on stderr.
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    // Nothing can be said if stderr is gone.
    drop(writeln!(std::io::stderr(), "walletd: {error:#}"));
    ExitCode::from(code)
}
