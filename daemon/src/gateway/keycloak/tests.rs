//! Forwarding, against an upstream that says what it got.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{
    Router,
    body::to_bytes,
    http::{StatusCode, request::Builder},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Semaphore};

use super::{outgoing::MAX_FORM, *};

const TOKEN: &str = "/auth/realms/wallet/protocol/openid-connect/token";
const DEVICE: &str = "/auth/realms/wallet/protocol/openid-connect/auth/device";
const LOGIN: &str = "/auth/realms/wallet/login-actions/authenticate";
const PAGE: &str = "/auth/realms/wallet/device";
const SHEET: &str = "/auth/resources/v/login/keycloak.v2/css/large.css";
/// The size of [`SHEET`].
const LARGE_SHEET: usize = 3 << 20;

/// Lets go of the requests that the upstream holds because their body has the word `held`, each once.
static RELEASED: Semaphore = Semaphore::const_new(0);
/// Has one for each of them that has come.
static HELD: Semaphore = Semaphore::const_new(0);

/// What an answer of the upstream is, by what the request carries.
async fn answer(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    let asked = format!("{}&{text}", parts.uri.query().unwrap_or_default());
    let wants = |word: &str| asked.contains(word);
    if parts.uri.path().ends_with("large.css") {
        return vec![b'x'; LARGE_SHEET].into_response();
    }
    if wants("held") {
        HELD.add_permits(1);
        RELEASED.acquire().await.unwrap().forget();
        return (StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"}).to_string()).into_response();
    }
    if wants("one-more-step") {
        return "<form><input type=text name=\"otp\"></form>".into_response();
    }
    if wants("away") {
        return (
            StatusCode::FOUND,
            [(header::LOCATION, "https://evil.example/auth/realms/wallet/device?session_code=SECRET")],
        )
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
    deaf: bool,
}

impl Seen {
    fn lines(&self) -> Vec<String> {
        self.all.lock().unwrap().clone()
    }
}

#[async_trait]
impl Guard for Seen {
    async fn listens(&self, attempt: &Attempt<'_>) -> Result<(), Response> {
        assert_eq!(attempt.client, None, "its form was not read yet");
        if self.deaf { Err(Fault::from(Problem::new("rate_limited", "too many")).into_response()) } else { Ok(()) }
    }

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
    Arc::new(unshared(address, guard))
}

fn unshared(address: SocketAddr, guard: &Arc<Seen>) -> Keycloak {
    let config = config::Keycloak { url: Some(format!("http://{address}/inner/")), timeout_s: 2, ..Default::default() };
    let keycloak = Keycloak::behind(&config, Some("https://wallet.example")).unwrap().unwrap();
    keycloak.guarded(Arc::clone(guard) as Arc<dyn Guard>)
}

fn remote() -> Remote {
    from("192.0.2.7")
}

fn from(address: &str) -> Remote {
    Remote { address: address.parse().unwrap(), secure: true }
}

/// A form that begins, and never comes.
fn pending(path: &str) -> Request {
    let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    sends_form(path).body(never).unwrap()
}

fn sends_form(path: &str) -> Builder {
    Request::post(path).header("content-type", FORM)
}

fn form(path: &str, body: &str) -> Request {
    sends_form(path).body(Body::from(body.to_owned())).unwrap()
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
        ("accept-encoding", "gzip"),
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
    let (status, _, got) = told(keycloak.forward(remote(), large).await).await;
    assert_eq!((status, got["code"].as_str()), (413, Some("too_large")));
    let pieces = [Ok(Bytes::from_static(b"grant_type=")), Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof))];
    let cut = sends_form(TOKEN).body(Body::from_stream(futures_util::stream::iter(pieces))).unwrap();
    let (status, _, got) = told(keycloak.forward(remote(), cut).await).await;
    assert_eq!((status, got["code"].as_str()), (400, Some("invalid_request")), "too large is something else");
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
    for (request, allow) in [(page(TOKEN), "POST"), (form(SHEET, "x=y"), "GET")] {
        let (status, headers, _) = told(keycloak.forward(remote(), request).await).await;
        assert_eq!((status, headers["allow"].to_str().unwrap()), (405, allow));
    }
    let patch = Request::patch(PAGE).body(Body::empty()).unwrap();
    assert_eq!(told(keycloak.forward(remote(), patch).await).await.1["allow"], "GET, POST");
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
    // cron:job, and the secret s; the scheme is written as one likes.
    let basic = |scheme: &str| {
        let mut basic = form(TOKEN, "grant_type=client_credentials");
        basic.headers_mut().insert("authorization", format!("{scheme} Y3JvbiUzQWpvYjpz").parse().unwrap());
        basic
    };
    for request in [
        form(TOKEN, "grant_type=refresh_token&client_id=walletctl&x=wrong"),
        form(TOKEN, "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=walletctl&x=pending"),
        basic("Basic"),
        basic("basic"),
        basic("BASIC"),
        form(DEVICE, "client_id=walletctl"),
        form(DEVICE, "client_id=walletctl&x=broken"),
        form(LOGIN, "username=ana&password=onward"),
        form(LOGIN, "username=ana&password=guess"),
        form(LOGIN, "username=ana&password=one-more-step"),
        form(LOGIN, "otp=one-more-step"),
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
            "192.0.2.7 Token cron:job false Taken",
            "192.0.2.7 Token cron:job false Taken",
            "192.0.2.7 Device walletctl false Taken",
            "192.0.2.7 Device walletctl false Unknown",
            "192.0.2.7 Login - true Taken",
            "192.0.2.7 Login - true Refused",
            "192.0.2.7 Login - true Taken",
            "192.0.2.7 Login - true Refused",
            "192.0.2.7 Code - true Refused",
            "192.0.2.7 Code - false Taken",
        ]
    );
    let refuses = Arc::new(Seen { refuses: true, ..Seen::default() });
    let (status, headers, got) =
        told(self::keycloak(upstream().await, &refuses).forward(remote(), form(DEVICE, "client_id=walletctl")).await)
            .await;
    assert_eq!(
        (status, got["code"].as_str(), headers["retry-after"].to_str().unwrap()),
        (429, Some("rate_limited"), "7")
    );
}

#[tokio::test]
async fn what_is_looked_into_comes_uncompressed_and_forms_have_no_charset() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    let lines = |got: &Value| got["headers"].to_string();
    for (path, body) in [(TOKEN, "grant_type=refresh_token"), (DEVICE, "x=y"), (LOGIN, "otp=1")] {
        let mut sent = form(path, body);
        sent.headers_mut().insert("accept-encoding", "gzip, br".parse().unwrap());
        sent.headers_mut().insert("content-type", format!("{FORM}; charset=utf-16").parse().unwrap());
        let (_, _, got) = told(keycloak.forward(remote(), sent).await).await;
        let lines = lines(&got);
        assert!(!lines.contains("accept-encoding") && !lines.contains("utf-16") && lines.contains(FORM), "{lines}");
    }
    let mut image = page("/auth/resources/v/login/keycloak.v2/img/logo.png");
    image.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    let (_, _, got) = told(keycloak.forward(remote(), image).await).await;
    assert!(lines(&got).contains("accept-encoding: gzip"), "nobody looks into these: {got}");
}

#[tokio::test]
async fn forms_that_do_not_come_take_no_place_of_others_and_none_of_their_address_but_for_forms() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    let part = part(config::Keycloak::default().request_limit);
    let slow: Vec<_> = (0..part)
        .map(|_| {
            let keycloak = Arc::clone(&keycloak);
            tokio::spawn(async move { keycloak.forward(remote(), pending(TOKEN)).await.status() })
        })
        .collect();
    while keycloak.forms.take(remote().address).is_some() {
        tokio::task::yield_now().await;
    }
    let (status, _, got) = told(keycloak.forward(remote(), form(TOKEN, "grant_type=refresh_token")).await).await;
    assert_eq!((status, got["code"].as_str()), (503, Some("overloaded")));
    assert_eq!(keycloak.forward(remote(), page(PAGE)).await.status(), 200, "it reads on");
    let elsewhere = keycloak.forward(from("192.0.2.8"), form(TOKEN, "grant_type=refresh_token")).await;
    assert_eq!(elsewhere.status(), 200);
    for form in slow {
        assert_eq!(form.await.unwrap(), 408);
    }
    assert_eq!(keycloak.forward(remote(), form(TOKEN, "grant_type=refresh_token")).await.status(), 200);
}

#[tokio::test]
async fn an_address_that_is_not_listened_to_is_told_before_its_form_is_read() {
    let seen = Arc::new(Seen { deaf: true, ..Seen::default() });
    let keycloak = keycloak(upstream().await, &seen);
    for path in [TOKEN, DEVICE, LOGIN] {
        // It would be waited for, and then it would be 408.
        assert_eq!(keycloak.forward(remote(), pending(path)).await.status(), 429, "{path}");
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_keep_nobody_from_signing_in() {
    let seen = Arc::new(Seen::default());
    let address = upstream().await;
    let keycloak = Arc::new(Keycloak { reading: Duration::from_hours(1), ..unshared(address, &seen) });
    let mut unread = Vec::new();
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"] {
        for _ in 0..part(LARGE) {
            let answer = keycloak.forward(from(address), page(SHEET)).await;
            assert_eq!(answer.status(), 200, "{address}");
            unread.push(answer);
        }
        assert_eq!(keycloak.forward(from(address), page(SHEET)).await.status(), 503, "{address} has its part");
        // Whoever does not read style sheets may sign in all the same.
        for request in [form(TOKEN, "grant_type=refresh_token"), form(LOGIN, "onward=1"), page(PAGE)] {
            assert!(keycloak.forward(from(address), request).await.status().as_u16() < 400);
        }
    }
    let other = from("192.0.2.9");
    assert_eq!(keycloak.forward(other, page(PAGE)).await.status(), 200);
    assert_eq!(keycloak.forward(other, page(SHEET)).await.status(), 503, "as many are unread as may be");
    for answer in unread {
        assert_eq!(to_bytes(answer.into_body(), usize::MAX).await.unwrap().len(), LARGE_SHEET);
    }
    let answer = keycloak.forward(other, page(SHEET)).await;
    assert_eq!(answer.headers().get("content-length"), None, "whoever sends it counts");
    assert_eq!(to_bytes(answer.into_body(), usize::MAX).await.unwrap().len(), LARGE_SHEET);

    // Its time is over though nobody asks for another byte.
    let hasty = Arc::new(Keycloak { reading: Duration::ZERO, ..unshared(address, &seen) });
    let answer = hasty.forward(other, page(SHEET)).await;
    let all_are_free = || {
        let places: Vec<_> = (0..part(LARGE)).map(|_| hasty.large.take(other.address)).collect();
        places.iter().all(Result::is_ok)
    };
    while !all_are_free() {
        tokio::task::yield_now().await;
    }
    assert!(to_bytes(answer.into_body(), usize::MAX).await.is_err());
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
    assert!(seen.lines().is_empty(), "it was not forwarded");
}

#[tokio::test]
async fn a_client_that_goes_away_has_tried_all_the_same() {
    let seen = Arc::new(Seen::default());
    let keycloak = keycloak(upstream().await, &seen);
    let forwarding = Arc::clone(&keycloak);
    let client = tokio::spawn(async move {
        forwarding.forward(remote(), form(TOKEN, "grant_type=refresh_token&client_id=walletctl&x=held")).await
    });
    HELD.acquire().await.unwrap().forget();
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    assert!(seen.lines().is_empty());
    RELEASED.add_permits(1);
    while seen.lines().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(seen.lines(), ["192.0.2.7 Token walletctl false Refused"]);
}

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_says_once_that_keycloak_is_away_and_never_what_was_asked() {
    let log = Log::default();
    let lines = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || lines.clone()).with_ansi(false).finish();
    let _default = tracing::subscriber::set_default(subscriber);
    let seen = Arc::new(Seen::default());
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = keycloak(dead, &seen);
    for number in 0..20 {
        let asked = page(&format!("{PAGE}?user_code=SECRET-{number}"));
        assert_eq!(away.forward(remote(), asked).await.status(), 503);
    }
    let astray = keycloak(upstream().await, &seen);
    for _ in 0..20 {
        let asked = page(&format!("{LOGIN}?away&session_code=SECRET"));
        assert_eq!(astray.forward(remote(), asked).await.status(), 502);
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("count=1") && text.contains("https://evil.example/auth/realms/wallet/device"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("WARN")).count(), 2, "{text}");
    for secret in ["SECRET", "user_code", "session_code"] {
        assert!(!text.contains(secret), "{text}");
    }
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
