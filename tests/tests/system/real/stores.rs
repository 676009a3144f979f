//! A test's own stores on the running stack, and a daemon's way to them.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use wallet_tests::proxy::Proxy;

use super::servers::{Mysql, Redis, Sql, drop_mongo};
use crate::harness::skipped;

/// The daemon's variable for each store.
const VARIABLES: [(&str, &str); 7] = [
    ("ledger", "WALLETD_LEDGER_URL"),
    ("wallets", "WALLETD_WALLETS_URL"),
    ("audit", "WALLETD_AUDIT_URL"),
    ("events", "WALLETD_EVENTS_URL"),
    ("balances", "WALLETD_BALANCES_URL"),
    ("limits", "WALLETD_LIMITS_URL"),
    ("traces", "WALLETD_TRACES_URL"),
];
/// Redis numbers below this are left to people and to other tests.
const FIRST_NUMBER: u32 = 256;

/// Servers that run.
#[derive(Clone, Debug)]
pub struct Stack(BTreeMap<String, String>);

impl Stack {
    /// The stack that the environment names; none, with a line that says what is skipped, if it names none.
    pub fn of(what: &str) -> Option<Self> {
        let Some(dir) = std::env::var_os("WALLET_STACK") else {
            skipped(&format!(
                "{what} (no real servers: make test starts them, or WALLET_STACK names a stack's folder)"
            ));
            return None;
        };
        let path = PathBuf::from(dir).join("env");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Some(Self::parse(&text))
    }

    /// A stack's variables, a line each.
    pub fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Self(pairs.map(|(name, value)| (name.into(), value.into())).collect())
    }

    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The same, with another stack's servers where that has any.
    pub fn with(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(&other.0).map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    pub fn get(&self, variable: &str) -> &str {
        self.0.get(variable).unwrap_or_else(|| panic!("the stack has no {variable}: {:?}", self.0))
    }

    /// The URL of a store's server, `scheme://user:password@host:port`, and what is behind it.
    fn server(&self, store: &str) -> (&str, &str) {
        let url = self.get(variable(store));
        let hosts = url.find("://").unwrap() + 3;
        url.split_at(url[hosts..].find(['/', '?']).map_or(url.len(), |at| hosts + at))
    }

    fn query(&self, store: &str) -> String {
        self.server(store).1.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default()
    }
}

fn variable(store: &str) -> &'static str {
    VARIABLES.iter().find(|(name, _)| *name == store).unwrap_or_else(|| panic!("there is no store {store}")).1
}

/// `host:port` at the end of a server's URL.
fn address(server: &str) -> SocketAddr {
    let authority = server.split_once("://").unwrap().1;
    authority.rsplit('@').next().unwrap().parse().unwrap_or_else(|error| panic!("{server}: {error}"))
}

/// Only one at a time can be where the broker sends its clients.
static KAFKA_PROXY: Mutex<()> = Mutex::new(());

/// A test's own databases, dropped with it.
pub struct Stores {
    pub stack: Stack,
    name: String,
    urls: BTreeMap<&'static str, String>,
}

impl Stores {
    /// Makes them; none, with a line that says what is skipped, without a stack.
    pub fn new(what: &str) -> Option<Self> {
        Stack::of(what).map(Self::on)
    }

    /// Makes them on a given stack.
    pub fn on(stack: Stack) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("system_{}_{count}", std::process::id());
        let mut urls = BTreeMap::new();
        for (store, _) in VARIABLES.into_iter().filter(|(_, variable)| stack.0.contains_key(*variable)) {
            let path = match store {
                "balances" | "limits" => format!("/{}", FIRST_NUMBER + count),
                "traces" => String::new(),
                _ => format!("/{name}{}", stack.query(store)),
            };
            urls.insert(store, format!("{}{path}", stack.server(store).0));
        }
        let stores = Self { stack, name, urls };
        if stores.has("ledger") {
            Sql::connect(stores.stack.get(variable("ledger"))).run(&format!("CREATE DATABASE {}", stores.name));
        }
        if stores.has("wallets") {
            Mysql::connect(stores.stack.get(variable("wallets"))).run(&format!("CREATE DATABASE {}", stores.name));
        }
        for store in ["balances", "limits"].into_iter().filter(|store| stores.has(store)) {
            Redis::connect(stores.url(store)).flush();
        }
        stores
    }

    pub fn has(&self, store: &str) -> bool {
        self.urls.contains_key(store)
    }

    /// Where a store is.
    pub fn url(&self, store: &str) -> &str {
        self.urls.get(store).unwrap_or_else(|| panic!("these stores have no {store}"))
    }

    /// What this test's topics are called before the dot.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `host:port` of the broker.
    pub fn broker(&self) -> String {
        address(self.stack.server("events").0).to_string()
    }

    /// The ledger, by SQL.
    pub fn sql(&self) -> Sql {
        Sql::connect(self.url("ledger"))
    }

    pub fn mysql(&self) -> Mysql {
        Mysql::connect(self.url("wallets"))
    }

    pub fn redis(&self) -> Redis {
        Redis::connect(self.url("balances"))
    }

    /// One daemon's way to all of them, directly.
    pub fn way(&self) -> Way {
        self.way_through(&[])
    }

    /// One daemon's way to all of them, with a proxy in front of these.
    pub fn way_through(&self, links: &[&'static str]) -> Way {
        // What belongs to the servers: the gateway is for the one daemon that a test wants in front of Keycloak.
        let ours = |name: &str| ["WALLETD_STORES__", "WALLETD_SERVER__"].iter().any(|start| name.starts_with(start));
        let settings = self.stack.0.iter().filter(|(name, _)| ours(name));
        let env = settings.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut way = Way { env, links: BTreeMap::new(), turn: None };
        for (store, url) in &self.urls {
            let mut url = url.clone();
            if links.contains(store) {
                let server = self.stack.server(store).0;
                let proxy = if *store == "events" {
                    way.turn = Some(KAFKA_PROXY.lock().unwrap_or_else(PoisonError::into_inner));
                    let here: SocketAddr = self.stack.get("STACK_KAFKA_PROXY").parse().unwrap();
                    Proxy::on(here.port(), self.stack.get("STACK_KAFKA_PROXIED").parse().unwrap()).unwrap()
                } else {
                    Proxy::to(address(server)).unwrap()
                };
                let there = SocketAddr::from((Ipv4Addr::LOCALHOST, proxy.port()));
                url = url.replacen(&address(server).to_string(), &there.to_string(), 1);
                way.links.insert(store, proxy);
            }
            way.env.insert(variable(store).into(), url);
        }
        way
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        // A test that fails is looked into: what it left is in the log's folder until the stack goes.
        if std::thread::panicking() {
            return;
        }
        if self.has("ledger") {
            let sql = Sql::connect(self.stack.get(variable("ledger")));
            sql.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
        if self.has("wallets") {
            Mysql::connect(self.stack.get(variable("wallets"))).run(&format!("DROP DATABASE IF EXISTS {}", self.name));
        }
        if self.has("audit") {
            drop_mongo(self.url("audit"), &self.name);
        }
        for store in ["balances", "limits"].into_iter().filter(|store| self.has(store)) {
            Redis::connect(self.url(store)).flush();
        }
    }
}

/// One daemon's way to the stores: its variables, and the proxies in between.
pub struct Way {
    pub env: BTreeMap<String, String>,
    links: BTreeMap<&'static str, Proxy>,
    /// Held, so that no other test is where the broker sends its clients.
    turn: Option<MutexGuard<'static, ()>>,
}

impl Way {
    /// The proxy in front of a store.
    pub fn link(&self, store: &str) -> &Proxy {
        self.links.get(store).unwrap_or_else(|| panic!("there is no proxy in front of {store}"))
    }

    /// The same, with another value for one of the daemon's variables.
    #[must_use]
    pub fn with(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.env.insert(variable.into(), value.into());
        self
    }
}
