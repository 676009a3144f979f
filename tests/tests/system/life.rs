//! The daemon's life: one a directory, orderly ends, homes that are not as they should be.

use std::{
    os::unix::fs::PermissionsExt as _,
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::harness::{World, get, run, signal, until};

#[test]
fn a_second_daemon_on_the_same_data_is_refused_and_told_who_has_it() {
    let world = World::new();
    let daemon = world.daemon();
    let second = world.walletd_runs(&format!("serve --socket {}", world.path("other.sock").display()));
    second.fails(78, &daemon.pid().to_string());
    world.ctl("daemon status").ok();
}

#[test]
fn a_stale_socket_is_no_obstacle_and_a_live_one_is_left_alone() {
    let world = World::new();
    world.daemon().crash();
    assert!(world.socket().exists());
    let daemon = world.daemon();
    let data = world.path("other-data");
    let second = world.walletd_runs(&format!("serve --data {}", data.display()));
    assert_eq!(second.code, 78, "{second}");
    world.ctl("daemon status").ok();
    assert_eq!(daemon.stop(), 0);
    assert!(!world.socket().exists());
}

#[test]
fn sigterm_finishes_what_runs_and_ends_with_zero() {
    let world = World::new();
    let daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let mut acknowledged = 0;
    thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let world = &world;
                scope.spawn(move || {
                    let mut done = 0;
                    for number in 0.. {
                        let line = format!(
                            "deposit --to w_1 --amount 1 --asset EUR --idempotency-key {client}-{number} --yes"
                        );
                        match world.ctl(&line).code {
                            0 => done += 1,
                            75 => return done,
                            code => panic!("exit code {code} while the daemon drains"),
                        }
                    }
                    done
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(500));
        assert_eq!(daemon.stop(), 0);
        acknowledged = clients.into_iter().map(|client| client.join().unwrap()).sum();
    });
    let _daemon = world.daemon();
    assert!(acknowledged > 0);
    assert_eq!(world.balance("w_1"), format!("{acknowledged}.00"));
}

#[test]
fn a_second_signal_does_not_wait_for_what_runs() {
    use std::io::Write as _;
    let world = World::new();
    let daemon = world.daemon();
    // A request whose body never comes keeps the daemon waiting.
    let mut stream = std::os::unix::net::UnixStream::connect(world.socket()).unwrap();
    let head = "POST /v1/deposits HTTP/1.1\r\nhost: x\r\nidempotency-key: k\r\ncontent-type: application/json\r\n";
    write!(stream, "{head}content-length: 50\r\n\r\n{{").unwrap();
    thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    signal(daemon.pid(), Signal::TERM);
    until("the socket is gone", || !world.socket().exists());
    thread::sleep(Duration::from_secs(1));
    assert_eq!(daemon.stop(), 1);
    assert!(begin.elapsed() < Duration::from_secs(15));
}

#[test]
fn the_stores_schemas_are_shown_and_brought_up_to_date() {
    let world = World::new();
    world.walletd_runs("migrate status").ok();
    world.walletd_runs("migrate up").ok();
    let status = world.walletd_runs("migrate status").ok();
    for store in ["ledger", "wallets", "audit"] {
        assert!(status.contains(store), "{status}");
    }
    assert_eq!(world.daemon().stop(), 0);
}

#[test]
fn sighup_changes_nothing() {
    let world = World::new();
    let daemon = world.daemon();
    signal(daemon.pid(), Signal::HUP);
    thread::sleep(Duration::from_millis(200));
    world.ctl("daemon status").ok();
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn health_and_readiness_answer_and_the_api_describes_itself() {
    let world = World::new();
    let _daemon = world.daemon();
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert!(get(&world.socket(), path).unwrap().starts_with("HTTP/1.1 200"), "{path}");
    }
    let openapi = world.ctl("api GET /openapi.json").ok();
    let openapi: serde_json::Value = serde_json::from_str(&openapi).unwrap();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in ["/v1/transfers", "/v1/batches", "/v1/wallets/{id}/balance", "/v1/reports/balances"] {
        assert!(openapi["paths"][path].is_object(), "{path}");
    }
}

#[test]
fn projections_catch_up_and_are_rebuilt_when_they_are_gone() {
    let world = World::new();
    let daemon = world.daemon();
    world.wallet("w_1", "EUR", "3");
    until("the audit trail", || world.ctl("audit list --wallet w_1 -o json").out.contains("deposit"));
    assert_eq!(daemon.stop(), 0);
    for entry in std::fs::read_dir(world.data()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("audit") || name.starts_with("wallets") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let _daemon = world.daemon();
    until("the audit trail", || world.ctl("audit list --wallet w_1 -o json").out.contains("deposit"));
    until("the wallet", || world.ctl("wallet list -o csv").out.contains("w_1"));
    world.ctl("audit verify").ok();
}

#[test]
fn without_home_both_programs_find_the_same_place() {
    let world = World::new();
    let without_home = |line: &str| {
        let mut command = world.walletd();
        command.env_remove("HOME").args(line.split(' '));
        run(command, Vec::new())
    };
    let printed = without_home("config print").ok();
    let home = std::env::var("HOME").unwrap_or_default();
    assert!(printed.contains(&format!("{home}/.local/state/walletd/walletd.sock")), "{printed}");
    let mut command = world.walletctl();
    command.env_remove("HOME").args(["config", "show", "-o", "json"]);
    let shown = run(command, Vec::new()).ok();
    assert!(shown.contains(&format!("{home}/.local/state/walletd/walletd.sock")), "{shown}");
}

#[test]
fn a_home_that_cannot_be_written_still_reads_and_refuses_writes_before_sending() {
    let world = World::new();
    let socket = world.dir.path().join("s.sock");
    let data = world.dir.path().join("d");
    let mut command = world.walletd();
    command.env("WALLETD_SOCKET", &socket).env("WALLETD_DATA", &data);
    let begin = Instant::now();
    let mut child =
        command.arg("serve").stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    until("the daemon", || get(&socket, "/readyz").is_ok());
    assert!(begin.elapsed() < Duration::from_secs(30));
    let home = world.path("home-read-only");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o500)).unwrap();
    // Modes do not stop root: a file system does.
    let _mounted = crate::storage::Mounted::new(&home, "ro");
    if std::fs::write(home.join("probe"), "").is_ok() {
        crate::harness::skipped("a home that cannot be written (root may write here, and may not mount)");
        child.kill().unwrap();
        child.wait().unwrap();
        return;
    }
    let ctl = |line: &str| {
        let mut command = world.walletctl();
        command.env("HOME", &home).arg("--socket").arg(&socket).args(line.split(' '));
        run(command, Vec::new())
    };
    let (read, write) =
        (ctl("wallet list -o json"), ctl("wallet create w_1 --owner o --asset EUR --idempotency-key k --yes"));
    let list = ctl("wallet list -o csv");
    child.kill().unwrap();
    child.wait().unwrap();
    read.ok();
    assert_eq!(write.code, 78, "{write}");
    assert!(!list.ok().contains("w_1"));
}

#[test]
fn a_request_that_waits_too_long_to_come_does_not_keep_others_out() {
    let world = World::new();
    let _daemon = world.daemon();
    let idle: Vec<_> = (0..200).map(|_| std::os::unix::net::UnixStream::connect(world.socket()).unwrap()).collect();
    world.ctl("daemon status").ok();
    drop(idle);
}

#[test]
fn memory_that_was_given_back_is_kept_as_briefly_as_the_daemon_or_its_environment_says() {
    let kept = |pid: u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        let of = |variable: &[u8]| variable.strip_prefix(b"MIMALLOC_PURGE_DELAY=").map(<[u8]>::to_vec);
        environment.split(|byte| *byte == 0).find_map(of)
    };
    let mut world = World::new();
    let daemon = world.daemon();
    assert_eq!(kept(daemon.pid()).as_deref(), Some(&b"100"[..]));
    assert_eq!(std::fs::read_to_string(format!("/proc/{}/comm", daemon.pid())).unwrap().trim(), "walletd");
    assert_eq!(daemon.stop(), 0);
    world.add("MIMALLOC_PURGE_DELAY", "7");
    assert_eq!(kept(world.daemon().pid()).as_deref(), Some(&b"7"[..]));
}
