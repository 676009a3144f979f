use tempfile::TempDir;
use wallet_core::{
    account::Overdraft,
    command::{Action, Command, Move, OpenWallet, Request, SetStatus, StatusChange},
    ids::{Actor, RequestId, WalletId},
    journal::chain,
    key::ScopedKey,
    model::{ManualClock, MemoryLedger},
    ports::LedgerStore,
};

use super::*;

const LEDGER: &str = "test";

fn wallet(n: usize) -> WalletId {
    format!("w{n}").parse().unwrap()
}

fn deposit(to: usize) -> Action {
    Action::Move(Move {
        from: None,
        to: Some(wallet(to)),
        amount: "1.00".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        effective_at: None,
        memo: "a memo".parse().unwrap(),
        meta: wallet_core::text::Metadata::default(),
    })
}

fn opening(n: usize) -> Action {
    Action::OpenWallet(OpenWallet {
        id: wallet(n),
        owner: "ann".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        overdraft: Overdraft::Unlimited,
        opened_at: None,
        label: "".parse().unwrap(),
        meta: wallet_core::text::Metadata::default(),
    })
}

/// A journal with many kinds of record: one request each, every tenth by `uid:2`.
async fn journal(wallets: usize, deposits: usize) -> Vec<Arc<Stored>> {
    let clock = Arc::new(ManualClock::default());
    let ledger = MemoryLedger::with_clock(LEDGER, clock.clone());
    let freeze = Action::SetStatus(SetStatus {
        wallet: wallet(0),
        change: StatusChange::Freeze,
        reason: "why".parse().unwrap(),
    });
    let actions = (0..wallets).map(opening).chain((0..deposits).map(|n| deposit(n % wallets))).chain([freeze]);
    for (n, action) in actions.enumerate() {
        clock.advance(1_000_000);
        let actor: Actor = if n % 10 == 9 { "uid:2" } else { "uid:1" }.parse().unwrap();
        let command = Command { key: ScopedKey::shared(format!("k{n}").parse().unwrap()), action };
        let request = Request {
            id: Some(format!("req-{}", n / 3).parse::<RequestId>().unwrap()),
            trace: Some("00-0123456789abcdef0123456789abcdef-0123456789abcdef-01".into()),
            ..Request::single(actor, command)
        };
        ledger.commit(&[request]).await.unwrap();
    }
    ledger.records(0, usize::MAX).await.unwrap()
}

fn open(dir: &TempDir) -> SqliteAudit {
    SqliteAudit::open(&dir.path().join("audit.sqlite"), LEDGER).unwrap()
}

fn damage<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Corrupt { what, .. }) => what,
        other => panic!("{other:?} is no damage"),
    }
}

#[tokio::test]
async fn records_come_back_byte_for_byte_in_order() {
    let dir = TempDir::new().unwrap();
    let (store, journal) = (open(&dir), journal(3, 5).await);
    assert_eq!(store.head().await.unwrap(), None);
    store.add(&journal[..4]).await.unwrap();
    store.add(&journal[4..]).await.unwrap();
    assert_eq!(store.records(0, 100).await.unwrap(), journal);
    assert_eq!(store.records(4, 2).await.unwrap(), journal[4..6]);
    assert_eq!(store.head().await.unwrap(), Some(journal.last().unwrap().cut()));
}

#[tokio::test]
async fn a_repeat_is_skipped() {
    let dir = TempDir::new().unwrap();
    let (store, journal) = (open(&dir), journal(2, 3).await);
    store.add(&journal[..3]).await.unwrap();
    store.add(&journal[1..]).await.unwrap();
    store.add(&journal).await.unwrap();
    assert_eq!(store.records(0, 100).await.unwrap(), journal);
}

#[tokio::test]
async fn what_does_not_follow_is_refused_whole_and_named() {
    let dir = TempDir::new().unwrap();
    let (store, journal) = (open(&dir), journal(2, 5).await);
    store.add(&journal[..2]).await.unwrap();
    assert!(damage(store.add(&journal[3..]).await).contains("record 4 "), "a gap");
    let mut forged = (*journal[3]).clone();
    forged.bytes = String::from_utf8(forged.bytes.to_vec()).unwrap().replace("1.00", "9.00").into_bytes().into();
    let what = damage(store.add(&[journal[2].clone(), Arc::new(forged)]).await);
    assert!(what.contains("record 4 "), "{what}");
    assert_eq!(store.head().await.unwrap().unwrap().seq, 2, "nothing of the call is kept");
    let foreign = SqliteAudit::open(&dir.path().join("foreign.sqlite"), "another ledger").unwrap();
    assert!(damage(foreign.add(&journal).await).contains("record 1 "));
}

#[tokio::test]
async fn a_record_that_differs_from_the_journal_is_named() {
    let dir = TempDir::new().unwrap();
    let (store, journal) = (open(&dir), journal(2, 3).await);
    store.add(&journal).await.unwrap();
    let hand = rusqlite::Connection::open(dir.path().join("audit.sqlite")).unwrap();
    hand.execute("UPDATE records SET hash = zeroblob(32) WHERE seq = 2", []).unwrap();
    assert!(damage(store.add(&journal[1..2]).await).contains("record 2 "));
    hand.execute("DELETE FROM records WHERE seq = 3", []).unwrap();
    assert!(damage(store.add(&journal[2..3]).await).contains("record 3 is missing"));
}

#[tokio::test]
async fn a_changed_byte_is_given_back_as_found_for_the_verifier() {
    let dir = TempDir::new().unwrap();
    let (store, journal) = (open(&dir), journal(2, 3).await);
    store.add(&journal).await.unwrap();
    let hand = rusqlite::Connection::open(dir.path().join("audit.sqlite")).unwrap();
    let change =
        "UPDATE records SET bytes = CAST(replace(CAST(bytes AS TEXT), 'a memo', 'b memo') AS BLOB) WHERE seq = 4";
    assert_eq!(hand.execute(change, []).unwrap(), 1);
    let found = store.records(3, 1).await.unwrap();
    assert_eq!(found[0].hash, journal[3].hash);
    assert_ne!(chain(journal[2].hash, &found[0].bytes), found[0].hash);
    hand.execute("UPDATE records SET bytes = x'00' WHERE seq = 4", []).unwrap();
    assert!(damage(store.records(3, 1).await).contains("record 4"));
}

async fn seqs(store: &SqliteAudit, query: AuditQuery) -> Vec<u64> {
    store.list(&query).await.unwrap().items.iter().map(|stored| stored.record.seq).collect()
}

#[tokio::test]
async fn searches_find_what_a_walk_finds() {
    let dir = TempDir::new().unwrap();
    let (store, journal) = (open(&dir), journal(70, 400).await);
    store.add(&journal).await.unwrap();
    let all = AuditQuery { limit: 1_000, ..AuditQuery::default() };
    let queries = [
        all.clone(),
        AuditQuery { wallet: Some(wallet(7)), ..all.clone() },
        AuditQuery { wallet: Some("nobody".parse().unwrap()), ..all.clone() },
        AuditQuery { actor: "uid:2".parse().ok(), ..all.clone() },
        AuditQuery { kind: Some("wallet_frozen".into()), ..all.clone() },
        AuditQuery { kind: Some("wallet_opened".into()), actor: "uid:2".parse().ok(), ..all.clone() },
        AuditQuery { request: "req-100".parse().ok(), ..all.clone() },
        AuditQuery { request: "req-100".parse().ok(), wallet: Some(wallet(20)), ..all.clone() },
        AuditQuery { from: Some(journal[99].record.recorded_at), ..all.clone() },
        AuditQuery { to: Some(journal[99].record.recorded_at), ..all.clone() },
        AuditQuery { to: Some(journal[99].record.recorded_at.plus_micros(-1)), wallet: Some(wallet(7)), ..all.clone() },
        AuditQuery { from: Some(Timestamp::MAX), ..all.clone() },
        AuditQuery { before: Some(80), wallet: Some(wallet(3)), ..all.clone() },
        AuditQuery { before: Some(64), ..all },
    ];
    for query in queries {
        let filter = Filter::of(&query);
        let expected: Vec<u64> = journal
            .iter()
            .rev()
            .map(|stored| &stored.record)
            .filter(|record| {
                filter.matches(record)
                    && query.from.is_none_or(|from| record.recorded_at >= from)
                    && query.to.is_none_or(|to| record.recorded_at <= to)
                    && query.before.is_none_or(|before| record.seq < before)
            })
            .map(|record| record.seq)
            .collect();
        assert_eq!(seqs(&store, query.clone()).await, expected, "{query:?}");
    }
}

#[tokio::test]
async fn pages_of_a_search_join_up() {
    let dir = TempDir::new().unwrap();
    let (store, journal) = (open(&dir), journal(5, 300).await);
    store.add(&journal).await.unwrap();
    let whole = AuditQuery { wallet: Some(wallet(2)), limit: 1_000, ..AuditQuery::default() };
    let expected = seqs(&store, whole.clone()).await;
    let mut found = Vec::new();
    let mut query = AuditQuery { limit: 7, ..whole };
    loop {
        let page = store.list(&query).await.unwrap();
        found.extend(page.items.iter().map(|stored| stored.record.seq));
        query.before = found.last().copied();
        if !page.more {
            break;
        }
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn an_empty_trail_has_nothing_and_takes_any_search() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let now = Some(Timestamp::from_micros(0));
    assert!(seqs(&store, AuditQuery { limit: 5, from: now, to: now, ..AuditQuery::default() }).await.is_empty());
    assert!(seqs(&store, AuditQuery { limit: 5, wallet: Some(wallet(1)), ..AuditQuery::default() }).await.is_empty());
}

#[tokio::test]
async fn what_was_added_survives_a_kill() {
    let dir = TempDir::new().unwrap();
    let journal = journal(2, 3).await;
    let store = open(&dir);
    store.add(&journal[..3]).await.unwrap();
    std::mem::forget(store);
    let store = open(&dir);
    store.add(&journal).await.unwrap();
    assert_eq!(store.records(0, 100).await.unwrap(), journal);
    store.clear().await.unwrap();
    assert_eq!(store.head().await.unwrap(), None);
    assert!(seqs(&store, AuditQuery { limit: 5, wallet: Some(wallet(1)), ..AuditQuery::default() }).await.is_empty());
    store.add(&journal).await.unwrap();
}

#[tokio::test]
async fn people_can_read_the_trail_with_a_shell() {
    let dir = TempDir::new().unwrap();
    open(&dir).add(&journal(1, 1).await).await.unwrap();
    let hand = rusqlite::Connection::open(dir.path().join("audit.sqlite")).unwrap();
    let kind = |seq: i64| hand.query_row("SELECT kind FROM trail WHERE seq = ?1", [seq], |row| row.get::<_, String>(0));
    assert_eq!((kind(1).unwrap(), kind(2).unwrap()), ("wallet_opened".into(), "deposit".into()));
}

/// Not a check of speed: it prints the rates, for the performance page. Run with `--ignored --nocapture`.
#[tokio::test]
#[ignore = "prints a rate"]
async fn rate_of_adding() {
    let dir = TempDir::new().unwrap();
    let (store, journal) = (open(&dir), journal(5_000, 95_000).await);
    let start = std::time::Instant::now();
    for page in journal.chunks(2_000) {
        store.add(page).await.unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{} records in {seconds:.2} s", journal.len());
    let start = std::time::Instant::now();
    let mut read = 0;
    while let Some(last) = store.records(read, 2_000).await.unwrap().last() {
        read = last.record.seq;
    }
    println!("{read} records read in {:.2} s", start.elapsed().as_secs_f64());
    let start = std::time::Instant::now();
    let query = AuditQuery { wallet: Some(wallet(17)), limit: 50, ..AuditQuery::default() };
    println!("{} found in {:?}", seqs(&store, query).await.len(), start.elapsed());
}
