//! The PostgreSQL ledger on a real server: `WALLETD_TEST_POSTGRES_URL` names one where databases may be made.
//! Without it every test here says that it is skipped. Each test has databases of its own and drops them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use common::{Places, kept};
use wallet_core::{
    conformance::{Bed, LEASE_CHECKS, LEDGER_CHECKS, run_all},
    ports::{Clock, Known, Leases, LedgerStore, StoreError, step_by_step},
};
use walletd::adapters::{
    embedded::clock::SystemClock,
    postgres::{PostgresLeases, PostgresLedger, facts, migrate},
    schema::OpenError,
};

mod support {
    pub(crate) mod faults;
    pub(crate) mod postgres;
}
use support::{
    faults::{self, Bank},
    postgres::{Cut, Proxy, Server, server},
};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

/// Makes ledgers, each in a database of its own, and remembers which is where.
struct Ledgers {
    server: Server,
    places: Places<String>,
}

impl Ledgers {
    async fn open(&self, database: String, id: &str) -> Result<Arc<dyn LedgerStore>, StoreError> {
        let opened = PostgresLedger::open(&self.server.connection(&database), id.to_owned(), clock()).await;
        Ok(self.places.keep(Arc::new(opened.map_err(store_error)?), database))
    }
}

fn store_error(error: OpenError) -> StoreError {
    match error {
        OpenError::Store(error) => error,
        other => StoreError::unavailable("ledger", other.to_string()),
    }
}

#[async_trait]
impl Bed<dyn LedgerStore> for Ledgers {
    async fn fresh(&self, id: &str) -> Result<Arc<dyn LedgerStore>, StoreError> {
        let database = self.server.database().await;
        migrate(&self.server.connection(&database)).await.map_err(store_error)?;
        self.open(database, id).await
    }

    async fn reopen(&self, store: Arc<dyn LedgerStore>) -> Result<Arc<dyn LedgerStore>, StoreError> {
        self.open(self.places.close(store), "the id of a new ledger only").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_postgres_ledger_keeps_every_promise() {
    let Some(server) = server() else { return };
    let bed = Ledgers { server, places: Places::default() };
    kept(run_all(LEDGER_CHECKS, &bed).await);
    bed.server.clean().await;
}

struct Turns(Server);

#[async_trait]
impl Bed<dyn Leases> for Turns {
    async fn fresh(&self, _: &str) -> Result<Arc<dyn Leases>, StoreError> {
        let connection = self.0.connection(&self.0.database().await);
        migrate(&connection).await.map_err(store_error)?;
        Ok(Arc::new(PostgresLeases::open(&connection).await.map_err(store_error)?))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_postgres_leases_keep_every_promise() {
    let Some(server) = server() else { return };
    let bed = Turns(server);
    kept(run_all(LEASE_CHECKS, &bed).await);
    bed.0.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_daemons_with_opposite_transfers_neither_overdraw_nor_deadlock() {
    let Some(server) = server() else { return };
    let bank = Bank::open(&server.connection(&server.database().await)).await;
    let other = Arc::new(PostgresLedger::open(&bank.connection, "unused".into(), clock()).await.unwrap());
    assert_eq!(bank.ledger.id(), other.id());
    let mut running = tokio::task::JoinSet::new();
    for client in 0..40_u64 {
        let ledger = if client % 2 == 0 { Arc::clone(&bank.ledger) } else { Arc::clone(&other) };
        running.spawn(async move {
            let mut happened = 0;
            for round in 0..12 {
                let came = ledger.commit(&[faults::opposite(client, round)]).await.unwrap();
                let first = faults::happened(&came);
                happened += first;
                // The same again replays, unless it was refused before.
                if round % 4 == 0 {
                    let again = faults::happened(&ledger.commit(&[faults::opposite(client, round)]).await.unwrap());
                    assert!(first + again <= 1, "a key committed twice");
                    happened += again;
                }
            }
            happened
        });
    }
    let happened: usize = running.join_all().await.into_iter().sum();
    assert!(happened > 100, "{happened} of 480 transfers happened");
    assert_eq!(bank.ledger.head().await.unwrap(), other.head().await.unwrap());
    bank.sound(&server, happened).await;
    drop((bank, other));
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_stops_between_its_round_trips_lets_others_go_on() {
    let Some(server) = server() else { return };
    let bank = Bank::open(&server.connection(&server.database().await)).await;
    let stopped = server.client(&bank.database()).await;
    let hold = "SET idle_in_transaction_session_timeout = 2000; BEGIN; SELECT * FROM clock FOR UPDATE";
    stopped.batch_execute(hold).await.unwrap();
    let started = Instant::now();
    let came = bank.ledger.commit(&[faults::deposit("behind", "w0")]).await.unwrap();
    assert_eq!(faults::happened(&came), 1);
    let waited = started.elapsed();
    assert!(waited > Duration::from_secs(1) && waited < Duration::from_secs(5), "it took {waited:?}");
    bank.sound(&server, 1).await;
    drop(bank);
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_looked_up() {
    let Some(server) = server() else { return };
    let database = server.database().await;
    let direct = Bank::open(&server.connection(&database)).await;
    let proxy = Proxy::to(&server).await;
    let through = server.by(&database, &proxy);
    let ledger = PostgresLedger::open(&through, "unused".into(), clock()).await.unwrap();
    for (name, cut) in
        [("a", Cut::Nothing), ("b", Cut::BehindCommit), ("c", Cut::BeforeCommit), ("d", Cut::BehindCommit)]
    {
        proxy.cut(cut);
        let came = ledger.commit(&[faults::deposit(name, "w0")]).await.unwrap();
        assert_eq!(faults::happened(&came), 1, "{name}");
        assert!(!proxy.is_armed(), "{name}: the way was cut");
    }
    direct.sound(&server, 4).await;
    drop((ledger, direct));
    server.clean().await;
}

/// Commits often enough that the next commits are guessed.
async fn warm(ledger: &PostgresLedger, name: &str) -> usize {
    let mut happened = 0;
    // A wrong guess before this one makes cautious for a while.
    for number in 0..20 {
        let came = ledger.commit(&[faults::deposit(&format!("warm-{name}-{number}"), "w0")]).await.unwrap();
        happened += faults::happened(&came);
    }
    happened
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_alone_commits_in_one_round_trip() {
    let Some(server) = server() else { return };
    let database = server.database().await;
    let direct = Bank::open(&server.connection(&database)).await;
    let proxy = Proxy::to(&server).await;
    let ledger = PostgresLedger::open(&server.by(&database, &proxy), "unused".into(), clock()).await.unwrap();
    let mut happened = faults::happened(&ledger.commit(&[faults::many(99, 20)]).await.unwrap());
    happened += warm(&ledger, "a").await;
    let before = proxy.begun();
    assert_eq!(warm(&ledger, "b").await, 20);
    let many: Vec<_> = (0..5).map(|number| faults::many(100 + number, 90)).collect();
    happened += 20 + faults::happened(&ledger.commit(&many).await.unwrap());
    assert_eq!(proxy.begun(), before, "transactions were begun for what could be guessed");
    // Repeated, refused, and of nobody: said right, the long way.
    let again = ledger.commit(&[faults::deposit("warm-b-3", "w0"), faults::deposit("new", "w1")]).await.unwrap();
    assert_eq!(faults::happened(&again), 1, "{again:?}");
    happened += 1 + warm(&ledger, "c").await;
    let refused = ledger.commit(&[faults::too_much("refused")]).await.unwrap();
    assert_eq!(faults::happened(&refused), 0, "{refused:?}");
    assert!(proxy.begun() > before);
    // Another daemon writes in between, every third time.
    for round in 0..60 {
        let by = if round % 3 == 2 { &*direct.ledger } else { &ledger };
        happened += faults::happened(&by.commit(&[faults::opposite(1, round)]).await.unwrap());
    }
    direct.sound(&server, happened).await;
    drop((ledger, direct));
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guessed_commit_whose_answer_is_lost_is_looked_up_and_never_comes_late() {
    let Some(server) = server() else { return };
    let database = server.database().await;
    let direct = Bank::open(&server.connection(&database)).await;
    let proxy = Proxy::to(&server).await;
    let ledger = PostgresLedger::open(&server.by(&database, &proxy), "unused".into(), clock()).await.unwrap();
    let mut happened = 0;
    for (name, cut) in [("a", Cut::BehindCommit), ("b", Cut::BeforeCommit), ("c", Cut::LongAfter)] {
        happened += warm(&ledger, name).await;
        let begun = proxy.begun();
        assert_eq!(
            faults::happened(&ledger.commit(&[faults::deposit(&format!("{name}-guessed"), "w0")]).await.unwrap()),
            1
        );
        assert_eq!(proxy.begun(), begun, "{name}: it was not guessed");
        proxy.cut(cut);
        let came = ledger.commit(&[faults::deposit(name, "w0")]).await.unwrap();
        assert_eq!(faults::happened(&came), 1, "{name}");
        assert!(!proxy.is_armed(), "{name}: the way was cut");
        happened += 2;
    }
    // What was held back has come by now.
    tokio::time::sleep(Duration::from_secs(2)).await;
    happened += warm(&ledger, "last").await;
    direct.sound(&server, happened).await;
    drop((ledger, direct));
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_killed_all_the_time_lose_and_repeat_nothing() {
    let Some(server) = server() else { return };
    let bank = Bank::open(&server.connection(&server.database().await)).await;
    let killer = server.client(&bank.database()).await;
    let killing = tokio::spawn(async move {
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE application_name = 'walletd ledger' AND datname = current_database()";
        loop {
            killer.batch_execute(kill).await.unwrap();
            tokio::time::sleep(Duration::from_millis(45)).await;
        }
    });
    let (mut happened, mut number, started) = (0, 0, Instant::now());
    while happened < 30 && started.elapsed() < Duration::from_mins(1) {
        number += 1;
        let key = format!("kill-{number}");
        match bank.ledger.commit(&[faults::deposit(&key, "w1")]).await {
            Ok(came) => happened += faults::happened(&came),
            // Certainly nothing happened: the sum below holds it to that.
            Err(StoreError::Unavailable { .. }) => {}
            Err(other) => panic!("{key}: {other:?}"),
        }
    }
    killing.abort();
    assert!(killing.await.is_err());
    assert!(happened >= 30, "{happened} of {number}");
    bank.sound(&server, happened).await;
    drop(bank);
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_asked_for_at_once_are_each_answered_as_if_alone() {
    let Some(server) = server() else { return };
    let bank = Bank::open(&server.connection(&server.database().await)).await;
    for number in 0..3 {
        bank.ledger.commit(&[faults::many(number, 500)]).await.unwrap();
    }
    let head = bank.ledger.head().await.unwrap();
    let mut looks = tokio::task::JoinSet::new();
    for number in 0..400_u64 {
        let ledger = Arc::clone(&bank.ledger);
        looks.spawn(async move {
            let wallet = format!("w{}", number % 11).parse().unwrap();
            let seq = number * 7 % (head.seq + 20);
            let time = head.recorded_at.plus_micros(-1_000 * i64::try_from(number % 97).unwrap());
            let known = match number % 3 {
                0 => Known::Head,
                1 => Known::At(seq),
                _ => Known::By(time),
            };
            let at = (number % 5 > 0).then_some(time);
            let look = ledger.look(&wallet, at, known).await.unwrap();
            // Some ask for one that there is not.
            assert_eq!(look.account.is_none(), number % 11 == 10);
            assert_eq!(look, step_by_step(&*ledger, &wallet, at, known).await.unwrap(), "{wallet} {at:?} {known:?}");
        });
    }
    looks.join_all().await;
    drop(bank);
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_said_so_at_once_and_found_again() {
    let Some(server) = server() else { return };
    let database = server.database().await;
    let direct = Bank::open(&server.connection(&database)).await;
    let mut proxy = Proxy::to(&server).await;
    let ledger = PostgresLedger::open(&server.by(&database, &proxy), "unused".into(), clock()).await.unwrap();
    ledger.commit(&[faults::deposit("before", "w0")]).await.unwrap();
    proxy.down().await;
    let started = Instant::now();
    for number in 0..20 {
        let refused = ledger.commit(&[faults::deposit(&format!("down-{number}"), "w0")]).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        let unread = ledger.head().await;
        assert!(matches!(unread, Err(StoreError::Unavailable { .. })), "{unread:?}");
        let wallet = "w0".parse().unwrap();
        let looks = (0..10).map(|_| ledger.look(&wallet, None, Known::Head));
        for unseen in futures_util::future::join_all(looks).await {
            assert!(matches!(unseen, Err(StoreError::Unavailable { .. })), "{unseen:?}");
        }
    }
    assert!(started.elapsed() < Duration::from_secs(3), "refusing 20 times took {:?}", started.elapsed());
    proxy.up().await;
    let started = Instant::now();
    while let Err(error) = ledger.commit(&[faults::deposit("after", "w0")]).await {
        assert!(started.elapsed() < Duration::from_secs(3), "not found again: {error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ledger.head().await.unwrap(), direct.ledger.head().await.unwrap());
    direct.sound(&server, 2).await;
    drop((ledger, direct));
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_that_open_a_new_ledger_at_once_agree() {
    let Some(server) = server() else { return };
    let connection = server.connection(&server.database().await);
    let unmigrated = PostgresLedger::open(&connection, "too early".into(), clock()).await.err().unwrap();
    assert!(matches!(&unmigrated, OpenError::Schema { schema, .. } if schema.applied.is_none()), "{unmigrated}");
    let opening = (0..6).map(|number| {
        let connection = connection.clone();
        tokio::spawn(async move {
            assert!(migrate(&connection).await.unwrap().is_current());
            let ledger = PostgresLedger::open(&connection, format!("id {number}"), clock()).await.unwrap();
            ledger.id().to_owned()
        })
    });
    let ids: Vec<String> = futures_util::future::join_all(opening).await.into_iter().map(Result::unwrap).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_disagrees_with_the_servers_stops_writes() {
    let Some(server) = server() else { return };
    let bank = Bank::open(&server.connection(&server.database().await)).await;
    let wrong = Arc::new(wallet_core::model::ManualClock::default());
    let ledger = PostgresLedger::open(&bank.connection, "unused".into(), wrong).await.unwrap();
    let refused = ledger.commit(&[faults::deposit("a", "w0")]).await;
    assert!(matches!(refused, Err(StoreError::ClockSkew(_))), "{refused:?}");
    let told = facts(&bank.connection, &SystemClock::new()).await.unwrap();
    assert!(told.supported && told.skew.abs() < 1_000_000, "{told:?}");
    bank.sound(&server, 0).await;
    drop((bank, ledger));
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_on_top_of_an_account_that_somebody_changed() {
    let Some(server) = server() else { return };
    let bank = Bank::open(&server.connection(&server.database().await)).await;
    bank.ledger.commit(&[faults::deposit("a", "w0")]).await.unwrap();
    let client = server.client(&bank.database()).await;
    client.batch_execute("UPDATE accounts SET version = version + 1 WHERE id = 'w0'").await.unwrap();
    let refused = bank.ledger.commit(&[faults::deposit("b", "w0")]).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    client.batch_execute("UPDATE accounts SET version = version - 1 WHERE id = 'w0'").await.unwrap();
    bank.sound(&server, 1).await;
    drop(bank);
    server.clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_planned_on_empty_tables_go_by_index_when_they_are_full() {
    let Some(server) = server() else { return };
    let bank = Bank::open(&server.connection(&server.database().await)).await;
    bank.use_everything().await;
    for number in 0..8 {
        bank.ledger.commit(&[faults::many(number, 1_700)]).await.unwrap();
    }
    let scans = "SELECT (SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname IN ('journal', 'accounts', 'entries'))::int8, \
        (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)::int8";
    let client = server.client(&bank.database()).await;
    let count = async || {
        // Statistics of other sessions arrive when those are idle for a moment.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let row = client.query_one(scans, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    let (scans, read) = count().await;
    bank.use_everything().await;
    let (scans_then, read_then) = count().await;
    assert_eq!(scans_then, scans, "a table was read from end to end");
    // Of 13,620 records, and 27,220 entries.
    assert!(read_then - read < 1_000, "{} rows of indexes were read", read_then - read);
    drop(bank);
    server.clean().await;
}
