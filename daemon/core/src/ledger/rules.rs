//! The rules: what a command may do to the state it meets. Each gives the event that would be
//! recorded, or the refusal; nothing is changed here.

use std::borrow::Cow;

use super::{State, apply::new_external, content};
use crate::{
    account::{Account, Status},
    asset::{Asset, AssetCode},
    command::{Action, Move, OpenWallet, Reverse, SetLimit, SetStatus, StatusChange},
    ids::{AccountId, Owner, WalletId},
    journal::{Event, Leg, Reverses, Transaction, TransactionKind, WalletOpened},
    money::{Amount, Balance},
    outcome::Refusal,
    time::Timestamp,
};

/// When a command is recorded, and what "when it is recorded" means for it (in a group: the first member's time).
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) recorded_at: Timestamp,
    pub(super) default_effective: Timestamp,
}

/// `only` is whose wallets alone the command may take money out of: see [`crate::command::Request::only`].
pub(super) fn judge(state: &State, only: Option<&Owner>, action: &Action, moment: Moment) -> Result<Event, Refusal> {
    match action {
        Action::Move(moved) => movement(state, only, moved, moment).map(Event::Transaction),
        _ if only.is_some() => Err(Refusal::OnlyTransfers),
        Action::Reverse(reverse) => reversal(state, reverse, moment).map(Event::Transaction),
        Action::OpenWallet(open) => opening(state, open, moment).map(Event::WalletOpened),
        Action::SetStatus(set) => status(state, set),
        Action::SetLimit(set) => limit(state, set),
        Action::RegisterAsset(asset) => registration(state, *asset),
        Action::NoteAccess(access) => Ok(Event::Access(access.clone())),
    }
}

fn asset(state: &State, code: AssetCode) -> Result<Asset, Refusal> {
    state.assets.get(code).ok_or(Refusal::UnknownAsset(code))
}

fn wallet<'a>(state: &'a State, id: &WalletId) -> Result<&'a Account, Refusal> {
    let id = AccountId::Wallet(id.clone());
    state.accounts.get(&id).ok_or(Refusal::UnknownWallet(id))
}

fn effective(asked: Option<Timestamp>, moment: Moment) -> Result<Timestamp, Refusal> {
    match asked {
        Some(at) if at > moment.recorded_at => Err(Refusal::EffectiveInFuture),
        Some(at) => Ok(at),
        None => Ok(moment.default_effective),
    }
}

fn movement(state: &State, only: Option<&Owner>, moved: &Move, moment: Moment) -> Result<Transaction, Refusal> {
    let bound = only.is_some();
    if bound && (moved.from.is_none() || moved.to.is_none()) {
        return Err(Refusal::OnlyTransfers);
    }
    let asset = asset(state, moved.asset)?;
    let amount = Amount::new(moved.amount, asset.scale).map_err(Refusal::Amount)?;
    // Also true of a move without any wallet, which no edge lets through.
    if moved.from == moved.to {
        return Err(Refusal::SameWallet);
    }
    let effective_at = effective(moved.effective_at, moment)?;
    let outside = || {
        let known = state.accounts.get(&AccountId::External(asset.code));
        known.map_or_else(|| Cow::Owned(new_external(asset)), Cow::Borrowed)
    };
    let side =
        |id: &Option<WalletId>| id.as_ref().map_or_else(|| Ok(outside()), |id| wallet(state, id).map(Cow::Borrowed));
    let from = side(&moved.from)?;
    if bound && from.owner.as_ref() != only {
        return Err(Refusal::UnknownWallet(from.id.clone()));
    }
    // Whoever is bound must be able to pay before the other side is looked at: by what they cannot pay they would learn,
    // for nothing, which wallets there are.
    let paid = if bound {
        open_for(&from, asset.code, effective_at)?;
        Some(leg(&from, amount.debit(), effective_at, false)?)
    } else {
        None
    };
    // What is the matter with it is its owner's business.
    let hidden = |refusal| match &moved.to {
        Some(id) if bound => Refusal::Destination(AccountId::Wallet(id.clone())),
        _ => refusal,
    };
    let to = side(&moved.to).map_err(hidden)?;
    open_for(&from, asset.code, effective_at)?;
    open_for(&to, asset.code, effective_at).map_err(hidden)?;
    Ok(Transaction {
        kind: content::kind(moved),
        amount,
        asset: asset.code,
        effective_at,
        effective_given: moved.effective_at.is_some(),
        memo: moved.memo.clone(),
        meta: moved.meta.clone(),
        debit: paid.map_or_else(|| leg(&from, amount.debit(), effective_at, false), Ok)?,
        credit: leg(&to, amount.credit(), effective_at, false).map_err(hidden)?,
        reverses: None,
    })
}

/// Money of this asset may move here, counting from then.
fn open_for(account: &Account, asset: AssetCode, effective_at: Timestamp) -> Result<(), Refusal> {
    let id = || account.id.clone();
    if account.asset != asset {
        return Err(Refusal::AssetMismatch { account: id(), holds: account.asset, asked: asset });
    }
    match account.status {
        Status::Active => {}
        Status::Frozen => return Err(Refusal::Frozen(id())),
        Status::Closed => return Err(Refusal::Closed(id())),
    }
    if effective_at < account.opened_at {
        return Err(Refusal::BeforeOpened { account: id(), opened_at: account.opened_at });
    }
    Ok(())
}

fn leg(account: &Account, amount: Balance, effective_at: Timestamp, below_floor: bool) -> Result<Leg, Refusal> {
    let out_of_range = || Refusal::BalanceRange(account.id.clone());
    let balance_after = account.balance.plus(amount).ok_or_else(out_of_range)?;
    if amount.is_negative() && !below_floor && !account.floor.allows(balance_after) {
        return Err(Refusal::InsufficientFunds { account: account.id.clone(), available: available(account) });
    }
    if account.id.wallet().is_some() && !account.runs.takes(effective_at, amount) {
        return Err(out_of_range());
    }
    let version = account.version.checked_add(1).ok_or_else(out_of_range)?;
    Ok(Leg { account: account.id.clone(), amount, balance_after, version })
}

/// What a debit may take at most.
fn available(account: &Account) -> Balance {
    let zero = Balance::zero(account.scale());
    match account.floor {
        crate::account::Floor::At(floor) => account.balance.minus(floor).unwrap_or(zero).max(zero),
        crate::account::Floor::None => account.balance.max(zero),
    }
}

fn reversal(state: &State, reverse: &Reverse, moment: Moment) -> Result<Transaction, Refusal> {
    let original = state.originals.get(&reverse.transaction).ok_or(Refusal::UnknownTransaction)?;
    let original = original.record.transaction().ok_or(Refusal::NotReversible)?;
    if original.kind == TransactionKind::Reversal {
        return Err(Refusal::NotReversible);
    }
    if let Some(by) = state.reversals.get(&reverse.transaction) {
        return Err(Refusal::AlreadyReversed(*by));
    }
    let effective_at = effective(reverse.effective_at, moment)?;
    if effective_at < original.effective_at {
        return Err(Refusal::BeforeOriginal(original.effective_at));
    }
    let side = |id: &AccountId| state.accounts.get(id).ok_or_else(|| Refusal::UnknownWallet(id.clone()));
    let (from, to) = (side(&original.credit.account)?, side(&original.debit.account)?);
    for account in [from, to] {
        open_for(account, original.asset, effective_at)?;
    }
    Ok(Transaction {
        kind: TransactionKind::Reversal,
        amount: original.amount,
        asset: original.asset,
        effective_at,
        effective_given: reverse.effective_at.is_some(),
        memo: reverse.memo.clone(),
        meta: crate::text::Metadata::default(),
        debit: leg(from, original.amount.debit(), effective_at, reverse.allow_negative)?,
        credit: leg(to, original.amount.credit(), effective_at, false)?,
        reverses: Some(Reverses { transaction: reverse.transaction, allow_negative: reverse.allow_negative }),
    })
}

fn opening(state: &State, open: &OpenWallet, moment: Moment) -> Result<WalletOpened, Refusal> {
    let asset = asset(state, open.asset)?;
    if state.accounts.contains_key(&AccountId::Wallet(open.id.clone())) {
        return Err(Refusal::WalletExists(open.id.clone()));
    }
    let opened_at = effective(open.opened_at, moment)?;
    Ok(WalletOpened {
        id: open.id.clone(),
        owner: open.owner.clone(),
        asset,
        floor: open.overdraft.floor(asset.scale).map_err(Refusal::Amount)?,
        opened_at,
        opened_given: open.opened_at.is_some(),
        label: open.label.clone(),
        meta: open.meta.clone(),
    })
}

fn status(state: &State, set: &SetStatus) -> Result<Event, Refusal> {
    let account = wallet(state, &set.wallet)?;
    // For ever, whatever is asked for: no other status would do.
    if account.status == Status::Closed {
        return Err(Refusal::Closed(account.id.clone()));
    }
    let allowed = match set.change {
        StatusChange::Freeze => account.status == Status::Active,
        StatusChange::Unfreeze => account.status == Status::Frozen,
        StatusChange::Close => true,
    };
    if !allowed {
        return Err(Refusal::WrongStatus { account: account.id.clone(), status: account.status });
    }
    if set.change == StatusChange::Close && !account.balance.is_zero() {
        return Err(Refusal::NotEmpty { account: account.id.clone(), balance: account.balance });
    }
    Ok(Event::StatusChanged {
        wallet: set.wallet.clone(),
        status: content::target(set.change),
        previous: account.status,
        reason: set.reason.clone(),
    })
}

fn limit(state: &State, set: &SetLimit) -> Result<Event, Refusal> {
    let account = wallet(state, &set.wallet)?;
    if account.status == Status::Closed {
        return Err(Refusal::Closed(account.id.clone()));
    }
    let floor = set.overdraft.floor(account.scale()).map_err(Refusal::Amount)?;
    if !floor.allows(account.balance) {
        return Err(Refusal::LimitBroken { account: account.id.clone(), balance: account.balance });
    }
    Ok(Event::LimitChanged { wallet: set.wallet.clone(), floor, previous: account.floor, reason: set.reason.clone() })
}

fn registration(state: &State, asset: Asset) -> Result<Event, Refusal> {
    if asset.scale > crate::asset::MAX_SCALE || state.assets.get(asset.code).is_some() {
        return Err(Refusal::AssetExists);
    }
    Ok(Event::AssetRegistered(asset))
}
