//! `walletctl auth`.

mod can_i;
mod login;
mod logout;
mod status;
mod token;

use std::sync::Arc;

use clap::Subcommand;

use crate::{auth::session::Session, context::Context, error::CliError};

/// Examples of the group.
pub const EXAMPLE: &str = "Examples:
  walletctl auth login
  walletctl auth status --expires-within 7d";

/// Signing in.
#[derive(Subcommand)]
#[expect(missing_docs, reason = "a command is documented by its Args, which is its help")]
pub enum Command {
    Login(login::LoginArgs),
    Logout(logout::Logout),
    Status(status::Status),
    Token(token::TokenArgs),
    Whoami(token::Whoami),
    #[command(name = "can-i")]
    CanI(can_i::CanIArgs),
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Login(args) => login::login(ctx, args).await,
        Command::Logout(args) => logout::logout(ctx, args).await,
        Command::Status(args) => status::status(ctx, &args).await,
        Command::Token(args) => token::token(ctx, args).await,
        Command::Whoami(args) => token::whoami(ctx, args).await,
        Command::CanI(args) => can_i::can_i(ctx, args).await,
    }
}

/// Who asks, where somebody can sign in at all.
fn session(ctx: &Context) -> Result<&Arc<Session>, CliError> {
    ctx.session().ok_or_else(|| {
        let endpoint = &ctx.settings.endpoint.value;
        CliError::usage(format!("{endpoint} is a socket: the daemon knows its callers there, nobody signs in")).hint(
            "Name a daemon's URL: walletctl context set NAME --daemon https://HOST, then --context NAME (or --url).",
        )
    })
}

/// Nobody is signed in.
fn nobody(session: &Session) -> CliError {
    CliError::new("not_signed_in", format!("nobody is signed in at {}", session.resource))
        .hint("Sign in: walletctl auth login.")
}
