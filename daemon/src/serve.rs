//! `walletd serve`: lock, stores, services, socket; then the orderly end.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::{
    compose::{self, Daemon, Opening},
    config::{Config, Duty},
    gateway::{self, Answers, Listener, Source},
    lifecycle::{DataLock, Shutdown, Signals, Socket},
    metrics,
};

/// Threads of the runtime: requests are short, and the writer has a thread of its own.
const WORKERS: usize = 2;
/// Threads that wait on files (SQLite, verification); idle ones go away.
const BLOCKING: usize = 8;

/// Serves until told to stop. 0 after an orderly end, 1 if a second signal or the time limit cut it short.
pub fn serve(config: &Config, how: Opening) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(run(config, how));
    // What a hard stop leaves running is not waited for.
    runtime.shutdown_background();
    ended
}

async fn run(config: &Config, how: Opening) -> anyhow::Result<ExitCode> {
    let signals = Signals::catch().context("cannot catch signals")?;
    let shutdown = Shutdown::default();
    let _lock = DataLock::where_used(config)?;
    let stores = compose::open(config, how).await?;
    let daemon = Daemon::start(config, stores, shutdown.soft.clone()).await?;
    let mut socket = Socket::bind(&config.server.socket, !config.access.peers.is_empty())?;
    let listener = Listener::new(socket.listener()?, config.server.connection_limit);
    let answers = if config.server.roles.includes(Duty::Api) { Answers::Everything } else { Answers::AboutItself };
    let (services, edge) = (daemon.services.clone(), daemon.edge.clone());
    let router = gateway::router(services, edge, config.server.body_limit_bytes, answers);
    if let Some(address) = config.metrics.address() {
        let address = metrics::serve(address, daemon.metrics(), shutdown.soft.clone()).await?;
        tracing::info!(%address, "serving metrics");
    }
    tokio::spawn(signals.run(shutdown.clone(), config.server.shutdown_timeout()));
    let head = daemon.services.status.head().await.map_err(anyhow::Error::from)?;
    tracing::info!(
        socket = %socket.path().display(), data = %config.data.directory.display(), seq = head.seq,
        roles = config.server.roles.words().join(","), "serving"
    );
    let soft = shutdown.soft.clone();
    let served = axum::serve(listener, router.into_make_service_with_connect_info::<Source>()).with_graceful_shutdown(
        async move {
            soft.cancelled().await;
            socket.retire().await;
        },
    );
    let orderly = async {
        served.await?;
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
