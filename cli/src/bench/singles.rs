//! Requests one by one from many clients at once: transfers, each acknowledged durably; balances from the
//! cache; who the caller is; and the route that does nothing. Over the socket, or over TCP with tokens.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use hdrhistogram::Histogram;

use super::{
    Dice, Measure,
    daemon::{Daemon, cpu_ms},
    load::broken,
    note, times,
    wire::Wire,
};
use crate::{error::CliError, flight::Flight};

/// What a client asks for, again and again.
#[derive(Clone, Copy)]
pub enum Ask<'a> {
    /// The route that does nothing.
    Nothing,
    /// Who the caller is: nothing behind the edge but a few words.
    Whoami,
    /// The same, with another of these tokens each time; a client ends when there is none left.
    WhoamiAnew(&'a [String]),
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

/// Which way clients come in.
#[derive(Clone, Copy)]
pub enum Door<'a> {
    /// The socket.
    Socket(&'a Path),
    /// TCP, and tokens for one client after the other.
    Tcp(SocketAddr, &'a [String]),
}

impl Door<'_> {
    /// The connection of the client with this number.
    async fn wire(self, number: usize) -> Result<Wire, CliError> {
        let connected = match self {
            Self::Socket(path) => Wire::connect(path).await,
            Self::Tcp(address, _) => Wire::connect_tcp(address).await,
        };
        let mut wire = connected.map_err(|error| broken(&error))?;
        if let Self::Tcp(_, tokens) = self
            && let Some(token) = tokens.get(number % tokens.len().max(1))
        {
            wire.show(token);
        }
        Ok(wire)
    }
}

/// What many clients asked, and what it took. Several can be added up.
pub struct Asked {
    times: Histogram<u64>,
    errors: u64,
    took: Duration,
    /// Processor time of the daemon and of this program, in milliseconds.
    daemon_ms: Option<u64>,
    own_ms: Option<u64>,
}

impl Asked {
    /// Adds another run of the same.
    pub fn add(&mut self, other: &Self) -> Result<(), CliError> {
        let sum = |one: Option<u64>, other: Option<u64>| one.zip(other).map(|(one, other)| one + other);
        self.times.add(&other.times).map_err(|error| CliError::new("internal", error.to_string()))?;
        self.errors += other.errors;
        self.took += other.took;
        self.daemon_ms = sum(self.daemon_ms, other.daemon_ms);
        self.own_ms = sum(self.own_ms, other.own_ms);
        Ok(())
    }

    /// The figure of it.
    pub fn measure(&self, scenario: &'static str, case: impl Into<String>, clients: u64) -> Measure {
        let measure = Measure::of(scenario, case, self.times.len(), self.took).timed(&self.times);
        let each = |ms: Option<u64>| ms.and_then(|ms| super::each(ms, measure.count));
        let (cpu_ns, client_cpu_ns) = (each(self.daemon_ms), each(self.own_ms));
        Measure { clients: Some(clients), errors: self.errors, cpu_ns, client_cpu_ns, ..measure }
    }
}

/// So many clients for so long.
#[derive(Clone, Copy)]
pub struct Load<'a> {
    /// The daemon that is measured.
    pub daemon: &'a Daemon,
    /// How many ask at once.
    pub clients: u64,
    /// For how long.
    pub lasting: Duration,
    /// Ends it early.
    pub flight: &'a Flight,
}

impl Load<'_> {
    /// Asks over the socket.
    pub async fn run(&self, ask: Ask<'_>) -> Result<Measure, CliError> {
        let (scenario, case) = match ask {
            Ask::Nothing => ("nothing", "GET /healthz"),
            Ask::Whoami | Ask::WhoamiAnew(_) => ("whoami", "GET /v1/whoami"),
            Ask::Transfer { .. } => ("singles", "transfers"),
            Ask::Cached { .. } => ("cached", "balance --cached, over HTTP"),
        };
        Ok(self.ask(Door::Socket(&self.daemon.socket), ask).await?.measure(scenario, case, self.clients))
    }

    /// Asks.
    pub async fn ask(&self, door: Door<'_>, ask: Ask<'_>) -> Result<Asked, CliError> {
        let mut wires = Vec::new();
        for number in 0..usize::try_from(self.clients).unwrap_or(usize::MAX) {
            wires.push(door.wire(number).await?);
        }
        let own = std::process::id();
        let before = (self.daemon.cpu_ms(), cpu_ms(own));
        let started = Instant::now();
        let runs = wires.into_iter().zip(1..).map(|(wire, number)| self.client(wire, number, ask));
        let mut all = times()?;
        let mut errors = 0;
        for run in join_all(runs).await {
            let (times, failed) = run?;
            all.add(times).map_err(|error| CliError::new("internal", error.to_string()))?;
            errors += failed;
        }
        let took = started.elapsed();
        let since = |before: Option<u64>, now: Option<u64>| now.zip(before).map(|(now, then)| now.saturating_sub(then));
        let (daemon_ms, own_ms) = (since(before.0, self.daemon.cpu_ms()), since(before.1, cpu_ms(own)));
        Ok(Asked { times: all, errors, took, daemon_ms, own_ms })
    }

    async fn client(&self, mut wire: Wire, number: u64, ask: Ask<'_>) -> Result<(Histogram<u64>, u64), CliError> {
        let mut times = times()?;
        let mut dice = Dice::new(number);
        let mut errors = 0;
        let (mut key, mut body, mut path) = (String::new(), String::new(), String::new());
        let mut count = 0_u64;
        let until = Instant::now() + self.lasting;
        while Instant::now() < until && !self.flight.asked() {
            count += 1;
            let asked = Instant::now();
            let status = match ask {
                Ask::Nothing => wire.get("/healthz").await,
                Ask::Whoami => wire.get("/v1/whoami").await,
                Ask::WhoamiAnew(tokens) => {
                    let next = usize::try_from((count - 1) * self.clients + number - 1).unwrap_or(usize::MAX);
                    let Some(token) = tokens.get(next) else { break };
                    wire.show(token);
                    wire.get("/v1/whoami").await
                }
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
}
