//! What authentication and the rate limits of a request over TCP cost by themselves: the same code in the same order as at the
//! edge, on one thread, without HTTP and without what is behind it.
//!
//! The tokens of a file are shown in turn. With fewer of them than requests each is shown once before, so that all that is
//! measured was seen before. The time is the thread's processor time: what else the machine does is in none of it.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};

use super::{BenchRaw, rate};
use crate::{
    adapters::embedded::clock::SystemClock,
    compose::{rate_limits, tokens},
    config::Config,
    gateway::{RateLimits, Remote, Source, routes},
    metrics::figures::Http,
    services::identity::{Authenticate as _, Tokens},
};

/// Whose limits they are, where they are shared: nobody else's.
const NAME: &str = "bench-raw";

struct Edge {
    limits: RateLimits,
    tokens: Arc<Tokens>,
    remote: Remote,
}

impl Edge {
    /// What the edge does with a request before anything else is known of it.
    async fn pass(&self, token: &str) -> anyhow::Result<()> {
        let source = Source::Tcp(self.remote);
        let refused = |why| anyhow!("a request was refused: {why:?}");
        self.limits.arrived(&source).await.map_err(refused)?;
        let caller = if let Some(caller) = self.tokens.known(token) {
            caller
        } else {
            self.limits.may_try(&self.remote, Some(token)).await.map_err(refused)?;
            self.tokens.authenticate(token).await?
        };
        self.limits.verified(&source, &caller).await.map_err(refused)
    }
}

/// Runs it; gives one line of JSON.
pub(super) fn run(args: &BenchRaw, config: &Config) -> anyhow::Result<String> {
    let file = args.tokens.as_deref().context("--tokens names a file with a token a line")?;
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let shown: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(args, config, &shown))
}

async fn measure(args: &BenchRaw, config: &Config, shown: &[&str]) -> anyhow::Result<String> {
    let judge = tokens(&config.auth, Arc::new(SystemClock::new()))?;
    let (tokens, issuer) = judge.context("no issuer is configured: set WALLETD_ISSUER")?;
    anyhow::ensure!(issuer.refresh().await, "the issuer's keys cannot be read");
    let limits = rate_limits(config, NAME, &Http::new(routes())).await?;
    let edge = Edge { limits, tokens, remote: Remote { address: Ipv4Addr::LOCALHOST.into(), secure: false } };
    let requests = usize::try_from(args.count)?;
    if shown.len() < requests {
        for token in shown {
            edge.pass(token).await?;
        }
    }
    let begun = worked();
    for token in shown.iter().cycle().take(requests) {
        edge.pass(token).await?;
    }
    let took = worked().saturating_sub(begun);
    let done = if shown.is_empty() { 0 } else { args.count };
    let answer = serde_json::json!({
        "what": "authentication and limits of a request", "requests": done,
        "cpu_ns": u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), "per_second": rate(done, took.as_secs_f64()),
    });
    Ok(format!("{answer}\n"))
}

/// The time this thread worked.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
