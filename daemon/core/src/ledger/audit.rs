//! Proving a journal: walks records in order and recomputes everything they claim.

use std::collections::HashMap;

use super::{State, apply};
use crate::{
    account::Account,
    asset::Assets,
    cut::Cut,
    ids::AccountId,
    journal::{Stored, genesis},
    time::Timestamp,
};

/// The first thing found wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq}: {what}")]
pub struct Fault {
    /// The record.
    pub seq: u64,
    /// What is wrong with it.
    pub what: String,
}

/// Walks a journal from its start. Holds one account row a wallet (promises 1, 2 and 6 are checked
/// by [`apply`]: sums, versions, order, chain) and the floor rule's exceptions.
pub struct Auditor {
    state: State,
}

impl Auditor {
    /// At the start of the journal of this ledger.
    pub fn new(ledger_id: &str) -> Self {
        let head = Cut { epoch: 1, seq: 0, recorded_at: Timestamp::EPOCH, hash: genesis(ledger_id) };
        Self { state: State::at(head, Assets::default()) }
    }

    /// Checks the next record. A fault names the record that is due here, whatever its bytes say.
    pub fn check(&mut self, stored: &Stored) -> Result<(), Fault> {
        let seq = self.state.head.seq.saturating_add(1);
        let fault = |what: String| Fault { seq, what };
        if stored.record.seq != seq {
            return Err(fault(format!("record {} is in its place", stored.record.seq)));
        }
        if *stored.record.to_bytes() != *stored.bytes {
            return Err(fault("its bytes are not the canonical form of what they say".into()));
        }
        apply(&mut self.state, stored).map_err(|broken| fault(broken.what.into()))?;
        let Some(t) = stored.record.transaction() else {
            return Ok(());
        };
        let below = self.state.accounts.get(&t.debit.account).is_some_and(|a| !a.floor.allows(a.balance));
        if below && !t.reverses.is_some_and(|reverses| reverses.allow_negative) {
            return Err(fault(format!("it takes {} below its floor", t.debit.account)));
        }
        Ok(())
    }

    /// The last record checked.
    pub fn head(&self) -> Cut {
        self.state.head
    }

    /// Every account as the records make it.
    pub fn accounts(&self) -> &super::Map<AccountId, Account> {
        &self.state.accounts
    }

    /// Per asset, all balances sum to zero; else the asset that does not.
    pub fn unbalanced(&self) -> Option<String> {
        let mut sums: HashMap<_, i128> = HashMap::new();
        for account in self.state.accounts.values() {
            let sum = sums.entry(account.asset).or_default();
            *sum = sum.saturating_add(account.balance.units());
        }
        sums.into_iter().find(|(_, sum)| *sum != 0).map(|(asset, _)| asset.to_string())
    }
}
