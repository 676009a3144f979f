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
/// What begins the names of entries that only show whether the keyring keeps what it is given.
const PROBE: &str = "probe";
/// How long a person may take to unlock it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Writes, reads and deletes a test entry: one of its own, since others may be looking at the same time.
pub async fn probe() -> Result<(), CliError> {
    let text = uuid::Uuid::new_v4().to_string();
    on_thread(move || {
        let entry = entry(&format!("{PROBE}-{text}"))?;
        let delete = || entry.delete_credential();
        probed(&text, |text| entry.set_password(text), || entry.get_password(), delete)
    })
    .await
    .and_then(|same| if same { Ok(()) } else { Err(none("it gives back something else than it was given")) })
}

/// Whether an entry gives back what it is given. However that goes, the entry is deleted.
fn probed(
    text: &str,
    set: impl FnOnce(&str) -> Result<(), Error>,
    get: impl FnOnce() -> Result<String, Error>,
    delete: impl FnOnce() -> Result<(), Error>,
) -> Result<bool, Error> {
    let found = set(text).and_then(|()| get());
    let deleted = delete();
    let same = found? == text;
    deleted?;
    Ok(same)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_probe_stays_whatever_came_of_it() {
        let broken = || Error::Invalid("store".into(), "broken".into());
        let probe = |set: Result<(), Error>, get: Result<String, Error>, delete: Result<(), Error>| {
            let mut deleted = 0;
            let found = probed(
                "text",
                |_| set,
                || get,
                || {
                    deleted += 1;
                    delete
                },
            );
            assert_eq!(deleted, 1);
            found
        };
        assert!(probe(Ok(()), Ok("text".into()), Ok(())).unwrap());
        assert!(!probe(Ok(()), Ok("another".into()), Ok(())).unwrap());
        assert!(probe(Err(broken()), Ok("text".into()), Err(Error::NoEntry)).is_err());
        assert!(probe(Ok(()), Err(broken()), Ok(())).is_err());
        assert!(probe(Ok(()), Ok("text".into()), Err(broken())).is_err());
    }
}
