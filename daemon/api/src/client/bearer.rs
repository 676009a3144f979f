//! Tokens: what a caller shows on TCP, and who gives it to the client.
//!
//! The client asks for a token before each request, so that work of hours outlives any one of them. A request whose token
//! the daemon calls invalid was refused before it did anything: it is sent once more, unchanged, with a new one.

use std::fmt;

use futures_util::future::BoxFuture;
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};

/// A secret text. It is shown to nobody by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for whoever is meant to have it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The header of a request; none for a text that no header can have.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// Why there is no token.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct BearerError {
    /// A code of the table of problems.
    pub code: &'static str,
    /// What happened.
    pub message: String,
    /// What to do; the code's advice where there is none.
    pub hint: Option<String>,
}

/// Gives tokens.
pub trait Bearer: fmt::Debug + Send + Sync {
    /// One that is good for now; none to go without.
    fn token(&self) -> BoxFuture<'_, Result<Option<Token>, BearerError>>;

    /// Another one in the place of one that the daemon calls invalid; none if there is no other.
    fn renew<'a>(&'a self, refused: &'a Token) -> BoxFuture<'a, Result<Option<Token>, BearerError>>;
}

/// True for an answer that refuses the token, and not the caller.
pub(super) fn refuses_token(status: StatusCode, headers: &HeaderMap) -> bool {
    let mut challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    status == StatusCode::UNAUTHORIZED && challenges.any(|text| text.contains("invalid_token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown_by_accident() {
        let token = Token::new("eyJhbGciOi");
        assert_eq!(format!("{token:?} {:?}", token.header().unwrap()), "Token(hidden) Sensitive");
        assert!(Token::new("two\nlines").header().is_none());
    }
}
