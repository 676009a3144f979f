//! A person at a terminal, played by `script`, which every Debian has.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::common::{Home, Reply};

const POSTED: &str = r#"{"outcome":"ok","dry_run":false,"transaction":"tx_1_7","seq":7,"kind":"deposit","from":null,"to":"w_2","amount":"10.50","asset":"EUR","effective_at":"2026-01-31T00:00:00.000000Z","recorded_at":"2026-01-31T00:00:00.000000Z","key":"k","memo":"\u001b]0;title\u0007rent","meta":{},"actor":"uid:0"}"#;
const DEPOSIT: &str = "deposit --to w_2 --amount 10.50 --asset EUR";

/// Runs a command at a terminal that types this answer; gives its exit code and what was seen.
fn type_in(home: &Home, args: &str, answer: &str) -> (i32, String) {
    let inner = home.command(args);
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{} {args}", inner.get_program().to_str().unwrap()), "/dev/null"]).env_clear();
    script.env("PATH", "/usr/bin:/bin").env("SHELL", "/bin/sh");
    for (name, value) in inner.get_envs() {
        script.env(name, value.unwrap());
    }
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    (ended.status.code().unwrap(), String::from_utf8(ended.stdout).unwrap())
}

#[test]
fn yes_sends_with_a_key_that_was_made_and_shown() {
    let home = Home::new().serve(vec![Reply::Json(200, POSTED)]);
    let (code, seen) = type_in(&home, DEPOSIT, "y\n");
    assert_eq!(code, 0, "{seen}");
    let request = home.request();
    let key = request.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap();
    assert!(seen.contains(&format!("idempotency key: {key}")), "{seen}");
    assert!(seen.contains("Deposit 10.50 EUR to w_2? [y/N]"), "{seen}");
    assert!(seen.contains("rent") && !seen.contains("title"), "a memo must not speak to the terminal: {seen}");
}

#[test]
fn no_is_the_default_and_sends_nothing() {
    let home = Home::new();
    let (code, seen) = type_in(&home, DEPOSIT, "\n");
    assert!(code == 10 && seen.contains("nothing was sent"), "{seen}");
}

#[test]
fn much_money_is_typed() {
    let home = Home::new().serve(vec![Reply::Json(200, POSTED)]);
    let socket = home.socket();
    assert_eq!(home.run(&format!("context set big --daemon {} --confirm-above 10", socket.display())).code, 0);
    assert_eq!(type_in(&home, &format!("--context big {DEPOSIT}"), "y\n").0, 10);
    assert_eq!(type_in(&home, &format!("--context big {DEPOSIT}"), "10.50\n").0, 0);
}
