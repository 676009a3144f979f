//! Names of things: wallets, accounts, owners, actors, transactions, requests.

use std::{fmt, str::FromStr};

use crate::{
    asset::AssetCode,
    text::{TextError, serde_as_text},
};

/// Longest id.
pub const MAX_ID: usize = 64;

/// True for `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

const ID_RULE: &str = "1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first";

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            fn from_str(text: &str) -> Result<Self, TextError> {
                if is_id(text) { Ok(Self(text.into())) } else { Err(TextError::new($what, ID_RULE)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        serde_as_text!($name);
    };
}

id!(
    /// A wallet's id, compared and sorted as bytes everywhere.
    WalletId,
    "wallet id"
);
id!(
    /// Who owns a wallet.
    Owner,
    "owner"
);

impl WalletId {
    /// A new id from 128 bits that sort by time (`UUIDv7`), for callers that give none.
    pub fn from_uuid(id: uuid::Uuid) -> Self {
        Self(format!("w-{id}").into())
    }
}

/// Who did it: `uid:1000` on the local socket, a token's subject elsewhere.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor(std::sync::Arc<str>);

impl Actor {
    /// The actor as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The daemon itself.
    pub fn system() -> Self {
        Self("system".into())
    }
}

impl FromStr for Actor {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let good = (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if good { Ok(Self(text.into())) } else { Err(TextError::new("actor", "1 to 200 visible ASCII characters")) }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Actor);

/// An account of the ledger: a wallet's, or the other side of deposits and withdrawals of one asset.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountId {
    /// `@external:EUR`: where money of an asset comes from and goes to. It has no floor.
    External(AssetCode),
    /// A wallet's account; it has the wallet's id.
    Wallet(WalletId),
}

impl AccountId {
    /// The wallet, if it is one.
    pub fn wallet(&self) -> Option<&WalletId> {
        match self {
            Self::Wallet(id) => Some(id),
            Self::External(_) => None,
        }
    }
}

const EXTERNAL: &str = "@external:";

impl FromStr for AccountId {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text.strip_prefix(EXTERNAL) {
            Some(code) => code.parse().map(Self::External),
            None => text.parse().map(Self::Wallet),
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::External(code) => write!(f, "{EXTERNAL}{code}"),
            Self::Wallet(id) => f.write_str(id.as_str()),
        }
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(AccountId);

/// A transaction's id, `tx_EPOCH_SEQ`: it names its place in the journal, so it needs no index, and
/// stays unique when a ledger restored from a backup counts on from an earlier seq.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId {
    /// The epoch it was recorded in.
    pub epoch: u64,
    /// Its record's number.
    pub seq: u64,
}

impl FromStr for TransactionId {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let read = || {
            let (epoch, seq) = text.strip_prefix("tx_")?.split_once('_')?;
            let number = |digits: &str| {
                let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
                if plain { digits.parse().ok() } else { None }
            };
            Some(Self { epoch: number(epoch)?, seq: number(seq)? })
        };
        read().ok_or(TextError::new("transaction id", "tx_EPOCH_SEQ, for example tx_1_42"))
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tx_{}_{}", self.epoch, self.seq)
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(TransactionId);

/// The id of one HTTP request, kept in the records it made.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RequestId(std::sync::Arc<str>);

impl RequestId {
    /// An id made by counting: which start of the daemon, which request since.
    pub fn numbered(boot: u64, number: u64) -> Self {
        Self(format!("{boot:x}-{number}").into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if is_id(text) { Ok(Self(text.into())) } else { Err(TextError::new("request id", ID_RULE)) }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

serde_as_text!(RequestId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallet_ids_are_plain_names() {
        for bad in ["", ".", "../etc/passwd", "a/b", "a b", "@external:EUR", "-x", "a\n", &"x".repeat(65), "ü"] {
            assert!(bad.parse::<WalletId>().is_err(), "{bad:?}");
        }
        assert_ne!("W1".parse::<WalletId>().unwrap(), "w1".parse::<WalletId>().unwrap());
    }

    #[test]
    fn transaction_ids_read_back() {
        let id: TransactionId = "tx_2_1045".parse().unwrap();
        assert_eq!((id.epoch, id.seq, id.to_string().as_str()), (2, 1045, "tx_2_1045"));
        for bad in ["tx_1", "tx_01_2", "tx_1_", "1_2", "tx_+1_2", "tx_1_99999999999999999999"] {
            assert!(bad.parse::<TransactionId>().is_err(), "{bad}");
        }
    }
}
