//! Leases within one process: the embedded stores have one daemon at a time, its parts still take turns by the rules.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use wallet_core::ports::{Leases, StoreError};

/// The [`Leases`] of one process.
#[derive(Default)]
pub struct LocalLeases {
    held: Mutex<HashMap<String, Held>>,
}

struct Held {
    holder: String,
    fence: u64,
    until: Instant,
}

#[async_trait]
impl Leases for LocalLeases {
    async fn take(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<u64>, StoreError> {
        let now = Instant::now();
        let until = now + ttl;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lease) = held.get_mut(name) else {
            held.insert(name.to_owned(), Held { holder: holder.to_owned(), fence: 1, until });
            return Ok(Some(1));
        };
        if lease.holder != holder {
            if lease.until > now {
                return Ok(None);
            }
            holder.clone_into(&mut lease.holder);
            lease.fence += 1;
        }
        lease.until = until;
        Ok(Some(lease.fence))
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lease) = held.get_mut(name).filter(|lease| lease.holder == holder) {
            lease.until = Instant::now();
        }
        Ok(())
    }
}
