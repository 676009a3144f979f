use std::sync::Arc;

use async_trait::async_trait;

use super::{Page, StoreError};
use crate::{
    cut::Cut,
    ids::{Actor, RequestId, WalletId},
    journal::Stored,
    time::Timestamp,
};

/// Which records to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Only by this actor.
    pub actor: Option<Actor>,
    /// Only about this wallet.
    pub wallet: Option<WalletId>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only of this request.
    pub request: Option<RequestId>,
    /// Only recorded at or after this.
    pub from: Option<Timestamp>,
    /// Only recorded at or before this.
    pub to: Option<Timestamp>,
    /// Only with a seq below this (the last of the page before).
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// The audit trail: a second, separate copy of the journal, queryable. Inserts and reads only.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Adds records that follow each other, in one durable step. A record that is there already with
    /// the same hash is skipped; with another hash the error is `Corrupt` naming it.
    async fn add(&self, records: &[Arc<Stored>]) -> Result<(), StoreError>;

    /// The last record's cut; none while empty.
    async fn head(&self) -> Result<Option<Cut>, StoreError>;

    /// Records with seq above `after`, in order, at most `limit`, as bytes and hashes found.
    async fn records(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError>;

    /// Records that match, newest first.
    async fn list(&self, query: &AuditQuery) -> Result<Page<Arc<Stored>>, StoreError>;

    /// Drops everything, to be rebuilt from the journal.
    async fn clear(&self) -> Result<(), StoreError>;
}
