//! The corpus by every way in: nothing hidden is served, the daemon serves on, and nothing is left of it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::{
    GoodClients, Site,
    corpus::{Case, Outcome, cases, hidden, id},
    held,
    wire::Way,
};
use crate::harness::until;

/// Longer than the limits that are set here, which end what waits for more.
const QUIET: Duration = Duration::from_secs(3);
/// What waits for more is ended soon.
const LIMITS: [(&str, &str); 3] = [("head_timeout_s", "1"), ("body_timeout_s", "1"), ("idle_timeout_s", "1")];
/// Cases at a time.
const AT_A_TIME: usize = 8;
/// What may be left of a thousand connections: files that are being closed, and memory that is kept for the next.
const FILES: usize = 10;
const MEMORY_MIB: u64 = 96;

fn judge(way: &Way, number: usize, case: &Case) -> Result<(), String> {
    let over_tcp = !matches!(way, Way::Socket(_));
    if case.outcome == Outcome::RefusedOverTcp && !over_tcp {
        return Ok(());
    }
    let said = way.says(&case.bytes, QUIET);
    let (statuses, text) = (said.statuses(), said.text());
    let wrong = |what: &str| Err(format!("{way:?}, {}: {what}: {statuses:?}, ended: {}", case.name, said.ended));
    if text.contains(&id(number)) {
        return wrong("the hidden request was answered");
    }
    if statuses.contains(&101) {
        return wrong("the protocol was changed");
    }
    if statuses.iter().any(|status| *status >= 500) {
        return wrong("a fault of ours");
    }
    let rest = statuses.get(case.before..).unwrap_or_default();
    match case.outcome {
        Outcome::Refused | Outcome::RefusedOverTcp if rest.iter().any(|status| *status < 400) => wrong("not refused"),
        Outcome::Refused | Outcome::RefusedOverTcp | Outcome::OneAndEnd if !said.ended => wrong("the connection stays"),
        _ if rest.len() > 1 => wrong("more than one request was seen"),
        _ => Ok(()),
    }
}

fn run_corpus(site: &Site) {
    let daemon = site.world.daemon();
    site.world.wallet("w_1", "EUR", "100");
    let ways = [site.socket(), site.way(&daemon, "http/1.1")];
    // Sent openly, the hidden request is served and moves money: it would be seen.
    let openly = site.socket().says(hidden(usize::MAX).as_bytes(), QUIET);
    assert!(openly.statuses()[0] < 300 && openly.text().contains(&id(usize::MAX)), "{}", openly.text());
    // Refusals may be recorded; money and wallets may not have moved.
    let moved = || site.world.ctl("tx list --all -o csv --fields transaction").ok();
    let before = moved();
    let (files, memory) = held(daemon.pid());
    let cases = cases();
    assert!(cases.len() > 140);
    let good = GoodClients::on(&ways);
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { return };
                    for way in &ways {
                        if let Err(fault) = judge(way, number, case) {
                            faults.lock().unwrap().push(fault);
                        }
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
    good.were_served();
    assert_eq!(moved(), before, "something was written");
    assert_eq!(site.world.balance("w_1"), "101.00");
    for number in 0..cases.len() {
        if number % 16 == 0 {
            site.world.ctl(&format!("tx show --key {}", id(number))).fails(3, "");
        }
    }
    until("what was opened is closed", || held(daemon.pid()).0 <= files + FILES);
    let grown = held(daemon.pid()).1.saturating_sub(memory);
    assert!(grown < MEMORY_MIB, "{grown} MiB more than before");
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn malformed_requests_are_refused_and_nothing_hidden_in_them_is_served() {
    run_corpus(&Site::plain(&LIMITS));
}

#[test]
fn malformed_requests_within_tls_are_refused_and_nothing_hidden_in_them_is_served() {
    if let Some(site) = Site::tls(&LIMITS) {
        run_corpus(&site);
    }
}
