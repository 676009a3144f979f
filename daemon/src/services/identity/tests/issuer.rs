//! The life of the keys.

use super::*;

#[tokio::test]
async fn only_keys_for_signatures_of_an_accepted_algorithm_verify() {
    let good = Signer::Rsa.jwk("rsa");
    let spoilt = |field: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[field] = value;
        jwk
    };
    let mut without_use = good.clone();
    without_use.as_object_mut().unwrap().remove("use");
    let mut small = good.clone();
    small["n"] = json!(good["n"].as_str().unwrap()[..100]);
    let bad = [
        spoilt("use", json!("enc")),
        without_use,
        spoilt("kty", json!("EC")),
        spoilt("kty", json!("oct")),
        spoilt("alg", json!("RSA-OAEP")),
        spoilt("alg", json!("RS512")),
        spoilt("kid", json!(null)),
        spoilt("e", json!("!")),
        small,
        json!("rsa"),
    ];
    for jwk in bad {
        let world = World::of(&[jwk.clone(), Signer::P256.jwk("p256")]).await;
        assert_eq!(World::refused(world.judge(&Draft::good().by(Signer::Rsa)).await), Reason::UnknownKey, "{jwk}");
    }
    let mut curve = Signer::P256.jwk("rsa");
    curve["crv"] = json!("P-384");
    let world = World::unread(&[curve]);
    assert!(!world.issuer.refresh().await);
}

#[tokio::test]
async fn of_two_keys_of_one_name_the_first_counts() {
    let world = World::of(&[Signer::Rsa.jwk("rsa"), Signer::OtherRsa.jwk("rsa")]).await;
    assert!(world.judge(&Draft::good().by(Signer::Rsa)).await.is_ok());
    assert_eq!(World::refused(world.judge(&Draft::good().by(Signer::OtherRsa)).await), Reason::Signature);
}

#[tokio::test]
async fn a_key_that_is_not_known_is_asked_for_once_in_a_while() {
    let world = World::usual().await;
    let unknown = |kid: &str| {
        let mut draft = Draft::good();
        draft.header.kid = Some(kid.into());
        draft.by(Signer::OtherRsa)
    };
    assert_eq!(world.published.asked(), 1);
    for n in 0..50 {
        assert_eq!(World::refused(world.judge(&unknown(&format!("k{n}"))).await), Reason::UnknownKey);
    }
    assert_eq!(world.published.asked(), 2, "fifty unknown keys cost one question");
    world.clock.passes(Duration::from_secs(11));
    // The issuer has changed its keys: the new one is found by the first token that names it.
    world.published.put(CERTS, json!({"keys": [Signer::OtherRsa.jwk("new")]}));
    assert!(world.judge(&unknown("new")).await.is_ok());
    assert_eq!(world.published.asked(), 3);
}

#[tokio::test]
async fn the_regular_reading_does_not_delay_a_question_for_a_new_key() {
    let world = World::usual().await;
    world.published.put(CERTS, json!({"keys": [Signer::OtherRsa.jwk("rsa2")]}));
    let mut draft = Draft::good();
    draft.header.kid = Some("rsa2".into());
    assert!(world.judge(&draft.by(Signer::OtherRsa)).await.is_ok());
}

#[tokio::test]
async fn many_who_need_the_keys_ask_for_them_once() {
    let world = Arc::new(World::unread(&[Signer::Rsa.jwk("rsa")]));
    world.published.gate.forget_permits(Semaphore::MAX_PERMITS);
    let callers: Vec<_> = (0..100)
        .map(|n| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.judge(&Draft::good().with("jti", n).by(Signer::Rsa)).await.is_ok() })
        })
        .collect();
    while world.published.asked() == 0 {
        tokio::task::yield_now().await;
    }
    world.published.gate.add_permits(10);
    for caller in callers {
        assert!(caller.await.unwrap());
    }
    assert_eq!(world.published.asked(), 1);
}

#[tokio::test]
async fn somebody_who_goes_away_does_not_take_the_answer_from_the_others() {
    let world = Arc::new(World::unread(&[Signer::Rsa.jwk("rsa")]));
    world.published.gate.forget_permits(Semaphore::MAX_PERMITS);
    let impatient = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.judge(&Draft::good().by(Signer::Rsa)).await.is_ok() })
    };
    while world.published.asked() == 0 {
        tokio::task::yield_now().await;
    }
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    world.published.gate.add_permits(10);
    assert!(world.judge(&Draft::good().by(Signer::Rsa)).await.is_ok());
    assert_eq!(world.published.asked(), 1);
}

#[tokio::test]
async fn without_keys_nothing_is_judged_and_that_is_said() {
    let world = World::unread(&[Signer::Rsa.jwk("rsa")]);
    world.published.is_down();
    let token = Draft::good().by(Signer::Rsa);
    for _ in 0..20 {
        assert_eq!(world.judge(&token).await.unwrap_err(), Refusal::NoKeys);
    }
    assert_eq!(world.published.asked(), 1);
}

#[tokio::test]
async fn keys_outlive_their_issuer_by_an_hour() {
    let world = World::usual().await;
    let token = Draft::good().by(Signer::Rsa);
    assert!(world.judge(&token).await.is_ok());
    world.published.is_down();
    world.clock.passes(Duration::from_mins(59));
    assert!(!world.issuer.refresh().await);
    assert!(world.judge(&token).await.is_ok());
    assert!(world.judge(&Draft::good().with("jti", "2").by(Signer::Rsa)).await.is_ok());
    world.clock.passes(Duration::from_mins(1));
    // Also for a token that was verified before.
    assert_eq!(world.judge(&token).await.unwrap_err(), Refusal::NoKeys);
    world.published.put(DISCOVERY, json!({"issuer": ISSUER, "jwks_uri": CERTS}));
    world.published.put(CERTS, json!({"keys": [Signer::Rsa.jwk("rsa")]}));
    world.clock.passes(Duration::from_secs(11));
    assert!(world.judge(&token).await.is_ok());
}

#[tokio::test]
async fn a_key_that_is_withdrawn_counts_no_more() {
    let world = World::usual().await;
    let token = Draft::good().by(Signer::Rsa);
    assert!(world.judge(&token).await.is_ok());
    world.published.put(CERTS, json!({"keys": [Signer::P256.jwk("p256")]}));
    assert!(world.issuer.refresh().await);
    assert_eq!(World::refused(world.judge(&token).await), Reason::UnknownKey);
}

#[tokio::test]
async fn a_document_of_another_issuer_changes_nothing() {
    let world = World::usual().await;
    for said in ["https://evil.example", &format!("{ISSUER}/"), INSIDE, ""] {
        world.published.put(DISCOVERY, json!({"issuer": said, "jwks_uri": CERTS}));
        world.published.put(CERTS, json!({"keys": [Signer::OtherRsa.jwk("rsa")]}));
        assert!(!world.issuer.refresh().await, "{said}");
    }
    assert!(world.judge(&Draft::good().by(Signer::Rsa)).await.is_ok());
}

#[tokio::test]
async fn keys_are_fetched_the_way_the_issuer_is_reached() {
    let world = World::unread(&[Signer::Rsa.jwk("rsa")]);
    let outside = "https://id.example/realms/wallet/protocol/openid-connect/certs";
    world.published.put(DISCOVERY, json!({"issuer": ISSUER, "jwks_uri": outside}));
    assert!(world.issuer.refresh().await, "below the public issuer: reached inside");
    for elsewhere in
        ["http://evil.example/certs", "http://keycloak:8080.evil.example/certs", "file:///etc/passwd", "/certs"]
    {
        world.published.put(DISCOVERY, json!({"issuer": ISSUER, "jwks_uri": elsewhere}));
        world.published.put(elsewhere, json!({"keys": [Signer::OtherRsa.jwk("rsa")]}));
        assert!(!world.issuer.refresh().await, "{elsewhere}");
    }
    let keys = "https://keys.example/certs";
    world.published.put(DISCOVERY, json!({"issuer": ISSUER, "jwks_uri": keys}));
    world.published.put(keys, json!({"keys": [Signer::Rsa.jwk("rsa")]}));
    assert!(world.issuer.refresh().await, "an https URL of its own");
}

#[tokio::test]
async fn documents_that_are_something_else_change_nothing() {
    let world = World::usual().await;
    for (url, document) in [
        (DISCOVERY, json!([])),
        (DISCOVERY, json!({"issuer": ISSUER})),
        (CERTS, json!({})),
        (CERTS, json!({"keys": []})),
        (CERTS, json!({"keys": {}})),
    ] {
        world.published.put(DISCOVERY, json!({"issuer": ISSUER, "jwks_uri": CERTS}));
        world.published.put(url, document.clone());
        assert!(!world.issuer.refresh().await, "{document}");
    }
    assert!(world.judge(&Draft::good().by(Signer::Rsa)).await.is_ok());
}
