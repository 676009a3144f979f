//! What comes in from outside: environment variables, the clock, randomness. Tests hold them still.

use std::collections::BTreeMap;

use uuid::Uuid;
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

/// A new wallet id, made here so that a retry of the same intent names the same wallet.
pub fn new_wallet_id() -> WalletId {
    WalletId::from_uuid(uuid())
}
