//! What is in a trace, and what tracing may cost.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, Request},
};
use http_body_util::BodyExt as _;
use opentelemetry::trace::{SpanKind, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Sampling, export::Bounded, exported, spans_layer};
use crate::{
    compose::{self, Daemon, Opening},
    config::{Config, Environment, Traces},
    gateway::{self, Peer, Source},
};

/// The spans of all tests: a subscriber is a process's, traces are told apart by their ids.
static SPANS: LazyLock<InMemorySpanExporter> = LazyLock::new(|| {
    let spans = InMemorySpanExporter::default();
    let provider =
        SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOn).with_simple_exporter(spans.clone()).build();
    let layer = spans_layer(provider.tracer("test"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer)).unwrap();
    // Its spans are wanted until the process ends.
    std::mem::forget(provider);
    spans
});

fn spans() -> Vec<SpanData> {
    SPANS.get_finished_spans().unwrap()
}

fn traces(sample_ratio: f64, client_samples_per_second: u32) -> Traces {
    Traces { url: "http://127.0.0.1:9".into(), sample_ratio, client_samples_per_second, ..Traces::default() }
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
}

fn begin(sampling: &Sampling, pairs: &[(&str, &str)]) -> super::Trace {
    sampling.begin(&headers(pairs), "r-1", || ("GET".into(), "/v1/wallets/{id}".into()))
}

/// A whole daemon behind its router.
struct Whole {
    _dir: TempDir,
    router: Router,
    daemon: Daemon,
}

impl Whole {
    async fn start(traces: Traces) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().display().to_string();
        let mut config =
            Config::defaults(&Environment::of([("HOME".into(), home.into())].into_iter(), 1000, None)).unwrap();
        config.traces = traces;
        let stores = compose::open(&config, Opening::AsItIs).await.unwrap();
        let daemon = Daemon::start(&config, stores, CancellationToken::new()).await.unwrap();
        let router =
            gateway::router(daemon.services.clone(), daemon.edge.clone(), 1 << 20, gateway::Answers::Everything);
        Self { _dir: dir, router, daemon }
    }

    async fn post(&self, path: &str, key: &str, trace: Option<&str>, body: serde_json::Value) -> serde_json::Value {
        let mut request = Request::post(path).header("content-type", "application/json").header("idempotency-key", key);
        if let Some(trace) = trace {
            request = request.header("traceparent", trace);
        }
        let mut request = request.body(Body::from(body.to_string())).unwrap();
        let uid = rustix::process::geteuid().as_raw();
        request.extensions_mut().insert(ConnectInfo(Source::Socket(Peer { uid, gid: uid })));
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// The writer ends when nobody can ask it for anything any more.
    async fn stop(self) {
        drop(self.router);
        self.daemon.stop().await;
    }

    /// Waits until everything that follows the journal has the record.
    async fn followed(&self, seq: u64) {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let status = self.daemon.services.status.status().await.unwrap();
            if status.projections.len() == 4 && status.projections.iter().all(|projection| projection.seq >= seq) {
                return;
            }
            assert!(Instant::now() < until, "{:?}", status.projections);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn wallet(id: &str) -> serde_json::Value {
    serde_json::json!({"id": id, "owner": "ann", "asset": "EUR"})
}

fn deposit(amount: &str) -> serde_json::Value {
    serde_json::json!({"to": "w", "amount": amount, "asset": "EUR"})
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_spans_request_commit_relay_and_every_consumer() {
    LazyLock::force(&SPANS);
    let whole = Whole::start(traces(0.0, 50)).await;
    whole.post("/v1/wallets", "open", None, wallet("w")).await;
    let (id, client) = ("5af3a1d9c1f0427fb2b0a1b4c7d5e001", "00f067aa0ba902b7");
    let posted = whole.post("/v1/deposits", "pay", Some(&format!("00-{id}-{client}-01")), deposit("5")).await;
    let seq = posted["seq"].as_u64().unwrap();
    whole.followed(seq).await;
    whole.stop().await;
    let all = spans();
    let of_trace: Vec<_> = all.iter().filter(|span| span.span_context.trace_id().to_string() == id).collect();
    let named = |name: &str| -> &SpanData {
        let found: Vec<&&SpanData> = of_trace.iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "{name}: {:?}", of_trace.iter().map(|span| &span.name).collect::<Vec<_>>());
        found[0]
    };
    let request = named("POST /v1/deposits");
    assert_eq!((request.parent_span_id.to_string().as_str(), &request.span_kind), (client, &SpanKind::Server));
    let service = named("transactions.submit");
    assert_eq!(service.parent_span_id, request.span_context.span_id());
    let commit = named("ledger.commit");
    assert_eq!(commit.parent_span_id, service.span_context.span_id());
    for follower in ["relay.publish", "wallets.consume", "balances.consume", "audit.consume"] {
        assert_eq!(named(follower).parent_span_id, commit.span_context.span_id(), "{follower}");
    }
    // The batch has a span in a trace of its own, which the commit links to.
    let link = &commit.links.links[0].span_context;
    let batch = all.iter().find(|span| span.span_context.span_id() == link.span_id()).unwrap();
    assert_eq!(batch.name, "ledger.commit batch");
    assert_ne!(batch.span_context.trace_id(), commit.span_context.trace_id());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_not_sampled_makes_no_span_and_keeps_its_trace_id() {
    LazyLock::force(&SPANS);
    let whole = Whole::start(traces(0.0, 0)).await;
    whole.post("/v1/wallets", "open", None, wallet("w")).await;
    let id = "5af3a1d9c1f0427fb2b0a1b4c7d5e002";
    let posted = whole.post("/v1/deposits", "pay", Some(&format!("00-{id}-00f067aa0ba902b7-01")), deposit("5")).await;
    let seq = posted["seq"].as_u64().unwrap();
    let refused = serde_json::json!({"from": "w", "amount": "9", "asset": "EUR"});
    let problem = whole.post("/v1/withdrawals", "no", Some(&format!("00-{id}-00f067aa0ba902b7-01")), refused).await;
    assert_eq!((problem["code"].as_str(), problem["trace_id"].as_str()), (Some("insufficient_funds"), Some(id)));
    whole.followed(seq).await;
    let record = whole.daemon.services.status.records(seq - 1, 1).await.unwrap().remove(0);
    assert_eq!(record.trace.as_deref(), Some(format!("00-{id}-00f067aa0ba902b7-00").as_str()));
    whole.stop().await;
    assert!(spans().iter().all(|span| span.span_context.trace_id().to_string() != id));
}

#[test]
fn wishes_of_clients_are_heard_up_to_a_number_a_second() {
    LazyLock::force(&SPANS);
    let sampling = Sampling::new(&traces(1.0, 5));
    let wish = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let sampled = (0..1_000).filter(|_| !begin(&sampling, &wish).span.is_none()).count();
    assert!((5..=7).contains(&sampled), "{sampled}");
    let beyond = begin(&sampling, &wish);
    assert_eq!(beyond.context.as_deref(), Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"));
    assert_eq!(beyond.id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
}

#[test]
fn a_client_that_does_not_want_to_be_sampled_is_not() {
    LazyLock::force(&SPANS);
    let sampling = Sampling::new(&traces(1.0, 50));
    let trace = begin(&sampling, &[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")]);
    assert!(trace.span.is_none());
}

#[test]
fn requests_without_a_trace_begin_one_by_the_ratio() {
    LazyLock::force(&SPANS);
    let share = |ratio| {
        let sampling = Sampling::new(&traces(ratio, 0));
        (0..10_000).filter(|_| !begin(&sampling, &[]).span.is_none()).count()
    };
    assert_eq!((share(0.0), share(1.0)), (0, 10_000));
    assert!((700..1_300).contains(&share(0.1)));
    let begun = begin(&Sampling::new(&traces(1.0, 0)), &[]);
    assert_eq!(begun.id().map(str::len), Some(32));
    assert!(begin(&Sampling::new(&Traces { url: String::new(), ..traces(1.0, 50) }), &[]).span.is_none());
}

#[test]
fn both_headers_are_understood_and_the_standard_one_holds() {
    LazyLock::force(&SPANS);
    let sampling = Sampling::new(&traces(0.0, 50));
    let jaeger = ("uber-trace-id", "5af3a1d9c1f0427fb2b0a1b4c7d5e003:00f067aa0ba902b7:0:1");
    let w3c = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let (one, both) = (begin(&sampling, &[jaeger]), begin(&sampling, &[jaeger, w3c]));
    assert!(!one.span.is_none() && !both.span.is_none());
    assert_eq!(one.id(), Some("5af3a1d9c1f0427fb2b0a1b4c7d5e003"));
    assert_eq!(both.id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    let broken = begin(&sampling, &[jaeger, ("traceparent", "00-0-0-0")]);
    assert_eq!(broken.id(), Some("5af3a1d9c1f0427fb2b0a1b4c7d5e003"));
    assert_eq!(begin(&sampling, &[("uber-trace-id", "nonsense")]).id(), None);
}

#[test]
fn only_a_good_traceparent_is_taken() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(super::sampling::parsed(good).as_ref().map(super::spans::written).as_deref(), Some(good));
    assert!(super::sampling::parsed(&format!("cc{}-further", &good[2..])).is_some(), "a later version may say more");
    for bad in [
        "",
        "00-0-0-0",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
    ] {
        assert!(super::sampling::parsed(bad).is_none(), "{bad}");
    }
}

#[test]
fn a_dead_collector_costs_the_spans_and_nothing_else() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let provider = super::export::provider(&Traces { url: format!("http://{closed}"), ..Traces::default() }).unwrap();
    let tracer = provider.tracer("test");
    let (started, dropped) = (Instant::now(), exported().dropped());
    for _ in 0..10 {
        drop(tracer.start("lost"));
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    provider.force_flush().unwrap();
    assert_eq!(exported().dropped() - dropped, 10);
    super::export::end(&provider);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}

#[test]
fn spans_reach_a_collector_as_otlp() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let collector = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&seen).contains("a span to be sent") {
            let read = stream.read(&mut buffer).unwrap();
            seen.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&seen).into_owned()
    });
    let provider =
        super::export::provider(&Traces { url, service_name: "w-test".into(), ..Traces::default() }).unwrap();
    let sent = exported().sent();
    drop(provider.tracer("test").start("a span to be sent"));
    super::export::end(&provider);
    let seen = collector.join().unwrap();
    assert!(seen.starts_with("POST /v1/traces HTTP/1.1\r\n") && seen.contains("w-test"), "{seen}");
    assert_eq!(exported().sent() - sent, 1);
}

/// An exporter whose collector does not answer until the lock is free.
#[derive(Debug)]
struct Stuck(Arc<std::sync::Mutex<()>>);

impl SpanExporter for Stuck {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        drop(self.0.lock());
        Ok(())
    }
}

#[test]
fn what_finds_the_queue_full_is_dropped_at_once_and_counted() {
    let (lock, figures) = (Arc::new(std::sync::Mutex::new(())), Arc::new(super::Exported::default()));
    let held = lock.lock().unwrap();
    let processor = Bounded::new(Stuck(Arc::clone(&lock)), Arc::clone(&figures));
    let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
    let tracer = provider.tracer("test");
    let started = Instant::now();
    for _ in 0..6_000 {
        drop(tracer.start("one of many"));
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(figures.dropped(), 6_000 - 4_096);
    drop(held);
    provider.force_flush().unwrap();
    super::export::end(&provider);
    assert_eq!(figures.sent(), 4_096);
}
