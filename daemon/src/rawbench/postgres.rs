//! The raw limits of the ledger on PostgreSQL: the same rows, the same indexes, the same session settings, no decision, no
//! JSON, no hash, no network but the one to the server.
//!
//! Two shapes. Batches: one connection, one transaction a batch, everything sent at once by UNNEST. Singles: one transaction
//! a transfer on many connections, locking the accounts: a statement after the other, as programs do it, or
//! (pipelined) in the two round trips that reading before writing needs at least. Both run in a database of their own on the configured server, which is
//! dropped behind them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::future::{join_all, try_join_all};
use tokio_postgres::{Client, Statement, types::ToSql};
use wallet_core::money::Balance;

use super::{BenchRaw, rate};
use crate::{
    adapters::{
        connection::Connection,
        postgres::{
            codec::{Digest, Money},
            drop_database,
            link::Link,
            make_database, migrate,
        },
    },
    compose::connection,
    config::Config,
};

/// Bytes of a transfer's record, and of the ends of an account's one run.
const RECORD: usize = 590;
const RUNS: usize = 18;
/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(10);

const JOURNAL: &str = "INSERT INTO journal (seq, epoch, recorded_at, key, hash, bytes, trace) \
    SELECT * FROM unnest($1::int8[], $2::int8[], $3::int8[], $4::uuid[], $5::bytea[], $6::bytea[], $7::text[])";
const ENTRIES: &str = "INSERT INTO entries (account, run, effective_at, seq, version, amount, balance_after, run_after) \
    SELECT a, 0, s, s, s, m, m, m FROM unnest($1::int8[], $2::int8[], $3::numeric[]) AS u (a, s, m)";
const ACCOUNTS: &str = "UPDATE accounts a SET balance = u.balance, version = a.version + 1, seq = u.seq, runs = u.runs \
    FROM unnest($1::text[], $2::numeric[], $3::int8[], $4::bytea[]) AS u (id, balance, seq, runs) WHERE a.id = u.id";
const CLOCK: &str = "UPDATE clock SET seq = $1, recorded_at = $1, hash = $2 WHERE one = 1";
const LOCK: &str = "SELECT id, balance, version FROM accounts WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE";
const KNOWN: &str = "SELECT seq FROM journal WHERE key = ANY ($1::uuid[])";
const WALLETS: &str = "INSERT INTO accounts (id, number, owner, asset, scale, status, floor, balance, version, opened_at, seq, runs) \
    SELECT 'wallet-' || n, n, 'bench', 'EUR', 2, 'active', 0, 0, 0, 0, 0, ''::bytea FROM generate_series(0, $1::int8 - 1) AS n";

/// Runs one of the two, in a database of its own; gives one line of JSON.
pub(super) fn run(args: &BenchRaw, config: &Config) -> anyhow::Result<String> {
    let there = connection("ledger", &config.stores.ledger)?;
    let there = there.context("no PostgreSQL is configured: set WALLETD_LEDGER_URL")?;
    let name = format!("bench_raw_{}", uuid::Uuid::new_v4().simple());
    let mine = Connection { url: there.url.clone().having_path(name.clone()), timeout: LIMIT, ..there.clone() };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let made = make_database(&there, &name).await;
        made.with_context(|| {
            format!("no database on {}: a benchmark needs an account that may make one (CREATEDB)", there.url)
        })?;
        let measured = measure(args, &mine).await;
        let dropped = drop_database(&there, &name).await;
        let measured = measured?;
        dropped.with_context(|| format!("the database {name} is left on {}", there.url))?;
        Ok(measured)
    })
}

async fn measure(args: &BenchRaw, mine: &Connection) -> anyhow::Result<String> {
    migrate(mine).await?;
    let link = Link::new(mine, "walletd bench-raw")?;
    let first = link.connect().await?;
    let wallets = i64::try_from(args.wallets)?;
    first.client.execute(WALLETS, &[&wallets]).await?;
    let start = "INSERT INTO clock VALUES (1, 'bench', 1, 0, 0, ''::bytea)";
    first.client.batch_execute(start).await?;
    first.client.batch_execute("ANALYZE accounts").await?;
    let started = Instant::now();
    let done = if args.connections == 0 { batches(&first.client, args).await? } else { singles(&link, args).await? };
    let seconds = started.elapsed().as_secs_f64();
    let what = if args.connections == 0 { "bare UNNEST loop" } else { "one transaction a transfer" };
    let how = match (args.connections, args.pipelined) {
        (0, _) => "sent at once",
        (_, true) => "two round trips",
        (_, false) => "statement by statement",
    };
    let answer = serde_json::json!({
        "what": what, "how": how, "transfers": done, "batch": args.batch, "connections": args.connections.max(1),
        "seconds": seconds, "per_second": rate(done, seconds),
    });
    Ok(format!("{answer}\n"))
}

/// The rows of some transfers.
#[derive(Default)]
struct Rows {
    seq: Vec<i64>,
    epoch: Vec<i64>,
    key: Vec<Digest>,
    hash: Vec<Vec<u8>>,
    bytes: Vec<Vec<u8>>,
    trace: Vec<Option<String>>,
    account: Vec<i64>,
    entry: Vec<i64>,
    amount: Vec<Money>,
    touched: Vec<String>,
    balance: Vec<Money>,
    last: Vec<i64>,
    runs: Vec<Vec<u8>>,
}

/// Spread as real keys are.
fn mixed(seq: u64) -> u64 {
    seq.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Rows {
    fn of(from: u64, count: u64, wallets: u64) -> anyhow::Result<Self> {
        let mut rows = Self::default();
        let money = Money(Balance::from_units(123_456, 2)?);
        let mut touched = std::collections::BTreeSet::new();
        for seq in from..from + count {
            let mix = mixed(seq);
            let mut key = [0; 16];
            for (to, byte) in key.iter_mut().zip(mix.to_be_bytes().into_iter().chain(seq.to_be_bytes())) {
                *to = byte;
            }
            let mut record = format!("{{\"seq\":{seq},\"key\":\"{mix:x}\",").repeat(14).into_bytes();
            record.resize(RECORD, b' ');
            let seq = i64::try_from(seq)?;
            rows.seq.push(seq);
            rows.epoch.push(1);
            rows.key.push(Digest(key));
            rows.hash.push([key, key].concat());
            rows.bytes.push(record);
            rows.trace.push(None);
            let one = mix % wallets;
            for wallet in [one, (one + 1 + (mix >> 32) % (wallets - 1)) % wallets] {
                rows.account.push(i64::try_from(wallet)?);
                rows.entry.push(seq);
                rows.amount.push(money);
                touched.insert(wallet);
            }
        }
        let last = i64::try_from(from + count - 1)?;
        for wallet in touched {
            rows.touched.push(format!("wallet-{wallet}"));
            rows.balance.push(money);
            rows.last.push(last);
            rows.runs.push(vec![7; RUNS]);
        }
        Ok(rows)
    }
}

/// How rows are written.
#[derive(Clone, Copy)]
struct Sent {
    /// The clock row is moved as well.
    clock: bool,
    /// The transaction is begun first.
    begin: bool,
    /// All statements are sent at once.
    at_once: bool,
}

/// The statements of one connection.
struct Prepared {
    journal: Statement,
    entries: Statement,
    accounts: Statement,
    clock: Statement,
    lock: Statement,
    known: Statement,
}

impl Prepared {
    async fn on(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let all = [JOURNAL, ENTRIES, ACCOUNTS, CLOCK, LOCK, KNOWN].map(|sql| client.prepare(sql));
        let mut all = try_join_all(all).await?.into_iter();
        let mut next = || all.next().ok_or_else(tokio_postgres::Error::__private_api_timeout);
        Ok(Self {
            journal: next()?,
            entries: next()?,
            accounts: next()?,
            clock: next()?,
            lock: next()?,
            known: next()?,
        })
    }

    /// Writes rows and commits, all sent at once.
    async fn write(&self, client: &Client, rows: &Rows, how: Sent) -> Result<(), tokio_postgres::Error> {
        type Parameter<'a> = &'a (dyn ToSql + Sync);
        let (last, hash) = (rows.seq.last().copied().unwrap_or_default(), vec![7_u8; 32]);
        let journal: [Parameter<'_>; 7] =
            [&rows.seq, &rows.epoch, &rows.seq, &rows.key, &rows.hash, &rows.bytes, &rows.trace];
        let entries: [Parameter<'_>; 3] = [&rows.account, &rows.entry, &rows.amount];
        let accounts: [Parameter<'_>; 4] = [&rows.touched, &rows.balance, &rows.last, &rows.runs];
        let now: [Parameter<'_>; 2] = [&last, &hash];
        if !how.at_once {
            client.execute(&self.journal, &journal).await?;
            client.execute(&self.entries, &entries).await?;
            client.execute(&self.accounts, &accounts).await?;
            return client.batch_execute("COMMIT").await;
        }
        let (began, a, b, c, d, ended) = futures_util::join!(
            async { if how.begin { client.batch_execute("BEGIN").await } else { Ok(()) } },
            client.execute(&self.journal, &journal),
            client.execute(&self.entries, &entries),
            client.execute(&self.accounts, &accounts),
            async { if how.clock { client.execute(&self.clock, &now).await } else { Ok(0) } },
            client.batch_execute("COMMIT"),
        );
        began.and(a).and(b).and(c).and(d)?;
        ended
    }
}

async fn batches(client: &Client, args: &BenchRaw) -> anyhow::Result<u64> {
    let prepared = Prepared::on(client).await?;
    let mut done = 0;
    while done < args.count {
        let count = args.batch.min(args.count - done);
        let rows = Rows::of(done + 1, count, args.wallets)?;
        prepared.write(client, &rows, Sent { clock: true, begin: true, at_once: true }).await?;
        done += count;
    }
    Ok(done)
}

async fn singles(link: &Link, args: &BenchRaw) -> anyhow::Result<u64> {
    let next = Arc::new(AtomicI64::new(1));
    let (count, wallets, pipelined) = (i64::try_from(args.count)?, args.wallets, args.pipelined);
    let until = Instant::now() + Duration::from_secs(args.seconds);
    let mut running = Vec::new();
    for _ in 0..args.connections {
        let connected = link.connect().await?;
        let (prepared, next) = (Prepared::on(&connected.client).await?, Arc::clone(&next));
        running.push(tokio::spawn(async move {
            let client = &connected.client;
            let mut done = 0_u64;
            loop {
                let seq = next.fetch_add(1, Ordering::Relaxed);
                if seq > count || Instant::now() >= until {
                    return anyhow::Ok(done);
                }
                done += 1;
                let rows = Rows::of(u64::try_from(seq)?, 1, wallets)?;
                let (locked, keys): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) =
                    ([&rows.touched], [&rows.key]);
                let (found, accounts) = if pipelined {
                    let (begin, known) = (client.batch_execute("BEGIN"), client.query(&prepared.known, &keys));
                    let all = futures_util::join!(begin, known, client.query(&prepared.lock, &locked));
                    all.0?;
                    (all.1?, all.2?)
                } else {
                    client.batch_execute("BEGIN").await?;
                    (client.query(&prepared.known, &keys).await?, client.query(&prepared.lock, &locked).await?)
                };
                anyhow::ensure!(found.is_empty() && accounts.len() == 2, "the database is not a new one");
                prepared.write(client, &rows, Sent { clock: false, begin: false, at_once: pipelined }).await?;
            }
        }));
    }
    let mut all = 0;
    for done in join_all(running).await {
        all += done??;
    }
    Ok(all)
}
