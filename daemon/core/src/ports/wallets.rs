use async_trait::async_trait;

use super::{Page, StoreError};
use crate::{
    account::Status,
    asset::AssetCode,
    ids::{Owner, WalletId},
    text::{Label, Metadata},
    time::Timestamp,
};

/// Where a wallet's row is: the wallet store alone knows `Opening`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletState {
    /// Asked for; the ledger has not confirmed it yet.
    Opening,
    /// In the ledger, with this status.
    Open(Status),
}

impl WalletState {
    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Open(status) => status.as_str(),
        }
    }
}

/// A wallet in the control plane: everything but its money. `status` and `overdraft` are copies
/// for lists; the ledger's account has the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletRow {
    /// Its id.
    pub id: WalletId,
    /// Who owns it.
    pub owner: Owner,
    /// Its asset.
    pub asset: AssetCode,
    /// Where it is.
    pub state: WalletState,
    /// The overdraft limit as text: an amount at scale, or `unlimited`.
    pub overdraft: String,
    /// When it opened (for `Opening`: when it was asked for).
    pub opened_at: Timestamp,
    /// A name for people.
    pub label: Label,
    /// Free facts.
    pub meta: Metadata,
    /// The journal record this row reflects; 0 while opening.
    pub seq: u64,
}

/// Which wallets to list, by id.
#[derive(Clone, Debug, Default)]
pub struct WalletQuery {
    /// Only this owner's.
    pub owner: Option<Owner>,
    /// Only of this asset.
    pub asset: Option<AssetCode>,
    /// Only in this state.
    pub state: Option<WalletState>,
    /// Only ids behind this one.
    pub after: Option<WalletId>,
    /// At most so many.
    pub limit: usize,
}

/// The control plane's store of wallets. It follows the ledger and can be rebuilt from it.
#[async_trait]
pub trait WalletStore: Send + Sync {
    /// Notes that wallets are about to be opened, in one durable step. An id that has a row keeps it.
    async fn opening(&self, rows: &[WalletRow]) -> Result<(), StoreError>;

    /// Puts rows made from journal records, in one durable step; a row of the same or a newer seq stays.
    async fn put_if_newer(&self, rows: &[WalletRow]) -> Result<(), StoreError>;

    /// Takes rows away that are still `Opening`: their opening was refused. Other rows stay.
    async fn forget_opening(&self, ids: &[WalletId]) -> Result<(), StoreError>;

    /// One wallet.
    async fn get(&self, id: &WalletId) -> Result<Option<WalletRow>, StoreError>;

    /// Several wallets; unknown ids are left out.
    async fn get_many(&self, ids: &[WalletId]) -> Result<Vec<WalletRow>, StoreError>;

    /// Wallets by id.
    async fn list(&self, query: &WalletQuery) -> Result<Page<WalletRow>, StoreError>;

    /// The journal position up to which all wallet records have taken effect here.
    async fn position(&self) -> Result<u64, StoreError>;

    /// Rows and position in one durable step: what the follower of the journal calls.
    /// `put_if_newer` for the rows; the position only grows.
    async fn follow(&self, rows: &[WalletRow], position: u64) -> Result<(), StoreError>;

    /// Drops everything, to be rebuilt from the journal.
    async fn clear(&self) -> Result<(), StoreError>;
}
