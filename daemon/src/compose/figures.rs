//! What the metrics ask for when they are asked themselves.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;
use wallet_core::ports::{BalanceCache, Sharing};

use crate::{
    gateway::{RateLimits, Services},
    metrics::{Look, Looked},
    services::relay::Relay,
};

/// How long the metrics wait for a store.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks the stores, each for a moment only, so that the rest is told all the same.
pub(super) fn look(
    services: &Services,
    cache: Arc<dyn BalanceCache>,
    relay: Arc<Relay>,
    limits: Arc<RateLimits>,
) -> Look {
    let (status, transactions) = (services.status.clone(), Arc::downgrade(&services.transactions));
    Arc::new(move || {
        let (status, cache, relay) = (status.clone(), Arc::clone(&cache), Arc::clone(&relay));
        let limits_shared = match limits.sharing() {
            Sharing::Own => None,
            Sharing::Shared => Some(true),
            Sharing::CutOff => Some(false),
        };
        let queued = transactions.upgrade().map_or(0, |transactions| transactions.waiting() as u64);
        Box::pin(async move {
            let (status, cache_position) =
                tokio::join!(timeout(LIMIT, status.status()), timeout(LIMIT, cache.position()),);
            Looked {
                status: status.ok().and_then(Result::ok),
                cache_position: cache_position.ok().and_then(Result::ok).map(|position| position.seq),
                queued,
                relay_leads: relay.is_leading(),
                limits_shared,
            }
        })
    })
}
