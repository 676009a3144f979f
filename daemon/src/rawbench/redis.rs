//! The raw limit of cached reads: one GET after the other on so many connections of the balance cache's server.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::join_all;

use super::{BenchRaw, rate};
use crate::{address::ServerUrl, compose::connection, config::Config};

/// Bytes of a cached balance.
const BALANCE: usize = 60;
/// Before the number of a key.
const PREFIX: &str = "walletd:bench-raw";
/// How long the keys live if nobody takes them away.
const LIFETIME_SECONDS: u64 = 600;

/// Runs it; gives one line of JSON.
pub(super) fn run(args: &BenchRaw, config: &Config) -> anyhow::Result<String> {
    let server = connection("balances", &config.stores.balances)?;
    let server = server.context("no Redis is configured: set WALLETD_BALANCES_URL")?;
    anyhow::ensure!(server.tls.is_none(), "the raw limit of cached reads is measured without TLS only");
    let (clients, keys) = (args.connections.max(1), args.wallets.max(1));
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let client = redis::Client::open(plain(&server.url))?;
        let mut first = client.get_multiplexed_async_connection().await?;
        let value = "7".repeat(BALANCE);
        for key in 0..keys {
            let mut set = redis::cmd("SET");
            set.arg(name(key)).arg(&value).arg("EX").arg(LIFETIME_SECONDS);
            set.query_async::<()>(&mut first).await?;
        }
        let lasting = Duration::from_secs(args.seconds);
        let mut running = Vec::new();
        for number in 0..u64::try_from(clients)? {
            let mut wire = client.get_multiplexed_async_connection().await?;
            running.push(tokio::spawn(async move {
                let started = Instant::now();
                let mut done = 0_u64;
                while started.elapsed() < lasting {
                    let key = (done.wrapping_mul(0x9e37_79b9).wrapping_add(number)) % keys;
                    let _found: String = redis::cmd("GET").arg(name(key)).query_async(&mut wire).await?;
                    done += 1;
                }
                anyhow::Ok(done)
            }));
        }
        let started = Instant::now();
        let mut done = 0;
        for one in join_all(running).await {
            done += one??;
        }
        let seconds = started.elapsed().as_secs_f64();
        for key in 0..keys {
            redis::cmd("UNLINK").arg(name(key)).query_async::<()>(&mut first).await?;
        }
        let answer = serde_json::json!({
            "what": "bare GET loop", "transfers": done, "connections": clients, "seconds": seconds,
            "per_second": rate(done, seconds),
        });
        Ok(format!("{answer}\n"))
    })
}

fn name(key: u64) -> String {
    format!("{PREFIX}:{key}")
}

/// The first host, as this client reads URLs.
fn plain(url: &ServerUrl) -> String {
    let all = url.with_password();
    all.split('?').next().unwrap_or_default().to_owned()
}
