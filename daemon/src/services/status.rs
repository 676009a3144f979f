//! What the daemon says about itself, and plain reads of the journal.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;
use wallet_api::types::{CutView, Projection, Status};
use wallet_core::{
    account::Account,
    cut::Cut,
    journal::Stored,
    ports::{Clock, LedgerStore},
};

use super::ServiceError;

/// Tells how far each projection is.
pub type Progress = Arc<dyn Fn(u64) -> Vec<Projection> + Send + Sync>;

/// Tells what each store is, and how it is if that is not as it should be.
pub type Engines = Arc<dyn Fn() -> BTreeMap<String, String> + Send + Sync>;

/// What the daemon says about itself.
#[derive(Clone)]
pub struct StatusService {
    ledger: Arc<dyn LedgerStore>,
    clock: Arc<dyn Clock>,
    progress: Progress,
    stores: Engines,
    stopping: CancellationToken,
    started: Instant,
}

impl StatusService {
    /// Over this ledger; `stores` names the adapter of each port, `stopping` is set while draining.
    pub fn new(
        ledger: Arc<dyn LedgerStore>,
        clock: Arc<dyn Clock>,
        progress: Progress,
        stores: Engines,
        stopping: CancellationToken,
    ) -> Self {
        Self { ledger, clock, progress, stores, stopping, started: Instant::now() }
    }

    /// Fails while the daemon cannot serve.
    pub async fn ready(&self) -> Result<(), ServiceError> {
        if self.stopping.is_cancelled() {
            return Err(ServiceError::Stopping);
        }
        self.ledger.record(1).await?;
        Ok(())
    }

    /// The whole status; the queue is the Transaction Service's to tell.
    pub async fn status(&self) -> Result<Status, ServiceError> {
        let head = self.ledger.head().await?;
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").into(),
            state: if self.stopping.is_cancelled() { "draining" } else { "serving" }.into(),
            pid: std::process::id(),
            ledger_id: self.ledger.id().into(),
            cut: CutView {
                epoch: head.epoch,
                seq: head.seq,
                recorded_at: head.recorded_at.to_string(),
                hash: head.hash.to_string(),
            },
            now: self.clock.now().to_string(),
            uptime_s: self.started.elapsed().as_secs(),
            queued: 0,
            projections: (self.progress)(head.seq),
            stores: (self.stores)(),
        })
    }

    /// The head.
    pub async fn head(&self) -> Result<Cut, ServiceError> {
        Ok(self.ledger.head().await?)
    }

    /// The last cut at or before a seq.
    pub async fn cut_at(&self, seq: u64) -> Result<Cut, ServiceError> {
        Ok(self.ledger.cut_at(seq).await?)
    }

    /// Records with seq above `after`, in order.
    pub async fn records(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, ServiceError> {
        Ok(self.ledger.records(after, limit).await?)
    }

    /// The `@external` accounts, and the head they were read at.
    pub async fn externals(&self) -> Result<(Vec<Account>, Cut), ServiceError> {
        let externals = self.ledger.externals().await?;
        Ok((externals, self.ledger.head().await?))
    }
}
