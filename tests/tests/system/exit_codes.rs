//! The table of exit codes, one test for each that can occur here.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixListener, process::CommandExt as _},
    process::Stdio,
    thread,
    time::Duration,
};

use crate::harness::{World, finish, signal, until};

/// A socket that answers each connection in a way of its own.
fn pretender(world: &World, answer: impl Fn(std::os::unix::net::UnixStream) + Send + 'static) {
    std::fs::create_dir_all(world.socket().parent().unwrap()).unwrap();
    let listener = UnixListener::bind(world.socket()).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
}

/// Reads a request's head.
fn head(stream: &std::os::unix::net::UnixStream) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
}

#[test]
fn zero_is_done_and_replayed() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let line = "deposit --to w_1 --amount 5 --asset EUR --idempotency-key k --yes -o json";
    let (first, again) = (world.ctl(line).data(), world.ctl(line).data());
    assert_eq!(first["seq"], again["seq"]);
    assert_eq!(world.balance("w_1"), "5.00");
}

#[test]
fn one_is_a_fault_of_the_daemon() {
    let world = World::new();
    pretender(&world, |mut stream| {
        head(&stream);
        let body = r#"{"type":"about:blank#internal","title":"A fault","status":500,"detail":"d","code":"internal","retryable":false,"outcome":"not_applied"}"#;
        let length = body.len();
        let kind = "application/problem+json";
        let _ = write!(stream, "HTTP/1.1 500 x\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}");
    });
    world.ctl("wallet show w_1").exits(1);
}

#[test]
fn two_is_usage_and_input_that_cannot_be_meant() {
    let world = World::new();
    world.ctl("no-such-command").exits(2);
    world.ctl("deposit --to w_1").exits(2);
    world.ctl("balance").exits(2);
    world.ctl("batch validate absent.csv").exits(2);
}

#[test]
fn three_is_not_found() {
    let world = World::new();
    let _daemon = world.daemon();
    world.ctl("wallet show nobody").exits(3);
    world.ctl("balance nobody").exits(3);
    world.ctl("tx show tx_1_99999").exits(3);
    world.ctl("tx show --key never").exits(3);
}

/// A daemon that another user of this machine may call as an auditor; needs root, to be that user.
#[test]
fn five_is_forbidden_to_an_auditor_who_writes_and_to_a_user_nobody_named() {
    if !rustix::process::getuid().is_root() {
        crate::harness::skipped("another user of this machine (only root can become one)");
        return;
    }
    let world = World::new();
    let open = tempfile::tempdir().unwrap();
    std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = open.path().join("walletctl");
    std::fs::copy(crate::harness::programs().join("walletctl"), &program).unwrap();
    let socket = open.path().join("walletd.sock");
    let mut command = world.walletd();
    command.env("WALLETD_SOCKET", &socket).env("WALLETD_ACCESS__PEERS", "[{uid=65534,roles=[\"auditor\"]}]");
    let _daemon = world.daemon_at(command, &socket);
    let by = |user: u32, line: &str| {
        let home = open.path().join(format!("home-{user}"));
        let _ = std::fs::create_dir(&home);
        std::os::unix::fs::chown(&home, Some(user), Some(user)).unwrap();
        let mut command = world.command(&program);
        command.env("HOME", &home).current_dir(open.path()).arg("--socket").arg(&socket);
        command.args(line.split(' ')).uid(user).gid(user);
        crate::harness::run(command, Vec::new())
    };
    let create = "wallet create w_1 --owner o --asset EUR --idempotency-key k --yes";
    by(65_534, "wallet list").ok();
    by(65_534, create).exits(5);
    by(65_533, "wallet list").exits(5);
    by(0, create).ok();
}

#[test]
fn six_is_refused_by_a_rule() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "10");
    world.ctl("withdraw --from w_1 --amount 10.01 --asset EUR --idempotency-key k --yes").fails(6, "10.00");
    // A refusal does not burn the key.
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key d --yes").ok();
    world.ctl("withdraw --from w_1 --amount 10.01 --asset EUR --idempotency-key k --yes").ok();
    assert_eq!(world.balance("w_1"), "0.99");
}

#[test]
fn seven_is_a_key_with_other_content_and_names_the_field() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.ctl("deposit --to w_1 --amount 5 --asset EUR --idempotency-key k --yes").ok();
    world.ctl("deposit --to w_1 --amount 6 --asset EUR --idempotency-key k --yes").fails(7, "amount");
    world.ctl("deposit --to w_1 --amount 5 --asset EUR --memo x --idempotency-key k --yes").fails(7, "memo");
    let error =
        world.ctl("deposit --to w_1 --amount 6 --asset EUR --idempotency-key k --yes -o json").exits_with_error(7);
    assert_eq!(error["field"], "amount");
    assert_eq!(error["code"], "key_conflict");
    assert_eq!(world.balance("w_1"), "5.00");
}

#[test]
fn eight_is_a_batch_with_refusals() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "1");
    world.file("b.csv", "key,op,from,to,amount,asset\na,withdraw,w_1,,2,EUR\nb,deposit,,w_1,1,EUR\n");
    world.ctl("batch run b.csv --yes").exits(8);
    assert_eq!(world.balance("w_1"), "2.00");
}

#[test]
fn nine_is_a_failed_verification() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "1");
    world.ctl(&format!("audit verify --cut 1:{}", "0".repeat(64))).exits(9);
}

#[test]
fn ten_is_declined_and_without_a_terminal_nothing_waits_for_an_answer() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key k").exits(2);
    // `script` gives walletctl a terminal, on which the person says no.
    let Some(script) = crate::harness::tool("script", "declining at a terminal") else {
        return;
    };
    let walletctl = crate::harness::programs().join("walletctl");
    let line = format!("{} deposit --to w_1 --amount 1 --asset EUR", walletctl.display());
    let mut command = world.command(script);
    command.args(["-q", "-e", "-c", &line, "/dev/null"]).stdin(Stdio::piped());
    crate::harness::run(command, b"n\n".to_vec()).exits(10);
    assert_eq!(world.balance("w_1"), "0.00");
}

#[test]
fn eleven_is_an_answer_that_was_lost_and_resume_settles_it() {
    let world = World::new();
    pretender(&world, |stream| {
        head(&stream);
        drop(stream);
    });
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key lost --yes").fails(11, "lost");
    std::fs::remove_file(world.socket()).unwrap();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    assert!(world.ctl("intent list -o json").ok().contains("lost"));
    world.ctl("intent resume lost --yes").ok();
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key lost --yes").ok();
    assert_eq!(world.balance("w_1"), "1.00");
    assert!(!world.ctl("intent list -o json").ok().contains("lost"));
}

#[test]
fn seventy_five_is_nothing_happened_try_again() {
    let world = World::new();
    let error = world.ctl("balance w_1 -o json").exits_with_error(75);
    assert_eq!((error["code"].as_str(), error["retryable"].as_bool()), (Some("unreachable"), Some(true)));
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key k --yes").exits(75);
}

#[test]
fn seventy_five_is_also_too_many_requests() {
    let world = World::new();
    let mut command = world.walletd();
    command.env("WALLETD_RATE_LIMIT__SOCKET", "{per_second=1,burst=3}");
    let _daemon = world.daemon_by(command);
    let limited = thread::scope(|scope| {
        let clients: Vec<_> = (0..20).map(|_| scope.spawn(|| world.ctl("wallet list -o json"))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).find(|run| run.code != 0).expect("a limit")
    });
    assert_eq!(limited.exits_with_error(75)["code"], "rate_limited");
}

#[test]
fn seventy_eight_is_configuration() {
    let world = World::new();
    std::fs::create_dir_all(world.home().join(".config/walletctl")).unwrap();
    std::fs::write(world.home().join(".config/walletctl/config.toml"), "nonsense = 1\n").unwrap();
    world.ctl("balance w_1").exits(78);
    world.walletd_runs("serve --config /nowhere.toml").exits(78);
    let mut command = world.walletd();
    command.env("WALLETD_SOKET", "/x").args(["config", "check"]);
    crate::harness::run(command, Vec::new()).fails(78, "soket");
    world.walletd_runs("config check").ok();
    let printed = world.walletd_runs("config print --origin").ok();
    assert!(printed.contains("server.socket") && printed.contains("default"), "{printed}");
}

#[test]
fn a_hundred_and_thirty_is_interrupted_before_sending() {
    let world = World::new();
    // A stdin that has not ended: the file is still being read when Ctrl-C comes.
    let mut command = world.walletctl();
    command.args(["batch", "run", "-", "--yes"]).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"key,op,from,to,amount,asset\n").unwrap();
    // More than a pipe holds: when it is gone, walletctl is reading.
    for number in 0..20_000 {
        stdin.write_all(format!("k{number},deposit,,w_1,1,EUR\n").as_bytes()).unwrap();
    }
    signal(child.id(), rustix::process::Signal::INT);
    finish("batch run -".into(), child).exits(130);
}

#[test]
fn interrupted_after_sending_is_eleven_because_it_may_have_happened() {
    let world = World::new();
    let (sent, arrived) = std::sync::mpsc::channel();
    pretender(&world, move |stream| {
        head(&stream);
        sent.send(stream).unwrap();
    });
    let mut command = world.walletctl();
    command.args("deposit --to w_1 --amount 1 --asset EUR --idempotency-key k --yes".split(' '));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _open = arrived.recv_timeout(Duration::from_secs(30)).unwrap();
    signal(child.id(), rustix::process::Signal::INT);
    finish("deposit, interrupted".into(), child).fails(11, "k");
}

#[test]
fn a_closed_pipe_is_quiet() {
    let world = World::new();
    let _daemon = world.daemon();
    world.file("w.csv", wallets(3_000));
    world.ctl("wallet import w.csv --yes").ok();
    let mut command = world.walletctl();
    command.args(["balance", "--all-wallets", "-o", "csv"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let run = finish("balance | head -1".into(), child);
    assert_eq!(run.err, "", "{run}");
    assert!(run.code == 0 || run.code == 141 || run.code == -13, "{run}");
}

/// A wallets file.
pub fn wallets(count: usize) -> String {
    let mut lines = vec!["id,owner,asset".to_owned()];
    lines.extend((0..count).map(|number| format!("n_{number:05},o,EUR")));
    lines.join("\n") + "\n"
}

#[test]
fn the_daemon_may_come_up_after_the_command() {
    let world = World::new();
    world.ctl("wallet list").exits(75);
    let _daemon = world.daemon();
    until("the daemon answers", || world.ctl("wallet list").code == 0);
}
