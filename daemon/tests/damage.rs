//! The ledger's log after a crash: torn, flipped or cut off, no acknowledged record is lost.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test may stop where it stands")]

use std::{path::Path, sync::Arc};

use wallet_core::{
    command::{Action, Command, Move, OpenWallet, Request},
    ids::Actor,
    key::ScopedKey,
    model::ManualClock,
    outcome::{Answer, Outcome},
    ports::{LedgerStore, StoreError},
};
use walletd::adapters::embedded::ledger::{FjallLedger, LedgerOptions};

fn open(dir: &Path) -> Result<FjallLedger, StoreError> {
    FjallLedger::open(LedgerOptions {
        dir: dir.join("ledger"),
        cache_bytes: 1 << 20,
        write_buffer_bytes: 8 << 20,
        reserve_bytes: 0,
        new_id: "damage".into(),
        clock: Arc::new(ManualClock::default()),
    })
}

fn command(key: &str, action: Action) -> Request {
    Request::single(Actor::system(), Command { key: ScopedKey::shared(key.parse().unwrap()), action })
}

async fn fill(ledger: &FjallLedger) -> String {
    let wallet = OpenWallet {
        id: "w".parse().unwrap(),
        owner: "o".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        overdraft: "0".parse().unwrap(),
        opened_at: None,
        label: "".parse().unwrap(),
        meta: wallet_core::text::Metadata::default(),
    };
    let mut requests = vec![command("open", Action::OpenWallet(wallet))];
    for number in 0..40 {
        requests.push(command(
            &format!("d{number}"),
            Action::Move(Move {
                from: None,
                to: Some("w".parse().unwrap()),
                amount: "1.25".parse().unwrap(),
                asset: "EUR".parse().unwrap(),
                effective_at: None,
                memo: "".parse().unwrap(),
                meta: wallet_core::text::Metadata::default(),
            }),
        ));
    }
    for request in requests {
        let answers = ledger.commit(&[request]).await.unwrap();
        assert!(
            matches!(answers.as_slice(), [Answer::Outcomes { outcomes, .. }] if matches!(outcomes.as_slice(), [Outcome::Ok(_)]))
        );
    }
    format!("{:?}", ledger.head().await.unwrap())
}

/// Where the log's bytes end.
fn used(log: &[u8]) -> usize {
    log.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

async fn survives(what: &str, damage: impl Fn(&mut Vec<u8>, usize)) {
    let dir = tempfile::tempdir().unwrap();
    let head = fill(&open(dir.path()).unwrap()).await;
    let log = dir.path().join("ledger/0.jnl");
    let mut bytes = std::fs::read(&log).unwrap();
    let end = used(&bytes);
    damage(&mut bytes, end);
    std::fs::write(&log, bytes).unwrap();
    let ledger = open(dir.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(format!("{:?}", ledger.head().await.unwrap()), head, "{what}");
    let account = ledger.account(&"w".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(account.balance.to_string(), "50.00", "{what}");
    drop(ledger);
    assert_eq!(format!("{:?}", open(dir.path()).unwrap().head().await.unwrap()), head, "{what}, opened again");
}

#[tokio::test]
async fn a_flipped_byte_anywhere_near_the_end_of_the_log_loses_nothing() {
    for back in [1, 2, 9, 40, 200, 401, 900, 2_500, 9_000] {
        survives(&format!("flipped {back} bytes before the end"), |bytes, end| bytes[end - back] ^= 0x41).await;
    }
}

#[tokio::test]
async fn a_torn_end_of_the_log_loses_nothing() {
    for back in [1, 7, 300, 1_200, 6_000] {
        survives(&format!("torn {back} bytes before the end"), |bytes, end| bytes.truncate(end - back)).await;
    }
}

#[tokio::test]
async fn what_the_tail_cannot_give_back_is_never_dropped_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(dir.path()).unwrap()).await;
    let log = dir.path().join("ledger/0.jnl");
    let bytes = std::fs::read(&log).unwrap();
    std::fs::write(&log, &bytes[..used(&bytes) - 3_000]).unwrap();
    // The tail keeps its last records only, so it cannot be joined to what is left.
    let tail = dir.path().join("ledger.tail/a");
    let tail = if tail.exists() { tail } else { dir.path().join("ledger.tail/b") };
    let frames = std::fs::read(&tail).unwrap();
    let mut at = 0;
    let mut starts = Vec::new();
    while at < frames.len() {
        starts.push(at);
        at += 4 + u32::from_be_bytes(frames[at..at + 4].try_into().unwrap()) as usize;
    }
    std::fs::write(&tail, &frames[starts[starts.len() - 1]..]).unwrap();
    let error = open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("acknowledged") && error.contains("restore a backup"), "{error}");
}

#[tokio::test]
async fn a_ledger_of_another_format_is_refused_with_advice_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path()).unwrap();
    let head = fill(&ledger).await;
    drop(ledger);
    let rewrite = |format: &str| {
        let store = fjall::Database::builder(dir.path().join("ledger")).open().unwrap();
        let meta = store.keyspace("meta", fjall::KeyspaceCreateOptions::default).unwrap();
        let before = String::from_utf8(meta.get("format").unwrap().unwrap().to_vec()).unwrap();
        meta.insert("format", format).unwrap();
        store.persist(fjall::PersistMode::SyncAll).unwrap();
        before
    };
    let current = rewrite("3");
    let Err(StoreError::Corrupt { what, .. }) = open(dir.path()) else { panic!("opened") };
    for part in ["format 3", &format!("format {current}"), "make a backup with the walletd that wrote it"] {
        assert!(what.contains(part), "{what}");
    }
    assert_eq!(rewrite(&current), "3");
    assert_eq!(format!("{:?}", open(dir.path()).unwrap().head().await.unwrap()), head);
}
