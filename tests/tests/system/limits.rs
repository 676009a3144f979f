//! Rate limits as callers on TCP meet them, and what the audit trail keeps of refused attempts.
//!
//! Clients bind their end of a connection to different addresses of 127/8, so that one machine is several callers. No
//! assertion is about time: the latencies are printed, for daemon/docs/performance.md.

use std::{
    collections::{BTreeSet, HashMap},
    io::{Read as _, Write as _},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp, jwk::Jwk};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use crate::harness::{Daemon, World, run, signal, tool, until};

/// Made by openssl for tests; nothing else knows or trusts it.
const KEY: &[u8] = include_bytes!("../../../daemon/src/services/identity/tests/keys/p256.pem");

/// An issuer that publishes one key and answers as long as the test runs.
struct Issuer {
    url: String,
}

impl Issuer {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut key = serde_json::to_value(
            Jwk::from_encoding_key(&EncodingKey::from_ec_pem(KEY).unwrap(), Algorithm::ES256).unwrap(),
        )
        .unwrap();
        (key["kid"], key["use"]) = (json!("p256"), json!("sig"));
        let documents = HashMap::from([
            ("/.well-known/openid-configuration", json!({"issuer": url, "jwks_uri": format!("{url}/certs")})),
            ("/certs", json!({"keys": [key]})),
        ]);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default();
                let body = documents.get(path).map(Value::to_string).unwrap_or_default();
                let status = if body.is_empty() { "404 Not Found" } else { "200 OK" };
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { url }
    }

    /// A token of an operator.
    fn token(&self, client: &str) -> String {
        let now = get_current_timestamp();
        let header = Header { kid: Some("p256".into()), typ: Some("JWT".into()), ..Header::new(Algorithm::ES256) };
        let claims = json!({
            "iss": self.url, "aud": "walletd", "sub": "0b9c", "typ": "Bearer", "azp": client,
            "exp": now + 3_600, "iat": now, "realm_access": {"roles": ["operator"]}
        });
        encode(&header, &claims, &EncodingKey::from_ec_pem(KEY).unwrap()).unwrap()
    }
}

fn on_tcp(world: &World) -> Command {
    let mut command = world.walletd();
    command.env("WALLETD_GATEWAY__LISTEN", "127.0.0.1:0");
    command
}

fn address(daemon: &Daemon) -> SocketAddr {
    let log = daemon.log();
    let found = log.lines().find_map(|line| line.split_once("listening on TCP address="));
    found.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok()).unwrap_or_else(|| panic!("{log}"))
}

/// A client with an address of its own and one connection, which it opens anew when it is closed.
struct Client {
    from: SocketAddr,
    to: SocketAddr,
    stream: Option<TcpStream>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let named = self.head.lines().filter_map(|line| line.split_once(": "));
        named.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Client {
    fn new(from: &str, to: SocketAddr) -> Self {
        Self { from: SocketAddr::new(from.parse().unwrap(), 0), to, stream: None }
    }

    async fn ask(&mut self, method: &str, path: &str, token: Option<&str>, key: Option<&str>, body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        if let Some(token) = token {
            request.extend(["authorization: Bearer ", token, "\r\n"]);
        }
        if let Some(key) = key {
            request.extend(["idempotency-key: ", key, "\r\n"]);
        }
        let length = body.len().to_string();
        request.extend(["content-type: application/json\r\ncontent-length: ", &length, "\r\n\r\n", body]);
        loop {
            if let Some(answer) = self.try_ask(&request).await {
                return answer;
            }
            self.stream = None;
        }
    }

    async fn try_ask(&mut self, request: &str) -> Option<Answer> {
        if self.stream.is_none() {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(self.from).unwrap();
            self.stream = Some(socket.connect(self.to).await.ok()?);
        }
        let stream = self.stream.as_mut()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        let mut piece = [0; 8_192];
        loop {
            let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
            bytes.extend_from_slice(&piece[..count]);
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let mut answer = Answer {
                status: std::str::from_utf8(&bytes[9..12]).unwrap().parse().unwrap(),
                head: String::from_utf8_lossy(&bytes[..end]).into_owned(),
                body: Value::Null,
            };
            let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                answer.body = serde_json::from_slice(&bytes[end + 4..end + 4 + length]).unwrap_or_default();
                return Some(answer);
            }
        }
    }
}

/// Deposits one after the other; how long each took. None may be refused.
async fn deposits(client: &mut Client, token: &str, keys: std::ops::Range<u32>) -> Vec<Duration> {
    let mut took = Vec::new();
    for key in keys {
        let began = Instant::now();
        let body = r#"{"to":"w_1","amount":"1.00","asset":"EUR"}"#;
        let answer = client.ask("POST", "/v1/deposits", Some(token), Some(&format!("good-{key}")), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        took.push(began.elapsed());
    }
    took.sort();
    took
}

fn at(took: &[Duration], per_mille: usize) -> f64 {
    took[(took.len() * per_mille / 1_000).min(took.len() - 1)].as_secs_f64() * 1_000.0
}

const DEPOSITS: u32 = 1_000;
const FLOODERS: usize = 64;

/// What flooders got.
#[derive(Default)]
struct Flood {
    stop: AtomicBool,
    signed_out: AtomicU64,
    limited: AtomicU64,
}

/// Sends tokens that nobody signed, and none, as fast as it is answered.
async fn flood(flood: Arc<Flood>, mut client: Client, number: usize) {
    while !flood.stop.load(Ordering::Relaxed) {
        let token = (!number.is_multiple_of(4)).then(|| format!("e30.eyJhenAiOiJjbGllbnQt{number:04}In0.c2ln"));
        let answer = client.ask("GET", "/v1/wallets/w_1", token.as_deref(), None, "").await;
        match answer.status {
            401 => flood.signed_out.fetch_add(1, Ordering::Relaxed),
            429 => {
                assert_eq!(answer.body["code"], "rate_limited", "{answer:?}");
                let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
                let (policy, limit) = (answer.header("ratelimit-policy").unwrap(), answer.header("ratelimit").unwrap());
                assert!(
                    wait >= 1 && policy.contains(";q=") && limit.ends_with(&format!(";r=0;t={wait}")),
                    "{answer:?}"
                );
                flood.limited.fetch_add(1, Ordering::Relaxed)
            }
            _ => panic!("{answer:?}"),
        };
    }
}

#[test]
fn a_flood_from_one_address_is_stopped_and_another_address_never_is() {
    let (world, issuer) = (World::new(), Issuer::start());
    let mut command = on_tcp(&world);
    command.env("WALLETD_AUTH__ISSUER", &issuer.url);
    let daemon = world.daemon_by(command);
    world.wallet("w_1", "EUR", "0");
    let (to, token) = (address(&daemon), issuer.token("walletctl"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut good = Client::new("127.0.0.1", to);
        let alone = deposits(&mut good, &token, 0..DEPOSITS).await;
        let flooding = Arc::new(Flood::default());
        let flooders: Vec<_> = (0..FLOODERS)
            .map(|number| tokio::spawn(flood(Arc::clone(&flooding), Client::new("127.0.0.2", to), number)))
            .collect();
        let began = Instant::now();
        while flooding.limited.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let beside = deposits(&mut good, &token, DEPOSITS..2 * DEPOSITS).await;
        flooding.stop.store(true, Ordering::Relaxed);
        for flooder in flooders {
            flooder.await.unwrap();
        }
        let (refused, limited) =
            (flooding.signed_out.load(Ordering::Relaxed), flooding.limited.load(Ordering::Relaxed));
        let rate = u128::from(refused + limited) * 1_000 / began.elapsed().as_millis().max(1);
        eprintln!(
            "deposits alone: p50 {:.2} ms, p99 {:.2} ms; beside a flood of {FLOODERS} connections from another address: p50 \
             {:.2} ms, p99 {:.2} ms; the flood got {refused} 401 and {limited} 429, {rate} answers/s",
            at(&alone, 500), at(&alone, 990), at(&beside, 500), at(&beside, 990),
        );
        assert!(refused > 0 && limited > 0);
    });
    assert_eq!(world.balance("w_1"), format!("{}.00", 2 * DEPOSITS));
    assert_eq!(daemon.stop(), 0);
    // However many refusals: one record for each of some reasons and its network, and one more of each for a minute
    // that ended. What a limit stopped is told as well.
    let daemon = world.daemon();
    world.settles("the trail");
    let records = audited(&world, "sign_in_refused");
    let reasons: BTreeSet<&str> = records.iter().map(|record| record["reason"].as_str().unwrap()).collect();
    let known =
        ["no_token", "malformed", "algorithm", "rate_limited_address", "rate_limited_client", "rate_limited_sign_in"];
    assert!(reasons.iter().all(|reason| known.contains(reason)) && records.len() <= 2 * known.len(), "{records:?}");
    let stopped: u64 = known[3..].iter().map(|reason| counted(&records, reason, "127.0.0.0/24")).sum();
    assert!(stopped > 0, "{records:?}");
    drop(daemon);
}

/// A token that nobody signed, of a client that nobody has.
fn invented(number: u64) -> String {
    let claims = base64(format!("{{\"azp\":\"client-{number:04}\"}}").as_bytes());
    format!("e30.{}.c2ln", claims.trim_end_matches('='))
}

#[test]
fn a_token_that_was_verified_is_not_shut_out_by_what_others_at_its_address_try() {
    let (world, issuer) = (World::new(), Issuer::start());
    let mut command = on_tcp(&world);
    command.env("WALLETD_AUTH__ISSUER", &issuer.url);
    // A bucket that is soon empty, and slow to fill.
    command.env("WALLETD_RATE_LIMIT__SIGN_IN__BURST", "5").env("WALLETD_RATE_LIMIT__SIGN_IN__PER_SECOND", "1");
    command.env("WALLETD_RATE_LIMIT__FAILURE_COST", "1000").env("WALLETD_RATE_LIMIT__REFUSAL_DELAY_MS", "0");
    let daemon = world.daemon_by(command);
    let (to, token) = (address(&daemon), issuer.token("walletctl"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (mut good, mut bad) = (Client::new("127.0.0.1", to), Client::new("127.0.0.1", to));
        assert_eq!(good.ask("GET", "/v1/whoami", Some(&token), None, "").await.status, 200);
        let mut invented = (0..).map(invented);
        let mut limited = 0;
        while limited < 20 {
            let answer = bad.ask("GET", "/v1/whoami", invented.next().as_deref(), None, "").await;
            assert!(matches!(answer.status, 401 | 429), "{answer:?}");
            if answer.status == 429 {
                limited += 1;
                let answer = good.ask("GET", "/v1/whoami", Some(&token), None, "").await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }
    });
    assert_eq!(daemon.stop(), 0);
}

/// The records of a kind.
fn audited(world: &World, kind: &str) -> Vec<Value> {
    let list = world.ctl(&format!("audit list --kind {kind} --limit 100 -o json")).data();
    list.as_array().unwrap().iter().map(|row| row["record"].clone()).collect()
}

fn counted(records: &[Value], reason: &str, network: &str) -> u64 {
    let of = records.iter().filter(|record| record["reason"] == reason && record["network"] == network);
    of.map(|record| record["count"].as_u64().unwrap()).sum()
}

/// Standard base64.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        let letter = |at: usize| LETTERS[(bits >> (18 - 6 * at) & 63) as usize] as char;
        text.extend((0..4).map(|at| if at <= three.len() { letter(at) } else { '=' }));
    }
    text
}

/// The trail as scripts/verify-chain.py reads it.
fn lines(audit: &Path) -> String {
    let file = rusqlite::Connection::open(audit).unwrap();
    let mut rows = file.prepare("SELECT seq, hash, bytes FROM records ORDER BY seq").unwrap();
    let line = |row: &rusqlite::Row<'_>| {
        let (seq, hash, bytes): (i64, Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        Ok(format!("{seq} {hash} {}\n", base64(&bytes)))
    };
    rows.query_map([], line).unwrap().map(Result::unwrap).collect()
}

#[test]
fn refused_attempts_are_links_of_the_chain_and_outlive_backup_and_restore() {
    let world = World::new();
    let daemon = world.daemon_by(on_tcp(&world));
    world.wallet("w_1", "EUR", "5");
    world.ctl("wallet freeze w_1 --reason audit --idempotency-key freeze --yes").ok();
    world.ctl("wallet unfreeze w_1 --reason done --idempotency-key thaw --yes").ok();
    world.ctl("wallet set-limit w_1 --overdraft 10 --reason asked --idempotency-key limit --yes").ok();
    let to = address(&daemon);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (from, attempts) in [("127.0.0.2", 20), ("127.0.0.3", 10), ("127.0.1.3", 5)] {
            let mut client = Client::new(from, to);
            for _ in 0..attempts {
                let answer = client.ask("GET", "/v1/wallets/w_1", None, None, "").await;
                assert_eq!(answer.status, 401, "{answer:?}");
            }
        }
    });
    // The end is orderly: what was counted is written before the daemon goes.
    let before = world.head();
    assert_eq!(daemon.stop(), 0);
    let daemon = world.daemon();
    world.settles("the trail");
    assert!(world.head() > before || before > 5);
    let refused = audited(&world, "sign_in_refused");
    assert_eq!(counted(&refused, "no_token", "127.0.0.0/24"), 30, "{refused:?}");
    assert_eq!(counted(&refused, "no_token", "127.0.1.0/24"), 5, "{refused:?}");
    assert!(refused.len() <= 4, "two networks, before and at the end: {refused:?}");
    for record in &refused {
        assert_eq!((&record["actor"], &record["key_scope"]), (&json!("system"), &json!("system")));
    }
    // Freezes and limit changes are records of their own.
    for (kind, reason) in [("wallet_frozen", "audit"), ("wallet_unfrozen", "done"), ("limit_changed", "asked")] {
        let records = audited(&world, kind);
        assert_eq!((records.len(), &records[0]["reason"]), (1, &json!(reason)), "{kind}");
    }
    let shown = world.ctl("audit list --kind sign_in_refused").ok();
    assert!(shown.contains("no_token") && shown.contains("from 127.0.0.0/24"), "{shown}");
    world.ctl("audit verify --stores").ok();

    let backup = world.path("ledger.backup");
    world.walletd_runs(&format!("backup {}", backup.display())).ok();
    let ledger: Value = serde_json::from_str(&world.ctl("api GET /v1/status").ok()).unwrap();
    assert_eq!(daemon.stop(), 0);
    let Some(python) = tool("python3", "the chain by scripts/verify-chain.py") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/verify-chain.py");
    let mut verify = world.command(python);
    verify.arg(script).arg(ledger["ledger_id"].as_str().unwrap()).stdin(Stdio::piped());
    let said = run(verify, lines(&world.data().join("audit.sqlite")).into_bytes()).ok();
    assert!(said.contains(&format!("{} records follow each other", ledger["cut"]["seq"])), "{said}");

    let elsewhere = World::new();
    elsewhere.walletd_runs(&format!("restore {}", backup.display())).ok();
    let _daemon = elsewhere.daemon();
    elsewhere.settles("the restored trail");
    assert_eq!(audited(&elsewhere, "sign_in_refused"), refused);
    elsewhere.ctl("audit verify").ok();
}

#[test]
fn a_certificate_that_is_read_again_is_in_the_audit_trail() {
    let Some(openssl) = tool("openssl", "a certificate that is read again") else { return };
    let world = World::new();
    let (cert, key) = (world.path("cert.pem"), world.path("key.pem"));
    let mut make = world.command(openssl);
    make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    make.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    make.arg("-keyout").arg(&key).arg("-out").arg(&cert);
    run(make, Vec::new()).ok();
    let mut command = on_tcp(&world);
    command.env("WALLETD_GATEWAY__CERT_FILE", &cert).env("WALLETD_GATEWAY__KEY_FILE", &key);
    let daemon = world.daemon_by(command);
    for (content, reason) in [(world.read("cert.pem"), "taken"), ("no certificate".to_owned(), "refused")] {
        world.file("cert.pem", content);
        signal(daemon.pid(), rustix::process::Signal::HUP);
        until("the record", || {
            let records = audited(&world, "configuration_reloaded");
            records.iter().any(|record| record["reason"] == reason)
        });
    }
    let records = audited(&world, "configuration_reloaded");
    assert_eq!(records.len(), 2);
    assert!(records.iter().all(|record| record["network"].is_null() && record["actor"] == "system"), "{records:?}");
}
