//! Who is stopped by what, and who is not. A token comes back in an hour here: nothing depends on how fast a machine is.

use std::{num::NonZeroU32, sync::Mutex};

use axum::http::StatusCode;
use wallet_core::{ids::Actor, journal::Network, key::KeyScope};

use super::*;
use crate::{
    adapters::embedded::limiter::LocalLimiter,
    gateway::{
        keycloak::{Attempt, Ended, Guard as _, Route},
        source::Peer,
    },
    services::access::{AccessLog, NoLog},
};

fn rate(burst: u32) -> Rate {
    Rate::every(Duration::from_hours(1), NonZeroU32::new(burst).unwrap())
}

fn limits() -> RateLimits {
    let rates = Rates {
        socket: rate(3),
        address: rate(1_000),
        sign_in: rate(100),
        client: rate(20),
        pending: rate(7),
        subject: rate(4),
        failure_cost: 5,
        refusal_delay: Duration::ZERO,
    };
    RateLimits::new(Arc::new(LocalLimiter::default()), Arc::new(LocalLimiter::default()), rates, Arc::default())
}

fn remote(address: &str) -> Remote {
    Remote { address: address.parse().unwrap(), secure: true }
}

/// A token that claims to be of a client; nobody signed it.
fn token(client: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let claims = format!("{{\"azp\":\"{client}\"}}");
    let encoded: String = claims
        .as_bytes()
        .chunks(3)
        .flat_map(|three| {
            let bits = (0..3).fold(0_u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
            let letters = (0..4).map(move |at| LETTERS[(bits >> (18 - 6 * at) & 63) as usize] as char);
            letters.take(three.len() + 1)
        })
        .collect();
    format!("e30.{encoded}.c2ln")
}

fn caller(name: &str) -> Caller {
    Caller {
        actor: name.parse::<Actor>().unwrap(),
        scope: KeyScope::Shared,
        roles: Arc::new([]),
        permissions: Arc::new([]),
        owner: None,
        token: None,
    }
}

#[test]
fn a_caller_is_an_address_or_a_subscribers_network() {
    for (address, whose) in [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
    ] {
        assert_eq!(place(address.parse().unwrap()), whose);
    }
}

#[test]
fn what_a_token_claims_is_read_without_trust() {
    assert_eq!(claimed_client(&token("cron-job")).as_deref(), Some("cron-job"));
    for nothing in ["", "a", "a.b", "a.b.c", "e30.e30.c2ln", &"x".repeat(MAX_TOKEN + 1)] {
        assert_eq!(claimed_client(nothing), None);
    }
    for nobody in [None, Some(""), Some("a b"), Some("ü"), Some("x\n")] {
        assert_eq!(named(nobody), NO_CLIENT);
    }
    assert_eq!(named(Some(&"x".repeat(MAX_CLIENT + 1))), NO_CLIENT);
}

#[tokio::test]
async fn good_tokens_cost_nothing_and_bad_ones_several() {
    let (limits, here) = (limits(), remote("203.0.113.7"));
    let (good, bad) = (token("walletctl"), token("cron-job"));
    for _ in 0..500 {
        limits.may_try(&here, Some(&good)).await.unwrap();
    }
    let mut tried = 0;
    while limits.may_try(&here, Some(&bad)).await.is_ok() {
        limits.refused(&here, Some(&bad)).await;
        tried += 1;
    }
    assert_eq!(tried, 20 / 5, "a failure takes five of the client's twenty");
    limits.may_try(&here, Some(&good)).await.expect("another client of the same address goes on");
    limits.may_try(&remote("203.0.113.8"), Some(&bad)).await.expect("and the same client elsewhere");
}

#[tokio::test]
async fn inventing_clients_does_not_help_an_address() {
    let (limits, here) = (limits(), remote("203.0.113.7"));
    let mut tried = 0;
    while limits.may_try(&here, Some(&token(&format!("client-{tried}")))).await.is_ok() {
        limits.refused(&here, Some(&token(&format!("client-{tried}")))).await;
        tried += 1;
    }
    assert_eq!(tried, 100 / 5);
    limits.may_try(&remote("198.51.100.1"), None).await.expect("nobody else is stopped");
}

#[tokio::test]
async fn a_missing_token_costs_one() {
    let (limits, here) = (limits(), remote("203.0.113.7"));
    let mut tried = 0;
    while limits.may_try(&here, None).await.is_ok() {
        limits.refused(&here, None).await;
        tried += 1;
    }
    assert_eq!(tried, 20);
}

fn sign_ins() -> SignIns {
    SignIns { limits: Arc::new(limits()), access: Arc::new(NoLog) }
}

fn attempt(address: &str, route: Route, guesses: bool) -> Attempt<'static> {
    Attempt { address: address.parse().unwrap(), route, client: Some("cron-job"), guesses }
}

/// How often an attempt is admitted in a row, each ending like this.
async fn admitted(sign_ins: &SignIns, attempt: &Attempt<'_>, how: Ended) -> u32 {
    let mut count = 0;
    while count < 1_000 && sign_ins.admit(attempt).await.is_ok() {
        sign_ins.ended(attempt, how).await;
        count += 1;
    }
    count
}

/// Keeps what it is told.
#[derive(Default)]
struct Heard(Mutex<Vec<(&'static str, &'static str, String)>>);

impl AccessLog for Heard {
    fn note(&self, event: AccessEvent, from: Option<Network>) {
        self.0.lock().unwrap().push((event.kind().as_str(), event.as_str(), from.unwrap().to_string()));
    }
}

#[tokio::test]
async fn the_trail_hears_of_sign_ins_that_a_limit_stopped() {
    let heard = Arc::new(Heard::default());
    let sign_ins = SignIns { limits: Arc::new(limits()), access: Arc::clone(&heard) as Arc<dyn AccessLog> };
    admitted(&sign_ins, &attempt("203.0.113.7", Route::Token, false), Ended::Taken).await;
    admitted(&sign_ins, &Attempt { client: Some("x"), ..attempt("203.0.113.7", Route::Device, false) }, Ended::Taken)
        .await;
    let stopped = |reason| ("sign_in_refused", reason, "203.0.113.0/24".to_owned());
    assert_eq!(*heard.0.lock().unwrap(), [stopped("rate_limited_client"), stopped("rate_limited_client")]);
}

#[tokio::test]
async fn no_claim_locks_out_the_one_it_names() {
    let sign_ins = sign_ins();
    let limits = &sign_ins.limits;
    let (attacker, victim) = (remote("203.0.113.7"), remote("198.51.100.1"));
    for _ in 0..1_000 {
        limits.refused(&attacker, Some(&token("cron-job"))).await;
        let guess = attempt("203.0.113.7", Route::Token, false);
        drop(sign_ins.admit(&guess).await);
        sign_ins.ended(&guess, Ended::Refused).await;
    }
    limits.may_try(&victim, Some(&token("cron-job"))).await.unwrap();
    sign_ins.admit(&attempt("198.51.100.1", Route::Token, false)).await.unwrap();
    limits.verified(&Source::Tcp(victim), &caller("cron-job")).await.unwrap();
}

#[tokio::test]
async fn waiting_for_a_sign_in_is_free_up_to_the_budget() {
    let sign_ins = sign_ins();
    let poll = attempt("203.0.113.7", Route::Token, false);
    assert_eq!(admitted(&sign_ins, &poll, Ended::Polling).await, 7 + 20, "then each takes one of the client's twenty");
    let patient = attempt("203.0.113.8", Route::Token, false);
    for _ in 0..7 {
        sign_ins.ended(&patient, Ended::Polling).await;
    }
    assert_eq!(admitted(&sign_ins, &patient, Ended::Taken).await, 20, "seven answers took nothing");
}

#[tokio::test]
async fn every_attempt_costs_and_a_failed_one_more() {
    for (route, guesses) in [(Route::Login, true), (Route::Code, true), (Route::Token, false), (Route::Device, false)] {
        for (how, count) in [(Ended::Taken, 20), (Ended::Unknown, 20), (Ended::Refused, 4)] {
            let found = admitted(&sign_ins(), &attempt("203.0.113.7", route, guesses), how).await;
            assert_eq!(found, count, "{route:?} {how:?}");
        }
    }
}

#[tokio::test]
async fn an_address_with_nothing_left_is_not_listened_to_whatever_client_its_form_would_name() {
    let sign_ins = sign_ins();
    for number in 0..20 {
        let name = format!("client-{number}");
        let attempt = Attempt { client: Some(&name), ..attempt("203.0.113.7", Route::Token, false) };
        sign_ins.listens(&attempt).await.expect("there are some left");
        sign_ins.ended(&attempt, Ended::Refused).await;
    }
    for (route, guesses) in
        [(Route::Token, false), (Route::Device, false), (Route::Revoke, false), (Route::Login, true)]
    {
        let form = Attempt { client: None, ..attempt("203.0.113.7", route, guesses) };
        assert_eq!(sign_ins.listens(&form).await.unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS, "{route:?}");
    }
    let elsewhere = Attempt { client: None, ..attempt("203.0.113.8", Route::Token, false) };
    sign_ins.listens(&elsewhere).await.expect("nobody else is stopped");
    sign_ins.listens(&attempt("203.0.113.7", Route::Code, false)).await.expect("a typed code is no attempt yet");
}

#[tokio::test]
async fn pages_and_their_resources_are_no_attempts() {
    for route in [Route::Login, Route::Code, Route::Status, Route::Resource, Route::Discovery, Route::Keys] {
        let sign_ins = sign_ins();
        let page = attempt("203.0.113.7", route, false);
        assert_eq!(admitted(&sign_ins, &page, Ended::Refused).await, 1_000, "{route:?}");
    }
}

#[tokio::test]
async fn a_subject_is_limited_by_itself_wherever_it_calls_from() {
    let limits = limits();
    for number in 0..4 {
        let from = Source::Tcp(remote(&format!("203.0.113.{number}")));
        limits.verified(&from, &caller("ada")).await.unwrap();
    }
    let from = Source::Tcp(remote("203.0.113.9"));
    assert!(limits.verified(&from, &caller("ada")).await.is_err());
    limits.verified(&from, &caller("bob")).await.unwrap();
    let socket = Source::Socket(Peer { uid: 1_000, gid: 1_000 });
    limits.verified(&socket, &caller("ada")).await.expect("on the socket the user was limited already");
}

#[tokio::test]
async fn a_user_on_the_socket_has_one_bucket_in_this_process() {
    let limits = limits();
    let socket = |uid| Source::Socket(Peer { uid, gid: 1 });
    for _ in 0..3 {
        limits.arrived(&socket(1_000)).await.unwrap();
    }
    assert!(limits.arrived(&socket(1_000)).await.is_err());
    limits.arrived(&socket(1_001)).await.unwrap();
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back_and_by_which_rule() {
    let limits = limits();
    let source = Source::Tcp(remote("203.0.113.7"));
    for _ in 0..4 {
        limits.verified(&source, &caller("ada")).await.unwrap();
    }
    let why = limits.verified(&source, &caller("ada")).await.unwrap_err();
    let response = limits.refuse(&source, why).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let header = |name: &str| response.headers()[name].to_str().unwrap();
    assert_eq!(header("retry-after"), "3600");
    assert_eq!(header("ratelimit-policy"), "\"subject\";q=4;w=14400");
    assert_eq!(header("ratelimit"), "\"subject\";r=0;t=3600");
    assert_eq!(limits.figures.each().collect::<Vec<_>>(), [("subject", 1)]);
}
