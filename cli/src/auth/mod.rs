//! Signing in: who gives walletctl tokens, how they are kept, and how they are used.
//!
//! - Nothing here is touched on the daemon's socket: the kernel says who calls.
//! - A login belongs to a resource (the daemon's URL, exactly), an issuer and a client ([`binding`]); asked for another
//!   URL, walletctl shows no token of this one.
//! - A person signs in by the device flow ([`device`]); tokens are kept in the keyring or, when asked to, in a file
//!   ([`logins`]), and renewed under a lock ([`session`]), so that any number of processes share one.
//! - A cron job shows a secret or signs with a key ([`identity`]); its token stays in memory.
//! - Secrets are never in flags, messages or logs: [`wallet_api::client::Token`] does not show itself.

pub mod binding;
pub mod claims;
pub mod client_token;
pub mod device;
pub mod discovery;
pub mod http;
pub mod identity;
pub mod keyring;
pub mod logins;
pub mod session;
pub mod tokens;
