//! Clients that take their time, and clients that take all places.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use super::{
    GoodClients, Site, held,
    wire::{Way, from, listen},
};
use crate::{harness::until, identity::signer::free_port};

/// What is awaited in vain.
const LIMITS: [(&str, &str); 4] =
    [("head_timeout_s", "2"), ("body_timeout_s", "2"), ("idle_timeout_s", "2"), ("connections_per_address", "64")];
/// The limits, and a busy machine.
const SOON: Duration = Duration::from_secs(12);
/// Another client of this machine.
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const QUIET: Duration = Duration::from_secs(15);
const FILES: usize = 10;

/// How long the daemon keeps a connection whose client sends a byte now and then.
fn kept(mut stream: TcpStream, begin: &[u8], drop_by_drop: &[u8]) -> Duration {
    let opened = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut alive = stream.write_all(begin).is_ok();
    let mut drops = drop_by_drop.iter().cycle();
    while alive && opened.elapsed() < QUIET {
        alive = drops.next().is_none_or(|byte| stream.write_all(&[*byte]).is_ok());
        let mut piece = [0; 1_024];
        alive &= match stream.read(&mut piece) {
            Ok(read) => read > 0,
            Err(error) => matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        };
    }
    opened.elapsed()
}

#[test]
fn slow_clients_are_cut_off_and_others_are_served_all_the_time() {
    let site = Site::plain(&LIMITS);
    let daemon = site.world.daemon();
    let tcp = daemon.tcp();
    let (files, _) = held(daemon.pid());
    let good = GoodClients::on(&[site.socket(), site.way(&daemon, "http/1.1")]);
    let head = b"POST /v1/deposits HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let body = [&head[..], b"content-length: 100000\r\n\r\n"].concat();
    let slow: [(&str, Vec<u8>, &[u8]); 8] = [
        ("nothing", Vec::new(), b""),
        ("a start line, drop by drop", b"G".to_vec(), b"E"),
        ("headers, drop by drop", head.to_vec(), b"x: y\r\n"),
        ("line ends, drop by drop", Vec::new(), b"\r\n"),
        ("a body, drop by drop", body.clone(), b" "),
        ("half a body", body, b""),
        ("half a preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\n".to_vec(), b""),
        ("HTTP/2 without settings", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), b""),
    ];
    thread::scope(|scope| {
        let waiting: Vec<_> = slow
            .iter()
            .flat_map(|case| std::iter::repeat_n(case, 6))
            .map(|(name, begin, drops)| (name, scope.spawn(move || kept(from(OTHER, tcp).unwrap(), begin, drops))))
            .collect();
        for (name, client) in waiting {
            let took = client.join().unwrap();
            assert!(took < SOON, "{name}: kept for {took:?}");
        }
    });
    good.were_served();
    until("what was opened is closed", || held(daemon.pid()).0 <= files + FILES);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn half_a_handshake_and_garbage_in_its_place_are_cut_off() {
    let Some(site) = Site::tls(&LIMITS) else { return };
    let daemon = site.world.daemon();
    let tcp = daemon.tcp();
    let good = GoodClients::on(&[site.socket(), site.way(&daemon, "http/1.1")]);
    // A hello that says it is longer than what comes.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for (name, begin, drops) in [
        ("nothing", &b""[..], &b""[..]),
        ("half a hello", hello, b""),
        ("a hello, drop by drop", hello, b"x"),
        ("a record of no kind", b"\x99\x03\x01\x00\x05hello", b""),
        ("plain HTTP", b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n", b""),
        ("a record that is too long", b"\x16\x03\x01\xff\xff", b"x"),
    ] {
        let took = kept(from(OTHER, tcp).unwrap(), begin, drops);
        assert!(took < SOON, "{name}: kept for {took:?}");
    }
    good.were_served();
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn one_address_cannot_take_all_places_and_half_open_connections_go_away() {
    let site = Site::plain(&LIMITS);
    let daemon = site.world.daemon();
    let tcp = daemon.tcp();
    let (files, _) = held(daemon.pid());
    let good = GoodClients::on(&[site.socket(), site.way(&daemon, "http/1.1")]);
    // Far more than one address may have: what is beyond is closed at once.
    for round in 0..3 {
        let many: Vec<TcpStream> = (0..400).map_while(|_| from(OTHER, tcp).ok()).collect();
        assert!(many.len() > 64, "round {round}");
        let (now, _) = held(daemon.pid());
        assert!(now < files + 64 + 64 + FILES, "round {round}: {now} open files");
        // Half of them shut their way down and never read, the others are dropped without a word.
        for stream in many.iter().step_by(2) {
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
        thread::sleep(Duration::from_millis(300));
    }
    good.were_served();
    until("what was opened is closed", || held(daemon.pid()).0 <= files + FILES);
    let said = listen(
        &mut from(OTHER, tcp).map(|mut stream| stream.write_all(super::GOOD).map(|()| stream)).unwrap().unwrap(),
    );
    assert!(matches!(said.statuses()[..], [200 | 401]), "the address is served again: {}", said.text());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn beyond_all_places_clients_wait_and_are_served_in_time() {
    let limits = [("connection_limit", "8"), ("head_timeout_s", "1"), ("idle_timeout_s", "1")];
    let site = Site::plain(&limits);
    let daemon = site.world.daemon();
    let held: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(daemon.tcp()).unwrap()).collect();
    let said = Way::Plain(daemon.tcp()).says(super::GOOD, SOON);
    assert!(matches!(said.statuses()[..], [200 | 401]), "{}", said.text());
    drop(held);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn an_address_whose_requests_wait_for_their_bodies_leaves_the_others_theirs() {
    let (port, keycloak) = (free_port(), free_port());
    let url = format!("http://127.0.0.1:{port}");
    let limits = [("request_limit", "8"), ("requests_per_address", "4"), ("body_timeout_s", "600")];
    let mut site = Site::plain(&limits);
    site.world.add("WALLETD_LISTEN", &format!("127.0.0.1:{port}"));
    site.world.add("WALLETD_PUBLIC_URL", &url);
    site.world.add("WALLETD_ISSUER", &format!("{url}/auth/realms/wallet"));
    // Nobody is there: a form that does not come is not sent there either.
    site.world.add("WALLETD_KEYCLOAK_URL", &format!("http://127.0.0.1:{keycloak}"));
    site.world.add("WALLETD_SERVER__REQUEST_TIMEOUT_S", "600");
    let daemon = site.world.daemon();
    let form = b"POST /auth/realms/wallet/protocol/openid-connect/token HTTP/1.1\r\nhost: localhost\r\n\
                 content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\n";
    let waiting: Vec<TcpStream> = (0..12)
        .map(|_| {
            let mut stream = from(OTHER, daemon.tcp()).unwrap();
            stream.write_all(form).unwrap();
            stream
        })
        .collect();
    let asks = |source| {
        let mut stream = from(source, daemon.tcp()).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        listen(&mut stream)
    };
    until("its places are taken", || asks(OTHER).statuses() == [503]);
    let refused = asks(OTHER).text();
    assert!(refused.contains("overloaded") && refused.contains("gateway.requests_per_address"), "{refused}");
    let other = asks(Ipv4Addr::LOCALHOST);
    assert_eq!(other.statuses(), [200], "{}", other.text());
    drop(waiting);
    until("they are given back", || asks(OTHER).statuses() == [200]);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn connections_of_the_socket_that_say_nothing_do_not_keep_a_command_out() {
    let mut site = Site::plain(&[("head_timeout_s", "1"), ("body_timeout_s", "1"), ("idle_timeout_s", "1")]);
    site.world.add("WALLETD_SERVER__CONNECTION_LIMIT", "3");
    let daemon = site.world.daemon();
    for sent in [
        &b""[..],
        b"GET /v1/status HTTP/1.1\r\n",
        b"POST /v1/deposits HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n",
    ] {
        let silent: Vec<_> = (0..3)
            .map(|_| {
                let mut stream = UnixStream::connect(site.world.socket()).unwrap();
                stream.write_all(sent).unwrap();
                stream
            })
            .collect();
        site.world.ctl("daemon status").ok();
        drop(silent);
    }
    assert_eq!(daemon.stop(), 0);
}
