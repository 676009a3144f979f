//! What the tests of the adapters share: a server to test on, where each store lies, a little money to move, and a link that
//! breaks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says what is wrong by panicking")]
#![allow(dead_code, reason = "each test uses what it needs")]

pub(crate) mod link;

use std::{
    collections::HashMap,
    io::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use wallet_core::{
    account::Overdraft,
    command::{Action, Command, Move, OpenWallet},
    key::ScopedKey,
    text::Metadata,
};
use walletd::{adapters::connection::Connection, address::ServerUrl};

use self::link::Link;

/// Databases of one run are apart from those of another.
static COUNT: AtomicU64 = AtomicU64::new(1);

/// What a variable of the environment names; without it, none and a line that says what is skipped.
pub(crate) fn named(variable: &str, what: &str) -> Option<String> {
    let found = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if found.is_none() {
        // Straight to stderr: what a test skips is seen, captured output or not.
        let line = format!("skipped: {what} ({variable} names none)\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    found
}

/// A conformance list was kept.
pub(crate) fn kept(result: Result<(), String>) {
    if let Err(broken) = result {
        panic!("{broken}");
    }
}

/// A server for tests, and the databases made on it.
pub(crate) struct Server {
    pub(crate) url: ServerUrl,
    port: u16,
    made: Mutex<Vec<String>>,
}

impl Server {
    /// The one that a variable names; `port` where its URL has none.
    pub(crate) fn named(variable: &str, what: &str, port: u16) -> Option<Self> {
        let url = self::named(variable, what)?;
        Some(Self { url: url.parse().unwrap(), port, made: Mutex::default() })
    }

    /// `host:port`.
    pub(crate) fn host(&self) -> String {
        self.url.authorities(self.port).swap_remove(0)
    }

    /// A name for a new database, which is remembered.
    pub(crate) fn new_name(&self) -> String {
        let name = format!("walletd_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        name
    }

    /// The names so far, for dropping what is there by them; forgotten from now on.
    pub(crate) fn made(&self) -> Vec<String> {
        std::mem::take(&mut self.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same way through a link.
    pub(crate) fn through(&self, connection: &Connection, link: &Link) -> Connection {
        let url = connection.url.with_password().replace(&self.host(), &link.address().to_string());
        Connection { url: url.parse().unwrap(), ..connection.clone() }
    }
}

/// Where open stores lie, so that a bed opens each again in its own place.
pub(crate) struct Places<P>(Mutex<HashMap<usize, P>>);

impl<P> Default for Places<P> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

fn address<S: ?Sized>(store: &Arc<S>) -> usize {
    Arc::as_ptr(store).cast::<()>().addr()
}

impl<P> Places<P> {
    /// Remembers it; gives the store back.
    pub(crate) fn keep<S: ?Sized>(&self, store: Arc<S>, place: P) -> Arc<S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(address(&store), place);
        store
    }

    /// Closes a store; where it lay.
    pub(crate) fn close<S: ?Sized>(&self, store: Arc<S>) -> P {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&address(&store));
        drop(store);
        place.expect("the store was made here")
    }
}

/// A command under a shared key.
pub(crate) fn command(key: &str, action: Action) -> Command {
    Command { key: ScopedKey::shared(key.parse().unwrap()), action }
}

/// Opening a wallet in EUR.
pub(crate) fn wallet(id: &str, overdraft: Overdraft) -> OpenWallet {
    OpenWallet {
        id: id.parse().unwrap(),
        owner: "ada".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        overdraft,
        opened_at: None,
        label: "".parse().unwrap(),
        meta: Metadata::default(),
    }
}

/// Moving EUR; without a side it is a deposit or a withdrawal.
pub(crate) fn payment(from: Option<&str>, to: Option<&str>, amount: &str) -> Move {
    Move {
        from: from.map(|id| id.parse().unwrap()),
        to: to.map(|id| id.parse().unwrap()),
        amount: amount.parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        effective_at: None,
        memo: "".parse().unwrap(),
        meta: Metadata::default(),
    }
}
