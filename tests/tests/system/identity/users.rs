//! Somebody with the role user: their own wallets, and nothing of anybody else's.

use serde_json::{Value, json};

use super::Place;
use crate::harness::Daemon;

/// Wallets of uma and of others, with money; uma's token and an operator's.
struct Bank {
    place: Place,
    uma: String,
    operator: String,
    _daemon: Daemon,
}

const UNKNOWN: &str = "ghost";
/// How every balance of bob's wallet ends; no hash, time or key has it.
const BOBS: &str = ".77\"";

fn bank() -> Bank {
    let (place, daemon) = Place::up();
    let (uma, operator) = (place.signer.token("uma", &["user"]), place.signer.token("olivia", &["operator"]));
    let open = |id: &str, owner: &str, asset: &str| {
        let body = json!({"id": id, "owner": owner, "asset": asset});
        place.write("/v1/wallets", &operator, &format!("open-{id}"), &body).is(200);
    };
    for (id, owner, asset) in [
        ("uma-1", "uma", "EUR"),
        ("uma-2", "uma", "EUR"),
        ("bob-1", "bob", "EUR"),
        ("bob-yen", "bob", "JPY"),
        ("bob-frozen", "bob", "EUR"),
        ("bob-closed", "bob", "EUR"),
    ] {
        open(id, owner, asset);
    }
    for (to, amount) in [("uma-1", "100"), ("bob-1", "777.77")] {
        let body = json!({"to": to, "amount": amount, "asset": "EUR", "memo": "salary"});
        place.write("/v1/deposits", &operator, &format!("fund-{to}"), &body).is(200);
    }
    place.write("/v1/wallets/bob-frozen/freeze", &operator, "freeze", &json!({"reason": "asked"})).is(200);
    place.write("/v1/wallets/bob-closed/close", &operator, "close", &json!({"reason": "asked"})).is(200);
    Bank { place, uma, operator, _daemon: daemon }
}

fn transfer(from: &str, to: &str, amount: &str) -> Value {
    json!({"from": from, "to": to, "amount": amount, "asset": "EUR"})
}

impl Bank {
    fn get(&self, path: &str) -> super::Answer {
        self.place.ask("GET", path, Some(&self.uma), None)
    }

    fn pay(&self, key: &str, body: &Value) -> super::Answer {
        self.place.write("/v1/transfers", &self.uma, key, body)
    }
}

#[test]
fn other_peoples_wallets_look_as_if_they_were_not_there() {
    let bank = bank();
    for path in [
        "/v1/wallets/{}",
        "/v1/wallets/{}/balance",
        "/v1/wallets/{}/balance?consistency=cached",
        "/v1/wallets/{}/balance?at=2020-01-01&known_at=3",
        "/v1/wallets/{}/history?from=2026-01-01&every=month",
        "/v1/wallets/{}/statement?from=2026-01-01",
        "/v1/transactions?wallet={}",
    ] {
        bank.get(&path.replace("{}", "uma-1")).is(200);
        let unknown = bank.get(&path.replace("{}", UNKNOWN)).problem(404);
        for other in ["bob-1", "bob-yen", "bob-frozen", "bob-closed"] {
            let answer = bank.get(&path.replace("{}", other)).problem(404);
            assert_eq!(answer.to_string().replace(other, UNKNOWN), unknown.to_string(), "{path}");
        }
    }
}

#[test]
fn a_user_lists_their_own_wallets_and_transactions_only() {
    let bank = bank();
    let ids = |list: &Value| -> Vec<String> {
        list["wallets"].as_array().unwrap().iter().map(|wallet| wallet["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&bank.get("/v1/wallets").is(200)), ["uma-1", "uma-2"]);
    assert_eq!(ids(&bank.get("/v1/wallets?owner=uma&limit=1").is(200)), ["uma-1"]);
    assert!(ids(&bank.get("/v1/wallets?owner=bob").is(200)).is_empty());
    bank.get("/v1/transactions").is(400);
    bank.pay("t1", &transfer("uma-1", "bob-1", "1")).is(200);
    let theirs = transfer("bob-1", "uma-1", "2");
    bank.place.write("/v1/transfers", &bank.operator, "t2", &theirs).is(200);
    let list = bank.get("/v1/transactions?wallet=uma-1").is(200);
    assert_eq!(list["transactions"].as_array().unwrap().len(), 3);
    let text = list.to_string();
    assert!(!text.contains(BOBS), "{text}");
    assert!(text.contains("\"t1\"") && !text.contains("\"t2\"") && !text.contains("fund-uma-1"), "{text}");
    assert!(!text.contains("olivia"), "{text}");
}

#[test]
fn a_transaction_is_shown_to_who_is_in_it_without_the_other_sides_balance() {
    let bank = bank();
    let paid = bank.pay("t1", &transfer("uma-1", "bob-1", "10")).is(200);
    assert_eq!((paid["from_balance"].as_str(), paid.get("to_balance")), (Some("90.00"), None), "{paid}");
    let dry = bank.place.write("/v1/transfers?dry_run=true", &bank.uma, "t9", &transfer("uma-1", "bob-1", "1")).is(200);
    assert!(!dry.to_string().contains(BOBS), "{dry}");
    let id = paid["transaction"].as_str().unwrap().to_owned();
    for path in [format!("/v1/transactions/{id}"), "/v1/transactions/by-key/t1".into()] {
        let shown = bank.get(&path).is(200);
        assert_eq!((shown["from_balance"].as_str(), shown.get("to_balance")), (Some("90.00"), None), "{shown}");
    }
    let theirs = transfer("bob-1", "uma-2", "5");
    let made = bank.place.write("/v1/transfers", &bank.operator, "t2", &theirs).is(200);
    let id = made["transaction"].as_str().unwrap();
    let shown = bank.get(&format!("/v1/transactions/{id}")).is(200);
    assert_eq!((shown.get("from_balance"), shown["to_balance"].as_str()), (None, Some("5.00")), "{shown}");
    assert_eq!((shown["actor"].as_str(), shown["key"].as_str()), (Some("other"), None), "{shown}");
    let statement = bank.get("/v1/wallets/uma-2/statement?from=2026-01-01").is(200);
    assert!(!statement.to_string().contains("\"t2\"") && !statement.to_string().contains(BOBS), "{statement}");
    // A transaction among others is as one that never was.
    let fund = bank
        .place
        .write(
            "/v1/deposits",
            &bank.operator,
            "fund-bob-1",
            &json!({"to": "bob-1", "amount": "777.77", "asset": "EUR", "memo": "salary"}),
        )
        .is(200);
    let among = fund["transaction"].as_str().unwrap();
    let unknown = bank.get("/v1/transactions/tx_1_999999").problem(404).to_string();
    assert_eq!(
        bank.get(&format!("/v1/transactions/{among}")).problem(404).to_string().replace(among, "tx_1_999999"),
        unknown
    );
    let unknown = bank.get("/v1/transactions/by-key/no-such").problem(404).to_string();
    assert_eq!(
        bank.get("/v1/transactions/by-key/fund-bob-1").problem(404).to_string().replace("fund-bob-1", "no-such"),
        unknown
    );
}

#[test]
fn money_leaves_only_ones_own_wallets() {
    let bank = bank();
    let unknown = bank.pay("k1", &transfer(UNKNOWN, "uma-1", "1")).problem(404);
    for other in ["bob-1", "bob-yen", "bob-frozen", "bob-closed"] {
        let answer = bank.pay("k1", &transfer(other, "uma-1", "1")).problem(404);
        assert_eq!(answer.to_string().replace(other, UNKNOWN), unknown.to_string());
        let dry = bank.place.write("/v1/transfers?dry_run=true", &bank.uma, "k1", &transfer(other, "uma-1", "1"));
        assert_eq!(dry.problem(404).to_string().replace(other, UNKNOWN), unknown.to_string());
    }
    assert_eq!(bank.pay("k2", &transfer("uma-1", "uma-2", "1000")).problem(422)["code"], "insufficient_funds");
    bank.pay("k3", &transfer("uma-1", "uma-2", "1")).is(200);
    assert_eq!(bank.place.world.balance("bob-1"), "777.77");
}

#[test]
fn nothing_is_said_about_where_money_cannot_go() {
    let bank = bank();
    let unknown = bank.pay("k1", &transfer("uma-1", UNKNOWN, "1")).problem(422);
    assert_eq!(unknown["code"], "destination_refused");
    for other in ["bob-yen", "bob-frozen", "bob-closed"] {
        for path in ["/v1/transfers", "/v1/transfers?dry_run=true"] {
            let answer = bank.place.write(path, &bank.uma, "k1", &transfer("uma-1", other, "1")).problem(422);
            assert_eq!(answer.to_string().replace(other, UNKNOWN), unknown.to_string());
        }
    }
    // What she cannot pay tells her nothing: not of a wallet that could be paid either.
    for (from, amount) in [("uma-1", "1000"), ("uma-2", "1")] {
        for path in ["/v1/transfers", "/v1/transfers?dry_run=true"] {
            let unknown = bank.place.write(path, &bank.uma, "k2", &transfer(from, UNKNOWN, amount)).problem(422);
            assert_eq!(unknown["code"], "insufficient_funds");
            for other in ["bob-1", "bob-yen", "bob-frozen", "bob-closed"] {
                let answer = bank.place.write(path, &bank.uma, "k2", &transfer(from, other, amount)).problem(422);
                assert_eq!(answer.to_string(), unknown.to_string(), "{other}");
            }
        }
    }
}

#[test]
fn keys_of_a_user_are_apart_from_everybody_elses() {
    let bank = bank();
    let first = bank.place.write("/v1/transfers", &bank.operator, "same", &transfer("bob-1", "uma-1", "3")).is(200);
    let second = bank.pay("same", &transfer("uma-1", "bob-1", "4")).is(200);
    assert_ne!(first["transaction"], second["transaction"]);
    assert_eq!(bank.pay("same", &transfer("uma-1", "bob-1", "4")).is(200)["outcome"], "replayed");
    let bob = bank.place.signer.token("bob", &["user"]);
    let third = bank.place.write("/v1/transfers", &bob, "same", &transfer("bob-1", "uma-1", "5")).is(200);
    assert_eq!(third["outcome"], "ok");
    // Operators and service accounts share theirs: another one's resume replays.
    let other = bank.place.signer.token("oscar", &["operator"]);
    let replayed = bank.place.write("/v1/transfers", &other, "same", &transfer("bob-1", "uma-1", "3")).is(200);
    assert_eq!((replayed["outcome"].as_str(), &replayed["transaction"]), (Some("replayed"), &first["transaction"]));
}

#[test]
fn a_users_batch_is_held_to_the_same_row_by_row() {
    let bank = bank();
    let row = |key: &str, op: &str, from: Option<&str>, to: Option<&str>| {
        let mut row = json!({"key": key, "op": op, "amount": "1", "asset": "EUR"});
        for (name, value) in [("from", from), ("to", to)] {
            if let Some(value) = value {
                row[name] = json!(value);
            }
        }
        row
    };
    let deposit = json!({"mode": "continue", "commands": [row("r0", "deposit", None, Some("uma-1"))]});
    bank.place.write("/v1/batches", &bank.uma, "b0", &deposit).is(403);
    let rows = [
        row("r1", "transfer", Some("uma-1"), Some("bob-1")),
        row("r2", "transfer", Some("bob-1"), Some("uma-1")),
        row("r3", "transfer", Some("uma-1"), Some("bob-frozen")),
        row("r4", "transfer", Some("uma-1"), Some(UNKNOWN)),
    ];
    let batch = json!({"mode": "continue", "commands": rows});
    let first = bank.place.write("/v1/batches", &bank.uma, "b1", &batch).is(200);
    let codes: Vec<_> =
        first["outcomes"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap_or("ok")).collect();
    assert_eq!(codes, ["ok", "unknown_wallet", "destination_refused", "destination_refused"]);
    let again = bank.place.write("/v1/batches", &bank.uma, "b1", &batch).is(200);
    assert_eq!((&again["replayed"], &again["outcomes"]), (&json!(true), &first["outcomes"]));
    assert_eq!(bank.place.world.balance("bob-1"), "778.77");
}

#[test]
fn without_an_owners_name_a_user_has_nothing() {
    let bank = bank();
    let odd = bank.place.signer.token("not/an/owner", &["user"]);
    assert_eq!(bank.place.ask("GET", "/v1/wallets", Some(&odd), None).problem(403)["code"], "forbidden");
    bank.place.write("/v1/transfers", &odd, "k1", &transfer("uma-1", "bob-1", "1")).is(403);
    bank.place.ask("GET", "/v1/assets", Some(&odd), None).is(200);
}

#[test]
fn an_auditor_reads_everything_and_writes_nothing() {
    let bank = bank();
    let auditor = bank.place.signer.token("audrey", &["auditor"]);
    bank.place.ask("GET", "/v1/wallets/bob-1", Some(&auditor), None).is(200);
    bank.place.ask("POST", "/v1/audit/verify", Some(&auditor), Some(&json!({}))).is(200);
    bank.place.write("/v1/transfers", &auditor, "k1", &transfer("uma-1", "bob-1", "1")).is(403);
    // With both roles it reads all, and pays out of its own wallets only.
    let both = bank.place.signer.token("uma", &["auditor", "user"]);
    bank.place.ask("GET", "/v1/wallets/bob-1", Some(&both), None).is(200);
    bank.place.write("/v1/transfers", &both, "k1", &transfer("bob-1", "uma-1", "1")).is(404);
    bank.place.write("/v1/transfers", &both, "k2", &transfer("uma-1", "bob-1", "1")).is(200);
    let past =
        json!({"from": "uma-1", "to": "bob-1", "amount": "1", "asset": "EUR", "effective_at": "2026-01-01T00:00:00Z"});
    bank.place.write("/v1/transfers", &both, "k3", &past).is(403);
}
