//! How long the daemon's certificate is good.
//!
//! A certificate that is not good now is found by every request; this is about the one that ends while nobody looks.

use std::time::Duration;

use wallet_api::client::{Endpoint, is_untrusted};

use super::Finding;
use crate::{
    auth::{
        http::trust,
        session::Session,
        tokens::{second, span},
    },
    error::CliError,
};

const CHECK: &str = "certificate";
const PATIENCE: Duration = Duration::from_secs(15);
/// A certificate that ends sooner is worth a word: most are renewed a month before.
const SOON: i64 = 21 * 86_400;
/// One that ends before the next night is a fault.
const NOW: i64 = 86_400;

/// Looks at it; nothing to say where there is no TLS, or no connection.
pub(super) async fn look(session: &Session) -> Option<Finding> {
    let Ok(Endpoint::Https(url)) = session.resource.parse() else { return None };
    let asked = async {
        let client = trust(session.identity.ca_file.as_ref())?.tls().tls_info(true).build();
        let client = client.map_err(|e| CliError::configuration(e.to_string()))?;
        match client.get(format!("{url}/")).timeout(PATIENCE).send().await {
            Ok(answer) => {
                let info = answer.extensions().get::<reqwest::tls::TlsInfo>();
                Ok(info.and_then(|info| info.peer_certificate()).and_then(ends_at))
            }
            // Said by the look at the daemon.
            Err(error) if is_untrusted(&error) || error.is_connect() => Ok(None),
            Err(_) => Ok(None),
        }
    };
    match asked.await {
        Ok(end) => Some(judge(end?, second())),
        Err(error) => Some(Finding::fault(CHECK, &error)),
    }
}

fn judge(end: i64, second: i64) -> Finding {
    let left = end - second;
    let advice = "Renew it; walletd reads it again on SIGHUP.";
    let text = format!("the daemon's is good for {}", span(left));
    match left {
        ..NOW => Finding::fault(CHECK, &CliError::new("untrusted_server", text).hint(advice)),
        NOW..SOON => Finding::warning(CHECK, text, advice),
        _ => Finding::good(CHECK, text),
    }
}

/// The end of a certificate's life, out of its DER: the second time of the validity, which is the fourth or fifth part
/// of what is signed. None if it is not there.
fn ends_at(der: &[u8]) -> Option<i64> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (tag, certificate, _) = part(der)?;
    let (inner, signed, _) = part(certificate)?;
    if (tag, inner) != (SEQUENCE, SEQUENCE) {
        return None;
    }
    let (first, _, after) = part(signed)?;
    // The version may be left out; then serial, algorithm and issuer.
    let mut rest = if first == VERSION { after } else { signed };
    for _ in 0..3 {
        (_, _, rest) = part(rest)?;
    }
    let (_, validity, _) = part(rest)?;
    let (_, _, rest) = part(validity)?;
    let (tag, text, _) = part(rest)?;
    moment(tag, std::str::from_utf8(text).ok()?)
}

/// The first part of some DER: its tag, its content, what follows.
fn part(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = der.split_first_chunk()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        // A certificate is far below 16 MiB.
        let count = usize::from(length & 0x7f);
        let (digits, rest) = rest.split_at_checked(count).filter(|_| count <= 3)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `YYMMDDhhmmssZ` or, from 2050 on, `YYYYMMDDhhmmssZ`.
fn moment(tag: u8, text: &str) -> Option<i64> {
    const UTC_TIME: u8 = 0x17;
    let text = if tag == UTC_TIME {
        let century = if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" };
        format!("{century}{text}")
    } else {
        text.to_owned()
    };
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    /// Of an EC key, from 23 November 2026 for 45 days.
    const DER: &str = concat!(
        "308201863082012da0030201020214744448732c5c270f20be97baed9302477fe915bb300a06082a8648ce3d040302301931",
        "17301506035504030c0e77616c6c65742e6578616d706c65301e170d3236313132333038313432335a170d32373031303730",
        "38313432335a30193117301506035504030c0e77616c6c65742e6578616d706c653059301306072a8648ce3d020106082a86",
        "48ce3d030107034200046084cf394a9231b7acdae377a0f7a3bf4f76a23e3a6608c0dd9de497736e75bc7563adab18427e07",
        "f089d186aebd2579de10fad59605bf53f0c8c611c370a4c0a3533051301d0603551d0e041604148df7b9cba410dff9dbcb5d",
        "f42d79541539778864301f0603551d230418301680148df7b9cba410dff9dbcb5df42d79541539778864300f0603551d1301",
        "01ff040530030101ff300a06082a8648ce3d04030203470030440220104b176d592b768cc6c63a31d24f85f695b2a717997c",
        "5988e623fd013270f15402201b4e2eba1b034cd4693ac3ad199aa2f8cfd217998ead2b31e9ae8974deeba757",
    );

    fn bytes() -> Vec<u8> {
        DER.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn the_end_of_a_certificate_is_read_and_nonsense_is_not() {
        let end = jiff::Timestamp::from_second(ends_at(&bytes()).unwrap()).unwrap();
        assert_eq!(end.to_string(), "2027-01-07T08:14:23Z");
        for cut in 0..bytes().len() {
            // Whatever is cut off, nothing breaks.
            let _ = ends_at(&bytes()[..cut]);
        }
        assert_eq!(ends_at(b"not a certificate"), None);
        let late = moment(0x18, "20500101000000Z").unwrap();
        assert_eq!(jiff::Timestamp::from_second(late).unwrap().to_string(), "2050-01-01T00:00:00Z");
        assert!(moment(0x17, "490101000000Z").unwrap() > moment(0x17, "500101000000Z").unwrap());
    }

    #[test]
    fn one_that_ends_soon_is_told_in_time() {
        let state = |days: i64| judge(days * 86_400, 0).state;
        assert_eq!(
            (state(90), state(20), state(0), state(-1)),
            (State::Good, State::Warning, State::Fault, State::Fault)
        );
    }
}
