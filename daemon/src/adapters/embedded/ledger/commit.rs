//! Committing: load what the requests need, decide, write everything in one synced batch.

use std::{sync::Arc, time::Duration};

use fjall::{OwnedWriteBatch, UserValue};
use wallet_core::{
    account::{Account, Entry},
    command::Request,
    cut::Cut,
    ids::AccountId,
    journal::{Event, Stored},
    key::ScopedKey,
    ledger::{
        Broken, ClockSkew, DecideError, Decision, KeptAnswer, KeptOutcome, MAX_SKEW, Needs, State, apply, decide,
        decode_kept, encode_kept,
    },
    outcome::{Answer, Outcome},
    ports::StoreError,
};

use super::{
    ASSET_PREFIX, CachedAccounts, DURABLE, Engine, FjallLedger, STORE, Writer,
    behind::{Due, UNTIL},
    codec::{self, EntryRow},
    engine, keep,
    past::PastRow,
};

/// Longest wait for memory before a commit, and its steps: then the writing-out is asked for once more.
const EASE: Duration = Duration::from_millis(250);
const EASE_STEP: Duration = Duration::from_millis(1);
/// Bytes most rows fit in; a longer one takes what it needs.
const ROW: usize = 256;
/// Bytes most records fit in.
const RECORD: usize = 1_024;

impl FjallLedger {
    pub(super) fn commit_now(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        let mut writer = self.writer();
        let store = match self.engine() {
            Ok(store) => store,
            Err(_) => self.reopen(&mut writer)?,
        };
        self.check_room()?;
        Self::ease(&store);
        let decision = self.decide(&store, &mut writer, requests)?;
        if decision.state.head.seq > codec::MAX_SEQ {
            return Err(StoreError::unavailable(STORE, "the journal is full"));
        }
        if decision.is_empty() {
            return Ok(decision.answers);
        }
        self.write(store, &mut writer, &decision)?;
        self.options.clock.accept();
        Ok(decision.answers)
    }

    pub(super) fn preview_now(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        // The writer's lock keeps the state still between its reads.
        let mut writer = self.writer();
        Ok(self.decide(&*self.engine()?, &mut writer, requests)?.answers)
    }

    fn decide(&self, store: &Engine, writer: &mut Writer, requests: &[Request]) -> Result<Decision, StoreError> {
        let state = self.load(store, writer, Needs::of(requests))?;
        let jumped = self.options.clock.jump();
        if jumped.abs() > MAX_SKEW {
            return Err(ClockSkew::Jumped { micros: jumped }.into());
        }
        decide(state, requests, self.options.clock.now()).map_err(|error| match error {
            DecideError::Clock(skew) => skew.into(),
            DecideError::Broken(broken) => damage(&broken),
        })
    }

    /// Reads what a decision has to see.
    fn load(&self, store: &Engine, writer: &mut Writer, mut needs: Needs) -> Result<State, StoreError> {
        let mut state = State::at(self.head_now(), self.assets_now());
        for id in std::mem::take(&mut needs.originals) {
            let Some(original) = store.stored(id.seq)?.filter(|stored| stored.record.id() == id) else {
                continue;
            };
            needs.add_original(&original);
            if let Some(by) = store.reversals.get(codec::transaction_key(id)).map_err(engine)? {
                state.reversals.insert(id, codec::decode_transaction(&by)?);
            }
            state.originals.insert(id, original);
        }
        // Sorted as the store's rows are: a look-up begins where the one before has just been.
        let mut keys: Vec<_> = needs.keys.into_iter().collect();
        keys.sort_unstable_by_key(ScopedKey::digest);
        for key in keys {
            if let Some(stored) = store.by_key(&key)? {
                state.keys.insert(key, stored);
            }
        }
        for key in needs.own_keys {
            if let Some(kept) = store.kept(&key)? {
                state.own_keys.insert(key, kept);
            }
        }
        for key in needs.behind {
            if store.answers.contains_key(key.digest()).map_err(engine)? {
                state.answered.insert(key);
            }
        }
        for id in needs.accounts {
            if let Some(account) = self.account_for(store, &writer.accounts, &id)? {
                state.accounts.insert(id, account);
            }
        }
        Ok(state)
    }

    /// An account as it is now, from memory if it is there.
    fn account_for(
        &self,
        store: &Engine,
        cached: &CachedAccounts,
        id: &AccountId,
    ) -> Result<Option<Account>, StoreError> {
        let kept = self.behind.get(id).or_else(|| cached.get(id).map(|account| (**account).clone()));
        match kept {
            Some(account) => Ok(Some(account)),
            None => store.account(id),
        }
    }

    /// Writes a decision, whole and synced, and makes it visible.
    fn write(&self, store: Arc<Engine>, writer: &mut Writer, decision: &Decision) -> Result<(), StoreError> {
        let mut row = Vec::with_capacity(RECORD);
        let mut encode = |stored: &Arc<Stored>| {
            row.clear();
            codec::encode_stored(stored, &mut row);
            UserValue::from(row.as_slice())
        };
        let touched = decision.touched.iter().filter_map(|id| decision.state.accounts.get(id)).cloned().collect();
        let due = self.behind.due(&decision.records, touched);
        let past = self.past_rows(&store, writer, &decision.entries)?;
        let rows = Rows {
            journal: decision.records.iter().map(&mut encode).collect(),
            records: &decision.records,
            entries: &decision.entries,
            past,
            due: &due,
            kept: &decision.kept,
        };
        if let Err(error) = rows.commit(&store) {
            tracing::error!(%error, "a commit failed; the ledger is reopened to see what it holds");
            drop(store);
            let reopened = self.reopen(writer).map_err(|_| StoreError::uncertain(STORE, error.to_string()))?;
            if !rows.arrived(&reopened, self.head_now())? {
                return Err(engine(error));
            }
        }
        writer.tail.add(&rows.journal);
        self.cuts.add(decision.records.iter().map(Arc::as_ref));
        for account in self.behind.done(due) {
            keep(&mut writer.accounts, account);
        }
        if decision.records.iter().any(|stored| matches!(stored.record.event, Event::AssetRegistered(_))) {
            self.set_assets(decision.state.assets.clone());
        }
        self.set_head(decision.state.head);
        self.recent.push(&decision.records);
        Ok(())
    }

    /// The rows that past balances need of these entries, which are not written yet.
    fn past_rows(&self, store: &Engine, writer: &mut Writer, entries: &[Entry]) -> Result<Vec<PastRow>, StoreError> {
        let Writer { accounts, open, .. } = writer;
        open.rows(store, &store.db.snapshot(), entries, |id| self.account_for(store, accounts, id))
    }

    /// Refuses before the store is touched: a store that runs out of room in the middle has to be reopened.
    fn check_room(&self) -> Result<(), StoreError> {
        let Ok(disk) = rustix::fs::statvfs(&self.options.dir) else {
            return Ok(());
        };
        if disk.f_bavail.saturating_mul(disk.f_frsize) < self.options.reserve_bytes {
            return Err(StoreError::DiskFull { store: STORE });
        }
        Ok(())
    }

    /// Waits while a quarter more is in memory than the memtables hold, and so is still to be written out. fjall itself waits only when four memtables of
    /// one keyspace do, long steps behind a commit, and lets one that is being filled grow until its thread has time for it.
    /// What fjall counts takes about twice as much in fact.
    fn ease(store: &Engine) {
        let most = store.memtable_bytes.saturating_mul(5) / 4;
        let mut waited = Duration::ZERO;
        while store.db.write_buffer_size() > most && waited < EASE {
            std::thread::sleep(EASE_STEP);
            waited += EASE_STEP;
        }
    }

    /// Appends records made elsewhere.
    pub(super) fn append_now(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let store = match self.engine() {
            Ok(store) => store,
            Err(_) => self.reopen(&mut writer)?,
        };
        self.check_room()?;
        Self::ease(&store);
        let mut needs = Needs::default();
        for stored in records {
            needs.add_record(stored);
        }
        let mut state = self.load(&store, &mut writer, needs)?;
        let mut entries = Vec::new();
        for stored in records {
            // What is reversed lies in the store or earlier in these very records.
            if let Some(reverses) = stored.record.transaction().and_then(|t| t.reverses)
                && let Some(by) = store.reversals.get(codec::transaction_key(reverses.transaction)).map_err(engine)?
            {
                state.reversals.insert(reverses.transaction, codec::decode_transaction(&by)?);
            }
            let made = apply(&mut state, stored).map_err(|broken| damage(&broken))?;
            entries.extend(made.into_iter().flatten());
        }
        let decision = Decision {
            answers: Vec::new(),
            records: records.to_vec(),
            entries,
            touched: state.accounts.keys().cloned().collect(),
            kept: Vec::new(),
            state,
        };
        self.write(store, &mut writer, &decision)
    }

    /// Puts records from the tail back behind the head.
    pub(super) fn put_back(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        records.chunks(wallet_core::command::MAX_COMMANDS).try_for_each(|page| self.append_now(page))
    }
}

pub(super) fn damage(broken: &Broken) -> StoreError {
    StoreError::corrupt(STORE, broken)
}

/// The rows of one commit.
struct Rows<'a> {
    /// The records' rows: written to the journal, and to the tail as they are.
    journal: Vec<UserValue>,
    records: &'a [Arc<Stored>],
    entries: &'a [Entry],
    past: Vec<PastRow>,
    due: &'a Due,
    kept: &'a [(ScopedKey, KeptAnswer)],
}

impl Rows<'_> {
    fn commit(&self, store: &Engine) -> Result<(), fjall::Error> {
        let mut batch = store.db.batch().durability(Some(DURABLE));
        for (stored, row) in self.records.iter().zip(&self.journal) {
            let record = &stored.record;
            batch.insert(&store.journal, record.seq.to_be_bytes(), row.clone());
            match &record.event {
                Event::Transaction(t) => {
                    if let Some(reverses) = t.reverses {
                        let (of, by) = (reverses.transaction, record.id());
                        batch.insert(&store.reversals, codec::transaction_key(of), codec::transaction_key(by));
                    }
                }
                Event::AssetRegistered(asset) => {
                    batch.insert(&store.meta, format!("{ASSET_PREFIX}{}", asset.code), asset.scale.to_string());
                }
                _ => {}
            }
        }
        self.in_order(store, &mut batch);
        for (key, kept) in self.kept {
            batch.insert(&store.answers, key.digest(), encode_answer(key, kept));
        }
        batch.commit()
    }

    /// The rows whose keys have nothing to do with the order of records, sorted: a row then goes in beside the one
    /// before, where the store's index in memory is warm.
    fn in_order(&self, store: &Engine, batch: &mut OwnedWriteBatch) {
        let key_of = |stored: &Arc<Stored>| Some((stored.record.key.as_ref()?.digest(), stored.record.seq));
        let mut keys: Vec<_> = self.records.iter().filter_map(key_of).collect();
        keys.sort_unstable();
        for (key, seq) in keys {
            batch.insert(&store.keys, key, seq.to_be_bytes());
        }
        let key_of = |entry: &Entry| codec::entry_key(entry.number, entry.run, entry.effective_at, entry.seq);
        let mut entries: Vec<_> = self.entries.iter().map(|entry| (key_of(entry), entry)).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        let mut row = Vec::with_capacity(ROW);
        for (key, entry) in entries {
            row.clear();
            let cells = EntryRow {
                run_after: entry.run_after,
                amount: entry.amount,
                balance_after: entry.balance_after,
                version: entry.version,
            };
            codec::encode_entry(&cells, &mut row);
            batch.insert(&store.entries, key, row.as_slice());
        }
        for (key, past) in &self.past {
            batch.insert(&store.past, *key, past.as_slice());
        }
        let Due::Now { rows: accounts, until } = self.due else { return };
        batch.insert(&store.meta, UNTIL, until.to_be_bytes());
        let mut accounts: Vec<_> = accounts.iter().map(|account| (account_key(&account.id), account)).collect();
        accounts.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (key, account) in accounts {
            row.clear();
            codec::encode_account(account, &mut row);
            batch.insert(&store.accounts, key, row.as_slice());
        }
    }

    /// After a failed commit and a reopening: is it there after all?
    fn arrived(&self, store: &Engine, head: Cut) -> Result<bool, StoreError> {
        match (self.records.last(), self.kept.last()) {
            (Some(last), _) => Ok(head == last.cut()),
            (None, Some((key, _))) => Ok(store.kept(key)?.is_some()),
            (None, None) => Ok(true),
        }
    }
}

/// Wallets and `@external` accounts lie apart, so that a walk over wallets meets nothing else.
pub(super) fn account_key(id: &AccountId) -> Vec<u8> {
    match id {
        AccountId::Wallet(wallet) => [b"w", wallet.as_str().as_bytes()].concat(),
        AccountId::External(code) => [b"x", code.as_str().as_bytes()].concat(),
    }
}

/// The full key stands before the answer: its digest alone does not prove it.
fn encode_answer(key: &ScopedKey, kept: &KeptAnswer) -> Vec<u8> {
    let mut bytes = format!("{} {}\n", key.scope(), key.key()).into_bytes();
    bytes.extend_from_slice(&encode_kept(kept));
    bytes
}

impl Engine {
    pub(super) fn stored(&self, seq: u64) -> Result<Option<Arc<Stored>>, StoreError> {
        let row = self.journal.get(seq.to_be_bytes()).map_err(engine)?;
        row.map(|row| codec::decode_stored(&row).map(Arc::new)).transpose()
    }

    pub(super) fn by_key(&self, key: &ScopedKey) -> Result<Option<Arc<Stored>>, StoreError> {
        let Some(seq) = self.keys.get(key.digest()).map_err(engine)? else {
            return Ok(None);
        };
        let stored = self.stored(codec::decode_seq(&seq)?)?;
        match stored {
            Some(stored) if stored.record.key.as_ref() == Some(key) => Ok(Some(stored)),
            _ => Err(codec::damaged("a key points at a record that has another key")),
        }
    }

    pub(super) fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        let row = self.accounts.get(account_key(id)).map_err(engine)?;
        row.map(|row| codec::decode_account(id.clone(), &row)).transpose()
    }

    fn kept(&self, key: &ScopedKey) -> Result<Option<KeptAnswer>, StoreError> {
        let Some(row) = self.answers.get(key.digest()).map_err(engine)? else {
            return Ok(None);
        };
        let unreadable = || codec::damaged("a kept answer is unreadable");
        let split = row.iter().position(|byte| *byte == b'\n').ok_or_else(unreadable)?;
        let (name, body) = row.split_at_checked(split).ok_or_else(unreadable)?;
        if *name != *format!("{} {}", key.scope(), key.key()).as_bytes() {
            return Err(codec::damaged("a kept answer has another key"));
        }
        let (content, outcomes) = decode_kept(body.get(1..).unwrap_or_default()).map_err(|_| unreadable())?;
        let record =
            |seq| self.stored(seq)?.ok_or_else(|| codec::damaged("a kept answer names a record that is not there"));
        let outcomes: Result<_, StoreError> = outcomes
            .into_iter()
            .map(|outcome| {
                Ok(match outcome {
                    KeptOutcome::Ok(seq) => Outcome::Ok(record(seq)?),
                    KeptOutcome::Replayed(seq) => Outcome::Replayed(record(seq)?),
                    KeptOutcome::Refused(refusal) => Outcome::Refused(refusal),
                    KeptOutcome::Conflict(conflict) => Outcome::Conflict(conflict),
                    KeptOutcome::NotAttempted => Outcome::NotAttempted,
                })
            })
            .collect();
        Ok(Some(KeptAnswer { content, outcomes: outcomes? }))
    }
}
