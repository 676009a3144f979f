//! `walletd doctor`: what was found at each store, and what to do.

use serde_json::json;

use crate::{
    adapters::finding::{Finding, Level},
    compose::doctor::{Examined, examine},
    config::Config,
};

/// Everything is as it should be, or could only be better.
const EXIT_GOOD: u8 = 0;
/// A server did not answer (`EX_TEMPFAIL`).
const EXIT_TRY_AGAIN: u8 = 75;
/// Something must be changed (`EX_CONFIG`).
const EXIT_CONFIGURATION: u8 = 78;

/// Looks, and says so; the exit code with it.
pub(crate) async fn doctor(config: &Config, as_json: bool) -> (String, u8) {
    let all = examine(config).await;
    let code = code(&all);
    (if as_json { in_json(&all, code) } else { in_text(&all, code) }, code)
}

fn code(all: &[Examined]) -> u8 {
    let has_fault = |examined: &&Examined| examined.findings.iter().any(|finding| finding.level == Level::Fault);
    let ill: Vec<_> = all.iter().filter(has_fault).collect();
    if ill.is_empty() {
        EXIT_GOOD
    } else if ill.iter().all(|examined| examined.unreachable) {
        EXIT_TRY_AGAIN
    } else {
        EXIT_CONFIGURATION
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Good => "ok",
        Level::Warning => "warning",
        Level::Fault => "fault",
    }
}

fn in_text(all: &[Examined], code: u8) -> String {
    let mut lines = Vec::new();
    for Examined { store, place, findings, .. } in all {
        lines.push(format!("{store}: {place}"));
        for Finding { check, level, found, advice } in findings {
            lines.push(format!("  {:<8} {check}: {found}", word(*level)));
            lines.extend(advice.iter().map(|advice| format!("           -> {advice}")));
        }
    }
    let end = match code {
        EXIT_GOOD => "nothing to do",
        EXIT_TRY_AGAIN => "a server does not answer",
        _ => "something must be changed",
    };
    lines.push(format!("{end}\n"));
    lines.join("\n")
}

fn in_json(all: &[Examined], code: u8) -> String {
    let finding = |Finding { check, level, found, advice }: &Finding| json!({"check": check, "level": word(*level), "found": found, "advice": advice});
    let stores = all.iter().map(|Examined { store, place, findings, unreachable }| {
        let findings: Vec<_> = findings.iter().map(finding).collect();
        json!({"store": store, "place": place, "reachable": !unreachable, "findings": findings})
    });
    format!("{}\n", json!({"ok": code == EXIT_GOOD, "stores": stores.collect::<Vec<_>>()}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(findings: Vec<Finding>, unreachable: bool) -> Examined {
        Examined { store: "ledger", place: "postgres://ana:***@localhost/wallet".into(), findings, unreachable }
    }

    #[test]
    fn the_exit_code_tells_a_fault_from_a_server_that_is_down() {
        let good =
            || examined(vec![Finding::good("version", "15"), Finding::warning("clock", "+2 s", "set it")], false);
        let down = || examined(vec![Finding::fault("connection", "refused", "start it")], true);
        let wrong = || examined(vec![Finding::fault("durability", "fsync = off", "set it on")], false);
        assert_eq!(code(&[good()]), 0);
        assert_eq!(code(&[good(), down()]), 75);
        assert_eq!(code(&[down(), wrong()]), 78);
    }

    #[test]
    fn every_fault_says_what_to_do() {
        let text = in_text(&[examined(vec![Finding::fault("durability", "fsync = off", "set fsync = on")], false)], 78);
        assert!(text.contains("fault    durability: fsync = off\n           -> set fsync = on"), "{text}");
    }
}
