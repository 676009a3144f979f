//! Forwarding, against an upstream that says what it got.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{Router, extract::Request};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

const TOKEN: &str = "/auth/realms/wallet/protocol/openid-connect/token";
const DEVICE: &str = "/auth/realms/wallet/protocol/openid-connect/auth/device";
const LOGIN: &str = "/auth/realms/wallet/login-actions/authenticate";
const PAGE: &str = "/auth/realms/wallet/device";

/// How long the upstream takes over what is late; below the gateway's time limit.
const LATE: Duration = Duration::from_millis(400);

/// What an answer of the upstream is, by what the request carries.
async fn answer(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    let asked = format!("{}&{text}", parts.uri.query().unwrap_or_default());
    let wants = |word: &str| asked.contains(word);
    if wants("late") {
        tokio::time::sleep(LATE).await;
    }
    if wants("away") {
        return (StatusCode::FOUND, [(header::LOCATION, "https://evil.example/auth/realms/wallet/device")])
            .into_response();
    }
    if wants("onward") {
        let to = "https://wallet.example/auth/realms/wallet/device/status?x=1";
        let cookies = [(header::SET_COOKIE, "a=1"), (header::SERVER, "inner"), (header::LOCATION, to)];
        return (StatusCode::FOUND, cookies).into_response();
    }
    if wants("pending") {
        return (StatusCode::BAD_REQUEST, json!({"error": "authorization_pending"}).to_string()).into_response();
    }
    if wants("wrong") {
        return (StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"}).to_string()).into_response();
    }
    if wants("broken") {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if wants("endless") {
        let piece = || Some((Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1 << 20])), ()));
        return Body::from_stream(futures_util::stream::unfold((), move |()| async move { piece() })).into_response();
    }
    let lines: Vec<_> =
        parts.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    let got = json!({"method": parts.method.as_str(), "uri": parts.uri.to_string(), "headers": lines, "body": text});
    ([(header::CONNECTION, "x-hop"), (header::HeaderName::from_static("x-hop"), "1")], got.to_string()).into_response()
}

/// What the guard saw.
#[derive(Default)]
struct Seen {
    all: Mutex<Vec<String>>,
    refuses: bool,
}

#[async_trait]
impl Guard for Seen {
    async fn admit(&self, attempt: &Attempt<'_>) -> Result<(), Response> {
        assert_ne!(attempt.client, Some(""), "a client without a name is none");
        if !self.refuses {
            return Ok(());
        }
        let mut refusal = Fault::from(Problem::new("rate_limited", "too many")).into_response();
        refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(7));
        Err(refusal)
    }

    async fn ended(&self, attempt: &Attempt<'_>, how: Ended) {
        let Attempt { address, route, client, guesses } = attempt;
        let line = format!("{address} {route:?} {} {guesses} {how:?}", client.unwrap_or("-"));
        self.all.lock().unwrap().push(line);
    }
}

async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    address
}

fn keycloak(address: SocketAddr, guard: &Arc<Seen>) -> Arc<Keycloak> {
    let config = config::Keycloak { url: Some(format!("http://{address}/inner/")), timeout_s: 2, ..Default::default() };
    let keycloak = Keycloak::behind(&config, Some("https://wallet.example")).unwrap().unwrap();
    Arc::new(keycloak.guarded(Arc::clone(guard) as Arc<dyn Guard>))
}

fn remote() -> Remote {
    Remote { address: "192.0.2.7".parse().unwrap(), secure: true }
}

fn form(path: &str, body: &str) -> Request {
    Request::post(path).header("content-type", FORM).body(Body::from(body.to_owned())).unwrap()
}

fn page(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn told(response: Response) -> (u16, HeaderMap, Value) {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let code = response.extensions().get::<Fault>().map(|Fault(problem)| problem.code.clone());
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let value = serde_json::from_slice(&body).unwrap_or_else(|_| json!({"code": code}));
    (status, headers, value)
}

#[tokio::test]
async fn a_page_is_asked_for_with_our_word_on_where_it_comes_from() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    let mut request = page(&format!("{PAGE}?user_code=AB-CD"));
    for (name, value) in [
        ("host", "evil.example"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("connection", "cookie"),
        ("authorization", "Bearer ours"),
        ("accept", "text/html"),
    ] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let (status, headers, got) = told(keycloak.forward(remote(), request).await).await;
    assert_eq!((status, got["method"].as_str().unwrap()), (200, "GET"));
    assert_eq!(got["uri"], "/inner/realms/wallet/device?user_code=AB-CD");
    assert!(!headers.contains_key("x-hop") && !headers.contains_key("connection"), "{headers:?}");
    let mut lines: Vec<_> = got["headers"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    lines.sort_unstable();
    assert!(lines.iter().any(|line| line.starts_with("host: 127.0.0.1:")), "{lines:?}");
    lines.retain(|line| !line.starts_with("host: "));
    assert_eq!(
        lines,
        [
            "accept: text/html",
            "x-forwarded-for: 192.0.2.7",
            "x-forwarded-host: wallet.example",
            "x-forwarded-port: 443",
            "x-forwarded-prefix: /auth",
            "x-forwarded-proto: https",
        ]
    );
}

#[tokio::test]
async fn three_grants_pass_and_are_written_anew() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    for (grant, written) in [
        ("urn:ietf:params:oauth:grant-type:device_code", "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"),
        ("refresh_token", "refresh_token"),
        ("client_credentials", "client_credentials"),
    ] {
        let sent = form(TOKEN, &format!("client%5fid=walletctl&grant_type={grant}&x=a+b"));
        let (status, _, got) = told(keycloak.forward(remote(), sent).await).await;
        assert_eq!(status, 200, "{grant}");
        assert_eq!(got["body"], format!("client_id=walletctl&grant_type={written}&x=a%20b"));
        assert_eq!(got["uri"], "/inner/realms/wallet/protocol/openid-connect/token");
    }
    for grant in [
        "password",
        "authorization_code",
        "implicit",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:openid:params:grant-type:ciba",
        "urn:ietf:params:oauth:grant-type:uma-ticket",
        "Refresh_token",
        "refresh_token ",
        "",
    ] {
        let (status, headers, got) =
            told(keycloak.forward(remote(), form(TOKEN, &format!("grant_type={}", grant.replace(' ', "+")))).await)
                .await;
        assert_eq!((status, got["error"].as_str()), (400, Some("unsupported_grant_type")), "{grant}");
        assert_eq!(headers["content-type"], "application/json");
    }
    for body in ["", "client_id=x", "grant_type", "grant_type=refresh_token&grant_type=password", "grant_type=%zz"] {
        let (status, _, got) = told(keycloak.forward(remote(), form(TOKEN, body)).await).await;
        assert_eq!((status, got["error"].as_str()), (400, Some("invalid_request")), "{body}");
    }
    let (status, _, got) = told(
        keycloak.forward(remote(), form(&format!("{TOKEN}?grant_type=password"), "grant_type=refresh_token")).await,
    )
    .await;
    assert_eq!((status, got["error"].as_str()), (400, Some("invalid_request")));
}

#[tokio::test]
async fn forms_are_bounded_and_are_forms() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    let large = form(TOKEN, &format!("grant_type=refresh_token&x={}", "y".repeat(MAX_FORM)));
    assert_eq!(told(keycloak.forward(remote(), large).await).await.0, 413);
    for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
        let mut other = form(TOKEN, "grant_type=refresh_token");
        other.headers_mut().insert("content-type", kind.parse().unwrap());
        assert_eq!(told(keycloak.forward(remote(), other).await).await.0, 400, "{kind}");
    }
    let mut two = form(LOGIN, "username=x");
    two.headers_mut().append("content-type", "text/plain".parse().unwrap());
    assert_eq!(told(keycloak.forward(remote(), two).await).await.0, 400);
    let long = page(&format!("{PAGE}?user_code={}", "x".repeat(MAX_QUERY)));
    assert_eq!(told(keycloak.forward(remote(), long).await).await.0, 400);
    assert_eq!(told(keycloak.forward(remote(), page("/auth/admin/master/console")).await).await.0, 404);
    assert_eq!(told(keycloak.forward(remote(), page("/auth/realms/wallet/%2e%2e/device")).await).await.0, 400);
    assert_eq!(told(keycloak.forward(remote(), page(TOKEN)).await).await.0, 405);
    assert_eq!(*seen.all.lock().unwrap(), Vec::<String>::new(), "nothing of this reached Keycloak");
}

#[tokio::test]
async fn a_typed_code_becomes_the_link_that_keycloak_takes() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    for (body, location) in [
        ("device_user_code=abcd-efgh", format!("{PAGE}?user_code=abcd-efgh")),
        ("device_user_code=+abcd-efgh+", format!("{PAGE}?user_code=abcd-efgh")),
        ("device_user_code=a%26b", PAGE.to_owned()),
        ("device_user_code=%0d%0aX:y", PAGE.to_owned()),
        ("client_id=walletctl", PAGE.to_owned()),
    ] {
        let (status, headers, _) = told(keycloak.forward(remote(), form(PAGE, body)).await).await;
        assert_eq!((status, headers["location"].to_str().unwrap()), (303, location.as_str()), "{body}");
    }
}

#[tokio::test]
async fn redirects_and_cookies_pass_and_nobody_is_sent_away() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    let (status, headers, _) = told(keycloak.forward(remote(), page(&format!("{LOGIN}?onward"))).await).await;
    assert_eq!(status, 302);
    assert_eq!(headers["location"], "https://wallet.example/auth/realms/wallet/device/status?x=1");
    assert_eq!(headers["set-cookie"], "a=1");
    assert!(!headers.contains_key("server"));
    let (status, headers, got) = told(keycloak.forward(remote(), page(&format!("{LOGIN}?away"))).await).await;
    assert_eq!((status, got["code"].as_str()), (502, Some("bad_gateway")));
    assert!(!headers.contains_key("location"));
}

#[tokio::test]
async fn the_guard_learns_who_tried_what_and_how_it_ended() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    let mut basic = form(TOKEN, "grant_type=client_credentials");
    // cron:job, and the secret s. The scheme's letters may be small (RFC 9110, 11.1).
    basic.headers_mut().insert("authorization", "basic Y3JvbiUzQWpvYjpz".parse().unwrap());
    for request in [
        form(TOKEN, "grant_type=refresh_token&client_id=walletctl&x=wrong"),
        form(TOKEN, "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=walletctl&x=pending"),
        basic,
        form(DEVICE, "client_id=walletctl"),
        form(DEVICE, "client_id=walletctl&x=broken"),
        form(LOGIN, "username=ana&password=onward"),
        form(LOGIN, "username=ana&password=guess"),
        page(&format!("{PAGE}?user_code=X")),
        page(PAGE),
    ] {
        keycloak.forward(remote(), request).await;
    }
    assert_eq!(
        *seen.all.lock().unwrap(),
        [
            "192.0.2.7 Token walletctl false Refused",
            "192.0.2.7 Token walletctl false Polling",
            "192.0.2.7 Token cron:job false Taken",
            "192.0.2.7 Device walletctl false Taken",
            "192.0.2.7 Device walletctl false Unknown",
            "192.0.2.7 Login - true Taken",
            "192.0.2.7 Login - true Refused",
            "192.0.2.7 Code - true Refused",
            "192.0.2.7 Code - false Taken",
        ]
    );
    let refuses = Arc::new(Seen { refuses: true, ..Seen::default() });
    let keycloak = self::keycloak(upstream().await, &refuses);
    let (status, headers, got) = told(keycloak.forward(remote(), form(DEVICE, "client_id=walletctl")).await).await;
    assert_eq!(
        (status, got["code"].as_str(), headers["retry-after"].to_str().unwrap()),
        (429, Some("rate_limited"), "7")
    );
}

#[tokio::test]
async fn a_client_that_goes_away_has_tried_all_the_same() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    let guess = form(TOKEN, "grant_type=client_credentials&client_id=cron&x=late-and-wrong");
    // Not waited for: it is dropped once it has been sent.
    let asked = tokio::time::timeout(LATE / 2, keycloak.forward(remote(), guess)).await;
    assert!(asked.is_err());
    while seen.all.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(*seen.all.lock().unwrap(), ["192.0.2.7 Token cron false Refused"]);
}

#[tokio::test]
async fn a_client_shows_who_it_is_once() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    let mut two = form(TOKEN, "grant_type=client_credentials");
    for pair in ["Basic Y3Jvbjpz", "Basic b3RoZXI6cw=="] {
        two.headers_mut().append("authorization", pair.parse().unwrap());
    }
    let (status, _, got) = told(keycloak.forward(remote(), two).await).await;
    assert_eq!((status, got["error"].as_str()), (400, Some("invalid_request")));
    assert!(seen.all.lock().unwrap().is_empty(), "it was not forwarded");
}

#[tokio::test]
async fn a_keycloak_that_is_away_or_slow_is_a_problem_that_may_be_tried_again() {
    let seen = Arc::new(Seen::default());
    // A port that was free a moment ago, and that nobody listens on.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (status, _, got) = told(keycloak(dead, &seen).forward(remote(), page(PAGE)).await).await;
    assert_eq!((status, got["code"].as_str()), (503, Some("unavailable")));
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = keycloak(silent.local_addr().unwrap(), &seen);
    let (status, _, got) = told(slow.forward(remote(), form(DEVICE, "client_id=walletctl")).await).await;
    assert_eq!((status, got["code"].as_str()), (503, Some("unavailable")));
    let endless = keycloak(upstream().await, &seen).forward(remote(), form(DEVICE, "x=endless")).await;
    assert_eq!(told(endless).await.0, 502);
    assert!(seen.all.lock().unwrap().iter().all(|line| line.ends_with("Unknown")));
}

#[tokio::test]
async fn one_address_has_a_part_of_the_places_and_all_together_have_a_bound() {
    let seen = Arc::new(Seen::default());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let config = config::Keycloak { url: Some(url), timeout_s: 1, request_limit: 4, ..Default::default() };
    let keycloak = Keycloak::behind(&config, Some("https://wallet.example")).unwrap().unwrap();
    let keycloak = Arc::new(keycloak.guarded(Arc::clone(&seen) as Arc<dyn Guard>));
    let ask = |address: &str| {
        let (keycloak, address) = (Arc::clone(&keycloak), address.parse().unwrap());
        tokio::spawn(async move { told(keycloak.forward(Remote { address, secure: true }, page(PAGE)).await).await })
    };
    let mut waiting = vec![ask("192.0.2.1")];
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = ask("192.0.2.1").await.unwrap();
    assert_eq!((second.0, second.2["code"].as_str()), (503, Some("overloaded")));
    waiting.extend([ask("192.0.2.2"), ask("192.0.2.3"), ask("192.0.2.4")]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(ask("192.0.2.5").await.unwrap().2["code"], "overloaded");
    for waiter in waiting {
        assert_eq!(waiter.await.unwrap().2["code"], "unavailable");
    }
    assert_eq!(ask("192.0.2.1").await.unwrap().2["code"], "unavailable");
}
