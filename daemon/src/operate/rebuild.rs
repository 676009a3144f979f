//! `walletd rebuild`: through the daemon that answers on the socket, which has the stores open; else on the stores
//! themselves, which are all servers then or in a data directory nobody else has.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wallet_api::types::RebuildStep;
use wallet_core::ports::StoreError;

use super::Meter;
use crate::{
    backup::remote::Remote,
    compose::{self, Opening, Stores},
    config::Config,
    lifecycle::DataLock,
    services::{
        rebuild::{Rebuild, Rebuildable, Step},
        relay::Relay,
    },
};

/// Rebuilds; the line that says what was done.
pub(crate) async fn rebuild(what: Rebuildable, config: &Config) -> anyhow::Result<String> {
    let meter = Meter::new(what.as_str(), what.unit());
    let step = if tokio::net::UnixStream::connect(&config.server.socket).await.is_ok() {
        through_the_daemon(what, config, &meter).await?
    } else {
        let _lock = DataLock::where_used(config)?;
        let stores = compose::open(config, Opening::AsItIs).await?;
        on_the_stores(what, stores, &meter).await?
    };
    Ok(format!("{}: rebuilt from the ledger, {} {}\n", what.as_str(), step.done, what.unit()))
}

async fn through_the_daemon(what: Rebuildable, config: &Config, meter: &Meter) -> anyhow::Result<Step> {
    let mut remote = Remote::connect(&config.server.socket).await?;
    let mut lines = remote.post(&format!("/v1/admin/rebuild/{}", what.as_str())).await?;
    while let Some(line) = lines.next().await? {
        let step: RebuildStep = serde_json::from_slice(&line).context("the daemon's answer is not understood")?;
        if let Some(error) = step.error {
            return Err(
                StoreError::unavailable("store", format!("the rebuild ended early; run it again: {error}")).into()
            );
        }
        if step.finished {
            return Ok(Step { done: step.done, of: step.of });
        }
        meter.tell(step.done, step.of);
    }
    Err(StoreError::unavailable("daemon", "it ended before the rebuild did; run it again").into())
}

/// On open stores that no other process of this machine uses.
pub(super) async fn on_the_stores(what: Rebuildable, stores: Stores, meter: &Meter) -> Result<Step, StoreError> {
    let Stores { ledger, wallets, audit, bus, cache, leases, .. } = stores;
    let rebuild = Rebuild::new(Arc::clone(&ledger), wallets, cache, audit, Arc::clone(&bus));
    let tell = |step: Step| meter.tell(step.done, step.of);
    if what != Rebuildable::Events {
        return rebuild.run(what, &tell).await;
    }
    // Whoever leads the relay publishes; if nobody does, this process does meanwhile.
    let relay = Relay::new(ledger, bus, leases, format!("rebuild:{}", std::process::id()));
    let (stop, (_told, head)) = (CancellationToken::new(), watch::channel(0));
    let publishing = relay.run(head, &stop);
    let rebuilding = async {
        let done = rebuild.run(what, &tell).await;
        stop.cancel();
        done
    };
    tokio::join!(publishing, rebuilding).1
}
