//! Reading: the ledger port over the open store.

use std::sync::Arc;

use async_trait::async_trait;
use wallet_core::{
    account::Account,
    asset::Assets,
    command::Request,
    cut::Cut,
    ids::{AccountId, TransactionId, WalletId},
    journal::Stored,
    key::ScopedKey,
    money::Balance,
    outcome::Answer,
    ports::{Axis, EntryQuery, LedgerStore, Page, Posted, StoreError},
    time::Timestamp,
};

use super::{
    Engine, FjallLedger,
    codec::{self, damaged},
    commit::account_key,
    cuts::CutRow,
    engine, merge,
    search::Search,
};

#[async_trait]
impl LedgerStore for FjallLedger {
    fn id(&self) -> &str {
        &self.id
    }

    async fn head(&self) -> Result<Cut, StoreError> {
        Ok(self.head_now())
    }

    async fn commit(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        self.commit_now(requests)
    }

    fn keeps_its_thread(&self) -> bool {
        true
    }

    async fn preview(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        self.preview_now(requests)
    }

    async fn append(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        self.append_now(records)
    }

    async fn record(&self, seq: u64) -> Result<Option<Arc<Stored>>, StoreError> {
        self.engine()?.stored(seq)
    }

    async fn records(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        let store = self.engine()?;
        let head = self.head_now().seq;
        if after >= head {
            return Ok(Vec::new());
        }
        if let Some(records) = self.recent.behind(after, limit) {
            return Ok(records);
        }
        let rows = store.journal.range((after + 1).to_be_bytes()..=head.to_be_bytes());
        let mut records = Vec::new();
        for (guard, seq) in rows.take(limit).zip(after + 1..) {
            let stored = codec::decode_stored(&guard.value().map_err(engine)?)?;
            if stored.record.seq != seq {
                return Err(StoreError::corrupt(super::STORE, format!("record {seq} is missing from the journal")));
            }
            records.push(Arc::new(stored));
        }
        Ok(records)
    }

    async fn record_by_key(&self, key: &ScopedKey) -> Result<Option<Arc<Stored>>, StoreError> {
        self.engine()?.by_key(key)
    }

    async fn cut_at(&self, seq: u64) -> Result<Cut, StoreError> {
        let head = self.head_now();
        if seq >= head.seq {
            return Ok(head);
        }
        let Some(row) = self.cut_row(seq)? else {
            return Ok(self.start());
        };
        match row.before_group() {
            None => Ok(row.cut()),
            Some(before) => Ok(self.cut_row(before)?.map_or_else(|| self.start(), |row| row.cut())),
        }
    }

    async fn cut_at_time(&self, at: Timestamp) -> Result<Cut, StoreError> {
        let head = self.head_now();
        if head.seq == 0 || at >= head.recorded_at {
            return Ok(head);
        }
        let seq = self.seq_at(at, head.seq)?;
        self.cut_at(seq).await
    }

    async fn account(&self, wallet: &WalletId) -> Result<Option<Account>, StoreError> {
        let store = self.engine()?;
        self.account_now(&store, &AccountId::Wallet(wallet.clone()))
    }

    async fn accounts(&self, after: Option<&WalletId>, limit: usize) -> Result<Vec<Account>, StoreError> {
        let store = self.engine()?;
        let from = after.map_or_else(|| b"w".to_vec(), |id| account_key(&AccountId::Wallet(id.clone())));
        let range = (std::ops::Bound::Excluded(from), std::ops::Bound::Excluded(b"x".to_vec()));
        loop {
            let until = self.behind.until();
            let rows = store.accounts.range::<Vec<u8>, _>(range.clone()).take(limit);
            let mut accounts = rows.map(account_row).collect::<Result<Vec<_>, _>>()?;
            if self.behind.refresh(&mut accounts, until) {
                return Ok(accounts);
            }
        }
    }

    async fn balances_at(
        &self,
        account: &Account,
        times: &[Timestamp],
        known: u64,
    ) -> Result<Vec<Balance>, StoreError> {
        let store = self.engine()?;
        let snapshot = store.db.snapshot();
        let search = Search::new(&snapshot, &store, account);
        let balances = search.balances(times, known)?;
        tracing::trace!(times = times.len(), reads = ?search.reads(), "past balances");
        Ok(balances)
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, StoreError> {
        let store = self.engine()?;
        let head = self.head_now();
        let Some(account) = self.account_now(&store, &AccountId::Wallet(query.wallet.clone()))? else {
            return Ok(Page { items: Vec::new(), more: false });
        };
        let snapshot = store.db.snapshot();
        let search = Search::new(&snapshot, &store, &account);
        let (from, to) = (query.from.unwrap_or(Timestamp::MIN), query.to.unwrap_or(Timestamp::MAX));
        let mut bounds = merge::Bounds {
            axis: query.axis,
            descending: query.descending,
            from,
            to,
            from_seq: 0,
            to_seq: query.known,
            after: query.after,
            limit: query.limit.saturating_add(1),
        };
        if query.axis == Axis::Recorded {
            (bounds.from, bounds.to) = (Timestamp::MIN, Timestamp::MAX);
            bounds.from_seq = self.seq_at(from.plus_micros(-1), head.seq)? + 1;
            bounds.to_seq = query.known.min(self.seq_at(to, head.seq)?);
        }
        let mut entries = merge::list(&search, &bounds)?;
        let more = entries.len() > query.limit;
        entries.truncate(query.limit);
        let items: Result<Vec<_>, StoreError> = entries
            .into_iter()
            .map(|entry| {
                let record = store.stored(entry.seq)?.ok_or_else(|| damaged("an entry's record is not there"))?;
                Ok(Posted { entry, record })
            })
            .collect();
        Ok(Page { items: items?, more })
    }

    async fn reversal_of(&self, transaction: TransactionId) -> Result<Option<TransactionId>, StoreError> {
        let by = self.engine()?.reversals.get(codec::transaction_key(transaction)).map_err(engine)?;
        by.map(|by| codec::decode_transaction(&by)).transpose()
    }

    async fn assets(&self) -> Result<Assets, StoreError> {
        Ok(self.assets_now())
    }

    async fn externals(&self) -> Result<Vec<Account>, StoreError> {
        let store = self.engine()?;
        loop {
            let until = self.behind.until();
            let mut accounts = store.accounts.prefix(b"x").map(account_row).collect::<Result<Vec<_>, _>>()?;
            if self.behind.refresh(&mut accounts, until) {
                return Ok(accounts);
            }
        }
    }
}

fn account_row(guard: fjall::Guard) -> Result<Account, StoreError> {
    let (key, value) = guard.into_inner().map_err(engine)?;
    let unreadable = || damaged("an account has no good id");
    let (kind, name) = key.split_first().ok_or_else(unreadable)?;
    let name = std::str::from_utf8(name).map_err(|_| unreadable())?;
    let id = match kind {
        b'w' => name.parse().map(AccountId::Wallet).map_err(|_| unreadable())?,
        _ => name.parse().map(AccountId::External).map_err(|_| unreadable())?,
    };
    codec::decode_account(id, &value)
}

impl FjallLedger {
    /// The cut of the empty ledger.
    fn start(&self) -> Cut {
        super::start(&self.id)
    }

    /// What a cut at a record is; none for seq 0.
    fn cut_row(&self, seq: u64) -> Result<Option<CutRow>, StoreError> {
        if let Some(row) = self.cuts.get(seq) {
            return Ok(Some(row));
        }
        let stored = self.engine()?.needed(seq)?;
        Ok(stored.map(|stored| {
            self.cuts.add([stored.as_ref()]);
            CutRow::of(&stored)
        }))
    }

    /// The last seq recorded at or before a time: a binary search, since time grows with seq.
    fn seq_at(&self, at: Timestamp, head: u64) -> Result<u64, StoreError> {
        let (mut low, mut high) = (0, head);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.cut_row(middle)?.is_some_and(|row| row.cut().recorded_at <= at) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
    }

    /// An account as it is now. In this order: what is no longer behind has its row.
    pub(super) fn account_now(&self, store: &Engine, id: &AccountId) -> Result<Option<Account>, StoreError> {
        match self.behind.get(id) {
            Some(account) => Ok(Some(account)),
            None => store.account(id),
        }
    }
}

impl Engine {
    /// The record of a seq that must be there; none for 0.
    pub(super) fn needed(&self, seq: u64) -> Result<Option<Arc<Stored>>, StoreError> {
        if seq == 0 {
            return Ok(None);
        }
        let missing = || StoreError::corrupt(super::STORE, format!("record {seq} is missing from the journal"));
        self.stored(seq)?.ok_or_else(missing).map(Some)
    }
}
