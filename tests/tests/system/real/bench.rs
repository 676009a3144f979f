//! The benchmark on real servers: databases of its own, dropped behind it.

use crate::{
    bench::{check_tokens, measures, of},
    harness::{World, run},
};

use super::{servers::Sql, stores::Stack};

const URL: &str = "WALLETD_LEDGER_URL";

#[test]
fn a_benchmark_on_servers_measures_beside_their_limits_and_leaves_no_database() {
    let Some(stack) = Stack::of("the benchmark on real servers") else { return };
    let world = World::new();
    let mut command = world.walletctl();
    command.envs(stack.all());
    command.args(
        "bench --servers --scenario raw,singles,batches,cached,tokens --duration 1 --count 2000 -o json".split(' '),
    );
    let done = measures(run(command, Vec::new()));
    for scenario in ["singles", "batches", "cached"] {
        for measure in of(&done, scenario) {
            assert!(measure["per_second"].as_u64().unwrap() > 0 && measure["errors"] == 0, "{measure}");
            assert!(measure["limit_per_second"].as_u64().unwrap() > 0, "{measure}");
        }
    }
    check_tokens(&done);
    let raw: Vec<_> = of(&done, "raw").iter().map(|one| one["case"].as_str().unwrap().to_owned()).collect();
    for case in [
        "bare store, 1000 a commit",
        "one transaction a transfer, statement by statement, 16 connections",
        "bare GET loop",
    ] {
        assert!(raw.iter().any(|name| name == case), "{case} is not in {raw:?}");
    }
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'bench\\_%'";
    assert_eq!(Sql::connect(stack.get(URL)).one(left), "0");
}

#[test]
fn an_account_that_may_not_make_a_database_is_said_so() {
    let Some(stack) = Stack::of("the benchmark by an account without rights") else { return };
    let name = format!("no_rights_{}", std::process::id());
    let sql = Sql::connect(stack.get(URL));
    sql.run(&format!("CREATE ROLE {name} LOGIN PASSWORD 'secret'"));
    let (_, place) = stack.get(URL).rsplit_once('@').unwrap();
    let world = World::new();
    let mut command = world.walletctl();
    command.env(URL, format!("postgres://{name}:secret@{place}"));
    command.args(["bench", "--servers", "--scenario", "process", "-o", "json"]);
    let told = run(command, Vec::new());
    sql.run(&format!("DROP ROLE {name}"));
    let told = told.exits_with_error(78);
    let message = told["message"].as_str().unwrap();
    assert!(message.contains("CREATEDB") && !message.contains("secret"), "{told}");
}
