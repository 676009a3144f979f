//! Transaction Service: the one writer, and looking transactions up.
//!
//! Group commit: one thread takes whatever waits, up to [`MAX_COMMIT`] commands, whenever the
//! previous commit is durable. No timer: one client alone is not delayed, a thousand clients share a
//! sync. Bounds: [`Limits`]; a full queue is refused at once, never waited for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tracing::Instrument as _;
use wallet_core::{
    command::Request,
    ids::{AccountId, TransactionId},
    journal::{Event, Stored},
    key::ScopedKey,
    outcome::Answer,
    ports::{Axis, BalanceCache, CachedBalance, EntryQuery, LedgerStore, StoreError},
    time::Timestamp,
};

use super::{
    ServiceError,
    commits::{Commits, SubmitError},
    turns::Turns,
};
use crate::{
    metrics::figures,
    telemetry::{CommitTrace, within},
};

/// Most commands of one commit: enough to make the sync's share small, few enough to answer the first soon.
const MAX_COMMIT: usize = 5_000;
/// Records one look through the journal reads at a time.
const SCAN_PAGE: usize = 1_000;
/// Most records one list request looks through before it answers with what it has.
const MAX_SCAN: usize = 50_000;

/// Commits whose balances are on their way to the cache. A cache that does not keep up is left to its projection.
const MAX_FRESHENING: usize = 4;

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

struct Pending {
    request: Request,
    caller: tracing::Span,
    reply: oneshot::Sender<Result<Answer, SubmitError>>,
}

/// The Transaction Service.
pub struct Transactions {
    ledger: Arc<dyn LedgerStore>,
    queue: mpsc::Sender<Pending>,
    waiting: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    limits: Limits,
    figures: Arc<figures::Commits>,
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
        let waiting = Arc::new(AtomicUsize::new(0));
        let figures: Arc<figures::Commits> = Arc::default();
        let writer = Writer {
            ledger: Arc::clone(&ledger),
            cache,
            head,
            waiting: Arc::clone(&waiting),
            queue: waiting_requests,
            figures: Arc::clone(&figures),
            freshening: Arc::new(Semaphore::new(MAX_FRESHENING)),
        };
        let home = runtime.clone();
        let own = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let work = move || own.block_on(writer.run(&home));
        let thread = std::thread::Builder::new().name("ledger-writer".into()).spawn(work)?;
        let service =
            Self { ledger, queue, waiting, stopping: Arc::default(), limits, figures, turns: Turns::default() };
        Ok((service, thread))
    }

    /// Commands that wait to be committed.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// What the writer did.
    pub fn figures(&self) -> &Arc<figures::Commits> {
        &self.figures
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
        let stored = stored.ok_or_else(|| ServiceError::unknown_key(&key.key))?;
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
        let commands = request.commands.len();
        if self.waiting.fetch_add(commands, Ordering::AcqRel).saturating_add(commands) > self.limits.commands {
            self.waiting.fetch_sub(commands, Ordering::AcqRel);
            return Err(SubmitError::Overloaded);
        }
        let own = request.own_key.as_ref();
        if let Some(before) = own.and_then(|own| own.behind.as_ref()) {
            self.turns.wait(before).await;
        }
        let own = own.map(|own| own.key.clone());
        let (reply, answer) = oneshot::channel();
        if let Err(error) = self.queue.try_send(Pending { request, caller: tracing::Span::current(), reply }) {
            self.waiting.fetch_sub(commands, Ordering::AcqRel);
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

struct Writer {
    ledger: Arc<dyn LedgerStore>,
    cache: Arc<dyn BalanceCache>,
    head: watch::Sender<u64>,
    waiting: Arc<AtomicUsize>,
    queue: mpsc::Receiver<Pending>,
    figures: Arc<figures::Commits>,
    freshening: Arc<Semaphore>,
}

impl Writer {
    /// In a runtime of the writer's own thread: what a ledger waits for (a server's answer) wakes it without another
    /// thread in between. What is told to others is told from `home`.
    async fn run(mut self, home: &tokio::runtime::Handle) {
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        let mut trace = CommitTrace::default();
        while let Some(first) = self.queue.recv().await {
            let mut commands = 0;
            let mut next = Some(first);
            while let Some(mut pending) = next {
                trace.take(&pending.caller, &mut pending.request);
                commands += pending.request.commands.len();
                requests.push(pending.request);
                replies.push(pending.reply);
                next = if commands < MAX_COMMIT { self.queue.try_recv().ok() } else { None };
            }
            let begun = std::time::Instant::now();
            let answers = self.ledger.commit(&requests).instrument(trace.span()).await;
            trace.end(requests.len(), commands, answers.as_ref().err());
            self.figures.ended(commands, begun.elapsed(), &answers);
            self.waiting.fetch_sub(commands, Ordering::AcqRel);
            let done = Done {
                requests: std::mem::take(&mut requests),
                replies: std::mem::take(&mut replies),
                answers,
                cache: Arc::clone(&self.cache),
                head: self.head.clone(),
                freshening: Arc::clone(&self.freshening).try_acquire_owned().ok(),
            };
            // The writer goes on with what waits; waking a caller is cheap from inside the runtime only.
            home.spawn(done.tell());
        }
    }
}

/// A commit that is over, and who is to hear of it.
struct Done {
    requests: Vec<Request>,
    replies: Vec<oneshot::Sender<Result<Answer, SubmitError>>>,
    answers: Result<Vec<Answer>, StoreError>,
    cache: Arc<dyn BalanceCache>,
    head: watch::Sender<u64>,
    freshening: Option<OwnedSemaphorePermit>,
}

impl Done {
    async fn tell(mut self) {
        let written = self.answers.as_ref().map(|answers| written(answers)).unwrap_or_default();
        answer(&mut self.replies, self.answers);
        if let Some(last) = written.last() {
            let seq = last.record.seq;
            // Commits may be told of out of order.
            self.head.send_if_modified(|head| {
                let newer = seq > *head;
                *head = seq.max(*head);
                newer
            });
            if self.freshening.is_some() {
                freshen(&*self.cache, &written, seq).await;
            }
        }
        drop(self.requests);
    }
}

/// Offers the balances just made to the cache. The projection does so as well: a failure here costs nothing.
async fn freshen(cache: &dyn BalanceCache, written: &[Arc<Stored>], read_at: u64) {
    let balances = balances_of(written);
    if let Err(error) = cache.put_if_newer(&balances, read_at).await {
        tracing::debug!(%error, "the balance cache did not take the balances of a commit");
    }
}

/// The records a commit wrote.
fn written(answers: &[Answer]) -> Vec<Arc<Stored>> {
    let mut records = Vec::new();
    for answer in answers {
        if let Answer::Outcomes { outcomes, replayed: false } = answer {
            records.extend(outcomes.iter().filter_map(|outcome| match outcome {
                wallet_core::outcome::Outcome::Ok(stored) => Some(Arc::clone(stored)),
                _ => None,
            }));
        }
    }
    records
}

/// The wallets' balances that transactions leave, the last of each wallet only.
fn balances_of(written: &[Arc<Stored>]) -> Vec<(wallet_core::ids::WalletId, CachedBalance)> {
    let mut balances = std::collections::HashMap::new();
    for stored in written {
        let Event::Transaction(t) = &stored.record.event else {
            continue;
        };
        for leg in [&t.debit, &t.credit] {
            if let AccountId::Wallet(wallet) = &leg.account {
                let cached = CachedBalance {
                    epoch: stored.record.epoch,
                    seq: stored.record.seq,
                    balance: leg.balance_after,
                    asset: t.asset,
                    // Money only moves through active wallets.
                    status: wallet_core::account::Status::Active,
                    recorded_at: stored.record.recorded_at,
                };
                balances.insert(wallet.clone(), cached);
            }
        }
    }
    balances.into_iter().collect()
}

fn answer(replies: &mut Vec<oneshot::Sender<Result<Answer, SubmitError>>>, answers: Result<Vec<Answer>, StoreError>) {
    match answers {
        Ok(answers) => {
            for (reply, answer) in replies.drain(..).zip(answers) {
                // A caller that went away has its answer in the ledger, by its key.
                drop(reply.send(Ok(answer)));
            }
        }
        Err(error) => {
            tracing::error!(%error, requests = replies.len(), "a commit failed");
            for reply in replies.drain(..) {
                drop(reply.send(Err(SubmitError::Store(again(&error)))));
            }
        }
    }
}

/// The same error for another caller: its kind, and its cause in words.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable { store, source } => StoreError::unavailable(store, source.to_string()),
        StoreError::Uncertain { store, source } => StoreError::uncertain(store, source.to_string()),
        StoreError::DiskFull { store } => StoreError::DiskFull { store },
        StoreError::ClockSkew(skew) => StoreError::ClockSkew(*skew),
        StoreError::Corrupt { store, what } => StoreError::corrupt(store, what),
    }
}
