//! The embedded default: everything in one process and one data directory, no server needed.

pub mod ledger;
