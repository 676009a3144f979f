//! What verification costs. Run by hand: `cargo test --workspace --lib what_a_token_costs -- --ignored --nocapture`.

use std::{hint::black_box, io::Write as _};

use jsonwebtoken::{DecodingKey, crypto::rust_crypto};

use super::*;

/// The time this thread worked: what it waited for a core is another matter.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

fn line(what: &str, begun: Duration, count: u32) {
    let each = worked().saturating_sub(begun) / count;
    let _ = writeln!(std::io::stderr(), "{what}: {:.1} µs", each.as_secs_f64() * 1e6);
}

#[tokio::test]
#[ignore = "measures, and judges nothing"]
async fn what_a_token_costs() {
    const NEW: u32 = 2_000;
    const KNOWN: u32 = 200_000;
    let world = World::usual().await;
    for (name, signer, kid) in [("RS256", Signer::Rsa, "rsa"), ("ES256", Signer::P256, "p256")] {
        let header = Header { kid: Some(kid.into()), ..Header::new(signer.algorithm()) };
        let drafts = (0..NEW).map(|n| Draft { header: header.clone(), ..Draft::good().with("jti", n) });
        let made: Vec<_> = drafts.map(|draft| draft.by(signer)).collect();
        let begun = worked();
        for token in &made {
            world.judge(token).await.unwrap();
        }
        line(&format!("{name}, {} bytes, seen for the first time", made[0].len()), begun, NEW);
        let begun = worked();
        for _ in 0..KNOWN {
            black_box(world.judge(&made[0]).await.unwrap());
        }
        line(&format!("{name}, seen before"), begun, KNOWN);
        let unsigned: Vec<_> = made.iter().map(|token| format!("{}A", &token[..token.len() - 1])).collect();
        let begun = worked();
        for token in &unsigned {
            black_box(world.judge(token).await.is_err());
        }
        line(&format!("{name}, with another signature"), begun, NEW);
        let decoding = DecodingKey::from_jwk(&serde_json::from_value(signer.jwk(kid)).unwrap()).unwrap();
        // It fits nothing, which is known only at the end.
        let signature = vec![1; if signer == Signer::P256 { 64 } else { 256 }];
        let begun = worked();
        for token in made.iter().take(200) {
            let (message, _) = token.rsplit_once('.').unwrap();
            let verifier = (rust_crypto::DEFAULT_PROVIDER.verifier_factory)(&signer.algorithm(), &decoding).unwrap();
            black_box(verifier.verify(message.as_bytes(), &signature).is_ok());
        }
        line(&format!("{name}, a signature alone by rust_crypto"), begun, 200);
    }
}
