//! A decision as arrays: one statement a table, however many rows.
//!
//! Entries go in sorted as their indexes are, all of a commit together: in the order they were made each would be looked for in
//! another corner of the index (a third more time for 10,000 entries of a thousand accounts).

use std::{collections::HashMap, sync::Arc};

use wallet_core::{
    account::{Account, Entry, Floor},
    cut::Cut,
    ids::AccountId,
    journal::{Event, Stored},
    key::ScopedKey,
    ledger::{Decision, encode_kept},
};

use super::{
    codec::{Blob, Digest, Money, encode_runs, integer},
    session::{Ask, Call, Columns, Parameter},
};

/// The rows of one commit.
pub(super) struct Rows<'a> {
    journal: Journal,
    entries: Entries,
    added: Accounts<'a>,
    set: Accounts<'a>,
    /// Accounts whose status or floor changed.
    rules: Accounts<'a>,
    reversals: [Vec<i64>; 4],
    answers: (Vec<Digest>, Vec<String>, Vec<Vec<u8>>),
    assets: (Vec<String>, Vec<i16>, Vec<i64>),
    clock: Clock<'a>,
    updates: i64,
}

/// Rows of the journal.
#[derive(Default)]
pub(super) struct Journal {
    seq: Vec<i64>,
    epoch: Vec<i64>,
    recorded_at: Vec<i64>,
    key: Vec<Option<Digest>>,
    hash: Vec<Blob>,
    bytes: Vec<Blob>,
    trace: Vec<Option<Box<str>>>,
}

/// Rows of the entries.
#[derive(Default)]
struct Entries {
    account: Vec<i64>,
    run: Vec<i16>,
    effective_at: Vec<i64>,
    seq: Vec<i64>,
    version: Vec<i64>,
    amount: Vec<Money>,
    balance_after: Vec<Money>,
    run_after: Vec<Money>,
}

impl Journal {
    pub(super) fn of(records: &[Arc<Stored>]) -> Self {
        let mut rows = Self::default();
        for stored in records {
            let record = &stored.record;
            rows.seq.push(integer(record.seq));
            rows.epoch.push(integer(record.epoch));
            rows.recorded_at.push(record.recorded_at.as_micros());
            rows.key.push(record.key.as_ref().map(|key| Digest(key.digest())));
            rows.hash.push(Blob { of: Arc::clone(stored), part: |stored| &stored.hash.0 });
            rows.bytes.push(Blob { of: Arc::clone(stored), part: |stored| &stored.bytes });
            rows.trace.push(stored.trace.clone());
        }
        rows
    }
}

impl Columns for Journal {
    fn parameters(&self) -> Vec<Parameter<'_>> {
        vec![&self.seq, &self.epoch, &self.recorded_at, &self.key, &self.hash, &self.bytes, &self.trace]
    }
}

impl Entries {
    fn of(entries: &[Entry]) -> Self {
        let mut sorted: Vec<&Entry> = entries.iter().collect();
        sorted.sort_unstable_by_key(|entry| (entry.number, entry.run, entry.effective_at, entry.seq));
        let mut rows = Self::default();
        for entry in sorted {
            rows.account.push(integer(entry.number));
            rows.run.push(entry.run.into());
            rows.effective_at.push(entry.effective_at.as_micros());
            rows.seq.push(integer(entry.seq));
            rows.version.push(integer(entry.version));
            rows.amount.push(Money(entry.amount));
            rows.balance_after.push(Money(entry.balance_after));
            rows.run_after.push(Money(entry.run_after));
        }
        rows
    }
}

impl Columns for Entries {
    fn parameters(&self) -> Vec<Parameter<'_>> {
        vec![
            &self.account,
            &self.run,
            &self.effective_at,
            &self.seq,
            &self.version,
            &self.amount,
            &self.balance_after,
            &self.run_after,
        ]
    }
}

#[derive(Default)]
struct Accounts<'a> {
    id: Vec<String>,
    /// The version the decision was taken on.
    before: Vec<i64>,
    number: Vec<i64>,
    owner: Vec<Option<&'a str>>,
    asset: Vec<&'a str>,
    scale: Vec<i16>,
    status: Vec<&'a str>,
    floor: Vec<Option<Money>>,
    balance: Vec<Money>,
    version: Vec<i64>,
    opened_at: Vec<i64>,
    seq: Vec<i64>,
    runs: Vec<Vec<u8>>,
}

struct Clock<'a> {
    epoch: i64,
    seq: i64,
    recorded_at: i64,
    hash: &'a [u8],
    before: i64,
    hash_before: &'a [u8],
}

impl<'a> Accounts<'a> {
    fn add(&mut self, account: &'a Account, before: u64) {
        self.id.push(account.id.to_string());
        self.before.push(integer(before));
        self.number.push(integer(account.opened_seq));
        self.owner.push(account.owner.as_ref().map(wallet_core::ids::Owner::as_str));
        self.asset.push(account.asset.as_str());
        self.scale.push(i16::try_from(account.scale()).unwrap_or(i16::MAX));
        self.status.push(account.status.as_str());
        self.floor.push(match account.floor {
            Floor::At(floor) => Some(Money(floor)),
            Floor::None => None,
        });
        self.balance.push(Money(account.balance));
        self.version.push(integer(account.version));
        self.opened_at.push(account.opened_at.as_micros());
        self.seq.push(integer(account.seq));
        self.runs.push(encode_runs(&account.runs));
    }

    fn is_empty(&self) -> bool {
        self.id.is_empty()
    }
}

impl<'a> Rows<'a> {
    /// `early` records were sent before; `before` has the version of every account that was there, `head` is where the
    /// clock was.
    pub(super) fn of(decision: &'a Decision, early: usize, before: &HashMap<AccountId, u64>, head: &'a Cut) -> Self {
        let now = &decision.state.head;
        let mut rows = Self {
            journal: Journal::of(decision.records.get(early..).unwrap_or_default()),
            entries: Entries::of(&decision.entries),
            added: Accounts::default(),
            set: Accounts::default(),
            rules: Accounts::default(),
            reversals: Default::default(),
            answers: Default::default(),
            assets: Default::default(),
            clock: Clock {
                epoch: integer(now.epoch),
                seq: integer(now.seq),
                recorded_at: now.recorded_at.as_micros(),
                hash: &now.hash.0,
                before: integer(head.seq),
                hash_before: &head.hash.0,
            },
            updates: 0,
        };
        rows.add_events(decision);
        for account in decision.touched.iter().filter_map(|id| decision.state.accounts.get(id)) {
            match before.get(&account.id) {
                Some(version) => rows.set.add(account, *version),
                None => rows.added.add(account, 0),
            }
        }
        rows.updates = i64::try_from(rows.set.id.len()).unwrap_or(i64::MAX);
        for (key, answer) in &decision.kept {
            rows.answers.0.push(Digest(key.digest()));
            rows.answers.1.push(answer_name(key));
            rows.answers.2.push(encode_kept(answer));
        }
        rows
    }

    fn add_events(&mut self, decision: &'a Decision) {
        for stored in &decision.records {
            let record = &stored.record;
            match &record.event {
                Event::Transaction(t) => {
                    if let Some(reverses) = t.reverses {
                        let (of, by) = (reverses.transaction, record.id());
                        for (column, value) in self.reversals.iter_mut().zip([of.seq, of.epoch, by.seq, by.epoch]) {
                            column.push(integer(value));
                        }
                    }
                }
                Event::AssetRegistered(asset) => {
                    self.assets.0.push(asset.code.to_string());
                    self.assets.1.push(i16::try_from(asset.scale).unwrap_or(i16::MAX));
                    self.assets.2.push(integer(record.seq));
                }
                Event::StatusChanged { wallet, .. } | Event::LimitChanged { wallet, .. } => {
                    // Of several changes of one account the last state counts, once.
                    let id = AccountId::Wallet(wallet.clone());
                    let known = self.rules.id.iter().any(|known| known == wallet.as_str());
                    if let Some(account) = decision.state.accounts.get(&id).filter(|_| !known) {
                        self.rules.add(account, 0);
                    }
                }
                Event::WalletOpened(_) | Event::Access(_) | Event::EpochRaised { .. } => {}
            }
        }
    }

    /// One statement for records, entries and accounts that were there, decided at a time.
    pub(super) fn at_once<'b>(&'b self, now: &'b i64) -> Call<'b> {
        let c = &self.clock;
        let mut all: Vec<Parameter<'b>> = Vec::with_capacity(34);
        all.extend([&c.epoch as Parameter<'b>, &c.seq, &c.recorded_at, &c.hash, &c.before, &c.hash_before, now]);
        if let Some(ask) = self.single(&mut all) {
            return Call::new(ask, all);
        }
        all.extend(self.journal.parameters());
        all.extend(self.entries.parameters());
        all.extend(self.set_parameters());
        Call::new(Ask::AtOnce, all)
    }

    /// The parameters of one movement, if that is all there is: number, times and hash of its record are the clock's.
    fn single<'b>(&'b self, all: &mut Vec<Parameter<'b>>) -> Option<Ask> {
        let (j, e, s) = (&self.journal, &self.entries, &self.set);
        let ([key], [bytes], [trace]) = (j.key.as_slice(), j.bytes.as_slice(), j.trace.as_slice()) else { return None };
        let ask = match e.seq.len() {
            1 => Ask::Deposit,
            2 => Ask::Transfer,
            _ => return None,
        };
        if s.id.len() != 2 {
            return None;
        }
        let mut more: Vec<Parameter<'b>> = vec![key, bytes, trace, e.effective_at.first()?];
        for leg in 0..e.seq.len() {
            let columns: [Parameter<'b>; 6] = [
                e.account.get(leg)?,
                e.run.get(leg)?,
                e.version.get(leg)?,
                e.amount.get(leg)?,
                e.balance_after.get(leg)?,
                e.run_after.get(leg)?,
            ];
            more.extend(columns);
        }
        for place in 0..2 {
            let columns: [Parameter<'b>; 5] = [
                s.id.get(place)?,
                s.before.get(place)?,
                s.balance.get(place)?,
                s.version.get(place)?,
                s.runs.get(place)?,
            ];
            more.extend(columns);
        }
        all.extend(more);
        Some(ask)
    }

    /// The statements, in the order in which they are sent.
    pub(super) fn calls(&self) -> Vec<Call<'_>> {
        let mut calls = Vec::with_capacity(9);
        if !self.journal.seq.is_empty() {
            calls.push(Call::new(Ask::AddRecords, self.journal.parameters()));
        }
        if !self.entries.seq.is_empty() {
            calls.push(Call::new(Ask::AddEntries, self.entries.parameters()));
        }
        self.call_accounts(&mut calls);
        let [seq, epoch, by_seq, by_epoch] = &self.reversals;
        if !seq.is_empty() {
            let all: [Parameter<'_>; 4] = [seq, epoch, by_seq, by_epoch];
            calls.push(Call::new(Ask::AddReversals, all));
        }
        let (keys, names, answers) = &self.answers;
        if !keys.is_empty() {
            let all: [Parameter<'_>; 3] = [keys, names, answers];
            calls.push(Call::new(Ask::AddAnswers, all));
        }
        let (codes, scales, seqs) = &self.assets;
        if !codes.is_empty() {
            let all: [Parameter<'_>; 3] = [codes, scales, seqs];
            calls.push(Call::new(Ask::AddAssets, all));
        }
        let c = &self.clock;
        let all: [Parameter<'_>; 5] = [&c.epoch, &c.seq, &c.recorded_at, &c.hash, &c.before];
        calls.push(Call::new(Ask::SetClock, all));
        calls
    }

    /// The accounts that were there, as both ways of changing them take them.
    fn set_parameters(&self) -> [Parameter<'_>; 7] {
        let s = &self.set;
        [&s.id, &s.before, &s.balance, &s.version, &s.seq, &s.runs, &self.updates]
    }

    fn call_accounts<'b>(&'b self, calls: &mut Vec<Call<'b>>) {
        let a = &self.added;
        if !a.is_empty() {
            let all: [Parameter<'b>; 12] = [
                &a.id,
                &a.number,
                &a.owner,
                &a.asset,
                &a.scale,
                &a.status,
                &a.floor,
                &a.balance,
                &a.version,
                &a.opened_at,
                &a.seq,
                &a.runs,
            ];
            calls.push(Call::new(Ask::AddAccounts, all));
        }
        if !self.set.is_empty() {
            calls.push(Call::new(Ask::SetAccounts, self.set_parameters()));
        }
        let r = &self.rules;
        if !r.is_empty() {
            let all: [Parameter<'b>; 3] = [&r.id, &r.status, &r.floor];
            calls.push(Call::new(Ask::SetRules, all));
        }
    }
}

/// The full key, which stands beside a kept answer: its digest alone does not prove it.
pub(super) fn answer_name(key: &ScopedKey) -> String {
    format!("{} {}", key.scope(), key.key())
}
