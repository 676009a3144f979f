//! What follows the ledger is dropped and made anew from it, and every difference is named.

use rusqlite::Connection;

use crate::harness::World;

fn a_world_with_money() -> World {
    let world = World::new();
    let daemon = world.daemon();
    for wallet in ["w_1", "w_2"] {
        world.wallet(wallet, "EUR", "0");
        world.ctl(&format!("deposit --to {wallet} --amount 5 --asset EUR --idempotency-key in-{wallet} --yes")).ok();
    }
    world.ctl("wallet freeze w_2 --reason check --idempotency-key f --yes").ok();
    world.ctl("audit verify --stores").ok();
    assert_eq!(daemon.stop(), 0);
    world
}

#[test]
fn every_store_is_rebuilt_while_the_daemon_runs_and_while_it_does_not() {
    let world = a_world_with_money();
    for running in [false, true] {
        let daemon = running.then(|| world.daemon());
        for (store, count) in
            [("wallets", "2 wallets"), ("balances", "2 wallets"), ("audit", "5 records"), ("events", "5 records")]
        {
            for _ in 0..2 {
                let text = world.walletd_runs(&format!("rebuild {store}")).ok();
                assert!(text.contains(count), "{text}");
            }
        }
        drop(daemon);
    }
    let _daemon = world.daemon();
    world.ctl("audit verify --stores").ok();
    assert_eq!(world.balance("w_1"), "5.00");
}

#[test]
fn a_changed_wallet_row_is_named_and_rebuilding_repairs_it() {
    let world = a_world_with_money();
    let file = Connection::open(world.data().join("wallets.sqlite")).unwrap();
    file.execute("UPDATE wallets SET owner = 'mallory' WHERE id = 'w_2'", []).unwrap();
    drop(file);
    let _daemon = world.daemon();
    world.ctl("audit verify").ok();
    let found = world.ctl("audit verify --stores").exits(9);
    assert!(found.contains("wallet w_2"), "{found}");
    world.walletd_runs("rebuild wallets").ok();
    world.ctl("audit verify --stores").ok();
}

#[test]
fn recovering_begins_an_epoch_once() {
    let world = a_world_with_money();
    let first = world.walletd_runs("recover").ok();
    assert!(first.contains("epoch 2 begins at record 6"), "{first}");
    let second = world.walletd_runs("recover").ok();
    assert!(second.contains("nothing to do"), "{second}");
    let daemon = world.daemon();
    world.walletd_runs("recover").fails(78, &daemon.pid().to_string());
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key later --yes").ok();
    world.ctl("audit verify --stores").ok();
}
