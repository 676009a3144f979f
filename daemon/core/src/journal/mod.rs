//! The journal: the gap-free sequence of everything that happened.
//!
//! A [`Record`] is one thing that happened. Its bytes are canonical JSON (RFC 8785) holding
//! everything; its hash is SHA-256 over the previous record's 32 hash bytes followed by those
//! bytes. The very bytes are stored and forwarded everywhere, so no engine's types can change them,
//! and anyone can recompute the chain with common tools.

mod access;
mod direct;
mod wire;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

pub use self::{
    access::{Access, AccessKind, Network},
    wire::RecordError,
};
use crate::{
    account::{Floor, Status},
    asset::{Asset, AssetCode},
    cut::{Cut, Hash},
    ids::{AccountId, Actor, Owner, RequestId, TransactionId, WalletId},
    key::ScopedKey,
    money::{Amount, Balance},
    text::{Label, Memo, Metadata, Reason},
    time::Timestamp,
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number; no gaps.
    pub seq: u64,
    /// The ledger's epoch when it was made.
    pub epoch: u64,
    /// When it was made; grows strictly with seq.
    pub recorded_at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// The key that made it; none for what the daemon does by itself.
    pub key: Option<ScopedKey>,
    /// The HTTP request it came with.
    pub request: Option<RequestId>,
    /// Its place in an atomic group.
    pub group: Option<GroupPart>,
    /// What happened.
    pub event: Event,
}

/// A record's place in an atomic group: a cut is never inside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupPart {
    /// From 0.
    pub index: u32,
    /// Members in all.
    pub size: u32,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Money moved.
    Transaction(Transaction),
    /// A wallet was opened.
    WalletOpened(WalletOpened),
    /// A wallet was frozen, unfrozen or closed.
    StatusChanged {
        /// The wallet.
        wallet: WalletId,
        /// Its new status.
        status: Status,
        /// Its status before.
        previous: Status,
        /// Why.
        reason: Reason,
    },
    /// A wallet's overdraft limit changed.
    LimitChanged {
        /// The wallet.
        wallet: WalletId,
        /// The new floor.
        floor: Floor,
        /// The floor before.
        previous: Floor,
        /// Why.
        reason: Reason,
    },
    /// An asset was made known.
    AssetRegistered(Asset),
    /// Sign-ins were refused, something was forbidden, or the configuration was read again.
    Access(Access),
    /// The ledger was restored from a backup and counts on from here in a new epoch.
    EpochRaised {
        /// What was restored.
        reason: Reason,
    },
}

/// The kinds of transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionKind {
    /// Money from outside into a wallet.
    Deposit,
    /// Money out of a wallet.
    Withdrawal,
    /// Money between two wallets.
    Transfer,
    /// The opposite of an earlier transaction.
    Reversal,
}

impl TransactionKind {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Deposit, Self::Withdrawal, Self::Transfer, Self::Reversal];

    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::Transfer => "transfer",
            Self::Reversal => "reversal",
        }
    }
}

/// One posted movement. The first leg pays, the second is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its kind.
    pub kind: TransactionKind,
    /// How much, at the asset's scale.
    pub amount: Amount,
    /// Of what.
    pub asset: AssetCode,
    /// When it counts.
    pub effective_at: Timestamp,
    /// True if the caller gave that time; false if it is the default.
    pub effective_given: bool,
    /// A note.
    pub memo: Memo,
    /// Free facts.
    pub meta: Metadata,
    /// The leg that pays.
    pub debit: Leg,
    /// The leg that is paid.
    pub credit: Leg,
    /// For a reversal: what it undoes.
    pub reverses: Option<Reverses>,
}

/// What a reversal undoes, and whether it may break the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reverses {
    /// The transaction undone.
    pub transaction: TransactionId,
    /// The paying wallet was allowed below its floor.
    pub allow_negative: bool,
}

/// One leg of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The account.
    pub account: AccountId,
    /// Credit above zero, debit below.
    pub amount: Balance,
    /// The account's balance after it, in recorded order.
    pub balance_after: Balance,
    /// The account's version after it.
    pub version: u64,
}

/// A wallet that was opened, in full: the wallet store is rebuilt from this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletOpened {
    /// Its id.
    pub id: WalletId,
    /// Who owns it.
    pub owner: Owner,
    /// Its asset and scale.
    pub asset: Asset,
    /// The lowest balance a debit may leave.
    pub floor: Floor,
    /// When it opened.
    pub opened_at: Timestamp,
    /// True if the caller gave that time.
    pub opened_given: bool,
    /// A name for people.
    pub label: Label,
    /// Free facts.
    pub meta: Metadata,
}

impl Event {
    /// Every kind there is.
    pub const KINDS: [&str; 14] = [
        "deposit",
        "withdrawal",
        "transfer",
        "reversal",
        "wallet_opened",
        "wallet_frozen",
        "wallet_unfrozen",
        "wallet_closed",
        "limit_changed",
        "asset_registered",
        "sign_in_refused",
        "access_forbidden",
        "configuration_reloaded",
        "epoch_raised",
    ];

    /// The kind, as records and audit queries name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Transaction(transaction) => transaction.kind.as_str(),
            Self::WalletOpened(_) => "wallet_opened",
            Self::StatusChanged { status: Status::Frozen, .. } => "wallet_frozen",
            Self::StatusChanged { status: Status::Active, .. } => "wallet_unfrozen",
            Self::StatusChanged { status: Status::Closed, .. } => "wallet_closed",
            Self::LimitChanged { .. } => "limit_changed",
            Self::AssetRegistered(_) => "asset_registered",
            Self::Access(access) => access.kind.as_str(),
            Self::EpochRaised { .. } => "epoch_raised",
        }
    }

    /// The wallets it is about.
    pub fn wallets(&self) -> impl Iterator<Item = &WalletId> {
        let (one, two) = match self {
            Self::Transaction(t) => (t.debit.account.wallet(), t.credit.account.wallet()),
            Self::WalletOpened(opened) => (Some(&opened.id), None),
            Self::StatusChanged { wallet, .. } | Self::LimitChanged { wallet, .. } => (Some(wallet), None),
            Self::AssetRegistered(_) | Self::Access(_) | Self::EpochRaised { .. } => (None, None),
        };
        one.into_iter().chain(two)
    }
}

impl Record {
    /// The record's canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::to_bytes(self)
    }

    /// Reads a record's bytes. That they are the canonical ones is checked where a journal is verified
    /// ([`crate::ledger::Auditor`]), not on every read.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        wire::from_bytes(bytes)
    }

    /// Its epoch and seq, as a transaction's id shows them.
    pub fn id(&self) -> TransactionId {
        TransactionId { epoch: self.epoch, seq: self.seq }
    }

    /// The transaction, if it is one.
    pub fn transaction(&self) -> Option<&Transaction> {
        match &self.event {
            Event::Transaction(transaction) => Some(transaction),
            _ => None,
        }
    }

    /// True if a cut may end here: it is no inner member of a group.
    pub fn ends_group(&self) -> bool {
        self.group.is_none_or(|part| part.index.saturating_add(1) == part.size)
    }
}

/// A record with its bytes and its place in the chain.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// Its canonical bytes.
    pub bytes: Arc<[u8]>,
    /// SHA-256 of the previous hash and the bytes.
    pub hash: Hash,
    /// W3C `traceparent` of the request that made it.
    pub trace: Option<Box<str>>,
    /// Set if this process sealed it.
    sealed: Option<Sealed>,
}

/// What was hashed where a record was sealed: as long as it is the same bytes and the same hash, the
/// chain is known to hold.
#[derive(Clone, Debug)]
struct Sealed {
    previous: Hash,
    bytes: Arc<[u8]>,
    hash: Hash,
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        (&self.record, &self.bytes, self.hash, &self.trace) == (&other.record, &other.bytes, other.hash, &other.trace)
    }
}

impl Eq for Stored {}

impl Stored {
    /// The record that begins the epoch behind `head`. None if its numbers cannot be counted on.
    pub fn raising_epoch(head: Cut, now: Timestamp, reason: Reason) -> Option<Self> {
        let record = Record {
            seq: head.seq.checked_add(1)?,
            epoch: head.epoch.checked_add(1)?,
            recorded_at: now.max(head.recorded_at.plus_micros(1)),
            actor: Actor::system(),
            key: None,
            request: None,
            group: None,
            event: Event::EpochRaised { reason },
        };
        Some(Self::seal(record, head.hash, None))
    }

    /// Seals a record behind `previous`.
    pub fn seal(record: Record, previous: Hash, trace: Option<Box<str>>) -> Self {
        let bytes = record.to_bytes();
        let hash = chain(previous, &bytes);
        let bytes: Arc<[u8]> = bytes.into();
        let sealed = Some(Sealed { previous, bytes: Arc::clone(&bytes), hash });
        Self { record, bytes, hash, trace, sealed }
    }

    /// True if its hash is the chain's behind `previous`. Computed, unless this very record was sealed
    /// here: what a follower in the same process gets need not be hashed again.
    pub fn continues(&self, previous: Hash) -> bool {
        let known = self.sealed.as_ref().is_some_and(|sealed| {
            sealed.previous == previous && sealed.hash == self.hash && Arc::ptr_eq(&sealed.bytes, &self.bytes)
        });
        known || chain(previous, &self.bytes) == self.hash
    }

    /// The same record with other bytes under the same hash, as damage would leave it.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn with_bytes(&self, bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), sealed: None, ..self.clone() }
    }

    /// Reads bytes that came with a hash; the chain itself is checked where records are walked.
    pub fn open(bytes: &[u8], hash: Hash, trace: Option<Box<str>>) -> Result<Self, RecordError> {
        Ok(Self { record: Record::from_bytes(bytes)?, bytes: bytes.into(), hash, trace, sealed: None })
    }

    /// The cut that ends with this record.
    pub fn cut(&self) -> Cut {
        Cut { epoch: self.record.epoch, seq: self.record.seq, recorded_at: self.record.recorded_at, hash: self.hash }
    }
}

/// The hash of a record behind the previous one's.
pub fn chain(previous: Hash, bytes: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(previous.0);
    hash.update(bytes);
    Hash(hash.finalize().into())
}

/// The hash before the first record: SHA-256 of the ledger's id.
pub fn genesis(ledger_id: &str) -> Hash {
    Hash(Sha256::digest(ledger_id.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_in_the_list_of_kinds() {
        let reason = || "why".parse::<Reason>().unwrap();
        let wallet = || "w_1".parse::<WalletId>().unwrap();
        let status =
            |status| Event::StatusChanged { wallet: wallet(), status, previous: Status::Active, reason: reason() };
        let mut kinds: Vec<&str> = [Status::Frozen, Status::Active, Status::Closed].map(|s| status(s).kind()).into();
        kinds.extend(TransactionKind::ALL.map(TransactionKind::as_str));
        kinds.extend(AccessKind::ALL.map(AccessKind::as_str));
        kinds.push(Event::AssetRegistered(Asset { code: "BTC".parse().unwrap(), scale: 8 }).kind());
        kinds.push(Event::EpochRaised { reason: reason() }.kind());
        kinds.extend(["wallet_opened", "limit_changed"]);
        kinds.sort_unstable();
        let mut listed = Event::KINDS;
        listed.sort_unstable();
        assert_eq!(kinds, listed);
    }
}
