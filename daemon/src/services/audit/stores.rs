//! The stores that follow the ledger, held against it: audit trail, events, wallet rows, cached balances.
//!
//! Everything is compared up to one cut of the ledger. A store gets [`PATIENCE`] to reach it: what a follower has not
//! written by then is missing. Money may move meanwhile, so what differs at first sight is read again before it counts.
//! Cost: one pass over the journal for each copy of it, two reads a wallet for rows and cached balances.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::time::Instant;
use wallet_core::{
    account::Account,
    cut::Cut,
    ids::WalletId,
    journal::Stored,
    ports::{
        AuditStore, BalanceCache, EventBus, LedgerStore, StoreError, WalletQuery, WalletRow, WalletState, WalletStore,
    },
};

use super::{Check, PAGE, ServiceError, fault};
use crate::services::{projections::effects, wallets::rows};

/// How long a store may take to reach the cut.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(100);
/// How often something that differs is read again before it counts.
const LOOKS: u32 = 20;
/// Wallets compared at a time.
const WALLETS_PAGE: usize = 500;

/// The stores that follow, besides the audit trail.
#[derive(Clone)]
pub struct Followers {
    /// The wallets' rows.
    pub wallets: Arc<dyn WalletStore>,
    /// The balance cache.
    pub cache: Arc<dyn BalanceCache>,
    /// The published events.
    pub bus: Arc<dyn EventBus>,
}

/// Waits until a store is at the cut; the place it stays at if it does not come.
async fn reaches<F>(cut: Cut, position: impl Fn() -> F) -> Result<u64, StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let begun = Instant::now();
    loop {
        let at = position().await?;
        if at >= cut.seq || begun.elapsed() > PATIENCE {
            return Ok(at);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A second copy of the journal.
#[async_trait::async_trait]
trait Copy: Send + Sync {
    fn name(&self) -> &'static str;
    async fn at(&self) -> Result<u64, StoreError>;
    async fn records(&self, after: u64) -> Result<Vec<Arc<Stored>>, StoreError>;
}

struct Trail<'a>(&'a dyn AuditStore);

#[async_trait::async_trait]
impl Copy for Trail<'_> {
    fn name(&self) -> &'static str {
        "audit"
    }

    async fn at(&self) -> Result<u64, StoreError> {
        Ok(self.0.head().await?.map_or(0, |cut| cut.seq))
    }

    async fn records(&self, after: u64) -> Result<Vec<Arc<Stored>>, StoreError> {
        self.0.records(after, PAGE).await
    }
}

struct Events<'a>(&'a dyn EventBus);

#[async_trait::async_trait]
impl Copy for Events<'_> {
    fn name(&self) -> &'static str {
        "events"
    }

    async fn at(&self) -> Result<u64, StoreError> {
        Ok(self.0.tail().await?.map_or(0, |cut| cut.seq))
    }

    async fn records(&self, after: u64) -> Result<Vec<Arc<Stored>>, StoreError> {
        self.0.fetch(after, PAGE).await
    }
}

/// The audit trail against the ledger's journal. Without `whole` a trail that is still behind is no fault.
pub(super) async fn trail(
    ledger: &dyn LedgerStore,
    trail: &dyn AuditStore,
    cut: Cut,
    whole: bool,
) -> Result<Check, ServiceError> {
    compare(ledger, &Trail(trail), cut, whole).await
}

/// The published events against the ledger's journal.
pub(super) async fn events(ledger: &dyn LedgerStore, bus: &dyn EventBus, cut: Cut) -> Result<Check, ServiceError> {
    compare(ledger, &Events(bus), cut, true).await
}

async fn compare(ledger: &dyn LedgerStore, copy: &dyn Copy, cut: Cut, whole: bool) -> Result<Check, ServiceError> {
    let name = copy.name();
    if whole {
        reaches(cut, || copy.at()).await?;
    }
    let mut seen = 0;
    while seen < cut.seq {
        let copies = match copy.records(seen).await {
            Ok(copies) => copies,
            Err(StoreError::Corrupt { what, .. }) => {
                return Ok(fault(name, seen, format!("behind record {seen}: {what}")));
            }
            Err(error) => return Err(error.into()),
        };
        if copies.is_empty() {
            break;
        }
        let originals = match ledger.records(seen, copies.len()).await {
            Ok(originals) => originals,
            Err(StoreError::Corrupt { what, .. }) => {
                return Ok(fault(name, seen, format!("the ledger behind record {seen}: {what}")));
            }
            Err(error) => return Err(error.into()),
        };
        let mut originals = originals.iter();
        for copy in copies.iter().take_while(|copy| copy.record.seq <= cut.seq) {
            if let Err(what) = same(name, seen, copy, originals.next()) {
                return Ok(fault(name, seen, what));
            }
            seen = copy.record.seq;
        }
        if copies.last().is_some_and(|last| last.record.seq > cut.seq) {
            break;
        }
    }
    let behind = cut.seq.saturating_sub(seen);
    if behind > 0 && whole {
        let what = format!("record {} is missing from {}, and {behind} in all to the cut", seen + 1, place(name));
        return Ok(fault(name, seen, what));
    }
    let detail = match behind {
        0 => format!("{seen} records are the same in {}", place(name)),
        _ => format!("{seen} records are the same in {}; {behind} have not reached it yet", place(name)),
    };
    Ok(Check { name, fault: None, count: seen, detail })
}

fn place(name: &str) -> &'static str {
    if name == "audit" { "the audit trail" } else { "the published events" }
}

/// A copy that follows `seen` is the ledger's very record.
fn same(name: &str, seen: u64, copy: &Stored, original: Option<&Arc<Stored>>) -> Result<(), String> {
    let number = copy.record.seq;
    if number != seen + 1 {
        return Err(format!("record {} is missing from {}", seen + 1, place(name)));
    }
    let Some(original) = original else {
        return Err(format!("record {number} is in {} but not in the ledger", place(name)));
    };
    if original.hash != copy.hash || original.bytes != copy.bytes {
        return Err(format!("record {number} differs between the ledger and {}", place(name)));
    }
    Ok(())
}

/// The wallets' rows against the ledger's accounts, both by id.
pub(super) async fn wallets(
    ledger: &dyn LedgerStore,
    store: &dyn WalletStore,
    cut: Cut,
) -> Result<Check, ServiceError> {
    const NAME: &str = "wallets";
    let at = reaches(cut, || store.position()).await?;
    if at < cut.seq {
        let what = format!("the wallet rows stay at record {at}, the cut is {}", cut.seq);
        return Ok(fault(NAME, 0, what));
    }
    let (mut checked, mut after) = (0, None::<WalletId>);
    loop {
        let accounts = ledger.accounts(after.as_ref(), WALLETS_PAGE).await?;
        let last = accounts.last().and_then(|account| account.id.wallet().cloned());
        for account in &accounts {
            let Some(id) = account.id.wallet() else { continue };
            if let Some(what) = row_fault(ledger, store, id, account).await? {
                return Ok(fault(NAME, checked, what));
            }
            checked += 1;
        }
        if let Some(what) = strange_row(ledger, store, after.as_ref(), last.as_ref(), &accounts).await? {
            return Ok(fault(NAME, checked, what));
        }
        if last.is_none() {
            break;
        }
        after = last;
    }
    Ok(Check { name: NAME, fault: None, count: checked, detail: format!("{checked} rows say what the ledger says") })
}

/// What is wrong with a wallet's row, looked at until it is right or the looks are used up.
async fn row_fault(
    ledger: &dyn LedgerStore,
    store: &dyn WalletStore,
    id: &WalletId,
    account: &Account,
) -> Result<Option<String>, ServiceError> {
    let mut account = account.clone();
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(LOOK).await;
            if let Some(now) = ledger.account(id).await? {
                account = now;
            }
        }
        let expected = rows::from_account(ledger, id, &account).await?;
        let found = match store.get(id).await {
            Ok(found) => found,
            Err(StoreError::Corrupt { what, .. }) => return Ok(Some(format!("wallet {id}: {what}"))),
            Err(error) => return Err(error.into()),
        };
        let Some(found) = found else { continue };
        // The row's number is that of the last change to the wallet, the account's that of the last money as well.
        if (WalletRow { seq: 0, ..found }) == (WalletRow { seq: 0, ..expected }) {
            return Ok(None);
        }
    }
    Ok(Some(format!("wallet {id}: its row is not what the ledger says")))
}

/// A row between two ids that the ledger has no account for.
async fn strange_row(
    ledger: &dyn LedgerStore,
    store: &dyn WalletStore,
    after: Option<&WalletId>,
    to: Option<&WalletId>,
    accounts: &[Account],
) -> Result<Option<String>, ServiceError> {
    let mut query = WalletQuery { after: after.cloned(), limit: WALLETS_PAGE, ..WalletQuery::default() };
    loop {
        let page = store.list(&query).await?;
        for row in &page.items {
            if to.is_some_and(|to| row.id > *to) {
                return Ok(None);
            }
            let known = accounts.iter().any(|account| account.id.wallet() == Some(&row.id));
            if !known && row.state != WalletState::Opening && ledger.account(&row.id).await?.is_none() {
                return Ok(Some(format!("wallet {} has a row, but the ledger does not know it", row.id)));
            }
        }
        query.after = page.items.last().map(|row| row.id.clone());
        if !page.more {
            return Ok(None);
        }
    }
}

/// The cached balances against the ledger's accounts. A wallet that is not in the cache is no fault.
pub(super) async fn balances(
    ledger: &dyn LedgerStore,
    cache: &dyn BalanceCache,
    cut: Cut,
) -> Result<Check, ServiceError> {
    const NAME: &str = "balances";
    let at = reaches(cut, || async { Ok(cache.position().await?.seq) }).await?;
    if at < cut.seq {
        return Ok(fault(NAME, 0, format!("the balance cache stays at record {at}, the cut is {}", cut.seq)));
    }
    let (mut checked, mut absent, mut after) = (0, 0, None::<WalletId>);
    loop {
        let accounts = ledger.accounts(after.as_ref(), WALLETS_PAGE).await?;
        for account in &accounts {
            let Some(id) = account.id.wallet() else { continue };
            match cached_fault(ledger, cache, id, account).await? {
                Cached::Same => checked += 1,
                Cached::Absent => absent += 1,
                Cached::Other(what) => return Ok(fault(NAME, checked, what)),
            }
        }
        after = accounts.last().and_then(|account| account.id.wallet().cloned());
        if after.is_none() {
            break;
        }
    }
    let detail = match absent {
        0 => format!("{checked} cached balances are the ledger's"),
        _ => format!("{checked} cached balances are the ledger's; {absent} wallets are not cached"),
    };
    Ok(Check { name: NAME, fault: None, count: checked, detail })
}

enum Cached {
    Same,
    Absent,
    Other(String),
}

async fn cached_fault(
    ledger: &dyn LedgerStore,
    cache: &dyn BalanceCache,
    id: &WalletId,
    account: &Account,
) -> Result<Cached, ServiceError> {
    let mut account = account.clone();
    let mut what = String::new();
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(LOOK).await;
            if let Some(now) = ledger.account(id).await? {
                account = now;
            }
        }
        let found = match cache.get(id).await {
            Ok((found, _)) => found,
            Err(StoreError::Corrupt { what, .. }) => return Ok(Cached::Other(format!("wallet {id}: {what}"))),
            Err(error) => return Err(error.into()),
        };
        let Some(found) = found else { return Ok(Cached::Absent) };
        let Some((_, expected)) = effects::cached(ledger, found.epoch, &account).await? else { continue };
        if found == expected {
            return Ok(Cached::Same);
        }
        what = format!(
            "wallet {id}: the cache has {} at record {}, the ledger {} at record {}",
            found.balance, found.seq, expected.balance, expected.seq
        );
    }
    Ok(Cached::Other(what))
}
