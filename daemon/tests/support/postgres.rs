//! A server to test on, and databases of one's own on it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_postgres::{Client, NoTls};
use walletd::adapters::connection::Connection;

pub(crate) use crate::common::Server;

/// The server named by the environment; without one this says that the test is skipped.
pub(crate) fn server() -> Option<Server> {
    Server::named("WALLETD_TEST_POSTGRES_URL", "the PostgreSQL ledger", 5432)
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

    /// How to reach a database of it through a proxy.
    pub(crate) fn by(&self, database: &str, proxy: &Proxy) -> Connection {
        let direct = self.connection(database);
        let login = direct.url.with_password().rsplit_once('@').map(|(login, _)| login.to_owned()).unwrap();
        Connection { url: format!("{login}@127.0.0.1:{}/{database}", proxy.port).parse().unwrap(), ..direct }
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
        let name = self.new_name();
        self.client("postgres").await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        name
    }

    /// Drops every database made.
    pub(crate) async fn clean(&self) {
        let drops = self.made().into_iter().map(|name| async move {
            let client = self.client("postgres").await;
            client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        });
        futures_util::future::join_all(drops).await;
    }
}

/// A way to the server that can be cut: what goes through it is forwarded, until it is told otherwise.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    mode: Arc<AtomicU32>,
    /// Transactions that were begun.
    begun: Arc<AtomicU32>,
    listener: Option<JoinHandle<()>>,
    target: String,
}

/// What a proxy does with what commits next.
#[derive(Clone, Copy)]
pub(crate) enum Cut {
    /// Nothing is cut.
    Nothing = 0,
    /// It arrives, its answer does not.
    BehindCommit = 1,
    /// It does not arrive.
    BeforeCommit = 2,
    /// It arrives when whoever sent it has long given it up.
    LongAfter = 3,
}

/// How long after: longer than a ledger looks for what became of it.
const LONG: Duration = Duration::from_millis(1_500);

impl Proxy {
    pub(crate) async fn to(server: &Server) -> Self {
        let target = server.host();
        let mut proxy = Self { port: 0, mode: Arc::default(), begun: Arc::default(), listener: None, target };
        proxy.up().await;
        proxy
    }

    /// Listens (again, on the same port).
    pub(crate) async fn up(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let (mode, begun, target) = (Arc::clone(&self.mode), Arc::clone(&self.begun), self.target.clone());
        self.listener = Some(tokio::spawn(async move {
            // Going down aborts these as well.
            let mut links = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&target).await.unwrap();
                links.spawn(forward(near, far, Arc::clone(&mode), Arc::clone(&begun)));
            }
        }));
    }

    /// Refuses connections and breaks those there are.
    pub(crate) async fn down(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.abort();
            drop(listener.await);
        }
    }

    /// Transactions begun so far by a statement of their own.
    pub(crate) fn begun(&self) -> u32 {
        self.begun.load(Ordering::SeqCst)
    }

    /// Cuts the connection of what commits next.
    pub(crate) fn cut(&self, cut: Cut) {
        self.mode.store(cut as u32, Ordering::SeqCst);
    }

    /// True while nothing was cut since it was told to.
    pub(crate) fn is_armed(&self) -> bool {
        self.mode.load(Ordering::SeqCst) != Cut::Nothing as u32
    }
}

/// True if a chunk commits: by the word, or because it has a record in it and stands in no transaction.
fn commits(bytes: &[u8], within: &mut bool) -> bool {
    let has = |word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    let ends = has(b"COMMIT\0");
    *within = (*within || has(b"BEGIN\0")) && !has(b"ROLLBACK\0");
    let commits = ends || (!*within && has(b"\"recorded_at\":"));
    *within &= !ends;
    commits
}

async fn forward(near: TcpStream, far: TcpStream, mode: Arc<AtomicU32>, begun: Arc<AtomicU32>) {
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), far.into_split());
    // What comes back behind a commit that is being cut is lost.
    let deaf = AtomicBool::new(false);
    let out = async {
        let (mut chunk, mut within) = (vec![0; 1 << 16], false);
        loop {
            let count = from_near.read(&mut chunk).await.unwrap_or(0);
            let bytes = &chunk[..count];
            if count == 0 {
                return None;
            }
            begun.fetch_add(u32::from(bytes.windows(6).any(|word| word == b"BEGIN\0")), Ordering::SeqCst);
            let cut = if commits(bytes, &mut within) { mode.swap(0, Ordering::SeqCst) } else { 0 };
            if cut == Cut::BeforeCommit as u32 {
                return None;
            }
            if cut == Cut::LongAfter as u32 {
                return Some(bytes.to_vec());
            }
            deaf.store(cut == Cut::BehindCommit as u32, Ordering::SeqCst);
            if to_far.write_all(bytes).await.is_err() {
                return None;
            }
            if cut == Cut::BehindCommit as u32 {
                // Time for the server to do it.
                tokio::time::sleep(Duration::from_millis(100)).await;
                return None;
            }
        }
    };
    let back = async {
        let mut chunk = vec![0; 1 << 16];
        loop {
            let count = from_far.read(&mut chunk).await.unwrap_or(0);
            if count == 0 {
                return None;
            }
            if deaf.load(Ordering::SeqCst) {
                continue;
            }
            if to_near.write_all(&chunk[..count]).await.is_err() {
                return None;
            }
        }
    };
    let late: Option<Vec<u8>> = tokio::select! { late = out => late, none = back => none };
    if let Some(late) = late {
        drop((from_near, to_near));
        tokio::time::sleep(LONG).await;
        drop(to_far.write_all(&late).await);
        // Until the server has done with it.
        drop(tokio::time::timeout(LONG, from_far.read(&mut [0; 1 << 10])).await);
    }
}
