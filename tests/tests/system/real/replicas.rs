//! Several daemons on the same stores.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use wallet_tests::proxy::Spring;

use super::{
    busy::account_for,
    crashes::{is_commit, published_once},
    load::{self, Load},
    money,
    stores::Stores,
};
use crate::harness::{Daemon, World, finish, signal, until};

const SOME: u64 = 300;

#[test]
fn two_daemons_and_64_clients_neither_overdraw_nor_stand_still_nor_meet_a_deadlock() {
    let what = "two daemons on one ledger";
    let Some(stores) = Stores::new(what) else { return };
    let (first, second) = (World::having(&stores.way().env), World::having(&stores.way().env));
    let daemons = [first.daemon(), second.daemon()];
    let wallets = load::wallets(&first, "w_", 10);
    let mut load = Load::at_full_speed("two", &[first.socket(), second.socket()], &wallets, 64);
    load.moves(3_000, "through two daemons");
    let tally = load.stop();
    assert!(tally.again.is_empty(), "a client was told to try again: {:?}", tally.again);
    for world in [&first, &second] {
        world.settles(what);
    }
    account_for(&stores, &tally, "two");
    first.ctl("audit verify --stores").ok();
    for daemon in daemons {
        assert_eq!(daemon.stop(), 0);
    }
}

#[test]
fn a_holder_of_the_clock_row_that_is_stopped_stops_nobody_for_long() {
    let what = "SIGSTOP between the two round trips of a commit";
    let Some(stores) = Stores::new(what) else { return };
    let way = stores.way_through(&["ledger"]);
    let (stopped, other) = (World::having(&way.env), World::having(&stores.way().env));
    let holder = stopped.daemon();
    let daemon = other.daemon();
    let wallets = load::wallets(&other, "w_", 10);

    way.link("ledger").trap(Spring::Before, is_commit);
    let mut command = stopped.walletctl();
    let line = "deposit --to w_0 --amount 7 --asset EUR --idempotency-key held --yes -o json";
    command.args(line.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    let client = command.spawn().unwrap();
    until("the holder has the clock row", || way.link("ledger").sprung());
    signal(holder.pid(), Signal::STOP);
    let mut load = Load::start("l", &[other.socket()], &wallets, 32);
    let waited = load.moves(1, "behind a stopped holder");
    assert!(waited < Duration::from_secs(15), "others waited {waited:?} for the stopped holder");
    load.moves(SOME, "while the holder is stopped");
    signal(holder.pid(), Signal::CONT);
    way.link("ledger").heal();
    load.moves(SOME, "after the holder woke");
    let tally = load.stop();
    let held = finish("the held deposit".into(), client);
    assert!([0, 11, 75].contains(&held.code), "{held}");
    account_for(&stores, &tally, "l");
    // Whatever it was told: the key settles it, once.
    until("the woken daemon", || stopped.ctl(line).code == 0);
    assert_eq!(money::keys(&stores.sql(), "held").len(), 1);
    for (world, daemon) in [(&stopped, holder), (&other, daemon)] {
        world.settles(what);
        assert_eq!(daemon.stop(), 0);
    }
}

/// Whether this daemon publishes the journal now.
fn leads(world: &World) -> bool {
    let status: Value = serde_json::from_str(&world.ctl("api GET /v1/status").out).unwrap_or_default();
    status["projections"].as_array().is_some_and(|all| all.iter().any(|projection| projection["name"] == "events"))
}

/// Two daemons; the one that leads comes first.
fn leader_and_other(stores: &Stores) -> [(World, Daemon); 2] {
    let (first, second) = (World::having(&stores.way().env), World::having(&stores.way().env));
    let daemons = (first.daemon(), second.daemon());
    until("one leads", || leads(&first) != leads(&second));
    let (first, second) = ((first, daemons.0), (second, daemons.1));
    if leads(&first.0) { [first, second] } else { [second, first] }
}

#[test]
fn the_relays_lease_moves_when_its_holder_is_killed() {
    let what = "kill -9 of the relay's holder";
    let Some(stores) = Stores::new(what) else { return };
    let [(leader, daemon), (other, heir)] = leader_and_other(&stores);
    let wallets = load::wallets(&other, "w_", 10);
    let mut load = Load::start("l", &[other.socket()], &wallets, 16);
    load.moves(SOME, "before");
    daemon.crash();
    let begin = Instant::now();
    until("the other leads", || leads(&other));
    assert!(begin.elapsed() < Duration::from_secs(20), "it took {:?}", begin.elapsed());
    load.moves(SOME, "after");
    let tally = load.stop();
    other.settles(what);
    account_for(&stores, &tally, "l");
    published_once(&stores);
    drop(leader);
    assert_eq!(heir.stop(), 0);
}

#[test]
fn the_relays_lease_moves_when_its_holder_is_stopped_and_the_woken_one_publishes_nothing() {
    let what = "SIGSTOP of the relay's holder";
    let Some(stores) = Stores::new(what) else { return };
    let [(leader, daemon), (other, heir)] = leader_and_other(&stores);
    let wallets = load::wallets(&other, "w_", 10);
    let mut load = Load::start("l", &[other.socket()], &wallets, 16);
    load.moves(SOME, "before");
    signal(daemon.pid(), Signal::STOP);
    let begin = Instant::now();
    until("the other leads", || leads(&other));
    assert!(begin.elapsed() < Duration::from_secs(20), "it took {:?}", begin.elapsed());
    load.moves(SOME, "while it is stopped");
    signal(daemon.pid(), Signal::CONT);
    load.moves(SOME, "after it woke");
    until("the woken one follows", || !leads(&leader));
    let tally = load.stop();
    for world in [&leader, &other] {
        world.settles(what);
    }
    account_for(&stores, &tally, "l");
    published_once(&stores);
    other.ctl("audit verify --stores").ok();
    for daemon in [daemon, heir] {
        assert_eq!(daemon.stop(), 0);
    }
}

#[test]
fn a_consumer_is_added_and_taken_away_under_load() {
    let what = "a consumer added and taken away";
    let Some(stores) = Stores::new(what) else { return };
    let api = stores.way().with("WALLETD_ROLES", "api,relay");
    let consumer = stores.way().with("WALLETD_ROLES", "balances,audit");
    let world = World::having(&api.env);
    let daemon = world.daemon();
    let wallets = load::wallets(&world, "w_", 10);
    let mut load = Load::start("l", &[world.socket()], &wallets, 32);
    load.moves(SOME, "without a consumer");
    let (first, second) = (World::having(&consumer.env), World::having(&consumer.env));
    let added = first.daemon();
    load.moves(SOME, "with one");
    let more = second.daemon();
    load.moves(SOME, "with two");
    added.crash();
    load.moves(SOME, "with the second alone");
    let back = first.daemon();
    assert_eq!(more.stop(), 0);
    load.moves(SOME, "with the first alone");
    let tally = load.stop();
    assert!(tally.again.is_empty(), "{:?}", tally.again);
    first.settles(what);
    account_for(&stores, &tally, "l");
    world.ctl("audit verify --stores").ok();
    for daemon in [back, daemon] {
        assert_eq!(daemon.stop(), 0);
    }
}
