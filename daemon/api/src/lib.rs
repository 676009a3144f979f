//! What goes over the wire between walletctl and walletd: request and response types, problems, and
//! (with the feature `client`) the typed client.
//!
//! Shapes are only ever extended. Amounts and balances are strings at their asset's scale, times
//! RFC 3339 in UTC with six digits, ids and keys the text of their core types.

#[cfg(feature = "client")]
pub mod client;
pub mod problem;
pub mod types;
