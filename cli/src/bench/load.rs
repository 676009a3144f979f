//! What scenarios find in the ledger: wallets, and rows in batches.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use wallet_api::types::Status;

use super::{go_on, wire::Wire};
use crate::{error::CliError, flight::Flight};

/// Rows of one request.
const CHUNK: u64 = 5_000;
/// When the wallets of a benchmark opened.
pub const OPENED: &str = "2010-01-01T00:00:00Z";

/// A connection that was not used for so long is made anew: the daemon closes it after a minute, and the raw limits
/// or a file that is being made take longer.
const FRESH: Duration = Duration::from_secs(20);

/// A daemon to fill.
pub struct Loader {
    wire: Wire,
    used: Instant,
    socket: PathBuf,
    /// In front of every wallet and key, so that a running daemon can be measured again.
    pub name: String,
    flight: Flight,
    keys: u64,
}

/// A request that was not answered as it should be.
pub fn unexpected(what: &str, status: u16, body: &[u8]) -> CliError {
    let text = String::from_utf8_lossy(body.get(..body.len().min(300)).unwrap_or_default()).into_owned();
    CliError::new("internal", format!("{what}: status {status}: {text}"))
}

/// The daemon's end of the line has gone.
pub fn broken(error: &io::Error) -> CliError {
    CliError::new("unavailable", format!("the daemon that is measured does not answer: {error}"))
}

impl Loader {
    /// Connects.
    pub async fn connect(socket: &Path, name: String, flight: Flight) -> Result<Self, CliError> {
        let wire = Wire::connect(socket).await.map_err(|error| broken(&error))?;
        Ok(Self { wire, used: Instant::now(), socket: socket.to_owned(), name, flight, keys: 0 })
    }

    /// The connection, made anew if the daemon may have closed it.
    async fn wire(&mut self) -> Result<&mut Wire, CliError> {
        if self.used.elapsed() > FRESH {
            self.wire = Wire::connect(&self.socket).await.map_err(|error| broken(&error))?;
        }
        self.used = Instant::now();
        Ok(&mut self.wire)
    }

    /// The name of a wallet.
    pub fn wallet(&self, kind: &str, number: u64) -> String {
        format!("{}-{kind}-{number}", self.name)
    }

    /// Opens wallets without limits.
    pub async fn wallets(&mut self, kind: &str, count: u64) -> Result<(), CliError> {
        let mut from = 0;
        while from < count {
            let end = (from + CHUNK).min(count);
            let mut body = String::from("{\"wallets\":[");
            for number in from..end {
                let id = self.wallet(kind, number);
                let comma = if number == from { "" } else { "," };
                let _ = write!(
                    body,
                    "{comma}{{\"id\":\"{id}\",\"owner\":\"bench\",\"asset\":\"EUR\",\"overdraft\":\"unlimited\",\"opened_at\":\"{OPENED}\"}}"
                );
            }
            body.push_str("]}");
            self.send("/v1/wallets/import", &body).await?;
            from = end;
        }
        Ok(())
    }

    /// Deposits of 0.01 into one of this kind's wallets each: `row` says which, and when it counts.
    pub async fn deposits(
        &mut self,
        kind: &str,
        count: u64,
        mut row: impl FnMut(u64) -> (u64, Option<String>),
    ) -> Result<(), CliError> {
        let mut from = 0;
        while from < count {
            let end = (from + CHUNK).min(count);
            let mut body = String::with_capacity(1 << 20);
            body.push_str("{\"mode\":\"continue\",\"commands\":[");
            for number in from..end {
                let (wallet, at) = row(number);
                let comma = if number == from { "" } else { "," };
                self.keys += 1;
                let _ = write!(
                    body,
                    "{comma}{{\"key\":\"{name}-{key}\",\"op\":\"deposit\",\"to\":\"{name}-{kind}-{wallet}\",\"amount\":\"0.01\",\"asset\":\"EUR\"",
                    name = self.name,
                    key = self.keys,
                );
                if let Some(at) = at {
                    let _ = write!(body, ",\"effective_at\":\"{at}\"");
                }
                body.push('}');
            }
            body.push_str("]}");
            self.send("/v1/batches", &body).await?;
            from = end;
        }
        Ok(())
    }

    async fn send(&mut self, path: &str, body: &str) -> Result<(), CliError> {
        go_on(&self.flight)?;
        self.keys += 1;
        let key = format!("{}-{}", self.name, self.keys);
        let wire = self.wire().await?;
        let status = wire.post(path, &key, body.as_bytes()).await.map_err(|error| broken(&error))?;
        let answer = wire.body();
        let refused = memchr::memmem::find(answer, b"\"refused\"").is_some();
        if status >= 300 || refused {
            return Err(unexpected(path, status, answer));
        }
        Ok(())
    }

    /// What the daemon says of itself.
    pub async fn status(&mut self) -> Result<Status, CliError> {
        let wire = self.wire().await?;
        let status = wire.get("/v1/status").await.map_err(|error| broken(&error))?;
        serde_json::from_slice(wire.body()).map_err(|_| unexpected("/v1/status", status, wire.body()))
    }

    /// The head's seq.
    pub async fn head(&mut self) -> Result<u64, CliError> {
        Ok(self.status().await?.cut.seq)
    }

    /// How far each follower is behind it; the relay as `events`.
    pub async fn lags(&mut self) -> Result<BTreeMap<String, u64>, CliError> {
        let projections = self.status().await?.projections;
        Ok(projections.into_iter().map(|projection| (projection.name, projection.lag)).collect())
    }
}
