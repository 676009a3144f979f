//! Batch files through the whole system: a file on disk, `walletctl batch run` as a program of its own, the
//! daemon; and the time until what follows the ledger has caught up.

use std::{
    io::{BufWriter, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    Dice, Measure,
    daemon::{cpu_ms, memory},
    each,
    load::Loader,
};
use crate::error::CliError;

/// How often the program's memory is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long followers may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// Writes a batch file of transfers between so many wallets of this name.
pub fn file(folder: &Path, name: &str, wallets: &str, count: u64, rows: u64) -> Result<PathBuf, CliError> {
    let path = folder.join(format!("{name}.csv"));
    let failed = |error: std::io::Error| CliError::usage(format!("{}: {error}", path.display()));
    let mut to = BufWriter::with_capacity(1 << 20, std::fs::File::create(&path).map_err(failed)?);
    writeln!(to, "key,op,from,to,amount,asset,memo,meta.invoice").map_err(failed)?;
    let mut dice = Dice::new(rows);
    for row in 0..rows {
        let from = dice.below(count);
        let target = (from + 1 + dice.below(count.saturating_sub(1))) % count;
        writeln!(to, "{name}-{row},transfer,{wallets}-{from},{wallets}-{target},0.01,EUR,salary,INV-{row}")
            .map_err(failed)?;
    }
    to.flush().map_err(failed)?;
    Ok(path)
}

/// Runs a batch file.
pub async fn run(folder: &Path, socket: &Path, file: &Path, chunk: u64, rows: u64) -> Result<Measure, CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("walletctl batch run: {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    let started = Instant::now();
    let mut child = Command::new(program)
        .args(["batch", "run", "--yes", "-o", "json", "--chunk", &chunk.to_string(), "--socket"])
        .arg(socket)
        .arg(file)
        .env("XDG_STATE_HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (mut peak, mut cpu) = (None, None);
    let status = loop {
        peak = memory(child.id()).1.or(peak);
        cpu = cpu_ms(child.id()).or(cpu);
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        tokio::time::sleep(LOOK).await;
    };
    let took = started.elapsed();
    if !status.success() {
        let mut why = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            std::io::Read::read_to_string(&mut stderr, &mut why).map_err(failed)?;
        }
        return Err(CliError::new("internal", format!("walletctl batch run: {status}: {}", why.trim())));
    }
    let measure = Measure::of("batches", format!("walletctl batch run, {chunk} a request"), rows, took);
    Ok(Measure { client_peak_kib: peak, client_cpu_ns: cpu.and_then(|ms| each(ms, rows)), ..measure })
}

/// Waits until everything has caught up with the ledger: the relay and each projection, timed apart.
pub async fn caught_up(loader: &mut Loader) -> Result<Vec<Measure>, CliError> {
    let started = Instant::now();
    let mut waiting = loader.lags().await?;
    let mut done = Vec::new();
    let behind = waiting.clone();
    loop {
        let now = loader.lags().await?;
        for (name, records) in &behind {
            if waiting.contains_key(name) && now.get(name).is_none_or(|lag| *lag == 0) {
                waiting.remove(name);
                let case = format!("{name}: records behind, and the time until none is");
                done.push(Measure::of("caught up", case, *records, started.elapsed()));
            }
        }
        if waiting.is_empty() {
            return Ok(done);
        }
        if started.elapsed() > PATIENCE {
            let late: Vec<_> = waiting.keys().map(String::as_str).collect();
            return Err(CliError::new("unavailable", format!("still behind: {}", late.join(", "))));
        }
        tokio::time::sleep(LOOK).await;
    }
}
