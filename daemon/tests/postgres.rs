//! The PostgreSQL ledger on a real server: `WALLETD_TEST_POSTGRES_URL` names one where databases may be made.
//! Without it every test here says that it is skipped. Each test has databases of its own and drops them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use wallet_core::{
    conformance::{Bed, LEASE_CHECKS, LEDGER_CHECKS, run_all},
    ports::{Clock, Leases, LedgerStore, StoreError},
};
use walletd::adapters::{
    embedded::clock::SystemClock,
    postgres::{PostgresLeases, PostgresLedger, migrate},
    schema::OpenError,
};

mod support {
    pub(crate) mod postgres;
}
use support::postgres::{Server, server};

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn kept(result: Result<(), String>) {
    if let Err(broken) = result {
        panic!("{broken}");
    }
}

/// Makes ledgers, each in a database of its own, and remembers which is where.
struct Ledgers {
    server: Server,
    made: Mutex<HashMap<usize, String>>,
}

fn address<S: ?Sized>(store: &Arc<S>) -> usize {
    Arc::as_ptr(store).cast::<()>().addr()
}

impl Ledgers {
    async fn open(&self, database: String, id: &str) -> Result<Arc<dyn LedgerStore>, StoreError> {
        let opened = PostgresLedger::open(&self.server.connection(&database), id.to_owned(), clock()).await;
        let store: Arc<dyn LedgerStore> = Arc::new(opened.map_err(store_error)?);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(address(&store), database);
        Ok(store)
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
        let database = self.made.lock().unwrap_or_else(PoisonError::into_inner).remove(&address(&store));
        let database = database.expect("the ledger was made here");
        drop(store);
        self.open(database, "the id of a new ledger only").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_postgres_ledger_keeps_every_promise() {
    let Some(server) = server() else { return };
    let bed = Ledgers { server, made: Mutex::default() };
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
