//! Raw limits: what the disk and the store do without a wallet around them.

use std::{
    io::Write as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::{Measure, note, times};
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

/// The bare store: the same keys and values without decisions, JSON and hashes.
pub fn store(program: &Path, folder: &Path, batch: u64, count: u64) -> Result<Measure, CliError> {
    let failed = |why: String| CliError::usage(format!("{} bench-raw: {why}", program.display()));
    let store = folder.join(format!("bare-{batch}"));
    let output = Command::new(program)
        .args(["bench-raw", "--batch", &batch.to_string(), "--count", &count.to_string(), "--dir"])
        .arg(&store)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    // Its files are not needed any more; what cannot be removed goes with the folder.
    let _ = std::fs::remove_dir_all(&store);
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let bare: Bare = serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
    let took = Duration::try_from_secs_f64(bare.seconds).map_err(|error| failed(error.to_string()))?;
    Ok(Measure::of("raw", format!("bare store, {batch} a commit"), bare.transfers, took))
}
