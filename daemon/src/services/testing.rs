//! What the services' tests share.

use std::ops::Range;

use async_trait::async_trait;
use wallet_core::{
    account::Overdraft,
    asset::Asset,
    command::{Action, Command, Move, OpenWallet, Request, SetLimit, SetStatus, StatusChange},
    ids::{Actor, WalletId},
    key::ScopedKey,
    model::MemoryLedger,
    outcome::{Answer, Outcome},
    ports::LedgerStore as _,
    text::Metadata,
};

use super::commits::{Commits, SubmitError};

pub(crate) fn id(name: &str) -> WalletId {
    name.parse().unwrap()
}

/// A request of commands, each with a key made from `key` and its place.
pub(crate) fn request(key: &str, actions: impl IntoIterator<Item = Action>) -> Request {
    let command = |(n, action): (usize, Action)| Command {
        key: ScopedKey::shared(format!("{key}-{n}").parse().unwrap()),
        action,
    };
    let commands = actions.into_iter().enumerate().map(command).collect();
    let single = Command { key: ScopedKey::shared("k".parse().unwrap()), action: status("w", StatusChange::Close) };
    Request { commands, ..Request::single(Actor::system(), single) }
}

pub(crate) fn open(wallet: &str) -> Action {
    Action::OpenWallet(OpenWallet {
        id: id(wallet),
        owner: "ann".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        overdraft: Overdraft::Upto("0".parse().unwrap()),
        opened_at: None,
        label: "a purse".parse().unwrap(),
        meta: Metadata::new([("branch", "12")]).unwrap(),
    })
}

pub(crate) fn deposit(wallet: &str, amount: &str) -> Action {
    Action::Move(Move {
        from: None,
        to: Some(id(wallet)),
        amount: amount.parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        effective_at: None,
        memo: "".parse().unwrap(),
        meta: Metadata::default(),
    })
}

pub(crate) fn status(wallet: &str, change: StatusChange) -> Action {
    Action::SetStatus(SetStatus { wallet: id(wallet), change, reason: "why".parse().unwrap() })
}

pub(crate) fn limit(wallet: &str, overdraft: &str) -> Action {
    let reason = "why".parse().unwrap();
    Action::SetLimit(SetLimit { wallet: id(wallet), overdraft: overdraft.parse().unwrap(), reason })
}

/// Commits actions, each of which must be accepted.
pub(crate) async fn commit(ledger: &MemoryLedger, key: &str, actions: impl IntoIterator<Item = Action>) {
    let answers = ledger.commit(&[request(key, actions)]).await.unwrap();
    let Answer::Outcomes { outcomes, .. } = &answers[0] else { panic!("{answers:?}") };
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Ok(_))), "{outcomes:?}");
}

/// Commits one record for each number.
pub(crate) async fn register(ledger: &MemoryLedger, numbers: Range<u64>) {
    for n in numbers {
        let asset = Asset { code: format!("X{n}").parse().unwrap(), scale: 2 };
        commit(ledger, &format!("asset-{n}"), [Action::RegisterAsset(asset)]).await;
    }
}

/// The ledger itself as the way to its writer.
pub(crate) struct Direct(pub(crate) MemoryLedger);

#[async_trait]
impl Commits for Direct {
    async fn submit(&self, request: Request) -> Result<Answer, SubmitError> {
        Ok(self.0.commit(&[request]).await?.remove(0))
    }
}
