//! What is documented is there, and what is there is documented.

use std::{collections::BTreeMap, time::Duration};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;
use wallet_api::types::{CutView, Projection, Status};
use wallet_core::ports::StoreError;

use super::*;

fn looked() -> Looked {
    let cut = CutView { epoch: 1, seq: 7, recorded_at: String::new(), hash: String::new() };
    let projection = Projection { name: "audit".into(), seq: 5, lag: 2, error: None };
    let status = Status {
        version: "1".into(),
        state: "serving".into(),
        pid: 1,
        ledger_id: "l".into(),
        cut,
        now: String::new(),
        uptime_s: 3,
        queued: 0,
        projections: vec![projection],
        stores: BTreeMap::new(),
    };
    Looked { status: Some(status), cache_position: Some(6), queued: 4, relay_leads: true, limits_shared: Some(false) }
}

fn metrics() -> Metrics {
    let http = Arc::new(Http::new([("/v1/wallets/{id}".to_owned(), "GET")]));
    http.answered(Some("/v1/wallets/{id}"), "GET", 200, Duration::from_millis(3), None);
    http.answered(Some("/v1/wallets/{id}"), "GET", 404, Duration::from_millis(1), Some("unknown_wallet"));
    http.answered(None, "BREW", 418, Duration::from_mins(1), None);
    http.limited.one("address");
    http.limited.one("sign_in");
    http.limited.one("address");
    let commits = Arc::new(Commits::default());
    commits.ended(20, Duration::from_millis(2), &Ok(Vec::new()));
    commits.ended(1, Duration::from_millis(2), &Err(StoreError::unavailable("ledger", "down")));
    let mut pools = Pools::default();
    pools.add("ledger", || PoolUse { limit: 16, open: 5, in_use: 2, waiting: 1 });
    Metrics::new(Sources {
        http,
        commits,
        cache: Arc::default(),
        access: Arc::default(),
        spans: Arc::default(),
        pools,
        look: Arc::new(|| Box::pin(async { looked() })),
    })
}

/// The names and types of an answer.
fn named(text: &str) -> BTreeMap<String, String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[tokio::test]
async fn every_documented_name_is_there_and_every_name_is_documented() {
    let document = include_str!("../../docs/metrics.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `walletd_"));
    let documented: BTreeMap<_, _> = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let name = cells[0].trim_end_matches('`').split('{').next().unwrap();
            let base = name.strip_suffix("_total").or(name.strip_suffix("_info")).unwrap_or(name);
            assert!(cells[1..4].iter().all(|cell| !cell.is_empty()), "{row}: type, unit and meaning");
            (format!("walletd_{base}"), cells[1].to_owned())
        })
        .collect();
    assert_eq!(named(&metrics().text().await.unwrap()), documented);
}

#[tokio::test]
async fn figures_have_their_values_and_labels() {
    let text = metrics().text().await.unwrap();
    for line in [
        "walletd_ledger_up 1",
        "walletd_ledger_head_seq 7",
        "walletd_projection_lag_records{projection=\"audit\"} 2",
        "walletd_queue_commands 4",
        "walletd_commits_total{result=\"failed\"} 1",
        "walletd_commit_commands_bucket{le=\"10.0\"} 1",
        "walletd_commit_commands_bucket{le=\"20.0\"} 2",
        "walletd_commit_duration_seconds_bucket{le=\"0.0025\"} 2",
        "walletd_commit_duration_seconds_sum 0.004",
        "walletd_commit_duration_seconds_count 2",
        "walletd_http_requests_total{method=\"GET\",route=\"/v1/wallets/{id}\",status=\"404\"} 1",
        "walletd_http_requests_total{method=\"any\",route=\"none\",status=\"other\"} 1",
        "walletd_http_problems_total{code=\"unknown_wallet\"} 1",
        "walletd_pool_connections{store=\"ledger\",state=\"idle\"} 3",
        "walletd_pool_waiting{store=\"ledger\"} 1",
        "walletd_cache_position_seq 6",
        "walletd_rate_limited_total{limit=\"address\"} 2",
        "walletd_rate_limited_total{limit=\"sign_in\"} 1",
        "walletd_rate_limits_shared 0",
        "walletd_access_events_total{kind=\"access_forbidden\"} 0",
    ] {
        assert!(text.lines().any(|there| there == line), "{line} is missing in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_ledger_that_does_not_answer_is_seen_and_the_rest_still_told() {
    let mut sources = metrics();
    sources = Metrics::new(Sources {
        look: Arc::new(|| Box::pin(async { Looked { queued: 9, ..Looked::default() } })),
        http: Arc::new(Http::new([])),
        commits: Arc::default(),
        cache: Arc::default(),
        access: Arc::default(),
        spans: Arc::default(),
        pools: {
            drop(sources);
            Pools::default()
        },
    });
    let text = sources.text().await.unwrap();
    assert!(text.contains("walletd_ledger_up 0\n") && text.contains("walletd_queue_commands 9\n"), "{text}");
    assert!(!text.contains("walletd_ledger_head_seq 0"), "{text}");
}

#[tokio::test]
async fn the_listener_answers_only_for_metrics_until_it_is_stopped() {
    let stop = CancellationToken::new();
    let address = serve("127.0.0.1:0".parse().unwrap(), metrics(), stop.clone()).await.unwrap();
    let ask = async |path: &str| {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = ask("/metrics").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("application/openmetrics-text"), "{answer}");
    assert!(ask("/v1/status").await.unwrap().starts_with("HTTP/1.1 404"));
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), async { while ask("/metrics").await.is_ok() {} }).await.unwrap();
}
