//! Whole-system tests: they run the two built programs as a person, a script or cron would, each in a
//! home of its own. `make test` builds the programs first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on says so and stops"
)]
#![allow(unreachable_pub, reason = "one test binary: its modules have no outside")]

mod batches;
mod bench;
mod checks;
mod cron;
mod desktop;
mod exit_codes;
mod figures;
mod gateway;
mod harness;
mod identity;
mod input;
mod keys;
mod life;
mod limits;
mod logins;
mod money;
mod on_their_way;
mod pkdd99;
mod reading;
mod readme;
mod real;
mod rebuild;
mod sample;
mod sign_in;
mod storage;
