//! Assets the ledger knows.

use std::sync::Arc;

use wallet_core::{
    asset::{Asset, Assets},
    ports::LedgerStore,
};

use super::ServiceError;

/// Assets the ledger knows.
#[derive(Clone)]
pub struct AssetService {
    ledger: Arc<dyn LedgerStore>,
}

impl AssetService {
    /// Over this ledger.
    pub fn new(ledger: Arc<dyn LedgerStore>) -> Self {
        Self { ledger }
    }

    /// Every asset, registered ones first; true for built-in ones.
    pub async fn list(&self) -> Result<Vec<(Asset, bool)>, ServiceError> {
        let assets = self.ledger.assets().await?;
        let registered = assets.registered().map(|asset| (asset, false));
        Ok(registered.chain(Assets::built_in().map(|asset| (asset, true))).collect())
    }
}
