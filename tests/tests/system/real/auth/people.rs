//! People sign in by the device flow, directly at Keycloak.

use std::{net::SocketAddr, thread, time::Duration};

use rustix::process::Signal;
use wallet_tests::proxy::{Link, Proxy};

use super::{
    super::keycloak::{Keycloak, approves, claims, curl, free_port},
    Site,
    ways::{TOKEN, Way, before},
};
use crate::harness::signal;

#[test]
fn a_person_signs_in_at_the_printed_page_and_moves_money_over_tcp() {
    let Some(site) = Site::new("a person signs in at Keycloak") else { return };
    let olivia = site.person("olivia");
    olivia.world.ctl("balance w_1").fails(4, "walletctl auth login");
    olivia.world.ctl("auth status").exits(4);

    let login = olivia.begins(&[]);
    assert!(login.page().contains(&login.code()), "the page's address has the code in it: {}", login.said());
    let pages = approves(&login.page(), "olivia", &[]).ok();
    assert_eq!(pages.trim(), "password consent approved");
    let login = login.ends().data();
    assert_eq!((&login["who"], &login["storage"]), (&"olivia".into(), &"file".into()));

    let olivia_is = olivia.is();
    assert_eq!(olivia_is["roles"], serde_json::json!(["operator", "user"]), "{olivia_is}");
    assert_eq!(olivia_is["permissions"], serde_json::json!(["backdate"]), "{olivia_is}");
    olivia.world.wallet("w_1", "EUR", "10.50");
    olivia.world.wallet("w_2", "EUR", "0");
    let transfer = "transfer --from w_1 --to w_2 --amount 4 --asset EUR --idempotency-key t-1 --yes";
    olivia.world.ctl(transfer).ok();
    olivia.world.ctl(transfer).ok();
    assert_eq!((olivia.world.balance("w_1"), olivia.world.balance("w_2")), ("6.50".into(), "4.00".into()));
    // Who did it is what Keycloak calls them, in the journal as at the door.
    let records = olivia.world.ctl("audit list -o json").ok();
    assert!(records.contains(olivia_is["actor"].as_str().unwrap()), "{records}");
    assert_eq!(claims(&olivia.token())["preferred_username"], "olivia");

    olivia.world.ctl("auth status").ok();
    olivia.world.ctl("auth status --expires-within 7d").exits(4);
    assert_eq!(site.daemon.stop(), 0);
}

#[test]
fn a_denied_sign_in_exits_10_and_one_that_nobody_answers_in_time_exits_4() {
    let Some(way) = Way::directly("sign-ins that are denied, and that end") else { return };
    let olivia = way.person("walletctl");
    let login = olivia.begins(&[]);
    assert_eq!(approves(&login.page(), "olivia", &["--deny"]).ok().trim(), "password consent denied");
    login.ends().exits_with_error(10);
    olivia.world.ctl("balance w_1").exits(4);
    way.nobody_answers();
}

#[test]
fn an_issuer_that_wants_to_be_asked_less_often_is_asked_less_often() {
    let Some(way) = Way::directly("slow_down, by the real Keycloak") else { return };
    way.is_asked_too_often();
}

#[test]
fn a_gateway_that_fails_for_a_moment_does_not_end_a_sign_in() {
    let Some(way) = Way::directly("a 502 in the middle of a sign-in") else { return };
    way.fails_for_a_moment();
}

#[test]
fn an_issuer_that_is_away_means_try_again_and_an_interrupted_sign_in_exits_130() {
    let Some(way) = Way::directly("an issuer that is away, and Ctrl-C") else { return };
    let olivia = way.person("walletctl");
    way.front.answers("/.well-known/", 503, 1_000);
    olivia.begins(&[]).ends().exits_with_error(75);
    let Some(other) = Site::new("Ctrl-C in a sign-in") else { return };
    let olivia = other.person("olivia");
    let login = olivia.begins(&[]);
    login.page();
    signal(login.pid(), Signal::INT);
    login.ends().exits_with_error(130);
    olivia.world.ctl("auth status").exits(4);
}

#[test]
fn two_sign_ins_at_once_both_end_well() {
    let Some(way) = Way::directly("two sign-ins at once") else { return };
    way.two_at_once();
}

#[test]
fn ten_processes_that_need_a_new_token_at_once_use_the_refresh_token_once() {
    let what = "ten processes with one refresh token";
    let Some(way) = Way::directly(what) else { return };
    way.ten_processes(what);
}

#[test]
fn after_a_logout_no_token_of_it_is_taken_for_a_new_one() {
    let Some(site) = Site::new("a logout revokes") else { return };
    let olivia = site.signed_in("olivia");
    let refresh = olivia.refresh_token();
    let out = olivia.world.ctl("auth logout -o json").data();
    assert_eq!((&out["removed"], &out["revoked"]), (&true.into(), &true.into()));
    site.keycloak.refresh("walletctl", &refresh).refused(400, "invalid_grant");
    olivia.world.ctl("balance w_1").exits(4);
    olivia.world.ctl("auth status").exits(4);
    olivia.world.ctl("auth logout").exits(4);
    for path in super::files(&olivia.world.home()) {
        let text = std::fs::read(&path).unwrap();
        assert!(!text.windows(refresh.len()).any(|window| window == refresh.as_bytes()), "{}", path.display());
    }
}

#[test]
fn a_batch_lasts_longer_than_many_tokens() {
    let what = "a batch that outlasts its tokens";
    let Some(keycloak) = Keycloak::of(what) else { return };
    let front = before(&keycloak);
    // Every request takes a while; two are on their way at a time.
    let port = free_port();
    let slow = Proxy::to(SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    let issuer = format!("http://{}/realms/wallet", front.address());
    let site = Site::of(keycloak, &issuer, port, Some(slow.port()));
    let olivia = site.by_client("olivia", "brief");
    olivia.signs_in();
    olivia.world.wallet("w_1", "EUR", "0");
    let asked = front.asked(TOKEN);
    let rows = (0..80).map(|row| format!("b-{row},deposit,,w_1,1.00,EUR\n")).collect::<Vec<_>>().concat();
    olivia.world.file("batch.csv", format!("key,op,from,to,amount,asset\n{rows}"));
    slow.set(Link::Slow(Duration::from_millis(150)));
    olivia.world.ctl("batch run batch.csv --chunk 1 --yes").ok();
    slow.heal();
    assert_eq!(olivia.world.balance("w_1"), "80.00");
    let renewed = front.asked(TOKEN) - asked;
    assert!(renewed >= 3, "it was renewed {renewed} times");
}

#[test]
fn a_token_of_another_client_or_realm_or_for_something_else_is_none_here() {
    let Some(site) = Site::new("tokens that are not for this daemon") else { return };
    let stranger = site.keycloak.signs_in("stranger", "olivia");
    let login = site.keycloak.signs_in("walletctl", "uma");
    let whoami = format!("{}/v1/whoami", site.url);
    let asks = |token: &str| {
        let bearer = format!("Authorization: Bearer {token}");
        curl(&["--header", &bearer, &whoami]).status
    };
    assert_eq!(asks(login["access_token"].as_str().unwrap()), 200);
    assert_eq!(asks(stranger["access_token"].as_str().unwrap()), 401, "a client that is not in auth.clients");
    assert_eq!(asks(login["refresh_token"].as_str().unwrap()), 401, "a refresh token");
    let master = [("grant_type", "password"), ("client_id", "admin-cli"), ("username", "admin"), ("password", "admin")];
    let endpoint = format!("{}/realms/master/protocol/openid-connect/token", site.keycloak.url);
    let admin = super::super::keycloak::post(&endpoint, &master, &[]).ok();
    assert_eq!(asks(admin["access_token"].as_str().unwrap()), 401, "Keycloak's own administrator");
    let answer = curl(&["--include", &whoami]);
    assert_eq!(answer.status, 401);
    let challenge = answer.body.to_ascii_lowercase();
    assert!(challenge.contains("www-authenticate: bearer") && challenge.contains("resource_metadata="), "{challenge}");
    // A person may bring a token instead of signing in.
    let uma = site.person("uma");
    uma.world.ctl_reading("auth login --with-token --insecure-storage", login["access_token"].as_str().unwrap()).ok();
    assert_eq!(uma.is()["roles"], serde_json::json!(["user"]));
    // A code without the verifier of whoever asked for it is of no use, approved or not.
    let code = site.keycloak.device_code("walletctl");
    approves(code["verification_uri_complete"].as_str().unwrap(), "olivia", &[]).ok();
    thread::sleep(Duration::from_secs(1));
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", "walletctl"),
        ("device_code", code["device_code"].as_str().unwrap()),
    ];
    site.keycloak.post("token", &form).refused(400, "invalid_grant");
}
