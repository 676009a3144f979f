//! The shipped realm, in the real Keycloak: what it says takes effect.

use serde_json::Value;

use super::super::{
    keycloak::{self, Keycloak, claims},
    stores::Stack,
};

/// The Keycloak with the shipped realm, and its cron job's secret.
fn shipped(what: &str) -> Option<(Keycloak, String)> {
    let stack = Stack::of(what)?;
    Some((Keycloak::shipped(&stack), stack.get("STACK_KEYCLOAK_SHIPPED_SECRET").to_owned()))
}

#[test]
fn keycloak_takes_the_shipped_realm_as_it_is_written() {
    let Some((keycloak, _)) = shipped("the shipped realm, imported") else { return };
    let (written, taken) = (keycloak::json("daemon/keycloak/realm.json"), keycloak.admin("GET", "", None).ok());
    let elsewhere = ["authenticationFlows", "authenticatorConfig", "clients", "roles", "scopeMappings", "users"];
    for (name, value) in written.as_object().unwrap().iter().filter(|(name, _)| !elsewhere.contains(&name.as_str())) {
        match value {
            Value::Object(fields) => {
                fields.iter().for_each(|(field, value)| assert_eq!(&taken[name][field], value, "{name}.{field}"));
            }
            _ => assert_eq!(&taken[name], value, "{name}"),
        }
    }
    let expected = [
        ("bruteForceProtected", Value::from(true)),
        ("revokeRefreshToken", true.into()),
        ("refreshTokenMaxReuse", 0.into()),
        ("oauth2DeviceCodeLifespan", 180.into()),
        ("registrationAllowed", false.into()),
        ("resetPasswordAllowed", false.into()),
        ("sslRequired", "external".into()),
    ];
    for (name, value) in expected {
        assert_eq!(taken[name], value, "{name}");
    }
    for client in keycloak.admin("GET", "/clients", None).ok().as_array().unwrap() {
        assert_eq!(client["directAccessGrantsEnabled"], false, "{}", client["clientId"]);
        assert_eq!(client["implicitFlowEnabled"], false, "{}", client["clientId"]);
        let own = written["clients"].as_array().unwrap().iter().find(|own| own["clientId"] == client["clientId"]);
        for (name, value) in own.and_then(Value::as_object).into_iter().flatten() {
            match name.as_str() {
                "attributes" => {
                    let fields = value.as_object().unwrap();
                    fields.iter().for_each(|(field, value)| assert_eq!(&client[name][field], value, "{field}"));
                }
                "secret" => assert_ne!(&client[name], value, "the variable's name became the secret"),
                "protocolMappers" => assert_eq!(client[name].as_array().unwrap().len(), 1),
                "defaultClientScopes" => {
                    let sorted = |list: &Value| {
                        let mut words: Vec<String> =
                            list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect();
                        words.sort();
                        words
                    };
                    assert_eq!(sorted(&client[name]), sorted(value));
                }
                _ => assert_eq!(&client[name], value, "{}.{name}", client["clientId"]),
            }
        }
    }
}

#[test]
fn nobody_is_in_the_shipped_realm() {
    let Some((keycloak, _)) = shipped("the people of the shipped realm") else { return };
    for person in keycloak.admin("GET", "/users", None).ok().as_array().unwrap() {
        // Those whom other tests hired.
        assert!(person["username"].as_str().unwrap().starts_with("test-"), "{person}");
    }
}

#[test]
fn a_password_alone_is_no_way_in_and_neither_is_a_code_without_its_verifier() {
    let Some((keycloak, _)) = shipped("ways in that are closed") else { return };
    for client in ["admin-cli", "walletctl", "account-console", "security-admin-console"] {
        let form = [("grant_type", "password"), ("client_id", client), ("username", "x"), ("password", "x")];
        let answer = keycloak.post("token", &form);
        answer.refused(400, "unauthorized_client");
    }
    keycloak.post("auth/device", &[("client_id", "walletctl")]).refused(400, "invalid_request");
    let plain = [
        ("client_id", "walletctl"),
        ("code_challenge", "a-challenge-that-is-the-verifier-itself-and-long-enough"),
        ("code_challenge_method", "plain"),
    ];
    keycloak.post("auth/device", &plain).refused(400, "invalid_request");
    let code = keycloak.device_code("walletctl");
    assert_eq!((&code["expires_in"], &code["interval"]), (&180.into(), &5.into()));
    // Offline tokens would outlive every session.
    let offline = [("scope", "offline_access"), ("client_id", "walletctl")];
    assert_eq!(keycloak.post("auth/device", &offline).status, 400);
}

#[test]
fn the_cron_jobs_secret_is_the_environments_and_its_token_says_what_it_may_and_no_more() {
    let Some((keycloak, secret)) = shipped("the shipped realm's cron job") else { return };
    let ask = |secret: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", "cron-job"), ("client_secret", secret)];
        keycloak.post("token", &form)
    };
    for wrong in ["${WALLET_CRON_JOB_SECRET}", "WALLET_CRON_JOB_SECRET", "", "x"] {
        ask(wrong).refused(401, "unauthorized_client");
    }
    let tokens = ask(&secret).ok();
    assert!(tokens["refresh_token"].is_null(), "{tokens}");
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(
        (&claims["aud"], &claims["azp"], &claims["typ"]),
        (&"walletd".into(), &"cron-job".into(), &"Bearer".into())
    );
    assert_eq!(claims["realm_access"]["roles"], serde_json::json!(["operator"]));
    assert!(claims["resource_access"].is_null(), "{claims}");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
}
