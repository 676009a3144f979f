//! Tokens that are wrong in one way each, over HTTP: 401, and a challenge that says what is wrong in words of the
//! daemon's own.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use serde_json::{Value, json};

use super::{
    Place,
    signer::{KID, Signer},
};

/// Made by openssl for tests; the issuer does not publish it.
const OTHER: &[u8] = include_bytes!("../../../../daemon/src/services/identity/tests/keys/other.pem");
/// `{"alg":"none","typ":"JWT","kid":"test"}`
const NONE: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIiwia2lkIjoidGVzdCJ9";

fn claims(place: &Place) -> Value {
    let now = get_current_timestamp();
    json!({"iss": place.signer.name(), "aud": "walletd", "sub": "a", "typ": "Bearer", "azp": "walletctl",
        "iat": now, "exp": now + 600, "realm_access": {"roles": ["operator"]}})
}

/// Good but for some claims; null for none.
fn changed(place: &Place, changes: &Value) -> String {
    let mut claims = claims(place);
    for (name, value) in changes.as_object().unwrap() {
        let all = claims.as_object_mut().unwrap();
        if value.is_null() {
            all.remove(name)
        } else {
            all.insert(name.clone(), value.clone())
        };
    }
    Signer::signed(&claims)
}

/// Tokens wrong by their claims, with what is said of each.
fn by_claims(place: &Place) -> Vec<(String, &'static str)> {
    let now = get_current_timestamp();
    let (meant, client) = ("it is meant for something else", "it was issued to a client that is not allowed here");
    let (kind, whose) = ("it is not an access token", "it does not say whose it is");
    let (issuer, early) = ("another issuer made it", "it is not valid yet");
    let cases = [
        (json!({"exp": now - 60}), "it has expired"),
        (json!({"exp": null}), "it is not a signed token"),
        (json!({"nbf": now + 60}), early),
        (json!({"iat": now + 60}), early),
        (json!({"iss": "https://id.example/realms/wallet"}), issuer),
        (json!({"iss": format!("{}/", place.signer.name())}), issuer),
        (json!({"iss": null}), issuer),
        (json!({"aud": "other"}), meant),
        (json!({"aud": ["account", "other"]}), meant),
        (json!({"aud": null}), meant),
        // An ID token, as Keycloak makes it for a client that is called as the audience is.
        (json!({"typ": "ID", "nonce": "n", "at_hash": "h"}), kind),
        (json!({"typ": "Refresh"}), kind),
        (json!({"typ": null}), kind),
        (json!({"azp": "webshop"}), client),
        (json!({"azp": null}), client),
        (json!({"sub": null}), whose),
        (json!({"sub": ""}), whose),
    ];
    cases.map(|(changes, said)| (changed(place, &changes), said)).into()
}

/// Tokens wrong by their form, algorithm, key or signature.
fn by_form(place: &Place) -> Vec<(String, &'static str)> {
    let good = Signer::signed(&claims(place));
    let more = changed(place, &json!({"realm_access": {"roles": ["operator", "admin"]}}));
    let [(head, payload, signature), (_, other, _)] = [&good, &more].map(|token| {
        let mut parts = token.split('.');
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
    });
    let header = |kid: &str, algorithm| Header { kid: Some(kid.into()), ..Header::new(algorithm) };
    let by = |header: Header, key: &EncodingKey| encode(&header, &claims(place), key).unwrap();
    let (public, foreign) = (Signer::public(), EncodingKey::from_rsa_pem(OTHER).unwrap());
    let secret = |text: &str| by(header(KID, Algorithm::HS256), &EncodingKey::from_secret(text.as_bytes()));
    let (form, algorithm) = ("it is not a signed token", "its algorithm is not accepted");
    let (signed, key) = ("its signature does not fit", "its key is not one of the issuer's");
    vec![
        ("not.a.token".into(), form),
        (format!("{NONE}.{payload}."), form),
        (format!("{NONE}.{payload}.{signature}"), form),
        (secret(&public.to_string()), algorithm),
        (secret(public["n"].as_str().unwrap()), algorithm),
        (by(header(KID, Algorithm::RS512), &Signer::key()), algorithm),
        (by(header("unknown", Algorithm::RS256), &Signer::key()), key),
        (by(Header::new(Algorithm::RS256), &Signer::key()), key),
        (by(header(KID, Algorithm::RS256), &foreign), signed),
        (format!("{head}.{other}.{signature}"), signed),
        (format!("{head}.{payload}."), signed),
    ]
}

#[test]
fn every_token_that_is_wrong_in_one_way_gets_401_and_is_told_which() {
    let (place, _daemon) = Place::up();
    place.ask("GET", "/v1/wallets", Some(&Signer::signed(&claims(&place))), None).is(200);
    let way = format!("resource_metadata=\"http://127.0.0.1:{}/.well-known/oauth-protected-resource\"", place.port);
    for (token, said) in by_form(&place).into_iter().chain(by_claims(&place)) {
        let answer = place.ask("GET", "/v1/wallets", Some(&token), None);
        let expected = format!("Bearer error=\"invalid_token\", error_description=\"{said}\", {way}");
        assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()), "{token}: {answer:?}");
        assert_eq!(answer.problem(401)["code"], "not_signed_in", "{token}");
    }
    // Without a token nothing is wrong with it (RFC 6750, 3.1).
    let answer = place.ask("GET", "/v1/wallets", None, None);
    assert_eq!(answer.header("www-authenticate"), Some(format!("Bearer {way}").as_str()));
}
