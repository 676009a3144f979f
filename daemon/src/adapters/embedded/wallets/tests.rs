use tempfile::TempDir;

use super::*;

fn id(text: &str) -> WalletId {
    text.parse().unwrap()
}

fn row(name: &str, state: WalletState, seq: u64) -> WalletRow {
    WalletRow {
        id: id(name),
        owner: "ann".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        state,
        overdraft: "0.00".into(),
        opened_at: Timestamp::from_micros(1_700_000_000_123_456),
        label: "Ann's purse, ünïcode".parse().unwrap(),
        meta: Metadata::new([("branch", "12"), ("note", "a \"quoted\" word")]).unwrap(),
        seq,
    }
}

const ACTIVE: WalletState = WalletState::Open(Status::Active);
const FROZEN: WalletState = WalletState::Open(Status::Frozen);

fn open(dir: &TempDir) -> SqliteWallets {
    SqliteWallets::open(&dir.path().join("wallets.sqlite")).unwrap()
}

#[tokio::test]
async fn rows_come_back_as_they_were_put() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let put = WalletRow { overdraft: "unlimited".into(), ..row("w1", ACTIVE, 7) };
    store.put_if_newer(std::slice::from_ref(&put)).await.unwrap();
    assert_eq!(store.get(&id("w1")).await.unwrap(), Some(put.clone()));
    assert_eq!(store.get(&id("W1")).await.unwrap(), None, "ids compare as bytes");
    assert_eq!(store.get_many(&[id("nobody"), id("w1")]).await.unwrap(), [put]);
}

#[tokio::test]
async fn a_row_of_the_same_or_an_older_record_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.put_if_newer(&[row("w", FROZEN, 9)]).await.unwrap();
    store.put_if_newer(&[row("w", ACTIVE, 9)]).await.unwrap();
    store.put_if_newer(&[row("w", ACTIVE, 8)]).await.unwrap();
    assert_eq!(store.get(&id("w")).await.unwrap().unwrap().state, FROZEN);
    store.put_if_newer(&[row("w", ACTIVE, 10), row("w", FROZEN, 10)]).await.unwrap();
    assert_eq!(store.get(&id("w")).await.unwrap().unwrap().state, ACTIVE);
}

#[tokio::test]
async fn an_opening_row_gives_way_to_the_journal_and_to_nothing_else() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.opening(&[row("w", WalletState::Opening, 0)]).await.unwrap();
    store.opening(&[WalletRow { owner: "bob".parse().unwrap(), ..row("w", WalletState::Opening, 0) }]).await.unwrap();
    assert_eq!(store.get(&id("w")).await.unwrap().unwrap().owner.as_str(), "ann", "the first keeps its row");
    store.put_if_newer(&[row("w", ACTIVE, 3)]).await.unwrap();
    store.opening(&[row("w", WalletState::Opening, 0)]).await.unwrap();
    store.forget_opening(&[id("w")]).await.unwrap();
    assert_eq!(store.get(&id("w")).await.unwrap().unwrap().state, ACTIVE);
}

#[tokio::test]
async fn a_refused_opening_leaves_no_row() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.opening(&[row("w", WalletState::Opening, 0), row("x", WalletState::Opening, 0)]).await.unwrap();
    store.forget_opening(&[id("w"), id("nobody")]).await.unwrap();
    assert_eq!(store.get(&id("w")).await.unwrap(), None);
    assert!(store.get(&id("x")).await.unwrap().is_some());
}

#[tokio::test]
async fn lists_are_pages_in_byte_order_that_filters_narrow() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    let bob = |row: WalletRow| WalletRow { owner: "bob".parse().unwrap(), asset: "JPY".parse().unwrap(), ..row };
    let rows =
        [row("b", ACTIVE, 1), row("B", FROZEN, 2), bob(row("a", ACTIVE, 3)), bob(row("c", WalletState::Opening, 0))];
    store.put_if_newer(&rows).await.unwrap();
    let list = async |query: WalletQuery| {
        let page = store.list(&query).await.unwrap();
        (page.items.iter().map(|row| row.id.to_string()).collect::<Vec<_>>().join(" "), page.more)
    };
    let all = WalletQuery { limit: 10, ..WalletQuery::default() };
    assert_eq!(list(all.clone()).await, ("B a b c".into(), false));
    assert_eq!(list(WalletQuery { limit: 2, ..all.clone() }).await, ("B a".into(), true));
    assert_eq!(list(WalletQuery { limit: 2, after: Some(id("a")), ..all.clone() }).await, ("b c".into(), false));
    assert_eq!(list(WalletQuery { owner: "bob".parse().ok(), ..all.clone() }).await, ("a c".into(), false));
    assert_eq!(list(WalletQuery { asset: "EUR".parse().ok(), ..all.clone() }).await, ("B b".into(), false));
    assert_eq!(list(WalletQuery { state: Some(FROZEN), ..all.clone() }).await, ("B".into(), false));
    assert_eq!(list(WalletQuery { state: Some(WalletState::Opening), ..all.clone() }).await, ("c".into(), false));
    let both = WalletQuery { owner: "bob".parse().ok(), state: Some(ACTIVE), ..all };
    assert_eq!(list(both).await, ("a".into(), false));
}

#[tokio::test]
async fn the_position_only_grows_and_survives_with_its_rows() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    assert_eq!(store.position().await.unwrap(), 0);
    store.follow(&[row("w", ACTIVE, 4)], 6).await.unwrap();
    store.follow(&[], 5).await.unwrap();
    // As after kill -9: nothing is closed in order, another opening sees everything.
    std::mem::forget(store);
    let store = open(&dir);
    assert_eq!(store.position().await.unwrap(), 6);
    assert!(store.get(&id("w")).await.unwrap().is_some());
    store.clear().await.unwrap();
    assert_eq!((store.position().await.unwrap(), store.get(&id("w")).await.unwrap()), (0, None));
}

#[tokio::test]
async fn migrating_twice_changes_nothing_and_the_schema_is_reported() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("wallets.sqlite");
    assert_eq!(SqliteWallets::schema(&path).unwrap(), Schema { applied: None, known: 1 });
    assert!(!path.exists(), "looking makes no file");
    drop(open(&dir));
    drop(open(&dir));
    assert!(SqliteWallets::schema(&path).unwrap().is_current());
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.execute("INSERT INTO refinery_schema_history VALUES (2, 'later', '2030-01-01T00:00:00Z', '1')", []).unwrap();
    assert!(!SqliteWallets::schema(&path).unwrap().is_current());
    assert!(
        matches!(SqliteWallets::open(&path), Err(StoreError::Corrupt { .. })),
        "a newer program's file is left alone"
    );
}

#[tokio::test]
async fn damage_and_strange_files_are_said_to_be_damage() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("strange.sqlite");
    std::fs::write(&path, "this is no database, though it is long enough to have a header".repeat(20)).unwrap();
    assert!(matches!(SqliteWallets::open(&path), Err(StoreError::Corrupt { .. })));
    let store = open(&dir);
    store.put_if_newer(&[row("w", ACTIVE, 1)]).await.unwrap();
    let other = rusqlite::Connection::open(dir.path().join("wallets.sqlite")).unwrap();
    other.execute("UPDATE wallets SET owner = 'no owner'", []).unwrap();
    assert!(matches!(store.get(&id("w")).await, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn the_file_is_private_and_another_process_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.put_if_newer(&[row("w", ACTIVE, 1)]).await.unwrap();
    for name in ["wallets.sqlite", "wallets.sqlite-wal"] {
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let second = open(&dir);
    assert!(second.get(&id("w")).await.unwrap().is_some());
    store.put_if_newer(&[row("x", ACTIVE, 2)]).await.unwrap();
    assert!(second.get(&id("x")).await.unwrap().is_some());
}

#[tokio::test]
async fn an_orderly_end_leaves_one_file() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir);
    store.put_if_newer(&[row("w", ACTIVE, 1)]).await.unwrap();
    assert!(store.get(&id("w")).await.unwrap().is_some());
    drop(store);
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["wallets.sqlite"]);
}
