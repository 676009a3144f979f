//! What tests compare the ledger with: nothing here runs in the daemon.
//!
//! [`Model`] is a second ledger, written differently: a list of facts, every question answered by
//! going through all of them again, money as whole units, the set of rules a command breaks instead
//! of the first. [`MemoryLedger`] is the [`crate::ports::LedgerStore`] contract in its plainest form,
//! for the unit tests of services and as the first adapter on the conformance list. [`ManualClock`] is
//! a clock that tests move by hand.

mod clock;
mod facts;
mod memory;
mod second;

pub use self::{
    clock::ManualClock,
    memory::MemoryLedger,
    second::{Expected, Judged, Model},
};
