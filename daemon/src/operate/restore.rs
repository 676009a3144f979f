//! `walletd restore`: a ledger from a backup, in the engine of the configuration.

use std::{path::Path, sync::Arc};

use wallet_core::ports::{Clock, LedgerStore, StoreError};

use crate::{
    adapters::{
        connection::Connection,
        embedded::{clock::SystemClock, ledger::FjallLedger},
        postgres::Draft,
    },
    backup::{self, Summary},
    compose::{Places, ledger_options, ledger_server},
    config::Config,
    lifecycle::DataLock,
};

/// Restores; nothing is left behind if it cannot be done.
pub(crate) async fn restore(file: &Path, config: &Config) -> anyhow::Result<Summary> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    if let Some(server) = ledger_server(config)? {
        let _lock = DataLock::where_used(config)?;
        return on_a_server(file, &server, clock).await;
    }
    let _lock = DataLock::acquire(&config.data.directory)?;
    let open = |place: &Path, id: &str| -> Result<Arc<dyn LedgerStore>, StoreError> {
        let mut options = ledger_options(config, Arc::clone(&clock), Some(id.to_owned()));
        options.dir = Places::of(place).ledger;
        Ok(Arc::new(FjallLedger::open(options)?))
    };
    Ok(backup::restore(file, &config.data.directory, open, &*clock).await?)
}

async fn on_a_server(file: &Path, server: &Connection, clock: Arc<dyn Clock>) -> anyhow::Result<Summary> {
    let draft = Draft::begin(server).await?;
    let open = async |id: &str| -> Result<Arc<dyn LedgerStore>, StoreError> {
        let ledger: Arc<dyn LedgerStore> = Arc::new(draft.ledger(id, Arc::clone(&clock)).await?);
        Ok(ledger)
    };
    match backup::replay(file, open, &*clock).await {
        Ok(summary) => {
            draft.publish().await?;
            Ok(summary)
        }
        Err(error) => {
            draft.discard().await?;
            Err(error.into())
        }
    }
}
