//! What is beside the router answers as the router does.

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::{
    config::Environment,
    gateway::{Peer, Source},
};

const BODY_LIMIT: usize = 4_096;

/// The same daemon behind both.
struct Both {
    site: Site,
    router: Router,
    source: Source,
}

/// What of an answer does not depend on when it was asked for.
type Said = (StatusCode, HeaderMap, Value);

async fn said(response: axum::response::Response) -> Said {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let mut value = serde_json::from_slice(&bytes).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.remove("request_id");
    }
    let mut headers = parts.headers;
    // The connection gives it to an answer that lacks it.
    headers.remove("content-length");
    assert!(headers.remove("x-request-id").is_some());
    (parts.status, headers, value)
}

impl Both {
    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // In two pieces, as it may come.
        let pieces = body.as_bytes().split_at(body.len() / 2);
        let pieces =
            [pieces.0, pieces.1].map(|piece| Ok::<_, std::io::Error>(axum::body::Bytes::copy_from_slice(piece)));
        let mut request = request.body(Body::from_stream(futures_util::stream::iter(pieces))).unwrap();
        request.extensions_mut().insert(ConnectInfo(self.source));
        request
    }

    async fn routed(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Said {
        said(self.router.clone().oneshot(self.request(method, path, headers, body)).await.unwrap()).await
    }

    async fn direct(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Said {
        said(self.site.answer(self.source, self.request(method, path, headers, body)).await).await
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// Method, path, headers, body, and the status that comes of it.
type Refused = (&'static str, &'static str, Vec<(&'static str, &'static str)>, String, u16);

fn refused() -> Vec<Refused> {
    let good = || json!({"from": "a", "to": "b", "amount": "1", "asset": "EUR"}).to_string();
    let key = ("idempotency-key", "k");
    let post = |path, headers, body, status| ("POST", path, headers, body, status);
    vec![
        post("/v1/transfers", vec![JSON], good(), 400),
        post("/v1/transfers", vec![JSON, key, key], good(), 400),
        post("/v1/transfers", vec![JSON, ("idempotency-key", "a b")], good(), 400),
        post("/v1/transfers", vec![key], good(), 400),
        post("/v1/transfers", vec![("content-type", "text/plain"), key], good(), 400),
        post("/v1/transfers", vec![JSON, key], "{".into(), 400),
        post("/v1/transfers", vec![JSON, key], String::new(), 400),
        post("/v1/transfers", vec![JSON, key], good().replace("asset", "assets"), 400),
        post("/v1/transfers", vec![JSON, key], good().replace("\"1\"", "\"-1\""), 400),
        post("/v1/transfers", vec![JSON, key], " ".repeat(BODY_LIMIT) + &good(), 413),
        post("/v1/transfers?dry_run=perhaps", vec![JSON, key], good(), 400),
        post("/v1/transfers", vec![JSON, key], good().replace("\"a\"", "\"nobody\""), 404),
        post("/v1/transfers", vec![JSON, key], good().replace("\"1\"", "\"1000\""), 422),
        post("/v1/deposits", vec![JSON, key], good(), 400),
        post("/v1/withdrawals", vec![JSON, key], good(), 400),
        post("/v1/transfers/", vec![JSON, key], good(), 404),
        ("GET", "/v1/transfers", vec![], String::new(), 405),
        ("PUT", "/v1/deposits", vec![JSON, key], good(), 405),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_beside_the_router_answer_as_it_does() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().display().to_string();
    let of_home = [("HOME".into(), home.into())];
    let config = Config::defaults(&Environment::of(of_home.into_iter(), 1000, None)).unwrap();
    let stores = compose::open(&config, Opening::AsItIs).await.unwrap();
    let daemon = Daemon::start(&config, stores, tokio_util::sync::CancellationToken::new()).await.unwrap();
    let (services, edge) = (daemon.services.clone(), daemon.edge.clone());
    let uid = rustix::process::geteuid().as_raw();
    let both = Both {
        site: Site::new(services.clone(), edge.clone(), BODY_LIMIT, Answers::Everything),
        router: gateway::router(services, edge, BODY_LIMIT, Answers::Everything),
        source: Source::Socket(Peer { uid, gid: uid }),
    };
    for id in ["a", "b"] {
        let body = json!({"id": id, "owner": "ann", "asset": "EUR"}).to_string();
        let made = both.direct("POST", "/v1/wallets", &[JSON, ("idempotency-key", id)], &body).await;
        assert_eq!(made.0, 200, "{:?}", made.2);
    }
    for (path, body) in [
        ("/v1/deposits", json!({"to": "a", "amount": "100", "asset": "EUR", "memo": "\"quoted\"", "meta": {"x": "ü"}})),
        ("/v1/transfers", json!({"from": "a", "to": "b", "amount": "10.50", "asset": "EUR"})),
        ("/v1/withdrawals", json!({"from": "b", "amount": "1", "asset": "EUR"})),
    ] {
        let (key, body) = ([JSON, ("idempotency-key", path)], body.to_string());
        let dry = format!("{path}?dry_run=true");
        let planned = both.direct("POST", &dry, &key, &body).await;
        assert_eq!((planned.0, &planned.2["dry_run"]), (StatusCode::OK, &json!(true)), "{:?}", planned.2);
        let made = both.direct("POST", path, &key, &body).await;
        assert_eq!((made.0, &made.2["outcome"]), (StatusCode::OK, &json!("ok")), "{:?}", made.2);
        let again = both.routed("POST", path, &key, &body).await;
        assert_eq!(again.2["outcome"], "replayed");
        assert_eq!(both.direct("POST", path, &key, &body).await, again);
        assert_eq!((&again.1, &again.2["hash"]), (&made.1, &made.2["hash"]));
    }
    for (method, path, headers, body, status) in refused() {
        let routed = both.routed(method, path, &headers, &body).await;
        assert_eq!(routed.0, status, "{method} {path} {headers:?} {body}: {:?}", routed.2);
        assert_eq!(both.direct(method, path, &headers, &body).await, routed);
    }
    drop(both);
    daemon.stop().await;
}
