//! Accounts: a wallet's row in the ledger, and the one row per asset on the other side.

use std::{fmt, str::FromStr};

use crate::{
    asset::AssetCode,
    ids::{AccountId, Owner},
    money::{Balance, MoneyError, Quantity},
    runs::Runs,
    text::{TextError, serde_as_text},
    time::Timestamp,
};

/// Where a wallet is in its life. (`opening` exists only in the wallet store, before the ledger has the wallet.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Money moves.
    Active,
    /// No money leaves it or enters it until it is unfrozen.
    Frozen,
    /// For ever empty; nothing moves.
    Closed,
}

impl Status {
    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }
}

impl FromStr for Status {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            "active" => Ok(Self::Active),
            "frozen" => Ok(Self::Frozen),
            "closed" => Ok(Self::Closed),
            _ => Err(TextError::new("status", "active, frozen or closed")),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

serde_as_text!(Status);

/// How far below zero a wallet may go, as somebody asked for it: an amount or `unlimited`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdraft {
    /// So much, zero included.
    Upto(Quantity),
    /// No limit.
    Unlimited,
}

impl Overdraft {
    /// The floor this means at an asset's scale.
    pub fn floor(self, scale: u32) -> Result<Floor, MoneyError> {
        Ok(match self {
            Self::Upto(quantity) => Floor::At(Balance::from_quantity(quantity, scale)?.negated()),
            Self::Unlimited => Floor::None,
        })
    }
}

impl FromStr for Overdraft {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        if text == "unlimited" { Ok(Self::Unlimited) } else { text.parse().map(Self::Upto) }
    }
}

impl fmt::Display for Overdraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upto(quantity) => fmt::Display::fmt(quantity, f),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

serde_as_text!(Overdraft);

/// The lowest balance a debit may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// This balance; zero or below.
    At(Balance),
    /// None.
    None,
}

impl Floor {
    /// True if a debit may leave this balance.
    pub fn allows(self, balance: Balance) -> bool {
        match self {
            Self::At(floor) => balance >= floor,
            Self::None => true,
        }
    }
}

/// The overdraft limit, as people read it: `0.00`, `500.00` or `unlimited`.
impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(floor) => fmt::Display::fmt(&floor.negated(), f),
            Self::None => f.write_str("unlimited"),
        }
    }
}

/// An account of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// A wallet's id, or `@external:ASSET`.
    pub id: AccountId,
    /// Who owns the wallet; none for `@external`.
    pub owner: Option<Owner>,
    /// Its one asset.
    pub asset: AssetCode,
    /// Where it is in its life.
    pub status: Status,
    /// The lowest balance a debit may leave.
    pub floor: Floor,
    /// The balance now: the sum of all entries. Its scale is the asset's.
    pub balance: Balance,
    /// Entries so far; every entry carries the version it made.
    pub version: u64,
    /// When the wallet opened, on the effective axis.
    pub opened_at: Timestamp,
    /// The record that opened it; also its number in an engine's entry keys, since it is unique.
    pub opened_seq: u64,
    /// The last record that touched it: moved money, froze it, changed its limit.
    pub seq: u64,
    /// How its entries are dealt for past balances. Always empty for `@external`.
    pub runs: Runs,
}

impl Account {
    /// The fraction digits of its asset.
    pub fn scale(&self) -> u32 {
        self.balance.scale()
    }
}

/// One leg of a transaction, as an engine indexes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The account it belongs to.
    pub account: AccountId,
    /// That account's number ([`Account::opened_seq`]).
    pub number: u64,
    /// The record it is part of.
    pub seq: u64,
    /// When it counts.
    pub effective_at: Timestamp,
    /// Credit above zero, debit below.
    pub amount: Balance,
    /// The account's balance after it, in recorded order.
    pub balance_after: Balance,
    /// The account's version after it.
    pub version: u64,
    /// The run it was dealt to.
    pub run: u8,
    /// The sum of that run up to it.
    pub run_after: Balance,
}
