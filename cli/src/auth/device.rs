//! The device flow (RFC 8628) with PKCE: a person approves in a browser, on whatever device, and walletctl asks until
//! there is an answer.
//!
//! It sleeps before it asks, as long as the issuer wants; told to slow down it takes five seconds more from then on. What
//! passes (a gateway's 502, a restart, a lost connection) is polled through until the code ends; what does not (no trusted
//! connection, no such endpoint, a refusal) ends it at once.

use std::time::Duration;

use openidconnect::{
    DeviceAuthorizationResponse, EmptyExtraDeviceAuthorizationFields, PkceCodeChallenge, PkceCodeVerifier,
};
use wallet_api::client::secure;

use super::{
    discovery::Provider,
    http::{Http, Trouble},
    tokens::{Denied, Refusal, Tokens, ask, of_client, refusal},
};
use crate::error::CliError;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// What being told to slow down costs, for good (RFC 8628, 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// No issuer is asked more often.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// A code that waits for approval.
pub struct Pending {
    given: DeviceAuthorizationResponse<EmptyExtraDeviceAuthorizationFields>,
    verifier: PkceCodeVerifier,
}

impl Pending {
    /// Where a person approves.
    pub fn url(&self) -> &str {
        self.given.verification_uri().as_str()
    }

    /// The same with the code in it, if the issuer has that.
    pub fn whole_url(&self) -> Option<&str> {
        self.given.verification_uri_complete().map(|url| url.secret().as_str())
    }

    /// What they type, or compare.
    pub fn code(&self) -> &str {
        self.given.user_code().secret()
    }

    /// How long they have.
    pub fn life(&self) -> Duration {
        self.given.expires_in()
    }

    /// How often the issuer wants to be asked.
    pub fn interval(&self) -> Duration {
        self.given.interval().max(LEAST_INTERVAL)
    }
}

/// Begins.
pub async fn begin(http: &Http, provider: &Provider, client: &str) -> Result<Pending, CliError> {
    let endpoint = provider.device.as_deref().ok_or_else(|| {
        CliError::configuration(format!("{} has no device flow", provider.issuer))
            .hint("Sign in with --with-token, or let the issuer's administrator switch the device grant on.")
    })?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let form = [
        ("client_id", client),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", challenge.method().as_str()),
    ];
    let reply = http.post(endpoint, &form, None).await?;
    if let Some(refusal) = refusal(&reply) {
        return Err(of_client(&provider.issuer, client, &refusal));
    }
    let at = reply.at.clone();
    let pending = Pending { given: reply.json()?, verifier };
    for url in [Some(pending.url()), pending.whole_url()].into_iter().flatten() {
        let wrong = |why| Trouble::Useless { at: at.clone(), why: format!("it sends people to {url}: {why}") };
        secure(url).map_err(wrong)?;
    }
    Ok(pending)
}

/// What one question brought.
#[derive(Debug)]
pub enum Turn {
    /// Approved.
    Done(Tokens),
    /// Nobody has decided yet.
    Pending,
    /// Nobody has decided yet, and the issuer wants to be asked less often.
    SlowDown,
    /// No answer this time; how long to leave it alone.
    Away(String, Option<Duration>),
    /// It is over.
    Over(CliError),
}

/// Asks once.
pub async fn turn(http: &Http, provider: &Provider, client: &str, pending: &Pending) -> Turn {
    let form = [
        ("grant_type", GRANT),
        ("client_id", client),
        ("device_code", pending.given.device_code().secret()),
        ("code_verifier", pending.verifier.secret()),
    ];
    match ask(http, &provider.token, &form, None).await {
        Ok(tokens) => Turn::Done(tokens),
        Err(Denied::Refused(refusal)) => refused(&provider.issuer, client, &refusal),
        Err(Denied::Trouble(Trouble::Away { at, why, wait })) => Turn::Away(format!("{at}: {why}"), wait),
        Err(Denied::Trouble(trouble)) => Turn::Over(trouble.into()),
    }
}

fn refused(issuer: &str, client: &str, refusal: &Refusal) -> Turn {
    match refusal.error.as_str() {
        "authorization_pending" => Turn::Pending,
        "slow_down" => Turn::SlowDown,
        "access_denied" => Turn::Over(CliError::new("login_denied", "the sign-in was denied in the browser")),
        "expired_token" => Turn::Over(expired(None)),
        // The issuer has forgotten the code: it restarted, or the code was used.
        "invalid_grant" => Turn::Over(CliError::new(
            "login_expired",
            format!("{issuer} does not know this sign-in any more ({}): start again", refusal.text()),
        )),
        _ => Turn::Over(of_client(issuer, client, refusal)),
    }
}

fn expired(last: Option<&str>) -> CliError {
    let trouble = last.map(|why| format!(" (the last answer: {why})")).unwrap_or_default();
    CliError::new("login_expired", format!("nobody approved the sign-in in time{trouble}"))
}

/// Asks until it is over. `elapsed` is the time since the code was given.
pub async fn poll(
    interval: Duration,
    life: Duration,
    elapsed: impl Fn() -> Duration,
    sleep: impl AsyncFn(Duration),
    ask: impl AsyncFn() -> Turn,
) -> Result<Tokens, CliError> {
    let (mut interval, mut rest, mut trouble) = (interval, Duration::ZERO, None);
    loop {
        let left = life.saturating_sub(elapsed());
        let wait = interval.max(rest);
        sleep(wait.min(left)).await;
        if wait >= left {
            return Err(expired(trouble.as_deref()));
        }
        (rest, trouble) = (Duration::ZERO, None);
        match ask().await {
            Turn::Done(tokens) => return Ok(tokens),
            Turn::Pending => {}
            Turn::SlowDown => interval += SLOWER,
            Turn::Away(why, wait) => (rest, trouble) = (wait.unwrap_or_default(), Some(why)),
            Turn::Over(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use wallet_api::client::Token;

    use super::*;

    fn tokens() -> Tokens {
        Tokens { access: Token::new("t"), given_at: 0, ends_at: 300, refresh: None, refresh_ends_at: None }
    }

    fn away(wait: Option<u64>) -> Turn {
        Turn::Away("502".into(), wait.map(Duration::from_secs))
    }

    /// Polls through these answers; how it ended, and the seconds slept before each question.
    fn through(life: u64, answers: Vec<Turn>) -> (Result<Tokens, CliError>, Vec<u64>) {
        let (slept, answers) = (RefCell::new(Vec::new()), RefCell::new(answers.into_iter()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let end = runtime.block_on(poll(
            Duration::from_secs(1),
            Duration::from_secs(life),
            || Duration::from_secs(slept.borrow().iter().sum()),
            async |time| slept.borrow_mut().push(time.as_secs()),
            async || answers.borrow_mut().next().unwrap_or(Turn::Pending),
        ));
        (end, slept.into_inner())
    }

    fn of(error: &str) -> Turn {
        let text = format!(r#"{{"error":"{error}","error_description":"d"}}"#);
        refused("https://i", "walletctl", &serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn it_sleeps_before_each_question_and_slower_for_good_once_told() {
        let (end, slept) =
            through(180, vec![of("authorization_pending"), of("slow_down"), Turn::Pending, Turn::Done(tokens())]);
        assert!(end.is_ok());
        assert_eq!(slept, [1, 1, 6, 6]);
    }

    #[test]
    fn what_passes_is_polled_through_and_a_wanted_rest_is_given_once() {
        let (end, slept) = through(180, vec![away(None), away(Some(7)), Turn::Pending, Turn::Done(tokens())]);
        assert!(end.is_ok());
        assert_eq!(slept, [1, 1, 7, 1]);
    }

    #[test]
    fn it_stops_when_the_code_ends_and_says_what_was_in_the_way() {
        let (end, slept) = through(3, vec![]);
        assert_eq!((end.unwrap_err().exit, slept), (4, vec![1, 1, 1]));
        let (end, _) = through(2, vec![away(None)]);
        let error = end.unwrap_err();
        assert!(error.exit == 4 && error.message.contains("502"), "{error}");
    }

    #[test]
    fn refusals_end_it_each_in_its_own_way() {
        for (word, code, exit) in [
            ("access_denied", "login_denied", 10),
            ("expired_token", "login_expired", 4),
            ("invalid_grant", "login_expired", 4),
            ("invalid_client", "not_signed_in", 4),
            ("unauthorized_client", "not_signed_in", 4),
        ] {
            let (end, slept) = through(180, vec![Turn::Pending, of(word)]);
            let error = end.unwrap_err();
            assert_eq!((error.code.as_str(), error.exit, slept.len()), (code, exit, 2), "{word}");
        }
        let Turn::Over(error) = of("invalid_grant") else { panic!() };
        assert!(error.message.contains("start again"), "{error}");
    }
}
