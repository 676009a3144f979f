//! What the daemon says of itself to Prometheus, and what a collector that is away costs.

use crate::harness::{World, until};

/// The figures of a daemon that serves them on a port of its own.
fn figures(log: &str) -> String {
    let address = log.lines().find_map(|line| line.split_once("serving metrics address=")).unwrap().1;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = wallet_tests::http().build().unwrap();
        client.get(format!("http://{}/metrics", address.trim())).send().await.unwrap().text().await.unwrap()
    })
}

#[track_caller]
fn value(figures: &str, name: &str) -> f64 {
    let line = figures.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{figures}")).parse().unwrap()
}

#[test]
fn figures_follow_what_happens() {
    let world = World::new();
    let mut command = world.walletd();
    command.env("WALLETD_METRICS_LISTEN", "127.0.0.1:0");
    let daemon = world.daemon_by(command);
    world.wallet("w_1", "EUR", "5");
    world.ctl("withdraw --from w_1 --amount 6 --asset EUR --idempotency-key no --yes").fails(6, "insufficient_funds");
    world.settles("the figures' daemon");
    world.ctl("balance w_1 --cached").ok();
    let figures = figures(&daemon.log());
    for (name, expected) in [
        ("walletd_ledger_up", 1.0),
        ("walletd_ledger_head_seq", 2.0),
        ("walletd_commits_total{result=\"durable\"}", 3.0),
        ("walletd_commands_total{outcome=\"ok\"}", 2.0),
        ("walletd_commands_total{outcome=\"refused\"}", 1.0),
        ("walletd_refusals_total{code=\"insufficient_funds\"}", 1.0),
        ("walletd_http_problems_total{code=\"insufficient_funds\"}", 1.0),
        ("walletd_http_requests_total{method=\"POST\",route=\"/v1/withdrawals\",status=\"422\"}", 1.0),
        ("walletd_projection_lag_records{projection=\"audit\"}", 0.0),
        ("walletd_projection_lag_records{projection=\"events\"}", 0.0),
        ("walletd_cache_reads_total{result=\"hit\"}", 1.0),
        ("walletd_cache_position_seq", 2.0),
        ("walletd_relay_leading", 1.0),
        ("walletd_queue_commands", 0.0),
    ] {
        assert!((value(&figures, name) - expected).abs() < f64::EPSILON, "{name} is not {expected} in\n{figures}");
    }
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_dead_collector_costs_its_spans_and_one_line() {
    let world = World::new();
    // A port that was free a moment ago, and that nobody listens on.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = world.walletd();
    command.env("WALLETD_TRACES_URL", format!("http://{dead}")).env("WALLETD_METRICS_LISTEN", "127.0.0.1:0");
    let daemon = world.daemon_by(command);
    world.wallet("w_1", "EUR", "5");
    until("spans are lost and counted", || value(&figures(&daemon.log()), "walletd_spans_dropped_total") > 0.0);
    for n in 0..3 {
        let before = value(&figures(&daemon.log()), "walletd_spans_dropped_total");
        world.ctl(&format!("deposit --to w_1 --amount 1 --asset EUR --idempotency-key d{n} --yes")).ok();
        until("more are lost", || value(&figures(&daemon.log()), "walletd_spans_dropped_total") > before);
    }
    let log = daemon.log();
    assert_eq!(log.lines().filter(|line| line.contains("collector")).count(), 1, "{log}");
    assert_eq!(world.balance("w_1"), "8.00");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn figures_are_not_for_other_machines_unless_it_is_said() {
    let world = World::new();
    let mut command = world.walletd();
    command.env("WALLETD_METRICS_LISTEN", "0.0.0.0:0").args(["config", "check"]);
    crate::harness::run(command, Vec::new()).fails(78, "serve_other_machines");
}
