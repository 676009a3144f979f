//! The wallet store on a real MySQL server. Runs where `WALLETD_TEST_MYSQL_URL` names one (`mysql://user:password@host:port`)
//! whose user may create databases and users; with
//! `WALLETD_TEST_MYSQL_CA_FILE`, over TLS too. Each test makes databases of its own and drops them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use common::{Places, Server, kept, link::Link};
use mysql_async::{Conn, Opts, OptsBuilder, prelude::Queryable as _};
use wallet_core::{
    account::Status,
    conformance::{Bed, WALLET_CHECKS, run_all},
    ids::WalletId,
    model::ManualClock,
    ports::{Clock as _, StoreError, WalletQuery, WalletRow, WalletState, WalletStore},
    text::Metadata,
    time::Timestamp,
};
use walletd::adapters::{
    connection::{Connection, Tls},
    mysql::MysqlWallets,
    schema::{OpenError, Schema},
};

const ACTIVE: WalletState = WalletState::Open(Status::Active);

impl Server {
    fn found() -> Option<Self> {
        Self::named("WALLETD_TEST_MYSQL_URL", "the wallet store on MySQL", 3306)
    }

    async fn admin(&self) -> Conn {
        let (name, port) = self.host().rsplit_once(':').map(|(n, p)| (n.to_owned(), p.parse().unwrap())).unwrap();
        let options = OptsBuilder::default().ip_or_hostname(name).tcp_port(port).prefer_socket(false);
        Conn::new(Opts::from(options.user(self.url.user()).pass(self.url.password()))).await.unwrap()
    }

    async fn sql(&self, sql: &str) {
        self.admin().await.query_drop(sql).await.unwrap();
    }

    /// A new, empty database.
    async fn database(&self) -> String {
        let name = self.new_name();
        self.sql(&format!("CREATE DATABASE {name}")).await;
        name
    }

    fn connection(&self, database: &str) -> Connection {
        let login = format!("{}:{}", self.url.user().unwrap(), self.url.password().unwrap_or_default());
        reached(database, &login, &self.host())
    }

    async fn store(&self) -> (String, MysqlWallets) {
        let database = self.database().await;
        let connection = self.connection(&database);
        MysqlWallets::migrate(&connection).await.unwrap();
        (database, MysqlWallets::open(&connection).await.unwrap())
    }

    async fn tidy(self) {
        for name in self.made() {
            self.sql(&format!("DROP DATABASE IF EXISTS {name}")).await;
        }
    }
}

/// How a database is reached, as this user, at this `host:port`.
fn reached(database: &str, login: &str, host: &str) -> Connection {
    Connection {
        url: format!("mysql://{login}@{host}/{database}").parse().unwrap(),
        tls: None,
        pool: 4,
        timeout: Duration::from_secs(5),
    }
}

fn id(text: &str) -> WalletId {
    text.parse().unwrap()
}

fn row(name: &str, state: WalletState, seq: u64) -> WalletRow {
    WalletRow {
        id: id(name),
        owner: "ada".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        state,
        overdraft: "0.00".into(),
        opened_at: Timestamp::from_micros(-1_234_567),
        label: "label".parse().unwrap(),
        meta: Metadata::default(),
        seq,
    }
}

struct Databases {
    server: Server,
    places: Places<String>,
}

impl Databases {
    async fn open(&self, database: String) -> Result<Arc<dyn WalletStore>, StoreError> {
        let store = MysqlWallets::open(&self.server.connection(&database)).await;
        Ok(self.places.keep(Arc::new(store.expect("a migrated database opens")), database))
    }
}

#[async_trait]
impl Bed<dyn WalletStore> for Databases {
    async fn fresh(&self, _: &str) -> Result<Arc<dyn WalletStore>, StoreError> {
        let database = self.server.database().await;
        MysqlWallets::migrate(&self.server.connection(&database)).await.expect("an empty database migrates");
        self.open(database).await
    }

    async fn reopen(&self, store: Arc<dyn WalletStore>) -> Result<Arc<dyn WalletStore>, StoreError> {
        self.open(self.places.close(store)).await
    }
}

#[tokio::test]
async fn the_wallet_store_on_mysql_keeps_every_promise() {
    let Some(server) = Server::found() else { return };
    let bed = Databases { server, places: Places::default() };
    let done = run_all(WALLET_CHECKS, &bed).await;
    bed.server.tidy().await;
    kept(done);
}

#[tokio::test]
async fn an_empty_database_is_migrated_once_by_any_number_of_daemons() {
    let Some(server) = Server::found() else { return };
    let database = server.database().await;
    let connection = server.connection(&database);
    let none = Schema { applied: None, known: 1 };
    assert_eq!(MysqlWallets::schema(&connection).await.unwrap(), none);
    assert!(matches!(MysqlWallets::open(&connection).await, Err(OpenError::Schema { schema, .. }) if schema == none));
    let all = futures_util::future::join_all((0..4).map(|_| MysqlWallets::migrate(&connection))).await;
    assert!(all.into_iter().all(|done| done.unwrap().is_current()));
    let store = MysqlWallets::open(&connection).await.unwrap();
    assert_eq!(store.position().await.unwrap(), 0);
    server
        .sql(&format!(
            "INSERT INTO {database}.refinery_schema_history VALUES (9, 'later', '2030-01-01T00:00:00Z', '1')"
        ))
        .await;
    for refused in [MysqlWallets::open(&connection).await.err(), MysqlWallets::migrate(&connection).await.err()] {
        let refused = refused.expect("a newer program's schema is left alone").to_string();
        assert!(refused.contains("a newer walletd"), "{refused}");
    }
    server.tidy().await;
}

#[tokio::test]
async fn what_the_configuration_has_wrong_is_said_at_opening() {
    let Some(server) = Server::found() else { return };
    let database = server.database().await;
    let user = server.url.user().unwrap().to_owned();
    let mut wrong = vec![
        reached(&database, &format!("{user}:wrong"), &server.host()),
        server.connection("walletd_test_no_such_database"),
    ];
    for url in ["mysql://a@h", "mysql://a@h,i/d", "mysql://a@h/d?x=y"] {
        wrong.push(Connection { url: url.parse().unwrap(), ..server.connection(&database) });
    }
    for connection in wrong {
        let refused = MysqlWallets::open(&connection).await.err().unwrap();
        assert!(matches!(refused, OpenError::Configuration { .. }), "{}: {refused}", connection.url);
        if let Ok(store) = MysqlWallets::lazy(&connection) {
            let asked = store.facts(&ManualClock::default()).await;
            assert!(matches!(asked, Err(OpenError::Configuration { .. })), "the doctor is told so: {asked:?}");
        }
    }
    server.tidy().await;
}

#[tokio::test]
async fn a_first_login_with_caching_sha2_needs_no_encryption() {
    let Some(server) = Server::found() else { return };
    let database = server.database().await;
    let user = format!("sha2_{}", std::process::id());
    // A new account: the server has nothing cached for it and wants the whole password, under its own key.
    server.sql(&format!("CREATE USER {user} IDENTIFIED WITH caching_sha2_password BY 'p@ss/:word'")).await;
    let login = |password: &str| reached(&database, &format!("{user}:{password}"), &server.host());
    let (right, wrong) = (login("p%40ss%2F%3Aword"), login("other"));
    let (right, wrong) = (MysqlWallets::open(&right).await, MysqlWallets::open(&wrong).await);
    server.sql(&format!("DROP USER {user}")).await;
    server.tidy().await;
    // It may come in, but was granted nothing.
    let (right, wrong) = (right.err().unwrap().to_string(), wrong.err().unwrap().to_string());
    assert!(right.contains(&format!("to database '{database}'")), "{right}");
    assert!(wrong.contains("using password"), "{wrong}");
}

#[tokio::test]
async fn an_encrypted_way_is_taken_only_to_a_server_that_is_known() {
    let Some(server) = Server::found() else { return };
    let database = server.database().await;
    let encrypted = |tls| Connection { tls: Some(tls), ..server.connection(&database) };
    // The certificate that MySQL makes for itself is known to nobody.
    let refused = MysqlWallets::open(&encrypted(Tls::default())).await.err().unwrap();
    assert!(matches!(refused, OpenError::Configuration { .. }), "{refused}");
    if let Ok(file) = std::env::var("WALLETD_TEST_MYSQL_CA_FILE") {
        let connection = encrypted(Tls { ca_file: Some(file.into()), identity: None });
        assert!(MysqlWallets::migrate(&connection).await.unwrap().is_current());
        let store = MysqlWallets::open(&connection).await.unwrap();
        assert!(store.facts(&ManualClock::default()).await.unwrap().encrypted);
    }
    server.tidy().await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_at_once_and_found_again() {
    let Some(server) = Server::found() else { return };
    let (database, _) = server.store().await;
    let link = Link::to(server.host()).await;
    let store = MysqlWallets::open(&server.through(&server.connection(&database), &link)).await.unwrap();
    store.put_if_newer(&[row("w", ACTIVE, 1)]).await.unwrap();
    link.cut();
    for _ in 0..3 {
        let start = Instant::now();
        let read = store.get(&id("w")).await;
        assert!(matches!(read, Err(StoreError::Unavailable { .. })), "{read:?}");
        let written = store.put_if_newer(&[row("x", ACTIVE, 2)]).await;
        assert!(matches!(written, Err(StoreError::Unavailable { .. })), "{written:?}");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
    let late = MysqlWallets::lazy(&server.through(&server.connection(&database), &link)).unwrap();
    assert!(matches!(late.position().await, Err(StoreError::Unavailable { .. })));
    link.heal();
    assert!(store.get(&id("w")).await.unwrap().is_some());
    assert!(store.get(&id("x")).await.unwrap().is_none());
    assert_eq!(late.position().await.unwrap(), 0, "a store opened while the server was down works once it is up");
    server.tidy().await;
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_uncertain_and_may_be_repeated() {
    let Some(server) = Server::found() else { return };
    let (database, _) = server.store().await;
    let link = Link::to(server.host()).await;
    let quick =
        Connection { timeout: Duration::from_millis(400), ..server.through(&server.connection(&database), &link) };
    let store = MysqlWallets::open(&quick).await.unwrap();
    let rows = [row("a", ACTIVE, 1), row("b", ACTIVE, 2)];
    store.put_if_newer(&rows[..1]).await.unwrap();
    link.mute();
    let start = Instant::now();
    let lost = store.put_if_newer(&rows).await;
    assert!(matches!(lost, Err(StoreError::Uncertain { .. })), "{lost:?}");
    let unread = store.get(&id("a")).await;
    assert!(matches!(unread, Err(StoreError::Unavailable { .. })), "{unread:?}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    link.heal();
    store.put_if_newer(&rows).await.unwrap();
    assert_eq!(store.get_many(&[id("a"), id("b")]).await.unwrap().len(), 2);
    server.tidy().await;
}

async fn kill_all(server: &Server, database: &str) -> usize {
    let mut admin = server.admin().await;
    let list = format!("SELECT id FROM information_schema.processlist WHERE db = '{database}'");
    let ids: Vec<u64> = admin.query(list).await.unwrap();
    for id in &ids {
        admin.query_drop(format!("KILL {id}")).await.unwrap();
    }
    ids.len()
}

#[tokio::test]
async fn killed_connections_are_replaced_without_an_error() {
    let Some(server) = Server::found() else { return };
    let (database, store) = server.store().await;
    store.follow(&[row("w", ACTIVE, 1)], 1).await.unwrap();
    assert!(kill_all(&server, &database).await > 0);
    assert!(store.get(&id("w")).await.unwrap().is_some());
    assert!(kill_all(&server, &database).await > 0);
    store.follow(&[row("w", ACTIVE, 2)], 2).await.unwrap();

    // Killed while it waits for a lock, in the middle of its transaction.
    let mut admin = server.admin().await;
    admin.query_drop(format!("USE {database}")).await.unwrap();
    admin.query_drop("START TRANSACTION").await.unwrap();
    admin.query_drop("SELECT * FROM wallets WHERE id = 'w' FOR UPDATE").await.unwrap();
    let follower = store.clone();
    let writer = tokio::spawn(async move { follower.follow(&[row("w", ACTIVE, 3)], 3).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let list = format!("SELECT id FROM information_schema.processlist WHERE db = '{database}' AND command = 'Execute'");
    let waiting: Vec<u64> = admin.query(list).await.unwrap();
    assert_eq!(waiting.len(), 1, "the writer waits");
    admin.query_drop(format!("KILL {}", waiting[0])).await.unwrap();
    admin.query_drop("COMMIT").await.unwrap();
    writer.await.unwrap().unwrap();
    assert_eq!((store.position().await.unwrap(), store.get(&id("w")).await.unwrap().unwrap().seq), (3, 3));
    server.tidy().await;
}

#[tokio::test]
async fn writers_in_each_others_way_all_get_done() {
    let Some(server) = Server::found() else { return };
    let (_, store) = server.store().await;
    let tasks: Vec<_> = (0..8_u64)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0..20_u64 {
                    let seq = round * 8 + task + 1;
                    let mut rows: Vec<_> = (0..40).map(|n| row(&format!("w{n}"), ACTIVE, seq)).collect();
                    if task % 2 == 0 {
                        rows.reverse();
                    }
                    store.opening(&[row("new", WalletState::Opening, 0)]).await?;
                    store.follow(&rows, seq).await?;
                    store.forget_opening(&[id("new")]).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let all = store.list(&WalletQuery { limit: 100, ..WalletQuery::default() }).await.unwrap();
    assert!(all.items.iter().all(|row| row.seq == 160) && all.items.len() == 40);
    assert_eq!(store.position().await.unwrap(), 160);
    server.tidy().await;
}

#[tokio::test]
async fn a_lock_held_too_long_is_given_up_and_nothing_happened() {
    let Some(server) = Server::found() else { return };
    let (database, store) = server.store().await;
    store.follow(&[row("w", ACTIVE, 1)], 1).await.unwrap();
    let mut admin = server.admin().await;
    admin.query_drop(format!("USE {database}")).await.unwrap();
    admin.query_drop("START TRANSACTION").await.unwrap();
    admin.query_drop("SELECT * FROM follower FOR UPDATE").await.unwrap();
    let start = Instant::now();
    let refused = store.follow(&[row("w", ACTIVE, 2)], 2).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    assert!(start.elapsed() < Duration::from_secs(7), "{:?}", start.elapsed());
    admin.query_drop("ROLLBACK").await.unwrap();
    assert_eq!(store.get(&id("w")).await.unwrap().unwrap().seq, 1);
    store.follow(&[row("w", ACTIVE, 2)], 2).await.unwrap();
    server.tidy().await;
}

#[tokio::test]
async fn thousands_of_rows_are_one_transaction_and_are_cleared() {
    let Some(server) = Server::found() else { return };
    let (_, store) = server.store().await;
    let full = Metadata::new([("note", "\"\\".repeat(2_000))]).unwrap();
    let label = "\u{1f4b6}".repeat(50);
    let rows: Vec<_> = (1..=12_345_u64)
        .map(|n| WalletRow {
            meta: if n % 100 == 0 { full.clone() } else { Metadata::default() },
            label: label.parse().unwrap(),
            ..row(&format!("w{n:05}"), ACTIVE, n)
        })
        .collect();
    store.follow(&rows, 12_345).await.unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
    let mut found = store.get_many(&ids).await.unwrap();
    found.sort_by_key(|row| row.seq);
    assert!(found == rows, "every row comes back as it was");
    store.clear().await.unwrap();
    let all = store.list(&WalletQuery { limit: 1, ..WalletQuery::default() }).await.unwrap();
    assert_eq!((all.items.len(), store.position().await.unwrap()), (0, 0));
    server.tidy().await;
}

#[tokio::test]
async fn what_was_changed_by_hand_into_nonsense_is_damage() {
    let Some(server) = Server::found() else { return };
    let (database, store) = server.store().await;
    for change in ["owner = 'no owner'", "asset = 'e'", "label = 'a\\nb'", "meta = '[1]'", "meta = '{\"a b\": \"c\"}'"]
    {
        store.put_if_newer(&[row("w", ACTIVE, 1)]).await.unwrap();
        server.sql(&format!("UPDATE {database}.wallets SET {change}")).await;
        let found = store.get(&id("w")).await;
        assert!(matches!(found, Err(StoreError::Corrupt { .. })), "{change}: {found:?}");
        store.clear().await.unwrap();
    }
    server.sql(&format!("DELETE FROM {database}.follower")).await;
    assert!(matches!(store.position().await, Err(StoreError::Corrupt { .. })));
    server.sql(&format!("DROP TABLE {database}.wallets")).await;
    assert!(matches!(store.get(&id("w")).await, Err(StoreError::Corrupt { .. })));
    server.tidy().await;
}

#[tokio::test]
async fn the_doctor_is_told_what_it_asks() {
    let Some(server) = Server::found() else { return };
    let (_, store) = server.store().await;
    let clock = ManualClock::default();
    let facts = store.facts(&clock).await.unwrap();
    assert!(facts.version.starts_with(|c: char| c.is_ascii_digit()), "{facts:?}");
    assert!((0..=2).contains(&facts.flush_log_at_trx_commit) && facts.max_connections > 0, "{facts:?}");
    assert!(!facts.read_only && !facts.encrypted, "{facts:?}");
    clock.advance(facts.skew_micros);
    let again = store.facts(&clock).await.unwrap();
    assert!(again.skew_micros.abs() < 2_000_000, "the server's clock, not ours: {again:?}, {}", clock.now());
    let pool = store.pool();
    assert!(pool.limit == 4 && pool.open >= 1 && pool.waiting == 0, "{pool:?}");
    server.tidy().await;
}
