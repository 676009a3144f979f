//! Raw limits: what the disk and the store do without a wallet around them.

use std::{
    io::Write as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Measure, note,
    stores::{Stores, refused},
    times,
};
use crate::error::CliError;

/// Bytes of a typical record with its keys and entries.
const RECORD: usize = 800;

/// Appends of one record, each synced: what one client alone could reach.
pub fn appends(folder: &Path, lasting: Duration) -> Result<Measure, CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("{}: {error}", folder.display()));
    let mut file = std::fs::File::create(folder.join("appends")).map_err(failed)?;
    let record = [b'x'; RECORD];
    let mut all = times()?;
    let started = Instant::now();
    while started.elapsed() < lasting {
        let one = Instant::now();
        file.write_all(&record).and_then(|()| file.sync_data()).map_err(failed)?;
        note(&mut all, one.elapsed());
    }
    Ok(Measure::of("raw", "synced appends", all.len(), started.elapsed()).timed(&all))
}

#[derive(Deserialize)]
struct Bare {
    transfers: u64,
    seconds: f64,
}

/// A bare store: the same rows without decisions, JSON and hashes. The arguments say which.
pub fn bare(stores: &Stores, case: impl Into<String>, args: &[&str]) -> Result<Measure, CliError> {
    let mut command = stores.beside("bench-raw");
    command.args(args);
    let bare: Bare = answer(command)?;
    let took = Duration::try_from_secs_f64(bare.seconds).map_err(failed)?;
    Ok(Measure::of("raw", case, bare.transfers, took))
}

/// What a command of walletd's raw benchmark answers.
pub fn answer<T: DeserializeOwned>(mut command: Command) -> Result<T, CliError> {
    let output = command.output().map_err(failed)?;
    if !output.status.success() {
        return Err(refused(output.status.code(), &output.stderr));
    }
    serde_json::from_slice(&output.stdout).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::usage(format!("walletd bench-raw: {error}"))
}

/// The embedded ledger's, in a folder of its own.
pub fn store(stores: &Stores, folder: &Path, batch: u64, count: u64) -> Result<Measure, CliError> {
    let store = folder.join(format!("bare-{batch}"));
    let (batch, count, dir) = (batch.to_string(), count.to_string(), store.to_string_lossy().into_owned());
    let args = ["--dir", dir.as_str(), "--batch", batch.as_str(), "--count", count.as_str()];
    let measure = bare(stores, bare_store(&batch), &args);
    // Its files are not needed any more; what cannot be removed goes with the folder.
    let _ = std::fs::remove_dir_all(&store);
    measure
}

/// What the bare loop of so many transfers a commit is called.
pub fn bare_store(batch: impl std::fmt::Display) -> String {
    format!("bare store, {batch} a commit")
}

/// What one raw transaction a transfer is called.
pub fn one_by_one(connections: u64, how: &str) -> String {
    format!("one transaction a transfer, {how}, {connections} connections")
}
