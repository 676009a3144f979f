//! A write through the real program, against a daemon that fails in every way there is: what is told,
//! what stays on disk, and what is sent again.

use crate::common::{Home, Ran, Reply};
use rustix::process::{Pid, Signal, kill_process};

const TRANSFER: &str = "transfer --from w_1 --to w_2 --amount 10.50 --asset EUR --idempotency-key inv-1 --yes -o json";
const POSTED: &str = r#"{"outcome":"ok","dry_run":false,"transaction":"tx_1_7","seq":7,"kind":"transfer","from":"w_1","to":"w_2","amount":"10.50","asset":"EUR","effective_at":"2026-01-31T00:00:00.000000Z","recorded_at":"2026-01-31T00:00:00.000000Z","key":"inv-1","memo":"","meta":{},"actor":"uid:0"}"#;
const REFUSED: &str = r#"{"type":"about:blank#insufficient_funds","title":"t","status":422,"detail":"w_1 holds 3.00","code":"insufficient_funds","retryable":false,"outcome":"not_applied"}"#;

fn open_intents(home: &Home) -> usize {
    let ran = home.run("intent list -o ndjson");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out.lines().count()
}

#[test]
fn a_write_sends_its_key_and_leaves_no_intent() {
    let home = Home::new().serve(vec![Reply::Json(200, POSTED)]);
    let ran = home.run(TRANSFER);
    let request = home.request();
    assert!(request.starts_with("POST /v1/transfers HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("idempotency-key: inv-1") && request.contains("traceparent: 00-"), "{request}");
    let out: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(out["schema"], "walletctl.transfer/1");
    assert_eq!((&out["data"]["transaction"], &out["meta"]["request_id"]), (&"tx_1_7".into(), &"req-7".into()));
    assert_eq!((ran.code, ran.err.as_str(), open_intents(&home)), (0, "", 0));
}

#[test]
fn a_refusal_settles_the_intent() {
    let home = Home::new().serve(vec![Reply::Json(422, REFUSED)]);
    let ran = home.run(TRANSFER);
    assert_eq!((ran.code, ran.out.as_str(), open_intents(&home)), (6, "", 0));
    let error = ran.error();
    assert_eq!((&error["code"], &error["request_id"]), (&"insufficient_funds".into(), &"req-7".into()));
    assert_eq!(error["trace_id"].as_str().unwrap().len(), 32);
}

#[test]
fn a_lost_answer_leaves_the_intent_and_resume_sends_the_same_request() {
    let home = Home::new().serve(vec![Reply::HangUp, Reply::Json(200, POSTED)]);
    let ran = home.run(TRANSFER);
    assert_eq!(ran.code, 11, "{ran:?}");
    assert_eq!((&ran.error()["outcome"], open_intents(&home)), (&"unknown".into(), 1));
    assert!(ran.error()["message"].as_str().unwrap().contains("inv-1"));
    let first = home.request();
    // Something else under the same key is refused before it is sent.
    let other = home.run(&TRANSFER.replace("10.50", "99"));
    assert_eq!((other.code, &other.error()["code"]), (7, &"key_conflict".into()));
    let resumed = home.run("intent resume inv-1 --yes -o json");
    assert_eq!((resumed.code, open_intents(&home)), (0, 0), "{resumed:?}");
    let second = home.request();
    let body =
        |request: &str| serde_json::from_str::<serde_json::Value>(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body(&first), body(&second));
    assert!(second.contains("idempotency-key: inv-1"));
    assert_eq!(home.run("intent resume inv-1 --yes").code, 3);
}

#[test]
fn an_answer_that_is_not_understood_is_unknown_for_a_write() {
    for raw in [
        "HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\noops",
        "HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n{",
        "nonsense\r\n\r\n",
    ] {
        let home = Home::new().serve(vec![Reply::Raw(raw)]);
        let ran = home.run(TRANSFER);
        assert_eq!((ran.code, open_intents(&home)), (11, 1), "{raw}: {ran:?}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let home = Home::new()
        .serve(vec![Reply::Raw("HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")]);
    assert_eq!(home.run(TRANSFER).code, 11);
}

#[test]
fn a_daemon_that_is_not_there_leaves_nothing_open() {
    let home = Home::new();
    let ran = home.run(TRANSFER);
    assert_eq!((ran.code, &ran.error()["code"], open_intents(&home)), (75, &"unreachable".into(), 0));
}

#[test]
fn a_refusal_to_serve_is_75_and_leaves_nothing_open() {
    let busy = r#"{"type":"x","title":"t","status":503,"detail":"full","code":"overloaded","retryable":true,"outcome":"not_applied"}"#;
    let home = Home::new().serve(vec![Reply::Json(503, busy)]);
    let ran = home.run(TRANSFER);
    assert_eq!((ran.code, &ran.error()["retryable"], open_intents(&home)), (75, &true.into(), 0));
}

fn interrupted(home: &Home, args: &str, ready: impl FnOnce()) -> Ran {
    let child = home.command(args).spawn().unwrap();
    ready();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn ctrl_c_after_sending_says_that_the_outcome_is_unknown() {
    let home = Home::new().serve(vec![Reply::Never]);
    let ran = interrupted(&home, TRANSFER, || drop(home.request()));
    assert_eq!((ran.code, open_intents(&home)), (11, 1), "{ran:?}");
    assert!(ran.error()["hint"].as_str().unwrap().contains("intent resume inv-1"));
}

#[test]
fn ctrl_c_before_sending_is_130() {
    let home = Home::new().serve(vec![Reply::Never]);
    let ran = interrupted(&home, "balance w_1 -o json", || drop(home.request()));
    assert_eq!((ran.code, &ran.error()["code"]), (130, &"interrupted".into()));
}

#[test]
fn a_write_without_a_terminal_needs_a_key_and_yes_and_never_hangs() {
    let home = Home::new();
    let without_key = home.run("deposit --to w_1 --amount 1 --asset EUR --yes -o json");
    assert_eq!((without_key.code, &without_key.error()["code"]), (2, &"key_missing".into()));
    let without_yes = home.run("deposit --to w_1 --amount 1 --asset EUR --idempotency-key k -o json");
    assert_eq!((without_yes.code, &without_yes.error()["code"]), (2, &"usage".into()));
}

#[test]
fn a_dry_run_needs_no_key_no_answer_and_leaves_no_intent() {
    let home = Home::new().serve(vec![Reply::HangUp]);
    let ran = home.run("deposit --to w_1 --amount 1 --asset EUR --dry-run -o json");
    assert!(home.request().starts_with("POST /v1/deposits?dry_run=true "));
    assert_eq!((ran.code, open_intents(&home)), (75, 0), "{ran:?}");
}

#[test]
fn a_state_folder_that_cannot_be_written_sends_nothing() {
    let home = Home::new();
    std::fs::write(home.folder.path().join("state"), "a file").unwrap();
    let ran = home.run(&format!("--socket /nowhere {TRANSFER}"));
    assert_eq!((ran.code, &ran.error()["code"]), (78, &"configuration".into()), "{ran:?}");
}

#[test]
fn a_protected_context_must_be_named() {
    let home = Home::new();
    let socket = home.socket();
    let set = home.run(&format!("context set prod --daemon {} --protected true", socket.display()));
    assert_eq!(set.code, 0, "{set:?}");
    assert_eq!(home.run("context use prod").code, 0);
    let ran = home.run(TRANSFER);
    assert_eq!((ran.code, &ran.error()["code"]), (2, &"usage".into()));
    assert_eq!(home.run(&format!("--context prod {TRANSFER}")).code, 75);
    assert_eq!(home.run("balance w_1").code, 75);
}

#[test]
fn an_unknown_field_is_refused_before_anything_is_sent() {
    let home = Home::new();
    assert_eq!(home.run(&format!("{TRANSFER} --fields nope")).code, 2);
}

#[test]
fn the_trace_is_told_and_continued_and_both_headers_carry_it() {
    let home = Home::new().serve(vec![Reply::Json(200, POSTED), Reply::Json(422, REFUSED)]);
    let transfer = TRANSFER.replace("-o json", "-v");
    let ran = home.run(&transfer);
    let told = ran.err.lines().find_map(|line| line.strip_prefix("trace: ")).unwrap_or_else(|| panic!("{ran:?}"));
    let request = home.request();
    assert!(request.contains(&format!("traceparent: 00-{told}-")), "{request}");
    assert!(request.contains(&format!("uber-trace-id: {told}:")), "{request}");
    let mut command = home.command(&TRANSFER.replace("inv-1", "inv-2").replace("-o json", ""));
    command.env("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let output = command.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("\ntrace: 4bf92f3577b34da6a3ce929d0e0e4736\n"), "{err}");
    assert!(home.request().contains("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"));
}
