//! Same key, same content? Names the first field that differs.

use crate::{
    account::{Floor, Status},
    command::{Action, Move, OpenWallet, Reverse, SetLimit, SetStatus, StatusChange},
    ids::AccountId,
    journal::{Access, Event, Transaction, TransactionKind, WalletOpened},
    money::Amount,
    time::Timestamp,
};

/// The first field in which an action differs from what its key did before; none if it is the same.
pub(super) fn difference(action: &Action, event: &Event) -> Option<&'static str> {
    match (action, event) {
        (Action::Move(moved), Event::Transaction(t)) => of_move(moved, t),
        (Action::Reverse(reverse), Event::Transaction(t)) => of_reverse(reverse, t),
        (Action::OpenWallet(open), Event::WalletOpened(opened)) => of_open(open, opened),
        (Action::SetStatus(set), Event::StatusChanged { wallet, status, reason, .. }) => {
            let SetStatus { wallet: asked, change, reason: why } = set;
            first([("op", target(*change) != *status), ("wallet", asked != wallet), ("reason", why != reason)])
        }
        (Action::SetLimit(set), Event::LimitChanged { wallet, floor, reason, .. }) => {
            let SetLimit { wallet: asked, overdraft, reason: why } = set;
            let other = scale_of(*floor).is_some_and(|scale| overdraft.floor(scale) != Ok(*floor))
                || (*floor == Floor::None) != (*overdraft == crate::account::Overdraft::Unlimited);
            first([("wallet", asked != wallet), ("overdraft", other), ("reason", why != reason)])
        }
        (Action::RegisterAsset(asked), Event::AssetRegistered(asset)) => {
            first([("asset", asked.code != asset.code), ("scale", asked.scale != asset.scale)])
        }
        (Action::NoteAccess(asked), Event::Access(noted)) => {
            let Access { kind, reason, network, count, first_at, last_at } = asked;
            first([
                ("op", *kind != noted.kind),
                ("reason", *reason != noted.reason),
                ("network", *network != noted.network),
                ("count", *count != noted.count),
                ("first_at", *first_at != noted.first_at),
                ("last_at", *last_at != noted.last_at),
            ])
        }
        _ => Some("op"),
    }
}

fn first<const N: usize>(fields: [(&'static str, bool); N]) -> Option<&'static str> {
    fields.into_iter().find(|(_, differs)| *differs).map(|(name, _)| name)
}

fn scale_of(floor: Floor) -> Option<u32> {
    match floor {
        Floor::At(balance) => Some(balance.scale()),
        Floor::None => None,
    }
}

/// The status a step leads to.
pub(super) fn target(change: StatusChange) -> Status {
    match change {
        StatusChange::Freeze => Status::Frozen,
        StatusChange::Unfreeze => Status::Active,
        StatusChange::Close => Status::Closed,
    }
}

/// True if a time asked for is not the one recorded; a default is only ever the same as a default.
fn time_differs(asked: Option<Timestamp>, recorded: Timestamp, given: bool) -> bool {
    match asked {
        Some(at) => !given || at != recorded,
        None => given,
    }
}

/// The kind a move has by its ends.
pub(super) fn kind(moved: &Move) -> TransactionKind {
    match (&moved.from, &moved.to) {
        (None, _) => TransactionKind::Deposit,
        (Some(_), None) => TransactionKind::Withdrawal,
        (Some(_), Some(_)) => TransactionKind::Transfer,
    }
}

fn of_move(moved: &Move, t: &Transaction) -> Option<&'static str> {
    let is = |asked: &Option<crate::ids::WalletId>, account: &AccountId| asked.as_ref() == account.wallet();
    first([
        ("op", kind(moved) != t.kind),
        ("from", !is(&moved.from, &t.debit.account)),
        ("to", !is(&moved.to, &t.credit.account)),
        ("asset", moved.asset != t.asset),
        ("amount", Amount::new(moved.amount, t.debit.amount.scale()) != Ok(t.amount)),
        ("effective_at", time_differs(moved.effective_at, t.effective_at, t.effective_given)),
        ("memo", moved.memo != t.memo),
        ("meta", moved.meta != t.meta),
    ])
}

fn of_reverse(reverse: &Reverse, t: &Transaction) -> Option<&'static str> {
    let Some(reverses) = t.reverses else {
        return Some("op");
    };
    first([
        ("transaction", reverse.transaction != reverses.transaction),
        ("allow_negative", reverse.allow_negative != reverses.allow_negative),
        ("effective_at", time_differs(reverse.effective_at, t.effective_at, t.effective_given)),
        ("memo", reverse.memo != t.memo),
    ])
}

fn of_open(open: &OpenWallet, opened: &WalletOpened) -> Option<&'static str> {
    first([
        ("wallet", open.id != opened.id),
        ("owner", open.owner != opened.owner),
        ("asset", open.asset != opened.asset.code),
        ("overdraft", open.overdraft.floor(opened.asset.scale) != Ok(opened.floor)),
        ("opened_at", time_differs(open.opened_at, opened.opened_at, opened.opened_given)),
        ("label", open.label != opened.label),
        ("meta", open.meta != opened.meta),
    ])
}
