//! The balance cache that all replicas share.
//!
//! Wallets are dealt into [`BUCKETS`] buckets by a hash of their id. A bucket is one hash slot (`{LEDGER.NN}` in every key of
//! it), keeps its own copy of the position, and forgets by itself: the rules of [`BalanceCache`] hold for each bucket,
//! and every change is one script that touches one bucket. The position of the whole is the lowest of those that have
//! one.
//!
//! A bucket's position carries a generation, and so does every balance; a balance of another generation is not there.
//! So a bucket forgets by changing one key, and whatever the server loses (the position to eviction, the last
//! writes to a fail-over, everything to FLUSHALL or a restart from an old copy) ends in a new generation and never in a
//! balance that is older than it says. Nothing here is worth a backup.
//!
//! Costs: a read is one MGET of two keys; a page of records is one script a bucket, sent together. Keys live for
//! [`LIFETIME`] after their last change.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use sha2::{Digest as _, Sha256};
use wallet_core::{
    account::Status,
    asset::AssetCode,
    ids::WalletId,
    money::Balance,
    ports::{BalanceCache, CachePosition, CachedBalance, StoreError},
    time::Timestamp,
};

use super::link::{CallError, Link, Script};
use crate::adapters::{connection::Connection, schema::OpenError};

const STORE: &str = "balance cache";

/// Parts that forget apart: enough to spread over a cluster of a dozen, few enough that moving the position of all costs
/// less than a millisecond. Part of every key, so that another number is another cache.
const BUCKETS: u8 = 32;
/// How long a key outlives its last change: what is left of a ledger that is gone, or a wallet nobody uses, goes by itself.
const LIFETIME: &str = "604800";
/// Least time for following: on a busy machine a page of records takes longer than a request may wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keys looked at in one step of [`RedisCache::forget`].
const FORGOTTEN_AT_A_TIME: usize = 10_000;

/// The [`BalanceCache`] on Redis.
#[derive(Debug)]
pub struct RedisCache {
    /// For requests, which do not wait for a cache.
    link: Link,
    /// For the follower, whose work is lost when it gives up too soon; apart, so that a slow page cuts off no reader.
    patient: Link,
    tags: Vec<String>,
    /// The key of what was noted last.
    stamp: String,
    scripts: Scripts,
}

#[derive(Debug)]
struct Scripts {
    follow: Script,
    put: Script,
    stamp: Script,
}

/// What one script call carries.
struct Call {
    keys: Vec<String>,
    args: Vec<String>,
}

/// What the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheFacts {
    /// The server's version.
    pub version: String,
    /// What it does when its memory is full, such as `allkeys-lru`.
    pub eviction: String,
    /// The most memory it takes, in bytes; 0 without a bound.
    pub max_memory: u64,
}

impl RedisCache {
    /// The cache of a ledger on this server. A server that is down is no error; it is used when it is up.
    pub async fn open(connection: &Connection, ledger_id: &str) -> Result<Self, OpenError> {
        let link = Link::open(STORE, connection).await?;
        let patient = Connection { timeout: connection.timeout.max(PATIENCE), ..connection.clone() };
        let patient = Link::open(STORE, &patient).await?;
        let ledger = plain(ledger_id);
        let tags = (0..BUCKETS).map(|bucket| format!("wallet:{{{ledger}.{bucket:02}}}")).collect();
        let scripts = Scripts {
            follow: Script::new(include_str!("follow.lua")),
            put: Script::new(include_str!("put.lua")),
            stamp: Script::new(include_str!("stamp.lua")),
        };
        let stamp = format!("wallet:{{{ledger}}}:stamp");
        Ok(Self { link, patient, tags, stamp, scripts })
    }

    /// Takes away every key of a ledger that is gone: a benchmark's. A cluster's go by themselves, a [`LIFETIME`] after
    /// their last change.
    pub async fn forget(connection: &Connection, ledger_id: &str) -> Result<(), OpenError> {
        if connection.url.query() == "cluster=true" {
            return Ok(());
        }
        let patient = Connection { timeout: connection.timeout.max(PATIENCE), ..connection.clone() };
        let link = Link::open(STORE, &patient).await?;
        let failed = |error: CallError| error.of_change(STORE);
        let pattern = format!("wallet:{{{}*", plain(ledger_id));
        let mut cursor: u64 = 0;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(FORGOTTEN_AT_A_TIME);
            let (next, keys): (u64, Vec<String>) = link.call(&scan).await.map_err(failed)?;
            if !keys.is_empty() {
                let _removed: i64 = link.call(redis::cmd("UNLINK").arg(keys)).await.map_err(failed)?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    /// What the server says about itself.
    pub async fn facts(&self) -> Result<CacheFacts, StoreError> {
        let said = async |section, name| {
            let found = self.link.info(section, name).await.map_err(|error| error.of_read(STORE))?;
            Ok::<_, StoreError>(found.unwrap_or_default())
        };
        Ok(CacheFacts {
            version: said("server", "redis_version").await?,
            eviction: said("memory", "maxmemory_policy").await?,
            max_memory: said("memory", "maxmemory").await?.parse().unwrap_or_default(),
        })
    }

    fn tag(&self, wallet: &WalletId) -> &str {
        let digest = Sha256::digest(wallet.as_str().as_bytes());
        let bucket = digest.first().copied().unwrap_or_default() % BUCKETS;
        self.tags.get(usize::from(bucket)).map_or("", String::as_str)
    }

    fn key(&self, wallet: &WalletId) -> String {
        format!("{}:w:{wallet}", self.tag(wallet))
    }

    /// One call for each bucket that has wallets among these, or for every bucket.
    fn calls(&self, head: &[String], balances: &[(WalletId, CachedBalance)], every: bool) -> Vec<Call> {
        let begun = |tag: &String| Call { keys: vec![place(tag)], args: head.to_vec() };
        let mut calls: Vec<_> = self.tags.iter().map(begun).collect();
        for (wallet, balance) in balances {
            let tag = self.tag(wallet);
            let bucket = self.tags.iter().position(|other| other == tag);
            let Some(call) = bucket.and_then(|bucket| calls.get_mut(bucket)) else { continue };
            call.keys.push(format!("{tag}:w:{wallet}"));
            call.args.extend([balance.epoch.to_string(), balance.seq.to_string(), written(balance)]);
        }
        calls.retain(|call| every || call.keys.len() > 1);
        calls
    }

    async fn all(&self, link: &Link, script: &Script, calls: Vec<Call>) -> Result<(), StoreError> {
        let running = calls.iter().map(|call| link.run::<i64>(script, &call.keys, &call.args));
        try_join_all(running).await.map_err(|error| error.of_change(STORE))?;
        Ok(())
    }

    async fn places(&self) -> Result<Vec<Option<String>>, CallError> {
        let gets: Vec<_> = self
            .tags
            .iter()
            .map(|tag| {
                let mut get = redis::cmd("GET");
                get.arg(place(tag));
                get
            })
            .collect();
        try_join_all(gets.iter().map(|get| self.patient.call(get))).await
    }
}

#[async_trait]
impl BalanceCache for RedisCache {
    async fn get(&self, wallet: &WalletId) -> Result<(Option<CachedBalance>, u64), StoreError> {
        let mut get = redis::cmd("MGET");
        get.arg(place(self.tag(wallet))).arg(self.key(wallet));
        let (at, balance): (Option<String>, Option<String>) =
            self.link.call(&get).await.map_err(|error| error.of_read(STORE))?;
        let Some((generation, position)) = at.as_deref().and_then(read_place) else { return Ok((None, 0)) };
        let found = balance.and_then(|text| read(text.strip_prefix(generation)?.strip_prefix(' ')?));
        Ok((found, position.seq))
    }

    async fn put_if_newer(&self, balances: &[(WalletId, CachedBalance)], read_at: u64) -> Result<(), StoreError> {
        let head = [read_at.to_string(), LIFETIME.to_owned()];
        self.all(&self.link, &self.scripts.put, self.calls(&head, balances, false)).await
    }

    async fn follow(
        &self,
        balances: &[(WalletId, CachedBalance)],
        from: u64,
        to: CachePosition,
    ) -> Result<(), StoreError> {
        // Used only where a bucket begins anew; nobody else has it.
        let generation = uuid::Uuid::new_v4().simple().to_string().split_off(16);
        let head = [generation, from.to_string(), to.epoch.to_string(), to.seq.to_string(), LIFETIME.to_owned()];
        self.all(&self.patient, &self.scripts.follow, self.calls(&head, balances, true)).await
    }

    async fn position(&self) -> Result<CachePosition, StoreError> {
        let places = self.places().await.map_err(|error| error.of_read(STORE))?;
        // A bucket without one is empty: nothing it holds is wrong, and it begins anew with the next page.
        let lowest = places.iter().flatten().filter_map(|at| read_place(at)).map(|(_, position)| position).min();
        Ok(lowest.unwrap_or_default())
    }

    async fn stamp(&self, upto: CachePosition, moment: Timestamp) -> Result<(), StoreError> {
        let args = [upto.epoch.to_string(), upto.seq.to_string(), moment.as_micros().to_string(), LIFETIME.to_owned()];
        let call = Call { keys: vec![self.stamp.clone()], args: args.to_vec() };
        self.all(&self.patient, &self.scripts.stamp, vec![call]).await
    }

    async fn stamped(&self) -> Result<Option<(CachePosition, Timestamp)>, StoreError> {
        let mut get = redis::cmd("GET");
        get.arg(&self.stamp);
        let text: Option<String> = self.link.call(&get).await.map_err(|error| error.of_read(STORE))?;
        let parsed = text.as_deref().and_then(|text| {
            let mut words = text.split(' ');
            let position = CachePosition { epoch: words.next()?.parse().ok()?, seq: words.next()?.parse().ok()? };
            Some((position, Timestamp::from_micros(words.next()?.parse().ok()?)))
        });
        Ok(parsed)
    }

    async fn clear(&self) -> Result<(), StoreError> {
        let dels: Vec<_> = self
            .tags
            .iter()
            .map(|tag| {
                let mut del = redis::cmd("DEL");
                del.arg(place(tag));
                del
            })
            .collect();
        let gone = try_join_all(dels.iter().map(|del| self.patient.call::<i64>(del))).await;
        gone.map(drop).map_err(|error| error.of_change(STORE))
    }
}

/// The key of a bucket's position.
fn place(tag: &str) -> String {
    format!("{tag}:at")
}

/// A ledger's id without what has a meaning in keys.
fn plain(id: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    id.bytes().map(|byte| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A balance behind its epoch and seq: `balance asset status micros`.
fn written(balance: &CachedBalance) -> String {
    let CachedBalance { balance, asset, status, recorded_at, .. } = balance;
    format!("{balance} {asset} {status} {}", recorded_at.as_micros())
}

/// A balance behind its generation; none if it is not one of ours.
fn read(text: &str) -> Option<CachedBalance> {
    let mut words = text.split(' ');
    let mut word = || words.next();
    Some(CachedBalance {
        epoch: word()?.parse().ok()?,
        seq: word()?.parse().ok()?,
        balance: Balance::parse_exact(word()?).ok()?,
        asset: word()?.parse::<AssetCode>().ok()?,
        status: word()?.parse::<Status>().ok()?,
        recorded_at: Timestamp::from_micros(word()?.parse().ok()?),
    })
}

/// A position as it is written: `generation epoch seq`.
fn read_place(text: &str) -> Option<(&str, CachePosition)> {
    let mut words = text.split(' ');
    let generation = words.next()?;
    let position = CachePosition { epoch: words.next()?.parse().ok()?, seq: words.next()?.parse().ok()? };
    Some((generation, position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_reads_back_whole() {
        for (units, scale, asset) in [(-150_i128, 2, "EUR"), (0, 0, "JPY"), (12_345_678_901_234_567_890, 8, "BTC")] {
            let balance = CachedBalance {
                epoch: 3,
                seq: 9_007_199_254_740_991,
                balance: Balance::from_units(units, scale).unwrap(),
                asset: asset.parse().unwrap(),
                status: Status::Frozen,
                recorded_at: Timestamp::from_micros(1_700_000_000_000_001),
            };
            let text = format!("{} {} {}", balance.epoch, balance.seq, written(&balance));
            assert_eq!(read(&text), Some(balance));
        }
        assert_eq!(read("1 2 ten EUR active 5"), None);
    }

    #[test]
    fn ledgers_do_not_meet_in_a_key() {
        assert_eq!(plain("0e8d-4_b"), "0e8d-4_b");
        assert_ne!(plain("a.1"), plain("a%2E1"));
        assert!(!plain("a}{b:*").contains(['{', '}', ':', '*']));
    }
}
