//! Account rows, written behind the journal.
//!
//! What an account holds follows from the journal, so a commit of money does not write the rows of the accounts it
//! touches: their latest state is kept here, and when it is that of many accounts or of many records, all of it is
//! written with the next commit, together with the seq up to which the rows are true ([`UNTIL`]). Who opens the store
//! applies the journal's records behind that seq to the rows: the same rules, and the chain is checked on the way.
//!
//! Readers look here first and in the store then: what is taken away here is there already. Costs: memory for
//! [`MAX_ACCOUNTS`] accounts of some 300 bytes, and at opening a few microseconds for each of at most
//! [`MAX_RECORDS`] records and one commit.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use wallet_core::{
    account::Account,
    asset::Assets,
    cut::Cut,
    ids::AccountId,
    journal::{Event, Stored},
    ledger::{Map, Needs, State, apply},
    ports::StoreError,
};

use super::{
    Engine,
    codec::{self, damaged},
    commit::damage,
    engine,
};

/// The row of `meta` with the seq up to which account rows are true.
pub(super) const UNTIL: &str = "accounts_until";
/// Most accounts whose rows are behind.
const MAX_ACCOUNTS: usize = 4_096;
/// Most records the rows are behind, but for those of one commit.
const MAX_RECORDS: u64 = 16_384;

/// The accounts whose rows are behind.
#[derive(Default)]
pub(super) struct Behind(RwLock<Kept>);

#[derive(Default)]
struct Kept {
    latest: Map<AccountId, Account>,
    /// The seq up to which rows are true.
    until: u64,
}

impl Behind {
    /// What the rows of an open store lack.
    pub(super) fn of(store: &Engine, start: Cut, head: Cut, assets: Assets) -> Result<Self, StoreError> {
        let until = store
            .meta
            .get(UNTIL)
            .map_err(engine)?
            .ok_or_else(|| damaged("it does not say how far its accounts are"))?;
        let until = codec::decode_seq(&until)?;
        if until > head.seq {
            return Err(damaged("its accounts are ahead of its journal"));
        }
        let from = store.needed(until)?.map_or(start, |stored| stored.cut());
        let mut state = State::at(from, assets);
        if until < head.seq {
            for guard in store.journal.range((until + 1).to_be_bytes()..=head.seq.to_be_bytes()) {
                let stored = codec::decode_stored(&guard.value().map_err(engine)?)?;
                follow(store, &mut state, &stored)?;
            }
        }
        if state.head != head {
            return Err(damaged("its journal has a gap behind its accounts"));
        }
        let mut latest = state.accounts;
        latest.retain(|_, account| account.seq > until);
        Ok(Self(RwLock::new(Kept { latest, until })))
    }

    fn kept(&self) -> RwLockReadGuard<'_, Kept> {
        // Whole accounts are put in and taken out: a poisoned map is a whole one.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) -> RwLockWriteGuard<'_, Kept> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest state of an account, if its row is behind.
    pub(super) fn get(&self, id: &AccountId) -> Option<Account> {
        self.kept().latest.get(id).cloned()
    }

    /// The seq up to which rows are true.
    pub(super) fn until(&self) -> u64 {
        self.kept().until
    }

    /// Brings accounts read from rows up to date. False if rows were written since [`Behind::until`] said this: read them
    /// again.
    pub(super) fn refresh(&self, accounts: &mut [Account], until: u64) -> bool {
        let kept = self.kept();
        for account in accounts {
            if let Some(latest) = kept.latest.get(&account.id) {
                account.clone_from(latest);
            }
        }
        kept.until == until
    }

    /// The accounts whose rows are to be written with a commit of these records, which touches these; none while it can wait.
    /// What is not money is written at once: lists of wallets find what is there.
    pub(super) fn due(&self, records: &[std::sync::Arc<Stored>], touched: Vec<Account>) -> Due {
        let kept = self.kept();
        let last = records.last().map_or(0, |stored| stored.record.seq);
        let new = touched.iter().filter(|account| !kept.latest.contains_key(&account.id)).count();
        let money = records.iter().all(|stored| matches!(stored.record.event, Event::Transaction(_)));
        let first = touched.iter().any(|account| account.id.wallet().is_none() && account.version == 1);
        let waits = money
            && !first
            && kept.latest.len().saturating_add(new) <= MAX_ACCOUNTS
            && last.saturating_sub(kept.until) <= MAX_RECORDS;
        if waits || last == 0 {
            return Due::Later(touched);
        }
        let touched_ids: std::collections::HashSet<_> = touched.iter().map(|account| account.id.clone()).collect();
        let others = kept.latest.values().filter(|account| !touched_ids.contains(&account.id)).cloned();
        let rows = others.collect::<Vec<_>>().into_iter().chain(touched).collect();
        Due::Now { rows, until: last }
    }

    /// The commit is durable. Gives the accounts whose rows are written now.
    pub(super) fn done(&self, due: Due) -> Vec<Account> {
        let mut kept = self.changed();
        match due {
            Due::Later(touched) => {
                kept.latest.extend(touched.into_iter().map(|account| (account.id.clone(), account)));
                Vec::new()
            }
            Due::Now { rows, until } => {
                kept.latest.clear();
                kept.until = until;
                rows
            }
        }
    }

    /// After a reopening.
    pub(super) fn replace(&self, other: Self) {
        *self.changed() = other.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    }
}

/// What becomes of the accounts a commit touches.
pub(super) enum Due {
    /// They are kept in memory.
    Later(Vec<Account>),
    /// Their rows are written, and those of all that were kept.
    Now {
        /// Every account whose row is not true.
        rows: Vec<Account>,
        /// The seq up to which rows are true then.
        until: u64,
    },
}

/// Applies a record to a state, which is given the rows it needs.
fn follow(store: &Engine, state: &mut State, stored: &Stored) -> Result<(), StoreError> {
    let mut needs = Needs::default();
    needs.add_record(stored);
    for id in needs.accounts {
        if !state.accounts.contains_key(&id)
            && let Some(account) = store.account(&id)?
        {
            state.accounts.insert(id, account);
        }
    }
    apply(state, stored).map(drop).map_err(|broken| damage(&broken))
}
