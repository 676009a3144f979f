//! Whether money is what it must be, asked of the database itself.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::servers::Sql;

/// Everything that must hold in a ledger on PostgreSQL, whatever happened to it.
#[track_caller]
pub fn check(sql: &Sql) {
    let nothing = |what: &str, query: &str| {
        let found = sql.rows(query);
        assert!(found.is_empty(), "{what}: {found:?}");
    };
    nothing(
        "an asset does not sum to zero",
        "SELECT asset, sum(balance) FROM accounts GROUP BY asset HAVING sum(balance) <> 0",
    );
    nothing(
        "a balance is not the sum of its entries",
        "SELECT a.id, a.balance, sum(e.amount) FROM accounts a LEFT JOIN entries e ON e.account = a.number \
         WHERE a.owner IS NOT NULL GROUP BY a.id HAVING a.balance <> coalesce(sum(e.amount), 0)",
    );
    nothing(
        "an entry does not follow the one before it",
        "SELECT * FROM (SELECT account, version, amount, balance_after, \
         coalesce(lag(balance_after) OVER w, 0) AS before, lag(version) OVER w AS last \
         FROM entries WINDOW w AS (PARTITION BY account ORDER BY seq, version)) e \
         WHERE balance_after <> before + amount OR version <> coalesce(last + 1, version)",
    );
    nothing(
        "a wallet is below its floor",
        "SELECT id, balance, floor FROM accounts WHERE floor IS NOT NULL AND balance < floor",
    );
    nothing(
        "the journal has a gap, or its end is not the clock's",
        "SELECT count(*), min(j.seq), max(j.seq), c.seq FROM clock c LEFT JOIN journal j ON true GROUP BY c.seq \
         HAVING count(j.seq) <> c.seq OR coalesce(max(j.seq), 0) <> c.seq",
    );
    nothing(
        "time does not grow with seq",
        "SELECT * FROM (SELECT seq, recorded_at, lag(recorded_at) OVER (ORDER BY seq) AS before FROM journal) j \
         WHERE recorded_at <= before",
    );
    nothing("a key is there twice", "SELECT key FROM journal WHERE key IS NOT NULL GROUP BY key HAVING count(*) > 1");
    chain(sql);
}

/// The hashes, made again from the first to the last.
#[track_caller]
fn chain(sql: &Sql) {
    let records = sql.bytes("SELECT bytes FROM journal ORDER BY seq");
    let hashes = sql.bytes("SELECT hash FROM journal ORDER BY seq");
    let mut hash: [u8; 32] = Sha256::digest(sql.one("SELECT ledger_id FROM clock")).into();
    for (place, (record, stored)) in records.iter().zip(&hashes).enumerate() {
        hash = Sha256::new().chain_update(hash).chain_update(record).finalize().into();
        assert_eq!(hash.as_slice(), stored, "the chain breaks at record {}", place + 1);
    }
}

/// The records as JSON, in order.
pub fn records(sql: &Sql) -> Vec<Value> {
    sql.bytes("SELECT bytes FROM journal ORDER BY seq").iter().map(|b| serde_json::from_slice(b).unwrap()).collect()
}

/// The keys of transactions that begin so.
pub fn keys(sql: &Sql, prefix: &str) -> BTreeSet<String> {
    let key = |record: &Value| record["key"].as_str().filter(|key| key.starts_with(prefix)).map(str::to_owned);
    records(sql).iter().filter_map(key).collect()
}

/// What every wallet holds, by folding records.
pub fn fold<'a>(records: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, Decimal> {
    let mut held = BTreeMap::new();
    for record in records {
        if let Some(wallet) = record["wallet"].as_str().filter(|_| record["kind"] == "wallet_opened") {
            held.entry(wallet.to_owned()).or_insert(Decimal::ZERO);
        }
        for leg in record["entries"].as_array().into_iter().flatten() {
            let account = leg["account"].as_str().unwrap();
            if !account.starts_with('@') {
                let amount: Decimal = leg["amount"].as_str().unwrap().parse().unwrap();
                *held.entry(account.to_owned()).or_default() += amount;
            }
        }
    }
    held
}

/// What every wallet holds now, from the accounts.
pub fn balances(sql: &Sql) -> BTreeMap<String, Decimal> {
    let rows = sql.rows("SELECT id, balance FROM accounts WHERE owner IS NOT NULL");
    rows.into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect()
}
