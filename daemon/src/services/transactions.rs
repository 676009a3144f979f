//! Transaction Service: the way to the one writer ([`desk`]), and looking transactions up.
//!
//! Group commit: one thread takes whatever waits, up to a bound, whenever the
//! previous commit is durable. No timer: one client alone is not delayed, a thousand clients share a
//! sync. A request that finds nothing else under way is committed in its own thread, where the ledger allows it: to wake the
//! writer and to be woken by it costs more than the rest of a transfer. Bounds: [`Limits`]; a full queue is refused at once, never waited for.

mod desk;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};
use wallet_core::{
    command::Request,
    ids::TransactionId,
    journal::Stored,
    key::ScopedKey,
    outcome::Answer,
    ports::{Axis, BalanceCache, EntryQuery, LedgerStore, StoreError},
    time::Timestamp,
};

use self::desk::{Desk, Pending, Writer};
use super::{
    ServiceError,
    commits::{Commits, SubmitError},
    turns::Turns,
};
use crate::{metrics::figures, telemetry::within};

/// Records one look through the journal reads at a time.
const SCAN_PAGE: usize = 1_000;
/// Most records one list request looks through before it answers with what it has.
const MAX_SCAN: usize = 50_000;

/// How often a drain looks whether the queue is empty.
const DRAIN_STEP: std::time::Duration = std::time::Duration::from_millis(2);

/// Bounds of what may wait.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Requests.
    pub requests: usize,
    /// Commands, over all requests.
    pub commands: usize,
}

/// The Transaction Service.
pub struct Transactions {
    ledger: Arc<dyn LedgerStore>,
    desk: Arc<Desk>,
    queue: mpsc::Sender<Pending>,
    stopping: Arc<AtomicBool>,
    limits: Limits,
    turns: Turns,
}

impl Transactions {
    /// Starts the writer. `head` is told the seq of every commit.
    pub fn start(
        ledger: Arc<dyn LedgerStore>,
        cache: Arc<dyn BalanceCache>,
        head: watch::Sender<u64>,
        limits: Limits,
        runtime: &tokio::runtime::Handle,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (queue, waiting_requests) = mpsc::channel(limits.requests);
        let desk = Arc::new(Desk::new(Arc::clone(&ledger), cache, head));
        let writer = Writer::new(Arc::clone(&desk), waiting_requests);
        let home = runtime.clone();
        let own = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || own.block_on(writer.run(&home));
        let thread = std::thread::Builder::new().name("ledger-writer".into()).spawn(work)?;
        let service = Self { ledger, desk, queue, stopping: Arc::default(), limits, turns: Turns::default() };
        Ok((service, thread))
    }

    /// Commands that wait to be committed.
    pub fn waiting(&self) -> usize {
        self.desk.waiting().load(Ordering::Relaxed)
    }

    /// What the writer did.
    pub fn figures(&self) -> &Arc<figures::Commits> {
        self.desk.figures()
    }

    /// From now on nothing new is taken; what waits is still committed.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Waits until nothing waits any more.
    pub async fn drain(&self) {
        while self.waiting() > 0 {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }

    /// What a request would do now.
    pub async fn preview(&self, request: Request) -> Result<Answer, ServiceError> {
        let answers = within("ledger.preview", self.ledger.preview(std::slice::from_ref(&request))).await?;
        answers.into_iter().next().ok_or_else(|| StoreError::corrupt("ledger", "no answer to a request").into())
    }

    /// A transaction by id, with the reversal that undid it.
    pub async fn show(&self, id: TransactionId) -> Result<(Arc<Stored>, Option<TransactionId>), ServiceError> {
        let stored = within("ledger.record", self.ledger.record(id.seq)).await?;
        let stored = stored.filter(|s| s.record.id() == id && s.record.transaction().is_some());
        let stored = stored.ok_or_else(|| ServiceError::unknown_transaction(id))?;
        let reversed_by = self.ledger.reversal_of(id).await?;
        Ok((stored, reversed_by))
    }

    /// A transaction by its key.
    pub async fn by_key(&self, key: &ScopedKey) -> Result<(Arc<Stored>, Option<TransactionId>), ServiceError> {
        let stored = within("ledger.record_by_key", self.ledger.record_by_key(key)).await?;
        let stored = stored.filter(|s| s.record.transaction().is_some());
        let stored = stored.ok_or_else(|| ServiceError::unknown_key(key.key()))?;
        let reversed_by = self.ledger.reversal_of(stored.record.id()).await?;
        Ok((stored, reversed_by))
    }

    /// Transactions, newest recorded first. The second value is where the next page starts.
    pub async fn list(&self, filter: &TransactionList) -> Result<(Vec<Arc<Stored>>, Option<u64>), ServiceError> {
        match &filter.wallet {
            Some(_) => within("transactions.list", self.list_of_wallet(filter)).await,
            None => within("transactions.list", self.list_of_all(filter)).await,
        }
    }

    async fn list_of_wallet(&self, filter: &TransactionList) -> Result<(Vec<Arc<Stored>>, Option<u64>), ServiceError> {
        let Some(wallet) = filter.wallet.clone() else {
            return Ok((Vec::new(), None));
        };
        if self.ledger.account(&wallet).await?.is_none() {
            return Err(ServiceError::unknown_wallet(&wallet));
        }
        let mut found = Vec::new();
        let mut before = filter.before;
        let mut looked = 0;
        loop {
            let query = EntryQuery {
                wallet: wallet.clone(),
                axis: Axis::Recorded,
                descending: true,
                from: filter.from,
                to: filter.to,
                known: u64::MAX,
                after: before.map(|seq| (Timestamp::MAX, seq)),
                limit: filter.limit.max(100),
            };
            let page = self.ledger.entries(&query).await?;
            for posted in page.items {
                looked += 1;
                before = Some(posted.record.record.seq);
                if filter.takes(&posted.record) {
                    found.push(posted.record);
                    if found.len() == filter.limit {
                        return Ok((found, before));
                    }
                }
            }
            if !page.more {
                return Ok((found, None));
            }
            if looked >= MAX_SCAN {
                return Ok((found, before));
            }
        }
    }

    async fn list_of_all(&self, filter: &TransactionList) -> Result<(Vec<Arc<Stored>>, Option<u64>), ServiceError> {
        let head = self.ledger.head().await?.seq;
        let last = match filter.to {
            Some(to) => self.ledger.cut_at_time(to).await?.seq,
            None => head,
        };
        // One past the last record to look at.
        let mut end = last.saturating_add(1).min(filter.before.unwrap_or(u64::MAX));
        let mut found = Vec::new();
        let mut looked = 0;
        while end > 1 {
            let start = end.saturating_sub(SCAN_PAGE as u64).max(1);
            let count = usize::try_from(end - start).unwrap_or(SCAN_PAGE);
            let page = self.ledger.records(start - 1, count).await?;
            for stored in page.into_iter().rev() {
                looked += 1;
                if filter.from.is_some_and(|from| stored.record.recorded_at < from) {
                    return Ok((found, None));
                }
                let seq = stored.record.seq;
                if filter.takes(&stored) {
                    found.push(stored);
                    if found.len() == filter.limit {
                        return Ok((found, (seq > 1).then_some(seq)));
                    }
                }
            }
            end = start;
            if looked >= MAX_SCAN && end > 1 {
                return Ok((found, Some(end)));
            }
        }
        Ok((found, None))
    }
}

/// Which transactions to list.
#[derive(Clone, Debug, Default)]
pub struct TransactionList {
    /// Only of this wallet.
    pub wallet: Option<wallet_core::ids::WalletId>,
    /// Only of this kind.
    pub kind: Option<wallet_core::journal::TransactionKind>,
    /// Only recorded at or after.
    pub from: Option<Timestamp>,
    /// Only recorded at or before.
    pub to: Option<Timestamp>,
    /// Only with a seq below this.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

impl TransactionList {
    fn takes(&self, stored: &Stored) -> bool {
        stored.record.transaction().is_some_and(|t| self.kind.is_none_or(|kind| kind == t.kind))
    }
}

#[async_trait]
impl Commits for Transactions {
    async fn submit(&self, request: Request) -> Result<Answer, SubmitError> {
        within("transactions.submit", self.queued(request)).await
    }
}

impl Transactions {
    async fn queued(&self, request: Request) -> Result<Answer, SubmitError> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(SubmitError::Stopping);
        }
        let (commands, waiting) = (request.commands.len(), self.desk.waiting());
        let before = waiting.fetch_add(commands, Ordering::AcqRel);
        if before.saturating_add(commands) > self.limits.commands {
            waiting.fetch_sub(commands, Ordering::AcqRel);
            return Err(SubmitError::Overloaded);
        }
        if before == 0 {
            if let Some(_turn) = self.desk.turn_here(&request) {
                return self.desk.commit_here(request);
            }
            if let Some(turn) = self.desk.turn_afar(&request) {
                return self.desk.commit_afar(turn, request).await;
            }
        }
        let own = request.own_key.as_ref();
        if let Some(before) = own.and_then(|own| own.behind.as_ref()) {
            self.turns.wait(before).await;
        }
        let own = own.map(|own| own.key.clone());
        let (reply, answer) = oneshot::channel();
        if let Err(error) = self.queue.try_send(Pending { request, caller: tracing::Span::current(), reply }) {
            waiting.fetch_sub(commands, Ordering::AcqRel);
            return Err(match error {
                mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => SubmitError::Stopping,
            });
        }
        if let Some(own) = own {
            self.turns.queued(own);
        }
        // The writer answers everything it takes; only its own end can lose an answer.
        answer.await.unwrap_or_else(|_| Err(SubmitError::Store(StoreError::uncertain("ledger", "the writer ended"))))
    }
}

#[cfg(test)]
mod tests;
