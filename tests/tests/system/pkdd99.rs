//! 28,205 real bank transactions through both programs; skipped where the data is absent.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    checks::{self, Dataset},
    harness::World,
};

/// Converts the data, or says what is skipped.
pub fn convert(what: &str, args: &[&str]) -> Option<Dataset> {
    let shared: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let (tool, data) = (shared.join("tools/pkdd99.py"), shared.join("data/pkdd99"));
    if !tool.is_file() || !data.is_dir() {
        crate::harness::skipped(&format!("{what} (the bank data is not on this machine)"));
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    let file = |prefix: &str| {
        let mut names: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix));
        names.sort();
        names.remove(0)
    };
    command.arg(&tool).arg(file("trans")).arg(file("account")).arg(dir.path()).args(args);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(Dataset::read(dir.path()))
}

#[test]
fn the_bank_with_limits_has_fourteen_refusals_and_every_balance_right() {
    if let Some(dataset) = convert("the bank with limits", &["--overdraft", "0"]) {
        assert_eq!(dataset.refusals(), 14);
        checks::the_whole_job(&dataset, &World::new());
    }
}

#[test]
fn the_bank_without_limits_has_no_refusals_and_every_balance_right() {
    if let Some(dataset) = convert("the bank without limits", &["--overdraft", "none"]) {
        assert_eq!((dataset.refusals(), dataset.balances.len()), (0, 13_824));
        checks::the_whole_job(&dataset, &World::new());
    }
}

#[test]
fn the_banks_rows_in_any_order_give_the_same_closing_balances() {
    if let Some(dataset) = convert("the bank shuffled", &["--overdraft", "none"]) {
        checks::any_order(&dataset, &World::new());
    }
}

#[test]
fn the_bank_survives_kill_9_in_the_middle() {
    if let Some(dataset) = convert("the bank with a crash", &["--overdraft", "0"]) {
        checks::a_crash_in_the_middle(&dataset, &World::new());
    }
}

#[test]
fn a_past_cut_knows_the_banks_first_rows_only() {
    let Some(all) = convert("the bank at past cuts", &["--overdraft", "none"]) else {
        return;
    };
    let world = World::new();
    let _daemon = world.daemon();
    all.import(&world);
    let wallets = world.head();
    all.run(&world);
    for count in [1_u64, 1_000, 14_321, 28_000] {
        let first = convert("its first rows", &["--overdraft", "none", "--limit", &count.to_string()]).unwrap();
        all.check_known_at(&world, wallets + count, &first);
    }
}
