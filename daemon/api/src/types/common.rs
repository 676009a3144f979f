//! What several topics share: a cut of the ledger, what became of a write, why something is done.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wallet_core::text::Reason;

/// A state of the whole ledger, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CutView {
    /// How often the ledger was restored from a backup, plus one.
    pub epoch: u64,
    /// The last record it holds.
    pub seq: u64,
    /// When that record was made.
    pub recorded_at: String,
    /// That record's chain hash, hex.
    pub hash: String,
}

/// Why an operator does something.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// Kept in the journal.
    #[serde(default)]
    #[schema(value_type = String)]
    pub reason: Reason,
}

/// On every write: only say what would happen.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRun {
    /// Decide, show the balances that would result, write nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Posted<T> {
    /// `ok`, or `replayed` if it had happened before under this key.
    pub outcome: String,
    /// True if nothing was written.
    pub dry_run: bool,
    /// What it is now (or would be).
    #[serde(flatten)]
    pub result: T,
}
