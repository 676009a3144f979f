//! Tokens as an issuer gives them.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use wallet_api::client::Token;

use super::http::{Http, Reply, Trouble};
use crate::{env::now, error::CliError, output::sanitize};

/// A token is renewed this long before it ends, so that a request that waits in a queue still finds it good. For tokens
/// of less than a minute and a half it is a third of their life.
const MARGIN: i64 = 30;
/// What a token is taken to live if the issuer does not say.
const USUAL_LIFE: i64 = 60;
/// No token is taken to live longer.
const LONGEST_LIFE: i64 = 10 * 366 * 86_400;
/// How much of an issuer's own words is told.
const MAX_WORDS: usize = 300;

/// The present second.
pub fn second() -> i64 {
    now().as_micros().div_euclid(1_000_000)
}

/// An access token, and what renews it.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// What requests show.
    pub access: Token,
    /// When it was given, in seconds since 1970.
    pub given_at: i64,
    /// When it ends.
    pub ends_at: i64,
    /// What gets another one.
    pub refresh: Option<Token>,
    /// When that ends, if the issuer says.
    pub refresh_ends_at: Option<i64>,
}

impl Tokens {
    /// True while it can be shown without second thoughts.
    pub fn is_fresh(&self, second: i64) -> bool {
        let margin = MARGIN.min((self.ends_at - self.given_at) / 3);
        // Before it was given: the clock was set back, and nothing is known of its age.
        (self.given_at - MARGIN..self.ends_at - margin).contains(&second)
    }

    /// True until it ends.
    pub fn is_good(&self, second: i64) -> bool {
        second < self.ends_at
    }
}

/// A good answer of the token endpoint.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    token_type: String,
    expires_in: Option<i64>,
    refresh_token: Option<String>,
    /// Keycloak's; zero is without end.
    refresh_expires_in: Option<i64>,
}

/// A refusal of the token endpoint.
#[derive(Clone, Debug, Deserialize)]
pub struct Refusal {
    /// OAuth's word for it.
    pub error: String,
    /// The issuer's own words.
    #[serde(default)]
    pub error_description: String,
}

impl Refusal {
    /// In one line.
    pub fn text(&self) -> String {
        let text = sanitize(&format!("{}: {}", self.error, self.error_description)).chars().take(MAX_WORDS).collect();
        let text: String = text;
        text.trim_end_matches([':', ' ']).to_owned()
    }
}

/// Why there are no tokens.
#[derive(Debug)]
pub enum Denied {
    /// The issuer says no.
    Refused(Refusal),
    /// The issuer says nothing of use.
    Trouble(Trouble),
}

/// Asks the token endpoint.
pub async fn ask(
    http: &Http,
    endpoint: &str,
    form: &[(&str, &str)],
    basic: Option<(&str, &Token)>,
) -> Result<Tokens, Denied> {
    let reply = http.post(endpoint, form, basic).await.map_err(Denied::Trouble)?;
    read(reply)
}

/// A refusal of an OAuth endpoint; none if it is another kind of answer.
pub fn refusal(reply: &Reply) -> Option<Refusal> {
    let refused = [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&reply.status);
    if refused { serde_json::from_slice(&reply.body).ok() } else { None }
}

fn read(reply: Reply) -> Result<Tokens, Denied> {
    if let Some(refusal) = refusal(&reply) {
        return Err(Denied::Refused(refusal));
    }
    let at = reply.at.clone();
    let given: Given = reply.json().map_err(Denied::Trouble)?;
    if !given.token_type.eq_ignore_ascii_case("bearer") {
        let why = "it gives tokens that are no bearer tokens".into();
        return Err(Denied::Trouble(Trouble::Useless { at, why }));
    }
    let second = second();
    let end = |life: i64| second + life.clamp(0, LONGEST_LIFE);
    Ok(Tokens {
        access: Token::new(given.access_token),
        given_at: second,
        ends_at: end(given.expires_in.unwrap_or(USUAL_LIFE)),
        refresh: given.refresh_token.map(Token::new),
        refresh_ends_at: given.refresh_expires_in.filter(|life| *life > 0).map(end),
    })
}

/// What to tell of a client that the issuer does not let in.
pub fn of_client(issuer: &str, client: &str, refusal: &Refusal) -> CliError {
    CliError::new("not_signed_in", format!("{issuer} refuses the client {client}: {}", refusal.text())).hint(
        "Check the context's client and its secret or key (walletctl context show), and the client at the issuer.",
    )
}

/// A span of time for people: seconds, minutes, hours or days.
pub fn span(seconds: i64) -> String {
    let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or_default()).as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        let status = StatusCode::from_u16(status).unwrap();
        Reply { at: "https://i/token".into(), status, body: Bytes::copy_from_slice(body.as_bytes()), wait: None }
    }

    #[test]
    fn a_token_is_renewed_before_it_ends_and_not_trusted_after_the_clock_went_back() {
        let tokens = |life: i64| Tokens {
            access: Token::new("t"),
            given_at: 1_000,
            ends_at: 1_000 + life,
            refresh: None,
            refresh_ends_at: None,
        };
        assert!(tokens(300).is_fresh(1_000) && tokens(300).is_fresh(1_269) && !tokens(300).is_fresh(1_270));
        assert!(tokens(3).is_fresh(1_001) && !tokens(3).is_fresh(1_002) && tokens(3).is_good(1_002));
        assert!(!tokens(300).is_fresh(500));
    }

    #[test]
    fn answers_are_told_apart_by_status_and_word_alone() {
        let good =
            r#"{"access_token":"a","token_type":"bearer","expires_in":60,"refresh_token":"r","refresh_expires_in":0}"#;
        let tokens = read(reply(200, good)).unwrap();
        assert_eq!((tokens.ends_at - tokens.given_at, tokens.refresh_ends_at), (60, None));
        assert!(!format!("{tokens:?}").contains("\"a\""));
        let refused = read(reply(400, r#"{"error":"invalid_grant","error_description":"Token is not active"}"#));
        let Err(Denied::Refused(refusal)) = refused else { panic!("{refused:?}") };
        assert_eq!(refusal.text(), "invalid_grant: Token is not active");
        for (status, body) in [(502, "<html>"), (503, ""), (429, "{}"), (500, r#"{"error":"unknown_error"}"#)] {
            assert!(matches!(read(reply(status, body)), Err(Denied::Trouble(Trouble::Away { .. }))), "{status}");
        }
        for (status, body) in [(404, "{}"), (302, ""), (200, "<html>"), (400, "<html>")] {
            assert!(matches!(read(reply(status, body)), Err(Denied::Trouble(Trouble::Useless { .. }))), "{status}");
        }
        let other = read(reply(200, r#"{"access_token":"a","token_type":"mac"}"#));
        assert!(matches!(other, Err(Denied::Trouble(Trouble::Useless { .. }))));
    }
}
