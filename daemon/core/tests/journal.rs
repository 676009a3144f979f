//! The journal's bytes and hashes: canonical, readable back, never changed unnoticed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod common;

use std::sync::Arc;

use common::{NOW, at, block_on, command, journal, moved, open, request, wallet};
use proptest::{prelude::*, sample::select};
use sha2::{Digest as _, Sha256};
use wallet_core::{
    account::{Floor, Status},
    asset::Asset,
    command::{Action, Command, Mode, Reverse, SetLimit, SetStatus, StatusChange},
    cut::Hash,
    ids::{AccountId, TransactionId},
    journal::{
        Access, AccessKind, Event, GroupPart, Leg, Network, Record, Reverses, Stored, Transaction, TransactionKind,
        WalletOpened, chain, genesis,
    },
    key::{KeyScope, ScopedKey},
    ledger::Auditor,
    model::{ManualClock, MemoryLedger},
    money::Balance,
    ports::LedgerStore,
    text::{MAX_METADATA_BYTES, Metadata, Text, is_control},
    time::{SECOND, Timestamp},
};

/// Text as people write it: every script, quotes, backslashes, beyond the basic plane; no controls.
fn words<const MAX: usize>() -> impl Strategy<Value = Text<MAX>> {
    let letter = prop_oneof![
        4 => any::<char>(),
        2 => proptest::char::range(' ', '~'),
        1 => select(vec!['"', '\\', '/', '<', '\u{7ff}', '\u{e000}', '\u{ffff}', '\u{1f4b6}', '\u{10ffff}', 'é']),
    ];
    prop::collection::vec(letter, 0..40).prop_map(|letters| {
        let mut text: String = letters.into_iter().filter(|c| !is_control(*c)).collect();
        while text.len() > MAX {
            text.pop();
        }
        text.parse().unwrap()
    })
}

fn facts() -> impl Strategy<Value = Metadata> {
    prop::collection::btree_map("[A-Za-z0-9._-]{1,8}", words::<100>(), 0..5).prop_map(|map| {
        let metadata = Metadata::new(map.iter().map(|(name, value)| (name, value.as_str()))).unwrap();
        assert!(metadata.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= MAX_METADATA_BYTES);
        metadata
    })
}

fn time() -> impl Strategy<Value = Timestamp> {
    let (first, last) = (Timestamp::MIN.as_micros(), Timestamp::MAX.as_micros());
    prop_oneof![8 => (first..=last).prop_map(at), 1 => select(vec![Timestamp::MIN, Timestamp::MAX, Timestamp::EPOCH])]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![1_u64..100, 1_u64..(1 << 53)]
}

fn balance(scale: u32) -> impl Strategy<Value = Balance> {
    let most = 10_i128.pow(27);
    prop_oneof![-1_000_i128..1_000, (1 - most)..most].prop_map(move |units| Balance::from_units(units, scale).unwrap())
}

fn floor(scale: u32) -> impl Strategy<Value = Floor> {
    let at = balance(scale).prop_map(|b| Floor::At(if b.is_negative() { b } else { b.negated() }));
    prop_oneof![3 => at, 1 => Just(Floor::None)]
}

fn account() -> impl Strategy<Value = AccountId> {
    let outside = "[A-Z][A-Z0-9]{1,11}".prop_map(|code| AccountId::External(code.parse().unwrap()));
    prop_oneof!["[A-Za-z0-9][A-Za-z0-9._-]{0,63}".prop_map(|id| AccountId::Wallet(wallet(&id))), outside]
}

fn leg(scale: u32) -> impl Strategy<Value = Leg> {
    (account(), balance(scale), balance(scale), number()).prop_map(|(account, amount, balance_after, version)| Leg {
        account,
        amount,
        balance_after,
        version,
    })
}

fn transaction() -> impl Strategy<Value = Event> {
    (0_u32..=18).prop_flat_map(|scale| {
        let kinds = vec![
            TransactionKind::Deposit,
            TransactionKind::Withdrawal,
            TransactionKind::Transfer,
            TransactionKind::Reversal,
        ];
        let amount = balance(scale).prop_filter_map("above zero", Balance::magnitude);
        let undone = prop::option::of((number(), number(), any::<bool>()));
        let texts = (words::<500>(), facts());
        let head = (select(kinds), amount, "[A-Z][A-Z0-9]{1,11}", time(), any::<bool>());
        (head, texts, leg(scale), leg(scale), undone).prop_map(|(head, (memo, meta), debit, credit, undone)| {
            let (kind, amount, code, effective_at, effective_given) = head;
            let reverses = undone.map(|(epoch, seq, allow_negative)| Reverses {
                transaction: TransactionId { epoch, seq },
                allow_negative,
            });
            let asset = code.parse().unwrap();
            Event::Transaction(Transaction {
                kind,
                amount,
                asset,
                effective_at,
                effective_given,
                memo,
                meta,
                debit,
                credit,
                reverses,
            })
        })
    })
}

fn event() -> impl Strategy<Value = Event> {
    let opened = (0_u32..=18).prop_flat_map(|scale| {
        let names = ("[a-z0-9]{1,64}", "[A-Z][A-Z0-9]{1,11}");
        (names, floor(scale), time(), any::<bool>(), words::<200>(), facts()).prop_map(
            move |((id, code), floor, opened_at, opened_given, label, meta)| {
                let asset = Asset { code: code.parse().unwrap(), scale };
                let (id, owner) = (wallet(&id), "ada".parse().unwrap());
                Event::WalletOpened(WalletOpened { id, owner, asset, floor, opened_at, opened_given, label, meta })
            },
        )
    });
    let statuses = || select(vec![Status::Active, Status::Frozen, Status::Closed]);
    let status = (statuses(), statuses(), words::<500>()).prop_map(|(status, previous, reason)| Event::StatusChanged {
        wallet: wallet("w"),
        status,
        previous,
        reason,
    });
    let limit = (floor(2), floor(2), words::<500>()).prop_map(|(floor, previous, reason)| Event::LimitChanged {
        wallet: wallet("w"),
        floor,
        previous,
        reason,
    });
    let asset = ("[A-Z][A-Z0-9]{1,11}", 0_u32..=18)
        .prop_map(|(code, scale)| Event::AssetRegistered(Asset { code: code.parse().unwrap(), scale }));
    let epoch = words::<500>().prop_map(|reason| Event::EpochRaised { reason });
    prop_oneof![5 => transaction(), 2 => opened, 1 => status, 1 => limit, 1 => asset, 1 => access(), 1 => epoch]
}

fn access() -> impl Strategy<Value = Event> {
    let network = prop_oneof![
        any::<[u8; 4]>().prop_map(|bytes| Network::of(bytes.into())),
        any::<[u8; 16]>().prop_map(|bytes| Network::of(bytes.into())),
        any::<u32>().prop_map(Network::User),
        Just(Network::Other),
    ];
    let kind = select(AccessKind::ALL.to_vec());
    (kind, words::<500>(), prop::option::of(network), number(), time(), time()).prop_map(
        |(kind, reason, network, count, first_at, last_at)| {
            Event::Access(Access { kind, reason, network, count, first_at, last_at })
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    let scope = prop_oneof![
        Just(KeyScope::Shared),
        Just(KeyScope::System),
        words::<64>()
            .prop_filter("a subject has a name", |text| !text.is_empty())
            .prop_map(|subject| KeyScope::User(subject.as_str().into())),
    ];
    let key = (scope, "[!-~]{1,128}").prop_map(|(scope, key)| ScopedKey::new(scope, key.parse().unwrap()));
    let part = (0_u32..5_000, 0_u32..5_000).prop_map(|(index, size)| GroupPart { index, size });
    let beside = (prop::option::of(key), prop::option::of("[a-z0-9]{1,64}"), prop::option::of(part));
    ((number(), number(), time(), "[!-~]{1,200}"), beside, event()).prop_map(
        |((seq, epoch, recorded_at, actor), (key, request, group), event)| {
            let (actor, request) = (actor.parse().unwrap(), request.map(|id| id.parse().unwrap()));
            Record { seq, epoch, recorded_at, actor, key, request, group, event }
        },
    )
}

/// SHA-256 over the previous hash and the bytes, by the plain tools.
fn plain_hash(previous: &[u8], bytes: &[u8]) -> [u8; 32] {
    Sha256::digest([previous, bytes].concat()).into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn a_records_bytes_are_canonical_and_read_back(record in record(), previous in any::<[u8; 32]>()) {
        let bytes = record.to_bytes();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let canonical = serde_json_canonicalizer::to_vec(&value).unwrap();
        prop_assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&canonical));
        let read = Record::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &record);
        prop_assert_eq!(read.to_bytes(), bytes.clone());
        prop_assert_eq!(chain(Hash(previous), &bytes).0, plain_hash(&previous, &bytes));
        let sealed = Stored::seal(record, Hash(previous), None);
        prop_assert_eq!(&Stored::open(&sealed.bytes, sealed.hash, None).unwrap(), &sealed);
    }
}

/// One of everything, at fixed moments.
fn history() -> MemoryLedger {
    let clock = Arc::new(ManualClock::default());
    let ledger = MemoryLedger::with_clock("vectors", clock.clone());
    let reason = || "Prüfung \"7\" \\ \u{1f4b6}".parse().unwrap();
    let step = |change| Action::SetStatus(SetStatus { wallet: wallet("bob"), change, reason: reason() });
    let limit = |overdraft: &str| {
        Action::SetLimit(SetLimit { wallet: wallet("bob"), overdraft: overdraft.parse().unwrap(), reason: reason() })
    };
    let mut paid = moved(Some("ada.eur"), Some("bob"), "12.5", "EUR", Some(NOW - 40 * SECOND));
    if let Action::Move(moved) = &mut paid {
        moved.memo = "Miete März \u{20ac}".parse().unwrap();
        moved.meta = Metadata::new([("invoice", "INV-9913"), ("Z", "\"quoted\"")]).unwrap();
    }
    let undo = Reverse {
        transaction: TransactionId { epoch: 1, seq: 6 },
        effective_at: None,
        allow_negative: true,
        memo: "undo".parse().unwrap(),
    };
    let register = Action::RegisterAsset(Asset { code: "XTOY".parse().unwrap(), scale: 18 });
    let groups = [
        (Mode::Continue, vec![command("asset", register)]),
        (
            Mode::Atomic,
            vec![command("open-1", open("ada.eur", "EUR", "0")), command("open-2", open("bob", "EUR", "250.00"))],
        ),
        (Mode::Continue, vec![command("open-3", open("toys", "XTOY", "unlimited"))]),
        (Mode::Continue, vec![command("in", moved(None, Some("ada.eur"), "100", "EUR", None))]),
        (Mode::Continue, vec![command("pay", paid)]),
        (Mode::Continue, vec![command("out", moved(Some("bob"), None, "262.50", "EUR", None))]),
        (
            Mode::Continue,
            vec![command("toys", moved(None, Some("toys"), "999999999.999999999999999999", "XTOY", None))],
        ),
        (Mode::Continue, vec![command("undo", Action::Reverse(undo))]),
        (Mode::Continue, vec![command("limit", limit("unlimited")), command("freeze", step(StatusChange::Freeze))]),
        (Mode::Continue, vec![command("thaw", step(StatusChange::Unfreeze))]),
    ];
    for (mode, commands) in groups {
        let mut asked = request(mode, None, commands);
        asked.id = Some("req-1".parse().unwrap());
        let first = &mut asked.commands[0].key;
        *first = ScopedKey::new(KeyScope::User("8f2c".into()), first.key().clone());
        block_on(ledger.commit(&[asked])).unwrap();
        clock.advance(1_500_000);
    }
    let head = block_on(ledger.head()).unwrap();
    let raised = Record {
        seq: head.seq + 1,
        epoch: 2,
        recorded_at: at(NOW + 60 * SECOND),
        actor: wallet_core::ids::Actor::system(),
        key: None,
        request: None,
        group: None,
        event: Event::EpochRaised { reason: "restored from a backup".parse().unwrap() },
    };
    block_on(ledger.append(&[Arc::new(Stored::seal(raised, head.hash, None))])).unwrap();
    clock.advance(60 * SECOND);
    let [refused, forbidden, reloaded] = AccessKind::ALL;
    let noted = |number: u32, kind, reason: &str, network: Option<&str>, count| {
        let key = ScopedKey::new(KeyScope::System, format!("access-{number}").parse().unwrap());
        let (first_at, last_at) = (at(NOW + 61 * SECOND), at(NOW + 61 * SECOND + i64::from(number)));
        let (reason, network) = (reason.parse().unwrap(), network.map(|network| network.parse().unwrap()));
        Command { key, action: Action::NoteAccess(Access { kind, reason, network, count, first_at, last_at }) }
    };
    let mut access = request(
        Mode::Continue,
        None,
        vec![
            noted(1, refused, "token_expired", Some("203.0.113.0/24"), 4_711),
            noted(2, refused, "login", Some("2001:db8:0:7::/64"), 1),
            noted(3, forbidden, "role", Some("uid:1001"), 2),
            noted(4, refused, "token_signature", Some("other"), (1 << 53) - 1),
            noted(5, reloaded, "taken", None, 1),
        ],
    );
    access.actor = wallet_core::ids::Actor::system();
    block_on(ledger.commit(&[access])).unwrap();
    ledger
}

/// Ledgers in use hold these bytes and hashes: never make this test agree with a change.
#[test]
fn the_format_is_the_one_ledgers_in_use_have() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors/journal.json")).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut previous: [u8; 32] = Sha256::digest(text(&vectors["ledger_id"])).into();
    assert_eq!(genesis("vectors").0, previous);
    let records = journal(&history());
    let kept = vectors["records"].as_array().unwrap();
    assert_eq!(records.len(), kept.len());
    for (stored, kept) in records.iter().zip(kept) {
        let (bytes, hash) = (text(&kept["bytes"]), text(&kept["hash"]));
        assert_eq!(String::from_utf8_lossy(&stored.bytes), bytes);
        assert_eq!(stored.hash.to_string(), hash);
        assert_eq!(Record::from_bytes(bytes.as_bytes()).unwrap(), stored.record);
        previous = plain_hash(&previous, bytes.as_bytes());
        assert_eq!(Hash(previous).to_string(), hash);
    }
}

#[test]
fn one_changed_bit_is_found_in_the_record_it_is_in() {
    let records = journal(&history());
    let mut auditor = Auditor::new("vectors");
    for stored in &records {
        let seq = stored.record.seq;
        for (place, bit) in (0..stored.bytes.len()).flat_map(|place| [1_u8, 4, 32].map(|bit| (place, bit))) {
            let mut bytes = stored.bytes.to_vec();
            bytes[place] ^= bit;
            // What cannot be read is found by reading; the rest by the chain.
            if let Ok(changed) = Stored::open(&bytes, stored.hash, None) {
                assert_eq!(auditor.check(&changed).unwrap_err().seq, seq, "byte {place} of record {seq}");
            }
        }
        for place in 0..32 {
            let mut changed = Stored::clone(stored);
            changed.hash.0[place] ^= 1;
            assert_eq!(auditor.check(&changed).unwrap_err().seq, seq, "byte {place} of the hash of {seq}");
        }
        auditor.check(stored).unwrap();
    }
    assert_eq!(auditor.head(), records.last().unwrap().cut());
    assert_eq!(auditor.unbalanced(), None);
}

fn first_fault(records: &[Arc<Stored>]) -> Option<u64> {
    let mut auditor = Auditor::new("vectors");
    records.iter().find_map(|stored| auditor.check(stored).err()).map(|fault| fault.seq)
}

#[test]
fn a_missing_an_added_and_a_moved_record_are_found() {
    let records = journal(&history());
    assert_eq!(first_fault(&records), None);
    for place in 0..records.len() - 1 {
        let seq = records[place].record.seq;
        let mut missing = records.clone();
        missing.remove(place);
        assert_eq!(first_fault(&missing), Some(seq));
        let mut added = records.clone();
        added.insert(place, records[place].clone());
        assert_eq!(first_fault(&added), Some(seq + 1));
        let mut moved = records.clone();
        moved.swap(place, place + 1);
        assert_eq!(first_fault(&moved), Some(seq));
    }
    let mut other = Auditor::new("another ledger");
    assert_eq!(other.check(&records[0]).unwrap_err().seq, 1);
}

/// Seals records anew behind each other, as a forger would.
fn forged(records: &[Arc<Stored>], change: impl Fn(&mut Record)) -> Vec<Arc<Stored>> {
    let mut previous = genesis("vectors");
    let seal = |stored: &Arc<Stored>| {
        let mut record = stored.record.clone();
        change(&mut record);
        let sealed = Stored::seal(record, previous, None);
        previous = sealed.hash;
        Arc::new(sealed)
    };
    records.iter().map(seal).collect()
}

#[test]
fn a_journal_forged_whole_ends_in_another_cut() {
    let records = journal(&history());
    let quiet = forged(&records, |record| {
        if let Event::Transaction(t) = &mut record.event {
            t.memo = "nothing to see".parse().unwrap();
        }
    });
    assert_eq!(first_fault(&quiet), None, "it is consistent in itself");
    assert_ne!(quiet.last().unwrap().cut(), records.last().unwrap().cut());
    let greedy = forged(&records, |record| {
        if let Event::Transaction(t) = &mut record.event
            && record.seq == 6
        {
            t.credit.balance_after = "9999.00".parse().unwrap();
        }
    });
    assert_eq!(first_fault(&greedy), Some(6));
    let below = forged(&records, |record| {
        if let Event::Transaction(Transaction { reverses: Some(reverses), .. }) = &mut record.event {
            reverses.allow_negative = false;
        }
    });
    assert_eq!(first_fault(&below), Some(9), "only a marked reversal goes below the floor");
}

#[test]
fn bytes_that_are_not_canonical_are_found() {
    let records = journal(&history());
    let spaced = String::from_utf8(records[0].bytes.to_vec()).unwrap().replacen(':', ": ", 1);
    let hash = chain(genesis("vectors"), spaced.as_bytes());
    let stored = Stored::open(spaced.as_bytes(), hash, None).unwrap();
    let fault = Auditor::new("vectors").check(&stored).unwrap_err();
    assert!(fault.to_string().contains("canonical"), "{fault}");
}

#[test]
fn what_is_no_record_is_not_read() {
    let good = String::from_utf8(journal(&history())[4].bytes.to_vec()).unwrap();
    assert!(good.contains("\"kind\":\"deposit\""), "{good}");
    for (from, to) in [
        ("\"kind\":\"deposit\"", "\"kind\":\"gift\""),
        ("\"kind\":\"deposit\"", "\"kind\":\"wallet_opened\""),
        ("\"key_scope\":\"user:8f2c\",", ""),
        ("\"amount\":\"100.00\",\"asset\"", "\"amount\":100.00,\"asset\""),
        ("\"amount\":\"100.00\",\"asset\"", "\"amount\":\"0.00\",\"asset\""),
        ("\"actor\":", "\"actors\":[],\"actor\":"),
        ("\"seq\":5", "\"seq\":5,\"seq\":5"),
        ("}", "} "),
    ] {
        let bad = if from == "}" { format!("{good} x") } else { good.replacen(from, to, 1) };
        assert_ne!(bad, good);
        assert!(Record::from_bytes(bad.as_bytes()).is_err(), "{bad}");
    }
}
