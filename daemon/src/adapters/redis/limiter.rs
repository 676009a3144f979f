//! The rate limiter that all replicas share.
//!
//! Order of asking, cheapest first. Buckets in process at the full rate: what they refuse all replicas together would. Then
//! tokens that were taken in advance ([`super::lease`]): a busy caller's requests cost no call. Then the server: one script
//! for all buckets of a request, by the server's own clock, so that replicas whose clocks differ agree. A bucket is one key
//! that expires when it is full again, so the keys are bounded by the requests of that time.
//!
//! A request waits for the server no longer than the time limit; an answer that comes later still counts. When answers
//! fail or stay away, [`super::breaker`] stops the asking for a while. Without the server each replica enforces its share
//! of the rates, rate / replicas, and says so.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use wallet_core::{
    cut::Hash,
    ports::{RateLimiter, Sharing, StoreError, Take, Verdict},
};

use super::{
    breaker::{Breaker, Say},
    lease::{Leases, Took},
    link::{Link, Script},
};
use crate::adapters::{buckets::Buckets, connection::Connection, schema::OpenError};

const STORE: &str = "rate limits";
/// After so long without an answer the connection is given up; a request has long gone on by then.
const CONNECTION: Duration = Duration::from_secs(1);
/// Most questions under way that nobody waits for: more, and what they would have said is not said.
const BEHIND: usize = 256;

/// The [`RateLimiter`] on Redis.
pub struct RedisLimiter {
    shared: Arc<Shared>,
    /// The buckets of this replica's share, for when it is cut off.
    alone: Buckets,
    replicas: NonZeroU32,
    /// How long a request waits for the server.
    patience: Duration,
    behind: Arc<Semaphore>,
}

struct Shared {
    link: Link,
    script: Script,
    prefix: String,
    local: Buckets,
    leases: Leases,
    breaker: Breaker,
}

/// A take that outlives its request.
#[derive(Debug)]
struct Kept {
    limit: &'static str,
    whose: Box<str>,
    part: Option<Box<str>>,
    rate: wallet_core::ports::Rate,
    cost: u32,
    /// Tokens to take in advance.
    besides: u32,
}

impl Kept {
    fn take(&self) -> Take<'_> {
        let Self { limit, rate, cost, .. } = *self;
        Take { limit, whose: &self.whose, part: self.part.as_deref(), rate, cost }
    }
}

impl RedisLimiter {
    /// Limits under a name, such as the ledger's id, shared by so many replicas. A server that is down is no error.
    pub async fn open(connection: &Connection, namespace: &str, replicas: NonZeroU32) -> Result<Self, OpenError> {
        let patience = connection.timeout;
        let connection = Connection { timeout: patience.max(CONNECTION), ..connection.clone() };
        let shared = Shared {
            link: Link::open(STORE, &connection).await?,
            script: Script::new(include_str!("take.lua")),
            prefix: format!("wallet:limit:{namespace}:"),
            local: Buckets::default(),
            leases: Leases::new(),
            breaker: Breaker::new(),
        };
        let behind = Arc::new(Semaphore::new(BEHIND));
        Ok(Self { shared: Arc::new(shared), alone: Buckets::default(), replicas, patience, behind })
    }

    /// The server's version and what it does when its memory is full. Anything but `noeviction` loses limits then.
    pub async fn facts(&self) -> Result<(String, String), StoreError> {
        let said = async |section, name| {
            let found = self.shared.link.info(section, name).await.map_err(|error| error.of_read(STORE))?;
            Ok::<_, StoreError>(found.unwrap_or_default())
        };
        Ok((said("server", "redis_version").await?, said("memory", "maxmemory_policy").await?))
    }

    /// The same takes at this replica's share.
    fn of_share<'a>(&self, takes: &[Take<'a>]) -> Vec<Take<'a>> {
        takes.iter().map(|take| Take { rate: take.rate.share(self.replicas), ..*take }).collect()
    }

    fn is_cut_off(&self) -> bool {
        self.shared.breaker.is_open() || self.shared.link.lost().is_some()
    }

    /// Asks, and waits as long as a request may. None: no answer in time.
    async fn ask(&self, takes: &[Take<'_>]) -> Option<Verdict> {
        let now = Instant::now();
        if !self.shared.breaker.may_ask(now) {
            return None;
        }
        let kept = kept(takes, |take| self.shared.leases.portion(take, now));
        let shared = Arc::clone(&self.shared);
        // A task of its own: an answer that comes too late for this request is good for the next.
        let asked = tokio::spawn(async move { shared.asked(&kept, false).await });
        let answer = tokio::time::timeout(self.patience, asked).await;
        let verdict = answer.ok().and_then(Result::ok).flatten();
        let breaker = &self.shared.breaker;
        say(if verdict.is_some() { breaker.answered(Instant::now()) } else { breaker.failed(Instant::now()) });
        verdict
    }

    /// Asks without waiting: for more in advance, or to charge what happened.
    fn ask_behind(&self, takes: &[Take<'_>], charge: bool) {
        let now = Instant::now();
        let permit = Arc::clone(&self.behind).try_acquire_owned();
        let (true, Ok(permit)) = (self.shared.breaker.may_ask(now), permit) else {
            // Nobody asks now: the next who is low may.
            self.shared.not_asked(takes);
            return;
        };
        let kept = kept(takes, |take| if charge { 0 } else { self.shared.leases.portion(take, now) });
        let (shared, patience) = (Arc::clone(&self.shared), self.patience);
        drop(tokio::spawn(async move {
            let began = Instant::now();
            let in_time = shared.asked(&kept, charge).await.is_some() && began.elapsed() <= patience;
            let now = Instant::now();
            say(if in_time { shared.breaker.answered(now) } else { shared.breaker.failed(now) });
            drop(permit);
        }));
    }
}

fn say(what: Say) {
    match what {
        Say::Nothing => {}
        Say::CutOff => tracing::warn!("no shared rate limits: this daemon enforces its share of the rates by itself"),
        Say::Back => tracing::info!("rate limits are shared again"),
    }
}

/// What was taken or given back, kept until it is sent.
fn kept(takes: &[Take<'_>], besides: impl Fn(&Take<'_>) -> u32) -> Vec<Kept> {
    let kept = |take: &Take<'_>| Kept {
        limit: take.limit,
        whose: take.whose.into(),
        part: take.part.map(Into::into),
        rate: take.rate,
        cost: take.cost,
        besides: besides(take),
    };
    takes.iter().map(kept).collect()
}

impl Shared {
    /// The name of a bucket's key. Hashed: names are as long as callers like, and who called is nobody else's business. All
    /// buckets of an owner are in one slot of a cluster, as one script needs them.
    fn key(&self, take: &Take<'_>) -> String {
        let hash = |text: &str| Hash(Sha256::digest(text.as_bytes()).into()).to_string();
        let part = take.part.map(|part| format!(":{}", hash(part))).unwrap_or_default();
        format!("{}{{{}}}:{}{part}", self.prefix, hash(take.whose), take.limit)
    }

    /// One question: what it says is kept, whoever waits for it. None if there is no answer.
    async fn asked(&self, kept: &[Kept], charge: bool) -> Option<Verdict> {
        let keys: Vec<_> = kept.iter().map(|kept| self.key(&kept.take())).collect();
        let mut args = vec![u8::from(charge).to_string()];
        for kept in kept {
            let (whole, part) = (kept.rate.each() / 1_000, kept.rate.each() % 1_000);
            args.extend([format!("{whole}.{part:03}"), kept.rate.burst().to_string()]);
            args.extend([kept.cost.to_string(), kept.besides.to_string()]);
        }
        let takes: Vec<_> = kept.iter().map(Kept::take).collect();
        let answer: Vec<i64> = match self.link.run(&self.script, &keys, &args).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(%error, "the rate limits' server did not answer");
                self.not_asked(&takes);
                return None;
            }
        };
        self.learn(&takes, &answer, charge)
    }

    fn learn(&self, takes: &[Take<'_>], answer: &[i64], charge: bool) -> Option<Verdict> {
        let now = Instant::now();
        let (refused, rest) = answer.split_first()?;
        let refused = usize::try_from(*refused).ok()?.checked_sub(1);
        let mut verdict = Verdict::Allowed { left: 0 };
        for (place, (take, said)) in takes.iter().zip(rest.chunks_exact(2)).enumerate() {
            let [given, used] = said else { return None };
            let given = u32::try_from(*given).unwrap_or(0);
            let used = u64::try_from(*used).unwrap_or(0).saturating_mul(1_000);
            let advance = if charge { 0 } else { given.saturating_sub(take.cost) };
            self.leases.add(take, advance, now);
            // What was taken in advance is no use by anybody yet.
            let used = used.saturating_sub(take.rate.of(advance));
            if refused == Some(place) {
                let wait = used.saturating_add(take.rate.of(take.cost)).saturating_sub(take.rate.span());
                verdict = Verdict::Wait { place, wait: Duration::from_nanos(wait.max(1)) };
                self.local.learn(take, Duration::from_nanos(used));
            } else if charge {
                self.local.learn(take, Duration::from_nanos(used));
            } else if let (0, Verdict::Allowed { left }) = (place, &mut verdict) {
                *left = u32::try_from(take.rate.span().saturating_sub(used) / take.rate.each()).unwrap_or(u32::MAX);
            }
        }
        Some(verdict)
    }

    /// The question was not asked, or not answered: another may be.
    fn not_asked(&self, takes: &[Take<'_>]) {
        let now = Instant::now();
        for take in takes {
            self.leases.add(take, 0, now);
        }
    }
}

#[async_trait]
impl RateLimiter for RedisLimiter {
    async fn take(&self, takes: &[Take<'_>]) -> Verdict {
        // Looking is for what this replica knows: it learns what the others know with everything that costs.
        if takes.iter().all(|take| take.cost == 0) {
            let verdict = self.shared.local.take(takes);
            let alone = || self.alone.take(&self.of_share(takes));
            return if verdict.is_allowed() && self.is_cut_off() { alone() } else { verdict };
        }
        let local = self.shared.local.take(takes);
        if !local.is_allowed() {
            return local;
        }
        match self.shared.leases.take(takes, Instant::now()) {
            Took::Enough => return local,
            Took::Low => {
                let more: Vec<_> = takes.iter().map(|take| Take { cost: 0, ..*take }).collect();
                self.ask_behind(&more, false);
                return local;
            }
            Took::TooLittle => {}
        }
        match self.ask(takes).await {
            Some(verdict) => {
                if let Verdict::Wait { place, .. } = verdict {
                    self.shared.local.give_back(takes, place);
                }
                verdict
            }
            // Refusing everybody because limits cannot be shared would be the outage they are to prevent.
            None => self.alone.take(&self.of_share(takes)),
        }
    }

    async fn charge(&self, takes: &[Take<'_>]) {
        self.shared.local.charge(takes);
        if self.is_cut_off() {
            self.alone.charge(&self.of_share(takes));
        }
        self.ask_behind(takes, true);
    }

    fn sharing(&self) -> Sharing {
        if self.is_cut_off() { Sharing::CutOff } else { Sharing::Shared }
    }
}
