//! The raw limits of the stores, for `walletctl bench`.
//!
//! Of the embedded ledger: the same keys and values in a bare fjall loop, one durable batch per so many transfers. No
//! decisions, no JSON, no hash. Of servers: [`postgres`], [`redis`]. And of what is in front of all of it: [`gateway`].

mod gateway;
mod postgres;
mod redis;
mod scratch;

pub use self::scratch::BenchStores;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use fjall::{Database, KeyspaceCreateOptions, PersistMode};

use crate::config::Config;

/// Bytes of a transfer's record with its hash, as the journal holds it.
const RECORD: usize = 620;
const ENTRY_KEY: usize = 20;
const ENTRY: usize = 12;
const ACCOUNT: usize = 60;

/// Which store is measured bare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Engine {
    /// The embedded ledger's
    Fjall,
    /// The configured ledger's server, in a database of its own
    Postgres,
    /// The configured balance cache's
    Redis,
    /// None: authentication and rate limits of requests over TCP, by themselves
    Gateway,
}

/// Arguments of the raw benchmark.
#[derive(clap::Args)]
pub struct BenchRaw {
    /// Which store is measured bare
    #[arg(long, value_enum, default_value = "fjall")]
    on: Engine,
    /// On fjall: an empty directory for the store
    #[arg(long, required_if_eq("on", "fjall"))]
    dir: Option<PathBuf>,
    /// On PostgreSQL: one transaction a transfer on so many connections, instead of batches on one; on Redis: readers
    #[arg(long, default_value_t = 0)]
    connections: usize,
    /// With --connections: in two round trips, instead of statement by statement
    #[arg(long, requires = "connections")]
    pipelined: bool,
    /// Transfers of one durable batch
    #[arg(long, default_value_t = 5_000)]
    batch: u64,
    /// Transfers in all; on the gateway: requests
    #[arg(long, default_value_t = 200_000)]
    count: u64,
    /// On the gateway: a file with a token a line, of the configured issuer
    #[arg(long, required_if_eq("on", "gateway"))]
    tokens: Option<PathBuf>,
    /// The longest it takes where it is measured one by one
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Wallets the transfers are between
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(2..))]
    wallets: u64,
}

/// Runs it; gives one line of JSON.
pub fn run(args: &BenchRaw, config: &Config) -> anyhow::Result<String> {
    match args.on {
        Engine::Fjall => fjall(args),
        Engine::Postgres => postgres::run(args, config),
        Engine::Redis => redis::run(args, config),
        Engine::Gateway => gateway::run(args, config),
    }
}

fn fjall(args: &BenchRaw) -> anyhow::Result<String> {
    let dir = args.dir.as_deref().unwrap_or(Path::new("."));
    let db = Database::builder(dir).open()?;
    let keyspace = |name: &str| db.keyspace(name, KeyspaceCreateOptions::default);
    let (journal, keys, entries, accounts) =
        (keyspace("journal")?, keyspace("keys")?, keyspace("entries")?, keyspace("accounts")?);
    let started = Instant::now();
    let mut seq = 0_u64;
    while seq < args.count {
        let mut batch = db.batch().durability(Some(PersistMode::SyncData));
        for _ in 0..args.batch.min(args.count - seq) {
            seq += 1;
            // Spread as real keys are; the record is as compressible as JSON.
            let mixed = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut key = [0; 16];
            for (to, from) in key.iter_mut().zip(mixed.to_be_bytes().into_iter().chain(seq.to_be_bytes())) {
                *to = from;
            }
            let mut record = format!("{{\"seq\":{seq},\"key\":\"{mixed:x}\",").repeat(14).into_bytes();
            record.resize(RECORD, b' ');
            batch.insert(&journal, seq.to_be_bytes(), record);
            batch.insert(&keys, key, seq.to_be_bytes());
            for wallet in [mixed % args.wallets, (mixed >> 32) % args.wallets] {
                let mut place = [0; ENTRY_KEY];
                for (to, from) in place
                    .iter_mut()
                    .zip(wallet.to_be_bytes().into_iter().chain([0]).chain(seq.to_be_bytes()).chain(seq.to_be_bytes()))
                {
                    *to = from;
                }
                batch.insert(&entries, place, [7_u8; ENTRY]);
                batch.insert(&accounts, wallet.to_be_bytes(), [7_u8; ACCOUNT]);
            }
        }
        batch.commit()?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let answer = serde_json::json!({
        "what": "bare fjall loop", "transfers": seq, "batch": args.batch, "seconds": seconds, "per_second": rate(seq, seconds),
    });
    Ok(format!("{answer}\n"))
}

/// Makes or drops a benchmark's own databases; gives what is to be printed.
pub fn stores(args: &BenchStores, config: &Config) -> anyhow::Result<String> {
    scratch::run(args, config)
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate for people; no money in it"
)]
fn rate(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds.max(f64::EPSILON)) as u64
}
