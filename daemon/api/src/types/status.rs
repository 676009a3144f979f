//! What the daemon says about itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::common::CutView;

/// How far a rebuild is: one line a step, the last one with `finished`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RebuildStep {
    /// What is rebuilt: `wallets`, `balances`, `audit` or `events`.
    pub store: String,
    /// What the numbers count: `wallets` or `records`.
    pub unit: String,
    /// How many are done.
    pub done: u64,
    /// Of how many, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// True on the last line of a rebuild that is done.
    pub finished: bool,
    /// Why it ended early; running it again is safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the daemon says about itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// `serving` or `draining`.
    pub state: String,
    /// Its process.
    pub pid: u32,
    /// The ledger's id.
    pub ledger_id: String,
    /// The head.
    pub cut: CutView,
    /// The daemon's clock.
    pub now: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Commands waiting to be committed.
    pub queued: u64,
    /// How far each projection is.
    pub projections: Vec<Projection>,
    /// Stores in use, by port.
    pub stores: std::collections::BTreeMap<String, String>,
}

/// A projection of the journal.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Projection {
    /// `wallets`, `balances` or `audit`.
    pub name: String,
    /// The last record that took effect in it.
    pub seq: u64,
    /// Records behind the head.
    pub lag: u64,
    /// Why it does not move, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What all wallets of an asset hold together.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// One an asset in use.
    pub totals: Vec<Total>,
    /// The head.
    pub cut: CutView,
}

/// What all wallets of one asset hold together.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Total {
    /// The asset.
    pub asset: String,
    /// What wallets hold.
    pub wallets: String,
    /// The other side: always its opposite.
    pub external: String,
}
