//! The network between walletd and each server fails while 32 clients transfer, and heals.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;
use wallet_tests::proxy::Link;

use super::{
    busy::{Busy, CLIENTS},
    money,
    stores::Stores,
};
use crate::harness::{World, until};

/// How the link fails, one after the other.
const FAULTS: [(&str, Link); 4] = [
    ("cut", Link::Cut),
    ("half closed", Link::HalfClosed),
    ("silent", Link::Silent),
    ("slow", Link::Slow(Duration::from_millis(150))),
];

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
    let mut busy = Busy::on(&what, stores, way);
    let asking = (link == "limits").then(|| Asking::of(busy.daemon.tcp()));
    let world = &busy.world;
    for (name, fault) in FAULTS {
        busy.way.link(link).set(fault);
        if let (Link::Cut, "wallets" | "audit" | "events" | "balances") = (fault, link) {
            if link == "wallets" {
                // Transfers leave nothing to write there: a wallet that is opened and frozen does.
                world.wallet("w_meanwhile", "EUR", "0");
                world.ctl("wallet freeze w_meanwhile --reason cut --idempotency-key freeze --yes").ok();
                assert_eq!(world.ctl("wallet show w_meanwhile -o json").data()["status"], "frozen");
            }
            until("status says what does not move, and why", || status_names_an_error(world));
        }
        busy.moves(&format!("while the link to {link} is {name}"));
        std::thread::sleep(Duration::from_millis(1_500));
        busy.moves(&format!("after a while with the link to {link} {name}"));
        busy.way.link(link).heal();
        busy.moves(&format!("after {link} was {name}"));
    }
    assert!(busy.way.link(link).taken() > 1, "the daemon goes another way to {link}");
    if let Some(asking) = asking {
        assert!(asking.stop() > 0, "nobody asked over TCP");
    }
    let tally = busy.load.stop();
    busy.was_never_refused(&tally);
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

/// How often clients were told that the ledger does not answer, or that it did not say what became of a transfer.
fn told(busy: &Busy) -> u64 {
    busy.load.times("unavailable") + busy.load.times("outcome_unknown")
}

#[test]
fn while_the_link_to_postgresql_fails_writes_are_refused_cached_reads_answer_and_it_goes_on_when_it_heals() {
    let what = "a failing link to the ledger under load";
    let Some(stores) = Stores::new(what) else { return };
    let way = stores.way_through(&["ledger"]);
    let mut busy = Busy::on(what, stores, way);
    for (name, fault) in FAULTS {
        busy.way.link("ledger").set(fault);
        if let Link::Slow(_) = fault {
            busy.load.moves(10, "over a slow link");
        } else {
            let before = told(&busy);
            until(&format!("clients are told that the ledger is {name}"), || told(&busy) > before + CLIENTS as u64);
            let cached = busy.world.ctl("balance w_0 --cached -o json").data();
            assert!(cached["age_ms"].is_u64(), "a cached balance says how old it is: {cached}");
            busy.world.ctl("deposit --to w_0 --amount 1 --asset EUR --idempotency-key down --yes").exits(75);
        }
        busy.way.link("ledger").heal();
        let took = busy.moves(&format!("after the ledger was {name}"));
        assert!(took < Duration::from_secs(30), "it took {took:?} to go on after the ledger was {name}");
    }
    let tally = busy.load.stop();
    busy.ends_right(&tally);
}

/// Longest time to any answer while PostgreSQL's packets vanish: what the daemon gives one request
/// (`server.request_timeout_s`), and what a busy machine adds.
const TOLD_WITHIN: Duration = Duration::from_secs(40);

#[test]
fn in_front_of_a_black_hole_writes_are_answered_in_time_cached_reads_say_their_age_and_it_goes_on_when_it_heals() {
    let what = "a black hole in the place of PostgreSQL";
    let Some(stores) = Stores::new(what) else { return };
    let way = stores.way_through(&["ledger"]);
    let mut busy = Busy::on(what, stores, way);
    let mut refused = 0;
    for hole in ["the first", "the second"] {
        let before = told(&busy);
        busy.way.link("ledger").set(Link::BlackHole);
        until(&format!("clients are told of {hole} hole"), || told(&busy) > before + CLIENTS as u64);
        let mut age = 0;
        for _ in 0..3 {
            refused += 1;
            let begin = Instant::now();
            let line = format!("deposit --to w_0 --amount 1 --asset EUR --idempotency-key hole-{refused} --yes");
            busy.world.ctl(&line).exits(75);
            busy.world.ctl("balance w_0").exits(75);
            assert!(begin.elapsed() < TOLD_WITHIN * 2, "a write and a read took {:?}", begin.elapsed());
            let cached = busy.world.ctl("balance w_0 --cached -o json").data();
            let older = cached["age_ms"].as_u64().unwrap_or_else(|| panic!("how old is it? {cached}"));
            assert!(older > age && cached["balance"].is_string(), "it was {age} ms old: {cached}");
            age = older;
        }
        busy.way.link("ledger").heal();
        let took = busy.moves(&format!("after {hole} hole"));
        // What was lost in the hole holds the clock row until PostgreSQL itself ends it.
        assert!(took < Duration::from_secs(30), "it took {took:?} to go on after {hole} hole");
    }
    let tally = busy.load.stop();
    assert!(tally.slowest < TOLD_WITHIN, "a client waited {:?} for an answer", tally.slowest);
    let known = [200, 201, 422, 503, 504];
    assert!(tally.statuses.iter().all(|status| known.contains(status)), "{:?}", tally.statuses);
    assert!(tally.statuses.contains(&503), "{:?}", tally.statuses);
    assert!(money::keys(&busy.stores.sql(), "hole-").is_empty(), "a refused deposit is there");
    busy.ends_right(&tally);
}
