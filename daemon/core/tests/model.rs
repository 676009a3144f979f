//! The ledger against the model: random requests, one answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod common;

use std::sync::Arc;

use common::{NOW, at, block_on, by_runs, command, journal, key, open, request, wallet};
use proptest::{prelude::*, sample::select};
use wallet_core::{
    asset::Asset,
    command::{Action, Command, Mode, Move, OpenWallet, OwnKey, Request, Reverse, SetLimit, SetStatus, StatusChange},
    cut::Hash,
    ids::{AccountId, TransactionId, WalletId},
    journal::{Access, AccessKind},
    ledger::Auditor,
    model::{Judged, ManualClock, MemoryLedger, Model},
    outcome::Answer,
    ports::LedgerStore,
    text::Metadata,
    time::{SECOND, Timestamp},
};

/// A command to draw: new, one from before again, or one from before with something changed.
#[derive(Clone, Debug)]
enum Draw {
    Fresh(u16, Action),
    Again(usize),
    Changed(usize, u8),
}

#[derive(Clone, Debug)]
struct Batch {
    mode: Mode,
    own: Option<(u8, u8)>,
    /// The own key it follows.
    behind: Option<u8>,
    /// Bound to the wallets of this owner.
    only: Option<&'static str>,
    draws: Vec<Draw>,
}

fn some_wallet() -> impl Strategy<Value = WalletId> {
    select(vec!["w0", "w0", "w0", "w1", "w1", "w1", "w2", "w2", "w2", "w2", "w3", "w4", "w5", "ghost"]).prop_map(wallet)
}

fn some_asset() -> impl Strategy<Value = &'static str> {
    select([vec!["EUR"; 14], vec!["JPY", "BTC", "XTOY"]].concat())
}

fn some_time() -> impl Strategy<Value = Option<Timestamp>> {
    let past = (-110_i64..=2).prop_map(|seconds| Some(at(NOW + seconds * SECOND)));
    prop_oneof![6 => Just(None), 5 => past, 1 => Just(Some(at(NOW + 3_600 * SECOND)))]
}

fn some_amount() -> impl Strategy<Value = &'static str> {
    let fine = vec!["1", "2.5", "2.50", "3.0", "10", "10", "10.00", "25", "40", "100", "250", "1000", "0.01"];
    select([fine, vec!["0", "1.005", "99999999999999999999999999"]].concat())
}

fn some_limit() -> impl Strategy<Value = &'static str> {
    select(vec!["0", "0.00", "5", "50", "500", "unlimited", "0.001"])
}

fn movement() -> impl Strategy<Value = Action> {
    let ends = prop_oneof![
        3 => some_wallet().prop_map(|to| (None, Some(to))),
        2 => some_wallet().prop_map(|from| (Some(from), None)),
        5 => (some_wallet(), some_wallet()).prop_map(|(from, to)| (Some(from), Some(to))),
    ];
    let meta = select(vec![None, None, Some(("invoice", "7"))]);
    (ends, some_amount(), some_asset(), some_time(), select(vec!["", "", "rent"]), meta).prop_map(
        |((from, to), amount, asset, effective_at, memo, meta)| {
            Action::Move(Move {
                from,
                to,
                amount: amount.parse().unwrap(),
                asset: asset.parse().unwrap(),
                effective_at,
                memo: memo.parse().unwrap(),
                meta: Metadata::new(meta).unwrap(),
            })
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let reverse = (3_u64..24, some_time(), any::<bool>(), 0..12_u8).prop_map(|(seq, effective_at, negative, epoch)| {
        let transaction = TransactionId { epoch: if epoch == 0 { 2 } else { 1 }, seq };
        let memo = "undo".parse().unwrap();
        Action::Reverse(Reverse { transaction, effective_at, allow_negative: negative, memo })
    });
    let open =
        (some_wallet(), some_asset(), some_limit(), some_time()).prop_map(|(id, asset, overdraft, opened_at)| {
            Action::OpenWallet(OpenWallet {
                id,
                owner: "ada".parse().unwrap(),
                asset: asset.parse().unwrap(),
                overdraft: overdraft.parse().unwrap(),
                opened_at,
                label: "savings".parse().unwrap(),
                meta: Metadata::default(),
            })
        });
    let steps = vec![StatusChange::Freeze, StatusChange::Unfreeze, StatusChange::Unfreeze, StatusChange::Close];
    let status = (some_wallet(), select(steps))
        .prop_map(|(wallet, change)| Action::SetStatus(SetStatus { wallet, change, reason: "asked".parse().unwrap() }));
    let limit = (some_wallet(), some_limit()).prop_map(|(wallet, overdraft)| {
        let (overdraft, reason) = (overdraft.parse().unwrap(), "asked".parse().unwrap());
        Action::SetLimit(SetLimit { wallet, overdraft, reason })
    });
    let asset = (some_asset(), select(vec![0, 2, 8, 19]))
        .prop_map(|(code, scale)| Action::RegisterAsset(Asset { code: code.parse().unwrap(), scale }));
    let access =
        (select(AccessKind::ALL.to_vec()), 1_u64..3, select(vec![None, Some("203.0.113.0/24"), Some("other")]))
            .prop_map(|(kind, count, network)| {
                let network = network.map(|network| network.parse().unwrap());
                let (first_at, last_at) = (at(NOW - 9), at(NOW - 7));
                let reason = "token_expired".parse().unwrap();
                Action::NoteAccess(Access { kind, reason, network, count, first_at, last_at })
            });
    prop_oneof![24 => movement(), 6 => reverse, 2 => open, 2 => status, 2 => limit, 1 => asset, 1 => access]
}

fn batch() -> impl Strategy<Value = Batch> {
    let draw = prop_oneof![
        8 => (0_u16..400, action()).prop_map(|(key, action)| Draw::Fresh(key, action)),
        2 => any::<usize>().prop_map(Draw::Again),
        1 => (any::<usize>(), any::<u8>()).prop_map(|(index, field)| Draw::Changed(index, field)),
    ];
    let mode = select([vec![Mode::Continue; 5], vec![Mode::Stop; 2], vec![Mode::Atomic; 3]].concat());
    let own = prop::option::weighted(0.3, (0_u8..4, 0_u8..5).prop_map(|(key, content)| (key, content / 4)));
    let behind = prop::option::weighted(0.3, 0_u8..4);
    let only = select([vec![None; 5], vec![Some("ada"), Some("eve")]].concat());
    (mode, own, behind, only, prop::collection::vec(draw, 0..6)).prop_map(|(mode, own, behind, only, draws)| Batch {
        mode,
        own,
        behind,
        only,
        draws,
    })
}

/// Commits, each with the seconds that pass before it.
fn history() -> impl Strategy<Value = Vec<(i64, Vec<Batch>)>> {
    prop::collection::vec((0_i64..3, prop::collection::vec(batch(), 1..4)), 1..16)
}

/// One field of an action, made another.
fn change(action: &mut Action, field: u8) {
    let other = "another".parse().unwrap();
    match action {
        Action::Move(moved) => match field % 7 {
            0 => moved.amount = "7.77".parse().unwrap(),
            1 => moved.memo = other,
            2 => moved.to = Some(wallet("w9")),
            3 => moved.from = Some(wallet("w9")),
            4 => moved.effective_at = Some(at(NOW - 7)),
            5 => moved.asset = "CHF".parse().unwrap(),
            _ => moved.meta = Metadata::new([("other", "1")]).unwrap(),
        },
        Action::Reverse(reverse) => match field % 4 {
            0 => reverse.allow_negative = !reverse.allow_negative,
            1 => reverse.memo = other,
            2 => reverse.transaction.seq += 1,
            _ => reverse.effective_at = Some(at(NOW - 7)),
        },
        Action::OpenWallet(open) => match field % 5 {
            0 => open.owner = "eve".parse().unwrap(),
            1 => open.overdraft = "12.34".parse().unwrap(),
            2 => open.opened_at = Some(at(NOW - 7)),
            3 => open.meta = Metadata::new([("other", "1")]).unwrap(),
            _ => open.id = wallet("w9"),
        },
        Action::SetStatus(set) if field > 127 => set.reason = other,
        Action::SetStatus(set) => set.change = StatusChange::Freeze,
        Action::SetLimit(set) if field > 127 => set.reason = other,
        Action::SetLimit(set) => set.overdraft = "12.34".parse().unwrap(),
        Action::RegisterAsset(asset) => asset.scale += 1,
        Action::NoteAccess(access) => match field % 6 {
            0 => access.kind = AccessKind::Forbidden,
            1 => access.reason = other,
            2 => access.network = Some("2001:db8::/64".parse().unwrap()),
            3 => access.count += 1,
            4 => access.first_at = at(NOW - 11),
            _ => access.last_at = at(NOW - 6),
        },
    }
}

fn realize(batch: &Batch, issued: &mut Vec<Command>) -> Request {
    let commands = batch.draws.iter().map(|draw| {
        let command = match draw {
            Draw::Fresh(name, action) => command(&format!("k{name}"), action.clone()),
            Draw::Again(index) => issued[index % issued.len()].clone(),
            Draw::Changed(index, field) => {
                let mut command = issued[index % issued.len()].clone();
                change(&mut command.action, *field);
                command
            }
        };
        issued.push(command.clone());
        command
    });
    let commands = commands.collect();
    let own_key = |name| key(&format!("b{name}"));
    let own = batch.own.map(|(name, content)| OwnKey {
        key: own_key(name),
        content: Hash([content; 32]),
        behind: batch.behind.map(own_key),
    });
    Request { only: batch.only.map(|owner| owner.parse().unwrap()), ..request(batch.mode, own, commands) }
}

/// Four wallets, so that not all is refused.
fn set_up() -> Request {
    let opens = [("w0", "EUR", "0"), ("w1", "EUR", "50"), ("w2", "EUR", "unlimited"), ("w3", "JPY", "0")];
    let mut commands = opens.map(|(id, asset, limit)| command(&format!("open-{id}"), open(id, asset, limit)));
    if let Action::OpenWallet(open) = &mut commands[2].action {
        open.owner = "eve".parse().unwrap();
    }
    request(Mode::Atomic, None, commands.to_vec())
}

fn compare(ledger: &MemoryLedger, model: &Model, questions: &[(i64, u64)]) {
    for name in ["w0", "w1", "w2", "w3", "w4", "w5", "w9", "ghost"] {
        let id = wallet(name);
        let account = block_on(ledger.account(&id)).unwrap();
        let seen = account.as_ref().map(|a| (a.status.as_str(), a.balance.units()));
        assert_eq!(seen, model.wallet(&id), "{name}");
        let Some(account) = account else { continue };
        for (seconds, known) in questions {
            let (time, known) = (at(NOW + seconds * SECOND), (*known).min(model.records()));
            let said = block_on(ledger.balances_at(&account, &[time], known)).unwrap()[0].units();
            assert_eq!(Some(said), model.balance_at(&id, time, known), "{name} at {time} known {known}");
            assert_eq!(said, by_runs(ledger, &account, time, known), "{name} by runs at {time} known {known}");
        }
    }
    let outside: Vec<_> = block_on(ledger.externals()).unwrap().iter().map(|a| (a.asset, a.balance.units())).collect();
    let used: Vec<_> = model.outside().into_iter().collect();
    assert_eq!(outside, used);
    for seq in 1..=model.records() {
        let by = block_on(ledger.reversal_of(TransactionId { epoch: 1, seq })).unwrap().map(|id| id.seq);
        assert_eq!(by, model.undone_by(seq), "reversal of {seq}");
    }
}

fn audit(ledger: &MemoryLedger) {
    let records = journal(ledger);
    let mut auditor = Auditor::new(ledger.id());
    for stored in &records {
        auditor.check(stored).unwrap();
    }
    assert_eq!(auditor.unbalanced(), None);
    assert_eq!(auditor.head(), block_on(ledger.head()).unwrap());
    for account in block_on(ledger.accounts(None, usize::MAX)).unwrap() {
        assert_eq!(auditor.accounts().get(&account.id), Some(&account));
    }
    let copy = MemoryLedger::new(ledger.id());
    for part in records.chunks(7) {
        block_on(copy.append(part)).unwrap();
    }
    assert_eq!(block_on(copy.accounts(None, 99)).unwrap(), block_on(ledger.accounts(None, 99)).unwrap());
    assert_eq!(block_on(copy.externals()).unwrap(), block_on(ledger.externals()).unwrap());
    assert!(auditor.accounts().keys().all(|id| matches!(id, AccountId::External(_) | AccountId::Wallet(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_answers_what_the_model_expects(
        history in history(), questions in prop::collection::vec((-115_i64..5, 0_u64..60), 6)
    ) {
        let clock = Arc::new(ManualClock::default());
        let ledger = MemoryLedger::with_clock("test", clock.clone());
        let mut model = Model::default();
        let mut now = NOW;
        let first = set_up();
        let mut issued = first.commands.clone();
        model.judge(&first, at(now));
        block_on(ledger.commit(&[first])).unwrap();
        for (seconds, batches) in &history {
            clock.advance(seconds * SECOND);
            now += seconds * SECOND;
            let requests: Vec<_> = batches.iter().map(|batch| realize(batch, &mut issued)).collect();
            let before = block_on(ledger.head()).unwrap();
            let preview = block_on(ledger.preview(&requests)).unwrap();
            prop_assert_eq!(before, block_on(ledger.head()).unwrap());
            let answers = block_on(ledger.commit(&requests)).unwrap();
            prop_assert_eq!(&preview, &answers);
            for (request, answer) in requests.iter().zip(&answers) {
                let expected = model.judge(request, at(now));
                match (&expected, answer) {
                    (Judged::OtherContent, Answer::OwnKeyConflict) | (Judged::OutOfTurn, Answer::OutOfTurn) => {}
                    (Judged::Rows(expected), Answer::Outcomes { outcomes, .. }) => {
                        prop_assert_eq!(expected.len(), outcomes.len());
                        for (expected, outcome) in expected.iter().zip(outcomes) {
                            prop_assert!(expected.allows(outcome), "{:?}: {:?} but {:?}", request, expected, outcome);
                        }
                    }
                    _ => prop_assert!(false, "{:?}: {:?} but {:?}", request, expected, answer),
                }
            }
            prop_assert_eq!(block_on(ledger.head()).unwrap().seq, model.records());
        }
        compare(&ledger, &model, &questions);
        audit(&ledger);
    }
}
