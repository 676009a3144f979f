//! Requests one by one from many clients at once: transfers, each acknowledged durably; balances from the
//! cache; and the route that does nothing.

use std::{
    fmt::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use hdrhistogram::Histogram;

use super::{Dice, Measure, daemon::cpu_ms, each, load::broken, note, times, wire::Wire};
use crate::{error::CliError, flight::Flight};

/// What a client asks for, again and again.
#[derive(Clone, Copy)]
pub enum Ask<'a> {
    /// The route that does nothing.
    Nothing,
    /// A transfer between two of so many wallets of this name.
    Transfer {
        /// In front of the wallets' numbers.
        wallets: &'a str,
        /// How many there are.
        count: u64,
        /// In front of the keys.
        keys: &'a str,
    },
    /// The cached balance of one of so many wallets of this name.
    Cached {
        /// In front of the wallets' numbers.
        wallets: &'a str,
        /// How many there are.
        count: u64,
    },
}

/// Asks from so many clients for so long.
pub async fn run(
    socket: &Path,
    clients: u64,
    lasting: Duration,
    ask: Ask<'_>,
    flight: &Flight,
) -> Result<Measure, CliError> {
    let mut wires = Vec::new();
    for _ in 0..clients {
        wires.push(Wire::connect(socket).await.map_err(|error| broken(&error))?);
    }
    let own = std::process::id();
    let cpu = cpu_ms(own);
    let started = Instant::now();
    let until = started + lasting;
    let runs = wires.into_iter().zip(1..).map(|(wire, number)| client(wire, number, until, ask, flight));
    let mut all = times()?;
    let mut errors = 0;
    for run in join_all(runs).await {
        let (times, failed) = run?;
        all.add(times).map_err(|error| CliError::new("internal", error.to_string()))?;
        errors += failed;
    }
    let took = started.elapsed();
    let (scenario, case) = match ask {
        Ask::Nothing => ("nothing", "GET /healthz"),
        Ask::Transfer { .. } => ("singles", "transfers"),
        Ask::Cached { .. } => ("cached", "balance --cached, over HTTP"),
    };
    let measure = Measure::of(scenario, case, all.len(), took).timed(&all);
    let cpu = cpu_ms(own).zip(cpu).map(|(behind, before)| behind.saturating_sub(before));
    let client_cpu_ns = cpu.and_then(|ms| each(ms, measure.count));
    Ok(Measure { clients: Some(clients), errors, client_cpu_ns, ..measure })
}

async fn client(
    mut wire: Wire,
    number: u64,
    until: Instant,
    ask: Ask<'_>,
    flight: &Flight,
) -> Result<(Histogram<u64>, u64), CliError> {
    let mut times = times()?;
    let mut dice = Dice::new(number);
    let mut errors = 0;
    let (mut key, mut body, mut path) = (String::new(), String::new(), String::new());
    let mut count = 0_u64;
    while Instant::now() < until && !flight.asked() {
        count += 1;
        let asked = Instant::now();
        let status = match ask {
            Ask::Nothing => wire.get("/healthz").await,
            Ask::Transfer { wallets, count: all, keys } => {
                let from = dice.below(all);
                let to = (from + 1 + dice.below(all.saturating_sub(1))) % all;
                key.clear();
                body.clear();
                let _ = write!(key, "{keys}-{number}-{count}");
                let _ = write!(
                    body,
                    "{{\"from\":\"{wallets}-{from}\",\"to\":\"{wallets}-{to}\",\"amount\":\"0.01\",\"asset\":\"EUR\"}}"
                );
                wire.post("/v1/transfers", &key, body.as_bytes()).await
            }
            Ask::Cached { wallets, count: all } => {
                path.clear();
                let _ = write!(path, "/v1/wallets/{wallets}-{}/balance?consistency=cached", dice.below(all));
                wire.get(&path).await
            }
        };
        match status {
            Ok(200..300) => note(&mut times, asked.elapsed()),
            Ok(_) => errors += 1,
            Err(error) => return Err(broken(&error)),
        }
    }
    Ok((times, errors))
}
