//! The audit trail on a server of MongoDB's protocol. Runs where `WALLETD_TEST_MONGO_URL` names one (`mongodb://host:port`)
//! whose account may make and drop databases; each test makes databases of its own and drops them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use common::{Places, Server, command, kept, link::Link, payment, wallet};
use mongodb::{
    Client, Collection,
    bson::{Binary, Bson, Document, doc, spec::BinarySubtype},
};
use wallet_core::{
    account::Overdraft,
    command::{Action, Mode, Move, OpenWallet, Request},
    conformance::{AUDIT_CHECKS, Bed, run_all},
    journal::{Stored, chain},
    model::{ManualClock, MemoryLedger},
    ports::{AuditQuery, AuditStore, LedgerStore, StoreError},
};
use walletd::adapters::{
    connection::Connection,
    mongo::{MongoAudit, Rights},
    schema::OpenError,
};

const LEDGER: &str = "test";

impl Server {
    fn found() -> Option<Self> {
        Self::named("WALLETD_TEST_MONGO_URL", "the audit trail on a server of MongoDB's protocol", 27017)
    }

    /// A new, empty database, and how it is reached.
    fn database(&self) -> Connection {
        let name = self.new_name();
        let url = self.url.with_password();
        let (front, query) = url.split_once('?').map_or((url.as_str(), String::new()), |(f, q)| (f, format!("?{q}")));
        Connection {
            url: format!("{}/{name}{query}", front.trim_end_matches('/')).parse().unwrap(),
            tls: None,
            pool: 4,
            timeout: Duration::from_secs(5),
        }
    }

    /// The records, for changing them by hand.
    async fn by_hand(&self, connection: &Connection) -> Collection<Document> {
        let client = Client::with_uri_str(self.url.with_password()).await.unwrap();
        client.database(connection.url.path()).collection("records")
    }

    async fn tidy(self) {
        let client = Client::with_uri_str(self.url.with_password()).await.unwrap();
        for name in self.made() {
            client.database(&name).drop().await.unwrap();
        }
    }
}

/// A journal of about so many records.
async fn journal(id: &str, deposits: usize) -> Vec<Arc<Stored>> {
    let ledger = MemoryLedger::new(id);
    let open = |n: usize| {
        let opening =
            OpenWallet { label: "a label".parse().unwrap(), ..wallet(&format!("w{n}"), Overdraft::Unlimited) };
        command(&format!("open-{n}"), Action::OpenWallet(opening))
    };
    let pay = |n: usize| {
        let from = n.is_multiple_of(2).then(|| format!("w{}", n % 7));
        let moved = Move { memo: "a memo".parse().unwrap(), ..payment(from.as_deref(), Some("w7"), "1.00") };
        command(&format!("pay-{n}"), Action::Move(moved))
    };
    let all: Vec<_> = (0..8).map(open).chain((0..deposits).map(pay)).collect();
    for (n, commands) in all.chunks(1_000).enumerate() {
        let mut request = Request::single("uid:1".parse().unwrap(), open(0));
        request.mode = Mode::Continue;
        request.commands = commands.to_vec();
        request.id = Some(format!("req-{n}").parse().unwrap());
        request.trace = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
        ledger.commit(&[request]).await.unwrap();
    }
    ledger.records(0, usize::MAX).await.unwrap()
}

async fn open(connection: &Connection) -> MongoAudit {
    MongoAudit::open(connection, LEDGER).await.unwrap()
}

fn damage<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Corrupt { what, .. }) => what,
        other => panic!("{other:?} is no damage"),
    }
}

struct Databases {
    server: Server,
    places: Places<(Connection, String)>,
}

impl Databases {
    async fn open(&self, connection: Connection, id: String) -> Result<Arc<dyn AuditStore>, StoreError> {
        let store = MongoAudit::open(&connection, &id).await;
        Ok(self.places.keep(Arc::new(store.expect("its own database opens")), (connection, id)))
    }
}

#[async_trait]
impl Bed<dyn AuditStore> for Databases {
    async fn fresh(&self, id: &str) -> Result<Arc<dyn AuditStore>, StoreError> {
        self.open(self.server.database(), id.to_owned()).await
    }

    async fn reopen(&self, store: Arc<dyn AuditStore>) -> Result<Arc<dyn AuditStore>, StoreError> {
        let (connection, id) = self.places.close(store);
        self.open(connection, id).await
    }
}

#[tokio::test]
async fn the_audit_store_on_mongodb_keeps_every_promise() {
    let Some(server) = Server::found() else { return };
    let bed = Databases { server, places: Places::default() };
    let done = run_all(AUDIT_CHECKS, &bed).await;
    bed.server.tidy().await;
    kept(done);
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_soon_and_found_again() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), journal(LEDGER, 20).await);
    let link = Link::to(server.host()).await;
    let store = open(&server.through(&connection, &link)).await;
    store.add(&journal[..5]).await.unwrap();
    link.cut();
    for _ in 0..2 {
        let start = Instant::now();
        let refused = store.add(&journal[5..]).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    }
    let late = MongoAudit::lazy(&server.through(&connection, &link), LEDGER).await.unwrap();
    assert!(matches!(late.head().await, Err(StoreError::Unavailable { .. })));
    assert!(matches!(
        MongoAudit::open(&server.through(&connection, &link), LEDGER).await.err(),
        Some(OpenError::Store(StoreError::Unavailable { .. }))
    ));
    link.heal();
    store.add(&journal[5..]).await.unwrap();
    assert_eq!(late.head().await.unwrap(), Some(journal.last().unwrap().cut()), "opened while the server was down");
    server.tidy().await;
}

#[tokio::test]
async fn an_insert_whose_answer_is_lost_is_uncertain_and_may_be_repeated() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), journal(LEDGER, 20).await);
    let link = Link::to(server.host()).await;
    let quick = Connection { timeout: Duration::from_millis(700), ..server.through(&connection, &link) };
    let store = open(&quick).await;
    store.add(&journal[..5]).await.unwrap();
    // Its first question is answered, and then the insert is not.
    let adding = tokio::spawn({
        let (store, journal) = (store.clone(), journal.clone());
        async move { store.add(&journal[5..]).await }
    });
    link.mute();
    let lost = adding.await.unwrap();
    assert!(matches!(lost, Err(StoreError::Uncertain { .. } | StoreError::Unavailable { .. })), "{lost:?}");
    link.heal();
    store.add(&journal[5..]).await.unwrap();
    assert_eq!(store.records(0, 100).await.unwrap(), journal);
    server.tidy().await;
}

#[tokio::test]
async fn what_a_cut_off_page_left_is_found_by_the_next() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), journal(LEDGER, 50).await);
    let (one, other) = (open(&connection).await, open(&connection).await);
    one.add(&journal[..10]).await.unwrap();
    assert_eq!(other.head().await.unwrap(), Some(journal[9].cut()));
    // One goes on without the other's knowing; the other repeats more and less than that.
    one.add(&journal[10..20]).await.unwrap();
    other.add(&journal[10..15]).await.unwrap();
    other.add(&journal[15..40]).await.unwrap();
    one.add(&journal[20..]).await.unwrap();
    other.add(&journal).await.unwrap();
    assert_eq!(other.records(0, 100).await.unwrap(), journal);
    server.tidy().await;
}

#[tokio::test]
async fn consumers_that_add_the_same_at_a_time_make_one_trail() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), Arc::new(journal(LEDGER, 700).await));
    let add = |page| {
        let (connection, journal) = (connection.clone(), Arc::clone(&journal));
        tokio::spawn(async move {
            let store = open(&connection).await;
            for page in journal.chunks(page) {
                store.add(page).await?;
            }
            store.head().await
        })
    };
    let tasks: Vec<_> = [70, 110, 400].into_iter().map(add).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), Some(journal.last().unwrap().cut()));
    }
    assert!(open(&connection).await.records(0, 5_000).await.unwrap() == *journal);
    server.tidy().await;
}

#[tokio::test]
async fn a_trail_made_anew_beside_its_consumers_needs_no_second_try() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), Arc::new(journal(LEDGER, 60).await));
    let done = Arc::new(AtomicBool::new(false));
    // As daemons do: what the trail has is asked, and what is missing is added; a failure is tried again.
    let consume = || {
        let (connection, journal, done) = (connection.clone(), Arc::clone(&journal), Arc::clone(&done));
        tokio::spawn(async move {
            let store = open(&connection).await;
            while !done.load(Ordering::Relaxed) {
                let seq = store.head().await.ok().flatten().map_or(0, |cut| cut.seq);
                let _tried_again = store.add(&journal[usize::try_from(seq).unwrap()..]).await;
            }
        })
    };
    let consumers: Vec<_> = (0..2).map(|_| consume()).collect();
    for round in 0..20 {
        let rebuilt = open(&connection).await;
        rebuilt.clear().await.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
        rebuilt.add(&journal).await.unwrap_or_else(|error| panic!("round {round}: {error:?}"));
    }
    done.store(true, Ordering::Relaxed);
    for consumer in consumers {
        consumer.await.unwrap();
    }
    let fresh = open(&connection).await;
    assert_eq!(fresh.records(0, 1_000).await.unwrap(), *journal);
    assert_eq!(server.by_hand(&connection).await.list_index_names().await.unwrap().len(), 6, "_id and five");
    server.tidy().await;
}

#[tokio::test]
async fn a_trail_with_a_hole_ends_before_it_and_is_filled() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), journal(LEDGER, 300).await);
    let store = open(&connection).await;
    store.add(&journal).await.unwrap();
    let hand = server.by_hand(&connection).await;
    for (gone, whole) in [(vec![200], 199_usize), (vec![17, 18, 250], 16), (vec![1], 0), (vec![308, 307], 306)] {
        let ids: Vec<i64> = gone.iter().map(|seq: &u64| i64::try_from(*seq).unwrap()).collect();
        hand.delete_many(doc! { "_id": { "$in": ids } }).await.unwrap();
        let fresh = open(&connection).await;
        let head = fresh.head().await.unwrap();
        assert_eq!(head.map_or(0, |cut| cut.seq), whole as u64, "without {gone:?}");
        assert_eq!(head, whole.checked_sub(1).map(|last| journal[last].cut()));
        let found = fresh.records(0, 1_000).await.unwrap();
        assert!(
            found.len() == journal.len() - gone.len() && found.iter().all(|stored| !gone.contains(&stored.record.seq))
        );
        fresh.add(&journal[whole..]).await.unwrap();
        assert_eq!(fresh.records(0, 1_000).await.unwrap(), journal, "filled");
    }
    server.tidy().await;
}

#[tokio::test]
async fn another_record_above_the_end_is_damage_and_nothing_goes_past_it() {
    let Some(server) = Server::found() else { return };
    let (connection, ours, theirs) = (server.database(), journal(LEDGER, 60).await, journal("other", 60).await);
    let store = open(&connection).await;
    store.add(&ours[..20]).await.unwrap();
    let hand = server.by_hand(&connection).await;
    let mut forged = hand.find_one(doc! { "_id": 20_i64 }).await.unwrap().unwrap();
    forged.insert("_id", 25_i64);
    forged.insert("hash", Binary { subtype: BinarySubtype::Generic, bytes: theirs[24].hash.0.to_vec() });
    hand.insert_one(forged).await.unwrap();
    assert_eq!(store.head().await.unwrap(), Some(ours[19].cut()));
    assert!(damage(store.add(&ours[20..]).await).contains("record 25 has the hash"));
    let left = hand.count_documents(doc! { "_id": { "$gt": 25_i64 } }).await.unwrap();
    assert_eq!(left, 0, "nothing was written past it");
    server.tidy().await;
}

#[tokio::test]
async fn what_does_not_follow_is_refused_and_leaves_nothing() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), journal(LEDGER, 40).await);
    let store = open(&connection).await;
    store.add(&journal[..10]).await.unwrap();
    assert!(damage(store.add(&journal[12..]).await).contains("record 13 does not follow record 10"));
    let gap: Vec<_> = journal[10..20].iter().chain(&journal[21..30]).cloned().collect();
    assert!(damage(store.add(&gap).await).contains("record 22 does not follow record 20"));
    let text = String::from_utf8(journal[14].bytes.to_vec()).unwrap().replace("1.00", "9.00");
    let mut forged = journal[10..20].to_vec();
    forged[4] = Arc::new(journal[14].with_bytes(text.as_bytes()));
    assert!(damage(store.add(&forged).await).contains("record 15 does not follow"));
    assert_eq!(store.head().await.unwrap(), Some(journal[9].cut()));
    store.add(&journal[10..]).await.unwrap();
    server.tidy().await;
}

#[tokio::test]
async fn a_document_changed_by_hand_is_found_when_it_is_read() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), journal(LEDGER, 30).await);
    let store = open(&connection).await;
    store.add(&journal).await.unwrap();
    let hand = server.by_hand(&connection).await;
    let whole = hand.find_one(doc! { "_id": 20_i64 }).await.unwrap().unwrap();
    let bytes = |bytes: Vec<u8>| Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes });
    let changes = [
        ("actor", Bson::from("uid:2"), "field actor"),
        ("kind", Bson::from("withdrawal"), "field kind"),
        ("wallets", Bson::from(vec!["w1"]), "field wallets"),
        ("request", Bson::from("req-9"), "field request"),
        ("recorded_at", Bson::from(1_i64), "field recorded_at"),
        ("hash", bytes(vec![0; 31]), "no hash"),
        ("bytes", bytes(b"{}".to_vec()), "record 20"),
        ("bytes", bytes(journal[20].bytes.to_vec()), "field _id"),
    ];
    for (field, value, why) in changes {
        hand.update_one(doc! { "_id": 20_i64 }, doc! { "$set": { field: value } }).await.unwrap();
        let found = damage(store.records(15, 10).await);
        assert!(found.contains(why) && found.contains("record 20"), "{field}: {found}");
        hand.replace_one(doc! { "_id": 20_i64 }, whole.clone()).await.unwrap();
    }
    // What still reads as a record is given back as found, for the verifier.
    let forged = String::from_utf8(journal[19].bytes.to_vec()).unwrap().replace("a memo", "b memo");
    hand.update_one(doc! { "_id": 20_i64 }, doc! { "$set": { "bytes": bytes(forged.into_bytes()) } }).await.unwrap();
    let found = store.records(19, 1).await.unwrap();
    assert_eq!(found[0].hash, journal[19].hash);
    assert_ne!(chain(journal[18].hash, &found[0].bytes), found[0].hash);
    server.tidy().await;
}

#[tokio::test]
async fn a_walk_page_by_page_sees_everything_and_what_came_since() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), journal(LEDGER, 400).await);
    let store = open(&connection).await;
    store.add(&journal[..350]).await.unwrap();
    for page in [1_000, 100, 37] {
        let mut walked = Vec::new();
        loop {
            let found = store.records(walked.len() as u64, page).await.unwrap();
            assert!(found.len() <= page);
            if found.is_empty() {
                break;
            }
            walked.extend(found);
        }
        assert!(walked == journal[..350], "pages of {page}");
    }
    // In the middle of a walk, what it fetched before is there, and what is added since is too.
    assert_eq!(store.records(0, 100).await.unwrap(), journal[..100]);
    assert_eq!(store.records(100, 100).await.unwrap(), journal[100..200]);
    store.add(&journal[350..]).await.unwrap();
    assert_eq!(store.records(200, 100).await.unwrap(), journal[200..300]);
    assert_eq!(store.records(300, 200).await.unwrap(), journal[300..]);
    assert_eq!(store.records(10, 5).await.unwrap(), journal[10..15]);
    store.clear().await.unwrap();
    assert!(store.records(15, 5).await.unwrap().is_empty());
    server.tidy().await;
}

/// What a line of the documented mongosh command prints, for each record.
async fn lines(hand: &Collection<Document>) -> String {
    let mut text = String::new();
    let mut found = hand.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
    while found.advance().await.unwrap() {
        let document = found.current();
        let hash = document.get_binary("hash").unwrap().bytes;
        text += &document.get_i64("_id").unwrap().to_string();
        text.push(' ');
        text.extend(hash.iter().map(|byte| format!("{byte:02x}")));
        // Shown as `Binary(0x0, BASE64)`.
        let bytes = document.get_binary("bytes").unwrap().to_binary().to_string();
        text.push(' ');
        text += bytes.split_once(", ").unwrap().1.trim_end_matches(')');
        text.push('\n');
    }
    text
}

fn script(lines: &str, ledger: &str) -> (bool, String) {
    use std::{io::Write as _, process};
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/verify-chain.py");
    let mut command = process::Command::new("python3");
    command.args([path, ledger]).stdin(process::Stdio::piped()).stdout(process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may stop reading at the first fault.
    let _stopped_early = child.stdin.take().unwrap().write_all(lines.as_bytes());
    let done = child.wait_with_output().unwrap();
    (done.status.success(), String::from_utf8(done.stdout).unwrap())
}

#[tokio::test]
async fn anyone_can_check_the_chain_with_common_tools() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), journal(LEDGER, 40).await);
    open(&connection).await.add(&journal).await.unwrap();
    let hand = server.by_hand(&connection).await;
    let (good, said) = script(&lines(&hand).await, LEDGER);
    let last = journal.last().unwrap();
    assert!(good && said.contains(&format!("{} records", journal.len())), "{said}");
    assert!(said.contains(&last.hash.to_string()), "{said}");
    let (good, said) = script(&lines(&hand).await, "another");
    assert!(!good && said.contains("record 1 does not follow"), "{said}");
    let forged = String::from_utf8(journal[29].bytes.to_vec()).unwrap().replace("1.00", "9.00").into_bytes();
    let forged = Binary { subtype: BinarySubtype::Generic, bytes: forged };
    hand.update_one(doc! { "_id": 30_i64 }, doc! { "$set": { "bytes": forged } }).await.unwrap();
    let (good, said) = script(&lines(&hand).await, LEDGER);
    assert!(!good && said.contains("record 30 does not follow record 29"), "{said}");
    hand.delete_one(doc! { "_id": 12_i64 }).await.unwrap();
    let (good, said) = script(&lines(&hand).await, LEDGER);
    assert!(!good && said.contains("record 12 is missing"), "{said}");
    server.tidy().await;
}

#[tokio::test]
async fn another_ledgers_trail_is_refused() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), journal(LEDGER, 10).await);
    open(&connection).await.add(&journal).await.unwrap();
    let refused = MongoAudit::open(&connection, "another").await.err().unwrap();
    assert!(matches!(&refused, OpenError::Configuration { why, .. } if why.contains("ledger test")), "{refused}");
    let late = MongoAudit::lazy(&connection, "another").await.unwrap();
    assert!(matches!(late.head().await, Err(StoreError::Unavailable { .. })), "nothing is done with it");
    // Records that nobody claims belong to the ledger whose first record they begin with.
    let hand = server.by_hand(&connection).await;
    let client = hand.client().clone();
    client.database(connection.url.path()).collection::<Document>("ledger").drop().await.unwrap();
    let refused = MongoAudit::open(&connection, "another").await.err().unwrap();
    assert!(matches!(refused, OpenError::Configuration { .. }), "{refused}");
    assert_eq!(open(&connection).await.head().await.unwrap(), Some(journal.last().unwrap().cut()));
    server.tidy().await;
}

#[tokio::test]
async fn a_trail_dropped_by_hand_is_noticed_and_filled_again() {
    let Some(server) = Server::found() else { return };
    let (connection, journal) = (server.database(), journal(LEDGER, 100).await);
    let store = open(&connection).await;
    store.add(&journal[..50]).await.unwrap();
    let hand = server.by_hand(&connection).await;
    let indexes = hand.list_index_names().await.unwrap().len();
    for whole in [false, true] {
        if whole {
            hand.client().database(connection.url.path()).drop().await.unwrap();
        } else {
            hand.drop().await.unwrap();
        }
        let refused = damage(store.add(&journal[50..60]).await);
        assert!(refused.contains("record 51 does not follow record 0"), "{refused}");
        assert_eq!(store.head().await.unwrap(), None);
        store.add(&journal[..50]).await.unwrap();
        assert_eq!(hand.list_index_names().await.unwrap().len(), indexes, "the indexes are there again");
        assert!(MongoAudit::open(&connection, "another").await.is_err(), "it is still known whose it is");
    }
    store.clear().await.unwrap();
    store.clear().await.unwrap();
    assert_eq!(store.head().await.unwrap(), None);
    store.add(&journal).await.unwrap();
    server.tidy().await;
}

#[tokio::test]
async fn the_doctor_is_told_what_it_asks() {
    let Some(server) = Server::found() else { return };
    let store = open(&server.database()).await;
    let clock = ManualClock::default();
    let facts = store.facts(&clock).await.unwrap();
    assert!(facts.version.starts_with(|c: char| c.is_ascii_digit()), "{facts:?}");
    assert!(facts.rights.find && facts.rights.insert, "{facts:?}");
    if facts.user.is_none() {
        assert_eq!(facts.rights, Rights { find: true, insert: true, update: true, remove: true, drop: true });
    }
    clock.advance(facts.skew_micros);
    let again = store.facts(&clock).await.unwrap();
    assert!(again.skew_micros.abs() < 2_000_000, "the server's clock, not ours: {again:?}");
    server.tidy().await;
}

/// Not a check of speed: it prints the rates, for the performance page. Run with `--ignored --nocapture`.
#[tokio::test]
#[ignore = "prints a rate"]
async fn rate_of_adding() {
    let Some(server) = Server::found() else { return };
    // FerretDB finds by scanning: it is given time.
    let connection = Connection { timeout: Duration::from_mins(1), ..server.database() };
    let journal = journal(LEDGER, 40_000).await;
    let store = open(&connection).await;
    let start = Instant::now();
    for page in journal.chunks(2_000) {
        store.add(page).await.unwrap();
    }
    println!("{} records added in {:?}", journal.len(), start.elapsed());
    let start = Instant::now();
    let fresh = open(&connection).await;
    fresh.head().await.unwrap();
    println!("head in {:?}", start.elapsed());
    let start = Instant::now();
    let mut read = 0;
    while let Some(last) = fresh.records(read, 2_000).await.unwrap().last() {
        read = last.record.seq;
    }
    println!("{read} records read in {:?}", start.elapsed());
    let start = Instant::now();
    let query = AuditQuery { wallet: "w3".parse().ok(), limit: 50, ..AuditQuery::default() };
    println!("{} found in {:?}", fresh.list(&query).await.unwrap().items.len(), start.elapsed());
    server.tidy().await;
}
