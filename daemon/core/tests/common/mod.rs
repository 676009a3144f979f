//! What the tests of this folder share.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use wallet_core::{
    account::Account,
    command::{Action, Command, Mode, Move, OpenWallet, OwnKey, Request},
    ids::WalletId,
    key::ScopedKey,
    ports::{Axis, EntryQuery, LedgerStore},
    runs::OVERFLOW,
    text::{Memo, Metadata},
    time::{SECOND, Timestamp},
};

/// 2026-06-01T00:00:00Z, where [`wallet_core::model::ManualClock`] stands.
pub(crate) const NOW: i64 = 1_780_272_000 * SECOND;

/// Runs a future that never has to wait for anything outside.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
        std::thread::yield_now();
    }
}

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

pub(crate) fn key(text: &str) -> ScopedKey {
    ScopedKey::shared(text.parse().unwrap())
}

pub(crate) fn wallet(text: &str) -> WalletId {
    text.parse().unwrap()
}

pub(crate) fn command(name: &str, action: Action) -> Command {
    Command { key: key(name), action }
}

pub(crate) fn open(id: &str, asset: &str, overdraft: &str) -> Action {
    Action::OpenWallet(OpenWallet {
        id: wallet(id),
        owner: "ada".parse().unwrap(),
        asset: asset.parse().unwrap(),
        overdraft: overdraft.parse().unwrap(),
        opened_at: Some(at(NOW - 100 * SECOND)),
        label: wallet_core::text::Label::default(),
        meta: Metadata::default(),
    })
}

pub(crate) fn moved(from: Option<&str>, to: Option<&str>, amount: &str, asset: &str, effective: Option<i64>) -> Action {
    Action::Move(Move {
        from: from.map(wallet),
        to: to.map(wallet),
        amount: amount.parse().unwrap(),
        asset: asset.parse().unwrap(),
        effective_at: effective.map(at),
        memo: Memo::default(),
        meta: Metadata::default(),
    })
}

pub(crate) fn request(mode: Mode, own_key: Option<OwnKey>, commands: Vec<Command>) -> Request {
    let actor = "uid:1000".parse().unwrap();
    Request { actor, only: None, id: None, trace: None, mode, commands, own_key }
}

/// The balance at (T, K) as an engine finds it: two look-ups a run, the overflow summed.
pub(crate) fn by_runs(ledger: &dyn LedgerStore, account: &Account, at: Timestamp, known: u64) -> i128 {
    let query = EntryQuery {
        wallet: account.id.wallet().unwrap().clone(),
        axis: Axis::Recorded,
        descending: false,
        from: None,
        to: None,
        known: u64::MAX,
        after: None,
        limit: usize::MAX,
    };
    let entries: Vec<_> = block_on(ledger.entries(&query)).unwrap().items.into_iter().map(|p| p.entry).collect();
    let overflow = entries.iter().filter(|e| e.run == OVERFLOW && e.seq <= known && e.effective_at <= at);
    let mut sum: i128 = overflow.map(|e| e.amount.units()).sum();
    for run in 0..account.runs.tails.len() {
        let run: Vec<_> = entries.iter().filter(|e| usize::from(e.run) == run).collect();
        let by_time = run.partition_point(|e| e.effective_at <= at);
        let by_seq = run.partition_point(|e| e.seq <= known);
        sum += by_time.min(by_seq).checked_sub(1).map_or(0, |last| run[last].run_after.units());
    }
    sum
}

/// The whole journal.
pub(crate) fn journal(ledger: &dyn LedgerStore) -> Vec<Arc<wallet_core::journal::Stored>> {
    block_on(ledger.records(0, usize::MAX)).unwrap()
}
