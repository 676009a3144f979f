//! A server to test on, and databases of one's own on it.

use std::{
    io::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio_postgres::{Client, NoTls};
use walletd::{adapters::connection::Connection, address::ServerUrl};

const VARIABLE: &str = "WALLETD_TEST_POSTGRES_URL";

/// A real server.
pub(crate) struct Server {
    url: ServerUrl,
    made: Mutex<Vec<String>>,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The server named by the environment; without one this says that the test is skipped.
pub(crate) fn server() -> Option<Server> {
    let Ok(url) = std::env::var(VARIABLE) else {
        // Past the test runner, which captures what is printed.
        drop(
            std::io::stderr()
                .write_all(b"skipped: the PostgreSQL ledger (WALLETD_TEST_POSTGRES_URL names no server)\n"),
        );
        return None;
    };
    Some(Server { url: url.parse().unwrap(), made: Mutex::default() })
}

impl Server {
    /// How to reach a database of it.
    pub(crate) fn connection(&self, database: &str) -> Connection {
        let url = format!(
            "postgres://{}{}@{}/{database}",
            self.url.user().unwrap_or("postgres"),
            self.url.password().map(|password| format!(":{password}")).unwrap_or_default(),
            self.url.authorities(5432).join(","),
        );
        Connection { url: url.parse().unwrap(), tls: None, pool: 4, timeout: Duration::from_secs(5) }
    }

    /// A plain connection to a database of it.
    pub(crate) async fn client(&self, database: &str) -> Client {
        let url = self.connection(database).url.with_password();
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Makes an empty database.
    pub(crate) async fn database(&self) -> String {
        let name = format!("walletd_test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        self.client("postgres").await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    /// Drops every database made.
    pub(crate) async fn clean(&self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let drops = made.into_iter().map(|name| async move {
            let client = self.client("postgres").await;
            client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        });
        futures_util::future::join_all(drops).await;
    }
}
