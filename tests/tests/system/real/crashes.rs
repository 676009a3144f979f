//! kill -9: of each server while 32 clients transfer, and of walletd at the moments that matter.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use wallet_tests::proxy::{Link, Spring};

use super::{
    busy::{Busy, CLIENTS},
    money,
    own::Own,
    servers::messages,
    stores::{Stack, Stores},
};
use crate::harness::{World, finish, until};

/// A server that money does not need is killed and comes back.
fn money_keeps_moving_without(server: &str) {
    let what = format!("kill -9 of {server} under load");
    let Some(shared) = Stack::of(&what) else { return };
    let own = Own::up(&[server]);
    let stores = Stores::on(own.instead_of(&shared));
    let way = stores.way();
    let mut busy = Busy::on(&what, stores, way);
    own.kill(server);
    busy.moves(&format!("without {server}"));
    std::thread::sleep(Duration::from_secs(2));
    busy.moves(&format!("after a while without {server}"));
    own.again(server);
    busy.moves(&format!("with {server} again"));
    let tally = busy.load.stop();
    busy.was_never_refused(&tally);
}

#[test]
fn money_keeps_moving_while_mysql_is_killed() {
    money_keeps_moving_without("mysql");
}

#[test]
fn money_keeps_moving_while_the_audit_trails_server_is_killed() {
    money_keeps_moving_without("mongo");
}

#[test]
fn money_keeps_moving_while_kafka_is_killed() {
    money_keeps_moving_without("kafka");
}

#[test]
fn money_keeps_moving_while_the_redis_of_balances_is_killed() {
    money_keeps_moving_without("redis-balances");
}

#[test]
fn money_keeps_moving_while_the_redis_of_limits_is_killed() {
    money_keeps_moving_without("redis-limits");
}

#[test]
fn money_keeps_moving_while_jaeger_is_killed() {
    money_keeps_moving_without("jaeger");
}

#[test]
fn while_postgresql_is_down_writes_are_refused_at_once_cached_reads_answer_and_it_goes_on_without_a_restart() {
    let what = "kill -9 of PostgreSQL under load";
    let Some(shared) = Stack::of(what) else { return };
    let own = Own::up(&["postgres"]);
    let stores = Stores::on(own.instead_of(&shared));
    let way = stores.way();
    let mut busy = Busy::on(what, stores, way);
    own.kill("postgres");
    until("clients are told", || busy.load.times("unavailable") > CLIENTS as u64);
    for number in 0..5 {
        let begin = Instant::now();
        let line = format!("deposit --to w_0 --amount 1 --asset EUR --idempotency-key down-{number} --yes");
        busy.world.ctl(&line).exits(75);
        assert!(begin.elapsed() < Duration::from_secs(2), "a refusal took {:?}", begin.elapsed());
        let cached = busy.world.ctl("balance w_0 --cached -o json").data();
        assert!(cached["age_ms"].is_u64() && cached["seq"].is_u64(), "{cached}");
    }
    own.again("postgres");
    let took = busy.moves("with PostgreSQL again");
    assert!(took < Duration::from_secs(15), "it took {took:?} to go on");
    let tally = busy.load.stop();
    assert!(money::keys(&busy.stores.sql(), "down-").is_empty(), "a refused deposit is there");
    busy.ends_right(&tally);
}

/// The end of a transaction on the ledger.
pub fn is_commit(piece: &[u8]) -> bool {
    piece.windows(7).any(|window| window == b"COMMIT\0")
}

/// A request of Kafka's protocol that ends a transaction (`EndTxn`).
fn is_end_of_transaction(mut piece: &[u8]) -> bool {
    while let [a, b, c, d, key_high, key_low, ..] = *piece {
        if (key_high, key_low) == (0, 26) {
            return true;
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        piece = piece.get(4 + length..).unwrap_or_default();
    }
    false
}

/// Starts walletctl and does not wait for it.
fn in_background(world: &World, line: &str) -> Child {
    let mut command = world.walletctl();
    command.args(line.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

const DEPOSIT: &str = "deposit --to w_1 --amount 5 --asset EUR --idempotency-key once --yes -o json";

/// walletd is killed with its commit on the way, or done and not answered. The same key settles it.
fn killed_around_its_commit(spring: Spring, first: &str, answer: &str) {
    let Some(stores) = Stores::new(&format!("kill -9 {first}")) else { return };
    let way = stores.way_through(&["ledger"]);
    let world = World::having(&way.env);
    let daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    way.link("ledger").trap(spring, is_commit);
    let client = in_background(&world, DEPOSIT);
    until("the commit is on its way", || way.link("ledger").sprung());
    if spring == Spring::After {
        // The answer cannot come; that it happened is seen from outside.
        let sql = stores.sql();
        until("the commit", || !money::keys(&sql, "once").is_empty());
    }
    daemon.crash();
    let interrupted = finish("the interrupted deposit".into(), client);
    assert_eq!(interrupted.code, 11, "{interrupted}");
    way.link("ledger").set(Link::Cut);
    assert_eq!(money::keys(&stores.sql(), "once").len(), usize::from(spring == Spring::After));
    way.link("ledger").heal();
    let daemon = world.daemon();
    assert_eq!(world.ctl(DEPOSIT).data()["outcome"], answer);
    assert_eq!(world.ctl(DEPOSIT).data()["outcome"], "replayed");
    assert_eq!(world.balance("w_1"), "5.00");
    money::check(&stores.sql());
    world.settles(first);
    world.ctl("audit verify --stores").ok();
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn killed_before_its_commit_nothing_has_happened_and_the_same_key_does_it() {
    killed_around_its_commit(Spring::Before, "before the commit", "ok");
}

#[test]
fn killed_after_its_commit_and_before_the_answer_the_same_key_replays() {
    killed_around_its_commit(Spring::After, "after the commit and before the answer", "replayed");
}

#[test]
fn killed_inside_a_kafka_transaction_every_record_is_published_once() {
    let what = "kill -9 inside a Kafka transaction";
    let Some(stores) = Stores::new(what) else { return };
    let way = stores.way_through(&["events"]);
    let world = World::having(&way.env);
    let mut daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.settles(what);
    for (key, spring) in [("a", Spring::Before), ("b", Spring::After)] {
        let link = way.link("events");
        link.trap(spring, is_end_of_transaction);
        world.ctl(&format!("deposit --to w_1 --amount 1 --asset EUR --idempotency-key {key} --yes")).ok();
        until("the end of a transaction is on its way", || link.sprung());
        daemon.crash();
        link.set(Link::Cut);
        link.heal();
        daemon = world.daemon();
    }
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key last --yes").ok();
    world.settles(what);
    published_once(&stores);
    money::check(&stores.sql());
    world.ctl("audit verify --stores").ok();
    assert_eq!(daemon.stop(), 0);
}

/// Every record is in the journal's topic once, in order.
#[track_caller]
pub fn published_once(stores: &Stores) {
    let messages = messages(&stores.broker(), &format!("{}.journal", stores.name()), 0);
    let seqs: Vec<u64> = messages
        .iter()
        .filter_map(|(_, content)| serde_json::from_slice::<Value>(content).ok()?["seq"].as_u64())
        .collect();
    let head: u64 = stores.sql().one("SELECT seq FROM clock").parse().unwrap();
    assert_eq!(seqs, (1..=head).collect::<Vec<_>>(), "records in the topic");
}

#[test]
fn killed_between_ledger_and_mysql_while_opening_the_wallet_is_there_in_both_afterwards() {
    let what = "kill -9 between ledger and MySQL";
    let Some(stores) = Stores::new(what) else { return };
    let way = stores.way_through(&["wallets"]);
    let world = World::having(&way.env);
    let daemon = world.daemon();
    let create = "wallet create w_new --owner o --asset EUR --idempotency-key open --yes -o json";
    let has = |piece: &[u8], word: &[u8]| piece.windows(word.len()).any(|window| window == word);
    way.link("wallets").trap(Spring::Before, move |piece| has(piece, b"w_new") && has(piece, b"active"));
    let client = in_background(&world, create);
    until("the row is on its way", || way.link("wallets").sprung());
    daemon.crash();
    finish("the interrupted opening".into(), client);
    assert_eq!(stores.sql().one("SELECT count(*) FROM accounts WHERE id = 'w_new'"), "1");
    way.link("wallets").set(Link::Cut);
    way.link("wallets").heal();
    let state = || stores.mysql().rows("SELECT state FROM wallets WHERE id = 'w_new'");
    assert_ne!(state(), [["active"]]);
    let daemon = world.daemon();
    until("the wallet in MySQL", || state() == [["active"]]);
    assert_eq!(world.ctl(create).data()["outcome"], "replayed");
    world.settles(what);
    world.ctl("audit verify --stores").ok();
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn killed_between_mysql_and_ledger_while_opening_nothing_is_left_half_open() {
    let what = "kill -9 between MySQL and ledger";
    let Some(stores) = Stores::new(what) else { return };
    let way = stores.way_through(&["ledger"]);
    let world = World::having(&way.env);
    let daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let create = "wallet create w_new --owner o --asset EUR --idempotency-key open --yes -o json";
    way.link("ledger").trap(Spring::Before, is_commit);
    let client = in_background(&world, create);
    until("the commit is on its way", || way.link("ledger").sprung());
    daemon.crash();
    finish("the interrupted opening".into(), client);
    way.link("ledger").set(Link::Cut);
    way.link("ledger").heal();
    let state = || stores.mysql().rows("SELECT state FROM wallets WHERE id = 'w_new'");
    assert_eq!(state(), [["opening"]]);
    let daemon = world.daemon();
    assert_eq!(world.ctl(create).data()["outcome"], "ok");
    until("the wallet in MySQL", || state() == [["active"]]);
    world.settles(what);
    money::check(&stores.sql());
    world.ctl("audit verify --stores").ok();
    assert_eq!(daemon.stop(), 0);
}
