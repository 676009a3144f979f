//! Why a service did not do what was asked. The gateway turns it into a problem.

use wallet_core::{
    asset::AssetCode,
    ids::{TransactionId, WalletId},
    key::Key,
    outcome::{Conflict, Refusal},
    ports::StoreError,
    time::calendar::MomentError,
};

/// An error with all its causes, in one line.
pub fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(at) = cause {
        text.push_str(": ");
        text.push_str(&at.to_string());
        cause = at.source();
    }
    text
}

/// Why a service did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A store did not answer, or holds something that cannot be.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A moment that cannot be used.
    #[error(transparent)]
    Moment(#[from] MomentError),
    /// There is no such thing.
    #[error("{detail}")]
    NotFound {
        /// The problem's code.
        code: &'static str,
        /// What there is not.
        detail: String,
    },
    /// The caller asked for something that makes no sense.
    #[error("{detail}")]
    Invalid {
        /// The problem's code.
        code: &'static str,
        /// What makes no sense, and what would.
        detail: String,
    },
    /// A rule forbids it.
    #[error("{0}")]
    Refused(Refusal),
    /// The key was used for something else.
    #[error("{0}")]
    Conflict(Conflict),
    /// The batch's own key was used for other content.
    #[error("this batch's own key was used for a batch with other content")]
    OwnKeyConflict,
    /// The batch follows another that was not answered.
    #[error("the batch that this one follows has not been answered")]
    OutOfTurn,
    /// Too much waits already.
    #[error("too many commands wait to be committed")]
    Overloaded,
    /// As many of these run and wait as may.
    #[error("{0}")]
    Busy(&'static str),
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
}

impl ServiceError {
    /// There is no such thing.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::NotFound { code, detail: detail.into() }
    }

    /// There is no such wallet.
    pub fn unknown_wallet(wallet: &WalletId) -> Self {
        Self::not_found("unknown_wallet", format!("there is no wallet {wallet}"))
    }

    /// There is such a wallet, but it opened behind the cut that was asked about.
    pub fn not_known_yet(wallet: &WalletId, seq: u64, opened: u64) -> Self {
        let detail = format!("as known at record {seq} there was no wallet {wallet}: record {opened} opened it");
        Self::not_found("not_known_yet", detail)
    }

    /// There is no such asset.
    pub fn unknown_asset(asset: AssetCode) -> Self {
        let refusal = Refusal::UnknownAsset(asset);
        Self::invalid(refusal.code(), refusal.to_string())
    }

    /// There is no such transaction.
    pub fn unknown_transaction(id: TransactionId) -> Self {
        Self::not_found("unknown_transaction", format!("there is no transaction {id}"))
    }

    /// No transaction was made with this key.
    pub fn unknown_key(key: &Key) -> Self {
        Self::not_found("unknown_transaction", format!("no transaction has the key {key}"))
    }

    /// The caller asked for something that makes no sense.
    pub fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid { code, detail: detail.into() }
    }

    /// A sum that leaves the range of money: cannot be, since every balance is inside it.
    pub fn range() -> Self {
        StoreError::corrupt("ledger", "a sum of entries leaves the range of money").into()
    }
}

impl From<super::commits::SubmitError> for ServiceError {
    fn from(error: super::commits::SubmitError) -> Self {
        match error {
            super::commits::SubmitError::Store(error) => Self::Store(error),
            super::commits::SubmitError::Overloaded => Self::Overloaded,
            super::commits::SubmitError::Stopping => Self::Stopping,
        }
    }
}
