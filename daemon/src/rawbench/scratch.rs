//! A benchmark's own place on the servers of the configuration: made before the scratch daemon starts, dropped behind it.
//!
//! PostgreSQL and MySQL get a database; MongoDB makes its own when it is first written to; Kafka's topics get a prefix.
//! Redis needs nothing: what a ledger caches lies under its id. Nothing else on a server is touched, so the account needs
//! the right to make databases, and a URL may name any database it can log in to.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::{
    adapters::{
        connection::Connection, kafka::KafkaBus, mongo::MongoAudit, mysql::MysqlWallets, postgres, redis::RedisCache,
    },
    address::ServerUrl,
    compose::connection,
    config::{Config, Store},
};

/// Longest name of a benchmark's databases: it fits every engine with room to spare.
const LONGEST: usize = 40;

/// Arguments of making and dropping.
#[derive(clap::Args)]
pub struct BenchStores {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make databases of this name; prints the variables that lead a daemon there
    Make {
        /// The name
        name: Name,
    },
    /// Drop them
    Drop {
        /// The name
        name: Name,
        /// The ledger that was in them
        #[arg(long, default_value = "")]
        ledger_id: String,
    },
}

/// A name that needs no quotes anywhere: `[a-z][a-z0-9_]*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if first && text.len() <= LONGEST && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("a name is up to {LONGEST} of a-z, 0-9 and _, and begins with a letter"))
        }
    }
}

/// Makes or drops; gives what is to be printed.
pub(super) fn run(args: &BenchStores, config: &Config) -> anyhow::Result<String> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        match &args.what {
            What::Make { name } => {
                let made = make(name, config).await;
                if made.is_err() {
                    // What was made before is of no use; what cannot be dropped is named by the error that is given.
                    drop(remove(name, "", config).await);
                }
                Ok(serde_json::to_string(&made?)? + "\n")
            }
            What::Drop { name, ledger_id } => remove(name, ledger_id, config).await.map(|()| String::new()),
        }
    })
}

/// The variable that leads a daemon to a store.
fn variable(store: &str) -> String {
    format!("WALLETD_{}_URL", store.to_uppercase())
}

/// A store's server, and where a benchmark's own part of it is.
fn place(
    what: &'static str,
    store: &Store,
    name: &Name,
) -> anyhow::Result<Option<(Connection, Connection, ServerUrl)>> {
    let (Some(there), Some(url)) = (connection(what, store)?, store.server()) else { return Ok(None) };
    let mine = Connection { url: there.url.clone().having_path(name.0.clone()), ..there.clone() };
    Ok(Some((there, mine, url.having_path(name.0.clone()))))
}

async fn make(name: &Name, config: &Config) -> anyhow::Result<BTreeMap<String, String>> {
    let stores = &config.stores;
    let mut variables = BTreeMap::new();
    let mut goes_to = |store: &str, url: &ServerUrl| drop(variables.insert(variable(store), url.with_password()));
    if let Some((there, _, url)) = place("ledger", &stores.ledger, name)? {
        let made = postgres::make_database(&there, &name.0).await;
        made.with_context(|| {
            format!("no database on {}: a benchmark needs an account that may make one (CREATEDB)", there.url)
        })?;
        goes_to("ledger", &url);
    }
    if let Some((there, _, url)) = place("wallets", &stores.wallets, name)? {
        let made = MysqlWallets::make_database(&there, &name.0).await;
        made.with_context(|| {
            format!("no database on {}: a benchmark needs an account that may make one (GRANT ALL ON *.*)", there.url)
        })?;
        goes_to("wallets", &url);
    }
    for (what, store) in [("audit", &stores.audit), ("events", &stores.events)] {
        if let Some((_, _, url)) = place(what, store, name)? {
            goes_to(what, &url);
        }
    }
    for (what, store) in [("balances", &stores.balances), ("limits", &stores.limits)] {
        if let Some(url) = store.server() {
            goes_to(what, &url);
        }
    }
    Ok(variables)
}

/// Drops all there is, whatever of it fails; the errors together.
async fn remove(name: &Name, ledger_id: &str, config: &Config) -> anyhow::Result<()> {
    let stores = &config.stores;
    let mut failed = Vec::new();
    let mut note = |what: &str, done: anyhow::Result<()>| {
        failed.extend(done.err().map(|error| format!("{what}: {error:#}")));
    };
    if let Some((there, _, _)) = place("ledger", &stores.ledger, name)? {
        note("ledger", postgres::drop_database(&there, &name.0).await.map_err(Into::into));
    }
    if let Some((there, _, _)) = place("wallets", &stores.wallets, name)? {
        note("wallets", MysqlWallets::drop_database(&there, &name.0).await.map_err(Into::into));
    }
    if let Some((_, mine, _)) = place("audit", &stores.audit, name)? {
        note("audit", MongoAudit::drop_database(&mine).await.map_err(Into::into));
    }
    if let Some((_, mine, _)) = place("events", &stores.events, name)? {
        note("events", KafkaBus::drop_topics(&mine).await.map_err(Into::into));
    }
    if let Some(there) = connection("balances", &stores.balances)?.filter(|_| !ledger_id.is_empty()) {
        note("balances", RedisCache::forget(&there, ledger_id).await.map_err(Into::into));
    }
    anyhow::ensure!(failed.is_empty(), "what is called {} is left on the servers: {}", name.0, failed.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_no_quotes_in_any_engine() {
        assert_eq!("bench_17_a".parse(), Ok(Name("bench_17_a".into())));
        for text in ["", "1a", "_a", "a-b", "a b", "a;b", "A", "ä", &"a".repeat(LONGEST + 1)] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_store_gets_its_own_part_of_its_server() {
        let store = Store { url: "postgres://ana:s@localhost:1/wallet".into(), ..Store::default() };
        let (there, mine, url) = place("ledger", &store, &Name("bench_1".into())).unwrap().unwrap();
        assert_eq!((there.url.path(), mine.url.path()), ("wallet", "bench_1"));
        assert_eq!(url.with_password(), "postgres://ana:s@localhost:1/bench_1");
        assert!(place("ledger", &Store::default(), &Name("bench_1".into())).unwrap().is_none());
    }
}
