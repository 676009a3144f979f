//! Ports: what the services need from the outside, as contracts. Adapters implement them; services
//! and gateway know nothing else.
//!
//! An error says whether the thing certainly did not happen, or might have: callers decide by
//! [`StoreError`]'s variant, never by its text.

mod audit;
mod bus;
mod cache;
mod clock;
mod documents;
mod lease;
mod ledger;
mod limiter;
mod wallets;

pub use self::{
    audit::{AuditQuery, AuditStore},
    bus::EventBus,
    cache::{BalanceCache, CachePosition, CachedBalance},
    clock::Clock,
    documents::{Document, Documents, FetchError},
    lease::Leases,
    ledger::{Axis, EntryQuery, Known, LedgerStore, Look, Page, Posted, step_by_step},
    limiter::{Rate, RateLimiter, Sharing, Take, Verdict},
    wallets::{WalletQuery, WalletRow, WalletState, WalletStore},
};

/// Why a store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It certainly did not happen; trying again may help. The store is down, busy or cut off.
    #[error("{store} is unavailable")]
    Unavailable {
        /// Which store.
        store: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It certainly did not happen: there is no room. Trying again helps once there is.
    #[error("{store} has no room left on its disk")]
    DiskFull {
        /// Which store.
        store: &'static str,
    },
    /// It certainly did not happen: the clock cannot be trusted.
    #[error(transparent)]
    ClockSkew(#[from] crate::ledger::ClockSkew),
    /// It may or may not have happened; the keys tell, once the store answers again.
    #[error("the answer of {store} was lost")]
    Uncertain {
        /// Which store.
        store: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store holds something that cannot be. Nothing is written on top of it.
    #[error("{store} is damaged: {what}")]
    Corrupt {
        /// Which store.
        store: &'static str,
        /// What cannot be, and where.
        what: String,
    },
}

impl StoreError {
    /// The store is down, busy or cut off, and the thing did not happen.
    pub fn unavailable(store: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { store, source: source.into() }
    }

    /// The thing may or may not have happened.
    pub fn uncertain(store: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Uncertain { store, source: source.into() }
    }

    /// The store holds something that cannot be.
    pub fn corrupt(store: &'static str, what: impl std::fmt::Display) -> Self {
        Self::Corrupt { store, what: what.to_string() }
    }
}
