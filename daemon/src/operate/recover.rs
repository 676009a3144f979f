//! `walletd recover`: after the ledger's server was restored from a backup of its own.
//!
//! The ledger then ends earlier than what follows it, or will go on differently. Recovering begins a new epoch in the
//! ledger, so that every cut written down later tells the two apart, and makes anew whatever holds records that the
//! ledger does not have. A second run finds nothing to do.

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use wallet_core::{
    cut::Cut,
    journal::{Event, Stored},
    ports::StoreError,
    time::Timestamp,
};

use super::{Meter, rebuild, say};
use crate::{
    compose::{self, Opening, Stores},
    config::Config,
    lifecycle::DataLock,
    services::rebuild::Rebuildable,
};

/// Why a recovery did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoverError {
    /// A daemon has the relay's lease.
    #[error("a daemon still leads the relay: stop every daemon of this ledger, wait a few seconds, and run this again")]
    Running,
    /// Something would be dropped.
    #[error("{} would be dropped and made anew from the ledger; if that is what you want, add --yes", .0.join(" and "))]
    Confirm(Vec<&'static str>),
}

/// A lease that a backup holds, or a daemon that was killed, runs out within so long; a running daemon keeps its own.
const RUN_OUT: Duration = Duration::from_secs(6);
/// How often the lease is asked for meanwhile.
const LOOK: Duration = Duration::from_millis(200);
/// Long enough to raise an epoch; whoever starts meanwhile waits for it.
const TERM: Duration = Duration::from_secs(30);

/// Recovers; the lines that say what was done.
pub(crate) async fn recover(config: &Config, yes: bool) -> anyhow::Result<String> {
    let _lock = DataLock::where_used(config)?;
    let stores = compose::open(config, Opening::AsItIs).await?;
    let holder = format!("recover:{}", std::process::id());
    let asked = Instant::now();
    while stores.leases.take("relay", &holder, TERM).await?.is_none() {
        if asked.elapsed() > RUN_OUT {
            return Err(RecoverError::Running.into());
        }
        tokio::time::sleep(LOOK).await;
    }
    let done = with_lease(&stores, yes).await;
    stores.leases.release("relay", &holder).await?;
    let (mut text, again) = done?;
    for what in again {
        say(&format!("{}: being made anew", what.as_str()));
        let meter = Meter::new(what.as_str(), what.unit());
        let step = rebuild::on_the_stores(what, stores.clone(), &meter).await?;
        writeln!(text, "{}: rebuilt from the ledger, {} {}", what.as_str(), step.done, what.unit())?;
    }
    Ok(text)
}

/// Begins the epoch; what is to be made anew behind it.
async fn with_lease(stores: &Stores, yes: bool) -> anyhow::Result<(String, Vec<Rebuildable>)> {
    let head = stores.ledger.head().await?;
    let mut again = Vec::new();
    let mut dropped = Vec::new();
    if stores.wallets.position().await? > head.seq {
        again.push(Rebuildable::Wallets);
    }
    let copies = [
        (Rebuildable::Audit, "the audit trail", stores.audit.head().await?),
        (Rebuildable::Events, "the published events", stores.bus.tail().await?),
    ];
    for (what, name, at) in copies {
        if let Some(cut) = at.filter(|cut| cut.seq > 0)
            && !holds(stores, cut).await?
        {
            again.push(what);
            dropped.push(name);
        }
    }
    let last = if head.seq > 0 { stores.ledger.record(head.seq).await? } else { None };
    let raised = last.is_some_and(|stored| matches!(stored.record.event, Event::EpochRaised { .. }));
    if again.is_empty() && raised {
        return Ok((
            format!("nothing to do: epoch {} begins at record {} and nothing is ahead of it\n", head.epoch, head.seq),
            again,
        ));
    }
    if !yes && !dropped.is_empty() {
        return Err(RecoverError::Confirm(dropped).into());
    }
    // A cached balance of the other branch may have a higher number than any of this one.
    again.push(Rebuildable::Balances);
    let text = if raised {
        format!("epoch {} has begun at record {} already\n", head.epoch, head.seq)
    } else {
        let record = raise(head, stores.clock.now())?;
        let (epoch, seq) = (record.record.epoch, record.record.seq);
        stores.ledger.append(&[Arc::new(record)]).await?;
        format!("epoch {epoch} begins at record {seq}\n")
    };
    Ok((text, again))
}

/// True if the ledger has the very record a store ends with.
async fn holds(stores: &Stores, cut: Cut) -> Result<bool, StoreError> {
    Ok(stores.ledger.record(cut.seq).await?.is_some_and(|stored| stored.hash == cut.hash))
}

fn raise(head: Cut, now: Timestamp) -> Result<Stored, StoreError> {
    let reason = format!("recovered at record {}", head.seq).parse();
    let reason = reason.map_err(|error| StoreError::corrupt("ledger", error))?;
    let too_far = || StoreError::corrupt("ledger", "its numbers cannot be counted on");
    Stored::raising_epoch(head, now, reason).ok_or_else(too_far)
}
