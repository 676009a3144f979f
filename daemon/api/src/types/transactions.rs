//! Money that moves, one transaction at a time.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use wallet_core::{
    asset::AssetCode,
    ids::WalletId,
    money::Quantity,
    text::{Memo, Metadata},
    time::Timestamp,
};

/// A deposit (`to`), a withdrawal (`from`) or a transfer (both).
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveMoney {
    /// The wallet that pays; none in a deposit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<WalletId>,
    /// The wallet that is paid; none in a withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub to: Option<WalletId>,
    /// How much: `digits[.digits]`.
    #[schema(value_type = String, example = "10.50")]
    pub amount: Quantity,
    /// Of what.
    #[schema(value_type = String, example = "EUR")]
    pub asset: AssetCode,
    /// A past moment it counts from (permission `backdate`); when it is recorded, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub effective_at: Option<Timestamp>,
    /// A note.
    #[serde(default, skip_serializing_if = "Memo::is_empty")]
    #[schema(value_type = String)]
    pub memo: Memo,
    /// Free facts.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub meta: Metadata,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransactionView {
    /// Its id, `tx_EPOCH_SEQ`. Absent in a dry run.
    pub transaction: Option<String>,
    /// Its record's number.
    pub seq: u64,
    /// `deposit`, `withdrawal`, `transfer` or `reversal`.
    pub kind: String,
    /// The wallet that paid; none for a deposit.
    pub from: Option<String>,
    /// The wallet that was paid; none for a withdrawal.
    pub to: Option<String>,
    /// How much.
    pub amount: String,
    /// Of what.
    pub asset: String,
    /// When it counts.
    pub effective_at: String,
    /// When it was recorded.
    pub recorded_at: String,
    /// Its idempotency key.
    pub key: Option<String>,
    /// A note.
    pub memo: String,
    /// Free facts.
    pub meta: std::collections::BTreeMap<String, String>,
    /// Who did it.
    pub actor: String,
    /// The paying wallet's balance after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_balance: Option<String>,
    /// The paid wallet's balance after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_balance: Option<String>,
    /// For a reversal: what it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverses: Option<String>,
    /// The reversal that undid it (where one transaction is shown).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversed_by: Option<String>,
    /// Its chain hash. Absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// A reversal to make.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReverseTransaction {
    /// When it counts; not before the original. Now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub effective_at: Option<Timestamp>,
    /// Let the paying wallet go below its floor.
    #[serde(default)]
    pub allow_negative: bool,
    /// A note.
    #[serde(default)]
    #[schema(value_type = String)]
    pub memo: Memo,
}

/// Which transactions to list, newest recorded first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TransactionFilter {
    /// Only of this wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<String>,
    /// Only of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only recorded at or after: a date (its start) or an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only recorded at or before: a date (its close) or an instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The zone of dates; UTC when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many; 50 when left out, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A page of transactions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TransactionList {
    /// The transactions.
    pub transactions: Vec<TransactionView>,
    /// Where the next page starts; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
