//! Wallets: opening, changing, listing.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wallet_core::{
    account::Overdraft,
    asset::AssetCode,
    ids::{Owner, WalletId},
    text::{Label, Metadata, Reason},
    time::Timestamp,
};

/// A wallet to open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWallet {
    /// Its id; made by the daemon when left out (not in an import).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub id: Option<WalletId>,
    /// Who owns it.
    #[schema(value_type = String)]
    pub owner: Owner,
    /// Its one asset.
    #[schema(value_type = String)]
    pub asset: AssetCode,
    /// An amount, or `unlimited`; `0` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub overdraft: Option<Overdraft>,
    /// A past moment (permission `backdate`); now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub opened_at: Option<Timestamp>,
    /// A name for people.
    #[serde(default)]
    #[schema(value_type = String)]
    pub label: Label,
    /// Free facts.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub meta: Metadata,
}

/// Wallets to open together; each has the key `import:ID`, so a repeat replays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportWallets {
    /// The wallets, at most 5,000; each with an id.
    pub wallets: Vec<CreateWallet>,
}

/// A wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletView {
    /// Its id.
    pub id: String,
    /// Who owns it.
    pub owner: String,
    /// Its one asset.
    pub asset: String,
    /// `opening`, `active`, `frozen` or `closed`.
    pub status: String,
    /// How far below zero it may go: an amount, or `unlimited`.
    pub overdraft: String,
    /// When it opened.
    pub opened_at: String,
    /// A name for people.
    pub label: String,
    /// Free facts.
    pub meta: std::collections::BTreeMap<String, String>,
    /// Its balance now; only where one wallet is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<String>,
    /// The last record that touched it.
    pub seq: u64,
}

/// A page of wallets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WalletList {
    /// The wallets, by id.
    pub wallets: Vec<WalletView>,
    /// Where the next page starts; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which wallets to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WalletFilter {
    /// Only this owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only of this asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// Only with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many; 50 when left out, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A new overdraft limit.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetLimit {
    /// An amount, or `unlimited`.
    #[schema(value_type = String)]
    pub overdraft: Overdraft,
    /// Kept in the journal.
    #[serde(default)]
    #[schema(value_type = String)]
    pub reason: Reason,
}
