use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;

/// Who leads something, one holder at a time over all daemons of a ledger.
///
/// A lease makes work single, never safe by itself: a holder that was stopped still believes in its lease when it
/// wakes. What must not happen twice is fenced where it takes effect ([`super::EventBus::lead`]) or is idempotent.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes a lease, or keeps it, for `ttl` from now by the store's own clock. The fencing number if `holder` has it
    /// now: it stays the same while the holder keeps the lease and grows with every change of holder. None while another
    /// holds it.
    async fn take(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<u64>, StoreError>;

    /// Gives a lease back, so that the next holder need not wait for its end. Nothing if `holder` does not have it.
    async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError>;
}
