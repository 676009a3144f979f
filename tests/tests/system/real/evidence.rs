//! Each store is evidence against the others: what is changed by hand in one of them is found, named, and made anew from
//! the ledger; a ledger that is restored says so.

use std::{io::Write as _, process::Stdio};

use mongodb::bson::{Document, doc};

use super::{
    servers::{Sql, runtime},
    stores::Stores,
};
use crate::harness::{Daemon, Run, World, tool};

/// Two wallets, seven records.
fn money(stores: &Stores) -> (World, Daemon) {
    let world = World::having(&stores.way().env);
    world.walletd_runs("migrate up").ok();
    let daemon = world.daemon();
    for wallet in ["w_1", "w_2"] {
        world.wallet(wallet, "EUR", "0");
        deposit(&world, wallet, "5");
    }
    for number in 0..3 {
        let line = format!("transfer --from w_1 --to w_2 --amount 1 --asset EUR --idempotency-key t-{number} --yes");
        world.ctl(&line).ok();
    }
    world.settles("seven records");
    world.ctl("audit verify --stores").ok();
    (world, daemon)
}

fn deposit(world: &World, wallet: &str, amount: &str) -> Run {
    let key = uuid::Uuid::new_v4();
    world.ctl(&format!("deposit --to {wallet} --amount {amount} --asset EUR --idempotency-key {key} --yes"))
}

/// The verification names it; rebuilding makes it good.
#[track_caller]
fn is_found_and_repaired(world: &World, named: &str, store: &str) {
    let found = world.ctl("audit verify --stores").exits(9);
    assert!(found.contains(named), "{named}: {found}");
    world.walletd_runs(&format!("rebuild {store}")).ok();
    world.ctl("audit verify --stores").ok();
}

fn trail<T>(stores: &Stores, act: impl AsyncFnOnce(mongodb::Collection<Document>) -> T) -> T {
    runtime().block_on(async {
        let client = mongodb::Client::with_uri_str(stores.url("audit")).await.unwrap();
        act(client.database(stores.name()).collection("records")).await
    })
}

#[test]
fn a_changed_document_of_the_audit_trail_is_named() {
    let Some(stores) = Stores::new("a changed audit document") else { return };
    let (world, _daemon) = money(&stores);
    trail(&stores, async |records| {
        let bytes = mongodb::bson::Binary {
            subtype: mongodb::bson::spec::BinarySubtype::Generic,
            bytes: b"{\"forged\":true}".to_vec(),
        };
        let changed = records.update_one(doc! { "_id": 4_i64 }, doc! { "$set": { "bytes": bytes } }).await.unwrap();
        assert_eq!(changed.modified_count, 1);
    });
    is_found_and_repaired(&world, "record", "audit");
}

#[test]
fn a_cut_off_tail_of_the_audit_trail_is_named() {
    let Some(stores) = Stores::new("a cut-off audit trail") else { return };
    let (world, _daemon) = money(&stores);
    trail(&stores, async |records| {
        records.delete_many(doc! { "_id": { "$gte": 6_i64 } }).await.unwrap();
    });
    is_found_and_repaired(&world, "record 6 is missing from the audit trail", "audit");
}

#[test]
fn a_changed_wallet_row_is_named() {
    let Some(stores) = Stores::new("a changed wallet row") else { return };
    let (world, _daemon) = money(&stores);
    stores.mysql().run("UPDATE wallets SET owner = 'mallory' WHERE id = 'w_2'");
    is_found_and_repaired(&world, "wallet w_2", "wallets");
}

#[test]
fn a_changed_cached_balance_is_named() {
    let Some(stores) = Stores::new("a changed cached balance") else { return };
    let (world, _daemon) = money(&stores);
    let mut redis = stores.redis();
    let (key, text) = redis.texts("wallet:*:w:w_1").pop().unwrap();
    assert!(text.contains(" 2.00 "), "{text}");
    redis.ask::<()>(&["SET", &key, &text.replace(" 2.00 ", " 2000.00 ")]);
    is_found_and_repaired(&world, "wallet w_1: the cache has 2000.00", "balances");
}

#[test]
fn a_changed_record_of_the_ledger_is_named_and_a_cut_proves_its_end() {
    let Some(stores) = Stores::new("a changed ledger record") else { return };
    let (world, daemon) = money(&stores);
    let status: serde_json::Value = serde_json::from_str(&world.ctl("api GET /v1/status").ok()).unwrap();
    let cut = format!("{}:{}", status["cut"]["seq"], status["cut"]["hash"].as_str().unwrap());
    world.ctl(&format!("audit verify --cut {cut}")).ok();
    assert_eq!(daemon.stop(), 0);
    let sql = stores.sql();

    // The end cut off, as one who can write to the database would: clock, journal, entries.
    let last = sql
        .rows("SELECT seq, epoch, recorded_at, encode(hash, 'hex'), encode(bytes, 'hex') FROM journal WHERE seq = 7");
    sql.run("DELETE FROM journal WHERE seq = 7");
    sql.run("UPDATE clock SET (seq, recorded_at, hash) = (SELECT seq, recorded_at, hash FROM journal WHERE seq = 6)");
    let refused = world.walletd_runs("serve");
    refused.fails(78, "walletd recover");
    let row = &last[0];
    sql.run(&format!(
        "INSERT INTO journal (seq, epoch, recorded_at, hash, bytes) VALUES ({}, {}, {}, '\\x{}', '\\x{}')",
        row[0], row[1], row[2], row[3], row[4]
    ));
    sql.run("UPDATE clock SET (seq, recorded_at, hash) = (SELECT seq, recorded_at, hash FROM journal WHERE seq = 7)");

    // One amount changed inside the canonical bytes.
    sql.run("UPDATE journal SET bytes = convert_to(replace(convert_from(bytes, 'UTF8'), '\"amount\":\"5.00\"', '\"amount\":\"6.00\"'), 'UTF8') WHERE seq = 2");
    let _daemon = world.daemon();
    let found = world.ctl("audit verify --stores").exits(9);
    assert!(found.contains("record 2"), "{found}");
}

/// `pg_dump` of a test's database, as SQL.
fn dumped(stores: &Stores, program: &std::path::Path) -> Vec<u8> {
    let dump = std::process::Command::new(program).arg("--dbname").arg(stores.url("ledger")).output().unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    dump.stdout
}

#[test]
fn a_ledger_restored_from_a_dump_is_recovered_into_a_new_epoch() {
    let what = "a restored PostgreSQL ledger";
    let Some(stores) = Stores::new(what) else { return };
    let (Some(dump), Some(psql)) = (tool("pg_dump", what), tool("psql", what)) else { return };
    let (world, daemon) = money(&stores);
    let backup = dumped(&stores, &dump);
    deposit(&world, "w_1", "100").ok();
    world.settles("one more record");
    assert_eq!(daemon.stop(), 0);

    // The documented procedure: an empty database, then the dump.
    let admin = Sql::connect(&stores.url("ledger").replace(&format!("/{}", stores.name()), "/postgres"));
    admin.run(&format!("DROP DATABASE {} WITH (FORCE)", stores.name()));
    admin.run(&format!("CREATE DATABASE {}", stores.name()));
    let mut restore = std::process::Command::new(psql)
        .args(["--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", stores.url("ledger")])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    restore.stdin.take().unwrap().write_all(&backup).unwrap();
    assert!(restore.wait().unwrap().success());

    world.walletd_runs("serve").fails(78, "walletd recover");
    world.walletd_runs("recover").fails(2, "--yes");
    let done = world.walletd_runs("recover --yes").ok();
    assert!(done.contains("epoch 2 begins at record 8"), "{done}");
    let again = world.walletd_runs("recover").ok();
    assert!(again.contains("nothing to do"), "{again}");

    let _daemon = world.daemon();
    assert_eq!(world.balance("w_1"), "2.00", "what was behind the backup is gone");
    deposit(&world, "w_1", "1").ok();
    world.settles("the new epoch");
    world.ctl("audit verify --stores").ok();
    assert_eq!(world.balance("w_1"), "3.00");
    super::money::check(&stores.sql());
}

/// The doctor ends so, and its report has this.
#[track_caller]
fn says(world: &World, code: i32, text: &str) {
    let report = world.walletd_runs("doctor").exits(code);
    assert!(report.contains(text), "{text}: {report}");
}

#[test]
fn the_doctor_finds_what_would_hurt() {
    let Some(stores) = Stores::new("the doctor") else { return };
    let world = World::having(&stores.way().env);
    says(&world, 78, "walletd migrate up");
    world.walletd_runs("migrate up").ok();
    let healthy = world.walletd_runs("doctor");
    assert_eq!(healthy.code, 0, "{healthy}");
    for fact in ["PostgreSQL", "fsync = on", "innodb_flush_log_at_trx_commit = 1", "Redis", ".journal"] {
        assert!(healthy.out.contains(fact), "{fact}: {healthy}");
    }
    let json: serde_json::Value = serde_json::from_str(&world.walletd_runs("doctor --json").ok()).unwrap();
    assert_eq!((json["ok"].as_bool(), json["stores"].as_array().map(Vec::len)), (Some(true), Some(6)));

    // Limits on the server that evicts, a wallet store that is down, a password nobody has.
    let evicting = World::having(&stores.way().with("WALLETD_LIMITS_URL", stores.url("balances")).env);
    says(&evicting, 78, "noeviction");
    let down = World::having(&stores.way().with("WALLETD_WALLETS_URL", "mysql://a:b@127.0.0.1:1/wallet").env);
    says(&down, 75, "does not answer");
    let place = stores.url("wallets").rsplit('@').next().unwrap();
    let url = format!("mysql://nobody:secret-9@{place}");
    let refused = World::having(&stores.way().with("WALLETD_WALLETS_URL", url).env).walletd_runs("doctor");
    assert_eq!(refused.code, 78, "{refused}");
    assert!(!refused.out.contains("secret-9") && !refused.err.contains("secret-9"), "{refused}");
}

#[test]
fn a_daemon_without_the_role_api_moves_no_money() {
    let Some(stores) = Stores::new("roles") else { return };
    let (world, daemon) = money(&stores);
    assert_eq!(daemon.stop(), 0);
    let relay = World::having(&stores.way().with("WALLETD_ROLES", "relay,audit").env);
    let _relay = relay.daemon();
    let refused = deposit(&relay, "w_1", "1");
    assert_eq!(refused.code, 78, "{refused}");
    assert!(refused.err.contains("role api"), "{refused}");
    relay.settles("a daemon that follows");
    drop(world);
}
