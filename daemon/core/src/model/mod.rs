//! What tests compare the ledger with: nothing here runs in the daemon.
//!
//! [`MemoryLedger`] is the [`crate::ports::LedgerStore`] contract in its plainest form, for the unit
//! tests of services and as the first adapter on the conformance list. [`ManualClock`] is a clock
//! that tests move by hand.

mod clock;
mod memory;

pub use self::{clock::ManualClock, memory::MemoryLedger};
