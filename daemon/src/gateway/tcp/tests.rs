//! The listener with handlers of its own, and clients that do not do what they should.

use std::{pin::pin, time::Instant};

use axum::{
    Json, Router,
    extract::Request,
    response::IntoResponse as _,
    routing::{get, post},
};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
};

use super::*;
use crate::gateway::{extract::Body, fault::Fault};

/// Longer than any limit that is tried here, much shorter than the usual ones.
const PATIENCE: Duration = Duration::from_secs(20);
/// The time limits that are tried.
const SHORT: u64 = 1;

struct Running {
    address: SocketAddr,
    soft: CancellationToken,
    served: JoinHandle<()>,
    /// What `/held` holds as long as it runs, which is for ever.
    held: Arc<Semaphore>,
}

fn limits() -> config::Gateway {
    config::Gateway {
        head_timeout_s: SHORT,
        body_timeout_s: SHORT,
        idle_timeout_s: SHORT,
        ..config::Gateway::default()
    }
}

fn start(limits: &config::Gateway) -> Running {
    start_with(limits, Duration::from_secs(3 * SHORT))
}

fn start_with(limits: &config::Gateway, request_timeout: Duration) -> Running {
    let held = Arc::new(Semaphore::new(1));
    let holds = Arc::clone(&held);
    let waits_for_ever = || async move {
        let _held = holds.acquire().await;
        std::future::pending::<()>().await;
    };
    let router = Router::new()
        .route("/held", get(waits_for_ever))
        .route("/", get(|| async { "here" }))
        .route("/json", post(|Body(value): Body<Value>| async move { Json(value) }))
        .route(
            "/slow",
            get(|| async {
                tokio::time::sleep(Duration::from_millis(700)).await;
                "slow"
            }),
        )
        .route(
            "/endless",
            get(|| async {
                let pieces = futures_util::stream::repeat_with(|| Ok::<_, io::Error>(vec![b'x'; 64 << 10]));
                axum::body::Body::from_stream(pieces)
            }),
        )
        .route(
            "/fault",
            get(|request: Request| async move {
                match request.extensions().get::<Fault>() {
                    Some(fault) => fault.clone().into_response(),
                    None => "no fault".into_response(),
                }
            }),
        );
    let tcp = Tcp::bind("127.0.0.1:0".parse().unwrap(), limits, None).unwrap();
    let (address, soft) = (tcp.address(), CancellationToken::new());
    let served = tokio::spawn(tcp.serve(router, request_timeout, Arc::new(Http::new(Vec::new())), soft.clone()));
    Running { address, soft, served, held }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn sends(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn stops(self) {
        self.soft.cancel();
        tokio::time::timeout(PATIENCE, self.served).await.unwrap().unwrap();
    }
}

/// Everything until the connection ends, and how long that took.
async fn rest(mut stream: TcpStream) -> (String, Duration) {
    let begin = Instant::now();
    let mut bytes = Vec::new();
    // A connection that is cut has ended as well.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection stays open");
    (String::from_utf8_lossy(&bytes).into_owned(), begin.elapsed())
}

const HEAD: &str = "POST /json HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n";

#[tokio::test]
async fn a_body_that_stops_coming_is_answered_and_cut_off() {
    let running = start(&limits());
    let (answer, took) = rest(running.sends(&format!("{HEAD}{{\"a\":")).await).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(took < Duration::from_secs(3 * SHORT), "{took:?}");
    running.stops().await;
}

#[tokio::test]
async fn a_body_that_dribbles_has_a_limit_as_a_whole() {
    let running = start(&limits());
    let mut stream = running.sends(HEAD).await;
    let begin = Instant::now();
    let mut answer = Vec::new();
    while answer.is_empty() && begin.elapsed() < PATIENCE {
        if stream.write_all(b" ").await.is_err() {
            break;
        }
        let mut piece = [0; 4_096];
        let more = tokio::time::timeout(Duration::from_millis(400), stream.read(&mut piece)).await;
        answer.extend_from_slice(&piece[..more.map_or(0, |read| read.unwrap_or(0))]);
    }
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 408 "), "{}", answer.escape_ascii());
    running.stops().await;
}

#[tokio::test]
async fn a_head_must_come_in_time_the_first_and_later_ones() {
    let running = start(&limits());
    for begun in ["", "G", "GET / HTTP/1.1\r\nhost: x\r\n", "PRI * HTTP/2.0\r\n"] {
        let (answer, took) = rest(running.sends(begun).await).await;
        assert_eq!(answer, "", "{begun:?}");
        assert!(took < Duration::from_secs(3 * SHORT), "{begun:?}: {took:?}");
    }
    let patient = start(&config::Gateway { idle_timeout_s: 600, ..limits() });
    let mut stream = patient.sends("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = [0; 512];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].ends_with(b"here"));
    stream.write_all(b"GET / HT").await.unwrap();
    let (answer, took) = rest(stream).await;
    assert!(answer.is_empty() && took < Duration::from_secs(5 * SHORT), "{took:?}: {answer}");
    patient.stops().await;
    running.stops().await;
}

#[tokio::test]
async fn a_connection_on_which_nothing_happens_is_closed_and_one_that_is_used_is_kept() {
    let running = start(&limits());
    let mut stream = running.connect().await;
    for _ in 0..4 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 512];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(answer[..read].ends_with(b"here"), "{}", answer[..read].escape_ascii());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let (answer, _) = rest(stream).await;
    assert_eq!(answer, "");
    running.stops().await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_does_not_keep_its_connection() {
    let running = start(&limits());
    let mut stream = running.sends("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let begin = Instant::now();
    // A byte to a connection that has ended is answered by a reset, which the next one meets.
    while stream.write_all(b"G").await.is_ok() {
        assert!(begin.elapsed() < PATIENCE, "the connection stays open");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.stops().await;
}

#[tokio::test]
async fn an_address_has_its_share_of_connections_and_gets_it_back() {
    let running = start(&config::Gateway { connections_per_address: 2, head_timeout_s: 60, ..limits() });
    let held = [running.connect().await, running.connect().await];
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (answer, _) = rest(running.connect().await).await;
    assert_eq!(answer, "");
    drop(held);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (answer, _) = rest(running.sends("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await).await;
    assert!(answer.ends_with("here"), "{answer}");
    running.stops().await;
}

#[tokio::test]
async fn what_runs_for_a_client_ends_when_the_client_leaves() {
    let running = start(&config::Gateway { idle_timeout_s: 600, ..limits() });
    let client = running.sends("GET /held HTTP/1.1\r\nhost: x\r\n\r\n").await;
    while running.held.available_permits() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(client);
    tokio::time::timeout(PATIENCE, running.held.acquire()).await.unwrap().unwrap().forget();
    running.stops().await;
}

#[tokio::test]
async fn a_request_has_one_host_that_is_one() {
    let running = start(&limits());
    for (lines, refused) in [
        ("host: x\r\n", false),
        ("host: x:8420\r\n", false),
        ("", true),
        ("host: x\r\nhost: y\r\n", true),
        ("host: a@x\r\n", true),
        ("host: x/y\r\n", true),
        ("host:\r\n", true),
        ("host: \u{e9}\r\n", true),
    ] {
        let text = format!("GET /fault HTTP/1.1\r\n{lines}connection: close\r\n\r\n");
        let (answer, _) = rest(running.sends(&text).await).await;
        assert_eq!(answer.starts_with("HTTP/1.1 400 "), refused, "{lines:?}: {answer}");
    }
    running.stops().await;
}

#[tokio::test]
async fn more_requests_than_may_run_are_told_so_at_once() {
    let running = start(&config::Gateway { request_limit: 1, ..limits() });
    let slow = running.sends("GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let again = || running.sends("GET /fault HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(rest(again().await).await.0.starts_with("HTTP/1.1 503 "));
    assert!(rest(slow).await.0.ends_with("slow"));
    assert!(rest(again().await).await.0.ends_with("no fault"));
    running.stops().await;
}

#[tokio::test]
async fn an_address_has_its_share_of_the_requests_that_run_and_a_proxy_that_names_none_is_free() {
    let own = config::Gateway { requests_per_address: 1, body_timeout_s: 60, ..limits() };
    let trusting = config::Gateway { trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()], ..own.clone() };
    let (one, another) = ("x-forwarded-for: 192.0.2.1\r\n", "x-forwarded-for: 192.0.2.2\r\n");
    for (limits, headers, other, refused) in [
        (&own, "", "", true),
        (&trusting, "", "", false),
        (&trusting, one, one, true),
        (&trusting, one, another, false),
    ] {
        let running = start_with(limits, Duration::from_mins(1));
        let mut held = running.sends(&HEAD.replace("host: x\r\n", &format!("host: x\r\n{headers}"))).await;
        let asks = async |headers: &str| {
            let ask = format!("GET /fault HTTP/1.1\r\nhost: x\r\n{headers}connection: close\r\n\r\n");
            rest(running.sends(&ask).await).await.0
        };
        // It is on its way to the daemon.
        while refused && !asks(other).await.starts_with("HTTP/1.1 503 ") {}
        assert!(refused || asks(other).await.ends_with("no fault"), "{headers:?} {other:?}");
        held.write_all(b"12345678901234567890").await.unwrap();
        let mut answer = [0; 512];
        assert!(held.read(&mut answer).await.unwrap() > 0);
        while !asks(headers).await.ends_with("no fault") {}
        running.stops().await;
    }
}

#[tokio::test]
async fn the_end_waits_for_what_runs_and_for_those_who_had_connected() {
    let running = start(&config::Gateway { idle_timeout_s: 60, head_timeout_s: 60, ..limits() });
    let slow = running.sends("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let idle = running.connect().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let address = running.address;
    running.soft.cancel();
    let begin = Instant::now();
    // Its request is on the way when the end begins.
    let mut late = idle;
    late.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let (answer, _) = rest(late).await;
    assert!(answer.contains("connection: close") && answer.ends_with("here"), "{answer}");
    let (answer, _) = rest(slow).await;
    assert!(answer.contains("connection: close") && answer.ends_with("slow"), "{answer}");
    tokio::time::timeout(PATIENCE, running.served).await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn http2_ends_with_a_goaway_and_what_runs_is_answered() {
    let running = start(&config::Gateway { idle_timeout_s: 60, ..limits() });
    let io = TokioIo::new(running.connect().await);
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = tokio::spawn(connection);
    let ask = |path: &str| {
        hyper::Request::get(format!("http://wallet.example{path}")).body(Empty::<bytes::Bytes>::new()).unwrap()
    };
    let first = client.send_request(ask("/")).await.unwrap();
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "here");
    let mut slow = pin!(client.send_request(ask("/slow")));
    let early = tokio::time::timeout(Duration::from_millis(200), slow.as_mut()).await;
    assert!(early.is_err());
    running.soft.cancel();
    let answer = slow.await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "slow");
    // The connection ends without an error: it was told.
    tokio::time::timeout(PATIENCE, connection).await.unwrap().unwrap().unwrap();
    tokio::time::timeout(PATIENCE, running.served).await.unwrap().unwrap();
}

#[tokio::test]
async fn between_two_requests_of_http2_other_frames_begin_no_head() {
    let running = start(&config::Gateway { idle_timeout_s: 60, ..limits() });
    let io = TokioIo::new(running.connect().await);
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(Duration::from_millis(100)).keep_alive_while_idle(true);
    let (mut client, connection) = builder.handshake(io).await.unwrap();
    let connection = tokio::spawn(connection);
    for _ in 0..2 {
        let ask = hyper::Request::get("http://wallet.example/").body(Empty::<bytes::Bytes>::new()).unwrap();
        let answer = client.send_request(ask).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "here");
        // Longer than a head may take, and pings all the while.
        tokio::time::sleep(Duration::from_secs(2 * SHORT)).await;
    }
    drop(client);
    tokio::time::timeout(PATIENCE, connection).await.unwrap().unwrap().unwrap();
    running.stops().await;
}

#[tokio::test]
async fn an_unused_http2_connection_is_closed() {
    let running = start(&limits());
    let io = TokioIo::new(running.connect().await);
    let (client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<bytes::Bytes>>(TokioExecutor::new(), io).await.unwrap();
    // Whichever side notices first.
    let _ended = tokio::time::timeout(PATIENCE, connection).await.unwrap();
    drop(client);
    running.stops().await;
}
