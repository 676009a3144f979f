//! Rebuilding what follows the ledger, from the ledger, while everything runs.
//!
//! Idempotent: a rebuild that was cut short is run again. Followers go on meanwhile; what both write is the same, and
//! every store takes a repeat as nothing. Cost: one pass over the journal (audit) or over the accounts (wallets,
//! balances); the events are published anew by whoever leads the relay. Memory: one page at a time.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use wallet_core::ports::{AuditStore, BalanceCache, CachePosition, EventBus, LedgerStore, StoreError, WalletStore};

use super::{pace::PageSize, projections::effects, wallets::rows};

/// Accounts read and written at a time.
const ACCOUNTS_PAGE: usize = 500;
/// How often the tail of the events is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Without a step of the tail for so long, nobody publishes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What can be rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebuildable {
    /// The wallets' rows.
    Wallets,
    /// The balance cache.
    Balances,
    /// The audit trail.
    Audit,
    /// The published events.
    Events,
}

impl Rebuildable {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Wallets, Self::Balances, Self::Audit, Self::Events];

    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wallets => "wallets",
            Self::Balances => "balances",
            Self::Audit => "audit",
            Self::Events => "events",
        }
    }

    /// What its numbers count.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Wallets | Self::Balances => "wallets",
            Self::Audit | Self::Events => "records",
        }
    }
}

impl std::str::FromStr for Rebuildable {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|store| store.as_str() == word);
        known.ok_or_else(|| format!("{word:?} is none of wallets, balances, audit, events"))
    }
}

/// How far a rebuild is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Wallets or records done.
    pub done: u64,
    /// Of so many, as known when it began; none where counting would cost a walk.
    pub of: Option<u64>,
}

/// Rebuilds stores.
#[derive(Clone)]
pub struct Rebuild {
    ledger: Arc<dyn LedgerStore>,
    wallets: Arc<dyn WalletStore>,
    cache: Arc<dyn BalanceCache>,
    audit: Arc<dyn AuditStore>,
    bus: Arc<dyn EventBus>,
}

impl Rebuild {
    /// Over these stores.
    pub fn new(
        ledger: Arc<dyn LedgerStore>,
        wallets: Arc<dyn WalletStore>,
        cache: Arc<dyn BalanceCache>,
        audit: Arc<dyn AuditStore>,
        bus: Arc<dyn EventBus>,
    ) -> Self {
        Self { ledger, wallets, cache, audit, bus }
    }

    /// Drops a store's content and makes it anew. `tell` hears of every page.
    pub async fn run(&self, what: Rebuildable, tell: &(dyn Fn(Step) + Send + Sync)) -> Result<Step, StoreError> {
        match what {
            Rebuildable::Wallets => self.wallets(tell).await,
            Rebuildable::Balances => self.balances(tell).await,
            Rebuildable::Audit => self.audit(tell).await,
            Rebuildable::Events => self.events(tell).await,
        }
    }

    async fn wallets(&self, tell: &(dyn Fn(Step) + Send + Sync)) -> Result<Step, StoreError> {
        self.wallets.clear().await?;
        // The accounts are read behind this head: what changes later is the follower's.
        let head = self.ledger.head().await?;
        let mut step = Step::default();
        let mut after = None;
        loop {
            let page = self.ledger.accounts(after.as_ref(), ACCOUNTS_PAGE).await?;
            let mut made = Vec::with_capacity(page.len());
            for account in &page {
                if let Some(id) = account.id.wallet() {
                    made.push(rows::from_account(&*self.ledger, id, account).await?);
                }
            }
            let Some(last) = made.last().map(|row| row.id.clone()) else { break };
            self.wallets.put_if_newer(&made).await?;
            after = Some(last);
            step.done += made.len() as u64;
            tell(step);
        }
        self.wallets.follow(&[], head.seq).await?;
        Ok(step)
    }

    async fn balances(&self, tell: &(dyn Fn(Step) + Send + Sync)) -> Result<Step, StoreError> {
        self.cache.clear().await?;
        let head = self.ledger.head().await?;
        self.cache.follow(&[], head.seq, CachePosition { epoch: head.epoch, seq: head.seq }).await?;
        let mut step = Step::default();
        let mut after = None;
        loop {
            // Read at the newest head: a follower may have moved the cache's position since.
            let head = self.ledger.head().await?;
            let page = self.ledger.accounts(after.as_ref(), ACCOUNTS_PAGE).await?;
            let mut made = Vec::with_capacity(page.len());
            for account in &page {
                made.extend(effects::cached(&*self.ledger, head.epoch, account).await?);
            }
            let Some(last) = made.last().map(|(wallet, _)| wallet.clone()) else { break };
            self.cache.put_if_newer(&made, head.seq).await?;
            after = Some(last);
            step.done += made.len() as u64;
            tell(step);
        }
        Ok(step)
    }

    async fn audit(&self, tell: &(dyn Fn(Step) + Send + Sync)) -> Result<Step, StoreError> {
        self.audit.clear().await?;
        let of = self.ledger.head().await?.seq;
        let mut step = Step { done: 0, of: Some(of) };
        let mut page = PageSize::default();
        while step.done < of {
            let records = self.ledger.records(step.done, page.records()).await?;
            let Some(last) = records.last() else { break };
            self.audit.add(&records).await?;
            page.learn(&records);
            step.done = last.record.seq;
            tell(step);
        }
        Ok(step)
    }

    /// The relay that leads, here or in another daemon, publishes everything again.
    async fn events(&self, tell: &(dyn Fn(Step) + Send + Sync)) -> Result<Step, StoreError> {
        let of = self.ledger.head().await?.seq;
        self.bus.clear().await?;
        let mut step = Step { done: 0, of: Some(of) };
        let mut moved = Instant::now();
        loop {
            let tail = self.bus.tail().await?.map_or(0, |cut| cut.seq);
            if tail > step.done {
                (step.done, moved) = (tail, Instant::now());
                tell(step);
            }
            if step.done >= of {
                return Ok(step);
            }
            if moved.elapsed() > PATIENCE {
                let why = "no relay publishes: start a daemon with the role relay, then run this again";
                return Err(StoreError::unavailable("event bus", why));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use tokio_util::sync::CancellationToken;
    use wallet_core::{command::StatusChange, model::MemoryLedger, ports::AuditQuery};

    use super::*;
    use crate::{
        adapters::embedded::{
            audit::SqliteAudit, bus::LocalBus, cache::MemoryCache, leases::LocalLeases, wallets::SqliteWallets,
        },
        services::{
            relay::Relay,
            testing::{commit, deposit, id, open, status},
        },
    };

    #[tokio::test]
    async fn every_store_is_made_anew_and_a_repeat_is_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Arc::new(MemoryLedger::new("test"));
        commit(&ledger, "open", [open("a"), open("b")]).await;
        commit(&ledger, "pay", [deposit("a", "3.00"), deposit("b", "4.00")]).await;
        commit(&ledger, "freeze", [status("b", StatusChange::Freeze)]).await;
        let wallets = Arc::new(SqliteWallets::open(&dir.path().join("wallets")).unwrap());
        let audit = Arc::new(SqliteAudit::open(&dir.path().join("audit"), "test").unwrap());
        let cache = Arc::new(MemoryCache::new());
        let bus = Arc::new(LocalBus::open(ledger.clone()).await.unwrap());
        let rebuild = Rebuild::new(ledger.clone(), wallets.clone(), cache.clone(), audit.clone(), bus.clone());
        let head = ledger.head().await.unwrap();
        let (ending, (_told, notices)) = (CancellationToken::new(), watch::channel(0));
        let relay = Relay::new(ledger.clone(), bus, Arc::new(LocalLeases::default()), "a");
        let publishing = tokio::spawn({
            let ending = ending.clone();
            async move { relay.run(notices, &ending).await }
        });
        for _ in 0..2 {
            for what in Rebuildable::ALL {
                let step = rebuild.run(what, &|_| {}).await.unwrap();
                assert_eq!(step.done, if what.unit() == "wallets" { 2 } else { head.seq }, "{what:?}");
            }
            assert_eq!(wallets.position().await.unwrap(), head.seq);
            assert_eq!(wallets.get(&id("b")).await.unwrap().unwrap().state.as_str(), "frozen");
            assert_eq!(audit.head().await.unwrap(), Some(head));
            let query = AuditQuery { limit: 10, ..AuditQuery::default() };
            assert_eq!(audit.list(&query).await.unwrap().items.len(), usize::try_from(head.seq).unwrap());
            let (found, position) = cache.get(&id("b")).await.unwrap();
            assert_eq!((found.unwrap().balance.to_string(), position), ("4.00".to_owned(), head.seq));
        }
        ending.cancel();
        publishing.await.unwrap();
    }
}
