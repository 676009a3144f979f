use wallet_core::{
    command::{Action, Command, Mode, OpenWallet, Request},
    ids::Actor,
    key::ScopedKey,
    model::ManualClock,
    outcome::{Answer, Outcome},
    ports::LedgerStore as _,
    text::Metadata,
};

use super::*;

/// A small ledger in a directory, with a clock of its own.
pub(super) fn options(dir: &Path) -> LedgerOptions {
    LedgerOptions {
        dir: dir.join("ledger"),
        cache_bytes: 1 << 20,
        write_buffer_bytes: 4 << 20,
        reserve_bytes: 0,
        new_id: "small".into(),
        clock: Arc::new(ManualClock::default()),
    }
}

fn opening(name: &str) -> Request {
    let open = OpenWallet {
        id: name.parse().unwrap(),
        owner: "o".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        overdraft: "0".parse().unwrap(),
        opened_at: None,
        label: "".parse().unwrap(),
        meta: Metadata::default(),
    };
    Request::single(
        Actor::system(),
        Command { key: ScopedKey::shared(name.parse().unwrap()), action: Action::OpenWallet(open) },
    )
}

#[tokio::test]
async fn opened_again_it_holds_what_was_acknowledged_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FjallLedger::open(options(dir.path())).unwrap();
    for n in 0..20 {
        ledger.commit(&[opening(&format!("w{n}"))]).await.unwrap();
        let head = ledger.head_now();
        ledger.reopen(&mut ledger.writer()).unwrap();
        assert_eq!(ledger.head_now(), head);
        let again = ledger.commit(&[opening(&format!("w{n}"))]).await.unwrap();
        let [Answer::Outcomes { outcomes, .. }] = again.as_slice() else { panic!("{again:?}") };
        assert!(matches!(outcomes.as_slice(), [Outcome::Replayed(_)]), "{outcomes:?}");
    }
}

/// A ledger of two records by themselves, a group of three, and one more.
async fn with_a_group(dir: &Path) -> FjallLedger {
    let ledger = FjallLedger::open(options(dir)).unwrap();
    ledger.commit(&[opening("a"), opening("b")]).await.unwrap();
    let mut group = opening("c");
    group.mode = Mode::Atomic;
    group.commands.extend(["d", "e"].into_iter().flat_map(|name| opening(name).commands));
    ledger.commit(&[group, opening("f")]).await.unwrap();
    ledger
}

async fn cuts(ledger: &FjallLedger) -> Vec<Cut> {
    let mut cuts = Vec::new();
    for seq in 0..=ledger.head_now().seq {
        cuts.push(ledger.cut_at(seq).await.unwrap());
    }
    cuts
}

#[tokio::test]
async fn a_cut_is_the_same_with_its_file_without_it_and_with_any_byte_of_it_changed() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = with_a_group(dir.path()).await;
    let right = cuts(&ledger).await;
    assert_eq!(right.iter().map(|cut| cut.seq).collect::<Vec<_>>(), [0, 1, 2, 2, 2, 5, 6]);
    for cut in &right[1..] {
        assert_eq!(*cut, ledger.record(cut.seq).await.unwrap().unwrap().cut());
    }
    drop(ledger);
    let file = dir.path().join("ledger.cuts");
    let rows = std::fs::read(&file).unwrap();
    assert_eq!(rows.len(), 7 * 64, "a row a record, and none for seq 0");
    let ledger = FjallLedger::open(options(dir.path())).unwrap();
    for at in 64..rows.len() {
        let mut changed = rows.clone();
        changed[at] ^= 0x10;
        std::fs::write(&file, &changed).unwrap();
        assert_eq!(cuts(&ledger).await, right, "byte {at}");
        assert_eq!(std::fs::read(&file).unwrap()[..6 * 64], rows[..6 * 64], "what was asked for is put back");
    }
    std::fs::write(&file, "").unwrap();
    assert_eq!(cuts(&ledger).await, right);
    std::fs::write(&file, [&rows[..128], &rows[64..128], &rows[192..]].concat()).unwrap();
    assert_eq!(cuts(&ledger).await, right, "a row in another's place");
}

#[tokio::test]
async fn a_moment_is_found_with_the_file_of_cuts_and_without() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::default());
    let ledger = FjallLedger::open(LedgerOptions { clock: Arc::clone(&clock) as _, ..options(dir.path()) }).unwrap();
    for n in 0..20 {
        ledger.commit(&[opening(&format!("w{n}"))]).await.unwrap();
        clock.advance(1_000_000);
    }
    let recorded_at = |cut: &Cut| cut.recorded_at;
    let times: Vec<_> = cuts(&ledger).await[1..].iter().map(recorded_at).collect();
    for without in [false, true] {
        if without {
            std::fs::write(dir.path().join("ledger.cuts"), "").unwrap();
        }
        for (at, seq) in times.iter().zip(1..) {
            assert_eq!(ledger.cut_at_time(*at).await.unwrap().seq, seq);
            assert_eq!(ledger.cut_at_time(at.plus_micros(-1)).await.unwrap().seq, seq - 1);
        }
    }
}

#[tokio::test]
async fn rows_of_another_future_and_of_another_ledger_are_no_cuts() {
    let dir = tempfile::tempdir().unwrap();
    drop(with_a_group(dir.path()).await);
    let file = dir.path().join("ledger.cuts");
    let rows = std::fs::read(&file).unwrap();
    std::fs::write(&file, [rows.as_slice(), &[7; 640]].concat()).unwrap();
    let ledger = FjallLedger::open(options(dir.path())).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), rows, "what lay behind the head");
    let other = tempfile::tempdir().unwrap();
    drop(with_a_group(other.path()).await);
    let options = LedgerOptions { new_id: "other".into(), ..options(other.path()) };
    std::fs::remove_dir_all(&options.dir).unwrap();
    std::fs::remove_dir_all(beside(&options.dir, "tail")).unwrap();
    let another = FjallLedger::open(options.clone()).unwrap();
    another.commit(&[opening("a"), opening("b"), opening("c")]).await.unwrap();
    std::fs::write(beside(&options.dir, "cuts"), &rows).unwrap();
    let cut = another.cut_at(2).await.unwrap();
    assert_eq!(cut, another.record(2).await.unwrap().unwrap().cut());
    assert_ne!(cut, ledger.cut_at(2).await.unwrap());
}
