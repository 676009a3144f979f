//! What comes in from outside: environment variables, the clock, randomness. Tests hold them still.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};
use wallet_core::{ids::WalletId, key::Key, time::Timestamp};

/// The environment's variables. An empty one counts as not set.
#[derive(Clone, Debug)]
pub struct Env(Option<BTreeMap<String, String>>);

impl Env {
    /// The process's own.
    pub fn process() -> Self {
        Self(None)
    }

    /// Just these.
    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        Self(Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()))
    }

    /// The names that begin so, and are none of those that are known.
    pub fn unknown(&self, prefix: &str, known: &[&str]) -> Vec<String> {
        let names: Vec<String> = match &self.0 {
            None => std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect(),
            Some(map) => map.keys().cloned().collect(),
        };
        let stray = |name: &String| name.starts_with(prefix) && !known.contains(&name.as_str());
        names.into_iter().filter(stray).filter(|name| self.get(name).is_some()).collect()
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = match &self.0 {
            None => std::env::var(name).ok(),
            Some(map) => map.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }
}

/// The present moment: only for what a person sees or writes; the ledger's times are the daemon's.
#[expect(clippy::disallowed_methods, reason = "a terminal has no Clock port; this is the one place")]
pub fn now() -> Timestamp {
    Timestamp::from_jiff(jiff::Timestamp::now())
}

#[expect(clippy::disallowed_methods, reason = "keys are made here and nowhere else")]
fn uuid() -> Uuid {
    Uuid::now_v7()
}

/// A new idempotency key.
pub fn new_key() -> Key {
    // A UUID's text is always a key, and so the fallback is never used.
    let text = uuid().to_string();
    text.parse().unwrap_or_else(|_| new_key())
}

/// The id of a wallet that was given none: made from the write's key, so that a retry with the same
/// key names the same wallet and replays.
pub fn wallet_id_of(key: &Key) -> WalletId {
    let hash = Sha256::digest(key.as_str());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    WalletId::from_uuid(key.as_str().parse().unwrap_or_else(|_| Builder::from_custom_bytes(bytes).into_uuid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_makes_the_same_wallet_id() {
        let id = |key: &str| wallet_id_of(&key.parse().unwrap());
        assert_eq!(id("inv-1"), id("inv-1"));
        assert_ne!(id("inv-1"), id("inv-2"));
        let key = new_key();
        assert_eq!(wallet_id_of(&key).as_str(), format!("w-{key}"));
    }
}
