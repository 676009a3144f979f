//! Rules that random requests would meet too seldom, one by one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod common;

use std::sync::Arc;

use common::{NOW, at, block_on, command, journal, key, moved, open, request, wallet};
use wallet_core::{
    account::{Account, Status},
    command::{Action, Command, Mode, OwnKey, Reverse, SetLimit, SetStatus, StatusChange},
    cut::{Cut, Hash},
    ids::TransactionId,
    journal::{Event, Record, Stored},
    ledger::{ClockSkew, MAX_SKEW, State, apply},
    model::{ManualClock, MemoryLedger},
    outcome::{Answer, Outcome},
    ports::{LedgerStore, StoreError},
    time::SECOND,
};

/// A ledger with wallets `a` and `b` (EUR, no overdraft), and its clock.
fn ledger() -> (MemoryLedger, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let ledger = MemoryLedger::with_clock("test", clock.clone());
    let opens = ["a", "b"].map(|id| command(&format!("open-{id}"), open(id, "EUR", "0")));
    assert_eq!(run(&ledger, Mode::Atomic, opens.to_vec()), ["ok", "ok"]);
    (ledger, clock)
}

fn word(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused(refusal) => refusal.code(),
        Outcome::Conflict(conflict) => &conflict.field,
        other => other.as_str(),
    }
}

fn run(ledger: &MemoryLedger, mode: Mode, commands: Vec<Command>) -> Vec<String> {
    let answers = block_on(ledger.commit(&[request(mode, None, commands)])).unwrap();
    let Answer::Outcomes { outcomes, .. } = &answers[0] else { panic!("{answers:?}") };
    outcomes.iter().map(|outcome| word(outcome).to_owned()).collect()
}

fn one(ledger: &MemoryLedger, name: &str, action: Action) -> String {
    run(ledger, Mode::Continue, vec![command(name, action)]).remove(0)
}

fn account(ledger: &MemoryLedger, id: &str) -> Account {
    block_on(ledger.account(&wallet(id))).unwrap().unwrap()
}

fn reverse(seq: u64, allow_negative: bool) -> Action {
    let transaction = TransactionId { epoch: 1, seq };
    Action::Reverse(Reverse { transaction, effective_at: None, allow_negative, memo: "undo".parse().unwrap() })
}

/// 27 digits at scale 2.
const MOST: &str = "9999999999999999999999999.99";

#[test]
fn a_balance_beyond_27_digits_is_refused() {
    let (ledger, _) = ledger();
    assert_eq!(one(&ledger, "1", moved(None, Some("a"), MOST, "EUR", None)), "ok");
    assert_eq!(one(&ledger, "2", moved(None, Some("a"), "0.01", "EUR", None)), "balance_range");
    assert_eq!(account(&ledger, "a").balance.to_string(), MOST);
}

#[test]
fn a_run_whose_sum_leaves_the_range_is_refused_and_harms_nobody_else() {
    let (ledger, _) = ledger();
    let (early, late) = (Some(NOW - 50 * SECOND), Some(NOW - 10 * SECOND));
    assert_eq!(one(&ledger, "1", moved(None, Some("a"), MOST, "EUR", late)), "ok");
    assert_eq!(one(&ledger, "2", moved(Some("a"), None, MOST, "EUR", early)), "ok");
    let both = vec![
        command("3", moved(None, Some("a"), "1", "EUR", late)),
        command("4", moved(None, Some("b"), "1", "EUR", None)),
    ];
    assert_eq!(run(&ledger, Mode::Continue, both), ["balance_range", "ok"]);
}

#[test]
fn a_move_without_any_wallet_is_refused_and_harms_nobody_else() {
    let (ledger, _) = ledger();
    let both =
        vec![command("1", moved(None, None, "1", "EUR", None)), command("2", moved(None, Some("b"), "1", "EUR", None))];
    assert_eq!(run(&ledger, Mode::Continue, both), ["same_wallet", "ok"]);
}

#[test]
fn an_account_below_its_floor_accepts_only_credits() {
    let (ledger, _) = ledger();
    assert_eq!(one(&ledger, "1", moved(None, Some("a"), "10", "EUR", None)), "ok");
    assert_eq!(one(&ledger, "2", moved(Some("a"), Some("b"), "8", "EUR", None)), "ok");
    assert_eq!(one(&ledger, "3", reverse(3, false)), "insufficient_funds");
    assert_eq!(one(&ledger, "4", reverse(3, true)), "ok");
    assert_eq!(account(&ledger, "a").balance.to_string(), "-8.00");
    assert_eq!(one(&ledger, "5", moved(Some("a"), None, "0.01", "EUR", None)), "insufficient_funds");
    assert_eq!(one(&ledger, "6", moved(None, Some("a"), "1", "EUR", None)), "ok");
    assert_eq!(one(&ledger, "7", moved(Some("a"), Some("b"), "1", "EUR", None)), "insufficient_funds");
    let zero = SetLimit { wallet: wallet("a"), overdraft: "6.99".parse().unwrap(), reason: "x".parse().unwrap() };
    assert_eq!(one(&ledger, "8", Action::SetLimit(zero)), "limit_broken");
}

#[test]
fn a_reversal_happens_once_and_is_never_reversed() {
    let (ledger, _) = ledger();
    assert_eq!(one(&ledger, "1", moved(None, Some("a"), "10", "EUR", None)), "ok");
    let race = vec![command("x", reverse(3, false)), command("y", reverse(3, false)), command("z", reverse(4, false))];
    assert_eq!(run(&ledger, Mode::Continue, race), ["ok", "already_reversed", "not_reversible"]);
    assert_eq!(one(&ledger, "x", reverse(3, false)), "replayed");
    assert_eq!(one(&ledger, "x", reverse(3, true)), "allow_negative");
}

#[test]
fn members_of_a_group_share_one_default_time_and_a_failed_group_leaves_no_trace() {
    let (ledger, _) = ledger();
    let good = ["1", "2"].map(|name| command(name, moved(None, Some("a"), "1", "EUR", None)));
    assert_eq!(run(&ledger, Mode::Atomic, good.to_vec()), ["ok", "ok"]);
    let times: Vec<_> = journal(&ledger)
        .iter()
        .skip(2)
        .map(|s| (s.record.recorded_at, s.record.transaction().unwrap().effective_at))
        .collect();
    assert!(times[0].0 < times[1].0 && times[0].1 == times[1].1, "{times:?}");
    let (head, before) = (block_on(ledger.head()).unwrap(), account(&ledger, "a"));
    let bad = vec![
        command("3", moved(None, Some("a"), "1", "EUR", None)),
        command("4", open("c", "EUR", "0")),
        command("5", reverse(3, false)),
        command("6", moved(Some("b"), None, "1", "EUR", None)),
        command("7", moved(None, Some("a"), "1", "EUR", None)),
    ];
    let none = "not_attempted";
    assert_eq!(run(&ledger, Mode::Atomic, bad.clone()), [none, none, none, "insufficient_funds", none]);
    assert_eq!((block_on(ledger.head()).unwrap(), account(&ledger, "a")), (head, before));
    assert_eq!(block_on(ledger.account(&wallet("c"))).unwrap(), None);
    assert_eq!(run(&ledger, Mode::Continue, bad), ["ok", "ok", "ok", "insufficient_funds", "ok"]);
}

#[test]
fn a_clock_far_behind_the_last_record_stops_writes() {
    let (ledger, clock) = ledger();
    let last = block_on(ledger.head()).unwrap().recorded_at;
    clock.set(last.plus_micros(-MAX_SKEW));
    assert_eq!(one(&ledger, "1", moved(None, Some("a"), "1", "EUR", None)), "ok");
    let head = block_on(ledger.head()).unwrap();
    assert_eq!(head.recorded_at, last.plus_micros(1));
    clock.set(last.plus_micros(-MAX_SKEW));
    let late = request(Mode::Continue, None, vec![command("2", moved(None, Some("a"), "1", "EUR", None))]);
    let refused = block_on(ledger.commit(std::slice::from_ref(&late))).unwrap_err();
    assert!(matches!(refused, StoreError::ClockSkew(ClockSkew::Behind { .. })), "{refused}");
    assert_eq!(block_on(ledger.head()).unwrap(), head);
}

#[test]
fn a_requests_own_key_keeps_refusals_that_would_pass_now() {
    let (ledger, _) = ledger();
    let own = OwnKey { key: key("batch"), content: Hash([7; 32]), behind: None };
    let pay = request(Mode::Stop, Some(own), vec![command("1", moved(Some("a"), None, "1", "EUR", None))]);
    let first = block_on(ledger.commit(std::slice::from_ref(&pay))).unwrap();
    assert_eq!(one(&ledger, "2", moved(None, Some("a"), "5", "EUR", None)), "ok");
    let again = block_on(ledger.commit(std::slice::from_ref(&pay))).unwrap();
    let ([Answer::Outcomes { outcomes, replayed: false }], [Answer::Outcomes { outcomes: kept, replayed: true }]) =
        (&first[..], &again[..])
    else {
        panic!("{first:?} {again:?}")
    };
    assert_eq!(outcomes, kept);
    let mut other = pay;
    other.own_key = Some(OwnKey { key: key("batch"), content: Hash([8; 32]), behind: None });
    assert_eq!(block_on(ledger.commit(&[other])).unwrap(), [Answer::OwnKeyConflict]);
}

#[test]
fn a_closed_wallet_stays_closed() {
    let (ledger, _) = ledger();
    let step = |change| Action::SetStatus(SetStatus { wallet: wallet("a"), change, reason: "asked".parse().unwrap() });
    assert_eq!(one(&ledger, "1", moved(None, Some("a"), "1", "EUR", None)), "ok");
    assert_eq!(one(&ledger, "2", step(StatusChange::Close)), "wallet_not_empty");
    assert_eq!(one(&ledger, "3", step(StatusChange::Freeze)), "ok");
    assert_eq!(one(&ledger, "4", moved(Some("a"), None, "1", "EUR", None)), "wallet_frozen");
    assert_eq!(one(&ledger, "5", reverse(3, true)), "wallet_frozen");
    assert_eq!(one(&ledger, "6", step(StatusChange::Unfreeze)), "ok");
    assert_eq!(one(&ledger, "7", moved(Some("a"), None, "1", "EUR", None)), "ok");
    assert_eq!(one(&ledger, "8", step(StatusChange::Close)), "ok");
    assert_eq!(one(&ledger, "9", step(StatusChange::Unfreeze)), "wallet_closed");
    assert_eq!(one(&ledger, "10", moved(None, Some("a"), "1", "EUR", None)), "wallet_closed");
    assert_eq!(account(&ledger, "a").status, Status::Closed);
}

/// A ledger with one deposit reversed, its state loaded whole, and a record to put behind it.
fn loaded() -> (State, Stored) {
    let (ledger, _) = ledger();
    assert_eq!(one(&ledger, "1", moved(None, Some("a"), "10", "EUR", None)), "ok");
    assert_eq!(one(&ledger, "2", moved(None, Some("a"), "10", "EUR", None)), "ok");
    assert_eq!(one(&ledger, "3", reverse(3, false)), "ok");
    let records = journal(&ledger);
    let genesis = Cut {
        epoch: 1,
        seq: 0,
        recorded_at: wallet_core::time::Timestamp::EPOCH,
        hash: wallet_core::journal::genesis("test"),
    };
    let mut state = State::at(genesis, wallet_core::asset::Assets::default());
    let (last, before) = records.split_last().unwrap();
    for stored in before {
        apply(&mut state, stored).unwrap();
    }
    (state, Stored::clone(last))
}

/// Seals a changed record where the untouched one would go and says why it cannot be applied.
fn broken_by(change: impl FnOnce(&mut Record)) -> String {
    let (mut state, stored) = loaded();
    let before = state.clone();
    let mut record = stored.record.clone();
    change(&mut record);
    let changed = Stored::seal(record, state.head.hash, None);
    let error = apply(&mut state, &changed).unwrap_err();
    assert_eq!((&state.head, &state.accounts, &state.reversals), (&before.head, &before.accounts, &before.reversals));
    apply(&mut state, &stored).expect("the true record still follows");
    error.to_string()
}

fn transaction(record: &mut Record) -> &mut wallet_core::journal::Transaction {
    match &mut record.event {
        Event::Transaction(t) => t,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_that_does_not_follow_is_named_and_changes_nothing() {
    assert_eq!(broken_by(|r| r.seq += 1), "record 6: its number does not follow");
    assert!(broken_by(|r| r.recorded_at = at(NOW - 9)).contains("recorded before"));
    assert!(broken_by(|r| r.epoch = 2).contains("epoch"));
    assert!(broken_by(|r| transaction(r).debit.version += 1).contains("version"));
    assert!(broken_by(|r| transaction(r).credit.balance_after = "1.00".parse().unwrap()).contains("balance"));
    assert!(broken_by(|r| transaction(r).credit.amount = "11.00".parse().unwrap()).contains("cancel out"));
    assert!(broken_by(|r| transaction(r).debit.account = "ghost".parse().unwrap()).contains("does not exist"));
    assert!(broken_by(|r| transaction(r).asset = "CHF".parse().unwrap()).contains("another asset"));
    let reason = wallet_core::text::Reason::default;
    let froze =
        |previous| Event::StatusChanged { wallet: wallet("a"), status: Status::Frozen, previous, reason: reason() };
    assert!(broken_by(|r| r.event = froze(Status::Closed)).contains("status"));
    let floor = wallet_core::account::Floor::None;
    let limit = Event::LimitChanged { wallet: wallet("a"), floor, previous: floor, reason: reason() };
    assert!(broken_by(|r| r.event = limit).contains("limit"));
    let known = wallet_core::asset::Asset { code: "EUR".parse().unwrap(), scale: 3 };
    assert!(broken_by(|r| r.event = Event::AssetRegistered(known)).contains("known"));
}

#[test]
fn a_second_reversal_in_a_journal_is_damage_and_the_first_stays() {
    let (mut state, stored) = loaded();
    apply(&mut state, &stored).unwrap();
    let by = state.reversals.clone();
    let mut record = stored.record.clone();
    (record.seq, record.recorded_at) = (record.seq + 1, record.recorded_at.plus_micros(1));
    let again = Stored::seal(record, state.head.hash, None);
    assert!(apply(&mut state, &again).unwrap_err().to_string().contains("reversed before"));
    assert_eq!(state.reversals, by);
}

#[test]
fn what_a_failed_group_did_is_free_for_the_next_request_of_the_same_commit() {
    let (ledger, _) = ledger();
    assert_eq!(one(&ledger, "1", moved(None, Some("a"), "10", "EUR", None)), "ok");
    let register = |scale| {
        let asset = wallet_core::asset::Asset { code: "XTOY".parse().unwrap(), scale };
        Action::RegisterAsset(asset)
    };
    let all = vec![command("2", reverse(3, false)), command("3", register(4)), command("4", open("c", "EUR", "0"))];
    let mut failing = all.clone();
    failing.push(command("5", moved(Some("b"), None, "1", "EUR", None)));
    let other = vec![command("6", reverse(3, false)), command("3", register(5)), command("4", open("c", "EUR", "9"))];
    let requests = [request(Mode::Atomic, None, failing), request(Mode::Continue, None, other)];
    let answers = block_on(ledger.commit(&requests)).unwrap();
    let Answer::Outcomes { outcomes, .. } = &answers[1] else { panic!("{answers:?}") };
    assert_eq!(outcomes.iter().map(word).collect::<Vec<_>>(), ["ok", "ok", "ok"]);
    assert_eq!(block_on(ledger.assets()).unwrap().registered().next().unwrap().scale, 5);
    assert_eq!(block_on(ledger.reversal_of(TransactionId { epoch: 1, seq: 3 })).unwrap().unwrap().seq, 4);
}
