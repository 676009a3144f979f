//! `walletd serve`: lock, stores, services, socket; then the orderly end.

use std::{ops::RangeInclusive, process::ExitCode, sync::Arc, thread::available_parallelism};

use anyhow::Context as _;
use wallet_core::ports::Clock as _;

use crate::{
    adapters::embedded::clock::SystemClock,
    compose::{self, Daemon, Opening},
    config::{Config, Duty},
    gateway::{self, Answers, Certificate, Facts, Files, Listener, Site, Tcp},
    lifecycle::{DataLock, Shutdown, Signals, Socket, raise_file_limit},
    metrics,
    services::access::{AccessEvent, AccessLog as _, AccessRecords},
};

/// Threads of the runtime, at least and at most: requests are short, and the writer has a thread of its own. With one alone, what
/// reads a file holds all others up; beyond some, the one writer is what all wait for.
const WORKERS: RangeInclusive<usize> = 2..=8;
/// Threads that wait on files (SQLite, verification); idle ones go away.
const BLOCKING: usize = 8;

/// Serves until told to stop. 0 after an orderly end, 1 if a second signal or the time limit cut it short.
pub fn serve(config: &Config, how: Opening) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .max_blocking_threads(BLOCKING)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(run(config, how));
    // What a hard stop leaves running is not waited for.
    runtime.shutdown_background();
    ended
}

/// One a processor.
fn workers() -> usize {
    available_parallelism()
        .map_or(*WORKERS.start(), |processors| processors.get().clamp(*WORKERS.start(), *WORKERS.end()))
}

async fn run(config: &Config, how: Opening) -> anyhow::Result<ExitCode> {
    let signals = Signals::catch().context("cannot catch signals")?;
    let shutdown = Shutdown::default();
    raise_file_limit();
    let _lock = DataLock::where_used(config)?;
    let stores = compose::open(config, how).await?;
    let daemon = Daemon::start(config, stores, shutdown.soft.clone()).await?;
    let certificate = certificate(config)?;
    let access = Arc::clone(&daemon.access);
    let tcp =
        config.gateway.listen.map(|address| Tcp::bind(address, &config.gateway, certificate.clone())).transpose()?;
    let mut socket = Socket::bind(&config.server.socket, !config.access.peers.is_empty())?;
    let own = rustix::process::geteuid().as_raw();
    let identify = Arc::clone(&daemon.edge.identify);
    let listener = Listener::new(socket.listener()?, &config.server, own, identify);
    let answers = if config.server.roles.includes(Duty::Api) { Answers::Everything } else { Answers::AboutItself };
    let (services, edge) = (daemon.services.clone(), daemon.edge.clone());
    let site = Site::new(services, edge, config.server.body_limit_bytes, answers);
    if let Some(address) = config.metrics.address() {
        let address = metrics::serve(address, daemon.metrics(), shutdown.soft.clone()).await?;
        tracing::info!(%address, "serving metrics");
    }
    tokio::spawn(signals.run(shutdown.clone(), config.server.shutdown_timeout(), reload(certificate, access)));
    if let Some(tcp) = &tcp {
        let scheme = if config.gateway.cert_file.is_some() { "https" } else { "http" };
        daemon.edge.metadata.listening(format!("{scheme}://{}", tcp.address()));
        tracing::info!(address = %tcp.address(), tls = config.gateway.cert_file.is_some(), "listening on TCP");
    }
    let head = daemon.services.status.head().await.map_err(anyhow::Error::from)?;
    tracing::info!(
        socket = %socket.path().display(), data = %config.data.directory.display(), seq = head.seq,
        roles = config.server.roles.words().join(","), "serving"
    );
    let on_socket = listener.serve(site.clone(), &config.gateway, shutdown.soft.clone(), socket.retire());
    let figures = Arc::clone(&daemon.edge.figures);
    let on_tcp = async {
        match tcp {
            Some(tcp) => tcp.serve(site, config.server.request_timeout(), figures, shutdown.soft.clone()).await,
            None => drop(site),
        }
    };
    let orderly = async {
        tokio::join!(on_socket, on_tcp);
        daemon.stop().await;
        anyhow::Ok(())
    };
    tokio::select! {
        ended = orderly => {
            ended?;
            tracing::info!("stopped: nothing is left behind");
            Ok(ExitCode::SUCCESS)
        }
        () = shutdown.hard.cancelled() => {
            tracing::warn!("stopped before everything was finished; what was acknowledged is in the ledger");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The TCP listener's certificate, if it has one.
fn certificate(config: &Config) -> anyhow::Result<Option<Arc<Certificate>>> {
    let Some((cert, key)) = config.gateway.listen.and(config.gateway.files()) else { return Ok(None) };
    let files = Files { cert: cert.to_owned(), key: key.to_owned() };
    let (certificate, facts) = Certificate::open(files).map_err(gateway::ListenError::from)?;
    let now = SystemClock::new().now();
    if facts.is_expired(now) || facts.is_early(now) {
        tracing::error!(
            fingerprint = facts.fingerprint,
            days_left = facts.days_left(now),
            "the certificate is not valid now: clients will refuse it; put a new one in its place and send SIGHUP"
        );
    }
    Ok(Some(certificate))
}

/// What SIGHUP does: the certificate is read again, and the audit trail hears of it. Everything else needs a restart.
fn reload(certificate: Option<Arc<Certificate>>, access: Arc<AccessRecords>) -> impl Fn() + Send {
    move || {
        let Some(certificate) = certificate.clone() else {
            tracing::info!("SIGHUP: nothing to reload; restart to change the configuration");
            return;
        };
        let access = Arc::clone(&access);
        tokio::task::spawn_blocking(move || {
            let now = SystemClock::new().now();
            match certificate.reload(now) {
                Ok(facts) => {
                    access.note(AccessEvent::ConfigurationTaken, None);
                    reloaded(&facts, facts.days_left(now));
                }
                Err(error) => {
                    access.note(AccessEvent::ConfigurationRefused, None);
                    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::error!(%error, source, "SIGHUP: the certificate before stays in use");
                }
            }
        });
    }
}

fn reloaded(facts: &Facts, days_left: i64) {
    tracing::info!(fingerprint = facts.fingerprint, days_left, "SIGHUP: the certificate was read again");
}

#[cfg(test)]
mod tests;
