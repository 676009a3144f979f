//! Idempotency keys: what makes a write happen at most once, for ever.

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use crate::text::{TextError, serde_as_text};

/// Longest key, in bytes.
pub const MAX_KEY: usize = 128;

/// A key as its maker wrote it: 1 to 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Key {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let good = (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if good {
            Ok(Self(text.into()))
        } else {
            Err(TextError::new("key", "1 to 128 visible ASCII characters, no spaces"))
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Key);

/// Whose keys: one namespace for operators and service accounts, so that another operator's resume
/// still replays; one for each user.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyScope {
    /// Operators and service accounts.
    Shared,
    /// One user, by subject.
    User(Arc<str>),
    /// The daemon's own: no caller's key can be one of these.
    System,
}

impl FromStr for KeyScope {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text.strip_prefix("user:") {
            Some(subject) if !subject.is_empty() => Ok(Self::User(subject.into())),
            None if text == "shared" => Ok(Self::Shared),
            None if text == "system" => Ok(Self::System),
            _ => Err(TextError::new("key scope", "shared, system or user:SUBJECT")),
        }
    }
}

impl fmt::Display for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared => f.write_str("shared"),
            Self::User(subject) => write!(f, "user:{subject}"),
            Self::System => f.write_str("system"),
        }
    }
}

serde_as_text!(KeyScope);

/// A key with its namespace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ScopedKey {
    scope: KeyScope,
    key: Key,
    digest: [u8; 16],
}

/// By the digest: it says it all, and is at hand.
impl Hash for ScopedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.digest);
    }
}

impl ScopedKey {
    /// A key in a namespace. Its digest is made here, once, by whoever comes with the key: not by the ledger's one writer.
    pub fn new(scope: KeyScope, key: Key) -> Self {
        let digest = digest(&scope, &key);
        Self { scope, key, digest }
    }

    /// A key in the shared namespace.
    pub fn shared(key: Key) -> Self {
        Self::new(KeyScope::Shared, key)
    }

    /// The namespace.
    pub fn scope(&self) -> &KeyScope {
        &self.scope
    }

    /// The key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The first 16 bytes of SHA-256 over scope, NUL, key: what stores index by. The full key is in
    /// the record and is compared there.
    pub fn digest(&self) -> [u8; 16] {
        self.digest
    }
}

fn digest(scope: &KeyScope, key: &Key) -> [u8; 16] {
    let mut hash = Sha256::new();
    match scope {
        KeyScope::Shared => hash.update(b"shared"),
        KeyScope::System => hash.update(b"system"),
        KeyScope::User(subject) => {
            hash.update(b"user:");
            hash.update(subject.as_bytes());
        }
    }
    hash.update([0]);
    hash.update(key.as_str().as_bytes());
    let full = hash.finalize();
    let mut short = [0; 16];
    for (to, from) in short.iter_mut().zip(full) {
        *to = from;
    }
    short
}
