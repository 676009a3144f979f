//! `walletctl bench`.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use wallet_api::client::Endpoint;

use crate::{
    bench::{
        Measure, batches,
        daemon::{Daemon, folder, program},
        go_on,
        issuer::Issuer,
        load::Loader,
        points::{self, Shape},
        raw, reports,
        singles::{Ask, Load},
        stores::Stores,
        tokens::{self, Tokens},
    },
    context::Context,
    env::now,
    error::CliError,
    output::Meta,
};

/// How many clients ask at once, one after the other.
const CLIENTS: [u64; 4] = [1, 16, 64, 256];
/// Rows of one request, one after the other.
const CHUNKS: [u64; 2] = [1_000, 5_000];
/// Readers of past balances at once.
const READERS: [u64; 2] = [1, 16];
/// Connections of the raw single transactions.
const RAW_CONNECTIONS: u64 = 16;
/// More transfers than any time limit lets happen.
const ENDLESS: &str = "1000000000";
const ONE_BY_ONE: &str = "statement by statement";
const PIPELINED: &str = "two round trips";
/// What the raw limit of cached reads is called.
const GET: &str = "bare GET loop";

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Scenario {
    /// Appends of one record, each synced; the bare store; the route that does nothing
    Raw,
    /// Transfers one by one, by 1, 16, 64 and 256 clients
    Singles,
    /// Batch files of `--count` rows, and the time until what follows the ledger has caught up
    Batches,
    /// Balances from the cache, by 1, 16, 64 and 256 clients
    Cached,
    /// Balances at random moments and cuts, in four shapes of history, by 1 and 16 readers
    Points,
    /// Balances of `--wallets` wallets at a moment
    Report,
    /// Over TCP with tokens: what it costs to know and to limit who calls, beside transfers; not of a running daemon
    Tokens,
    /// `walletctl balance` as a whole process
    Process,
}

/// Measure a scratch daemon: what it does, beside the raw limits of this machine
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl bench
  walletctl bench --scenario singles --duration 10 -o json
  walletctl bench --scenario points --entries 10000,1000000
  WALLETD_LEDGER_URL=postgres://bench@localhost/postgres \\
      walletctl bench --servers")]
pub struct Bench {
    /// Only these, separated by commas
    #[arg(long, value_enum, value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// Seconds of each measurement that asks again and again
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    duration: u64,
    /// Rows of a batch file
    #[arg(long, value_name = "ROWS", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    count: u64,
    /// Wallets of the report
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    wallets: u64,
    /// Entries of the histories, separated by commas
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_values_t = [10_000, 1_000_000])]
    entries: Vec<u64>,
    /// Reads of each history
    #[arg(long, default_value_t = 2_000)]
    reads: u64,
    /// The daemon's program; the one beside walletctl when left out
    #[arg(long, value_name = "PATH")]
    walletd: Option<PathBuf>,
    /// Where the scratch daemon keeps its files; the folder for temporary files when left out
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the scratch daemon's stores on the servers that `WALLETD_LEDGER_URL` and its like name, in databases of their
    /// own that are dropped behind it; what is not named is embedded
    #[arg(long, conflicts_with = "running")]
    servers: bool,
    /// Measure the daemon of the context instead, and leave wallets and transactions in it
    #[arg(long)]
    running: bool,
    /// Do not ask
    #[arg(short, long, requires = "running")]
    yes: bool,
}

/// Measures.
pub async fn bench(ctx: &Context, args: Bench) -> Result<(), CliError> {
    ctx.out().check::<Measure>()?;
    let name = format!("bench-{}", now().as_micros());
    // The first interruption ends it between two measurements, so that the scratch daemon is stopped and what was made for
    // it is gone; a question about a running daemon is answered by the first.
    let interrupted = || ctx.flight.hold(CliError::new("interrupted", "interrupted"));
    let early = (!args.running).then(interrupted);
    let mut stores = stores(&args, &name)?;
    let issuer = issuer(&args)?;
    let daemon = daemon(ctx, &args, &stores, issuer.as_ref()).await?;
    let hold = early.unwrap_or_else(interrupted);
    let mut loader = Loader::connect(&daemon.socket, name, ctx.flight.clone()).await?;
    stores.belong_to(&loader.status().await?.ledger_id);
    let mut run = Run { ctx, args: &args, daemon, stores, issuer, loader, done: Vec::new() };
    let mut result = run.all().await;
    let Run { mut daemon, stores, done, .. } = run;
    if let (Err(error), Some(words)) = (&mut result, daemon.last_words()) {
        *error = CliError::new("unavailable", words);
    }
    drop(daemon);
    let removed = stores.remove();
    drop(hold);
    let meta = Meta::new().with("program", &concat!("walletctl ", env!("CARGO_PKG_VERSION")));
    ctx.out().list("bench", &done, meta)?;
    result.and(removed)
}

/// Where a scratch daemon's stores are. A running daemon's program may be anywhere: its raw limits are taken if it is
/// found.
fn stores(args: &Bench, name: &str) -> Result<Stores, CliError> {
    let program = program(args.walletd.as_deref());
    if args.running {
        return Ok(Stores::embedded(&program.unwrap_or_default()));
    }
    let program = program?;
    if !args.servers {
        return Ok(Stores::embedded(&program));
    }
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Stores::on_servers(&program, &name.replace('-', "_"), variables)
}

/// The issuer that a scratch daemon is to believe, if tokens are to be measured. Whom a running daemon believes is not ours
/// to say.
fn issuer(args: &Bench) -> Result<Option<Issuer>, CliError> {
    if args.running && args.scenario.contains(&Scenario::Tokens) {
        return Err(CliError::usage("--scenario tokens: a running daemon does not believe tokens that are made here")
            .hint("Leave --running out: a scratch daemon does."));
    }
    let wanted = !args.running && wants(args, Scenario::Tokens);
    wanted.then(Issuer::start).transpose()
}

fn wants(args: &Bench, scenario: Scenario) -> bool {
    args.scenario.is_empty() || args.scenario.contains(&scenario)
}

async fn daemon(ctx: &Context, args: &Bench, stores: &Stores, issuer: Option<&Issuer>) -> Result<Daemon, CliError> {
    let folder = folder(args.dir.as_deref())?;
    if !args.running {
        let besides = issuer.map(tokens::variables).unwrap_or_default();
        return Daemon::start(&program(args.walletd.as_deref())?, folder, stores, &besides).await;
    }
    ctx.allow_write()?;
    ctx.confirm(args.yes, "Measure the running daemon, and leave wallets and transactions in it?", None)?;
    let Endpoint::Socket(socket) = ctx.settings.endpoint.value.clone() else {
        return Err(CliError::usage("a running daemon is measured over its socket").hint("Give --socket PATH."));
    };
    let pid = ctx.api()?.status().await?.body.pid;
    Ok(Daemon::running(socket, pid, folder))
}

struct Run<'a> {
    ctx: &'a Context,
    args: &'a Bench,
    daemon: Daemon,
    stores: Stores,
    issuer: Option<Issuer>,
    loader: Loader,
    done: Vec<Measure>,
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), CliError> {
        if self.wants(Scenario::Raw) {
            self.raw().await?;
        }
        if self.wants(Scenario::Singles) {
            self.singles().await?;
        }
        if self.wants(Scenario::Batches) {
            self.batches().await?;
        }
        if self.wants(Scenario::Cached) {
            self.cached().await?;
        }
        if self.wants(Scenario::Points) {
            self.points().await?;
        }
        if self.wants(Scenario::Report) {
            self.note("wallets for the report");
            let measure = reports::all_wallets(&self.daemon.socket, &mut self.loader, self.args.wallets).await?;
            self.add(measure)?;
        }
        if self.wants(Scenario::Tokens) {
            self.tokens().await?;
        }
        if self.wants(Scenario::Process) {
            self.loader.wallets("process", 1).await?;
            let wallet = self.loader.wallet("process", 0);
            let measure = reports::one_process(self.daemon.folder.path(), &self.daemon.socket, &wallet, 100)?;
            self.add(measure)?;
        }
        Ok(())
    }

    fn wants(&self, scenario: Scenario) -> bool {
        wants(self.args, scenario)
    }

    fn load(&self, clients: u64) -> Load<'_> {
        Load { daemon: &self.daemon, clients, lasting: self.lasting(), flight: &self.ctx.flight }
    }

    fn lasting(&self) -> Duration {
        Duration::from_secs(self.args.duration)
    }

    fn note(&self, what: &str) {
        if self.ctx.prompt.is_interactive() {
            self.ctx.prompt.note(&format!("measuring: {what}"));
        }
    }

    fn add(&mut self, measure: Measure) -> Result<(), CliError> {
        let (rss_kib, peak_kib) = self.daemon.memory();
        self.done.push(Measure { rss_kib, peak_kib, ..measure });
        go_on(&self.ctx.flight)
    }

    async fn raw(&mut self) -> Result<(), CliError> {
        self.note("raw limits");
        let measure = raw::appends(self.daemon.folder.path(), self.lasting())?;
        self.add(measure)?;
        if self.stores.ledger() {
            self.raw_ledger()?;
        } else if program(self.args.walletd.as_deref()).is_ok() {
            for chunk in CHUNKS {
                let measure = raw::store(&self.stores, self.daemon.folder.path(), chunk, self.args.count)?;
                self.add(measure)?;
            }
        }
        for clients in CLIENTS {
            let measure = self.load(clients).run(Ask::Nothing).await?;
            self.add(measure)?;
        }
        if self.stores.balances() {
            let seconds = self.args.duration.to_string();
            for clients in CLIENTS {
                let connections = clients.to_string();
                let args = ["--on", "redis", "--connections", &connections, "--seconds", &seconds];
                let measure = raw::bare(&self.stores, GET, &args)?;
                self.add(Measure { clients: Some(clients), ..measure })?;
            }
        }
        Ok(())
    }

    /// Of PostgreSQL: the rows by UNNEST, and one transaction a transfer.
    fn raw_ledger(&mut self) -> Result<(), CliError> {
        let (count, seconds) = (self.args.count.to_string(), self.args.duration.to_string());
        for chunk in CHUNKS {
            let batch = chunk.to_string();
            let args = ["--on", "postgres", "--batch", &batch, "--count", &count];
            let measure = raw::bare(&self.stores, raw::bare_store(chunk), &args)?;
            self.add(measure)?;
        }
        for connections in [1, RAW_CONNECTIONS] {
            let many = connections.to_string();
            let args =
                ["--on", "postgres", "--connections", &many, "--seconds", &seconds, "--count", ENDLESS, "--pipelined"];
            for (how, args) in [(ONE_BY_ONE, args.split_last().map(|(_, args)| args)), (PIPELINED, Some(&args[..]))] {
                let measure = raw::bare(&self.stores, raw::one_by_one(connections, how), args.unwrap_or_default())?;
                self.add(Measure { clients: Some(connections), ..measure })?;
            }
        }
        Ok(())
    }

    async fn singles(&mut self) -> Result<(), CliError> {
        self.loader.wallets("single", 1_000).await?;
        let wallets = format!("{}-single", self.loader.name);
        for clients in CLIENTS {
            self.note(&format!("transfers by {clients} clients"));
            let keys = format!("{}-{clients}", self.loader.name);
            let ask = Ask::Transfer { wallets: &wallets, count: 1_000, keys: &keys };
            let measure = self.load(clients).run(ask).await?;
            // One client alone waits for the disk; many wait for the edge. On a server: for as many of its transactions.
            let limit = match clients {
                1 if self.stores.ledger() => self.case(&raw::one_by_one(1, ONE_BY_ONE)),
                _ if self.stores.ledger() => self.case(&raw::one_by_one(RAW_CONNECTIONS, ONE_BY_ONE)),
                1 => self.case("synced appends"),
                _ => self.nothing(clients),
            };
            self.add(measure.beside(limit))?;
        }
        Ok(())
    }

    async fn batches(&mut self) -> Result<(), CliError> {
        self.loader.wallets("batch", 1_000).await?;
        let wallets = format!("{}-batch", self.loader.name);
        for chunk in CHUNKS {
            self.note(&format!("batches of {chunk}"));
            let folder = self.daemon.folder.path();
            let name = format!("{}-{chunk}", self.loader.name);
            let file = batches::file(folder, &name, &wallets, 1_000, self.args.count)?;
            let before = self.daemon.cpu_ms();
            let measure = batches::run(folder, &self.daemon.socket, &file, chunk, self.args.count).await?;
            let measure = measure.cpu(before, self.daemon.cpu_ms());
            let limit = self.case(&raw::bare_store(chunk));
            self.add(measure.beside(limit))?;
            for measure in batches::caught_up(&mut self.loader).await? {
                self.add(measure)?;
            }
        }
        Ok(())
    }

    async fn cached(&mut self) -> Result<(), CliError> {
        self.loader.wallets("cached", 1_000).await?;
        self.loader.deposits("cached", 1_000, |number| (number, None)).await?;
        batches::caught_up(&mut self.loader).await?;
        let wallets = format!("{}-cached", self.loader.name);
        for clients in CLIENTS {
            self.note(&format!("cached balances by {clients} clients"));
            let ask = Ask::Cached { wallets: &wallets, count: 1_000 };
            let measure = self.load(clients).run(ask).await?;
            let limit = if self.stores.balances() {
                self.limit(|raw| raw.case == GET && raw.clients == Some(clients))
            } else {
                self.nothing(clients)
            };
            self.add(measure.beside(limit))?;
        }
        Ok(())
    }

    async fn tokens(&mut self) -> Result<(), CliError> {
        let Some(issuer) = &self.issuer else { return Ok(()) };
        self.note("tokens over TCP");
        self.loader.wallets("token", 1_000).await?;
        let wallets = format!("{}-token", self.loader.name);
        let (daemon, stores, flight) = (&self.daemon, &self.stores, &self.ctx.flight);
        let lasting = self.lasting();
        let tokens = Tokens { daemon, stores, issuer, wallets: &wallets, count: 1_000, lasting, flight };
        for measure in tokens.measure().await? {
            self.add(measure)?;
        }
        Ok(())
    }

    async fn points(&mut self) -> Result<(), CliError> {
        for &entries in &self.args.entries {
            for shape in Shape::ALL {
                self.note(&format!("{shape:?}, {entries} entries"));
                let history = points::history(&mut self.loader, shape, entries, &self.ctx.flight).await?;
                // What is asked is how long looking up takes, not beside what it is done.
                self.daemon.at_rest().await;
                for readers in READERS {
                    let before = self.daemon.cpu_ms();
                    let measure =
                        points::read(&self.daemon.socket, &history, readers, self.args.reads * readers).await?;
                    self.add(measure.cpu(before, self.daemon.cpu_ms()))?;
                }
            }
        }
        Ok(())
    }

    /// The figure of the raw limit of this name.
    fn case(&self, case: &str) -> Option<u64> {
        self.limit(|raw| raw.case == case)
    }

    /// What the route that does nothing does.
    fn nothing(&self, clients: u64) -> Option<u64> {
        self.limit(|raw| raw.scenario == "nothing" && raw.clients == Some(clients))
    }

    /// The figure of a raw limit that was measured before.
    fn limit(&self, holds: impl Fn(&Measure) -> bool) -> Option<u64> {
        let limits = self.done.iter().filter(|done| matches!(done.scenario, "raw" | "nothing"));
        limits.into_iter().find(|done| holds(done)).map(|done| done.per_second)
    }
}
