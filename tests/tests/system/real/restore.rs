//! A backup belongs to no engine: what the embedded ledger wrote out is restored into PostgreSQL, and back.

use super::stores::Stores;
use crate::{harness::World, sample::dataset};

/// The parts of a ledger in the making, as the server sees them.
fn drafts(stores: &Stores) -> String {
    stores.sql().one("SELECT count(*) FROM pg_namespace WHERE nspname = 'walletd_restoring'")
}

#[test]
fn a_backup_of_the_embedded_ledger_is_restored_into_postgres_and_back() {
    let Some(stores) = Stores::new("restoring into PostgreSQL") else { return };
    let source = World::new();
    let daemon = source.daemon();
    let dataset = dataset();
    dataset.import(&source);
    dataset.run(&source);
    let backup = source.path("ledger.backup");
    source.walletd_runs(&format!("backup {}", backup.display())).ok();
    assert_eq!(daemon.stop(), 0);
    let whole = std::fs::read(&backup).unwrap();
    let short = source.file("short.backup", &whole[..whole.len() / 2]);

    // Half a backup leaves nothing, neither does a restore that was killed; an empty ledger gives way.
    let world = World::having(&stores.way().env);
    world.walletd_runs(&format!("restore {}", short.display())).exits(9);
    assert_eq!(drafts(&stores), "0");
    assert_eq!(stores.sql().one("SELECT to_regclass('clock') IS NULL"), "t");
    world.walletd_runs("migrate up").ok();
    stores.sql().run("CREATE SCHEMA walletd_restoring; CREATE TABLE walletd_restoring.clock (half int)");
    world.walletd_runs(&format!("restore {}", backup.display())).ok();
    assert_eq!(drafts(&stores), "0");

    let daemon = world.daemon();
    dataset.check_balances(&world);
    world.settles("a restored ledger");
    world.ctl("audit verify --stores").ok();
    world.ctl("tx show --key row-00001").ok();
    let head = world.head();
    let paid = world.ctl("deposit --to w_01 --amount 1 --asset EUR --idempotency-key new --yes -o json").data();
    assert_eq!(paid["transaction"].as_str().or(paid["id"].as_str()).unwrap(), format!("tx_2_{}", head + 1));
    super::money::check(&stores.sql());
    world.walletd_runs(&format!("restore {}", backup.display())).fails(78, "has a ledger already");

    // And back, with the new record.
    let again = world.path("again.backup");
    world.walletd_runs(&format!("backup {}", again.display())).ok();
    assert_eq!(daemon.stop(), 0);
    let embedded = World::new();
    embedded.walletd_runs(&format!("restore {}", again.display())).ok();
    let _daemon = embedded.daemon();
    embedded.ctl("tx show --key new").ok();
    embedded.ctl("audit verify").ok();
}

#[test]
fn a_ledger_that_a_daemon_serves_is_not_restored_over() {
    let Some(stores) = Stores::new("restoring under a daemon") else { return };
    let source = World::new();
    let daemon = source.daemon();
    source.wallet("w_1", "EUR", "0");
    let backup = source.path("ledger.backup");
    source.walletd_runs(&format!("backup {}", backup.display())).ok();
    assert_eq!(daemon.stop(), 0);
    let world = World::having(&stores.way().env);
    world.walletd_runs("migrate up").ok();
    let _daemon = world.daemon();
    world.walletd_runs(&format!("restore {}", backup.display())).fails(78, "a daemon serves");
}
