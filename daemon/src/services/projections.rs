//! Projections: the stores that follow the journal. Each can be dropped and is rebuilt from it.
//!
//! A follower takes pages from the bus, checks that each record is the next and that its hash follows, and lets its [`Effect`]
//! keep effect and position together. What the bus lacks or garbles is read from the ledger; what does not follow
//! there either is an error that is kept for the status and tried again, slowly. Delivery is at least once: a crash between
//! effect and notice repeats a page, and every effect takes a repeat as nothing.
//!
//! Costs: one hash a record and follower. Under load a follower waits between pages that are not full ([`Effect::pace`]), so that
//! synced writes are few and large.

pub mod effects;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wallet_core::{
    cut::{Cut, Hash},
    journal::{Stored, genesis},
    ports::{AuditStore, EventBus, LedgerStore, StoreError, WalletStore},
};

use super::pace::{Backoff, PageSize, whole};
use crate::telemetry::{Step, follow};

/// After so long without a new record a follower settles: positions kept in memory are written.
const QUIET: Duration = Duration::from_secs(1);

/// A place in the journal: a record and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The record's number; 0 before the first.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Place {
    /// The place behind a record that the ledger has; `Corrupt` if it does not have it.
    pub async fn of(ledger: &dyn LedgerStore, seq: u64) -> Result<Self, StoreError> {
        if seq == 0 {
            return Ok(Self { seq, hash: genesis(ledger.id()) });
        }
        match ledger.record(seq).await? {
            Some(stored) => Ok(Self { seq, hash: stored.hash }),
            None => Err(StoreError::corrupt("ledger", format_args!("it has no record {seq}, a follower has"))),
        }
    }
}

/// What a follower does with records.
#[async_trait]
pub trait Effect: Send + Sync {
    /// `wallets`, `balances` or `audit`.
    fn name(&self) -> &'static str;

    /// Least time between two pages that are not full.
    fn pace(&self) -> Duration;

    /// The last record that has taken effect.
    async fn start(&self, ledger: &dyn LedgerStore) -> Result<Place, StoreError>;

    /// Lets records take effect; they follow what [`Effect::start`] said and each other. A repeat changes nothing.
    async fn apply(&self, ledger: &dyn LedgerStore, records: &[Arc<Stored>]) -> Result<(), StoreError>;

    /// Writes down the position, if it is only known in memory.
    async fn settle(&self, position: u64) -> Result<(), StoreError>;

    /// Called every [`QUIET`] while there is nothing to do.
    async fn rest(&self, _ledger: &dyn LedgerStore, _position: u64) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Where a projection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    /// `wallets`, `balances` or `audit`.
    pub name: &'static str,
    /// The last record that took effect in it.
    pub seq: u64,
    /// Records behind the head.
    pub lag: u64,
    /// Why it does not move, if it does not.
    pub error: Option<String>,
}

/// One projection and where it stands.
struct Follower {
    effect: Arc<dyn Effect>,
    ledger: Arc<dyn LedgerStore>,
    bus: Arc<dyn EventBus>,
    seq: AtomicU64,
    error: Mutex<Option<String>>,
}

/// A follower under way.
#[derive(Default)]
struct Walk {
    place: Option<Place>,
    page: PageSize,
    last: Option<Instant>,
    settled: bool,
}

impl Follower {
    fn new(effect: Arc<dyn Effect>, ledger: Arc<dyn LedgerStore>, bus: Arc<dyn EventBus>) -> Self {
        Self { effect, ledger, bus, seq: AtomicU64::new(0), error: Mutex::default() }
    }

    fn state(&self, head: u64) -> Projection {
        let seq = self.seq.load(Ordering::Relaxed);
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Projection { name: self.effect.name(), seq, lag: head.saturating_sub(seq), error }
    }

    async fn run(&self, stop: &CancellationToken) {
        let mut walk = Walk::default();
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            match self.step(&mut walk, stop).await {
                Ok(()) => {
                    backoff = Backoff::default();
                    self.note(None);
                }
                Err(error) => {
                    // The effect may have happened all the same: ask the store anew where it stands.
                    walk = Walk { page: walk.page, ..Walk::default() };
                    self.note(Some(&error));
                    backoff.wait(stop).await;
                }
            }
        }
        if let Some(place) = walk.place
            && let Err(error) = self.effect.settle(place.seq).await
        {
            tracing::warn!(projection = self.effect.name(), error = %whole(&error), "its last position is not kept");
        }
    }

    fn note(&self, error: Option<&StoreError>) {
        let text = error.map(|error| whole(error));
        let mut kept = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        match &text {
            Some(text) if kept.as_ref() != Some(text) => {
                tracing::warn!(projection = self.effect.name(), error = %text, "a projection does not move");
            }
            None if kept.is_some() => tracing::info!(projection = self.effect.name(), "a projection moves again"),
            _ => {}
        }
        *kept = text;
    }

    /// One page, or a wait for one.
    async fn step(&self, walk: &mut Walk, stop: &CancellationToken) -> Result<(), StoreError> {
        let place = match walk.place {
            Some(place) => place,
            None => self.effect.start(&*self.ledger).await?,
        };
        self.moved(walk, place);
        let mut page = self.next(place, walk.page.records()).await?;
        if page.is_empty() {
            return self.idle(walk, place, stop).await;
        }
        if page.len() < walk.page.records()
            && let Some(due) = walk.last.map(|last| last + self.effect.pace()).filter(|due| *due > Instant::now())
        {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep_until(due) => {}
            }
            page = self.next(place, walk.page.records()).await?;
        }
        let spans = follow(Step::Consume(self.effect.name()), &page);
        let applied = self.effect.apply(&*self.ledger, &page).await;
        spans.end(&applied);
        applied?;
        walk.last = Some(Instant::now());
        walk.settled = false;
        walk.page.learn(&page);
        if let Some(last) = page.last() {
            self.moved(walk, Place { seq: last.record.seq, hash: last.hash });
        }
        Ok(())
    }

    fn moved(&self, walk: &mut Walk, place: Place) {
        walk.place = Some(place);
        self.seq.store(place.seq, Ordering::Relaxed);
    }

    async fn idle(&self, walk: &mut Walk, place: Place, stop: &CancellationToken) -> Result<(), StoreError> {
        tokio::select! {
            () = stop.cancelled() => {}
            waited = self.bus.wait(place.seq) => waited?,
            () = tokio::time::sleep(QUIET) => {
                if !walk.settled {
                    self.effect.settle(place.seq).await?;
                    walk.settled = true;
                }
                self.effect.rest(&*self.ledger, place.seq).await?;
            }
        }
        Ok(())
    }

    /// The records behind a place: from the bus if they follow, else from the ledger.
    async fn next(&self, place: Place, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        let published = self.bus.fetch(place.seq, limit).await?;
        if published.is_empty() || follows(place, &published).is_ok() {
            return Ok(published);
        }
        let records = self.ledger.records(place.seq, limit).await?;
        match follows(place, &records) {
            Ok(()) if records.is_empty() => {
                let what = format_args!("it has published records behind {}, the ledger has none", place.seq);
                Err(StoreError::corrupt("event bus", what))
            }
            Ok(()) => Ok(records),
            Err(seq) => {
                let what = format!("record {seq} of the journal does not follow what is here");
                Err(StoreError::corrupt(self.effect.name(), what))
            }
        }
    }
}

/// Checks that records follow a place and each other; else the first that does not.
fn follows(place: Place, records: &[Arc<Stored>]) -> Result<(), u64> {
    let mut at = place;
    for stored in records {
        let seq = stored.record.seq;
        if at.seq.checked_add(1) != Some(seq) || !stored.continues(at.hash) {
            return Err(seq);
        }
        at = Place { seq, hash: stored.hash };
    }
    Ok(())
}

/// The projections that one daemon keeps.
pub struct Projections {
    followers: Vec<Follower>,
}

impl Projections {
    /// The followers that let these effects happen.
    pub fn new(ledger: &Arc<dyn LedgerStore>, bus: &Arc<dyn EventBus>, effects: Vec<Arc<dyn Effect>>) -> Self {
        let follower = |effect| Follower::new(effect, Arc::clone(ledger), Arc::clone(bus));
        Self { followers: effects.into_iter().map(follower).collect() }
    }

    /// Follows until `stop`. All in one task: together they take one core at most.
    pub async fn run(&self, stop: &CancellationToken) {
        futures_util::future::join_all(self.followers.iter().map(|follower| follower.run(stop))).await;
    }

    /// Where each stands, against the ledger's head.
    pub fn states(&self, head: u64) -> Vec<Projection> {
        self.followers.iter().map(|follower| follower.state(head)).collect()
    }
}

/// Where a store stands that remembers more or less than a whole cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The record it is at.
    pub seq: u64,
    /// The whole cut, where the store keeps it.
    pub cut: Option<Cut>,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cut {
            Some(cut) => write!(f, "record {} of epoch {} ({})", cut.seq, cut.epoch, cut.hash),
            None => write!(f, "record {}", self.seq),
        }
    }
}

/// Why a daemon must not serve with these stores.
#[derive(Debug, thiserror::Error)]
pub enum AheadError {
    /// A projection holds records that the ledger does not have: the ledger was restored, or is another one.
    #[error("the {projection} store is at {at}, which is not in the ledger: its head is record {} of epoch {} ({}); if the ledger was restored, run `walletd recover`", .head.seq, .head.epoch, .head.hash)]
    Ahead {
        /// Which projection.
        projection: &'static str,
        /// Where it is.
        at: Standing,
        /// Where the ledger is.
        head: Cut,
    },
    /// A store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks that no projection is ahead of the ledger, by number or on another branch (an epoch that the ledger's record
/// of that number is not of). A damaged copy of a record the ledger does have is no reason not to serve: the
/// follower and `audit verify` report it. The balance cache needs no check, it drops what it cannot use.
pub async fn check_not_ahead(
    ledger: &dyn LedgerStore,
    wallets: &dyn WalletStore,
    audit: &dyn AuditStore,
    bus: &dyn EventBus,
) -> Result<(), AheadError> {
    // The ledger is asked last: other daemons may commit, and their projections move on, while this looks.
    let seq = if_up(wallets.position().await)?.unwrap_or_default();
    let cuts = [("audit", if_up(audit.head().await)?.flatten()), ("events", if_up(bus.tail().await)?.flatten())];
    let head = ledger.head().await?;
    if seq > head.seq {
        return Err(AheadError::Ahead { projection: "wallets", at: Standing { seq, cut: None }, head });
    }
    for (projection, at) in cuts {
        let Some(cut) = at else { continue };
        let here = if cut.seq > head.seq { None } else { ledger.record(cut.seq).await? };
        if here.is_none_or(|stored| stored.record.epoch != cut.epoch) {
            let at = Standing { seq: cut.seq, cut: Some(cut) };
            return Err(AheadError::Ahead { projection, at, head });
        }
    }
    Ok(())
}

/// A store that is down is no reason not to serve: its follower meets the same contradiction once it answers.
fn if_up<T>(asked: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match asked {
        Err(StoreError::Unavailable { .. }) => Ok(None),
        asked => asked.map(Some),
    }
}

#[cfg(test)]
mod tests;
