//! Every operation of the OpenAPI document, asked by schemathesis with a token of each role: no fault of the daemon's, no
//! status and no answer that the document does not have.

use std::{process::Command, thread};

use super::{
    super::keycloak::{claims, curl, file},
    Person, Site,
};
use crate::harness::{Run, run};

/// What is held against the document.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,ignored_auth";

/// Something of everything, so that there is something to find.
fn fill(site: &Site, owner: &str) -> serde_json::Value {
    let world = &site.world;
    for number in 1..=3 {
        let id = format!("w_{number}");
        world.ctl(&format!("wallet create {id} --owner {owner} --asset EUR --idempotency-key o-{id} --yes")).ok();
        world.ctl(&format!("deposit --to {id} --amount 100 --asset EUR --idempotency-key d-{id} --yes")).ok();
    }
    world.wallet("w_other", "EUR", "100");
    world.ctl("transfer --from w_1 --to w_other --amount 1 --asset EUR --idempotency-key t-1 --yes").ok();
    let listed = world.ctl("tx list --wallet w_1 -o json").data();
    let transactions: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["transaction"].clone()).collect();
    let first_line = |path: &str| -> serde_json::Value {
        let out = world.ctl(&format!("api GET {path}")).ok();
        serde_json::from_str(out.lines().last().unwrap()).unwrap()
    };
    serde_json::json!({
        "wallets": ["w_1", "w_2", "w_3", "w_other"],
        "transactions": transactions,
        "keys": ["d-w_1", "t-1", "nobody's"],
        "owners": [owner, "o"],
        "lines": {
            "/v1/journal": first_line("/v1/journal"),
            "/v1/reports/balances": first_line("/v1/reports/balances?at=2026-01-31"),
        },
    })
}

fn schemathesis(site: &Site, person: &Person, token: &str, known: &str, examples: &str) -> Run {
    let mut command = Command::new(file("tests/stack/schemathesis/schemathesis"));
    command.current_dir(person.world.path("")).env("API_KNOWN", known).env("SCHEMATHESIS_HOOKS", "hooks");
    command.env("PYTHONPATH", file("tests/stack/schemathesis")).env("NO_PROXY", "*");
    command.args(["run", &format!("{}/openapi.json", site.url), "--checks", CHECKS, "--max-examples", examples]);
    command.args(["--header", &format!("Authorization: Bearer {token}"), "--continue-on-failure", "--no-shrink"]);
    // The same questions every time: what it finds can be looked at again.
    command.args(["--seed", "1", "--no-color", "--workers", "1", "--suppress-health-check", "all"]);
    run(command, Vec::new())
}

#[test]
fn every_operation_answers_every_role_as_the_openapi_document_says() {
    let Some(site) = Site::unhurried("the OpenAPI document, by schemathesis") else { return };
    // Somebody else's balances, an operator with every right, and nobody in particular.
    let people = [("olivia", "20"), ("audrey", "4"), ("uma", "8"), ("adam", "3"), ("nadia", "2")];
    let tokens: Vec<String> = people
        .iter()
        .map(|(name, _)| site.keycloak.signs_in("walletctl", name)["access_token"].as_str().unwrap().to_owned())
        .collect();
    let owner = claims(&tokens[2])["sub"].as_str().unwrap().to_owned();
    let known = fill(&site, &owner).to_string();
    thread::scope(|scope| {
        for ((name, examples), token) in people.iter().zip(&tokens) {
            let (site, known) = (&site, &known);
            scope.spawn(move || {
                let done = schemathesis(site, &site.person(name), token, known, examples);
                assert_eq!(done.code, 0, "{name}: {}\n{}", done.out, done.err);
            });
        }
    });
    // It serves on, and its books are right.
    assert_eq!(curl(&[&format!("{}/readyz", site.url)]).status, 200);
    site.world.ctl("audit verify").ok();
    assert!(!site.daemon.log().contains("panicked"), "{}", site.daemon.log());
    assert_eq!(site.daemon.stop(), 0);
}

#[test]
fn without_a_token_nothing_but_health_and_how_to_sign_in_is_answered() {
    let Some(site) = Site::unhurried("the API without a token") else { return };
    let document = curl(&[&format!("{}/openapi.json", site.url)]).ok();
    let mut open = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in
            item.as_object().unwrap().keys().filter(|name| ["get", "post", "put", "delete"].contains(&name.as_str()))
        {
            let path = path.replace(['{', '}'], "");
            let url = format!("{}{path}", site.url);
            let answer = curl(&["--request", &method.to_uppercase(), &url]);
            match answer.status {
                401 => assert_eq!(answer.json()["code"], "not_signed_in", "{method} {path}"),
                200..300 => open.push(path),
                other => panic!("{method} {path}: {other} {}", answer.body),
            }
        }
    }
    assert_eq!(open, ["/.well-known/oauth-protected-resource", "/healthz", "/readyz"]);
}
