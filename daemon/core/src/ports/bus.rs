use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::{cut::Cut, journal::Stored};

/// The journal, published in order, to whoever follows it.
///
/// Delivery is at least once and in order; a consumer keeps its own position with its effect and
/// checks seq and previous hash, so a repeat changes nothing and a gap is noticed.
#[async_trait]
pub trait EventBus: Send + Sync {
    /// Makes this the one publisher: whoever published before is fenced off, and its next publish fails. To be called
    /// when the relay's lease was taken, before [`EventBus::tail`] is read and anything is published.
    async fn lead(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Publishes records that follow the tail, durably. Records at or before the tail are skipped.
    async fn publish(&self, records: &[Arc<Stored>]) -> Result<(), StoreError>;

    /// The last published record; none while empty.
    async fn tail(&self) -> Result<Option<Cut>, StoreError>;

    /// Published records with seq above `after`, at most `limit`; empty when there are none.
    async fn fetch(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError>;

    /// Waits until something with a seq above `after` is published.
    async fn wait(&self, after: u64) -> Result<(), StoreError>;

    /// Drops everything that was published, to be published anew from the journal by whoever leads the relay.
    async fn clear(&self) -> Result<(), StoreError>;
}
