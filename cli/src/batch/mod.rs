//! Batch files: from rows of text to outcomes on disk.
//!
//! A batch goes through four rooms, in order. [`input`] gives a file that can be read twice (standard
//! input is spooled); [`check`] reads all of it before anything is sent; [`chunks`] reads it again
//! and makes requests of up to 5,000 rows; [`results`] keeps every row's outcome ([`outcomes`]), durable after
//! each chunk. [`run`] drives them.
//!
//! One line is one row in both formats: no column may hold a line break, so a broken quote costs its
//! own line only, and a row's line number names it everywhere.
//!
//! Memory is constant: a row is at most [`input::MAX_ROW`] bytes, keys are compared on disk
//! ([`sort`]), a few chunks are in memory at a time. Cost, everything together: two microseconds a row, of which the
//! check of the whole file takes half of one, by all processors together ([`quick`]).

pub mod check;
pub mod chunks;
pub mod csv;
pub mod faults;
pub mod input;
pub mod ndjson;
pub mod outcomes;
mod quick;
pub mod results;
pub mod row;
pub mod run;
pub mod sort;

#[cfg(test)]
mod tests;
