//! `walletctl auth status`.

use std::str::FromStr;

use clap::Args;
use serde::Serialize;

use super::login::moment;
use crate::{
    auth::{
        identity::Credentials,
        logins::Login,
        session::Session,
        tokens::{second, span},
    },
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
};

/// Show who is signed in, where, and for how long; asks no server. Exits 4 if nobody is
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl auth status
  walletctl auth status --expires-within 7d -o json")]
pub struct Status {
    /// Exit 4 too if the sign-in ends within this time: a number and s, m, h or d
    #[arg(long, value_name = "TIME")]
    expires_within: Option<Within>,
}

/// A span of time on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Within(i64);

impl FromStr for Within {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "must be a number and s, m, h or d, such as 7d";
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(WRONG)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(WRONG),
        };
        let number: u32 = number.parse().map_err(|_| WRONG)?;
        Ok(Self(i64::from(number) * unit))
    }
}

/// A sign-in as it is shown.
#[derive(Debug, Default, Serialize)]
struct Row {
    context: String,
    resource: String,
    state: &'static str,
    credentials: &'static str,
    issuer: Option<String>,
    client: Option<String>,
    who: Option<String>,
    storage: Option<String>,
    access_ends_at: Option<String>,
    login_ends_at: Option<String>,
}

impl Record for Row {
    const COLUMNS: &'static [&'static str] = &[
        "context",
        "resource",
        "state",
        "credentials",
        "issuer",
        "client",
        "who",
        "storage",
        "access_ends_at",
        "login_ends_at",
    ];

    fn cell(&self, column: &str) -> Cell<'_> {
        let time = |text: &'_ Option<String>| text.clone().map_or(Cell::None, Cell::owned);
        match column {
            "context" => Cell::text(&self.context),
            "resource" => Cell::text(&self.resource),
            "state" => Cell::text(self.state),
            "credentials" => Cell::text(self.credentials),
            "issuer" => Cell::maybe(self.issuer.as_deref()),
            "client" => Cell::maybe(self.client.as_deref()),
            "who" => Cell::maybe(self.who.as_deref()),
            "storage" => Cell::maybe(self.storage.as_deref()),
            "access_ends_at" => time(&self.access_ends_at),
            "login_ends_at" => time(&self.login_ends_at),
            _ => Cell::None,
        }
    }
}

/// Shows it.
pub(super) async fn status(ctx: &Context, args: &Status) -> Result<(), CliError> {
    let context = ctx.settings.context.value.clone();
    let Some(session) = ctx.session() else {
        let resource = ctx.settings.endpoint.value.to_string();
        let row = Row { context, resource, state: "not_needed", credentials: "socket", ..Row::default() };
        return ctx.out().one("auth", &row, Meta::new());
    };
    let identity = &session.identity;
    let row = Row {
        context,
        resource: session.resource.clone(),
        credentials: identity.credentials.kind(),
        issuer: identity.issuer.clone(),
        client: Some(identity.client.clone()),
        ..Row::default()
    };
    match identity.credentials.place() {
        Some(place) => {
            let (storage, readable) = (Some(place.to_string()), place.read(&ctx.env));
            let state = if readable.is_ok() { "ready" } else { "unusable" };
            ctx.out().one("auth", &Row { state, storage, ..row }, Meta::new())?;
            readable.map(drop)
        }
        None => of_login(ctx, session, row, args.expires_within).await,
    }
}

async fn of_login(ctx: &Context, session: &Session, row: Row, within: Option<Within>) -> Result<(), CliError> {
    debug_assert_eq!(session.identity.credentials, Credentials::Login);
    let Some(login) = session.login()? else {
        ctx.out().one("auth", &Row { state: "signed_out", ..row }, Meta::new())?;
        return Err(super::nobody(session));
    };
    let again = |why: String| CliError::new("not_signed_in", why).hint("Sign in again: walletctl auth login.");
    let (state, found) = match session.logins.read(&login.binding).await {
        // Whoever wants to use them would not get them either.
        Err(error) => ("unusable", Some(error)),
        Ok(None) => ("unusable", Some(again(format!("the tokens are gone from the {}", login.storage.as_str())))),
        Ok(Some(_)) => match judge(&login, second(), within) {
            Some(why) => ("ending", Some(again(why))),
            None => ("signed_in", None),
        },
    };
    let row = Row {
        state,
        issuer: Some(login.binding.issuer.clone()),
        who: login.who.clone(),
        storage: Some(login.storage.as_str().into()),
        access_ends_at: Some(moment(login.ends_at)),
        login_ends_at: login.over_at().map(moment),
        ..row
    };
    ctx.out().one("auth", &row, Meta::new())?;
    found.map_or(Ok(()), Err)
}

/// What is wrong with a login at this second.
fn judge(login: &Login, second: i64, within: Option<Within>) -> Option<String> {
    let left = login.over_at()?.saturating_sub(second);
    if left <= 0 {
        return Some("the sign-in has ended".into());
    }
    within.filter(|within| left <= within.0).map(|_| format!("the sign-in ends in {}", span(left)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{binding::Binding, logins::Storage};

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        let of = |text: &str| text.parse::<Within>().map(|within| within.0);
        assert_eq!((of("7d"), of("90s"), of("2h"), of("5m")), (Ok(604_800), Ok(90), Ok(7_200), Ok(300)));
        for wrong in ["", "7", "d", "-1d", "1w", "7 d", "1é", "99999999999d"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_login_is_judged_by_what_renews_it() {
        let login = |renewable, renewable_until| Login {
            binding: Binding { resource: "https://a".into(), issuer: "https://i".into(), client: "walletctl".into() },
            storage: Storage::File,
            who: None,
            made_at: String::new(),
            ends_at: 300,
            renewable,
            renewable_until,
        };
        let week = Some(Within(604_800));
        // A login without end, as Keycloak's offline ones are.
        assert_eq!(judge(&login(true, None), 1_000, week), None);
        assert_eq!(judge(&login(true, Some(1_800)), 1_000, None), None);
        assert!(judge(&login(true, Some(1_800)), 1_000, week).is_some());
        assert!(judge(&login(true, Some(1_800)), 1_800, None).is_some());
        assert_eq!(judge(&login(false, None), 299, None), None);
        assert!(judge(&login(false, None), 300, None).is_some());
    }
}
