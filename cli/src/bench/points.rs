//! Balances at random past moments, as known at random cuts, in four shapes of history; read once what was loaded is merged.

use std::{path::Path, time::Instant};

use futures_util::future::join_all;
use hdrhistogram::Histogram;
use wallet_core::time::{SECOND, Timestamp};

use super::{
    Dice, Measure, go_on,
    load::{Loader, broken, unexpected},
    note, times,
    wire::Wire,
};
use crate::{env::now, error::CliError, flight::Flight};

/// Ten years, in microseconds.
const SPAN: i64 = 3_650 * 86_400 * SECOND;
/// How far back late entries reach.
const LATE_PLACES: u64 = 200;

/// How a history came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Everything in the order in which it counts.
    InOrder,
    /// One entry in twenty late by up to 200 places.
    FivePercentLate,
    /// Ten years imported behind one entry of today.
    BehindLive,
    /// In order, and then one entry of the very beginning.
    OneVeryLate,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::InOrder, Self::FivePercentLate, Self::BehindLive, Self::OneVeryLate];

    fn name(self) -> &'static str {
        match self {
            Self::InOrder => "in order",
            Self::FivePercentLate => "5 % late",
            Self::BehindLive => "ten years behind a live entry",
            Self::OneVeryLate => "one very late",
        }
    }

    /// When entry number `index` of `count` counts.
    fn at(self, index: u64, count: u64, start: Timestamp, dice: &mut Dice) -> Timestamp {
        let place = |index: u64| {
            let part = i128::from(SPAN) * i128::from(index) / i128::from(count.max(1));
            start.plus_micros(i64::try_from(part).unwrap_or(SPAN))
        };
        match self {
            Self::FivePercentLate if dice.below(20) == 0 => place(index.saturating_sub(dice.below(LATE_PLACES) + 1)),
            Self::BehindLive if index == 0 => start.plus_micros(SPAN),
            Self::OneVeryLate if index + 1 == count => start,
            _ => place(index),
        }
    }
}

/// A wallet with a history, and which cuts there are.
pub struct History {
    wallet: String,
    case: String,
    start: Timestamp,
    /// The first and the last record of it.
    known: (u64, u64),
}

/// Makes a history of so many entries.
pub async fn history(loader: &mut Loader, shape: Shape, entries: u64, flight: &Flight) -> Result<History, CliError> {
    let kind = format!("points-{shape:?}-{entries}").to_lowercase();
    loader.wallets(&kind, 1).await?;
    let start = now().plus_micros(-SPAN - 60 * SECOND);
    let first = loader.head().await?;
    let mut dice = Dice::new(entries);
    loader.deposits(&kind, entries, |index| (0, Some(shape.at(index, entries, start, &mut dice).to_string()))).await?;
    go_on(flight)?;
    let case = format!("{}, {entries} entries", shape.name());
    Ok(History { wallet: loader.wallet(&kind, 0), case, start, known: (first + 1, loader.head().await?) })
}

/// So many readers ask for its balances, so many in all.
pub async fn read(socket: &Path, history: &History, readers: u64, reads: u64) -> Result<Measure, CliError> {
    let mut wires = Vec::new();
    for _ in 0..readers {
        wires.push(Wire::connect(socket).await.map_err(|error| broken(&error))?);
    }
    let each = reads / readers.max(1);
    let started = Instant::now();
    let asking = wires.into_iter().zip(7..).map(|(wire, seed)| ask(wire, history, seed, each));
    let mut all = times()?;
    for asked in join_all(asking).await {
        all.add(asked?).map_err(|error| CliError::new("internal", error.to_string()))?;
    }
    let measure = Measure::of("points", history.case.as_str(), all.len(), started.elapsed()).timed(&all);
    Ok(Measure { clients: Some(readers), ..measure })
}

/// One reader: random moments, as known at random cuts.
async fn ask(mut wire: Wire, history: &History, seed: u64, reads: u64) -> Result<Histogram<u64>, CliError> {
    let mut times = times()?;
    let mut dice = Dice::new(seed);
    let (first, last) = history.known;
    for _ in 0..reads {
        let part = i64::try_from(dice.below(SPAN.unsigned_abs())).unwrap_or_default();
        let known = first + dice.below(last.saturating_sub(first) + 1);
        let at = history.start.plus_micros(part);
        let path = format!("/v1/wallets/{}/balance?at={at}&known_at={known}", history.wallet);
        let asked = Instant::now();
        let status = wire.get(&path).await.map_err(|error| broken(&error))?;
        note(&mut times, asked.elapsed());
        if status != 200 {
            return Err(unexpected(&path, status, wire.body()));
        }
    }
    Ok(times)
}
