//! `walletctl auth login`.

use std::{
    io::Read as _,
    time::{Duration, Instant},
};

use clap::Args;
use qrcode::{QrCode, render::unicode::Dense1x2};
use serde::Serialize;
use wallet_api::client::Token;
use wallet_core::time::Timestamp;

use crate::{
    auth::{
        binding::Binding,
        claims::Claims,
        device::{self, Pending},
        discovery::{Provider, issuers, provider},
        http::Trouble,
        identity::Credentials,
        keyring,
        logins::{Lock, Login, Place, Storage},
        session::Session,
        tokens::{Tokens, second, span},
    },
    config::File,
    context::Context,
    error::CliError,
    output::{Cell, Meta, Record},
};

/// Largest token that is read.
const MAX_TOKEN: u64 = 64 << 10;

/// Sign in: a page is opened in a browser, on this machine or another, and walletctl waits for it
#[derive(Args)]
#[command(after_help = "Examples:
  walletctl auth login --qr
  walletctl auth login --no-browser --insecure-storage
  cat token.txt | walletctl auth login --with-token")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct LoginArgs {
    /// Show the page's address as a QR code too
    #[arg(long)]
    qr: bool,
    /// Do not open a browser here
    #[arg(long)]
    no_browser: bool,
    /// Keep the tokens in a file of mode 0600, where there is no keyring
    #[arg(long)]
    insecure_storage: bool,
    /// Read an access token from stdin in the place of a sign-in; it cannot be renewed
    #[arg(long, conflicts_with_all = ["qr", "no_browser"])]
    with_token: bool,
}

/// Who is signed in now.
#[derive(Serialize)]
struct Row {
    resource: String,
    issuer: String,
    client: String,
    who: Option<String>,
    storage: &'static str,
    access_ends_at: String,
    login_ends_at: Option<String>,
}

impl Record for Row {
    const COLUMNS: &'static [&'static str] =
        &["resource", "issuer", "client", "who", "storage", "access_ends_at", "login_ends_at"];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "resource" => Cell::text(&self.resource),
            "issuer" => Cell::text(&self.issuer),
            "client" => Cell::text(&self.client),
            "who" => Cell::maybe(self.who.as_deref()),
            "storage" => Cell::text(self.storage),
            "access_ends_at" => Cell::Time(&self.access_ends_at),
            "login_ends_at" => self.login_ends_at.as_deref().map_or(Cell::None, Cell::Time),
            _ => Cell::None,
        }
    }
}

/// A moment as it is shown.
pub(super) fn moment(second: i64) -> String {
    Timestamp::from_micros(second.saturating_mul(1_000_000)).to_string()
}

/// Signs in.
pub(super) async fn login(ctx: &Context, args: LoginArgs) -> Result<(), CliError> {
    let session = super::session(ctx)?;
    if session.identity.credentials != Credentials::Login {
        let kind = session.identity.credentials.kind();
        return Err(CliError::usage(format!("this context signs in by itself, with {kind}"))
            .hint("walletctl context set NAME --login true makes it one that people sign in to."));
    }
    ctx.out().check::<Row>()?;
    let told = CliError::new("interrupted", "interrupted: nobody was signed in");
    let _flight = ctx.flight.begin(told);
    let issuer = choose(ctx, session).await?;
    let client = session.identity.client.clone();
    let binding = Binding { resource: session.resource.clone(), issuer: issuer.clone(), client };
    // Before anybody is asked to approve anything.
    let storage = if args.insecure_storage {
        Storage::File
    } else {
        keyring::probe().await?;
        Storage::Keyring
    };
    drop(room(session, &binding).await?);
    let tokens = if args.with_token {
        given(&issuer)?
    } else {
        let provider = provider(&session.http, &issuer).await?;
        approved(ctx, session, &provider, &args).await?
    };
    let login = Login::begin(binding, storage, &tokens);
    keep(ctx, session, &login, &tokens).await?;
    remember(ctx, session, &issuer)?;
    let Binding { resource, issuer, client } = login.binding.clone();
    let row = Row {
        resource,
        issuer,
        client,
        who: login.who.clone(),
        storage: storage.as_str(),
        access_ends_at: moment(login.ends_at),
        login_ends_at: login.over_at().map(moment),
    };
    ctx.out().one("login", &row, Meta::new())
}

/// The right to write a login, and room for it.
async fn room(session: &Session, binding: &Binding) -> Result<(Lock, Place), CliError> {
    let lock = session.logins.lock(binding).await?;
    Ok((lock, session.logins.room(binding)?))
}

/// Keeps the login, in the place of any other for the same daemon and client.
async fn keep(ctx: &Context, session: &Session, login: &Login, tokens: &Tokens) -> Result<(), CliError> {
    let (lock, place) = room(session, &login.binding).await?;
    session.logins.save(place, login, tokens).await?;
    // Two who sign in at two issuers at once must not wait for each other.
    drop(lock);
    for old in session.logins.all()? {
        let same = old.binding.resource == login.binding.resource && old.binding.client == login.binding.client;
        if same && old.binding.issuer != login.binding.issuer {
            let _lock = session.logins.lock(&old.binding).await?;
            if let Err(why) = session.logins.remove(&old).await {
                ctx.prompt.note(&format!("{why}: the sign-in at {} is not removed", old.binding.issuer));
            }
        }
    }
    Ok(())
}

/// The issuer to sign in at: the one the daemon names, if it is the one that was remembered or pinned; a first one, or
/// another one, only if a person agrees.
async fn choose(ctx: &Context, session: &Session) -> Result<String, CliError> {
    let known = match &session.identity.issuer {
        Some(issuer) => Some(issuer.clone()),
        // Signed in before at a URL that is no context's.
        None => session.login()?.map(|login| login.binding.issuer),
    };
    let named = match (issuers(&session.http, &session.resource).await, &known) {
        (Ok(named), _) => named.unwrap_or_default(),
        // The daemon is away; the issuer that was pinned need not be.
        (Err(Trouble::Away { .. }), Some(_)) => Vec::new(),
        (Err(trouble), _) => return Err(of_daemon(session, trouble)),
    };
    match known {
        Some(known) if named.is_empty() || named.contains(&known) => Ok(known),
        Some(known) => {
            let new = first(session, named)?;
            let resource = &session.resource;
            let question = format!("{resource} named the issuer {known} before; now it names {new}.\nSign in there?");
            agreed(ctx, &question, "issuer_changed", &format!("{resource} names the issuer {new}, not {known}"))?;
            Ok(new)
        }
        None => {
            let new = first(session, named)?;
            let resource = &session.resource;
            let question = format!("{resource} names the issuer {new}.\nSign in there, and remember it?");
            agreed(ctx, &question, "issuer_changed", &format!("the issuer {new} of {resource} is not pinned"))?;
            Ok(new)
        }
    }
}

fn agreed(ctx: &Context, question: &str, code: &str, what: &str) -> Result<(), CliError> {
    match ctx.prompt.agrees(question)? {
        Some(true) => Ok(()),
        Some(false) => Err(CliError::new("declined", "declined: nobody was signed in")
            .hint("Pin the issuer you mean: walletctl context set NAME --issuer URL.")),
        None => Err(CliError::new(code, format!("{what}, and there is no terminal to ask at"))
            .hint("Pin it if it is meant: walletctl context set NAME --issuer URL.")),
    }
}

fn first(session: &Session, named: Vec<String>) -> Result<String, CliError> {
    named.into_iter().next().ok_or_else(|| {
        CliError::configuration(format!("{} names no issuer of tokens", session.resource)).hint(
            "Name it yourself: walletctl context set NAME --issuer URL. Does the daemon take tokens at all ([auth])?",
        )
    })
}

fn of_daemon(session: &Session, trouble: Trouble) -> CliError {
    match trouble {
        Trouble::Away { why, .. } => {
            CliError::new("unreachable", format!("cannot reach walletd at {}: {why}", session.resource))
        }
        other => other.into(),
    }
}

/// Tokens by the device flow.
async fn approved(ctx: &Context, session: &Session, provider: &Provider, args: &LoginArgs) -> Result<Tokens, CliError> {
    let client = &session.identity.client;
    let pending = device::begin(&session.http, provider, client).await?;
    let begun = Instant::now();
    show(ctx, &pending, args)?;
    device::poll(
        pending.interval(),
        pending.life(),
        || begun.elapsed(),
        async |time: Duration| tokio::time::sleep(time).await,
        async || device::turn(&session.http, provider, client, &pending).await,
    )
    .await
}

/// The page and the code, always both: the code is compared with the page's.
fn show(ctx: &Context, pending: &Pending, args: &LoginArgs) -> Result<(), CliError> {
    let whole = pending.whole_url().unwrap_or_else(|| pending.url());
    ctx.prompt.say(&format!("Open   {whole}\nCode   {}", pending.code()));
    if pending.whole_url().is_some() {
        ctx.prompt.say("Approve only if the page shows this code.");
    } else {
        ctx.prompt.say("Type the code there.");
    }
    if args.qr {
        let code = QrCode::new(whole).map_err(|e| CliError::new("internal", e.to_string()))?;
        // What is light is drawn: most terminals are light on dark, and a code is dark on light.
        let image = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
        ctx.prompt.say(&image);
    }
    if !args.no_browser && has_browser(ctx) {
        // Without the code: everybody on the machine sees the arguments that programs are started with.
        ctx.prompt.say(if open::that_detached(pending.url()).is_ok() {
            "A browser opens here: type the code there."
        } else {
            "No browser could be opened here: open the page yourself."
        });
    }
    let life = i64::try_from(pending.life().as_secs()).unwrap_or(i64::MAX);
    ctx.prompt.say(&format!("Waiting for your approval, for {} (Ctrl-C ends it) ...", span(life)));
    Ok(())
}

/// True if there is a screen, and the person sits in front of it.
fn has_browser(ctx: &Context) -> bool {
    let set = |name| ctx.env.get(name).is_some();
    !set("SSH_CONNECTION") && !set("SSH_TTY") && (set("DISPLAY") || set("WAYLAND_DISPLAY"))
}

/// A token that somebody brings.
fn given(issuer: &str) -> Result<Tokens, CliError> {
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_TOKEN)
        .read_to_string(&mut text)
        .map_err(|e| CliError::usage(format!("cannot read a token from stdin: {e}")))?;
    let access = Token::new(text.trim());
    let claims = Claims::of(&access)
        .ok_or_else(|| CliError::usage("stdin has no token: one line with a signed JWT is expected"))?;
    if claims.iss != issuer {
        return Err(CliError::usage(format!("the token is of the issuer {}, not of {issuer}", claims.iss)));
    }
    let given_at = second();
    if claims.exp <= given_at {
        return Err(CliError::new("not_signed_in", "the token has ended").hint("Bring one that is still good."));
    }
    Ok(Tokens { access, given_at, ends_at: claims.exp, refresh: None, refresh_ends_at: None })
}

/// The context keeps the issuer, so that another one is noticed.
fn remember(ctx: &Context, session: &Session, issuer: &str) -> Result<(), CliError> {
    let Some(name) = &session.identity.context else { return Ok(()) };
    if session.identity.issuer.as_deref() == Some(issuer) {
        return Ok(());
    }
    let mut file = File::read(&ctx.paths)?;
    if let Some(named) = file.contexts.get_mut(name) {
        named.issuer = Some(issuer.to_owned());
        file.write(&ctx.paths)?;
    }
    Ok(())
}
