//! What a read says: never a short or an empty answer that passes for a whole one.

use serde_json::Value;

use crate::harness::World;

#[test]
fn a_list_that_is_cut_off_says_so_in_every_form() {
    let world = World::new();
    let _daemon = world.daemon();
    world.file("w.csv", "id,owner,asset\nw_1,o,EUR\nw_2,o,EUR\nw_3,o,EUR\n");
    world.ctl("wallet import w.csv --yes").ok();
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key a --yes").ok();
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key b --yes").ok();
    let statement = "statement w_1 --from 2020-01-01 --limit 1";
    for line in ["wallet list --limit 2", "tx list --limit 1", "audit list --limit 3", statement] {
        for form in ["table", "csv"] {
            let run = world.ctl(&format!("{line} -o {form}"));
            assert!(run.err.contains("there are more"), "{run}");
            run.ok();
        }
        // Where errors are JSON, this is as well.
        let run = world.ctl(&format!("{line} -o ndjson"));
        let notice: Value = serde_json::from_str(&run.err).unwrap_or_else(|error| panic!("{error}: {run}"));
        assert!(notice["notice"].as_str().unwrap().contains("there are more"), "{run}");
        let envelope: Value = serde_json::from_str(&world.ctl(&format!("{line} -o json")).ok()).unwrap();
        assert!(envelope["meta"]["next"].is_string(), "{envelope}");
    }
    let whole = world.ctl("wallet list --limit 3 -o csv");
    assert_eq!(whole.err, "", "{whole}");
    assert_eq!(world.ctl("tx list --all -o ndjson").err, "");
}

#[test]
fn an_asset_or_a_kind_that_is_not_there_is_no_empty_answer() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "1");
    for line in [
        "balance --all-wallets --asset ZZZ",
        "balance --all-wallets --asset ZZZ --from 2020-01-01 --every month",
        "wallet list --asset ZZZ",
        "export balances --asset ZZZ --format csv --out z.csv",
    ] {
        let error = world.ctl(&format!("{line} -o json")).exits_with_error(2);
        assert_eq!(error["code"], "unknown_asset", "{line}: {error}");
    }
    assert!(!world.path("z.csv").exists());
    // One that is known and held by nobody is an empty answer.
    assert_eq!(world.ctl("balance --all-wallets --asset USD -o ndjson").ok(), "");
    for line in ["audit list --kind nope", "tx list --kind nope"] {
        world.ctl(line).fails(2, "possible values");
    }
    world.ctl("api GET /v1/audit/records?kind=nope").fails(2, "wallet_opened");
    assert!(world.ctl("audit list --kind wallet_opened -o ndjson").ok().contains("w_1"));
    // A wallet holds one asset: naming another beside it is not passed over.
    world.ctl("balance w_1 --asset USD").fails(2, "--asset");
}

#[test]
fn a_backup_never_takes_the_place_of_another_unasked() {
    let world = World::new();
    let daemon = world.daemon();
    world.wallet("w_1", "EUR", "1");
    world.file("night.backup", "another");
    world.walletd_runs("backup night.backup").fails(2, "--force");
    assert_eq!(world.read("night.backup"), "another");
    daemon.stop();
    world.walletd_runs("backup night.backup").fails(2, "--force");
    world.walletd_runs("backup night.backup --force").ok();
    assert_ne!(std::fs::read(world.path("night.backup")).unwrap(), b"another");
}

/// A wallet with a history: opened in January 2024, and one movement that was recorded late.
fn with_a_past(world: &World) -> u64 {
    for wallet in ["w_1", "w_2"] {
        let line = format!(
            "wallet create {wallet} --owner o --asset EUR --opened-at 2024-01-01 --idempotency-key {wallet} --yes"
        );
        world.ctl(&line).ok();
    }
    let moved = |what: &str, amount: &str, at: &str, key: &str| {
        world
            .ctl(&format!(
                "{what} --amount {amount} --asset EUR --effective-at {at}T12:00:00Z --idempotency-key {key} --yes"
            ))
            .ok();
        world.head()
    };
    moved("deposit --to w_1", "10", "2024-01-10", "a");
    moved("transfer --from w_1 --to w_2", "4", "2024-01-20", "b");
    let early = moved("deposit --to w_1", "5", "2024-02-10", "c");
    moved("withdraw --from w_1", "1.50", "2024-01-15", "late");
    early
}

#[test]
fn a_balance_is_explained_by_what_it_is_made_of_and_what_is_not_in_it() {
    let world = World::new();
    let _daemon = world.daemon();
    let early = with_a_past(&world);
    let explained = |line: &str| -> Vec<String> {
        let rows = crate::harness::rows(&world.ctl(&format!("balance explain w_1 {line} -o csv")).ok());
        let text = |row: &std::collections::BTreeMap<String, String>| {
            format!("{} {} {} {}", row["part"], row["count"], row["amount"], row["in_balance"])
        };
        rows.iter().map(text).collect()
    };
    let now = ["deposit 2 15.00 true", "transfer_out 1 -4.00 true", "withdrawal 1 -1.50 true"];
    assert_eq!(explained(""), now);
    assert_eq!(
        explained(&format!("--at 2024-01-31 --known-at {early}")),
        [
            "deposit 1 10.00 true",
            "transfer_out 1 -4.00 true",
            "counts_later  5.00 false",
            "recorded_later  -1.50 false"
        ]
    );
    let table = world.ctl("balance explain w_1 --at 2024-01-31").ok();
    assert!(table.contains("4.50 EUR"), "{table}");
    assert_eq!(explained("--at 2023-12-31"), ["counts_later  9.50 false"]);
    world.ctl("balance explain nobody").exits(3);
    // The words are commands now; a wallet of such a name is asked for behind two dashes.
    world.wallet("diff", "EUR", "3");
    assert_eq!(world.ctl_words(&["balance", "-o", "json", "--", "diff"]).data()["balance"], "3.00");
}

#[test]
fn the_difference_of_two_balances_is_told_movement_by_movement() {
    let world = World::new();
    let _daemon = world.daemon();
    let early = with_a_past(&world);
    let changes = |line: &str| -> Vec<String> {
        let rows = crate::harness::rows(&world.ctl(&format!("balance diff w_1 {line} -o csv")).ok());
        rows.iter().map(|row| format!("{} {} {}", row["change"], row["amount"], row["key"])).collect()
    };
    assert_eq!(changes("--from 2024-01-15 --to 2024-02-29"), ["in -4.00 b", "in 5.00 c"]);
    assert_eq!(changes("--from 2024-02-29 --to 2024-01-15"), ["out 4.00 b", "out -5.00 c"]);
    assert_eq!(changes(&format!("--at 2024-01-31 --known-from {early}")), ["in -1.50 late"]);
    assert_eq!(changes("--from 2024-03-01"), Vec::<String>::new());
    let both = format!("--from 2024-01-12 --to 2024-01-31 --known-from {early}");
    assert_eq!(changes(&both), ["in -1.50 late", "in -4.00 b"]);
    let envelope: Value = serde_json::from_str(&world.ctl(&format!("balance diff w_1 {both} -o json")).ok()).unwrap();
    assert_eq!(envelope["meta"]["difference"], "-5.50");
    let cut = world.ctl("balance diff w_1 --from 2023-12-31 --limit 1 -o csv");
    assert!(cut.says("there are more"), "{cut}");
    world.ctl("balance diff w_1").exits(2);
    world.ctl("balance diff w_1 --from 2024-01-01 --at 2024-01-02").exits(2);
}

#[test]
fn a_period_that_has_not_ended_is_marked_in_every_form() {
    let world = World::new();
    let _daemon = world.daemon();
    with_a_past(&world);
    for who in ["w_1", "--all-wallets --asset EUR"] {
        let line = format!("balance {who} --from 2024-01-01 --every month");
        let rows = crate::harness::rows(&world.ctl(&format!("{line} -o csv")).ok());
        assert_eq!(rows.last().unwrap()["partial"], "true");
        assert_eq!(rows.first().unwrap()["partial"], "false");
        let last = world.ctl(&format!("{line} -o ndjson")).ok();
        assert!(last.trim_end().ends_with("\"partial\":true}"), "{last}");
        assert!(world.ctl(&line).ok().contains("has not ended"));
        let ended = format!("balance {who} --from 2024-01-01 --to 2024-03-31 --every month");
        assert!(!world.ctl(&ended).ok().contains("has not ended"));
    }
}

#[test]
fn a_wallet_that_came_later_is_no_unknown_id() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let error = world.ctl("balance w_1 --known-at 0 -o json").exits_with_error(3);
    assert_eq!(error["code"], "not_known_yet");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("record 0") && message.contains("w_1"), "{message}");
    assert_eq!(world.ctl("balance nobody --known-at 0 -o json").exits_with_error(3)["code"], "unknown_wallet");
}

#[test]
fn a_refusal_says_what_it_knows() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.wallet("w_c", "EUR", "0");
    world.ctl("wallet close w_c --reason done --idempotency-key c --yes").ok();
    for (line, code, words) in [
        ("wallet unfreeze w_1 --reason x", "wrong_status", &["w_1", "active"][..]),
        ("wallet close w_c --reason x", "wallet_closed", &["w_c"]),
        ("wallet freeze w_c --reason x", "wallet_closed", &["w_c"]),
        ("wallet create w_1 --owner o --asset EUR", "wallet_exists", &["w_1"]),
        ("deposit --to w_1 --amount 1 --asset ZZZ", "unknown_asset", &["ZZZ"]),
        ("deposit --to w_1 --amount 1 --asset USD", "asset_mismatch", &["w_1", "EUR", "USD"]),
    ] {
        let run = world.ctl(&format!("{line} --idempotency-key new --yes -o json"));
        let error: Value = serde_json::from_str(&run.err).unwrap_or_else(|error| panic!("{error}: {run}"));
        assert_eq!(error["code"], code, "{run}");
        let message = error["message"].as_str().unwrap();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
    // A group of which a key was used says which.
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key used-7 --yes").ok();
    world.file("group.csv", "key,op,to,amount,asset\nnew-1,deposit,w_1,1,EUR\nused-7,deposit,w_1,1,EUR\n");
    let run = world.ctl("batch run group.csv --atomic --yes");
    assert!(run.says("used-7"), "{run}");
    // A key that opened a wallet is no transaction's.
    world.file("w.csv", "id,owner,asset\nw_9,o,EUR\n");
    world.ctl("wallet import w.csv --yes").ok();
    world.file("w.csv", "id,owner,asset\nw_9,another,EUR\n");
    let run = world.ctl("wallet import w.csv --yes");
    assert!(run.says("(wallet_opened) has it") && !run.says("tx_1_"), "{run}");
    run.exits(8);
}

#[test]
fn a_hint_names_only_flags_that_there_are() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.file("w.csv", "id,owner,asset\nw_2,o,EUR\nw_1,other,EUR\n");
    world.ctl("wallet import w.csv").fails(2, "--dry-run");
    let head = world.head();
    let run = world.ctl("wallet import w.csv --dry-run -o json");
    let envelope: Value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run}"));
    assert_eq!((envelope["data"]["opened"].as_u64(), envelope["data"]["refused"].as_u64()), (Some(1), Some(1)));
    assert!(run.err.contains("would be refused") && run.err.contains("not_applied"), "{run}");
    run.exits(8);
    assert_eq!(world.head(), head, "a dry run wrote something");
    let run = world.ctl("api POST /v1/wallets/w_1/freeze --idempotency-key f");
    assert!(run.err.contains("--yes") && !run.err.contains("--dry-run"), "{run}");
    run.exits(2);
}

#[test]
fn what_a_batch_file_holds_is_in_its_help() {
    let world = World::new();
    for verb in ["validate", "run"] {
        let help = world.ctl(&format!("batch {verb} --help")).ok();
        for word in ["key,op,from,to,amount,asset,effective_at,memo,meta.invoice", "NDJSON", "CRLF"] {
            assert!(help.contains(word), "no {word} in {help}");
        }
    }
}
