//! Keys: whatever races, each moves money once.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::harness::World;

const CLIENTS: usize = 64;
const KEYS: usize = 10_000;

fn client(world: &World) -> reqwest::Client {
    wallet_tests::http().unix_socket(world.socket()).build().unwrap()
}

async fn post(client: &reqwest::Client, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let request = client.post(format!("http://localhost{path}")).header("idempotency-key", key).json(body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[test]
fn ten_thousand_keys_raced_by_64_clients_move_money_once_each() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "1000000");
    world.wallet("w_2", "EUR", "0");
    let before = world.head();
    let client = Arc::new(client(&world));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..CLIENTS {
            let client = client.clone();
            tasks.spawn(async move {
                let mut first = 0;
                // Every key is sent by four clients, from different ends of the list.
                for step in 0..KEYS * 4 / CLIENTS {
                    let turn = step * CLIENTS / 4 + number / 4;
                    let place = if number % 2 == 0 { turn } else { KEYS - 1 - turn };
                    let body = json!({"from": "w_1", "to": "w_2", "amount": "1.00", "asset": "EUR"});
                    let (status, answer) = post(&client, "/v1/transfers", &format!("race-{place}"), &body).await;
                    assert_eq!(status / 100, 2, "{answer}");
                    first += usize::from(answer["outcome"] == "ok");
                }
                first
            });
        }
        let firsts: usize = tasks.join_all().await.into_iter().sum();
        assert_eq!(firsts, KEYS);
    });
    assert_eq!(world.head(), before + KEYS as u64);
    assert_eq!((world.balance("w_1").as_str(), world.balance("w_2").as_str()), ("990000.00", "10000.00"));
}

#[test]
fn opposite_transfers_neither_overdraw_nor_stand_still() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "5");
    world.wallet("w_2", "EUR", "5");
    let client = Arc::new(client(&world));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..CLIENTS {
            let client = client.clone();
            tasks.spawn(async move {
                for step in 0..20 {
                    let (from, to) = if (number + step) % 2 == 0 { ("w_1", "w_2") } else { ("w_2", "w_1") };
                    let body = json!({"from": from, "to": to, "amount": "3.00", "asset": "EUR"});
                    let (status, answer) = post(&client, "/v1/transfers", &format!("o-{number}-{step}"), &body).await;
                    let refused = status == 422 && answer["code"] == "insufficient_funds";
                    assert!(status / 100 == 2 || refused, "{status} {answer}");
                }
            });
        }
        tasks.join_all().await;
    });
    world.ctl("audit verify").ok();
    let number = |wallet: &str| world.balance(wallet).parse::<f64>().unwrap();
    assert!(number("w_1") >= 0.0 && number("w_2") >= 0.0 && (number("w_1") + number("w_2") - 10.0).abs() < 0.001);
}

#[test]
fn of_two_racing_reversals_one_wins() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let line = "deposit --to w_1 --amount 7 --asset EUR --idempotency-key d --yes";
    world.ctl(line).ok();
    let id = format!("tx_1_{}", world.head());
    let client = Arc::new(client(&world));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let won = runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..8 {
            let (client, path) = (client.clone(), format!("/v1/transactions/{id}/reverse"));
            tasks.spawn(async move { post(&client, &path, &format!("r-{number}"), &json!({})).await });
        }
        tasks.join_all().await.into_iter().filter(|(status, _)| status / 100 == 2).count()
    });
    assert_eq!(won, 1);
    assert_eq!(world.balance("w_1"), "0.00");
    let original = world.ctl(&format!("tx show {id} -o json")).data();
    let reversal = format!("tx_1_{}", world.head());
    assert_eq!(original["reversed_by"], reversal.as_str(), "{original}");
    let shown = world.ctl(&format!("tx show {reversal} -o json")).data();
    assert_eq!(shown["reverses"], id.as_str(), "{shown}");
    world.ctl(&format!("tx reverse {reversal} --idempotency-key rr --yes")).exits(6);
}

#[test]
fn a_batch_request_sent_again_gets_its_first_answer_refusals_included() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "5");
    let client = client(&world);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let command = |key: &str, amount: &str| json!({"key": key, "op": "withdraw", "from": "w_1", "amount": amount, "asset": "EUR"});
    runtime.block_on(async {
        let body = json!({"mode": "continue", "commands": [command("a", "1.00"), command("b", "100.00")]});
        let (status, first) = post(&client, "/v1/batches", "own", &body).await;
        assert_eq!(status, 200, "{first}");
        let outcomes = |answer: &Value| {
            let rows = answer["outcomes"].as_array().unwrap();
            rows.iter().map(|row| row["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(&first), ["ok", "refused"]);
        let fund = json!({"to": "w_1", "amount": "1000.00", "asset": "EUR"});
        assert_eq!(post(&client, "/v1/deposits", "fund", &fund).await.0 / 100, 2);
        let (_, again) = post(&client, "/v1/batches", "own", &body).await;
        assert_eq!(outcomes(&again), ["ok", "refused"], "{again}");
        let other = json!({"mode": "stop", "commands": [command("a", "1.00"), command("b", "100.00")]});
        assert_eq!(post(&client, "/v1/batches", "own", &other).await.0, 409);

        // An atomic group of which a part happened before is refused whole.
        let group = json!({"mode": "atomic", "commands": [command("a", "1.00"), command("c", "1.00")]});
        let (status, answer) = post(&client, "/v1/batches", "group", &group).await;
        assert!(answer.to_string().contains("group_partly_applied"), "{status} {answer}");
        let twice = json!({"mode": "continue", "commands": [command("d", "1.00"), command("d", "1.00")]});
        let (_, answer) = post(&client, "/v1/batches", "twice", &twice).await;
        assert_eq!(outcomes(&answer), ["ok", "replayed"], "{answer}");
    });
    assert_eq!(world.balance("w_1"), "1003.00");
}

#[test]
fn two_command_lines_at_once_on_one_intent_send_it_once() {
    let world = World::new();
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "0");
    let line = "deposit --to w_1 --amount 1 --asset EUR --idempotency-key one --yes";
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..8).map(|_| scope.spawn(|| world.ctl(line))).collect();
        for run in runs {
            let run = run.join().unwrap();
            assert!([0, 75].contains(&run.code), "{run}");
        }
    });
    world.ctl(line).ok();
    assert_eq!(world.balance("w_1"), "1.00");
    assert!(!world.ctl("intent list -o json").ok().contains("\"one\""));
}

#[test]
fn a_report_of_all_wallets_is_one_state_while_transfers_run() {
    let world = World::new();
    let _daemon = world.daemon();
    world.file("w.csv", crate::exit_codes::wallets(300));
    world.ctl("wallet import w.csv --yes").ok();
    world.ctl("deposit --to n_00000 --amount 1000 --asset EUR --idempotency-key fund --yes").ok();
    let client = client(&world);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ended = stop.clone();
    let task = runtime.spawn(async move {
        let mut moved = 0_usize;
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            // Money wanders from wallet to wallet, in the order of a report and against it.
            let (from, to) = (format!("n_{:05}", moved % 300), format!("n_{:05}", (moved + 1) % 300));
            let body = json!({"from": from, "to": to, "amount": "1000.00", "asset": "EUR"});
            let (status, answer) = post(&client, "/v1/transfers", &format!("m-{moved}"), &body).await;
            assert_eq!(status / 100, 2, "{answer}");
            moved += 1;
        }
        moved
    });
    for _ in 0..10 {
        let rows = crate::harness::rows(&world.ctl("balance --all-wallets -o csv").ok());
        let holding: Vec<&str> =
            rows.iter().map(|row| row["balance"].as_str()).filter(|held| *held != "0.00").collect();
        assert_eq!((rows.len(), holding), (300, vec!["1000.00"]));
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(runtime.block_on(task).unwrap() > 10);
}
