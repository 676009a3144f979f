//! `walletctl auth logout`.

use clap::Args;
use serde::Serialize;
use wallet_api::client::Token;

use crate::{
    auth::{
        discovery::provider,
        logins::{Login, Storage},
        session::Session,
        tokens::{Tokens, refusal},
    },
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
};

/// Sign out: the issuer is told to end the sign-in, and nothing of it is kept here
#[derive(Args)]
#[command(after_help = "Example:
  walletctl auth logout")]
pub struct Logout {}

/// What became of a login.
#[derive(Serialize)]
struct Row {
    resource: String,
    issuer: String,
    who: Option<String>,
    removed: bool,
    revoked: bool,
}

impl Record for Row {
    const COLUMNS: &'static [&'static str] = &["resource", "issuer", "who", "removed", "revoked"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "resource" => Cell::text(&self.resource),
            "issuer" => Cell::text(&self.issuer),
            "who" => Cell::maybe(self.who.as_deref()),
            "removed" => Cell::Bool(self.removed),
            "revoked" => Cell::Bool(self.revoked),
            _ => Cell::None,
        }
    }
}

/// Signs out.
pub(super) async fn logout(ctx: &Context, _args: Logout) -> Result<(), CliError> {
    let session = super::session(ctx)?;
    ctx.out().check::<Row>()?;
    session.logins.sweep(None);
    let login = session.login()?.ok_or_else(|| super::nobody(session))?;
    let _lock = session.logins.lock(&login.binding).await?;
    // Tokens that cannot be reached can neither be given back nor forgotten: the login stays known until they can.
    let tokens = session.logins.read(&login.binding).await.map_err(|error| {
        let text = format!("{error}: the tokens stay where they are, and the issuer was not told");
        let stays = CliError::new(&error.code, text).hint(&error.hint);
        match login.storage {
            Storage::File => stays,
            Storage::Keyring => stays.hint(
                "Run it again where the keyring answers, in the desktop's session, or end the sign-in at the issuer.",
            ),
        }
    })?;
    let revoked = revoke(session, &login, tokens.map(|(_, tokens)| tokens)).await;
    session.logins.remove(&login).await?;
    if let Err(error) = &revoked {
        let end = "the issuer was not told, and ends the sign-in only when it is not used for a while";
        ctx.prompt.note(&format!("{error}: {end}"));
    }
    let row = Row {
        resource: login.binding.resource,
        issuer: login.binding.issuer,
        who: login.who,
        removed: true,
        revoked: revoked.is_ok(),
    };
    ctx.out().one("logout", &row, Meta::new())
}

/// Tells the issuer: the token that renews, which ends the whole sign-in; without one, the access token.
async fn revoke(session: &Session, login: &Login, tokens: Option<Tokens>) -> Result<(), CliError> {
    let Some(tokens) = tokens else {
        return Err(CliError::new("not_found", "its tokens are gone from where they were kept"));
    };
    let provider = provider(&session.http, &login.binding.issuer).await?;
    let endpoint = provider
        .revocation
        .as_deref()
        .ok_or_else(|| CliError::configuration(format!("{} takes no tokens back", provider.issuer)))?;
    let (token, kind): (&Token, _) = match &tokens.refresh {
        Some(refresh) => (refresh, "refresh_token"),
        None => (&tokens.access, "access_token"),
    };
    let form = [("client_id", login.binding.client.as_str()), ("token", token.expose()), ("token_type_hint", kind)];
    let reply = session.http.post(endpoint, &form, None).await?;
    match refusal(&reply) {
        Some(refusal) => Err(CliError::new("not_signed_in", format!("{endpoint}: {}", refusal.text()))),
        None if reply.status.is_success() => Ok(()),
        None => Err(reply.trouble().into()),
    }
}
