//! A record's effect on accounts, checked against what the record itself says.

use std::borrow::Cow;

use super::State;
use crate::{
    account::{Account, Entry, Floor, Status},
    asset::{Asset, AssetCode},
    cut::Cut,
    ids::{AccountId, TransactionId, WalletId},
    journal::{Event, Leg, Stored, Transaction},
    money::Balance,
    runs::Runs,
};

/// A record that cannot follow the state before it. In a decision this is a bug; in a backup, damage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {seq}: {what}")]
pub struct Broken {
    /// The record.
    pub seq: u64,
    /// What does not follow.
    pub what: &'static str,
}

/// Applies a record to a state that holds the accounts it touches: head, accounts, assets,
/// reversals. Returns the entries of wallets it makes (at most two).
///
/// Nothing is changed when it is [`Broken`]: seq not the next, hash not the chain's, time not later,
/// a leg's version not the next, a `balance_after` not the sum, legs that do not cancel out.
pub fn apply(state: &mut State, stored: &Stored) -> Result<[Option<Entry>; 2], Broken> {
    let record = &stored.record;
    let broken = |what| Broken { seq: record.seq, what };
    if Some(record.seq) != state.head.seq.checked_add(1) {
        return Err(broken("its number does not follow"));
    }
    if !stored.continues(state.head.hash) {
        return Err(broken("its hash does not follow the chain"));
    }
    if state.head.seq > 0 && record.recorded_at <= state.head.recorded_at {
        return Err(broken("it was recorded before the one before it"));
    }
    let epoch_follows = match &record.event {
        Event::EpochRaised { .. } => Some(record.epoch) == state.head.epoch.checked_add(1),
        _ => record.epoch == state.head.epoch,
    };
    if !epoch_follows {
        return Err(broken("its epoch does not follow"));
    }
    let entries = apply_event(state, stored).map_err(broken)?;
    state.head = Cut { epoch: record.epoch, seq: record.seq, recorded_at: record.recorded_at, hash: stored.hash };
    Ok(entries)
}

fn apply_event(state: &mut State, stored: &Stored) -> Result<[Option<Entry>; 2], &'static str> {
    let seq = stored.record.seq;
    match &stored.record.event {
        Event::Transaction(transaction) => return apply_transaction(state, stored.record.id(), transaction),
        Event::WalletOpened(opened) => {
            let id = AccountId::Wallet(opened.id.clone());
            if state.accounts.contains_key(&id) {
                return Err("it opens a wallet that exists");
            }
            if known(state, opened.asset.code)? != opened.asset {
                return Err("its asset has another scale");
            }
            let account = Account {
                id: id.clone(),
                owner: Some(opened.owner.clone()),
                asset: opened.asset.code,
                status: Status::Active,
                floor: opened.floor,
                balance: Balance::zero(opened.asset.scale),
                version: 0,
                opened_at: opened.opened_at,
                opened_seq: seq,
                seq,
                runs: Runs::default(),
            };
            state.accounts.insert(id, account);
        }
        Event::StatusChanged { wallet, status, previous, .. } => {
            let account = wallet_mut(state, wallet)?;
            if account.status != *previous {
                return Err("the wallet's status before it is another");
            }
            account.status = *status;
            account.seq = seq;
        }
        Event::LimitChanged { wallet, floor, previous, .. } => {
            let account = wallet_mut(state, wallet)?;
            if account.floor != *previous {
                return Err("the wallet's limit before it is another");
            }
            account.floor = *floor;
            account.seq = seq;
        }
        Event::AssetRegistered(asset) => {
            if state.assets.get(asset.code).is_some() {
                return Err("it registers an asset that is known");
            }
            state.assets.register(*asset);
        }
        Event::Access(_) | Event::EpochRaised { .. } => {}
    }
    Ok([None, None])
}

fn wallet_mut<'a>(state: &'a mut State, wallet: &WalletId) -> Result<&'a mut Account, &'static str> {
    state.accounts.get_mut(&AccountId::Wallet(wallet.clone())).ok_or("its wallet does not exist")
}

/// The account on the other side of an asset's deposits and withdrawals, before its first entry.
pub(super) fn new_external(asset: Asset) -> Account {
    Account {
        id: AccountId::External(asset.code),
        owner: None,
        asset: asset.code,
        status: Status::Active,
        floor: Floor::None,
        balance: Balance::zero(asset.scale),
        version: 0,
        opened_at: crate::time::Timestamp::MIN,
        opened_seq: 0,
        seq: 0,
        runs: Runs::default(),
    }
}

fn apply_transaction(
    state: &mut State,
    id: TransactionId,
    t: &Transaction,
) -> Result<[Option<Entry>; 2], &'static str> {
    if t.debit.amount != t.amount.debit() || t.credit.amount != t.amount.credit() {
        return Err("its legs do not cancel out");
    }
    if t.debit.account == t.credit.account {
        return Err("both its legs are on one account");
    }
    if t.reverses.is_some_and(|reverses| state.reversals.contains_key(&reverses.transaction)) {
        return Err("it reverses what was reversed before");
    }
    // Both legs are checked before either changes anything.
    check_leg(state, t, &t.debit)?;
    check_leg(state, t, &t.credit)?;
    let entries = [post_leg(state, id.seq, t, &t.debit)?, post_leg(state, id.seq, t, &t.credit)?];
    if let Some(reverses) = t.reverses {
        state.reversals.insert(reverses.transaction, id);
    }
    Ok(entries)
}

fn check_leg(state: &State, t: &Transaction, leg: &Leg) -> Result<(), &'static str> {
    let account = match (state.accounts.get(&leg.account), &leg.account) {
        (Some(account), _) => Cow::Borrowed(account),
        (None, AccountId::External(code)) => Cow::Owned(new_external(known(state, *code)?)),
        (None, AccountId::Wallet(_)) => return Err("its wallet does not exist"),
    };
    if account.asset != t.asset {
        return Err("its wallet holds another asset");
    }
    if account.status != Status::Active {
        return Err("it moves money of a frozen or closed wallet");
    }
    if account.balance.plus(leg.amount) != Some(leg.balance_after) {
        return Err("a balance after it is not the one before plus its amount");
    }
    if account.version.checked_add(1) != Some(leg.version) {
        return Err("an account's version does not follow");
    }
    if leg.account.wallet().is_some() && !account.runs.takes(t.effective_at, leg.amount) {
        return Err(RUN_RANGE);
    }
    Ok(())
}

const RUN_RANGE: &str = "a sum of entries leaves the range";

/// Changes the account of a leg that was checked.
fn post_leg(state: &mut State, seq: u64, t: &Transaction, leg: &Leg) -> Result<Option<Entry>, &'static str> {
    if let AccountId::External(code) = &leg.account
        && !state.accounts.contains_key(&leg.account)
    {
        let made = new_external(known(state, *code)?);
        state.accounts.insert(leg.account.clone(), made);
    }
    let account = state.accounts.get_mut(&leg.account).ok_or("its wallet does not exist")?;
    account.balance = leg.balance_after;
    account.version = leg.version;
    account.seq = seq;
    if account.id.wallet().is_none() {
        return Ok(None);
    }
    let dealt = account.runs.deal(t.effective_at, seq, leg.amount).ok_or(RUN_RANGE)?;
    Ok(Some(Entry {
        account: account.id.clone(),
        number: account.opened_seq,
        seq,
        effective_at: t.effective_at,
        amount: leg.amount,
        balance_after: leg.balance_after,
        version: leg.version,
        run: dealt.run,
        run_after: dealt.run_after,
    }))
}

fn known(state: &State, code: AssetCode) -> Result<Asset, &'static str> {
    state.assets.get(code).ok_or("its asset is not known")
}
