//! The benchmark itself: that it measures what it says, and leaves nothing behind.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Run, World, finish, run, signal};

/// The measures of a short run.
pub fn measures(run: Run) -> Vec<Value> {
    run.data().as_array().unwrap().clone()
}

/// The measures of one scenario.
pub fn of<'a>(measures: &'a [Value], scenario: &str) -> Vec<&'a Value> {
    measures.iter().filter(|measure| measure["scenario"] == scenario).collect()
}

fn leftovers(world: &World) -> Vec<String> {
    let names = std::fs::read_dir(world.path("scratch")).unwrap();
    names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// A world with an empty folder for scratch files.
fn with_scratch() -> World {
    let world = World::new();
    std::fs::create_dir(world.path("scratch")).unwrap();
    world
}

const SHORT: &str = "bench --duration 1 --count 2000 --dir scratch -o json";

#[test]
fn a_short_run_measures_everything_beside_its_limit_and_leaves_nothing() {
    let world = with_scratch();
    let done =
        measures(world.ctl(&format!("{SHORT} --scenario raw,singles,batches,cached,points --entries 500 --reads 50")));
    let singles = of(&done, "singles");
    assert_eq!(singles.iter().map(|one| one["clients"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 16, 64, 256]);
    let batches = of(&done, "batches");
    assert_eq!(batches.iter().map(|one| one["count"].as_u64().unwrap()).collect::<Vec<_>>(), [2_000, 2_000]);
    let cached = of(&done, "cached");
    for measure in singles.iter().chain(&batches).chain(&cached) {
        assert!(measure["per_second"].as_u64().unwrap() > 0 && measure["errors"] == 0, "{measure}");
        assert!(measure["limit_per_second"].is_u64() && measure["cpu_ns"].is_u64(), "{measure}");
    }
    let followers = ["audit", "balances", "events", "wallets"];
    for name in followers {
        let timed = of(&done, "caught up").into_iter().filter(|one| one["case"].as_str().unwrap().starts_with(name));
        assert_eq!(timed.count(), 2, "{name} behind each batch: {done:?}");
    }
    assert_eq!(of(&done, "points").len(), 8, "four shapes by one reader and by sixteen");
    assert_eq!(leftovers(&world), Vec::<String>::new());
}

#[test]
fn tokens_are_measured_over_tcp_beside_transfers_and_the_route_that_does_nothing() {
    let world = with_scratch();
    let done = measures(world.ctl(&format!("{SHORT} --scenario tokens")));
    check_tokens(&done);
    assert_eq!(leftovers(&world), Vec::<String>::new());
}

/// The figures of the scenario tokens: all there, nothing refused, each with what it is compared with.
pub fn check_tokens(done: &[Value]) {
    let tokens = of(done, "tokens");
    let case = |name: &str| {
        let mut found = tokens.iter().filter(|one| one["case"].as_str().unwrap().contains(name));
        let (Some(one), None) = (found.next(), found.next()) else { panic!("not one {name} in {tokens:?}") };
        (*one).clone()
    };
    for name in
        ["socket: GET /healthz", "TCP: GET /healthz", "socket: transfers", "TCP: transfers", "whoami, tokens seen"]
    {
        let measure = case(name);
        assert!(measure["per_second"].as_u64().unwrap() > 0 && measure["errors"] == 0, "{measure}");
        assert!(measure["clients"] == 64 && measure["cpu_ns"].is_u64(), "{measure}");
    }
    for algorithm in ["RS256", "ES256"] {
        let (alone, asked) = (
            case(&format!("by themselves, new tokens, {algorithm}")),
            case(&format!("whoami, new tokens, {algorithm}")),
        );
        for measure in [alone, asked] {
            assert!(
                measure["count"] == 1_000 && measure["errors"] == 0 && measure["cpu_ns"].as_u64().unwrap() > 0,
                "{measure}"
            );
        }
    }
    for name in ["TCP: transfers", "whoami, tokens seen"] {
        let measure = case(name);
        assert!(measure["limit_per_second"].is_u64() && measure["beyond_ns"].is_u64(), "{measure}");
    }
    // How much it is depends on the machine; that it is said beside its goal does not.
    for name in ["by themselves, a token seen before", "whoami, tokens seen"] {
        let measure = case(name);
        assert!(measure["transfer_percent"].is_u64() && measure["goal_percent"] == 10, "{measure}");
    }
}

#[test]
fn a_running_daemon_is_not_measured_with_tokens_that_it_does_not_know() {
    let world = World::new();
    let _daemon = world.daemon();
    let told = world.ctl("bench --running --yes --scenario tokens --duration 1 -o json");
    told.fails(2, "does not believe tokens that are made here");
}

#[test]
fn a_scratch_daemon_never_meets_the_stores_of_the_environment() {
    let world = with_scratch();
    let mut command = world.walletctl();
    // Nobody listens there: a daemon that took it for its ledger would not start.
    command.env("WALLETD_LEDGER_URL", "postgres://nobody@127.0.0.1:9/real").env("WALLETD_SOCKET", "/nowhere");
    command.args(format!("{SHORT} --scenario process").split(' '));
    assert_eq!(measures(run(command, Vec::new())).len(), 1);
}

#[test]
fn servers_that_are_not_named_or_not_there_are_said_at_once() {
    let world = with_scratch();
    world.ctl(&format!("{SHORT} --servers")).fails(2, "the environment names no server");
    let mut command = world.walletctl();
    command.env("WALLETD_LEDGER_URL", "postgres://nobody@127.0.0.1:9/real");
    command.args(format!("{SHORT} --servers").split(' '));
    let told = run(command, Vec::new()).exits_with_error(75);
    assert!(told["message"].as_str().unwrap().contains("127.0.0.1:9"), "{told}");
    let mut command = world.walletctl();
    command.env("WALLETD_LEDGER_URL", "oracle://nobody@127.0.0.1/real");
    command.args(format!("{SHORT} --servers").split(' '));
    run(command, Vec::new()).fails(78, "is not an engine of this store");
    assert_eq!(leftovers(&world), Vec::<String>::new());
}

/// `timeout` tells the program and its group, one behind the other: that is one wish to end, not two.
#[test]
fn a_signal_that_comes_twice_at_once_ends_it_in_order() {
    let world = with_scratch();
    let mut command = world.walletctl();
    command.args(format!("{SHORT} --scenario singles").split(' '));
    let line = format!("{command:?}");
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    while leftovers(&world).is_empty() && begin.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(10));
    }
    // The daemon is starting, or measured already.
    thread::sleep(Duration::from_secs(1));
    signal(child.id(), Signal::TERM);
    signal(child.id(), Signal::TERM);
    let told = finish(line, child);
    assert_eq!(told.code, 130, "{told}");
    assert_eq!(leftovers(&world), Vec::<String>::new(), "the daemon was stopped, its folder is gone");
}
