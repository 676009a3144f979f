//! Exports: files of balances, transactions or the journal, each from one cut of the ledger.
//!
//! A file appears whole or not at all (temporary file, sync, rename), and beside it lies its manifest:
//! what was asked for, the cut, how many rows, the SHA-256. The same question at the same cut
//! gives the very same bytes. Everything is streamed: memory does not grow with the file.

pub mod forms;
pub mod hledger;
pub mod manifest;
pub mod target;
pub mod verify;
