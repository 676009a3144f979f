use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::{
    account::{Account, Entry},
    asset::Assets,
    command::Request,
    cut::Cut,
    ids::{TransactionId, WalletId},
    journal::Stored,
    key::ScopedKey,
    money::Balance,
    outcome::Answer,
    time::Timestamp,
};

/// By which of the two times entries are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// When they were recorded: by seq.
    Recorded,
    /// When they count: by (`effective_at`, seq).
    Effective,
}

/// Which entries of a wallet to list. Order: by the axis, ascending or descending.
#[derive(Clone, Debug)]
pub struct EntryQuery {
    /// The wallet.
    pub wallet: WalletId,
    /// By which time.
    pub axis: Axis,
    /// Newest first.
    pub descending: bool,
    /// Only `effective_at` (or `recorded_at`, by the axis) at or after this.
    pub from: Option<Timestamp>,
    /// Only `effective_at` (or `recorded_at`, by the axis) at or before this.
    pub to: Option<Timestamp>,
    /// Only records up to this seq.
    pub known: u64,
    /// Only entries behind this place in the order (from the last entry of the page before).
    pub after: Option<(Timestamp, u64)>,
    /// At most so many.
    pub limit: usize,
}

/// An entry with the record it is part of.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The entry.
    pub entry: Entry,
    /// Its record.
    pub record: Arc<Stored>,
}

/// One page of something.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// True if there are more behind them.
    pub more: bool,
}

/// What a look at the past is to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Everything there is.
    Head,
    /// What was there at this seq; all of a group or nothing of it.
    At(u64),
    /// What was recorded at or before this time; all of a group or nothing of it.
    By(Timestamp),
}

/// A wallet at a moment as known at a cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// A head of the ledger since the question came; never before the cut.
    pub head: Cut,
    /// What was known.
    pub cut: Cut,
    /// The wallet's account as it stands, at the head or behind it; none if there is no such wallet.
    pub account: Option<Account>,
    /// Its balance at the moment, as known at the cut; none if there is no such wallet.
    pub balance: Option<Balance>,
}

/// The ledger: journal, keys, accounts, entries. One total order, one writer at a time.
///
/// Reads see committed state only, and every committed state they see is a prefix of the journal.
#[async_trait]
pub trait LedgerStore: Send + Sync {
    /// The ledger's id; its hash is the chain's first link.
    fn id(&self) -> &str;

    /// The last committed cut; seq 0 for an empty ledger.
    async fn head(&self) -> Result<Cut, StoreError>;

    /// Decides and commits requests, in order, in one atomic and durable step.
    ///
    /// - Atomic: all records, entries, accounts, keys and kept answers of the call, or none.
    /// - Durable: when this returns `Ok`, power may fail.
    /// - A repeat with the same keys replays and writes nothing.
    /// - `Unavailable`, `DiskFull`, `ClockSkew`: certainly nothing happened. `Uncertain`: ask the keys.
    /// - The call holds at most [`crate::command::MAX_COMMANDS`] commands a request; the caller bounds the requests.
    async fn commit(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError>;

    /// True if [`LedgerStore::commit`] does its work in the thread that asks first and waits for nothing: it then ends
    /// within one step of its caller, and nobody has to be woken for it.
    fn keeps_its_thread(&self) -> bool {
        false
    }

    /// True if [`LedgerStore::commit`] waits for another machine and leaves its thread to others meanwhile.
    fn is_afar(&self) -> bool {
        false
    }

    /// What [`LedgerStore::commit`] would answer now. Writes nothing.
    async fn preview(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError>;

    /// Appends records made elsewhere (a backup, another engine), exactly as they are: each must
    /// follow the head by seq and chain, and every leg by balance and version, or nothing of the
    /// call is written and the error is `Corrupt` naming the first that does not.
    async fn append(&self, records: &[Arc<Stored>]) -> Result<(), StoreError>;

    /// The record of this seq.
    async fn record(&self, seq: u64) -> Result<Option<Arc<Stored>>, StoreError>;

    /// Records with seq above `after`, in order, at most `limit`.
    async fn records(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError>;

    /// The record this key made.
    async fn record_by_key(&self, key: &ScopedKey) -> Result<Option<Arc<Stored>>, StoreError>;

    /// The last cut at or before this seq that is not inside a group.
    async fn cut_at(&self, seq: u64) -> Result<Cut, StoreError>;

    /// The last cut recorded at or before this time that is not inside a group.
    async fn cut_at_time(&self, at: Timestamp) -> Result<Cut, StoreError>;

    /// A wallet's account as it stands.
    async fn account(&self, wallet: &WalletId) -> Result<Option<Account>, StoreError>;

    /// Wallets' accounts as they stand, by id, behind `after`, at most `limit`.
    async fn accounts(&self, after: Option<&WalletId>, limit: usize) -> Result<Vec<Account>, StoreError>;

    /// Balances of an account at each of `times` (ascending), as known at seq `known`. The cost of
    /// one grows with the logarithm of the history; many take the cheaper of look-ups and a walk.
    async fn balances_at(&self, account: &Account, times: &[Timestamp], known: u64)
    -> Result<Vec<Balance>, StoreError>;

    /// The same of many accounts, in their order. An engine for which a question is a way to a server and back answers
    /// thousands in one.
    async fn balances_of(
        &self,
        accounts: &[Account],
        times: &[Timestamp],
        known: u64,
    ) -> Result<Vec<Vec<Balance>>, StoreError> {
        let mut balances = Vec::with_capacity(accounts.len());
        for account in accounts {
            balances.push(self.balances_at(account, times, known).await?);
        }
        Ok(balances)
    }

    /// A wallet's balance at a moment (none: behind every entry), as known at a cut. An engine for which a question is a
    /// way to a server and back answers this in one.
    async fn look(&self, wallet: &WalletId, at: Option<Timestamp>, known: Known) -> Result<Look, StoreError> {
        step_by_step(self, wallet, at, known).await
    }

    /// Entries of a wallet.
    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, StoreError>;

    /// The transaction that reversed this one.
    async fn reversal_of(&self, transaction: TransactionId) -> Result<Option<TransactionId>, StoreError>;

    /// Every asset the ledger knows.
    async fn assets(&self) -> Result<Assets, StoreError>;

    /// The `@external` accounts, one an asset in use: minus what all wallets of the asset hold.
    async fn externals(&self) -> Result<Vec<Account>, StoreError>;
}

/// [`LedgerStore::look`] by the other questions, one after the other.
pub async fn step_by_step<L: LedgerStore + ?Sized>(
    ledger: &L,
    wallet: &WalletId,
    at: Option<Timestamp>,
    known: Known,
) -> Result<Look, StoreError> {
    let head = ledger.head().await?;
    let cut = match known {
        Known::Head => head,
        Known::At(seq) if seq >= head.seq => head,
        Known::At(seq) => ledger.cut_at(seq).await?,
        Known::By(time) if time >= head.recorded_at => head,
        Known::By(time) => ledger.cut_at_time(time).await?,
    };
    let Some(account) = ledger.account(wallet).await? else {
        return Ok(Look { head, cut, account: None, balance: None });
    };
    // The running balance is the answer when nothing newer than the cut is in it and nothing it holds counts later.
    let balance = if at.is_none() && account.seq <= cut.seq {
        Some(account.balance)
    } else {
        ledger.balances_at(&account, &[at.unwrap_or(Timestamp::MAX)], cut.seq).await?.pop()
    };
    Ok(Look { head, cut, account: Some(account), balance })
}
