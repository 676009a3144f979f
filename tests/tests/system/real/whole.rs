//! The whole job on real servers: every check of the embedded test, and the same balances from everything that follows
//! the ledger.

use std::{collections::BTreeMap, path::Path};

use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    money,
    servers::{Sql, documents, messages},
    stores::Stores,
};
use crate::{
    checks::{self, Dataset},
    harness::World,
    pkdd99, sample,
};

/// What the dataset says each wallet holds at a date.
fn expected(dataset: &Dataset, date: &str) -> BTreeMap<String, Decimal> {
    let at_date = dataset.balances.iter().filter(|((_, at), _)| at == date);
    at_date.map(|((wallet, _), balance)| (wallet.clone(), balance.parse().unwrap())).collect()
}

#[track_caller]
fn same(expected: &BTreeMap<String, Decimal>, found: &BTreeMap<String, Decimal>, what: &str) {
    for (wallet, balance) in expected {
        assert_eq!(found.get(wallet), Some(balance), "{what}: {wallet}");
    }
    assert_eq!(found.len(), expected.len(), "{what}: wallets");
}

/// What wallets held at the close of a day, by SQL over the entries alone.
fn by_sql(sql: &Sql, date: &str) -> BTreeMap<String, Decimal> {
    let rows = sql.rows(&format!(
        "SELECT a.id, coalesce(sum(e.amount), 0) FROM accounts a LEFT JOIN entries e ON e.account = a.number \
         AND e.effective_at < 1000000 * extract(epoch FROM (date '{date}' + 1)::timestamp AT TIME ZONE 'UTC') \
         WHERE a.owner IS NOT NULL GROUP BY a.id"
    ));
    rows.into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect()
}

/// Runs it all, then asks each server for itself.
fn the_whole_job(dataset: &Dataset, what: &str) {
    let Some(stores) = Stores::new(what) else { return };
    let world = World::having(&stores.way().env);
    checks::the_whole_job(dataset, &world);
    every_server_agrees(dataset, &stores, &world, what);
}

/// Runs it without limits and in another order, so that most of it comes late, then asks each server for itself.
fn in_another_order(dataset: &Dataset, what: &str) {
    let Some(stores) = Stores::new(what) else { return };
    let world = World::having(&stores.way().env);
    checks::any_order(dataset, &world);
    every_server_agrees(dataset, &stores, &world, what);
}

/// Each server, asked for itself, has what is expected.
#[track_caller]
fn every_server_agrees(dataset: &Dataset, stores: &Stores, world: &World, what: &str) {
    let daemon = world.daemon();
    world.settles(what);
    let sql = stores.sql();
    money::check(&sql);
    let dates = dataset.dates();
    for date in &dates {
        same(&expected(dataset, date), &by_sql(&sql, date), &format!("SQL at {date}"));
    }
    let held = money::balances(&sql);
    same(&held, &expected(dataset, dates.last().unwrap()), "accounts");
    same(&held, &cached(stores), "Redis");
    let records = money::records(&sql);
    same(&held, &money::fold(&records), "the journal");
    same(&held, &audited(stores), "the audit trail in MongoDB");
    same(&held, &published(stores), "the events in Kafka");
    let mut mysql = stores.mysql();
    let rows = mysql.rows("SELECT id FROM wallets WHERE state = 'active'");
    assert_eq!(rows.len(), held.len(), "wallets in MySQL");
    world.ctl("audit verify --stores").ok();
    assert_eq!(daemon.stop(), 0);
}

/// What Redis says each wallet holds, key by key.
pub fn cached(stores: &Stores) -> BTreeMap<String, Decimal> {
    let texts = stores.redis().texts("wallet:*:w:*");
    // generation, epoch, seq, balance, asset, status, recorded_at
    let balance = |text: &str| text.split(' ').nth(3).unwrap_or_else(|| panic!("{text}")).parse().unwrap();
    texts.iter().map(|(key, text)| (key.rsplit(":w:").next().unwrap().to_owned(), balance(text))).collect()
}

/// What the documents of the audit trail add up to.
fn audited(stores: &Stores) -> BTreeMap<String, Decimal> {
    let documents = documents(stores.url("audit"), stores.name(), "records");
    let record = |document: &mongodb::bson::Document| -> Value {
        serde_json::from_slice(document.get_binary_generic("bytes").unwrap()).unwrap()
    };
    let records: Vec<Value> = documents.iter().map(record).collect();
    for (place, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], place + 1, "the audit trail has a gap");
    }
    money::fold(&records)
}

/// What the messages of the journal's topic add up to, each record once.
fn published(stores: &Stores) -> BTreeMap<String, Decimal> {
    let messages = messages(&stores.broker(), &format!("{}.journal", stores.name()), 0);
    let records: Vec<Value> =
        messages.iter().map(|(_, content)| serde_json::from_slice(content).unwrap_or_else(|e| panic!("{e}"))).collect();
    for (place, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], place + 1, "the topic has a gap, or a record twice");
    }
    money::fold(&records)
}

#[test]
fn the_sample_on_real_servers_is_the_same_in_every_one_of_them() {
    the_whole_job(&Dataset::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("sample")), "the sample on real servers");
}

#[test]
fn the_bank_on_real_servers_is_the_same_in_every_one_of_them() {
    if let Some(dataset) = pkdd99::convert("the bank on real servers", &["--overdraft", "0"]) {
        the_whole_job(&dataset, "the bank on real servers");
    }
}

#[test]
fn the_banks_rows_without_limits_in_any_order_give_the_same_balances_in_every_one_of_them() {
    if let Some(dataset) = pkdd99::convert("the bank shuffled on real servers", &["--overdraft", "none"]) {
        assert_eq!((dataset.refusals(), dataset.balances.len()), (0, 13_824));
        in_another_order(&dataset, "the bank shuffled on real servers");
    }
}

#[test]
fn the_samples_rows_in_any_order_give_the_same_balances_on_real_servers() {
    in_another_order(&sample::unlimited(wallet_tests::sample::ROWS), "the sample shuffled on real servers");
}

#[test]
fn the_sample_on_real_servers_survives_kill_9_in_the_middle() {
    if let Some(stores) = Stores::new("the sample with a crash on real servers") {
        checks::a_crash_in_the_middle(&sample::dataset(), &World::having(&stores.way().env));
        money::check(&stores.sql());
    }
}
