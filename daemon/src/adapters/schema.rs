//! How far a store's schema is: what `walletd migrate status` tells, and what `walletd serve` checks.

use wallet_core::ports::StoreError;

/// How a file's schema stands against the one this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The last migration applied; none for a file that does not exist or is empty.
    pub applied: Option<i64>,
    /// The last migration this program knows.
    pub known: i64,
}

impl Schema {
    /// True if nothing is to be done.
    pub fn is_current(&self) -> bool {
        self.applied == Some(self.known)
    }
}

/// Why a store cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its schema is not the one this program knows: older (to be migrated) or newer (a newer program made it).
    #[error("{store} has schema {}, this program knows {}{}", shown(.schema.applied), .schema.known, advice(.schema))]
    Schema {
        /// Which store.
        store: &'static str,
        /// What was found.
        schema: Schema,
    },
    /// Something in the configuration cannot be used: a certificate file, a URL, a password that is refused.
    #[error("{store} cannot be used as configured: {why}")]
    Configuration {
        /// Which store.
        store: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The store did not answer, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OpenError {
    /// Something in the configuration cannot be used.
    pub fn configuration(store: &'static str, why: impl std::fmt::Display) -> Self {
        Self::Configuration { store, why: why.to_string() }
    }
}

fn shown(applied: Option<i64>) -> String {
    applied.map_or_else(|| "none".to_owned(), |version| version.to_string())
}

fn advice(schema: &Schema) -> &'static str {
    if schema.applied.is_some_and(|applied| applied > schema.known) {
        ": a newer walletd has migrated it; use that one"
    } else {
        ": run `walletd migrate up`, or serve with --migrate"
    }
}
