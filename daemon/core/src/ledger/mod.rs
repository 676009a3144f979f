//! The ledger's decisions: pure, no I/O, shared by every engine and by the tests.
//!
//! Phases of a commit: [`Needs::of`] says what a list of requests has to see; the engine loads it
//! into a [`State`] under its writer's lock; [`decide`] judges the requests in order, each seeing
//! those before it, and gives a [`Decision`]: what to write, and what to answer. Nothing is written
//! until every decision in memory has been taken. [`apply`] is the one place that turns a record into
//! changes of accounts: `decide` uses it for new records, restoring for old ones, [`Auditor`] to prove both.
//!
//! Cost: O(1) a command plus its runs (at most 64). Bounds: [`crate::command::MAX_COMMANDS`] a request.

mod apply;
mod audit;
mod content;
mod decide;
mod kept;
mod rules;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;

pub use self::{
    apply::{Broken, apply},
    audit::{Auditor, Fault},
    decide::{DecideError, decide},
    kept::{KeptOutcome, decode_kept, encode_kept},
};
use crate::{
    account::{Account, Entry},
    asset::Assets,
    command::{Action, OwnKey, Request},
    cut::{Cut, Hash},
    ids::{AccountId, TransactionId},
    journal::{Event, Stored},
    key::ScopedKey,
    outcome::{Answer, Outcome},
    time::SECOND,
};

/// Most microseconds the clock may differ from the last record, or jump, before writes stop.
pub const MAX_SKEW: i64 = 5 * SECOND;

/// The clock cannot be trusted: using it would poison the recorded axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockSkew {
    /// The last record was made later than now.
    #[error("the clock is {} s behind the last record", .micros / SECOND)]
    Behind {
        /// By how much.
        micros: i64,
    },
    /// The clock was moved while the daemon ran.
    #[error("the clock was moved by {} s while the daemon ran", .micros / SECOND)]
    Jumped {
        /// By how much; back is negative.
        micros: i64,
    },
    /// The store's server and this machine do not agree on the time.
    #[error("the ledger server's clock is {} s from this machine's", .micros / SECOND)]
    Apart {
        /// By how much; a server behind is negative.
        micros: i64,
    },
}

/// A map of what a commit works with: hashed fast and seeded anew in every process, since keys and ids are callers' own.
pub type Map<K, V> = HashMap<K, V, RandomState>;
/// A set of the same kind.
pub type Set<K> = HashSet<K, RandomState>;

/// What requests have to see before they can be decided.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// Keys that may be known.
    pub keys: Set<ScopedKey>,
    /// Accounts named. For transactions to reverse, those of the original as well: see [`Needs::add_original`].
    pub accounts: Set<AccountId>,
    /// Transactions to reverse.
    pub originals: Set<TransactionId>,
    /// Requests' own keys.
    pub own_keys: Set<ScopedKey>,
    /// Own keys of requests that others follow: only whether they were answered matters.
    pub behind: Set<ScopedKey>,
}

impl Needs {
    /// What these requests have to see.
    pub fn of(requests: &[Request]) -> Self {
        let mut needs = Self::default();
        let commands = requests.iter().map(|request| request.commands.len()).sum();
        needs.keys.reserve(commands);
        for request in requests {
            if let Some(own) = &request.own_key {
                needs.own_keys.insert(own.key.clone());
                needs.behind.extend(own.behind.clone());
            }
            for command in &request.commands {
                needs.keys.insert(command.key.clone());
                match &command.action {
                    Action::Move(moved) => {
                        let ends = [&moved.from, &moved.to];
                        needs.accounts.extend(ends.into_iter().flatten().cloned().map(AccountId::Wallet));
                        if moved.from.is_none() || moved.to.is_none() {
                            needs.accounts.insert(AccountId::External(moved.asset));
                        }
                    }
                    Action::Reverse(reverse) => {
                        needs.originals.insert(reverse.transaction);
                    }
                    Action::OpenWallet(open) => {
                        needs.accounts.insert(AccountId::Wallet(open.id.clone()));
                    }
                    Action::SetStatus(set) => {
                        needs.accounts.insert(AccountId::Wallet(set.wallet.clone()));
                    }
                    Action::SetLimit(set) => {
                        needs.accounts.insert(AccountId::Wallet(set.wallet.clone()));
                    }
                    Action::RegisterAsset(_) | Action::NoteAccess(_) => {}
                }
            }
        }
        needs
    }

    /// The accounts that reversing this record touches. Records never change, so originals may be
    /// read before the writer's lock is taken.
    pub fn add_original(&mut self, original: &Stored) {
        self.add_record(original);
    }

    /// The accounts a record touches.
    pub fn add_record(&mut self, stored: &Stored) {
        if let Event::Transaction(t) = &stored.record.event {
            self.accounts.insert(t.debit.account.clone());
            self.accounts.insert(t.credit.account.clone());
        } else {
            self.accounts.extend(stored.record.event.wallets().cloned().map(AccountId::Wallet));
        }
    }
}

/// The answer kept under a request's own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Hash of what was asked for.
    pub content: Hash,
    /// The outcomes, in order.
    pub outcomes: Vec<Outcome>,
}

/// What a decision sees: loaded by the engine, changed in memory only.
#[derive(Clone, Debug)]
pub struct State {
    /// The last committed cut; for an empty ledger seq 0, epoch 1 and the genesis hash.
    pub head: Cut,
    /// Every asset known.
    pub assets: Assets,
    /// Accounts named; one that is not there does not exist.
    pub accounts: Map<AccountId, Account>,
    /// Keys that are known, with their records.
    pub keys: Map<ScopedKey, Arc<Stored>>,
    /// Transactions to reverse.
    pub originals: HashMap<TransactionId, Arc<Stored>>,
    /// Transactions that were reversed, and by what.
    pub reversals: HashMap<TransactionId, TransactionId>,
    /// Requests' own keys that are known.
    pub own_keys: HashMap<ScopedKey, KeptAnswer>,
    /// Of the own keys that others follow those that were answered.
    pub answered: Set<ScopedKey>,
}

impl State {
    /// A state with nothing loaded behind a head.
    pub fn at(head: Cut, assets: Assets) -> Self {
        Self {
            head,
            assets,
            accounts: Map::default(),
            keys: Map::default(),
            originals: HashMap::new(),
            reversals: HashMap::new(),
            own_keys: HashMap::new(),
            answered: Set::default(),
        }
    }

    /// True if a request follows one that was not answered.
    pub fn is_out_of_turn(&self, own: &OwnKey) -> bool {
        let answered = |key| self.answered.contains(key) || self.own_keys.contains_key(key);
        own.behind.as_ref().is_some_and(|key| !answered(key))
    }
}

/// What to write, and what to answer. The changed accounts are in [`Decision::state`].
#[derive(Clone, Debug)]
pub struct Decision {
    /// One answer a request, in order.
    pub answers: Vec<Answer>,
    /// New records, in order, sealed into the chain.
    pub records: Vec<Arc<Stored>>,
    /// New entries of wallets, in order.
    pub entries: Vec<Entry>,
    /// Accounts that changed, each once; their new rows are in the state.
    pub touched: Set<AccountId>,
    /// Requests' own keys to keep, with their answers.
    pub kept: Vec<(ScopedKey, KeptAnswer)>,
    /// The state after it all.
    pub state: State,
}

impl Decision {
    /// True if there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.kept.is_empty()
    }
}
