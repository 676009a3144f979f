//! The schemas of a configuration's stores: what `walletd migrate` shows and changes.

#![expect(clippy::single_match_else, reason = "a server or what is embedded: two cases of one rank")]

use wallet_core::ports::StoreError;

use super::stores::{Places, blocking, connection, ledger_options};
use crate::{
    adapters::{
        embedded::{audit::SqliteAudit, clock::SystemClock, ledger::FjallLedger, wallets::SqliteWallets},
        mysql::MysqlWallets,
        postgres,
        schema::{OpenError, Schema},
    },
    config::Config,
};

/// Version of the embedded ledger's format that this program knows.
const LEDGER_FORMAT: i64 = 1;

/// Each store that has a schema, with its engine.
pub async fn schemas(config: &Config) -> Result<Vec<(&'static str, &'static str, Schema)>, OpenError> {
    let places = Places::of(&config.data.directory);
    let ledger = match connection("ledger", &config.stores.ledger)? {
        Some(server) => ("ledger", "postgres", postgres::schema(&server).await?),
        None => {
            let applied = places.ledger.exists().then_some(LEDGER_FORMAT);
            ("ledger", "fjall", Schema { applied, known: LEDGER_FORMAT })
        }
    };
    let wallets = match connection("wallets", &config.stores.wallets)? {
        Some(server) => ("wallets", "mysql", MysqlWallets::schema(&server).await?),
        None => ("wallets", "sqlite", SqliteWallets::schema(&places.wallets)?),
    };
    let mut found = vec![ledger, wallets];
    if config.stores.audit.is_embedded() {
        found.push(("audit", "sqlite", SqliteAudit::schema(&places.audit)?));
    }
    Ok(found)
}

/// Brings each to what this program knows; the caller holds the data directory if a store lies there.
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    let places = Places::of(&config.data.directory);
    // Opening an embedded store migrates it. The ledger comes first: the others are made for its id.
    let id = match connection("ledger", &config.stores.ledger)? {
        Some(server) => {
            postgres::migrate(&server).await?;
            None
        }
        None => {
            let options = ledger_options(config, std::sync::Arc::new(SystemClock::new()), None);
            let ledger = blocking(move || FjallLedger::open(options)).await?;
            Some(wallet_core::ports::LedgerStore::id(&*ledger).to_owned())
        }
    };
    match connection("wallets", &config.stores.wallets)? {
        Some(server) => {
            MysqlWallets::migrate(&server).await?;
        }
        None => drop(blocking(move || SqliteWallets::open(&places.wallets)).await?),
    }
    if config.stores.audit.is_embedded()
        && let Some(id) = id
    {
        drop(blocking(move || -> Result<_, StoreError> { SqliteAudit::open(&places.audit, &id) }).await?);
    }
    Ok(())
}
