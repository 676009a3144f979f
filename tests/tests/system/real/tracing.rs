//! One trace from the terminal to the last consumer, asked of Jaeger by the id that walletctl prints.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{servers::runtime, stores::Stores};
use crate::harness::{Run, World, run, until};

/// The trace id that a run printed.
#[track_caller]
fn told(run: &Run) -> String {
    let id = run.err.lines().find_map(|line| line.strip_prefix("trace: "));
    id.unwrap_or_else(|| panic!("no trace is named in\n{run}")).to_owned()
}

/// A trace's spans as Jaeger has them.
struct Spans {
    spans: Vec<Value>,
    services: Value,
}

impl Spans {
    /// Empty while Jaeger does not know the trace.
    fn ask(jaeger: &str, id: &str) -> Self {
        let url = format!("{jaeger}/api/traces/{id}");
        let answer = runtime().block_on(async {
            let client = wallet_tests::http().build().unwrap();
            client.get(url).send().await.unwrap().json::<Value>().await.unwrap()
        });
        let trace = &answer["data"][0];
        Self { spans: trace["spans"].as_array().cloned().unwrap_or_default(), services: trace["processes"].clone() }
    }

    /// `service name` of each span.
    fn names(&self) -> BTreeMap<String, &Value> {
        let named = |span| (self.name(span), span);
        self.spans.iter().map(named).collect()
    }

    fn name(&self, span: &Value) -> String {
        let service = &self.services[span["processID"].as_str().unwrap()]["serviceName"];
        format!("{} {}", service.as_str().unwrap(), span["operationName"].as_str().unwrap())
    }

    /// The name of the span that this one is below.
    fn above(&self, span: &Value) -> Option<String> {
        let parent = span["references"].as_array()?.iter().find(|reference| reference["refType"] == "CHILD_OF")?;
        self.spans.iter().find(|span| span["spanID"] == parent["spanID"]).map(|span| self.name(span))
    }
}

fn tag<'a>(span: &'a Value, key: &str) -> &'a Value {
    span["tags"].as_array().unwrap().iter().find(|tag| tag["key"] == key).map_or(&Value::Null, |tag| &tag["value"])
}

/// Waits until a trace has these spans.
#[track_caller]
fn wait_for(jaeger: &str, id: &str, wanted: &[&str]) -> Spans {
    let mut spans = Spans::ask(jaeger, id);
    until(&format!("trace {id} has {wanted:?}"), || {
        spans = Spans::ask(jaeger, id);
        let names = spans.names();
        wanted.iter().all(|name| names.contains_key(*name))
    });
    spans
}

#[test]
fn one_trace_leads_from_the_terminal_to_every_consumer() {
    let Some(stores) = Stores::new("one trace from the terminal to every consumer") else { return };
    let jaeger = stores.stack.get("STACK_JAEGER_URL");
    let world = World::having(&stores.way().env);
    let daemon = world.daemon();
    world.wallet("w_1", "EUR", "100");
    world.wallet("w_2", "EUR", "0");
    let mut command = world.walletctl();
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", stores.url("traces"));
    command.args("transfer --from w_1 --to w_2 --amount 10 --asset EUR --idempotency-key t --yes -v".split(' '));
    let done = run(command, Vec::new());
    let id = told(&done);
    done.ok();
    let chain = [
        ("walletctl walletctl", None),
        ("walletctl POST /v1/transfers", Some("walletctl walletctl")),
        ("walletd POST /v1/transfers", Some("walletctl POST /v1/transfers")),
        ("walletd transactions.submit", Some("walletd POST /v1/transfers")),
        ("walletd ledger.commit", Some("walletd transactions.submit")),
        ("walletd relay.publish", Some("walletd ledger.commit")),
        ("walletd wallets.consume", Some("walletd ledger.commit")),
        ("walletd balances.consume", Some("walletd ledger.commit")),
        ("walletd audit.consume", Some("walletd ledger.commit")),
    ];
    let spans = wait_for(jaeger, &id, &chain.map(|(name, _)| name));
    for (name, above) in chain {
        assert_eq!(spans.above(spans.names()[name]).as_deref(), above, "above {name}");
    }
    let names = spans.names();
    let commit = names["walletd ledger.commit"];
    let link = commit["references"].as_array().unwrap().iter().find(|reference| reference["refType"] == "FOLLOWS_FROM");
    let batch = link.unwrap_or_else(|| panic!("no link in {commit}"))["traceID"].as_str().unwrap();
    assert_ne!(batch, id);
    wait_for(jaeger, batch, &["walletd ledger.commit batch"]);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn an_error_names_the_trace_that_jaeger_has() {
    let Some(stores) = Stores::new("the trace of an error") else { return };
    let jaeger = stores.stack.get("STACK_JAEGER_URL");
    let world = World::having(&stores.way().env);
    let _daemon = world.daemon();
    world.wallet("w_1", "EUR", "1");
    let refused = world.ctl("withdraw --from w_1 --amount 2 --asset EUR --idempotency-key no --yes");
    let id = told(&refused);
    refused.fails(6, "insufficient_funds");
    let spans = wait_for(jaeger, &id, &["walletd POST /v1/withdrawals", "walletd ledger.commit"]);
    let names = spans.names();
    let request = names["walletd POST /v1/withdrawals"];
    assert_eq!(
        (tag(request, "error.type"), tag(request, "http.response.status_code")),
        (&"insufficient_funds".into(), &422.into())
    );

    // Another program's trace goes on.
    let given = "5af3a1d9c1f0427fb2b0a1b4c7d5e0f1";
    let mut command = world.walletctl();
    command.env("TRACEPARENT", format!("00-{given}-00f067aa0ba902b7-01")).args(["balance", "w_1"]);
    run(command, Vec::new()).ok();
    wait_for(
        jaeger,
        given,
        &["walletd GET /v1/wallets/{id}/balance", "walletd balances.balance", "walletd ledger.look"],
    );
}
