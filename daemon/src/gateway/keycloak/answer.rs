//! Keycloak's answers: read whole, and what they say about an attempt.

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use wallet_api::problem::Problem;

use super::{
    allowed::Route,
    form::Form,
    guard::{Attempt, Ended},
};
use crate::gateway::fault::Fault;

/// The fields by which one tells the steps of signing in: a password, a one-time password, new ones, consent.
const STEPS: [&str; 5] = ["password", "otp", "password-new", "totp", "accept"];

/// An answer of Keycloak's.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Down {
    /// It cannot be asked. Never with its URL: the queries of login pages are secrets.
    #[error("Keycloak cannot be asked")]
    Failed(#[source] reqwest::Error),
    /// It answered something else.
    #[error("Keycloak answers {0}")]
    Refused(StatusCode),
    /// It takes too long.
    #[error("Keycloak does not answer in time (keycloak.timeout_s)")]
    Slow,
    /// Its answer has no end, or one that is too far.
    #[error("Keycloak's answer broke off, or is too large")]
    Cut,
    /// Its answer is none of Keycloak's.
    #[error("what answers there is no Keycloak")]
    Strange,
}

impl From<reqwest::Error> for Down {
    fn from(error: reqwest::Error) -> Self {
        Self::Failed(error.without_url())
    }
}

impl Down {
    /// What the client is told.
    pub(super) fn response(&self) -> Response {
        let code = match self {
            Self::Failed(source) if source.is_connect() || source.is_timeout() => "unavailable",
            Self::Slow => "unavailable",
            Self::Failed(_) | Self::Refused(_) | Self::Cut | Self::Strange => "bad_gateway",
        };
        Fault::from(Problem::new(code, "the server that signs people in does not answer")).into_response()
    }
}

/// Reads the body of an answer that may be so large.
pub(super) async fn whole(mut answer: reqwest::Response, most: usize) -> Result<Answer, Down> {
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(None) => return Ok(Answer { status, headers, body: body.into() }),
            Ok(Some(piece)) if piece.len() <= most - body.len() => body.extend_from_slice(&piece),
            Err(error) if error.is_timeout() => return Err(Down::Slow),
            Ok(Some(_)) | Err(_) => return Err(Down::Cut),
        }
    }
}

/// What an answer says about the attempt; `form` is what was sent.
///
/// A login that fails is the same page again, with 200. One that is taken leads on: by a redirect, or by the page of the
/// next step, which is answered with 200 as well.
pub(super) fn judged(attempt: &Attempt<'_>, form: &[u8], answer: &Answer) -> Ended {
    let status = answer.status;
    if status.is_server_error() {
        return Ended::Unknown;
    }
    if attempt.guesses {
        let leads_on = status.is_redirection()
            || status.is_success() && attempt.route == Route::Login && is_another_step(form, &answer.body);
        return if leads_on { Ended::Taken } else { Ended::Refused };
    }
    let is_oauth = attempt.route == Route::Token && status.is_client_error();
    match error_of(&answer.body).filter(|_| is_oauth).as_deref() {
        Some("authorization_pending" | "slow_down") => Ended::Polling,
        _ if status.is_client_error() => Ended::Refused,
        _ => Ended::Taken,
    }
}

/// True for the page of another step: it has a field of some step, and none of the one that was just sent. A page that
/// cannot be understood, of a theme that writes its forms otherwise, is taken for the same page again.
fn is_another_step(form: &[u8], page: &[u8]) -> bool {
    let Ok(form) = Form::read(form) else { return false };
    let mut asked = STEPS.iter().filter(|name| has_field(page, name)).peekable();
    asked.peek().is_some() && asked.all(|name| form.get(name).is_none())
}

/// True if a page has a field of this name, in HTML as Keycloak's themes write it.
fn has_field(page: &[u8], name: &str) -> bool {
    ['"', '\''].into_iter().any(|quote| {
        let text = format!("name={quote}{name}{quote}");
        let mut rest = page.windows(text.len() + 1);
        rest.any(|window| window[0].is_ascii_whitespace() && window.ends_with(text.as_bytes()))
    })
}

/// The `error` of an OAuth answer.
fn error_of(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Error {
        error: String,
    }
    serde_json::from_slice(body).ok().map(|Error { error }| error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str =
        r#"<form method="post"><input id="username" name="username"><input type="password" name="password">"#;
    const CODE: &str =
        "<form><input id='otp'\nname='otp' autocomplete=off><input type=hidden name=\"selectedCredentialId\">";
    const NEW_PASSWORD: &str = r#"<input type="password" name="password-new"><input name="password-confirm">"#;
    const PHONE: &str = r#"<input type="text" name="totp"><input type="hidden" name="totpSecret" value="x">"#;
    const CONSENT: &str = r#"<input name="accept" type="submit"><input name="cancel" type="submit">"#;

    fn login(form: &str, status: u16, page: &str) -> Ended {
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        let attempt = Attempt { address, route: Route::Login, client: None, guesses: true };
        let status = StatusCode::from_u16(status).unwrap();
        judged(&attempt, form.as_bytes(), &Answer { status, headers: HeaderMap::new(), body: page.to_owned().into() })
    }

    #[test]
    fn a_login_that_is_asked_for_the_same_again_was_refused_and_one_that_leads_on_was_not() {
        let (password, code) = ("username=ana&password=x&credentialId=", "otp=123456");
        for (form, page, how) in [
            (password, PASSWORD, Ended::Refused),
            (password, CODE, Ended::Taken),
            (password, PHONE, Ended::Taken),
            (password, NEW_PASSWORD, Ended::Taken),
            (code, CODE, Ended::Refused),
            (code, PASSWORD, Ended::Taken),
            ("totp=1&totpSecret=x", PHONE, Ended::Refused),
            ("totp=1&totpSecret=x", CONSENT, Ended::Taken),
            ("accept=Yes", CONSENT, Ended::Refused),
            ("password-new=a&password-confirm=b", NEW_PASSWORD, Ended::Refused),
            // Asked for both at once: one of them was wrong.
            (password, &format!("{PASSWORD}{CODE}"), Ended::Refused),
            // Nothing is known of these.
            (password, "<input name=\"other\" data-name=\"otp\">", Ended::Refused),
            (password, "", Ended::Refused),
            ("password=a&password=b", CODE, Ended::Refused),
            ("password", CODE, Ended::Refused),
        ] {
            assert_eq!(login(form, 200, page), how, "{form} {page}");
        }
        assert_eq!(login(password, 302, ""), Ended::Taken);
        assert_eq!(login(password, 400, CODE), Ended::Refused);
        assert_eq!(login(password, 500, CODE), Ended::Unknown);
    }
}
