//! The small things around money, each through both programs.

use serde_json::Value;

use crate::harness::{World, rows};

#[test]
fn an_asset_is_registered_once_with_its_scale() {
    let world = World::new();
    let _daemon = world.daemon();
    world.ctl("asset register BTC --scale 8 --idempotency-key a --yes").ok();
    world.wallet("b_1", "BTC", "0.00000001");
    assert_eq!(world.balance("b_1"), "0.00000001");
    world.ctl("asset register BTC --scale 6 --idempotency-key b --yes").exits(6);
    world.ctl("asset register EUR --scale 3 --idempotency-key c --yes").exits(6);
    assert!(world.ctl("asset list -o csv").ok().contains("BTC"));
}

#[test]
fn a_balance_is_what_was_known_and_what_counted() {
    let world = World::new();
    let _daemon = world.daemon();
    world.ctl("wallet create w_1 --owner o --asset EUR --opened-at 2024-01-01 --idempotency-key o --yes").ok();
    let deposit = |key: &str, amount: &str, at: &str| {
        let line =
            format!("deposit --to w_1 --amount {amount} --asset EUR --effective-at {at} --idempotency-key {key} --yes");
        world.ctl(&line).ok();
        world.head()
    };
    let first = deposit("a", "10", "2024-02-10T10:00:00Z");
    let late = deposit("b", "5", "2024-01-15T10:00:00Z");
    let at = |date: &str, known: u64| {
        let line = format!("balance w_1 --at {date} --known-at {known} -o json");
        world.ctl(&line).data()["balance"].as_str().unwrap().to_owned()
    };
    assert_eq!(at("2024-01-31", first), "0.00");
    assert_eq!(at("2024-01-31", late), "5.00");
    assert_eq!(at("2024-02-29", first), "10.00");
    assert_eq!(at("2024-02-29", late), "15.00");
    // Inclusive to the microsecond.
    assert_eq!(at("2024-02-10T10:00:00Z", late), "15.00");
    assert_eq!(at("2024-02-10T09:59:59.999999Z", late), "5.00");
    // A date is the close of that day in its zone: 10:00 in UTC is already the next day in Auckland.
    let line = "balance w_1 --at 2024-02-10 --tz Pacific/Kiritimati -o json";
    assert_eq!(world.ctl(line).data()["balance"], "5.00");
}

#[test]
fn balances_over_time_close_each_period() {
    let world = World::new();
    let _daemon = world.daemon();
    world.ctl("wallet create w_1 --owner o --asset EUR --opened-at 2024-01-01 --idempotency-key o --yes").ok();
    for (key, at) in [("a", "2024-01-31T23:59:59.999999Z"), ("b", "2024-02-01T00:00:00Z")] {
        world
            .ctl(&format!("deposit --to w_1 --amount 1 --asset EUR --effective-at {at} --idempotency-key {key} --yes"))
            .ok();
    }
    let csv = world.ctl("balance w_1 --from 2024-01-01 --to 2024-03-31 --every month -o csv").ok();
    let found: Vec<String> =
        rows(&csv).into_iter().map(|row| format!("{} {}", &row["at"][..10], row["balance"])).collect();
    assert_eq!(found, ["2024-01-31 1.00", "2024-02-29 2.00", "2024-03-31 2.00"]);
    let days = rows(&world.ctl("balance w_1 --from 2024-01-30 --to 2024-02-02 --every day -o csv").ok()).len();
    assert_eq!(days, 4);
}

#[test]
fn limits_let_a_wallet_go_so_far_and_no_further() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    world.ctl("wallet set-limit w_1 --overdraft 10 --reason trust --idempotency-key l --yes").ok();
    world.ctl("withdraw --from w_1 --amount 10 --asset EUR --idempotency-key a --yes").ok();
    world.ctl("withdraw --from w_1 --amount 0.01 --asset EUR --idempotency-key b --yes").exits(6);
    world.ctl("wallet set-limit w_1 --overdraft 5 --reason less --idempotency-key l2 --yes").exits(6);
    assert_eq!(world.balance("w_1"), "-10.00");
}

#[test]
fn a_reversal_needs_the_money_unless_it_may_go_below() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "10");
    let id = format!("tx_1_{}", world.head());
    world.ctl("withdraw --from w_1 --amount 4 --asset EUR --idempotency-key w --yes").ok();
    world.ctl(&format!("tx reverse {id} --idempotency-key r --yes")).exits(6);
    world.ctl(&format!("tx reverse {id} --allow-negative --idempotency-key r --yes")).ok();
    assert_eq!(world.balance("w_1"), "-4.00");
    world.ctl("audit verify").ok();
    // Below its floor it accepts only credits.
    world.ctl("withdraw --from w_1 --amount 0.01 --asset EUR --idempotency-key w2 --yes").exits(6);
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key d --yes").ok();
}

#[test]
fn a_frozen_wallet_moves_nothing_until_it_is_unfrozen() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "10");
    let id = format!("tx_1_{}", world.head());
    world.ctl("wallet freeze w_1 --reason look --idempotency-key f --yes").ok();
    world.ctl("withdraw --from w_1 --amount 1 --asset EUR --idempotency-key w --yes").exits(6);
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key d --yes").exits(6);
    world.ctl(&format!("tx reverse {id} --idempotency-key r --yes")).exits(6);
    assert_eq!(world.ctl("wallet show w_1 -o json").data()["status"], "frozen");
    world.ctl("wallet unfreeze w_1 --reason fine --idempotency-key u --yes").ok();
    world.ctl("withdraw --from w_1 --amount 1 --asset EUR --idempotency-key w --yes").ok();
}

#[test]
fn every_form_of_output_says_the_same() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "10");
    let json: Value = serde_json::from_str(&world.ctl("balance w_1 -o json").ok()).unwrap();
    assert_eq!(json["schema"], "walletctl.balance/1");
    assert!(json["meta"].is_object());
    let line: Value = serde_json::from_str(world.ctl("balance w_1 -o ndjson").ok().trim()).unwrap();
    let csv = world.ctl("balance w_1 -o csv").ok();
    assert!(csv.starts_with("wallet,asset,balance,at,opened,seq"), "{csv}");
    for row in [&json["data"], &line] {
        assert_eq!((row["wallet"].as_str(), row["balance"].as_str()), (Some("w_1"), Some("10.00")));
    }
    assert_eq!(rows(&csv)[0]["balance"], "10.00");
    assert!(world.ctl("balance w_1").ok().contains("10.00"));
    let fields = world.ctl("tx list -o csv --fields amount,asset").ok();
    assert_eq!(fields, "amount,asset\n10.00,EUR\n");
}

#[test]
fn a_cut_that_was_written_down_proves_the_past() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "10");
    let status: Value = serde_json::from_str(&world.ctl("api GET /v1/status").ok()).unwrap();
    let cut = format!("{}:{}", status["cut"]["seq"], status["cut"]["hash"].as_str().unwrap());
    world.ctl("deposit --to w_1 --amount 1 --asset EUR --idempotency-key more --yes").ok();
    world.ctl(&format!("audit verify --cut {cut}")).ok();
    let beyond = format!("{}:{}", 1_000, status["cut"]["hash"].as_str().unwrap());
    world.ctl(&format!("audit verify --cut {beyond}")).exits(9);
}

#[test]
fn a_batch_stops_or_holds_together_when_told_to() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let text = "key,op,from,to,amount,asset\na,deposit,,w_1,1,EUR\nb,withdraw,w_1,,5,EUR\nc,deposit,,w_1,1,EUR\n";
    world.file("stop.csv", text);
    world.ctl("batch run stop.csv --on-error stop --results stop.ndjson --yes").exits(8);
    let outcomes = crate::checks::results_of(&world.read("stop.ndjson"));
    let outcome_of = |key: &str| outcomes[key].0.clone();
    assert_eq!(["a", "b", "c"].map(outcome_of), ["ok", "refused", "not_attempted"]);
    world.file("atomic.csv", text.replace("\na,", "\na2,").replace("\nb,", "\nb2,").replace("\nc,", "\nc2,"));
    world.ctl("batch run atomic.csv --atomic --yes").exits(8);
    assert_eq!(world.balance("w_1"), "1.00");
    let reported = world.ctl("batch report stop.csv --failed --results stop.ndjson --out failed.csv");
    assert_eq!(world.read("failed.csv"), "key,op,from,to,amount,asset\nb,withdraw,w_1,,5,EUR\n");
    assert!(reported.err.contains("1 rows were not judged"), "{}", reported.err);
}

#[test]
fn a_batch_comes_from_stdin_as_well() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let text = "key,op,from,to,amount,asset\na,deposit,,w_1,1,EUR\n";
    world.ctl_reading("batch run - --yes", text).ok();
    world.ctl_reading("batch run - --yes", text).ok();
    let ndjson = "{\"key\":\"b\",\"op\":\"deposit\",\"to\":\"w_1\",\"amount\":\"2\",\"asset\":\"EUR\"}\n";
    world.file("b.ndjson", ndjson);
    world.ctl("batch run b.ndjson --yes").ok();
    assert_eq!(world.balance("w_1"), "3.00");
}
