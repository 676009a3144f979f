//! A ledger in plain maps. It loads exactly what [`Needs`] names and keeps what a [`Decision`] says,
//! so it holds both to their word; everything that an engine is clever about is a loop over all entries.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use super::ManualClock;
use crate::{
    account::{Account, Entry},
    asset::{AssetCode, Assets},
    command::Request,
    cut::Cut,
    ids::{AccountId, TransactionId, WalletId},
    journal::{Stored, genesis},
    key::ScopedKey,
    ledger::{DecideError, Decision, KeptAnswer, KeptOutcome, Needs, State, apply, decide, decode_kept, encode_kept},
    money::Balance,
    outcome::{Answer, Outcome},
    ports::{Axis, Clock, EntryQuery, LedgerStore, Page, Posted, StoreError},
    time::Timestamp,
};

const STORE: &str = "memory ledger";

/// A [`LedgerStore`] in memory. Clones share one ledger.
#[derive(Clone)]
pub struct MemoryLedger {
    id: Arc<str>,
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Clone)]
struct Kept {
    genesis: Cut,
    journal: Vec<Arc<Stored>>,
    assets: Assets,
    wallets: BTreeMap<WalletId, Account>,
    externals: BTreeMap<AssetCode, Account>,
    keys: HashMap<ScopedKey, u64>,
    own_keys: HashMap<ScopedKey, Vec<u8>>,
    reversals: HashMap<TransactionId, TransactionId>,
    entries: HashMap<WalletId, Vec<Entry>>,
}

impl MemoryLedger {
    /// An empty ledger with a clock of its own that stands still.
    pub fn new(id: &str) -> Self {
        Self::with_clock(id, Arc::new(ManualClock::default()))
    }

    /// An empty ledger that asks this clock.
    pub fn with_clock(id: &str, clock: Arc<dyn Clock>) -> Self {
        let genesis = Cut { epoch: 1, seq: 0, recorded_at: Timestamp::EPOCH, hash: genesis(id) };
        let kept = Kept {
            genesis,
            journal: Vec::new(),
            assets: Assets::default(),
            wallets: BTreeMap::new(),
            externals: BTreeMap::new(),
            keys: HashMap::new(),
            own_keys: HashMap::new(),
            reversals: HashMap::new(),
            entries: HashMap::new(),
        };
        Self { id: id.into(), clock, kept: Arc::new(Mutex::new(kept)) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn head(&self) -> Cut {
        self.journal.last().map_or(self.genesis, |last| last.cut())
    }

    fn record(&self, seq: u64) -> Option<&Arc<Stored>> {
        self.journal.get(usize::try_from(seq).ok()?.checked_sub(1)?)
    }

    fn account(&self, id: &AccountId) -> Option<&Account> {
        match id {
            AccountId::Wallet(wallet) => self.wallets.get(wallet),
            AccountId::External(asset) => self.externals.get(asset),
        }
    }

    fn original(&self, id: TransactionId) -> Option<&Arc<Stored>> {
        self.record(id.seq).filter(|stored| stored.record.id() == id)
    }

    /// The state that these needs name, and nothing more.
    fn load(&self, mut needs: Needs) -> Result<State, StoreError> {
        let mut state = State::at(self.head(), self.assets.clone());
        for id in std::mem::take(&mut needs.originals) {
            if let Some(original) = self.original(id) {
                needs.add_original(original);
                state.originals.insert(id, Arc::clone(original));
            }
            if let Some(by) = self.reversals.get(&id) {
                state.reversals.insert(id, *by);
            }
        }
        for id in needs.accounts {
            if let Some(account) = self.account(&id) {
                state.accounts.insert(id, account.clone());
            }
        }
        for key in needs.keys {
            if let Some(stored) = self.keys.get(&key).and_then(|seq| self.record(*seq)) {
                state.keys.insert(key, Arc::clone(stored));
            }
        }
        state.answered.extend(needs.behind.into_iter().filter(|key| self.own_keys.contains_key(key)));
        for key in needs.own_keys {
            if let Some(bytes) = self.own_keys.get(&key) {
                state.own_keys.insert(key, self.answer(bytes)?);
            }
        }
        Ok(state)
    }

    fn answer(&self, bytes: &[u8]) -> Result<KeptAnswer, StoreError> {
        let damaged = || StoreError::corrupt(STORE, "a kept answer cannot be read");
        let (content, outcomes) = decode_kept(bytes).map_err(|_| damaged())?;
        let outcomes = outcomes.into_iter().map(|outcome| {
            let record = |seq| self.record(seq).cloned().ok_or_else(damaged);
            Ok(match outcome {
                KeptOutcome::Ok(seq) => Outcome::Ok(record(seq)?),
                KeptOutcome::Replayed(seq) => Outcome::Replayed(record(seq)?),
                KeptOutcome::Refused(refusal) => Outcome::Refused(refusal),
                KeptOutcome::Conflict(conflict) => Outcome::Conflict(conflict),
                KeptOutcome::NotAttempted => Outcome::NotAttempted,
            })
        });
        Ok(KeptAnswer { content, outcomes: outcomes.collect::<Result<_, StoreError>>()? })
    }

    fn decide(&self, requests: &[Request], now: Timestamp) -> Result<Decision, StoreError> {
        decide(self.load(Needs::of(requests))?, requests, now).map_err(|error| match error {
            DecideError::Clock(skew) => skew.into(),
            DecideError::Broken(broken) => StoreError::corrupt(STORE, broken),
        })
    }

    fn keep(&mut self, records: &[Arc<Stored>], entries: Vec<Entry>, accounts: Vec<Account>) {
        for stored in records {
            let record = &stored.record;
            if let Some(key) = &record.key {
                self.keys.insert(key.clone(), record.seq);
            }
            if let Some(reverses) = record.transaction().and_then(|t| t.reverses) {
                self.reversals.insert(reverses.transaction, record.id());
            }
            self.journal.push(Arc::clone(stored));
        }
        for entry in entries {
            if let AccountId::Wallet(wallet) = &entry.account {
                self.entries.entry(wallet.clone()).or_default().push(entry);
            }
        }
        for account in accounts {
            match &account.id {
                AccountId::Wallet(wallet) => self.wallets.insert(wallet.clone(), account),
                AccountId::External(asset) => self.externals.insert(*asset, account),
            };
        }
    }

    fn commit(&mut self, mut decision: Decision) -> Vec<Answer> {
        let touched = std::mem::take(&mut decision.touched);
        let accounts = touched.iter().filter_map(|id| decision.state.accounts.get(id).cloned()).collect();
        self.keep(&decision.records, decision.entries, accounts);
        self.assets = decision.state.assets;
        for (key, answer) in decision.kept {
            self.own_keys.insert(key, encode_kept(&answer));
        }
        decision.answers
    }

    fn append(&mut self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let mut needs = Needs::default();
        for stored in records {
            needs.add_record(stored);
            needs.originals.extend(stored.record.transaction().and_then(|t| t.reverses).map(|r| r.transaction));
        }
        let mut state = self.load(needs)?;
        let mut entries = Vec::new();
        for stored in records {
            let made = apply(&mut state, stored).map_err(|broken| StoreError::corrupt(STORE, broken))?;
            entries.extend(made.into_iter().flatten());
        }
        self.keep(records, entries, state.accounts.into_values().collect());
        self.assets = state.assets;
        Ok(())
    }

    /// The last cut with at most `held` records that is not inside a group.
    fn cut(&self, held: usize) -> Cut {
        let whole = self.journal.iter().take(held).rev().find(|stored| stored.record.ends_group());
        whole.map_or(self.genesis, |stored| stored.cut())
    }

    fn entries(&self, query: &EntryQuery) -> Page<Posted> {
        let posted = |entry: &Entry| {
            let record = Arc::clone(self.record(entry.seq)?);
            Some(Posted { entry: entry.clone(), record })
        };
        let place = |posted: &Posted| match query.axis {
            Axis::Recorded => (posted.record.record.recorded_at, posted.entry.seq),
            Axis::Effective => (posted.entry.effective_at, posted.entry.seq),
        };
        let mut items: Vec<_> = self.entries.get(&query.wallet).into_iter().flatten().filter_map(posted).collect();
        items.sort_by_key(place);
        if query.descending {
            items.reverse();
        }
        items.retain(|posted| {
            let (at, seq) = place(posted);
            let behind = match query.after {
                Some(after) if query.descending => (at, seq) < after,
                Some(after) => (at, seq) > after,
                None => true,
            };
            let inside = query.from.is_none_or(|from| at >= from) && query.to.is_none_or(|to| at <= to);
            behind && inside && seq <= query.known
        });
        let more = items.len() > query.limit;
        items.truncate(query.limit);
        Page { items, more }
    }
}

#[async_trait]
impl LedgerStore for MemoryLedger {
    fn id(&self) -> &str {
        &self.id
    }

    async fn head(&self) -> Result<Cut, StoreError> {
        Ok(self.kept().head())
    }

    async fn commit(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        let mut kept = self.kept();
        let decision = kept.decide(requests, self.clock.now())?;
        Ok(kept.commit(decision))
    }

    fn keeps_its_thread(&self) -> bool {
        true
    }

    async fn preview(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        Ok(self.kept().decide(requests, self.clock.now())?.answers)
    }

    async fn append(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        self.kept().append(records)
    }

    async fn record(&self, seq: u64) -> Result<Option<Arc<Stored>>, StoreError> {
        Ok(self.kept().record(seq).cloned())
    }

    async fn records(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        Ok(self.kept().journal.iter().skip(skip).take(limit).cloned().collect())
    }

    async fn record_by_key(&self, key: &ScopedKey) -> Result<Option<Arc<Stored>>, StoreError> {
        let kept = self.kept();
        Ok(kept.keys.get(key).and_then(|seq| kept.record(*seq)).cloned())
    }

    async fn cut_at(&self, seq: u64) -> Result<Cut, StoreError> {
        Ok(self.kept().cut(usize::try_from(seq).unwrap_or(usize::MAX)))
    }

    async fn cut_at_time(&self, at: Timestamp) -> Result<Cut, StoreError> {
        let kept = self.kept();
        let held = kept.journal.iter().take_while(|stored| stored.record.recorded_at <= at).count();
        Ok(kept.cut(held))
    }

    async fn account(&self, wallet: &WalletId) -> Result<Option<Account>, StoreError> {
        Ok(self.kept().wallets.get(wallet).cloned())
    }

    async fn accounts(&self, after: Option<&WalletId>, limit: usize) -> Result<Vec<Account>, StoreError> {
        let kept = self.kept();
        let behind = kept.wallets.iter().filter(|(id, _)| after.is_none_or(|after| *id > after));
        Ok(behind.take(limit).map(|(_, account)| account.clone()).collect())
    }

    async fn balances_at(
        &self,
        account: &Account,
        times: &[Timestamp],
        known: u64,
    ) -> Result<Vec<Balance>, StoreError> {
        let kept = self.kept();
        let entries = account.id.wallet().and_then(|wallet| kept.entries.get(wallet));
        let balance = |at: &Timestamp| {
            let counted = entries.into_iter().flatten().filter(|entry| entry.seq <= known && entry.effective_at <= *at);
            let units = counted.map(|entry| entry.amount.units()).sum();
            Balance::from_units(units, account.scale()).map_err(|why| StoreError::corrupt(STORE, why))
        };
        times.iter().map(balance).collect()
    }

    async fn entries(&self, query: &EntryQuery) -> Result<Page<Posted>, StoreError> {
        Ok(self.kept().entries(query))
    }

    async fn reversal_of(&self, transaction: TransactionId) -> Result<Option<TransactionId>, StoreError> {
        Ok(self.kept().reversals.get(&transaction).copied())
    }

    async fn assets(&self) -> Result<Assets, StoreError> {
        Ok(self.kept().assets.clone())
    }

    async fn externals(&self) -> Result<Vec<Account>, StoreError> {
        Ok(self.kept().externals.values().cloned().collect())
    }
}
