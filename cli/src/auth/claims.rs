//! What a token says of itself. It is not verified here: the daemon does that; a person is only shown whose it is.

use serde::Deserialize;
use wallet_api::client::Token;

/// Some claims of an access token.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Claims {
    /// Who issued it.
    #[serde(default)]
    pub iss: String,
    /// When it ends.
    #[serde(default)]
    pub exp: i64,
    /// When it was issued.
    #[serde(default)]
    pub iat: i64,
    /// Whom it was issued to.
    #[serde(default)]
    pub azp: String,
    /// Whose it is.
    #[serde(default)]
    pub sub: String,
    /// What people call them.
    #[serde(default)]
    pub preferred_username: String,
}

impl Claims {
    /// What a token says; none if it is not a JWT.
    pub fn of(token: &Token) -> Option<Self> {
        jsonwebtoken::dangerous::insecure_decode_claims(token.expose()).ok()
    }

    /// What to call its bearer.
    pub fn name(&self) -> Option<String> {
        [&self.preferred_username, &self.sub].into_iter().find(|name| !name.is_empty()).cloned()
    }
}
