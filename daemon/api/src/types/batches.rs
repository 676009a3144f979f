//! Many commands in one request.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, de::Visitor};
use utoipa::{IntoParams, ToSchema};
use wallet_core::{
    asset::AssetCode,
    ids::{TransactionId, WalletId},
    key::Key,
    money::Quantity,
    text::{Memo, Metadata},
    time::Timestamp,
};

/// A batch of commands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// `continue`, `stop` or `atomic`.
    pub mode: BatchMode,
    /// At most 5,000.
    pub commands: Vec<BatchCommand>,
}

/// How a batch is asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BatchParams {
    /// Decide, show what would come out, write nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// The `Idempotency-Key` of the batch this one follows. It is not tried before that one has been answered (any
    /// answer that is kept will do, refusals included): so it may be sent while that one is still under way. Where that
    /// one has not arrived, or did not happen, the answer is 409 `out_of_turn`, and nothing has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub behind: Option<Key>,
}

/// What happens after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchMode {
    /// Go on with the next.
    Continue,
    /// The rest is not attempted.
    Stop,
    /// All or nothing.
    Atomic,
}

/// One command of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchCommand {
    /// Its idempotency key.
    #[schema(value_type = String)]
    pub key: Key,
    /// `deposit`, `withdraw` or `transfer`.
    pub op: Op,
    /// The wallet that pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<WalletId>,
    /// The wallet that is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub to: Option<WalletId>,
    /// How much.
    #[schema(value_type = String)]
    pub amount: Quantity,
    /// Of what.
    #[schema(value_type = String)]
    pub asset: AssetCode,
    /// A past moment it counts from.
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

/// The operations of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Needs `to`.
    Deposit,
    /// Needs `from`.
    Withdraw,
    /// Needs both.
    Transfer,
}

/// What became of a batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchResult {
    /// True if the batch's own key was known: these are the first outcomes again.
    pub replayed: bool,
    /// One a command, in order.
    pub outcomes: Vec<RowOutcome>,
}

/// What became of one row of a batch or an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowOutcome {
    /// `ok`, `replayed`, `refused`, `conflict` or `not_attempted`.
    #[serde(deserialize_with = "outcome")]
    #[schema(value_type = String)]
    pub outcome: Cow<'static, str>,
    /// The transaction (for ok, replayed; for conflict, the one that has the key).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub transaction: Option<TransactionId>,
    /// Its record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Why it was refused: a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// For a conflict: the first field that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// The outcomes there are: thousands of them are in one answer, so they are not copied for each row.
const OUTCOMES: [&str; 5] = ["ok", "replayed", "refused", "conflict", "not_attempted"];

fn outcome<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'static, str>, D::Error> {
    struct Visit;
    impl Visitor<'_> for Visit {
        type Value = Cow<'static, str>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an outcome")
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            let known = OUTCOMES.into_iter().find(|known| *known == text);
            Ok(known.map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed))
        }
    }
    from.deserialize_str(Visit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_that_is_known_is_not_copied_and_another_one_is_kept() {
        let read =
            |name: &str| serde_json::from_str::<RowOutcome>(&format!(r#"{{"outcome":"{name}"}}"#)).unwrap().outcome;
        assert!(OUTCOMES.into_iter().all(|name| matches!(read(name), Cow::Borrowed(known) if known == name)));
        assert_eq!(read("postponed"), "postponed");
    }
}
