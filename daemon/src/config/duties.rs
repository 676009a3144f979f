//! `server.roles`: which parts of the whole this process does.

use serde::{Deserialize, Serialize};

use super::Invalid;

/// One part of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Answers requests, commits, and keeps the wallets' rows.
    Api,
    /// Publishes the journal.
    Relay,
    /// Keeps the balance cache.
    Balances,
    /// Keeps the audit trail.
    Audit,
}

impl Duty {
    /// All of them: one process is the whole.
    pub const ALL: [Self; 4] = [Self::Api, Self::Relay, Self::Balances, Self::Audit];

    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Relay => "relay",
            Self::Balances => "balances",
            Self::Audit => "audit",
        }
    }
}

/// The parts this process does: a list, or in variables and flags words between commas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duties(#[serde(deserialize_with = "listed")] Vec<Duty>);

impl Default for Duties {
    fn default() -> Self {
        Self(Duty::ALL.to_vec())
    }
}

impl Duties {
    /// True if this process does it.
    pub fn includes(&self, duty: Duty) -> bool {
        self.0.contains(&duty)
    }

    /// True if this process does everything.
    pub fn are_all(&self) -> bool {
        Duty::ALL.iter().all(|duty| self.includes(*duty))
    }

    /// Their words.
    pub fn words(&self) -> Vec<&'static str> {
        Duty::ALL.into_iter().filter(|duty| self.includes(*duty)).map(Duty::as_str).collect()
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        if self.0.is_empty() {
            return Err(Invalid::new("server.roles", "name at least one of api, relay, balances, audit"));
        }
        Ok(())
    }
}

fn listed<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Duty>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        List(Vec<String>),
        Words(String),
    }
    let words = match Given::deserialize(deserializer)? {
        Given::List(words) => words,
        Given::Words(text) => text.split(',').map(|word| word.trim().to_owned()).collect(),
    };
    let duty = |word: &String| {
        let known = Duty::ALL.into_iter().find(|duty| duty.as_str() == word);
        known.ok_or_else(|| serde::de::Error::custom(format!("{word:?} is none of api, relay, balances, audit")))
    };
    words.iter().map(duty).collect()
}
