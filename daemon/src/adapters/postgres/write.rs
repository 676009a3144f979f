//! A decision as arrays: one statement a table, however many rows.

use std::collections::HashMap;

use wallet_core::{
    account::{Account, Floor},
    cut::Cut,
    ids::AccountId,
    journal::Event,
    key::ScopedKey,
    ledger::{Decision, encode_kept},
};

use super::{
    codec::{Digest, Money, encode_runs, integer},
    session::{Ask, Call, Parameter},
};

/// The rows of one commit.
pub(super) struct Rows<'a> {
    journal: Journal<'a>,
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

#[derive(Default)]
struct Journal<'a> {
    seq: Vec<i64>,
    epoch: Vec<i64>,
    recorded_at: Vec<i64>,
    key: Vec<Option<Digest>>,
    hash: Vec<&'a [u8]>,
    bytes: Vec<&'a [u8]>,
    trace: Vec<Option<&'a str>>,
}

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
    /// `before` has the version of every account that was there, `head` is where the clock was.
    pub(super) fn of(decision: &'a Decision, before: &HashMap<AccountId, u64>, head: Cut) -> Self {
        let now = &decision.state.head;
        let mut rows = Self {
            journal: Journal::default(),
            entries: Entries::default(),
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
            },
            updates: 0,
        };
        rows.add_records(decision);
        rows.add_entries(decision);
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

    fn add_records(&mut self, decision: &'a Decision) {
        for stored in &decision.records {
            let record = &stored.record;
            self.journal.seq.push(integer(record.seq));
            self.journal.epoch.push(integer(record.epoch));
            self.journal.recorded_at.push(record.recorded_at.as_micros());
            self.journal.key.push(record.key.as_ref().map(|key| Digest(key.digest())));
            self.journal.hash.push(&stored.hash.0);
            self.journal.bytes.push(&stored.bytes);
            self.journal.trace.push(stored.trace.as_deref());
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
                Event::WalletOpened(_) | Event::EpochRaised { .. } => {}
            }
        }
    }

    fn add_entries(&mut self, decision: &Decision) {
        let to = &mut self.entries;
        for entry in &decision.entries {
            to.account.push(integer(entry.number));
            to.run.push(entry.run.into());
            to.effective_at.push(entry.effective_at.as_micros());
            to.seq.push(integer(entry.seq));
            to.version.push(integer(entry.version));
            to.amount.push(Money(entry.amount));
            to.balance_after.push(Money(entry.balance_after));
            to.run_after.push(Money(entry.run_after));
        }
    }

    /// The statements, in the order in which they are sent.
    pub(super) fn calls(&self) -> Vec<Call<'_>> {
        let mut calls = Vec::with_capacity(9);
        let j = &self.journal;
        if !j.seq.is_empty() {
            let all: [Parameter<'_>; 7] = [&j.seq, &j.epoch, &j.recorded_at, &j.key, &j.hash, &j.bytes, &j.trace];
            calls.push(Call::new(Ask::AddRecords, all));
        }
        let e = &self.entries;
        if !e.seq.is_empty() {
            let all: [Parameter<'_>; 8] =
                [&e.account, &e.run, &e.effective_at, &e.seq, &e.version, &e.amount, &e.balance_after, &e.run_after];
            calls.push(Call::new(Ask::AddEntries, all));
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
        let s = &self.set;
        if !s.is_empty() {
            let all: [Parameter<'b>; 7] = [&s.id, &s.before, &s.balance, &s.version, &s.seq, &s.runs, &self.updates];
            calls.push(Call::new(Ask::SetAccounts, all));
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
    format!("{} {}", key.scope, key.key)
}
