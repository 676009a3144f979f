//! The end under load, over TLS: what was acknowledged is there, and nobody waits in vain.

use std::{
    io::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{
    Site,
    wire::{Way, hear},
};
use crate::{harness::until, identity::signer::Signer};

const CLIENTS: usize = 8;
/// Far longer than the end takes.
const QUIET: Duration = Duration::from_secs(40);

/// What a client did: answers that said it happened, and requests that were sent and not answered.
#[derive(Debug, Default)]
struct Tally {
    acknowledged: u64,
    unknown: u64,
}

/// Deposits one after the other on one connection, which is opened anew when it ends, until nobody answers.
fn deposits(way: &Way, token: &str, client: usize, ended: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    let mut number = 0;
    'connection: while !ended.load(Ordering::Relaxed) {
        let Ok(mut stream) = way.open(QUIET) else { return tally };
        loop {
            number += 1;
            let body = r#"{"to":"w_1","amount":"1","asset":"EUR"}"#;
            let head = format!(
                "POST /v1/deposits HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
                 idempotency-key: {client}-{number}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            if stream.write_all(format!("{head}{body}").as_bytes()).and_then(|()| stream.flush()).is_err() {
                tally.unknown += 1;
                continue 'connection;
            }
            match hear(&mut stream) {
                Some((200 | 201, last)) => {
                    tally.acknowledged += 1;
                    if last {
                        continue 'connection;
                    }
                }
                // It says that it stops, and that nothing happened.
                Some((503, _)) => continue 'connection,
                Some((status, _)) => panic!("status {status}"),
                None => {
                    tally.unknown += 1;
                    continue 'connection;
                }
            }
        }
    }
    tally
}

#[test]
fn what_was_acknowledged_over_tls_is_there_after_an_end_under_load() {
    let Some(mut site) = Site::tls(&[]) else { return };
    let signer = Signer::new();
    signer.serve();
    site.world.add("WALLETD_ISSUER", &signer.name());
    let daemon = site.world.daemon();
    site.world.wallet("w_1", "EUR", "0");
    let way = site.way(&daemon, "http/1.1");
    let token = signer.token("ana", &["operator"]);
    let ask = format!(
        "GET /v1/whoami HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    until("the keys are read", || way.says(ask.as_bytes(), QUIET).statuses() == [200]);
    let ended = AtomicBool::new(false);
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (way, token, ended) = (&way, &token, &ended);
                scope.spawn(move || deposits(way, token, client, ended))
            })
            .collect();
        thread::sleep(Duration::from_secs(1));
        assert_eq!(daemon.stop(), 0);
        ended.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let acknowledged: u64 = tallies.iter().map(|tally| tally.acknowledged).sum();
    let unknown: u64 = tallies.iter().map(|tally| tally.unknown).sum();
    assert!(acknowledged > 0, "{tallies:?}");
    let _daemon = site.world.daemon();
    let balance: u64 = site.world.balance("w_1").trim_end_matches(".00").parse().unwrap();
    assert!((acknowledged..=acknowledged + unknown).contains(&balance), "{balance} is there: {tallies:?}");
}
