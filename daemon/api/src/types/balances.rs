//! Balances now and at any past moment, reports, statements.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::common::CutView;

/// Which balance.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BalanceQuery {
    /// The moment: a date (its close) or an instant; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// As known then: a date, an instant, or a seq; the head when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
    /// The zone of dates; UTC when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// The answer must know this record (read your writes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_seq: Option<u64>,
    /// `exact` (the ledger; default) or `cached`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<String>,
}

/// A balance, with everything needed to ask for it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BalanceView {
    /// The wallet.
    pub wallet: String,
    /// Its asset.
    pub asset: String,
    /// The balance.
    pub balance: String,
    /// The resolved instant.
    pub at: String,
    /// False before the wallet opened (the balance is 0 then).
    pub opened: bool,
    /// The cut's seq: the balance as known up to this record.
    pub seq: u64,
    /// That record's epoch.
    pub epoch: u64,
    /// The cut; a cached answer does not know its hash and has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutView>,
    /// `ledger` or `cache`.
    pub source: String,
    /// For a cached answer: how old it may be, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
}

/// Which balances over time.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Start: a date (its first instant) or an instant.
    pub from: String,
    /// End: a date (its close) or an instant; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `hour`, `day`, `week` or `month`.
    pub every: String,
    /// As known then: a date, an instant, or a seq; the head when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
    /// The zone of dates and periods; UTC when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
}

/// One row of a balance report: what `reports/balances` streams, and a history holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BalanceRow {
    /// The wallet.
    pub wallet: String,
    /// Its asset.
    pub asset: String,
    /// The balance.
    pub balance: String,
    /// The instant.
    pub at: String,
    /// False before the wallet opened.
    pub opened: bool,
    /// The cut's seq.
    pub seq: u64,
    /// True for a last period that has not ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// Balances over time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// One row a period.
    pub rows: Vec<BalanceRow>,
    /// The cut.
    pub cut: CutView,
    /// The resolved start.
    pub from: String,
    /// The resolved end.
    pub to: String,
}

/// Which wallets' balances to stream: either `at`, or `from`, `to` and `every`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// The moment: a date (its close) or an instant; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Start of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// End of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Period of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// As known then: a date, an instant, or a seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
    /// The zone of dates and periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// Only wallets of this asset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// `ndjson` (default) or `csv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// Which part of a wallet's statement.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatementQuery {
    /// Start: a date (its first instant) or an instant.
    pub from: String,
    /// End: a date (its close) or an instant; now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// As known then: a date, an instant, or a seq.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_at: Option<String>,
    /// The zone of dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many lines; 50 when left out, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A wallet's statement: opening balance, lines by effective time, closing balance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Statement {
    /// The wallet.
    pub wallet: String,
    /// Its asset.
    pub asset: String,
    /// The resolved start.
    pub from: String,
    /// The resolved end.
    pub to: String,
    /// The balance just before the start.
    pub opening: String,
    /// The balance at the end.
    pub closing: String,
    /// The cut.
    pub cut: CutView,
    /// The lines of this page.
    pub lines: Vec<StatementLine>,
    /// Where the next page starts; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One line of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementLine {
    /// The transaction.
    pub transaction: String,
    /// Its record.
    pub seq: u64,
    /// Its kind.
    pub kind: String,
    /// The other wallet; none for money from or to outside.
    pub counterparty: Option<String>,
    /// Signed: what it did to this wallet.
    pub amount: String,
    /// The balance after it, in effective order.
    pub balance: String,
    /// When it counts.
    pub effective_at: String,
    /// When it was recorded.
    pub recorded_at: String,
    /// Its key.
    pub key: Option<String>,
    /// A note.
    pub memo: String,
}
