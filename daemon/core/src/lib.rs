//! The rules of the wallet ledger, with no I/O.
//!
//! Everything that decides about money is here: what an amount is ([`money`]), when a thing counts
//! ([`time`]), what a command may do ([`ledger::decide`]), what is written down for ever
//! ([`journal`]), and what a store must promise ([`ports`]). Services, adapters and both programs
//! build on it; it knows none of them.

pub mod account;
pub mod asset;
pub mod command;
pub mod cut;
pub mod digits;
pub mod ids;
pub mod journal;
pub mod json;
pub mod key;
pub mod ledger;
pub mod money;
pub mod outcome;
pub mod ports;
pub mod runs;
pub mod text;
pub mod time;

#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod model;
