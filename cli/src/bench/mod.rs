//! Measuring a daemon: every figure beside its raw limit, from the same run on the same machine.
//!
//! The load comes from this process over the daemon's socket (and over TCP, with [`tokens`]), on one thread, with an HTTP
//! client that does nothing but write a prepared request and read its answer ([`wire`]): what is measured is the
//! daemon. Whole programs are measured as whole programs.

pub mod batches;
pub mod daemon;
pub mod issuer;
pub mod load;
pub mod points;
pub mod raw;
pub mod reports;
pub mod singles;
pub mod stores;
pub mod tokens;
pub mod wire;

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    error::CliError,
    flight::Flight,
    output::{Cell, Record},
};

/// Longest time that is told apart, in microseconds.
const LONGEST: u64 = 600_000_000;

/// One figure.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measure {
    /// What was measured.
    pub scenario: &'static str,
    /// In which case.
    pub case: String,
    /// How many asked at once.
    pub clients: Option<u64>,
    /// How many times it was done.
    pub count: u64,
    /// How long it took in all, in milliseconds.
    pub took_ms: u64,
    /// How many a second.
    pub per_second: u64,
    /// Half of them took at most so many microseconds.
    pub p50_us: Option<u64>,
    /// 99 of 100 took at most so many microseconds.
    pub p99_us: Option<u64>,
    /// How many failed.
    pub errors: u64,
    /// The raw limit: how many a second a bare version does.
    pub limit_per_second: Option<u64>,
    /// Percent of the raw limit.
    pub percent: Option<u64>,
    /// Processor time of the daemon for each, in nanoseconds: it depends less than the rest on what else the
    /// machine does.
    pub cpu_ns: Option<u64>,
    /// The daemon's memory behind it, in KiB.
    pub rss_kib: Option<u64>,
    /// The most it had so far, in KiB.
    pub peak_kib: Option<u64>,
    /// Processor time of the client program for each, in nanoseconds: of this one, or of the one that is measured.
    pub client_cpu_ns: Option<u64>,
    /// The most the client program had, in KiB, where it is a program of its own.
    pub client_peak_kib: Option<u64>,
    /// Processor time of the daemon for each beyond that of the route that does nothing, in nanoseconds.
    pub beyond_ns: Option<u64>,
    /// What that is of a transfer's processor time, in percent, rounded up; `cpu_ns` where it is measured by itself.
    pub transfer_percent: Option<u64>,
    /// What `transfer_percent` is to be below.
    pub goal_percent: Option<u64>,
}

impl Measure {
    /// A figure without single times.
    pub fn of(scenario: &'static str, case: impl Into<String>, count: u64, took: Duration) -> Self {
        Self {
            scenario,
            case: case.into(),
            count,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            per_second: rate(count, took),
            ..Self::default()
        }
    }

    /// With single times.
    #[must_use]
    pub fn timed(mut self, times: &Histogram<u64>) -> Self {
        self.p50_us = Some(times.value_at_quantile(0.5));
        self.p99_us = Some(times.value_at_quantile(0.99));
        self
    }

    /// Beside the route that does nothing, and with what it takes beyond that.
    #[must_use]
    pub fn beyond(mut self, nothing: &Self) -> Self {
        self.beyond_ns = self.cpu_ns.zip(nothing.cpu_ns).map(|(whole, nothing)| whole.saturating_sub(nothing));
        self.beside(Some(nothing.per_second))
    }

    /// With what a part of it takes of a transfer's processor time, all in nanoseconds, and what that is to be below.
    #[must_use]
    pub fn of_transfer(mut self, part: Option<u64>, transfer: Option<u64>, goal: u64) -> Self {
        let whole = transfer.filter(|transfer| *transfer > 0);
        self.transfer_percent = part.zip(whole).map(|(part, whole)| part.saturating_mul(100).div_ceil(whole));
        self.goal_percent = Some(goal);
        self
    }

    /// With what the daemon's processor time was before and behind, in milliseconds.
    #[must_use]
    pub fn cpu(mut self, before: Option<u64>, behind: Option<u64>) -> Self {
        self.cpu_ns = before.zip(behind).and_then(|(before, behind)| each(behind.saturating_sub(before), self.count));
        self
    }

    /// Beside a raw limit.
    #[must_use]
    pub fn beside(mut self, limit: Option<u64>) -> Self {
        self.limit_per_second = limit;
        self.percent = limit.filter(|limit| *limit > 0).map(|limit| self.per_second * 100 / limit);
        self
    }
}

impl Record for Measure {
    const COLUMNS: &'static [&'static str] = &[
        "scenario",
        "case",
        "clients",
        "count",
        "took_ms",
        "per_second",
        "p50_us",
        "p99_us",
        "errors",
        "limit_per_second",
        "percent",
        "cpu_ns",
        "rss_kib",
        "peak_kib",
        "client_cpu_ns",
        "client_peak_kib",
        "beyond_ns",
        "transfer_percent",
        "goal_percent",
    ];

    fn cell(&self, column: &str) -> Cell<'_> {
        match column {
            "scenario" => Cell::text(self.scenario),
            "case" => Cell::text(&self.case),
            "clients" => Cell::maybe_int(self.clients),
            "count" => Cell::Int(self.count),
            "took_ms" => Cell::Int(self.took_ms),
            "per_second" => Cell::Int(self.per_second),
            "p50_us" => Cell::maybe_int(self.p50_us),
            "p99_us" => Cell::maybe_int(self.p99_us),
            "errors" => Cell::Int(self.errors),
            "limit_per_second" => Cell::maybe_int(self.limit_per_second),
            "percent" => Cell::maybe_int(self.percent),
            "cpu_ns" => Cell::maybe_int(self.cpu_ns),
            "client_cpu_ns" => Cell::maybe_int(self.client_cpu_ns),
            "rss_kib" => Cell::maybe_int(self.rss_kib),
            "peak_kib" => Cell::maybe_int(self.peak_kib),
            "client_peak_kib" => Cell::maybe_int(self.client_peak_kib),
            "beyond_ns" => Cell::maybe_int(self.beyond_ns),
            "transfer_percent" => Cell::maybe_int(self.transfer_percent),
            "goal_percent" => Cell::maybe_int(self.goal_percent),
            _ => Cell::None,
        }
    }
}

/// Milliseconds of all as nanoseconds of each.
pub fn each(ms: u64, count: u64) -> Option<u64> {
    ms.saturating_mul(1_000_000).checked_div(count)
}

/// How many a second.
pub fn rate(count: u64, took: Duration) -> u64 {
    let micros = took.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// Times from a microsecond to ten minutes, to three digits.
pub fn times() -> Result<Histogram<u64>, CliError> {
    Histogram::new_with_bounds(1, LONGEST, 3).map_err(|error| CliError::new("internal", error.to_string()))
}

/// Notes one time.
pub fn note(times: &mut Histogram<u64>, took: Duration) {
    times.saturating_record(u64::try_from(took.as_micros()).unwrap_or(LONGEST).max(1));
}

/// Ends the measuring if somebody asked for it.
pub fn go_on(flight: &Flight) -> Result<(), CliError> {
    if flight.asked() {
        Err(CliError::new("interrupted", "interrupted: the scratch daemon was stopped"))
    } else {
        Ok(())
    }
}

/// Numbers that are the same in every run, so that runs can be compared.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Starts somewhere.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end` (xorshift).
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}
