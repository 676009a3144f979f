//! What follows the ledger loses what it has, under load: it is made anew and is never wrong meanwhile.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    busy::{Busy, CLIENTS, SOME, account_for},
    crashes::published_once,
    load::{self, Load},
    money,
    own::Own,
    servers::{Redis, Sql, delete_topic, drop_mongo, messages, send},
    stores::{Stack, Stores},
    whole::cached,
};
use crate::harness::{World, until};

/// A present balance that the cache gave (or the ledger in its place): wallet, seq, balance.
type Answer = (String, u64, Decimal);

/// Asks for cached balances, one wallet after the other, until it is told to stop.
fn ask(world: &World, wallets: &[String], stop: &AtomicBool) -> Vec<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = wallet_tests::http().unix_socket(world.socket()).build().unwrap();
    let mut answers = Vec::new();
    runtime.block_on(async {
        for wallet in wallets.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let url = format!("http://localhost/v1/wallets/{wallet}/balance?consistency=cached");
            let answer: Value = client.get(url).send().await.unwrap().json().await.unwrap();
            let balance = answer["balance"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap();
            answers.push((wallet.clone(), answer["seq"].as_u64().unwrap(), balance));
        }
    });
    answers
}

/// Each answer is what the wallet held at the record it names, by SQL.
#[track_caller]
fn all_true(sql: &Sql, answers: &[Answer]) {
    assert!(answers.len() > 20, "only {} answers", answers.len());
    let values: Vec<String> =
        answers.iter().map(|(wallet, seq, balance)| format!("('{wallet}', {seq}, {balance}::numeric)")).collect();
    let wrong = sql.rows(&format!(
        "SELECT q.wallet, q.seq, q.balance, held.balance FROM (VALUES {}) AS q (wallet, seq, balance) \
         JOIN accounts a ON a.id = q.wallet CROSS JOIN LATERAL (SELECT coalesce((SELECT e.balance_after FROM entries e \
         WHERE e.account = a.number AND e.seq <= q.seq ORDER BY e.seq DESC, e.version DESC LIMIT 1), 0) AS balance) held \
         WHERE held.balance <> q.balance",
        values.join(", ")
    ));
    assert!(wrong.is_empty(), "{} of {} cached answers were never true: {:?}", wrong.len(), answers.len(), wrong[0]);
}

/// What is cached now is what the ledger says now.
#[track_caller]
fn cache_is_right(stores: &Stores) {
    let held = money::balances(&stores.sql());
    for (wallet, balance) in cached(stores) {
        assert_eq!(held.get(&wallet), Some(&balance), "{wallet} in Redis");
    }
}

#[test]
fn flushall_under_load_loses_no_money_and_no_cached_answer_is_wrong() {
    let what = "FLUSHALL under load";
    let Some(shared) = Stack::of(what) else { return };
    let own = Own::up(&["redis-balances", "redis-limits"]);
    let stores = Stores::on(own.instead_of(&shared));
    let way = stores.way();
    let mut busy = Busy::on(what, stores, way);
    let stop = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        let reader = scope.spawn(|| ask(&busy.world, &busy.wallets, &stop));
        for round in 0..5 {
            busy.moves(&format!("before FLUSHALL {round}"));
            for store in ["balances", "limits"] {
                Redis::connect(busy.stores.url(store)).ask::<()>(&["FLUSHALL"]);
            }
        }
        busy.moves("after FLUSHALL");
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    let tally = busy.load.stop();
    busy.world.settles(what);
    all_true(&busy.stores.sql(), &answers);
    cache_is_right(&busy.stores);
    busy.world.walletd_runs("rebuild balances").ok();
    assert_eq!(cached(&busy.stores), money::balances(&busy.stores.sql()));
    busy.was_never_refused(&tally);
}

#[test]
fn eviction_and_late_messages_revive_no_old_balance() {
    let what = "eviction under maxmemory with late messages";
    let Some(shared) = Stack::of(what) else { return };
    let own = Own::up(&["redis-balances"]);
    let stores = Stores::on(own.instead_of(&shared));
    let (api, consumer) = (
        World::having(&stores.way().with("WALLETD_ROLES", "api,relay,audit").env),
        World::having(&stores.way().with("WALLETD_ROLES", "balances").env),
    );
    let daemon = api.daemon();
    let first = consumer.daemon();
    let wallets = load::wallets(&api, "w_", 3_000);
    consumer.settles("the first balances");
    // A fifth less than it holds: some of it goes with every write from now on.
    let mut redis = stores.redis();
    let used = |redis: &mut Redis| info(redis, "memory", "used_memory");
    let (full, empty) = (used(&mut redis), info(&mut redis, "memory", "used_memory_startup"));
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory", &(full - (full - empty) / 5).to_string()]);
    let mut load = Load::start("l", &[api.socket()], &wallets, CLIENTS);
    let stop = AtomicBool::new(false);
    let (answers, follower) = std::thread::scope(|scope| {
        let mut follower = first;
        let reader = scope.spawn(|| ask(&api, &wallets, &stop));
        for round in 0..3 {
            load.moves(SOME * 2, &format!("before the follower stops ({round})"));
            assert_eq!(follower.stop(), 0);
            // Meanwhile the daemon that commits writes what it knows; the follower's messages come late.
            load.moves(SOME * 2, "while nobody follows");
            follower = consumer.daemon();
        }
        load.moves(SOME, "at the end");
        stop.store(true, Ordering::Relaxed);
        (reader.join().unwrap(), follower)
    });
    let tally = load.stop();
    assert!(info(&mut redis, "stats", "evicted_keys") > 0, "nothing was evicted");
    for world in [&api, &consumer] {
        world.settles(what);
    }
    account_for(&stores, &tally, "l");
    all_true(&stores.sql(), &answers);
    cache_is_right(&stores);
    for daemon in [follower, daemon] {
        assert_eq!(daemon.stop(), 0);
    }
}

fn info(redis: &mut Redis, section: &str, name: &str) -> u64 {
    let text: String = redis.ask(&["INFO", section]);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap()
}

#[test]
fn the_audit_collection_is_dropped_under_load_and_is_whole_again() {
    let what = "the audit collection dropped under load";
    let Some(stores) = Stores::new(what) else { return };
    let way = stores.way();
    let mut busy = Busy::on(what, stores, way);
    drop_mongo(busy.stores.url("audit"), busy.stores.name());
    busy.moves("after");
    let tally = busy.load.stop();
    busy.world.walletd_runs("rebuild audit").ok();
    busy.ends_right(&tally);
}

#[test]
fn the_topic_is_deleted_under_load_and_is_filled_again() {
    let what = "the topic deleted under load";
    let Some(stores) = Stores::new(what) else { return };
    let way = stores.way();
    let mut busy = Busy::on(what, stores, way);
    delete_topic(&busy.stores.broker(), &format!("{}.journal", busy.stores.name()));
    busy.moves("after");
    std::thread::sleep(Duration::from_secs(1));
    busy.moves("a while after");
    let tally = busy.load.stop();
    busy.world.walletd_runs("rebuild events").ok();
    busy.world.settles(what);
    published_once(&busy.stores);
    busy.ends_right(&tally);
}

#[test]
fn foreign_messages_go_to_the_dead_letters_and_stop_nobody() {
    let what = "foreign messages in the topic";
    let Some(stores) = Stores::new(what) else { return };
    let world = World::having(&stores.way().env);
    let daemon = world.daemon();
    world.wallet("w_1", "EUR", "5");
    world.settles(what);
    let topic = format!("{}.journal", stores.name());
    let foreign: [&[u8]; 3] = [b"not a record", b"{\"kind\":\"nonsense\"}", b"\xff\xfe\x00"];
    for content in foreign {
        send(&stores.broker(), &topic, content);
    }
    world.ctl("deposit --to w_1 --amount 5 --asset EUR --idempotency-key after --yes").ok();
    world.settles(what);
    until("the dead letters", || {
        let letters = messages(&stores.broker(), &format!("{}.dead-letter", stores.name()), 0);
        let contents: BTreeSet<Vec<u8>> = letters.into_iter().map(|(_, content)| content).collect();
        foreign.iter().all(|content| contents.contains(*content))
    });
    published_once(&stores);
    assert_eq!(world.balance("w_1"), "10.00");
    money::check(&stores.sql());
    world.ctl("audit verify --stores").ok();
    assert_eq!(daemon.stop(), 0);
}
