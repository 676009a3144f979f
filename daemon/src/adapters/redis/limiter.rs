//! The rate limiter that all replicas share.
//!
//! One script takes a token by the server's own clock, so replicas whose clocks differ agree. A bucket is one key that
//! expires when it is full again: the number of keys is bounded by the requests of that time. In front of it stands a limiter in
//! process of the same rate: what it refuses every replica would, and costs no call. Without the server it is what is
//! left: each replica enforces the rate by itself, and says so.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use wallet_core::{
    cut::Hash,
    ports::{Rate, RateLimiter, StoreError, Verdict},
};

use super::link::{Link, Script};
use crate::adapters::{connection::Connection, schema::OpenError};

const STORE: &str = "rate limits";

/// The [`RateLimiter`] on Redis.
pub struct RedisLimiter {
    link: Link,
    script: Script,
    prefix: String,
    /// Microseconds a token takes to come back, tokens a bucket holds.
    rate: [String; 2],
    local: Arc<dyn RateLimiter>,
    alone: AtomicBool,
}

impl RedisLimiter {
    /// Limits of this rate under a name, such as the ledger's id and what is limited; `local` is the limiter in process
    /// of the same rate. A server that is down is no error.
    pub async fn open(
        connection: &Connection,
        namespace: &str,
        rate: Rate,
        local: Arc<dyn RateLimiter>,
    ) -> Result<Self, OpenError> {
        let link = Link::open(STORE, connection).await?;
        let each = 1_000_000.0 / f64::from(rate.per_second.get());
        Ok(Self {
            link,
            script: Script::new(include_str!("take.lua")),
            prefix: format!("wallet:limit:{namespace}:"),
            rate: [each.to_string(), rate.burst.to_string()],
            local,
            alone: AtomicBool::new(false),
        })
    }

    /// True while the server does not answer: the rate is enforced by each replica for itself.
    pub fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed) || self.link.lost().is_some()
    }

    /// The server's version and what it does when its memory is full. Anything but `noeviction` loses limits then.
    pub async fn facts(&self) -> Result<(String, String), StoreError> {
        let said = async |section, name| {
            let found = self.link.info(section, name).await.map_err(|error| error.of_read(STORE))?;
            Ok::<_, StoreError>(found.unwrap_or_default())
        };
        Ok((said("server", "redis_version").await?, said("memory", "maxmemory_policy").await?))
    }

    fn note(&self, alone: bool) {
        if self.alone.swap(alone, Ordering::Relaxed) == alone {
            return;
        }
        if alone {
            tracing::warn!("no shared rate limits: this daemon enforces the rate for itself");
        } else {
            tracing::info!("rate limits are shared again");
        }
    }
}

#[async_trait]
impl RateLimiter for RedisLimiter {
    async fn take(&self, key: &str) -> Result<Verdict, StoreError> {
        let local = self.local.take(key).await?;
        if local != Verdict::Allowed {
            return Ok(local);
        }
        // Hashed: keys are as long as callers like, and who called is nobody else's business.
        let key = format!("{}{:?}", self.prefix, Hash(Sha256::digest(key.as_bytes()).into()));
        let answer = self.link.run(&self.script, &[key], &self.rate).await;
        self.note(answer.is_err());
        Ok(match answer {
            Ok(wait) if wait > 0 => Verdict::Wait(std::time::Duration::from_micros(wait.unsigned_abs())),
            // Refusing everybody because limits cannot be shared would be the outage they are to prevent.
            Ok(_) | Err(_) => local,
        })
    }
}
