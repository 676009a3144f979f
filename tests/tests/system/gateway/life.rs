//! The listener's life: its certificate, what it refuses to be, its end.

use std::{fs, path::PathBuf, thread, time::Duration};

use rustix::process::Signal;

use super::{
    GOOD, Site,
    wire::{self, Way, listen},
};
use crate::harness::{Run, World, certificate, expired_certificate, run, signal, until};

const QUIET: Duration = Duration::from_secs(10);

#[test]
fn tcp_asks_for_a_token_and_the_socket_goes_on_without_one() {
    let site = Site::plain(&[]);
    let daemon = site.world.daemon();
    let said = Way::Plain(daemon.tcp()).says(b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", QUIET);
    assert_eq!(said.statuses(), [401], "{}", said.text());
    site.world.ctl("daemon status").ok();
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn both_protocols_are_spoken_within_tls_and_the_oldest_versions_are_not() {
    let Some(site) = Site::tls(&[]) else { return };
    let daemon = site.world.daemon();
    let cert = site.cert.clone().unwrap();
    let old = site.way(&daemon, "http/1.1").says(GOOD, QUIET);
    assert!(matches!(old.statuses()[..], [200 | 401]), "{}", old.text());
    for (version, works) in [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let mut command = site.world.command("openssl");
        command.args(["s_client", "-brief", "-alpn", "h2", version, "-connect", &daemon.tcp().to_string(), "-CAfile"]);
        command.arg(&cert);
        let shaken = run(command, Vec::new());
        assert_eq!(shaken.code == 0, works, "{version}: {shaken}");
    }
    assert_eq!(daemon.stop(), 0);
}

/// True if the daemon shows this certificate.
fn shows(way: &Way) -> bool {
    way.open(QUIET).is_ok_and(|mut stream| {
        let sent = std::io::Write::write_all(&mut stream, GOOD);
        sent.is_ok() && !listen(&mut stream).statuses().is_empty()
    })
}

#[test]
fn a_new_certificate_is_taken_on_sighup_and_a_bad_one_changes_nothing() {
    let Some(site) = Site::tls(&[]) else { return };
    let daemon = site.world.daemon();
    let cert = site.cert.clone().unwrap();
    let key = cert.with_extension("key");
    let (other, other_key) = certificate(&site.world.path(""), "other").unwrap();
    let first = Way::Tls(daemon.tcp(), wire::trust(&cert, "http/1.1"));
    let second = Way::Tls(daemon.tcp(), wire::trust(&other, "http/1.1"));
    assert!(shows(&first) && !shows(&second));
    // Opened before, it goes on with what it has.
    let mut kept = first.open(QUIET).unwrap();
    let reload = |times: &mut usize| {
        *times += 1;
        signal(daemon.pid(), Signal::HUP);
        until("SIGHUP is answered", || daemon.log().matches("SIGHUP").count() == *times);
    };
    let mut times = 0;
    let (expired, expired_key) = expired_certificate(&site.world.path(""), "expired").unwrap();
    let bad: [(&str, PathBuf, PathBuf); 4] = [
        ("cannot be used together", other.clone(), key.clone()),
        ("has no certificate", key.clone(), key.clone()),
        ("has no private key", cert.clone(), cert.clone()),
        ("expired", expired, expired_key),
    ];
    let (own, own_key) = (fs::read(&cert).unwrap(), fs::read(&key).unwrap());
    for (why, from, from_key) in bad {
        let (new, new_key) = (fs::read(from).unwrap(), fs::read(from_key).unwrap());
        fs::write(&cert, new).unwrap();
        fs::write(&key, new_key).unwrap();
        reload(&mut times);
        let log = daemon.log();
        let line = log.lines().rfind(|line| line.contains("SIGHUP")).unwrap();
        assert!(line.contains("ERROR") && line.contains(why), "{line}");
        assert!(shows(&first), "{why}");
        fs::write(&cert, &own).unwrap();
        fs::write(&key, &own_key).unwrap();
    }
    fs::remove_file(&cert).unwrap();
    reload(&mut times);
    assert!(shows(&first), "a file that is gone");
    fs::copy(&other, &cert).unwrap();
    fs::copy(&other_key, &key).unwrap();
    reload(&mut times);
    assert!(shows(&second) && !shows(&first));
    std::io::Write::write_all(&mut kept, GOOD).unwrap();
    assert!(!listen(&mut kept).statuses().is_empty(), "a connection from before goes on");
    assert_eq!(daemon.stop(), 0);
}

fn starts_with(world: &World, settings: &[(&str, &str)]) -> Run {
    let mut command = world.walletd();
    command.args(["config", "check"]).envs(settings.iter().copied());
    run(command, Vec::new())
}

#[test]
fn what_would_be_open_to_others_must_be_said() {
    let world = World::new();
    starts_with(&world, &[("WALLETD_LISTEN", "0.0.0.0:8420")]).fails(78, "plain_beyond_loopback");
    starts_with(&world, &[("WALLETD_LISTEN", "8420")]).fails(78, "listen");
    let told = [("WALLETD_LISTEN", "0.0.0.0:8420"), ("WALLETD_GATEWAY__PLAIN_BEYOND_LOOPBACK", "true")];
    starts_with(&world, &told).ok();
    let keycloak = ("WALLETD_KEYCLOAK_URL", "http://127.0.0.1:8080");
    starts_with(&world, &[keycloak]).fails(78, "gateway.listen");
    starts_with(&world, &[keycloak, ("WALLETD_LISTEN", "127.0.0.1:8420")]).fails(78, "gateway.public_url");
    let public = ("WALLETD_PUBLIC_URL", "http://wallet.example");
    starts_with(&world, &[public]).fails(78, "http is for loopback alone");
    let slash = ("WALLETD_PUBLIC_URL", "https://Wallet.example:443/");
    starts_with(&world, &[slash]).fails(78, "must be written https://wallet.example");
    let here = [keycloak, ("WALLETD_LISTEN", "127.0.0.1:8420"), ("WALLETD_PUBLIC_URL", "http://127.0.0.1:8420")];
    starts_with(&world, &here).fails(78, "set it to http://127.0.0.1:8420/auth/realms/wallet");
    let all = ("WALLETD_GATEWAY__TRUSTED_PROXIES", "[192.0.2.7/32, 0.0.0.0/0]");
    starts_with(&world, &[all]).fails(78, "name the proxies");
}

#[test]
fn a_daemon_that_cannot_listen_says_where_and_does_not_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let world = World::new();
    world.walletd_runs(&format!("serve --listen {address}")).fails(78, &address);
    let mut command = world.walletd();
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    command.env("WALLETD_GATEWAY__CERT_FILE", "/nowhere.pem").env("WALLETD_GATEWAY__KEY_FILE", "/nowhere.key");
    run(command, Vec::new()).fails(78, "/nowhere.pem");
}

#[test]
fn the_doctor_looks_at_the_certificate() {
    let Some(site) = Site::tls(&[]) else { return };
    let report = site.world.walletd_runs("doctor").ok();
    assert!(
        report.contains("gateway: 127.0.0.1:0") && report.contains("certificate: ") && report.contains("days left"),
        "{report}"
    );
    let cert = site.cert.clone().unwrap();
    let (expired, expired_key) = expired_certificate(&site.world.path(""), "expired").unwrap();
    fs::copy(expired, &cert).unwrap();
    let report = site.world.walletd_runs("doctor");
    assert_eq!(report.code, 78, "{report}");
    assert!(report.out.contains("cannot be used together"), "{report}");
    fs::copy(expired_key, cert.with_extension("key")).unwrap();
    let report = site.world.walletd_runs("doctor");
    assert_eq!(report.code, 78, "{report}");
    assert!(report.out.contains("expired"), "{report}");
}

#[test]
fn sigterm_finishes_what_runs_over_tcp_as_well() {
    let site = Site::plain(&[]);
    let daemon = site.world.daemon();
    let tcp = daemon.tcp();
    let mut stream = Way::Plain(tcp).open(QUIET).unwrap();
    let head = b"GET /readyz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\n";
    std::io::Write::write_all(&mut stream, head).unwrap();
    let stopping = thread::spawn(move || daemon.stop());
    thread::sleep(Duration::from_millis(100));
    std::io::Write::write_all(&mut stream, b"body").unwrap();
    let said = listen(&mut stream);
    assert!(matches!(said.statuses()[..], [200 | 401 | 503]) && said.ended, "{}", said.text());
    assert_eq!(stopping.join().unwrap(), 0);
    assert!(std::net::TcpStream::connect(tcp).is_err());
}
