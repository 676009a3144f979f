//! All wallets at a moment, as one stream; and one balance by the whole program.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use wallet_api::{
    client::{Client, Endpoint},
    types::ReportQuery,
};

use super::{Measure, load::Loader, note, times};
use crate::error::CliError;

/// Streams the balances of all wallets; so many are made for it, each with two entries.
pub async fn all_wallets(socket: &Path, loader: &mut Loader, wallets: u64) -> Result<Measure, CliError> {
    loader.wallets("report", wallets).await?;
    loader.deposits("report", wallets, |number| (number, Some("2020-01-31T12:00:00Z".into()))).await?;
    loader.deposits("report", wallets, |number| (number, Some("2020-03-01T12:00:00Z".into()))).await?;
    let client = Client::new(Endpoint::Socket(socket.to_owned()))?;
    let query = ReportQuery { at: Some("2020-02-15".into()), ..ReportQuery::default() };
    let started = Instant::now();
    let mut lines = client.report(&query).await?;
    let mut rows = 0;
    while lines.next().await?.is_some() {
        rows += 1;
    }
    Ok(Measure::of("report", "balance --all-wallets --at, streamed", rows, started.elapsed()))
}

/// `walletctl balance W` as a whole process, again and again.
pub fn one_process(folder: &Path, socket: &Path, wallet: &str, count: u64) -> Result<Measure, CliError> {
    let failed = |error: std::io::Error| CliError::usage(format!("walletctl balance: {error}"));
    let program = std::env::current_exe().map_err(failed)?;
    let mut all = times()?;
    let started = Instant::now();
    let mut errors = 0;
    for _ in 0..count {
        let one = Instant::now();
        let status = Command::new(&program)
            .args(["balance", wallet, "--socket"])
            .arg(socket)
            .env("XDG_STATE_HOME", folder)
            .env("XDG_CONFIG_HOME", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(failed)?;
        note(&mut all, one.elapsed());
        errors += u64::from(!status.success());
    }
    let measure = Measure::of("process", "walletctl balance W", count, started.elapsed()).timed(&all);
    Ok(Measure { clients: Some(1), errors, ..measure })
}
