//! The journal, the audit trail, and verifying them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::common::CutView;

/// Which records of the journal to stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JournalQuery {
    /// Records with a seq above this; 0 when left out.
    #[serde(default)]
    pub after: u64,
    /// Records up to this seq; the head when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}

/// One line of the journal's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JournalLine {
    /// The record's number.
    pub seq: u64,
    /// SHA-256 of the previous hash and the record's bytes, hex.
    pub hash: String,
    /// The record's very bytes (canonical JSON) as a string.
    pub record: String,
}

/// Which audit records to list, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditFilter {
    /// Only by this actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Only about this wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<String>,
    /// Only of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only of this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Only recorded at or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only recorded at or before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The zone of dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many; 50 when left out, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// One record of the audit trail.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditRecord {
    /// Its number.
    pub seq: u64,
    /// What happened.
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// When it was recorded.
    pub recorded_at: String,
    /// The wallets it is about.
    pub wallets: Vec<String>,
    /// The HTTP request it came with.
    pub request_id: Option<String>,
    /// Its chain hash.
    pub hash: String,
    /// The whole record.
    #[schema(value_type = Object)]
    pub record: serde_json::Value,
}

/// A page of the audit trail.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditList {
    /// The records.
    pub records: Vec<AuditRecord>,
    /// Where the next page starts; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What to verify.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// A cut that was written down, `SEQ:HASH`: proves that nothing up to it was changed or cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// Hold every store that follows the ledger (audit trail, events, wallet rows, cached balances) against it, whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stores: bool,
}

/// What verification found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Verification {
    /// True if everything agrees.
    pub ok: bool,
    /// Each check, in order.
    pub checks: Vec<Check>,
    /// The ledger's head when it began.
    pub cut: CutView,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// One check.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// True if it holds.
    pub ok: bool,
    /// Records or wallets looked at.
    pub count: u64,
    /// What was found: on a fault, the first record or wallet that differs.
    pub detail: String,
}
