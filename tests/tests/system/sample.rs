//! The project's own sample through both programs, on any machine.

use std::path::Path;

use sha2::{Digest as _, Sha256};
use wallet_tests::{expect, sample};

use crate::{
    checks::{self, Dataset},
    harness::{World, rows},
};

pub fn dataset() -> Dataset {
    Dataset::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sample"))
}

/// The sample without limits, and only its first rows.
pub fn unlimited(count: usize) -> Dataset {
    let mut made = sample::generate(false);
    made.rows.truncate(count);
    made.expected = expect::fold(&made.wallets, &made.rows, sample::scale);
    let dir = tempfile::tempdir().unwrap();
    made.write(dir.path()).unwrap();
    Dataset::read(dir.path())
}

#[test]
fn the_sample_runs_from_import_to_an_independent_check_of_every_balance() {
    checks::the_whole_job(&dataset(), &World::new());
}

#[test]
fn the_samples_rows_in_any_order_give_the_same_closing_balances() {
    checks::any_order(&unlimited(sample::ROWS), &World::new());
}

#[test]
fn the_sample_survives_kill_9_in_the_middle() {
    checks::a_crash_in_the_middle(&dataset(), &World::new());
}

#[test]
fn a_past_cut_knows_the_first_rows_only() {
    let world = World::new();
    let _daemon = world.daemon();
    let all = unlimited(sample::ROWS);
    all.import(&world);
    let mut cuts = Vec::new();
    for count in [1, 700, 1_999] {
        let part = unlimited(count);
        world.file("part.csv", &part.batch);
        let run = world.ctl("batch run part.csv --yes");
        assert!([0, 8].contains(&run.code), "{run}");
        cuts.push((world.head(), part));
    }
    for (seq, part) in &cuts {
        all.check_known_at(&world, *seq, part);
    }
}

#[test]
fn a_statement_adds_up_to_the_balances_at_both_its_ends() {
    let world = World::new();
    let _daemon = world.daemon();
    let dataset = dataset();
    dataset.import(&world);
    dataset.run(&world);
    let line = "statement w_03 --from 2024-03-01 --to 2024-05-31 --all -o json";
    let statement: serde_json::Value = serde_json::from_str(&world.ctl(line).ok()).unwrap();
    let meta = &statement["meta"];
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap();
    let expected =
        |date: &str| dataset.balances[&("w_03".into(), date.into())].parse::<rust_decimal::Decimal>().unwrap();
    assert_eq!(number(&meta["opening"]), expected("2024-02-29"));
    assert_eq!(number(&meta["closing"]), expected("2024-05-31"));
    let mut running = number(&meta["opening"]);
    let lines = statement["data"].as_array().unwrap();
    assert!(lines.len() > 5, "{statement}");
    for line in lines {
        running += number(&line["amount"]);
        assert_eq!(number(&line["balance"]), running, "{line}");
    }
    assert_eq!(running, number(&meta["closing"]));
}

#[test]
fn an_exported_file_is_verified_and_a_changed_one_is_found() {
    let world = World::new();
    let _daemon = world.daemon();
    let dataset = dataset();
    dataset.import(&world);
    dataset.run(&world);
    for (what, format, name) in [
        ("balances", "csv", "balances.csv"),
        ("transactions", "csv", "transactions.csv"),
        ("transactions", "ndjson", "transactions.ndjson"),
        ("transactions", "hledger", "transactions.hledger"),
        ("journal", "ndjson", "journal.ndjson"),
    ] {
        world.ctl(&format!("export {what} --format {format} --out {name}")).ok();
        world.ctl(&format!("export verify {name}")).ok();
        let mut bytes = std::fs::read(world.path(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        world.file(name, bytes);
        world.ctl(&format!("export verify {name}")).exits(9);
    }
    let accepted = dataset.outcomes.len() - dataset.refusals();
    world.ctl("export transactions --format csv --out again.csv").ok();
    assert_eq!(rows(&world.read("again.csv")).len(), accepted);
}

#[test]
fn anyone_can_recompute_the_chain_of_an_exported_journal() {
    let world = World::new();
    let _daemon = world.daemon();
    let dataset = dataset();
    dataset.import(&world);
    dataset.run(&world);
    world.ctl("export journal --format ndjson --out journal.ndjson").ok();
    let status: serde_json::Value = serde_json::from_str(&world.ctl("api GET /v1/status").ok()).unwrap();
    let mut hash: [u8; 32] = Sha256::digest(status["ledger_id"].as_str().unwrap()).into();
    let mut count = 0;
    for line in world.read("journal.ndjson").lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        hash = Sha256::new().chain_update(hash).chain_update(line["record"].as_str().unwrap()).finalize().into();
        let hex: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(line["hash"], hex.concat().as_str());
        count += 1;
        assert_eq!(line["seq"], count);
    }
    assert_eq!(status["cut"]["seq"], count);
}

#[test]
fn a_backup_of_a_running_daemon_restores_every_balance_in_a_new_epoch() {
    let world = World::new();
    let daemon = world.daemon();
    let dataset = dataset();
    dataset.import(&world);
    dataset.run(&world);
    let backup = world.path("ledger.backup");
    world.walletd_runs(&format!("backup {}", backup.display())).ok();
    world.ctl("deposit --to w_01 --amount 1 --asset EUR --idempotency-key after-the-backup --yes").ok();
    assert_eq!(daemon.stop(), 0);

    // At rest it is written from the data directory, with the deposit; cut short it is refused and leaves nothing.
    let later = world.path("later.backup");
    world.walletd_runs(&format!("backup {}", later.display())).ok();
    let whole = std::fs::read(&later).unwrap();
    assert!(whole.len() > 10_000);
    let short = world.file("short.backup", &whole[..whole.len() / 2]);
    let empty = world.path("empty");
    world.walletd_runs(&format!("restore {} --data {}", short.display(), empty.display())).exits(9);
    assert!(!empty.join("ledger").exists() && !empty.join("restoring").exists());
    world.walletd_runs(&format!("restore {} --data {}", later.display(), empty.display())).ok();

    let elsewhere = World::new();
    elsewhere.walletd_runs(&format!("restore {}", backup.display())).ok();
    let _daemon = elsewhere.daemon();
    dataset.check_balances(&elsewhere);
    elsewhere.ctl("audit verify").ok();
    elsewhere.file("batch.csv", &dataset.batch);
    let head = elsewhere.head();
    elsewhere.ctl("tx show --key row-00001").ok();
    let out =
        elsewhere.ctl("deposit --to w_01 --amount 1 --asset EUR --idempotency-key new-epoch --yes -o json").data();
    assert_eq!(out["transaction"].as_str().or(out["id"].as_str()).unwrap(), format!("tx_2_{}", head + 1));
    elsewhere.walletd_runs(&format!("restore {}", backup.display())).exits(78);
}
