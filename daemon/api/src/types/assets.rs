//! Assets.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wallet_core::asset::AssetCode;

/// An asset.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssetView {
    /// Its code.
    #[schema(value_type = String, example = "EUR")]
    pub code: AssetCode,
    /// Fraction digits.
    pub scale: u32,
    /// True for ISO 4217's, false for registered ones.
    pub built_in: bool,
}

/// Every asset the ledger knows.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssetList {
    /// The assets, registered ones first.
    pub assets: Vec<AssetView>,
    /// The ledger's id: what a client keeps of its outcomes belongs to this ledger alone.
    pub ledger_id: String,
    /// Rises when the ledger is restored from a backup: what came behind the backup is gone.
    pub epoch: u64,
}

/// An asset to register.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterAsset {
    /// Its code.
    #[schema(value_type = String, example = "BTC")]
    pub code: AssetCode,
    /// Fraction digits, at most 18.
    pub scale: u32,
}
