//! The real program, run as scripts run it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod common;
mod reads;
mod terminal;
mod writes;
