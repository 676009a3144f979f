//! What the doctor says of the TCP listener, and of the Keycloak behind it.

use wallet_core::{ports::Clock as _, time::Timestamp};

use super::Examined;
use crate::{
    adapters::{embedded::clock::SystemClock, finding::Finding},
    config::Config,
    gateway::{Facts, Files, Keycloak},
    services::whole,
};

/// Renewals happen a month before the end; one that did not is noticed two weeks before.
const SOON_DAYS: i64 = 14;

/// The TCP listener; none while there is none.
pub(super) fn examine(config: &Config) -> Option<Examined> {
    let listen = config.gateway.listen?;
    let mut findings = Vec::new();
    match config.gateway.files() {
        Some((cert, key)) => {
            let files = Files { cert: cert.to_owned(), key: key.to_owned() };
            findings.push(match files.read() {
                Ok((_, facts)) => certificate(&facts, SystemClock::new().now()),
                Err(error) => {
                    let advice = "correct gateway.cert_file and gateway.key_file: PEM, readable by walletd's user";
                    Finding::fault("certificate", whole(&error), advice)
                }
            });
        }
        None if listen.ip().is_loopback() => {
            findings.push(Finding::good("encryption", "none, and only this machine can connect"));
        }
        None => findings.push(Finding::warning(
            "encryption",
            "none, and other machines can connect (gateway.plain_beyond_loopback)",
            "let nothing but a proxy that encrypts reach this address",
        )),
    }
    if config.gateway.public_url.is_none() {
        let advice = "set gateway.public_url to the URL that clients use: tokens and metadata name it";
        findings.push(Finding::warning("public_url", "not set", advice));
    }
    Some(Examined { store: "gateway", place: listen.to_string(), findings, unreachable: false })
}

fn certificate(facts: &Facts, now: Timestamp) -> Finding {
    let days = facts.days_left(now);
    let text = format!("{days} days left, SHA-256 {}", facts.fingerprint);
    if facts.is_expired(now) {
        Finding::fault(
            "certificate",
            format!("expired {} days ago", days.saturating_neg()),
            "put a new one in its place, and send SIGHUP",
        )
    } else if facts.is_early(now) {
        Finding::fault("certificate", "not valid yet", "set the clock right, or wait")
    } else if days < SOON_DAYS {
        Finding::warning("certificate", text, "renew it, and send SIGHUP")
    } else {
        Finding::good("certificate", text)
    }
}

/// The Keycloak behind the gateway; none while there is none.
pub(super) async fn examine_keycloak(config: &Config) -> Option<Examined> {
    let place = config.keycloak.url.clone()?;
    let mut unreachable = false;
    let finding = match Keycloak::behind(&config.keycloak, config.gateway.public_url.as_deref()) {
        Err(error) => Finding::fault("configuration", whole(&error), "correct [keycloak] and gateway.public_url"),
        Ok(None) => return None,
        Ok(Some(keycloak)) => match keycloak.issuer_it_has().await {
            Ok(issuer) if issuer == keycloak.issuer() => Finding::good("issuer", issuer),
            Ok(issuer) => Finding::fault(
                "issuer",
                format!("it issues as {issuer}, and behind the gateway it must be {}", keycloak.issuer()),
                "start Keycloak with --hostname=PUBLIC_URL/auth --hostname-backchannel-dynamic=true --proxy-headers=xforwarded",
            ),
            Err(error) => {
                unreachable = true;
                Finding::fault(
                    "connection",
                    whole(&error),
                    "start Keycloak, or correct keycloak.url and keycloak.realm",
                )
            }
        },
    };
    Some(Examined { store: "keycloak", place, findings: vec![finding], unreachable })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::finding::Level;

    #[test]
    fn a_certificate_is_judged_by_the_days_it_has() {
        let now = Timestamp::from_micros(1_000 * 86_400 * 1_000_000);
        let level = |from: i64, until: i64| {
            let facts = Facts { fingerprint: "ab".into(), from: from * 86_400, until: until * 86_400 };
            certificate(&facts, now).level
        };
        assert_eq!(level(900, 1_090), Level::Good);
        assert_eq!(level(900, 1_010), Level::Warning);
        assert_eq!(level(900, 999), Level::Fault);
        assert_eq!(level(1_001, 1_090), Level::Fault);
    }
}
