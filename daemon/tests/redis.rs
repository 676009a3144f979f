//! The cache and the limiter on a real Redis: `WALLETD_TEST_REDIS_URL` names it (`redis://host:port`, no database).
//! Without it these tests say so and check nothing. `WALLETD_TEST_REDIS_CLUSTER_URL` may name a cluster as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]
#![allow(clippy::print_stdout, reason = "a test says what it counted")]

mod common;

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use common::{kept, link::Link, named};
use redis::aio::MultiplexedConnection;
use wallet_core::{
    account::Status,
    conformance::{Bed, CACHE_CHECKS, LIMITER_CHECKS, run_all},
    ids::WalletId,
    money::Balance,
    ports::{BalanceCache, CachePosition, CachedBalance, Rate, RateLimiter, Sharing, StoreError, Take, Verdict},
    time::Timestamp,
};
use walletd::adapters::{
    connection::Connection,
    redis::{RedisCache, RedisLimiter},
};

/// The databases that tests flush, one each; the others share number 0.
const FLUSHED: u8 = 7;
const COPIED: u8 = 8;

fn server() -> Option<String> {
    named("WALLETD_TEST_REDIS_URL", "Redis")
}

fn cluster() -> Option<String> {
    named("WALLETD_TEST_REDIS_CLUSTER_URL", "a Redis cluster")
}

fn connection(url: &str) -> Connection {
    Connection { url: url.parse().unwrap(), tls: None, pool: 4, timeout: Duration::from_secs(2) }
}

/// Ids that no other run has.
fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4())
}

async fn by_hand(url: &str) -> MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

async fn keys(hand: &mut MultiplexedConnection, ledger: &str) -> Vec<String> {
    let mut keys: Vec<String> = redis::cmd("KEYS").arg(format!("wallet:{{{ledger}.*")).query_async(hand).await.unwrap();
    keys.sort();
    keys
}

fn id(text: &str) -> WalletId {
    text.parse().unwrap()
}

fn state(epoch: u64, seq: u64) -> CachedBalance {
    CachedBalance {
        epoch,
        seq,
        balance: Balance::from_units(i128::from(seq), 2).unwrap(),
        asset: "EUR".parse().unwrap(),
        status: Status::Active,
        recorded_at: Timestamp::from_micros(i64::try_from(seq).unwrap()),
    }
}

fn at(seq: u64) -> CachePosition {
    CachePosition { epoch: 1, seq }
}

struct Server(String);

#[async_trait]
impl Bed<dyn BalanceCache> for Server {
    async fn fresh(&self, id: &str) -> Result<Arc<dyn BalanceCache>, StoreError> {
        Ok(Arc::new(RedisCache::open(&connection(&self.0), &unique(id)).await.unwrap()))
    }
}

#[tokio::test]
async fn the_cache_on_redis_keeps_every_promise() {
    let Some(url) = server() else { return };
    kept(run_all(CACHE_CHECKS, &Server(url)).await);
}

#[tokio::test]
async fn the_cache_on_a_cluster_keeps_every_promise() {
    let Some(url) = cluster() else { return };
    kept(run_all(CACHE_CHECKS, &Server(url.clone())).await);
    let cache = RedisCache::open(&connection(&url), &unique("spread")).await.unwrap();
    let balances: Vec<_> = (0..500).map(|n| (id(&format!("w{n}")), state(1, n + 1))).collect();
    cache.follow(&balances, 0, at(500)).await.unwrap();
    for (wallet, balance) in &balances {
        assert_eq!(cache.get(wallet).await.unwrap(), (Some(balance.clone()), 500));
    }
    assert!(!cache.facts().await.unwrap().version.is_empty());
}

#[tokio::test]
async fn wallets_are_spread_over_buckets_of_one_hash_slot_each() {
    let Some(url) = server() else { return };
    let ledger = unique("slots");
    let cache = RedisCache::open(&connection(&url), &ledger).await.unwrap();
    let balances: Vec<_> = (0..500).map(|n| (id(&format!("w{n}")), state(1, n + 1))).collect();
    cache.follow(&balances, 0, at(500)).await.unwrap();
    for (wallet, balance) in &balances {
        assert_eq!(cache.get(wallet).await.unwrap(), (Some(balance.clone()), 500));
    }
    let mut buckets = HashMap::new();
    for key in keys(&mut by_hand(&url).await, &ledger).await {
        let tag = key[key.find('{').unwrap()..=key.find('}').unwrap()].to_owned();
        *buckets.entry(tag).or_insert(0) += 1;
    }
    assert_eq!(buckets.values().sum::<usize>(), 500 + buckets.len(), "each bucket has its own copy of the position");
    let facts = cache.facts().await.unwrap();
    assert!(!facts.version.is_empty() && !facts.eviction.is_empty(), "{facts:?}");
    assert!(buckets.len() > 16 && buckets.values().all(|count| *count < 60), "{buckets:?}");
}

#[tokio::test]
async fn after_a_flush_the_cache_fills_again_and_holds_nothing_old() {
    let Some(url) = server() else { return };
    let url = format!("{url}/{FLUSHED}");
    let ledger = unique("flushed");
    let cache = RedisCache::open(&connection(&url), &ledger).await.unwrap();
    let balances: Vec<_> = (0..100).map(|n| (id(&format!("w{n}")), state(1, n + 1))).collect();
    cache.follow(&balances, 0, at(100)).await.unwrap();
    let mut hand = by_hand(&url).await;
    redis::cmd("FLUSHDB").exec_async(&mut hand).await.unwrap();
    redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut hand).await.unwrap();
    assert_eq!(cache.get(&id("w1")).await.unwrap(), (None, 0));
    assert_eq!(cache.position().await.unwrap(), CachePosition::default());
    // A commit's balance, and a message read before the flush: nobody knows yet what was missed.
    cache.put_if_newer(&[(id("w1"), state(1, 101))], 101).await.unwrap();
    cache.put_if_newer(&[(id("w2"), state(1, 3))], 3).await.unwrap();
    // The follower goes on where it was.
    cache.follow(&[(id("w3"), state(1, 102))], 100, at(102)).await.unwrap();
    assert_eq!(cache.position().await.unwrap(), at(102));
    for (wallet, expected) in [("w1", None), ("w2", None), ("w3", Some(state(1, 102)))] {
        assert_eq!(cache.get(&id(wallet)).await.unwrap(), (expected, 102), "{wallet}");
    }
    cache.put_if_newer(&[(id("w1"), state(1, 103))], 103).await.unwrap();
    assert_eq!(cache.get(&id("w1")).await.unwrap().0, Some(state(1, 103)));
}

/// What the ledger would say, from a journal that touches one wallet a record.
#[derive(Default)]
struct Journal {
    touched: Vec<usize>,
}

impl Journal {
    fn head(&self) -> u64 {
        self.touched.len() as u64
    }

    /// The last record up to `seq` that touched a wallet.
    fn last(&self, wallet: usize, seq: u64) -> Option<u64> {
        (1..=seq).rev().find(|seq| self.touched[usize::try_from(*seq).unwrap() - 1] == wallet)
    }

    fn left(&self, from: u64, to: u64) -> Vec<(WalletId, CachedBalance)> {
        let touched =
            (0..WALLETS).filter_map(|wallet| Some((wallet, self.last(wallet, to).filter(|seq| *seq > from)?)));
        touched.map(|(wallet, seq)| (name(wallet), state(1, seq))).collect()
    }
}

const WALLETS: usize = 12;

fn name(wallet: usize) -> WalletId {
    id(&format!("w{wallet}"))
}

/// A small generator, so that a failure can be run again by its seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// One ledger, its cache, two daemons that follow it, commits whose messages come late, and a server that loses things.
struct World {
    journal: Journal,
    cache: RedisCache,
    hand: MultiplexedConnection,
    ledger: String,
    places: [u64; 2],
    /// Balances on their way, with the position they were read at.
    late: Vec<(usize, u64, u64)>,
    copy: HashMap<String, String>,
    hits: usize,
}

impl World {
    async fn step(&mut self, dice: &mut Dice) {
        match dice.below(100) {
            0..25 => {
                let wallet = usize::try_from(dice.below(WALLETS as u64)).unwrap();
                self.journal.touched.push(wallet);
                self.late.push((wallet, self.journal.head(), self.journal.head()));
            }
            25..50 => {
                let follower = usize::try_from(dice.below(2)).unwrap();
                let from = self.places[follower];
                let to = from + dice.below(self.journal.head() - from + 1);
                if to > from {
                    self.cache.follow(&self.journal.left(from, to), from, at(to)).await.unwrap();
                    self.places[follower] = to;
                }
            }
            50..75 if !self.late.is_empty() => {
                let which = usize::try_from(dice.below(self.late.len() as u64)).unwrap();
                let (wallet, seq, read_at) = self.late.swap_remove(which);
                self.cache.put_if_newer(&[(name(wallet), state(1, seq))], read_at).await.unwrap();
            }
            75..88 => self.evict(dice).await,
            88..91 => self.copy = self.content().await,
            91..93 => self.restart_from_copy().await,
            93..95 => self.start_again(dice).await,
            _ => {}
        }
    }

    async fn content(&mut self) -> HashMap<String, String> {
        let mut content = HashMap::new();
        for key in keys(&mut self.hand, &self.ledger).await {
            let value: String = redis::cmd("GET").arg(&key).query_async(&mut self.hand).await.unwrap();
            content.insert(key, value);
        }
        content
    }

    async fn evict(&mut self, dice: &mut Dice) {
        for key in keys(&mut self.hand, &self.ledger).await {
            if dice.below(6) == 0 {
                redis::cmd("DEL").arg(&key).exec_async(&mut self.hand).await.unwrap();
            }
        }
    }

    async fn restart_from_copy(&mut self) {
        for key in keys(&mut self.hand, &self.ledger).await {
            redis::cmd("DEL").arg(&key).exec_async(&mut self.hand).await.unwrap();
        }
        for (key, value) in &self.copy {
            redis::cmd("SET").arg(key).arg(value).exec_async(&mut self.hand).await.unwrap();
        }
    }

    /// A daemon restarts: it follows from where the cache says it is.
    async fn start_again(&mut self, dice: &mut Dice) {
        let position = self.cache.position().await.unwrap().seq;
        let place = if position > 0 { position } else { self.journal.head() };
        if position == 0 {
            self.cache.follow(&[], place, at(place)).await.unwrap();
        }
        self.places[usize::try_from(dice.below(2)).unwrap()] = place;
    }

    async fn check(&mut self, seed: u64) {
        for wallet in 0..WALLETS {
            let (found, position) = self.cache.get(&name(wallet)).await.unwrap();
            if let Some(found) = found {
                self.hits += 1;
                let known = position.max(found.seq);
                let right = self.journal.last(wallet, known);
                assert_eq!(Some(found.seq), right, "seed {seed}: wallet {wallet} at {known}, position {position}");
            }
        }
    }
}

#[tokio::test]
async fn whatever_the_server_loses_no_balance_is_older_than_it_says() {
    let Some(url) = server() else { return };
    let url = format!("{url}/{COPIED}");
    let mut hits = 0;
    for seed in 0..12 {
        let ledger = unique("lossy");
        let cache = RedisCache::open(&connection(&url), &ledger).await.unwrap();
        cache.follow(&[], 0, at(0)).await.unwrap();
        let hand = by_hand(&url).await;
        let (journal, copy) = (Journal::default(), HashMap::new());
        let mut world = World { journal, cache, hand, ledger, places: [0; 2], late: Vec::new(), copy, hits: 0 };
        let mut dice = Dice(seed);
        for _ in 0..200 {
            world.step(&mut dice).await;
            world.check(seed).await;
        }
        hits += world.hits;
    }
    assert!(hits > 1_000, "the cache held too little for this to mean anything: {hits}");
}

/// A server by a link that can fall silent.
async fn linked(url: &str) -> (Link, Connection) {
    let link = Link::to(url.trim_start_matches("redis://").to_owned()).await;
    let mut connection = connection(&format!("redis://{}", link.address()));
    connection.timeout = Duration::from_millis(200);
    (link, connection)
}

#[tokio::test]
async fn a_silent_server_costs_one_time_limit_and_is_used_again_when_it_answers() {
    let Some(url) = server() else { return };
    let (link, connection) = linked(&url).await;
    let cache = RedisCache::open(&connection, &unique("silent")).await.unwrap();
    cache.follow(&[(id("w"), state(1, 1))], 0, at(1)).await.unwrap();
    link.silence();
    let began = Instant::now();
    assert!(matches!(cache.get(&id("w")).await, Err(StoreError::Unavailable { .. })));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let began = Instant::now();
    for _ in 0..1_000 {
        assert!(cache.get(&id("w")).await.is_err());
    }
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    link.heal();
    let back = async {
        while cache.get(&id("w")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back).await.unwrap();
    assert_eq!(cache.get(&id("w")).await.unwrap(), (Some(state(1, 1)), 1));
}

fn rate(each: Duration, burst: u32) -> Rate {
    Rate::every(each, NonZeroU32::new(burst).unwrap())
}

const HOUR: Duration = Duration::from_hours(1);

fn of(whose: &str, rate: Rate) -> Take<'_> {
    Take { limit: "address", whose, part: None, rate, cost: 1 }
}

async fn limiter(connection: &Connection, namespace: &str, replicas: u32) -> RedisLimiter {
    RedisLimiter::open(connection, namespace, NonZeroU32::new(replicas).unwrap()).await.unwrap()
}

/// A connection whose time limit no machine is too slow for.
fn patient(url: &str) -> Connection {
    let mut connection = connection(url);
    connection.timeout = Duration::from_mins(1);
    connection
}

struct Limiters(String);

#[async_trait]
impl Bed<dyn RateLimiter> for Limiters {
    async fn fresh(&self, id: &str) -> Result<Arc<dyn RateLimiter>, StoreError> {
        Ok(Arc::new(limiter(&patient(&self.0), &unique(id), 1).await))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shared_limiter_keeps_its_promises() {
    let Some(url) = server() else { return };
    kept(run_all(LIMITER_CHECKS, &Limiters(url)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shared_limiter_keeps_its_promises_on_a_cluster() {
    let Some(url) = cluster() else { return };
    kept(run_all(LIMITER_CHECKS, &Limiters(url)).await);
}

async fn allowed(limiter: &RedisLimiter, take: Take<'_>, tries: u32) -> u32 {
    let mut allowed = 0;
    for _ in 0..tries {
        allowed += u32::from(limiter.take(&[take]).await.is_allowed());
    }
    allowed
}

#[tokio::test]
async fn replicas_share_one_bucket_an_owner() {
    let Some(url) = server() else { return };
    let namespace = unique("limits");
    let (one, two) = (limiter(&patient(&url), &namespace, 2).await, limiter(&patient(&url), &namespace, 2).await);
    let rate = rate(HOUR, 10);
    let mut given = 0;
    for _ in 0..8 {
        for replica in [&one, &two] {
            given += allowed(replica, of("ada", rate), 1).await;
        }
    }
    assert_eq!(given, 10);
    assert!(two.take(&[of("bob", rate)]).await.is_allowed(), "owners are apart");
    assert_eq!((one.sharing(), two.sharing()), (Sharing::Shared, Sharing::Shared));
    let mut hand = by_hand(&url).await;
    let keys: Vec<String> =
        redis::cmd("KEYS").arg(format!("wallet:limit:{namespace}:*")).query_async(&mut hand).await.unwrap();
    assert_eq!(keys.len(), 2);
    for key in keys {
        assert!(!key.contains("ada") && !key.contains("bob"), "{key}");
        let left: i64 = redis::cmd("PTTL").arg(key).query_async(&mut hand).await.unwrap();
        assert!(left > 0 && left <= 36_000_000, "a bucket goes when it is full again: {left}");
    }
}

#[tokio::test]
async fn a_failure_at_one_replica_is_known_at_the_other_with_its_own_next_one() {
    let Some(url) = server() else { return };
    let namespace = unique("failures");
    let (one, two) = (limiter(&patient(&url), &namespace, 2).await, limiter(&patient(&url), &namespace, 2).await);
    let failure = Take { limit: "sign_in", cost: 5, ..of("ada", rate(HOUR, 10)) };
    let look = [Take { cost: 0, ..failure }];
    assert!(one.take(&[failure]).await.is_allowed() && one.take(&[failure]).await.is_allowed());
    assert!(!one.take(&look).await.is_allowed());
    assert!(two.take(&look).await.is_allowed(), "looking asks nobody");
    two.charge(&[failure]).await;
    // The charge is on its way; nobody waits for it.
    while two.take(&look).await.is_allowed() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let Verdict::Wait { wait, .. } = two.take(&look).await else { panic!("it is empty") };
    assert!(wait > HOUR * 4, "five are owed: {wait:?}");
}

/// How many scripts the server has run: what a charge nobody waits for is known by.
async fn calls(hand: &mut MultiplexedConnection) -> i64 {
    let text: String = redis::cmd("INFO").arg("commandstats").query_async(hand).await.unwrap();
    let count = |name: &str| -> i64 {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
    };
    count("eval") + count("evalsha")
}

#[tokio::test]
async fn a_busy_bucket_costs_few_calls_and_gives_no_more_than_it_holds() {
    let Some(url) = server() else { return };
    let namespace = unique("busy");
    let (one, two) = (limiter(&patient(&url), &namespace, 2).await, limiter(&patient(&url), &namespace, 2).await);
    // 50 ms of this rate are 10,000 tokens; those taken in advance are good for a second.
    let rate = rate(Duration::from_micros(5), 400_000);
    let mut hand = by_hand(&url).await;
    let before = calls(&mut hand).await;
    let mut given = 0;
    for _ in 0..10_000 {
        given += allowed(&one, of("ada", rate), 1).await + allowed(&two, of("ada", rate), 1).await;
    }
    let asked = calls(&mut hand).await - before;
    assert_eq!(given, 20_000);
    // Other tests may ask this server too: the bound is far below one call a request.
    println!("{asked} calls for 20,000 requests");
    assert!(asked < 10_000, "{asked}");
}

#[tokio::test]
async fn what_is_taken_in_advance_is_taken_from_all() {
    let Some(url) = server() else { return };
    let namespace = unique("advance");
    let (one, two) = (limiter(&patient(&url), &namespace, 2).await, limiter(&patient(&url), &namespace, 2).await);
    // A bucket that gives portions and fills so slowly that nothing comes back meanwhile.
    let rate = rate(Duration::from_millis(1), 1_000_000);
    let take = Take { cost: 400_000, ..of("ada", rate) };
    assert!(one.take(&[take]).await.is_allowed());
    assert!(two.take(&[take]).await.is_allowed());
    assert!(!one.take(&[take]).await.is_allowed() && !two.take(&[take]).await.is_allowed());
}

#[tokio::test]
async fn without_a_server_each_replica_enforces_its_share_and_says_so() {
    // Port 9 of loopback: nobody listens there.
    let alone = limiter(&patient("redis://127.0.0.1:9"), "nobody", 3).await;
    assert_eq!(allowed(&alone, of("ada", rate(HOUR, 12)), 20).await, 4);
    assert_eq!(alone.sharing(), Sharing::CutOff);
    let failure = Take { limit: "sign_in", cost: 5, ..of("ada", rate(HOUR, 12)) };
    alone.charge(&[failure]).await;
    assert!(!alone.take(&[Take { cost: 0, ..failure }]).await.is_allowed(), "five of four are owed");
    assert!(alone.take(&[Take { cost: 0, ..of("bob", rate(HOUR, 12)) }]).await.is_allowed());
}

#[tokio::test]
async fn a_limiter_finds_its_server_again() {
    let Some(url) = server() else { return };
    let (link, connection) = linked(&url).await;
    let shared = limiter(&connection, &unique("again"), 2).await;
    let rate = rate(HOUR, 1_000_000);
    link.silence();
    while shared.sharing() != Sharing::CutOff {
        assert!(shared.take(&[of("ada", rate)]).await.is_allowed(), "the share is far from used up");
    }
    link.heal();
    while shared.sharing() != Sharing::Shared {
        assert!(shared.take(&[of("ada", rate)]).await.is_allowed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
