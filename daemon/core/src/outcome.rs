//! Outcomes: every answer the ledger can give to a command, down to the field that differs.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    account::Status,
    asset::AssetCode,
    ids::{AccountId, TransactionId, WalletId},
    journal::{Stored, TransactionKind},
    key::Key,
    money::{Balance, MoneyError},
    time::Timestamp,
};

/// What became of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It happened now.
    Ok(Arc<Stored>),
    /// It had happened before under this key; this is that record.
    Replayed(Arc<Stored>),
    /// A rule forbids it. Nothing happened; the key is free.
    Refused(Refusal),
    /// The key was used for something else. Nothing happened.
    Conflict(Conflict),
    /// It was not tried: something before it was refused, or a member of its group was.
    NotAttempted,
}

impl Outcome {
    /// The record, if there is one.
    pub fn record(&self) -> Option<&Arc<Stored>> {
        match self {
            Self::Ok(record) | Self::Replayed(record) => Some(record),
            _ => None,
        }
    }

    /// The word used everywhere.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ok(_) => "ok",
            Self::Replayed(_) => "replayed",
            Self::Refused(_) => "refused",
            Self::Conflict(_) => "conflict",
            Self::NotAttempted => "not_attempted",
        }
    }
}

/// The answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One outcome a command, in order.
    Outcomes {
        /// The outcomes.
        outcomes: Vec<Outcome>,
        /// True if the request's own key was known and this is its first answer again.
        replayed: bool,
    },
    /// The request's own key was used for other content. Nothing happened.
    OwnKeyConflict,
    /// The request follows another that has not been answered. Nothing happened, and nothing is kept.
    OutOfTurn,
}

/// A key that was used for something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The first field that differs.
    pub field: Cow<'static, str>,
    /// Epoch and seq of the record that has the key.
    pub existing: TransactionId,
    /// That record's kind.
    pub kind: Cow<'static, str>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key was used for something else: {} differs; {} has it", self.field, self.holder())
    }
}

impl Conflict {
    /// What has the key, as people look it up: a transaction by its id, any other record by its number.
    pub fn holder(&self) -> String {
        if self.is_of_transaction() {
            return self.existing.to_string();
        }
        format!("record {} ({})", self.existing.seq, self.kind)
    }

    /// True if a transaction has the key.
    pub fn is_of_transaction(&self) -> bool {
        TransactionKind::ALL.iter().any(|kind| kind.as_str() == self.kind)
    }
}

/// Why a rule forbids a command. Each has a code, a status and an exit code in one table ([`Refusal::code`], wallet-api's problems).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No such wallet.
    UnknownWallet(AccountId),
    /// No such asset.
    UnknownAsset(AssetCode),
    /// The wallet holds another asset.
    AssetMismatch {
        /// The wallet.
        account: AccountId,
        /// What it holds.
        holds: AssetCode,
        /// What was asked for.
        asked: AssetCode,
    },
    /// The amount does not fit the asset.
    Amount(MoneyError),
    /// From and to are the same wallet.
    SameWallet,
    /// The wallet is frozen.
    Frozen(AccountId),
    /// The wallet is closed.
    Closed(AccountId),
    /// A debit would take the wallet below its floor.
    InsufficientFunds {
        /// The wallet.
        account: AccountId,
        /// What a debit may take at most; not below zero.
        available: Balance,
    },
    /// A balance would have more than 27 digits.
    BalanceRange(AccountId),
    /// `effective_at` is after now.
    EffectiveInFuture,
    /// `effective_at` is before the wallet opened.
    BeforeOpened {
        /// The wallet.
        account: AccountId,
        /// When it opened.
        opened_at: Timestamp,
    },
    /// A wallet of this id exists.
    WalletExists(WalletId),
    /// The wallet is in no state for this step (for example unfreezing an active one).
    WrongStatus {
        /// The wallet.
        account: AccountId,
        /// What it is.
        status: Status,
    },
    /// A wallet with money in it, or below zero, cannot be closed.
    NotEmpty {
        /// The wallet.
        account: AccountId,
        /// What it holds.
        balance: Balance,
    },
    /// The present balance is already below the new limit.
    LimitBroken {
        /// The wallet.
        account: AccountId,
        /// What it holds.
        balance: Balance,
    },
    /// The asset is known, with another scale or built in.
    AssetExists,
    /// No such transaction.
    UnknownTransaction,
    /// A reversal is never reversed; nor is anything but a transaction.
    NotReversible,
    /// It was reversed before.
    AlreadyReversed(TransactionId),
    /// The reversal would count before the original does.
    BeforeOriginal(Timestamp),
    /// Some keys of an atomic group are known and some are not, or one is in it twice.
    GroupPartlyApplied {
        /// The first that is.
        key: Key,
    },
    /// Money of somebody bound to their own wallets cannot go there: unknown, frozen, closed or of another asset, which
    /// is not said.
    Destination(AccountId),
    /// Somebody bound to their own wallets asked for something other than a transfer.
    OnlyTransfers,
}

impl Refusal {
    /// The code: a contract, in JSON, in results files, in `walletctl explain`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownWallet(_) => "unknown_wallet",
            Self::UnknownAsset(_) => "unknown_asset",
            Self::AssetMismatch { .. } => "asset_mismatch",
            Self::Amount(_) => "invalid_amount",
            Self::SameWallet => "same_wallet",
            Self::Frozen(_) => "wallet_frozen",
            Self::Closed(_) => "wallet_closed",
            Self::InsufficientFunds { .. } => "insufficient_funds",
            Self::BalanceRange(_) => "balance_range",
            Self::EffectiveInFuture => "effective_in_future",
            Self::BeforeOpened { .. } => "before_opened",
            Self::WalletExists(_) => "wallet_exists",
            Self::WrongStatus { .. } => "wrong_status",
            Self::NotEmpty { .. } => "wallet_not_empty",
            Self::LimitBroken { .. } => "limit_broken",
            Self::AssetExists => "asset_exists",
            Self::UnknownTransaction => "unknown_transaction",
            Self::NotReversible => "not_reversible",
            Self::AlreadyReversed(_) => "already_reversed",
            Self::BeforeOriginal(_) => "before_original",
            Self::GroupPartlyApplied { .. } => "group_partly_applied",
            Self::Destination(_) => "destination_refused",
            Self::OnlyTransfers => "forbidden",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownWallet(id) => write!(f, "there is no wallet {id}"),
            Self::UnknownAsset(code) => write!(f, "asset {code} is neither in ISO 4217 nor registered"),
            Self::AssetMismatch { account, holds, asked } => write!(f, "wallet {account} holds {holds}, not {asked}"),
            Self::Amount(why) => write!(f, "{why}"),
            Self::SameWallet => f.write_str("from and to are the same wallet"),
            Self::Frozen(id) => write!(f, "wallet {id} is frozen"),
            Self::Closed(id) => write!(f, "wallet {id} is closed"),
            Self::InsufficientFunds { account, available } => write!(f, "wallet {account} has {available} available"),
            Self::BalanceRange(id) => write!(f, "the balance of {id} would have more than 27 digits"),
            Self::EffectiveInFuture => f.write_str("effective_at is in the future"),
            Self::BeforeOpened { account, opened_at } => write!(f, "wallet {account} opened later, at {opened_at}"),
            Self::WalletExists(id) => write!(f, "there is a wallet {id} already"),
            Self::WrongStatus { account, status } => {
                write!(f, "wallet {account} is {}, which does not allow this", status.as_str())
            }
            Self::NotEmpty { account, balance } => {
                write!(f, "wallet {account} holds {balance}; only an empty wallet can be closed")
            }
            Self::LimitBroken { account, balance } => {
                write!(f, "wallet {account} holds {balance}, below the new limit")
            }
            Self::AssetExists => f.write_str("the asset exists with another scale, or is built in"),
            Self::UnknownTransaction => f.write_str("there is no such transaction"),
            Self::NotReversible => f.write_str("only a deposit, withdrawal or transfer can be reversed"),
            Self::AlreadyReversed(by) => write!(f, "it was reversed before, by {by}"),
            Self::BeforeOriginal(at) => write!(f, "a reversal cannot count before its original, {at}"),
            Self::GroupPartlyApplied { key } => {
                write!(f, "some keys of this group were used before or twice, {key} first; others were not")
            }
            Self::Destination(id) => write!(f, "money of this asset cannot be sent to {id}"),
            Self::OnlyTransfers => f.write_str("only transfers out of one's own wallets are allowed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_transaction_is_called_one() {
        let existing = TransactionId { epoch: 1, seq: 22 };
        let holder = |kind: &'static str| Conflict { field: "owner".into(), existing, kind: kind.into() }.holder();
        assert_eq!(holder("transfer"), "tx_1_22");
        assert_eq!(holder("wallet_opened"), "record 22 (wallet_opened)");
    }

    #[test]
    fn a_refusal_names_what_it_knows() {
        let account = || AccountId::Wallet("w_1".parse().unwrap());
        let (eur, usd): (AssetCode, AssetCode) = ("EUR".parse().unwrap(), "USD".parse().unwrap());
        for (refusal, words) in [
            (Refusal::UnknownAsset(usd), &["USD"][..]),
            (Refusal::AssetMismatch { account: account(), holds: eur, asked: usd }, &["w_1", "EUR", "USD"]),
            (Refusal::WalletExists("w_1".parse().unwrap()), &["w_1"]),
            (Refusal::WrongStatus { account: account(), status: Status::Active }, &["w_1", "active"]),
            (Refusal::GroupPartlyApplied { key: "pay-7".parse().unwrap() }, &["pay-7"]),
        ] {
            let text = refusal.to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
            // As it is kept under a batch's own key.
            let kept = serde_json::to_string(&refusal).unwrap();
            assert_eq!(serde_json::from_str::<Refusal>(&kept).unwrap(), refusal);
        }
    }
}
