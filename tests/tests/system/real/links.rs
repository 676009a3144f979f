//! The network between walletd and each server fails while 32 clients transfer, and heals.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde_json::Value;
use wallet_tests::proxy::Link;

use super::{
    load::{self, Load, Tally},
    money,
    stores::Stores,
};
use crate::harness::{World, until};

/// Clients that transfer.
const CLIENTS: usize = 32;
/// Transfers that show that money moves.
const SOME: u64 = 300;
/// How the link fails, one after the other.
const FAULTS: [(&str, Link); 4] = [
    ("cut", Link::Cut),
    ("half closed", Link::HalfClosed),
    ("silent", Link::Silent),
    ("slow", Link::Slow(Duration::from_millis(150))),
];

/// Nothing that was acknowledged is missing, nothing is there that was not sent or was refused, every key once.
#[track_caller]
pub fn account_for(stores: &Stores, tally: &Tally, prefix: &str) {
    let sql = stores.sql();
    money::check(&sql);
    let there = money::keys(&sql, &format!("{prefix}-"));
    let lost: Vec<_> = tally.acknowledged.difference(&there).take(5).collect();
    assert!(lost.is_empty(), "acknowledged and not there: {lost:?}");
    let sneaked: Vec<_> = there.difference(&tally.acknowledged).take(5).collect();
    assert!(sneaked.is_empty(), "there and never acknowledged: {sneaked:?}");
    assert!(tally.refused.is_disjoint(&there));
}

fn status_names_an_error(world: &World) -> bool {
    let status: Value = serde_json::from_str(&world.ctl("api GET /v1/status").ok()).unwrap();
    status["projections"].as_array().unwrap().iter().any(|projection| projection["error"].is_string())
}

/// Somebody on TCP without a token, again and again: the limits of addresses are shared by all daemons, a local user's are not.
struct Asking {
    over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Asking {
    fn of(gateway: SocketAddr) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut answered = 0;
            while !seen.load(Ordering::Relaxed) {
                let mut stream = TcpStream::connect(gateway).unwrap();
                let request = b"GET /v1/whoami HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
                stream.write_all(request).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                assert!(answer.starts_with("HTTP/1.1 401") || answer.starts_with("HTTP/1.1 429"), "{answer}");
                answered += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            answered
        });
        Self { over, thread }
    }

    fn stop(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// The link of something that money does not need: it keeps moving through every fault, and what lags catches up.
fn money_keeps_moving_without(link: &'static str) {
    let what = format!("a failing link to {link} under load");
    let Some(stores) = Stores::new(&what) else { return };
    let way = stores.way_through(&[link]).with("WALLETD_LISTEN", "127.0.0.1:0");
    let world = World::having(&way.env);
    let daemon = world.daemon();
    let wallets = load::wallets(&world, "w_", 10);
    world.settles(&what);
    let asking = (link == "limits").then(|| Asking::of(daemon.tcp()));
    let load = Load::start("l", &[world.socket()], &wallets, CLIENTS);
    load.moves(SOME, "before");
    for (name, fault) in FAULTS {
        way.link(link).set(fault);
        if let (Link::Cut, "wallets" | "audit" | "events" | "balances") = (fault, link) {
            if link == "wallets" {
                // Transfers leave nothing to write there: a wallet that is opened and frozen does.
                world.wallet("w_meanwhile", "EUR", "0");
                world.ctl("wallet freeze w_meanwhile --reason cut --idempotency-key freeze --yes").ok();
                assert_eq!(world.ctl("wallet show w_meanwhile -o json").data()["status"], "frozen");
            }
            until("status says what does not move, and why", || status_names_an_error(&world));
        }
        load.moves(SOME, &format!("while the link to {link} is {name}"));
        std::thread::sleep(Duration::from_millis(1_500));
        load.moves(SOME, &format!("after a while with the link to {link} {name}"));
        way.link(link).heal();
        load.moves(SOME, &format!("after {link} was {name}"));
    }
    assert!(way.link(link).taken() > 1, "the daemon goes another way to {link}");
    if let Some(asking) = asking {
        assert!(asking.stop() > 0, "nobody asked over TCP");
    }
    let tally = load.stop();
    assert!(tally.again.is_empty(), "no client had to try again: {:?}", tally.again);
    world.settles(&what);
    account_for(&stores, &tally, "l");
    world.ctl("audit verify --stores").ok();
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn money_keeps_moving_while_the_link_to_mysql_fails() {
    money_keeps_moving_without("wallets");
}

#[test]
fn money_keeps_moving_while_the_link_to_mongodb_fails() {
    money_keeps_moving_without("audit");
}

#[test]
fn money_keeps_moving_while_the_link_to_kafka_fails() {
    money_keeps_moving_without("events");
}

#[test]
fn money_keeps_moving_while_the_link_to_the_cached_balances_fails() {
    money_keeps_moving_without("balances");
}

#[test]
fn money_keeps_moving_while_the_link_to_the_limits_fails() {
    money_keeps_moving_without("limits");
}

#[test]
fn money_keeps_moving_while_the_link_to_jaeger_fails() {
    money_keeps_moving_without("traces");
}

#[test]
fn while_the_link_to_postgresql_fails_writes_are_refused_cached_reads_answer_and_it_goes_on_when_it_heals() {
    let what = "a failing link to the ledger under load";
    let Some(stores) = Stores::new(what) else { return };
    let way = stores.way_through(&["ledger"]);
    let world = World::having(&way.env);
    let daemon = world.daemon();
    let wallets = load::wallets(&world, "w_", 10);
    world.settles(what);
    let load = Load::start("l", &[world.socket()], &wallets, CLIENTS);
    load.moves(SOME, "before");
    for (name, fault) in FAULTS {
        way.link("ledger").set(fault);
        if let Link::Slow(_) = fault {
            load.moves(10, "over a slow link");
        } else {
            let before = load.times("unavailable") + load.times("outcome_unknown");
            until(&format!("clients are told that the ledger is {name}"), || {
                load.times("unavailable") + load.times("outcome_unknown") > before + CLIENTS as u64
            });
            let cached = world.ctl("balance w_0 --cached -o json").data();
            assert!(cached["age_ms"].is_u64(), "a cached balance says how old it is: {cached}");
            world.ctl("deposit --to w_0 --amount 1 --asset EUR --idempotency-key down --yes").exits(75);
        }
        way.link("ledger").heal();
        let took = load.moves(SOME, &format!("after the ledger was {name}"));
        assert!(took < Duration::from_secs(30), "it took {took:?} to go on after the ledger was {name}");
    }
    let tally = load.stop();
    world.settles(what);
    account_for(&stores, &tally, "l");
    world.ctl("audit verify --stores").ok();
    assert_eq!(daemon.stop(), 0);
}
