//! Audit Service: who did what, and proof that nothing was changed.
//!
//! Verification walks the ledger's journal from its first record and recomputes everything it
//! claims, holds the ledger's accounts against that, and compares the audit trail, a second copy in
//! a store of its own, record by record. Cost: one pass over both; memory: one account row a wallet.
//!
//! One at a time: others wait for their turn, as each is to see the head of its own beginning, and few at a time wait.
//! A walk belongs to who asked for it, and ends when they leave.

use std::{sync::Arc, time::Instant};

use tokio::sync::Semaphore;
use wallet_core::{
    cut::{Cut, Hash},
    journal::Stored,
    ledger::Auditor,
    ports::{AuditQuery, AuditStore, LedgerStore, Page, StoreError},
    time::Timestamp,
};

mod stores;
#[cfg(test)]
mod tests;

pub use self::stores::Followers;
use super::ServiceError;
use crate::telemetry::within;

/// Records read at a time.
const PAGE: usize = 2_000;
/// Verifications that wait while one runs: a nightly one and some people's. Whoever wants more is told so.
const MAX_WAITING: usize = 8;

/// One check of a verification.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// What was wrong first, if anything.
    pub fault: Option<String>,
    /// Records or wallets looked at.
    pub count: u64,
    /// What was found, in words.
    pub detail: String,
}

/// What a verification found.
#[derive(Clone, Debug)]
pub struct Verification {
    /// The checks, in order.
    pub checks: Vec<Check>,
    /// The ledger's head when it began.
    pub cut: Cut,
    /// How long it took.
    pub took: std::time::Duration,
}

/// The Audit Service.
#[derive(Clone)]
pub struct Audit {
    ledger: Arc<dyn LedgerStore>,
    trail: Arc<dyn AuditStore>,
    followers: Followers,
    turns: Arc<Turns>,
}

/// Who verifies, and who waits for it.
struct Turns {
    one: Semaphore,
    line: Semaphore,
}

impl Default for Turns {
    fn default() -> Self {
        Self { one: Semaphore::new(1), line: Semaphore::new(1 + MAX_WAITING) }
    }
}

/// What a verification is to look at besides the ledger and its audit trail.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// A cut that was written down.
    pub cut: Option<(u64, Hash)>,
    /// Every store that follows the ledger, up to its head.
    pub stores: bool,
}

impl Audit {
    /// Over this ledger, this audit trail and the other stores that follow.
    pub fn new(ledger: Arc<dyn LedgerStore>, trail: Arc<dyn AuditStore>, followers: Followers) -> Self {
        Self { ledger, trail, followers, turns: Arc::default() }
    }

    /// Records of the audit trail, newest first.
    pub async fn list(&self, query: &AuditQuery) -> Result<Page<Arc<Stored>>, ServiceError> {
        Ok(within("audit_store.list", self.trail.list(query)).await?)
    }

    /// Verifies everything up to the head that it finds when its turn comes, and what else is wished for.
    pub async fn verify(&self, wish: Wish) -> Result<Verification, ServiceError> {
        let full = "a verification runs, and as many wait for their turn as may; try again when some have ended";
        // In this order both are given back: the turn, then the place in the line. None is ever closed.
        let Ok(_place) = self.turns.line.try_acquire() else { return Err(ServiceError::Busy(full)) };
        let _turn = self.turns.one.acquire().await;
        self.verify_now(wish).await
    }

    async fn verify_now(&self, wish: Wish) -> Result<Verification, ServiceError> {
        let written_down = wish.cut;
        let started = Instant::now();
        let cut = self.ledger.head().await?;
        let mut walk = Walk::new(self.ledger.id(), written_down);
        let mut checks = Vec::new();
        let journal = within("audit.walk_ledger", self.walk_ledger(cut, &mut walk)).await?;
        let sound = journal.fault.is_none();
        checks.push(journal);
        if sound {
            checks.push(within("audit.check_accounts", self.check_accounts(cut, walk.auditor)).await?);
        }
        let (ledger, Followers { wallets, cache, bus }) = (&*self.ledger, &self.followers);
        checks.push(within("audit.check_trail", stores::trail(ledger, &*self.trail, cut, wish.stores)).await?);
        if wish.stores {
            checks.push(stores::events(ledger, &**bus, cut).await?);
            checks.push(stores::wallets(ledger, &**wallets, cut).await?);
            checks.push(stores::balances(ledger, &**cache, cut).await?);
        }
        if let Some((seq, _)) = written_down {
            let fault = walk
                .written_down
                .take()
                .map(|_| format!("the ledger ends at record {}: what was behind it is cut off", cut.seq));
            let fault = walk.cut_fault.or(fault);
            let detail =
                fault.clone().unwrap_or_else(|| format!("record {seq} still has the hash that was written down"));
            checks.push(Check { name: "cut", fault, count: 1, detail });
        }
        Ok(Verification { checks, cut, took: started.elapsed() })
    }

    /// The journal: chain, order, sums, versions, floors.
    async fn walk_ledger(&self, cut: Cut, walk: &mut Walk) -> Result<Check, ServiceError> {
        let mut seen = 0;
        while seen < cut.seq {
            let page = match self.ledger.records(seen, PAGE).await {
                Ok(page) => page,
                Err(StoreError::Corrupt { what, .. }) => {
                    return Ok(fault("journal", seen, format!("behind record {seen}: {what}")));
                }
                Err(error) => return Err(error.into()),
            };
            if page.is_empty() {
                return Ok(fault("journal", seen, format!("it ends at record {seen}, but its head is {}", cut.seq)));
            }
            for stored in page.iter().take_while(|stored| stored.record.seq <= cut.seq) {
                if let Err(found) = walk.step(stored) {
                    return Ok(fault("journal", seen, found));
                }
                seen = stored.record.seq;
            }
        }
        if let Some(asset) = walk.auditor.unbalanced() {
            return Ok(fault("journal", seen, format!("all {asset} balances together are not zero")));
        }
        let detail =
            format!("{seen} records follow each other by number, time, hash and balance; every asset sums to zero");
        Ok(Check { name: "journal", fault: None, count: seen, detail })
    }

    /// The ledger's accounts and the sums its past balances are made of.
    async fn check_accounts(&self, cut: Cut, auditor: Auditor) -> Result<Check, ServiceError> {
        let mut checked = 0;
        for (id, expected) in auditor.accounts() {
            let Some(wallet) = id.wallet() else {
                continue;
            };
            let found = match self.ledger.account(wallet).await {
                Ok(found) => found,
                Err(StoreError::Corrupt { what, .. }) => {
                    return Ok(fault("accounts", checked, format!("wallet {wallet}: {what}")));
                }
                Err(error) => return Err(error.into()),
            };
            let Some(found) = found else {
                return Ok(fault("accounts", checked, format!("wallet {wallet} is in the journal but has no account")));
            };
            if found.seq > cut.seq {
                // It moved on while the walk ran; the next verification sees it.
                continue;
            }
            if found != *expected {
                return Ok(fault(
                    "accounts",
                    checked,
                    format!("wallet {wallet}: its account is not what its records make it"),
                ));
            }
            let sums = match self.ledger.balances_at(&found, &[Timestamp::MAX], cut.seq).await {
                Ok(sums) => sums,
                Err(StoreError::Corrupt { what, .. }) => {
                    return Ok(fault("accounts", checked, format!("wallet {wallet}: {what}")));
                }
                Err(error) => return Err(error.into()),
            };
            if sums.first() != Some(&found.balance) {
                return Ok(fault(
                    "accounts",
                    checked,
                    format!("wallet {wallet}: its entries do not add up to its balance"),
                ));
            }
            checked += 1;
        }
        let detail = format!("{checked} wallets hold what their records make");
        Ok(Check { name: "accounts", fault: None, count: checked, detail })
    }
}

fn fault(name: &'static str, count: u64, what: String) -> Check {
    Check { name, fault: Some(what.clone()), count, detail: what }
}

/// A walk over the journal that also meets the cut that was written down.
struct Walk {
    auditor: Auditor,
    written_down: Option<(u64, Hash)>,
    cut_fault: Option<String>,
}

impl Walk {
    fn new(ledger_id: &str, written_down: Option<(u64, Hash)>) -> Self {
        let auditor = Auditor::new(ledger_id);
        let mut walk = Self { auditor, written_down, cut_fault: None };
        walk.meet();
        walk
    }

    fn step(&mut self, stored: &Stored) -> Result<(), String> {
        self.auditor.check(stored).map_err(|fault| fault.to_string())?;
        self.meet();
        Ok(())
    }

    /// Compares hashes when the walk is at the cut.
    fn meet(&mut self) {
        let here = self.auditor.head();
        if let Some((seq, hash)) = self.written_down
            && seq == here.seq
        {
            self.written_down = None;
            if hash != here.hash {
                self.cut_fault =
                    Some(format!("record {seq} had the hash {hash} when it was written down; now it is {}", here.hash));
            }
        }
    }
}
