//! The way to every server encrypted, its certificate checked, a password asked for.

use std::path::PathBuf;

use super::stores::{Stores, Way};
use crate::harness::{World, skipped};

/// The stores, and the part of the daemon's variables that names each.
const STORES: [(&str, &str); 6] = [
    ("ledger", "LEDGER"),
    ("wallets", "WALLETS"),
    ("audit", "AUDIT"),
    ("events", "EVENTS"),
    ("balances", "BALANCES"),
    ("limits", "LIMITS"),
];

/// The folder of the stack's certificates; none, with a line, where the servers have none.
fn certificates(stores: &Stores, what: &str) -> Option<PathBuf> {
    let found = stores.stack.all().get("STACK_TLS").map(PathBuf::from);
    if found.is_none() {
        skipped(&format!("{what} (these servers have no certificates)"));
    }
    found
}

/// The way to one store encrypted.
fn secured(way: Way, stores: &Stores, (store, name): (&str, &str), authority: &std::path::Path) -> Way {
    let plain = stores.url(store).to_owned();
    let hosts = plain.find("://").unwrap() + 3;
    let behind = plain[hosts..].find(['/', '?']).map_or("", |at| &plain[hosts + at..]);
    let server = stores.stack.get(&format!("STACK_TLS_{name}_URL"));
    way.with(&format!("WALLETD_{name}_URL"), format!("{server}{behind}"))
        .with(&format!("WALLETD_STORES__{name}__TLS"), "true")
        .with(&format!("WALLETD_STORES__{name}__CA_FILE"), authority.display().to_string())
}

fn all(stores: &Stores, authority: &std::path::Path) -> Way {
    STORES.into_iter().fold(stores.way(), |way, store| secured(way, stores, store, authority))
}

#[test]
fn money_moves_over_encrypted_ways_to_every_server() {
    let what = "encrypted ways to the servers";
    let Some(stores) = Stores::new(what) else { return };
    let Some(tls) = certificates(&stores, what) else { return };
    let world = World::having(&all(&stores, &tls.join("ca.pem")).env);
    world.walletd_runs("migrate up").ok();
    let _daemon = world.daemon();
    for wallet in ["w_1", "w_2"] {
        world.wallet(wallet, "EUR", "0");
    }
    world.ctl("deposit --to w_1 --amount 5 --asset EUR --idempotency-key d --yes").ok();
    world.ctl("transfer --from w_1 --to w_2 --amount 2 --asset EUR --idempotency-key t --yes").ok();
    world.settles("encrypted ways");
    world.ctl("audit verify --stores").ok();
    assert_eq!(world.balance("w_2"), "2.00");
    let sessions = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
                    WHERE a.application_name LIKE 'walletd%' AND a.datname = current_database() AND NOT s.ssl";
    assert_eq!(stores.sql().one(sessions), "0", "a session of the daemon is not encrypted");
}

#[test]
fn a_server_whose_certificate_is_a_strangers_is_not_talked_to() {
    let what = "a stranger's certificate";
    let Some(stores) = Stores::new(what) else { return };
    let Some(tls) = certificates(&stores, what) else { return };
    World::having(&stores.way().env).walletd_runs("migrate up").ok();
    for (store, name) in STORES {
        let way = secured(stores.way(), &stores, (store, name), &tls.join("stranger.pem"));
        let report = World::having(&way.env).walletd_runs("doctor");
        assert!([75, 78].contains(&report.code), "{store}: {report}");
        assert!(report.says("certificate"), "{store}: {report}");
    }
}

#[test]
fn a_wrong_password_is_a_fault_of_the_configuration_and_is_not_shown() {
    let what = "wrong passwords over encrypted ways";
    let Some(stores) = Stores::new(what) else { return };
    let Some(tls) = certificates(&stores, what) else { return };
    World::having(&stores.way().env).walletd_runs("migrate up").ok();
    for (store, name) in STORES.into_iter().filter(|(store, _)| *store != "audit") {
        let way = secured(stores.way(), &stores, (store, name), &tls.join("ca.pem"));
        let variable = format!("WALLETD_{name}_URL");
        let url = way.env.get(&variable).unwrap().clone();
        let (start, rest) = url.split_once('@').unwrap();
        let (user, _) = start.rsplit_once(':').unwrap();
        let report =
            World::having(&way.with(&variable, format!("{user}:not-this-one@{rest}")).env).walletd_runs("doctor");
        assert_eq!(report.code, 78, "{store}: {report}");
        assert!(!report.says("not-this-one"), "{store}: {report}");
    }
}
