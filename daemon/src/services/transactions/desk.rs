//! The desk at which commits are made: by the writer's thread, or by a caller's own while there is nothing else to do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::{MutexGuard, OwnedMutexGuard, mpsc, oneshot, watch},
};
use tracing::Instrument as _;
use wallet_core::{
    command::Request,
    journal::Stored,
    outcome::Answer,
    ports::{BalanceCache, LedgerStore, StoreError},
};

use crate::{
    metrics::figures,
    services::{commits::SubmitError, freshen::Freshener},
    telemetry::CommitTrace,
};

/// Most commands of one commit: enough to make the sync's share small, few enough to answer the first soon.
const MAX_COMMIT: usize = 5_000;
/// How often a commit lets others go first, at most, and for how long in all: on a busy machine one turn of the others takes
/// milliseconds.
const MAX_YIELDS: usize = 16;
const MAX_YIELDING: std::time::Duration = std::time::Duration::from_millis(1);
/// Requests of a commit from which on others are let go first. A few gain less by sharing than they lose where some other
/// program takes the processor for its whole turn.
const CROWD: usize = 16;

/// A request in the queue.
pub(super) struct Pending {
    pub(super) request: Request,
    pub(super) caller: tracing::Span,
    pub(super) reply: oneshot::Sender<Result<Answer, SubmitError>>,
}

/// What a commit needs, whoever makes it.
pub(super) struct Desk {
    ledger: Arc<dyn LedgerStore>,
    freshener: Freshener,
    head: watch::Sender<u64>,
    /// Commands that wait or are being committed.
    waiting: AtomicUsize,
    figures: Arc<figures::Commits>,
    /// Requests of the last commit: where there were several, several will come again, and one alone would have a sync of
    /// its own that all could share.
    last: AtomicUsize,
    /// Held while something is committed, so that what comes meanwhile is taken together behind it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Desk {
    pub(super) fn new(ledger: Arc<dyn LedgerStore>, cache: Arc<dyn BalanceCache>, head: watch::Sender<u64>) -> Self {
        Self {
            ledger,
            freshener: Freshener::new(cache),
            head,
            waiting: AtomicUsize::new(0),
            last: AtomicUsize::new(0),
            figures: Arc::default(),
            turn: Arc::default(),
        }
    }

    pub(super) fn waiting(&self) -> &AtomicUsize {
        &self.waiting
    }

    pub(super) fn figures(&self) -> &Arc<figures::Commits> {
        &self.figures
    }

    /// The turn of a request that found nothing else under way and may be committed in the thread that it came in: nobody
    /// is woken then, which costs one client alone more than its own work does. One command only: what is
    /// decided behind another goes through the queue.
    pub(super) fn turn_here(&self, request: &Request) -> Option<MutexGuard<'_, ()>> {
        // The thread's other tasks go on in another one.
        let others_go_on =
            || Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        let may_stay = self.is_alone(request) && self.ledger.keeps_its_thread() && others_go_on();
        if may_stay { self.turn.try_lock().ok() } else { None }
    }

    /// The same for a ledger on another machine: see [`Desk::commit_afar`].
    pub(super) fn turn_afar(&self, request: &Request) -> Option<OwnedMutexGuard<()>> {
        let may_stay = self.is_alone(request) && self.ledger.is_afar();
        if may_stay { Arc::clone(&self.turn).try_lock_owned().ok() } else { None }
    }

    fn is_alone(&self, request: &Request) -> bool {
        self.last.load(Ordering::Relaxed) <= 1 && request.commands.len() == 1 && request.own_key.is_none()
    }

    /// Commits in a task of the caller's runtime, which does something else until the answer is there. It goes on if
    /// the caller does not.
    pub(super) async fn commit_afar(
        self: &Arc<Self>,
        turn: OwnedMutexGuard<()>,
        mut request: Request,
    ) -> Result<Answer, SubmitError> {
        let mut trace = CommitTrace::default();
        trace.take(&tracing::Span::current(), &mut request);
        let (reply, answer) = oneshot::channel();
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            let done = desk.commit(vec![request], &mut trace).await;
            drop(turn);
            let (said, told) = done.only();
            // A caller that went away has its answer in the ledger, by its key.
            drop(reply.send(said));
            told.await;
        });
        let lost = || SubmitError::Store(StoreError::uncertain("ledger", "its commit ended"));
        answer.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Commits requests that were taken into the trace.
    async fn commit(self: &Arc<Self>, requests: Vec<Request>, trace: &mut CommitTrace) -> Done {
        let commands = requests.iter().map(|request| request.commands.len()).sum();
        let _under_way = UnderWay { desk: self, commands };
        self.last.store(requests.len(), Ordering::Relaxed);
        let begun = std::time::Instant::now();
        let answers = self.ledger.commit(&requests).instrument(trace.span()).await;
        trace.end(requests.len(), commands, answers.as_ref().err());
        self.figures.ended(commands, begun.elapsed(), &answers);
        Done { requests, answers, desk: Arc::clone(self) }
    }

    /// Commits in the caller's thread, in its turn.
    pub(super) fn commit_here(self: &Arc<Self>, mut request: Request) -> Result<Answer, SubmitError> {
        let mut trace = CommitTrace::default();
        trace.take(&tracing::Span::current(), &mut request);
        let commit = self.commit(vec![request], &mut trace);
        let done = tokio::task::block_in_place(|| Handle::current().block_on(commit));
        let (answer, told) = done.only();
        let mut told = Box::pin(told);
        // What is told within this process is told at once: a task for it would have to wake another thread.
        if told.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            tokio::spawn(told);
        }
        answer
    }
}

/// Commands that are being committed; they no longer wait when this is dropped, however that comes about.
struct UnderWay<'a> {
    desk: &'a Desk,
    commands: usize,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.desk.waiting.fetch_sub(self.commands, Ordering::AcqRel);
    }
}

pub(super) struct Writer {
    desk: Arc<Desk>,
    queue: mpsc::Receiver<Pending>,
}

impl Writer {
    pub(super) fn new(desk: Arc<Desk>, queue: mpsc::Receiver<Pending>) -> Self {
        Self { desk, queue }
    }

    /// Lets those who are about to ask do so: who was just answered asks again in a moment, and a commit costs about as
    /// much as ten transfers whatever is in it. No time is waited: others only have the processor where they wait for it, and
    /// as soon as nothing has come meanwhile it goes on.
    fn gather(&self) {
        if self.desk.last.load(Ordering::Relaxed) < CROWD {
            return;
        }
        let begun = std::time::Instant::now();
        let mut waiting = self.queue.len();
        for _ in 0..MAX_YIELDS {
            std::thread::yield_now();
            let now = self.queue.len();
            if now == waiting || begun.elapsed() > MAX_YIELDING {
                return;
            }
            waiting = now;
        }
    }

    /// In a runtime of the writer's own thread: what a ledger waits for (a server's answer) wakes it without another
    /// thread in between. What is told to others is told from `home`.
    pub(super) async fn run(mut self, home: &Handle) {
        let (mut requests, mut replies) = (Vec::new(), Vec::new());
        let mut trace = CommitTrace::default();
        while let Some(first) = self.queue.recv().await {
            let turn = self.desk.turn.lock().await;
            self.gather();
            let mut commands = 0;
            let mut next = Some(first);
            while let Some(mut pending) = next {
                trace.take(&pending.caller, &mut pending.request);
                commands += pending.request.commands.len();
                requests.push(pending.request);
                replies.push(pending.reply);
                next = if commands < MAX_COMMIT { self.queue.try_recv().ok() } else { None };
            }
            let done = self.desk.commit(std::mem::take(&mut requests), &mut trace).await;
            drop(turn);
            // The writer goes on with what waits; waking a caller is cheap from inside the runtime only.
            home.spawn(done.tell(std::mem::take(&mut replies)));
        }
    }
}

/// A commit that is over, of which others are to hear.
struct Done {
    requests: Vec<Request>,
    answers: Result<Vec<Answer>, StoreError>,
    desk: Arc<Desk>,
}

impl Done {
    /// Answers the callers, and then tells what was written.
    async fn tell(self, replies: Vec<oneshot::Sender<Result<Answer, SubmitError>>>) {
        let written = self.answers.as_ref().map(|answers| written(answers)).unwrap_or_default();
        answer(replies, self.answers);
        drop(self.requests);
        self.desk.tell(written).await;
    }

    /// The answer to the only request, and what remains to be told.
    fn only(self) -> (Result<Answer, SubmitError>, impl Future<Output = ()> + use<>) {
        let written = self.answers.as_ref().map(|answers| written(answers)).unwrap_or_default();
        let missing = || StoreError::corrupt("ledger", "no answer to a request");
        let answer = self.answers.and_then(|answers| answers.into_iter().next().ok_or_else(missing));
        if let Err(error) = &answer {
            tracing::error!(%error, requests = 1, "a commit failed");
        }
        let desk = self.desk;
        (answer.map_err(SubmitError::Store), async move { desk.tell(written).await })
    }
}

impl Desk {
    /// Tells what a commit wrote.
    async fn tell(&self, written: Vec<Arc<Stored>>) {
        let Some(last) = written.last() else { return };
        let seq = last.record.seq;
        // Commits may be told of out of order.
        self.head.send_if_modified(|head| {
            let newer = seq > *head;
            *head = seq.max(*head);
            newer
        });
        self.freshener.offer(written, seq).await;
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

fn answer(replies: Vec<oneshot::Sender<Result<Answer, SubmitError>>>, answers: Result<Vec<Answer>, StoreError>) {
    match answers {
        Ok(answers) => {
            for (reply, answer) in replies.into_iter().zip(answers) {
                // A caller that went away has its answer in the ledger, by its key.
                drop(reply.send(Ok(answer)));
            }
        }
        Err(error) => {
            tracing::error!(%error, requests = replies.len(), "a commit failed");
            for reply in replies {
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
