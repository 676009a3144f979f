//! The embedded default: everything in one process and one data directory, no server needed.
//!
//! Each store has a file of its own, so that the audit trail stays separate evidence. The files here belong to one
//! daemon at a time; other processes may read them.

pub mod audit;
pub mod bus;
pub mod cache;
pub mod clock;
pub mod leases;
pub mod ledger;
pub mod limiter;
pub mod sqlite;
pub mod wallets;
