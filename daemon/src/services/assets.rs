//! Assets the ledger knows.

use std::sync::Arc;

use wallet_core::{
    asset::{Asset, AssetCode, Assets},
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

    /// Refuses an asset that the ledger does not know: nothing can be of it, and a slip of the pen is no empty answer.
    pub async fn known(&self, asset: Option<AssetCode>) -> Result<Option<AssetCode>, ServiceError> {
        if let Some(code) = asset
            && self.ledger.assets().await?.get(code).is_none()
        {
            return Err(ServiceError::unknown_asset(code));
        }
        Ok(asset)
    }

    /// Which ledger this is: its id, and its epoch.
    pub async fn ledger(&self) -> Result<(String, u64), ServiceError> {
        Ok((self.ledger.id().to_owned(), self.ledger.head().await?.epoch))
    }
}
