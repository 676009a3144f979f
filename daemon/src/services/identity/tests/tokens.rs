//! Each way in which a token can be wrong, and what a good one makes of its bearer.

use super::*;

async fn reason(draft: Draft) -> Reason {
    let world = World::usual().await;
    World::refused(world.judge(&draft.by(Signer::Rsa)).await)
}

/// A token put together by hand.
fn compact(header: &Value, claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// base64url without padding.
fn part(json: &Value) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in json.to_string().as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

#[tokio::test]
async fn a_good_token_says_who_its_bearer_is() {
    let world = World::usual().await;
    let token = Draft::good().with("realm_access", json!({"roles": ["operator", "backdate", "uma_authorization"]}));
    let caller = world.judge(&token.by(Signer::Rsa)).await.unwrap();
    assert_eq!(caller.actor.as_str(), "sub:0b9c");
    assert_eq!((caller.role_names(), caller.permission_names()), (vec!["operator".into()], vec!["backdate".into()]));
    assert_eq!((caller.scope.to_string().as_str(), &caller.owner), ("shared", &None));
    let token = caller.token.unwrap();
    assert_eq!((&*token.issuer, token.client.as_str()), (ISSUER, "walletctl"));
}

#[tokio::test]
async fn es256_is_as_good_as_rs256() {
    let world = World::usual().await;
    let mut draft = Draft::good();
    draft.header = Header { kid: Some("p256".into()), ..Header::new(Algorithm::ES256) };
    assert!(world.judge(&draft.by(Signer::P256)).await.is_ok());
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let world = World::usual().await;
    let claims = Draft::good().claims;
    for alg in ["none", "None", "NONE", ""] {
        let token = compact(&json!({"alg": alg, "typ": "JWT", "kid": "rsa"}), &claims, "");
        assert_eq!(World::refused(world.judge(&token).await), Reason::Malformed, "{alg}");
    }
    let token = compact(&json!({"alg": "RS256", "typ": "JWT", "kid": "rsa"}), &claims, "");
    assert_eq!(World::refused(world.judge(&token).await), Reason::Signature);
}

#[tokio::test]
async fn the_public_key_is_no_secret_to_sign_with() {
    let world = World::usual().await;
    let jwk = Signer::Rsa.jwk("rsa");
    for secret in [Signer::Rsa.pem().to_vec(), jwk.to_string().into_bytes(), jwk["n"].to_string().into_bytes()] {
        let draft = Draft::good();
        let header = Header { kid: Some("rsa".into()), ..Header::new(Algorithm::HS256) };
        let token = encode(&header, &draft.claims, &EncodingKey::from_secret(&secret)).unwrap();
        assert_eq!(World::refused(world.judge(&token).await), Reason::Algorithm);
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_its_keys_is_refused() {
    let world = World::usual().await;
    let mut draft = Draft::good();
    draft.header = Header { kid: Some("rsa".into()), ..Header::new(Algorithm::ES256) };
    assert_eq!(World::refused(world.judge(&draft.by(Signer::P256)).await), Reason::Algorithm);
    let mut draft = Draft::good();
    draft.header = Header { kid: Some("rsa".into()), ..Header::new(Algorithm::RS512) };
    assert_eq!(World::refused(world.judge(&draft.by(Signer::Rsa)).await), Reason::Algorithm);
}

#[tokio::test]
async fn times_are_kept_with_ten_seconds_of_leeway() {
    let now = get_current_timestamp();
    let world = World::usual().await;
    assert!(world.judge(&Draft::good().with("exp", now - 5).by(Signer::Rsa)).await.is_ok());
    assert!(world.judge(&Draft::good().with("nbf", now + 5).by(Signer::Rsa)).await.is_ok());
    assert_eq!(reason(Draft::good().with("exp", now - 20)).await, Reason::Expired);
    assert_eq!(reason(Draft::good().with("nbf", now + 20)).await, Reason::NotYetValid);
    assert_eq!(reason(Draft::good().with("iat", now + 20)).await, Reason::NotYetValid);
    assert_eq!(reason(Draft::good().without("exp")).await, Reason::Malformed);
    for exp in [json!("tomorrow"), json!(-1), json!(1e300), json!(null)] {
        assert_eq!(reason(Draft::good().with("exp", exp)).await, Reason::Malformed);
    }
}

#[tokio::test]
async fn a_kept_token_ends_when_it_ends() {
    let world = World::usual().await;
    let token = Draft::good().with("exp", get_current_timestamp() - 9).by(Signer::Rsa);
    assert!(world.judge(&token).await.is_ok());
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(World::refused(world.judge(&token).await), Reason::Expired);
    assert_eq!(World::refused(world.judge(&token).await), Reason::Expired);
}

#[tokio::test]
async fn a_token_is_known_from_its_verification_to_its_end_or_its_keys() {
    let world = World::usual().await;
    let token = Draft::good().by(Signer::Rsa);
    assert!(world.tokens.known(&token).is_none(), "nobody has looked at it");
    world.judge(&token).await.unwrap();
    assert_eq!(world.tokens.known(&token).unwrap().actor, world.judge(&token).await.unwrap().actor);
    assert!(world.tokens.known(&format!("{token}x")).is_none());
    let late = Draft::good().with("exp", get_current_timestamp() - 20).by(Signer::Rsa);
    assert_eq!(World::refused(world.judge(&late).await), Reason::Expired);
    assert!(world.tokens.known(&late).is_none());
    world.published.put(CERTS, json!({"keys": [Signer::P256.jwk("p256")]}));
    assert!(world.issuer.refresh().await);
    assert!(world.tokens.known(&token).is_none(), "its key was withdrawn");
}

#[tokio::test]
async fn another_issuers_token_is_refused() {
    for issuer in [json!("https://evil.example/realms/wallet"), json!(format!("{ISSUER}/")), json!([ISSUER]), json!(7)]
    {
        assert_eq!(reason(Draft::good().with("iss", issuer.clone())).await, Reason::Issuer, "{issuer}");
    }
    assert_eq!(reason(Draft::good().without("iss")).await, Reason::Issuer);
}

#[tokio::test]
async fn a_token_for_something_else_is_refused() {
    for audience in [json!("account"), json!(["account", "walletd2"]), json!("WALLETD"), json!([]), json!({})] {
        assert_eq!(reason(Draft::good().with("aud", audience.clone())).await, Reason::Audience, "{audience}");
    }
    assert_eq!(reason(Draft::good().without("aud")).await, Reason::Audience);
    let world = World::usual().await;
    assert!(world.judge(&Draft::good().with("aud", "walletd").by(Signer::Rsa)).await.is_ok());
}

#[tokio::test]
async fn an_id_token_is_no_access_token() {
    assert_eq!(reason(Draft::good().with("typ", "ID")).await, Reason::Kind);
    assert_eq!(reason(Draft::good().with("typ", "Refresh")).await, Reason::Kind);
    assert_eq!(reason(Draft::good().without("typ")).await, Reason::Kind);
    let mut draft = Draft::good();
    draft.header.typ = Some("dpop+jwt".into());
    assert_eq!(reason(draft).await, Reason::Kind);
}

#[tokio::test]
async fn another_clients_token_is_refused() {
    assert_eq!(reason(Draft::good().with("azp", "webshop")).await, Reason::Client);
    assert_eq!(reason(Draft::good().with("azp", json!(["walletctl"]))).await, Reason::Client);
    assert_eq!(reason(Draft::good().without("azp")).await, Reason::Client);
}

#[tokio::test]
async fn a_token_without_a_usable_subject_is_refused() {
    assert_eq!(reason(Draft::good().without("sub")).await, Reason::Subject);
    for subject in [json!(""), json!("a b"), json!("ü"), json!("x\n"), json!("x".repeat(129)), json!(7)] {
        assert_eq!(reason(Draft::good().with("sub", subject)).await, Reason::Subject);
    }
}

#[tokio::test]
async fn an_altered_token_is_refused() {
    let world = World::usual().await;
    let token = Draft::good().with("realm_access", json!({"roles": ["user"]})).by(Signer::Rsa);
    let parts: Vec<_> = token.split('.').collect();
    let raised = part(&Draft::good().claims);
    for altered in [
        format!("{}.{raised}.{}", parts[0], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>()),
        format!("{}.{}.{}", part(&json!({"alg": "RS256", "kid": "rsa", "x": 1})), parts[1], parts[2]),
    ] {
        let reason = World::refused(world.judge(&altered).await);
        assert!(matches!(reason, Reason::Signature | Reason::Malformed), "{reason:?}");
    }
    assert!(world.judge(&token).await.is_ok());
}

#[tokio::test]
async fn somebody_elses_key_under_a_known_name_signs_nothing() {
    let world = World::usual().await;
    assert_eq!(World::refused(world.judge(&Draft::good().by(Signer::OtherRsa)).await), Reason::Signature);
}

#[tokio::test]
async fn a_key_is_never_taken_from_the_token_itself() {
    let world = World::usual().await;
    let mut draft = Draft::good();
    draft.header.jku = Some("https://evil.example/keys".into());
    draft.header.x5u = Some("https://evil.example/cert".into());
    draft.header.jwk = Some(serde_json::from_value(Signer::OtherRsa.jwk("rsa")).unwrap());
    assert_eq!(World::refused(world.judge(&draft.clone().by(Signer::OtherRsa)).await), Reason::Signature);
    draft.header.kid = Some("evil".into());
    assert_eq!(World::refused(world.judge(&draft.clone().by(Signer::OtherRsa)).await), Reason::UnknownKey);
    draft.header.kid = None;
    assert_eq!(World::refused(world.judge(&draft.by(Signer::OtherRsa)).await), Reason::UnknownKey);
    // Beside a good signature they are nothing.
    let mut draft = Draft::good();
    draft.header.jku = Some("https://evil.example/keys".into());
    assert!(world.judge(&draft.by(Signer::Rsa)).await.is_ok());
}

#[tokio::test]
async fn a_header_that_must_be_understood_and_is_not_is_refused() {
    let mut draft = Draft::good();
    draft.header.crit = Some(vec!["b64".into()]);
    assert_eq!(reason(draft).await, Reason::Malformed);
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let world = World::usual().await;
    let long = "x".repeat(20_000);
    for text in ["", ".", "..", "a.b.c", "é.é.é", "Basic YTpi", "null", long.as_str()] {
        assert_eq!(World::refused(world.judge(text).await), Reason::Malformed, "{text:.20}");
    }
    assert_eq!(world.published.asked(), 1);
}

#[tokio::test]
async fn a_user_is_bound_to_an_owner_and_has_keys_of_its_own() {
    let world = World::usual().await;
    let roles = |names: &[&str]| Draft::good().with("realm_access", json!({"roles": names})).by(Signer::Rsa);
    let user = world.judge(&roles(&["user"])).await.unwrap();
    assert_eq!(user.scope.to_string(), "user:sub:0b9c");
    assert_eq!(user.owner.unwrap().as_str(), "0b9c");
    let both = world.judge(&roles(&["user", "operator"])).await.unwrap();
    assert_eq!(both.scope.to_string(), "shared");
    let auditor = world.judge(&roles(&["auditor"])).await.unwrap();
    assert_eq!((auditor.scope.to_string().as_str(), auditor.owner), ("shared", None));
    let nobody = world.judge(&roles(&["admins", "Operator", "operator "])).await.unwrap();
    assert!(nobody.roles.is_empty() && nobody.permissions.is_empty());
}

#[tokio::test]
async fn the_owner_comes_from_the_configured_claim_alone() {
    let published = World::usual().await;
    let expected = Expected { audience: "walletd".into(), clients: vec!["walletctl".into()] };
    let mapping = Mapping { owner_claim: "wallet_owner".into(), ..mapping() };
    let tokens = Tokens::new(Arc::clone(&published.issuer), expected, mapping, Arc::new(Wall));
    let draft = Draft::good().with("realm_access", json!({"roles": ["user"]}));
    let owner = async |draft: Draft| tokens.authenticate(&draft.by(Signer::Rsa)).await.unwrap().owner;
    assert_eq!(owner(draft.clone()).await, None);
    assert_eq!(owner(draft.clone().with("wallet_owner", "uma")).await.unwrap().as_str(), "uma");
    for bad in [json!("../x"), json!(["uma"]), json!("a b"), json!("")] {
        assert_eq!(owner(draft.clone().with("wallet_owner", bad)).await, None);
    }
}

#[tokio::test]
async fn roles_of_an_unexpected_form_give_nothing() {
    let world = World::usual().await;
    for access in [
        json!(null),
        json!([]),
        json!({"roles": "operator"}),
        json!({"roles": {"operator": true}}),
        json!({"roles": [["operator"]]}),
    ] {
        let caller = world.judge(&Draft::good().with("realm_access", access).by(Signer::Rsa)).await.unwrap();
        assert!(caller.roles.is_empty());
    }
}
