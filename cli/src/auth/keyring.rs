//! The keyring: the Secret Service of a desktop session.
//!
//! It speaks D-Bus with a runtime of its own and may wait for a person who unlocks it, so each call is made on a thread
//! of its own and given up after a while. A store that cannot keep a thing is found out before a person signs in.

use std::time::Duration;

use keyring::v1::{Entry, Error};
use wallet_api::client::Token;

use crate::error::CliError;

/// The name of our entries.
const SERVICE: &str = "walletctl";
/// The entry that only shows whether the keyring keeps what it is given.
const PROBE: &str = "probe";
/// How long a person may take to unlock it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Writes, reads and deletes a test entry.
pub async fn probe() -> Result<(), CliError> {
    let text = uuid::Uuid::new_v4().to_string();
    on_thread(move || {
        let entry = entry(PROBE)?;
        entry.set_password(&text)?;
        let found = entry.get_password()?;
        entry.delete_credential()?;
        Ok(found == text)
    })
    .await
    .and_then(|same| if same { Ok(()) } else { Err(none("it gives back something else than it was given")) })
}

/// Keeps a secret under a name.
pub async fn set(name: &str, secret: Token) -> Result<(), CliError> {
    let name = name.to_owned();
    on_thread(move || entry(&name)?.set_password(secret.expose())).await
}

/// The secret of a name.
pub async fn get(name: &str) -> Result<Option<Token>, CliError> {
    let name = name.to_owned();
    on_thread(move || match entry(&name)?.get_password() {
        Ok(text) => Ok(Some(Token::new(text))),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error),
    })
    .await
}

/// Forgets a name.
pub async fn delete(name: &str) -> Result<(), CliError> {
    let name = name.to_owned();
    on_thread(move || match entry(&name)?.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(error),
    })
    .await
}

fn entry(name: &str) -> Result<Entry, Error> {
    Entry::new(SERVICE, name)
}

async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, CliError> {
    let (done, result) = tokio::sync::oneshot::channel();
    // A thread that hangs in a call must not keep the program from ending: it is left behind.
    std::thread::Builder::new()
        .name("keyring".into())
        .spawn(move || drop(done.send(work())))
        .map_err(|e| CliError::new("internal", e.to_string()))?;
    match tokio::time::timeout(PATIENCE, result).await {
        Ok(Ok(result)) => result.map_err(|error| none(&why(&error))),
        Ok(Err(_)) => Err(none("its client broke off")),
        Err(_) => Err(none(&format!("it did not answer within {} s: is it locked?", PATIENCE.as_secs()))),
    }
}

/// What an error says, without what the entry holds.
fn why(error: &Error) -> String {
    match error {
        Error::NoDefaultStore => match Entry::store_status() {
            Err(error) => error.to_string(),
            Ok(()) => "there is no store".into(),
        },
        Error::BadEncoding(_) | Error::BadDataFormat(..) => "it holds something else under this name".into(),
        Error::Ambiguous(_) => "it has more than one entry under this name".into(),
        other => other.to_string(),
    }
}

fn none(why: &str) -> CliError {
    CliError::new("no_keyring", format!("no keyring keeps tokens here: {why}"))
}
