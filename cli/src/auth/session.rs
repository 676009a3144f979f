//! The token of each request, whoever it is asked as.
//!
//! A login's token is renewed under the login's lock: read again first, since another process may have renewed it, and
//! kept before it is used. A refresh token is used once; were it used twice, the issuer would end the whole login. So it
//! is not used before there is room for what it brings. Should that not be kept all the same, this command still has it.

use std::sync::{Arc, Mutex as Held, PoisonError};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::sync::Mutex;
use wallet_api::{
    client::{Bearer, BearerError, Token},
    problem::code,
};

use super::{
    client_token,
    discovery::provider,
    http::Http,
    identity::{Credentials, Identity},
    logins::{Login, Logins},
    tokens::{Denied, Tokens, ask, second},
};
use crate::{env::Env, error::CliError, paths::Paths};

/// Who asks, and for what.
#[derive(Debug)]
pub struct Session {
    /// The daemon's URL.
    pub resource: String,
    /// Who walletctl is.
    pub identity: Identity,
    /// The logins there are.
    pub logins: Logins,
    /// The way to the issuer.
    pub http: Http,
    env: Env,
    held: Mutex<Option<Tokens>>,
    unkept: Held<Option<CliError>>,
}

impl Session {
    /// Of these settings; nothing is read yet.
    pub fn new(resource: &str, identity: &Identity, paths: &Paths, env: &Env) -> Arc<Self> {
        Arc::new(Self {
            resource: resource.to_owned(),
            identity: identity.clone(),
            logins: Logins::of(paths),
            http: Http::new(identity.ca_file.clone()),
            env: env.clone(),
            held: Mutex::new(None),
            unkept: Held::new(None),
        })
    }

    /// The login for this resource, by this client, at the issuer of the context.
    pub fn login(&self) -> Result<Option<Login>, CliError> {
        self.logins.find(&self.resource, &self.identity.client, self.identity.issuer.as_deref())
    }

    /// Why the login is over with this command, if its new tokens could not be kept.
    pub fn unkept(&self) -> Option<CliError> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A token that is good for now; none if nobody is signed in. `refused` is one that is not wanted again.
    pub async fn tokens(&self, refused: Option<&Token>) -> Result<Option<Tokens>, CliError> {
        let mut held = self.held.lock().await;
        if let Some(tokens) = held.as_ref().filter(|tokens| usable(tokens, refused)) {
            return Ok(Some(tokens.clone()));
        }
        let tokens = match &self.identity.credentials {
            Credentials::Login => self.of_login(refused).await?,
            own => Some(self.of_client(own).await?),
        };
        held.clone_from(&tokens);
        Ok(tokens)
    }

    /// The client's own token; only ever in memory.
    async fn of_client(&self, credentials: &Credentials) -> Result<Tokens, CliError> {
        let Identity { client, issuer, .. } = &self.identity;
        let issuer = issuer.as_deref().ok_or_else(|| {
            CliError::configuration("no issuer is pinned, and a client shows its secret to none that is not")
                .hint("walletctl context set NAME --issuer URL (or WALLETCTL_ISSUER).")
        })?;
        client_token::fetch(&self.http, issuer, client, credentials, &self.env).await
    }

    async fn of_login(&self, refused: Option<&Token>) -> Result<Option<Tokens>, CliError> {
        let Some(login) = self.login()? else { return Ok(None) };
        let Some((_, tokens)) = self.logins.read(&login.binding).await? else { return Ok(None) };
        if usable(&tokens, refused) {
            return Ok(Some(tokens));
        }
        let _lock = self.logins.lock(&login.binding).await?;
        let Some((login, tokens)) = self.logins.read(&login.binding).await? else { return Ok(None) };
        if usable(&tokens, refused) {
            return Ok(Some(tokens));
        }
        self.renew(&login, tokens, refused).await.map(Some)
    }

    async fn renew(&self, login: &Login, tokens: Tokens, refused: Option<&Token>) -> Result<Tokens, CliError> {
        let over = |why: &str| {
            let whose = login.who.as_deref().unwrap_or("somebody");
            CliError::new("not_signed_in", format!("the sign-in of {whose} at {} is over: {why}", self.resource))
                .hint("Sign in again: walletctl auth login.")
        };
        let still_good = |tokens: &Tokens| tokens.is_good(second()) && refused != Some(&tokens.access);
        let Some(refresh) = &tokens.refresh else {
            return if still_good(&tokens) { Ok(tokens) } else { Err(over("its token cannot be renewed")) };
        };
        if tokens.refresh_ends_at.is_some_and(|end| end <= second()) {
            return Err(over("it was not used for too long"));
        }
        let place = match self.logins.room_after(login, &tokens).await {
            Ok(place) => place,
            // What cannot be kept now may be in a moment, and the token lasts for one more.
            Err(_) if still_good(&tokens) => return Ok(tokens),
            Err(trouble) => return Err(trouble),
        };
        let asked = async {
            let provider = provider(&self.http, &login.binding.issuer).await.map_err(Denied::Trouble)?;
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", login.binding.client.as_str()),
                ("refresh_token", refresh.expose()),
            ];
            ask(&self.http, &provider.token, &form, None).await
        };
        match asked.await {
            Ok(mut fresh) => {
                if fresh.refresh.is_none() {
                    (fresh.refresh, fresh.refresh_ends_at) = (tokens.refresh, tokens.refresh_ends_at);
                }
                if let Err(trouble) = self.logins.save(place, login, &fresh).await {
                    *self.unkept.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
                }
                Ok(fresh)
            }
            Err(Denied::Refused(refusal)) => Err(over(&refusal.text())),
            // The issuer is away for a moment, and the token lasts for one more.
            Err(Denied::Trouble(_)) if still_good(&tokens) => Ok(tokens),
            Err(Denied::Trouble(trouble)) => Err(trouble.into()),
        }
    }
}

fn usable(tokens: &Tokens, refused: Option<&Token>) -> bool {
    tokens.is_fresh(second()) && refused != Some(&tokens.access)
}

impl Bearer for Session {
    fn token(&self) -> BoxFuture<'_, Result<Option<Token>, BearerError>> {
        async { Ok(self.tokens(None).await.map_err(|error| told(&error))?.map(|tokens| tokens.access)) }.boxed()
    }

    fn renew<'a>(&'a self, refused: &'a Token) -> BoxFuture<'a, Result<Option<Token>, BearerError>> {
        async { Ok(self.tokens(Some(refused)).await.map_err(|error| told(&error))?.map(|tokens| tokens.access)) }
            .boxed()
    }
}

fn told(error: &CliError) -> BearerError {
    BearerError { code: code(&error.code).code, message: error.message.clone(), hint: Some(error.hint.clone()) }
}
