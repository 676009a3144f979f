//! Commands: what somebody asks the ledger to do, already parsed, not yet decided.

use crate::{
    account::Overdraft,
    asset::{Asset, AssetCode},
    cut::Hash,
    ids::{Actor, Owner, RequestId, TransactionId, WalletId},
    journal::Access,
    key::ScopedKey,
    money::Quantity,
    text::{Label, Memo, Metadata, Reason},
    time::Timestamp,
};

/// Most commands in one request.
pub const MAX_COMMANDS: usize = 5_000;

/// One command with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What makes it happen at most once.
    pub key: ScopedKey,
    /// What to do.
    pub action: Action,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Move money between two accounts, of which at least one is a wallet.
    Move(Move),
    /// Undo a transaction by its opposite.
    Reverse(Reverse),
    /// Open a wallet.
    OpenWallet(OpenWallet),
    /// Freeze, unfreeze or close a wallet.
    SetStatus(SetStatus),
    /// Change how far below zero a wallet may go.
    SetLimit(SetLimit),
    /// Make an asset known.
    RegisterAsset(Asset),
    /// Keep what happened to access: the daemon's own, no caller's.
    NoteAccess(Access),
}

/// Deposit (`from` is none), withdrawal (`to` is none) or transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The wallet that pays; none for a deposit.
    pub from: Option<WalletId>,
    /// The wallet that is paid; none for a withdrawal.
    pub to: Option<WalletId>,
    /// How much, as written.
    pub amount: Quantity,
    /// Of what.
    pub asset: AssetCode,
    /// When it counts; none for "when it is recorded".
    pub effective_at: Option<Timestamp>,
    /// A note.
    pub memo: Memo,
    /// Free facts.
    pub meta: Metadata,
}

/// A reversal: a new transaction that undoes one, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverse {
    /// The transaction to undo.
    pub transaction: TransactionId,
    /// When it counts; not before the original.
    pub effective_at: Option<Timestamp>,
    /// Let the paying wallet go below its floor.
    pub allow_negative: bool,
    /// A note.
    pub memo: Memo,
}

/// A wallet to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWallet {
    /// Its id.
    pub id: WalletId,
    /// Who owns it.
    pub owner: Owner,
    /// Its one asset.
    pub asset: AssetCode,
    /// How far below zero it may go.
    pub overdraft: Overdraft,
    /// When it opened; none for "when it is recorded".
    pub opened_at: Option<Timestamp>,
    /// A name for people.
    pub label: Label,
    /// Free facts.
    pub meta: Metadata,
}

/// A step in a wallet's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetStatus {
    /// The wallet.
    pub wallet: WalletId,
    /// The step.
    pub change: StatusChange,
    /// Why; kept in the journal.
    pub reason: Reason,
}

/// The steps there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// Active to frozen.
    Freeze,
    /// Frozen to active.
    Unfreeze,
    /// Active or frozen to closed; the balance must be zero.
    Close,
}

/// A new overdraft limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetLimit {
    /// The wallet.
    pub wallet: WalletId,
    /// How far below zero it may go from now on.
    pub overdraft: Overdraft,
    /// Why; kept in the journal.
    pub reason: Reason,
}

/// What happens to the commands after a refused one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each on its own.
    Continue,
    /// None after the first refusal or conflict is tried.
    Stop,
    /// All or nothing: one group, never cut in two, with one default `effective_at`.
    Atomic,
}

impl Mode {
    /// The word used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Stop => "stop",
            Self::Atomic => "atomic",
        }
    }
}

/// Commands that arrive together and are answered together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub actor: Actor,
    /// For somebody bound to their own wallets: their owner. Then every command is a transfer out of a wallet of theirs,
    /// other wallets are not there, and a destination is refused without a word about it. None reaches any wallet.
    pub only: Option<Owner>,
    /// The HTTP request, kept in the records it makes.
    pub id: Option<RequestId>,
    /// W3C `traceparent`, kept beside the records, not inside them.
    pub trace: Option<Box<str>>,
    /// What happens after a refusal.
    pub mode: Mode,
    /// The commands, at most [`MAX_COMMANDS`].
    pub commands: Vec<Command>,
    /// A batch request's own key: the first answer to it is kept whole, refusals included.
    pub own_key: Option<OwnKey>,
}

/// A batch request's own key, and the hash of what it asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKey {
    /// The key; its own namespace, apart from the commands' keys.
    pub key: ScopedKey,
    /// Hash of mode and commands: the same key with other content is a conflict.
    pub content: Hash,
    /// The own key of the request this one follows: until an answer is kept under that, nothing of this one is tried.
    /// So one may be sent before the other is answered, and is never decided without it.
    pub behind: Option<ScopedKey>,
}

impl Request {
    /// A request of one command.
    pub fn single(actor: Actor, command: Command) -> Self {
        let (commands, mode) = (vec![command], Mode::Continue);
        Self { actor, only: None, id: None, trace: None, mode, commands, own_key: None }
    }
}
