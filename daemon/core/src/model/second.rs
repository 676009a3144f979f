//! The second ledger: judges the same requests and says what must come out.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Fact, Facts, What, units};
use crate::{
    account::Overdraft,
    asset::{AssetCode, MAX_SCALE},
    command::{Action, Command, Mode, Move, Request, Reverse, StatusChange},
    cut::Hash,
    ids::{Owner, WalletId},
    key::ScopedKey,
    outcome::Outcome,
    time::Timestamp,
};

/// What must become of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It happens, as this record.
    Ok(u64),
    /// It happened before, as this record.
    Replayed(u64),
    /// It is refused for one of these reasons: every rule it breaks.
    Refused(BTreeSet<&'static str>),
    /// The key made this record, which differs first in this field.
    Conflict(&'static str, u64),
    /// It is not tried.
    NotAttempted,
}

impl Expected {
    /// True if an outcome is what must come out.
    pub fn allows(&self, outcome: &Outcome) -> bool {
        match (self, outcome) {
            (Self::Ok(seq), Outcome::Ok(stored)) | (Self::Replayed(seq), Outcome::Replayed(stored)) => {
                stored.record.seq == *seq
            }
            (Self::Refused(codes), Outcome::Refused(refusal)) => codes.contains(refusal.code()),
            (Self::Conflict(field, seq), Outcome::Conflict(conflict)) => {
                conflict.field == *field && conflict.existing.seq == *seq
            }
            (Self::NotAttempted, Outcome::NotAttempted) => true,
            _ => false,
        }
    }

    fn happened(&self) -> bool {
        matches!(self, Self::Ok(_) | Self::Replayed(_))
    }
}

/// What must become of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Its commands, in order.
    Rows(Vec<Expected>),
    /// Its own key has other content.
    OtherContent,
    /// It follows one that was not answered.
    OutOfTurn,
}

/// A ledger as a list of facts. Slow, and simple enough to be seen to be right. One epoch only.
#[derive(Clone, Debug, Default)]
pub struct Model {
    facts: Facts,
    answers: Vec<(ScopedKey, Hash, Vec<Expected>)>,
}

impl Model {
    /// What must come out of a request that is decided at `now`.
    pub fn judge(&mut self, request: &Request, now: Timestamp) -> Judged {
        let now = now.as_micros();
        if let Some(own) = &request.own_key {
            let answer = |wanted: &ScopedKey| self.answers.iter().find(|(key, ..)| key == wanted);
            if let Some((_, content, expected)) = answer(&own.key) {
                return if *content == own.content { Judged::Rows(expected.clone()) } else { Judged::OtherContent };
            }
            if own.behind.as_ref().is_some_and(|before| answer(before).is_none()) {
                return Judged::OutOfTurn;
            }
        }
        let expected = if request.mode == Mode::Atomic { self.group(request, now) } else { self.row(request, now) };
        if let Some(own) = &request.own_key {
            self.answers.push((own.key.clone(), own.content, expected.clone()));
        }
        Judged::Rows(expected)
    }

    fn row(&mut self, request: &Request, now: i64) -> Vec<Expected> {
        let mut stopped = false;
        let mut expected = Vec::new();
        for command in &request.commands {
            expected.push(if stopped { Expected::NotAttempted } else { self.command(request, command, now, None) });
            stopped |= request.mode == Mode::Stop && !expected.iter().all(Expected::happened);
        }
        expected
    }

    fn group(&mut self, request: &Request, now: i64) -> Vec<Expected> {
        let commands = &request.commands;
        let keys: BTreeSet<_> = commands.iter().map(|command| &command.key).collect();
        let known = commands.iter().filter(|command| self.facts.by_key(&command.key).is_some()).count();
        let repeated = keys.len() < commands.len();
        if repeated || (known > 0 && known < commands.len()) {
            return vec![Expected::Refused(BTreeSet::from(["group_partly_applied"])); commands.len()];
        }
        let before = self.facts.clone();
        let first = self.recorded(now);
        let expected: Vec<_> =
            commands.iter().map(|command| self.command(request, command, now, Some(first))).collect();
        let failed = expected.iter().position(|one| !one.happened());
        let Some(failed) = failed.filter(|_| known == 0) else {
            return expected;
        };
        self.facts = before;
        let blame = |(index, one)| if index == failed { one } else { Expected::NotAttempted };
        expected.into_iter().enumerate().map(blame).collect()
    }

    fn recorded(&self, now: i64) -> i64 {
        self.facts.0.last().map_or(now, |last| now.max(last.recorded + 1))
    }

    fn command(&mut self, request: &Request, command: &Command, now: i64, first: Option<i64>) -> Expected {
        if let Some((seq, fact)) = self.facts.by_key(&command.key) {
            return match self.differs(&command.action, &fact.action) {
                Some(field) => Expected::Conflict(field, seq),
                None => Expected::Replayed(seq),
            };
        }
        let recorded = self.recorded(now);
        let transfers = matches!(&command.action, Action::Move(moved) if moved.from.is_some() && moved.to.is_some());
        if request.only.is_some() && !transfers {
            return Expected::Refused(BTreeSet::from(["forbidden"]));
        }
        match self.happens(&command.action, request.only.as_ref(), recorded, first.unwrap_or(recorded)) {
            Ok(what) => {
                self.facts.0.push(Fact { key: command.key.clone(), action: command.action.clone(), what, recorded });
                Expected::Ok(self.facts.0.len() as u64)
            }
            Err(broken) => Expected::Refused(broken),
        }
    }

    /// What an action makes happen, or every rule it breaks.
    fn happens(
        &self,
        action: &Action,
        only: Option<&Owner>,
        recorded: i64,
        default: i64,
    ) -> Result<What, BTreeSet<&'static str>> {
        let mut broken = BTreeSet::new();
        let when = |asked: Option<Timestamp>| {
            let at = asked.map_or(default, Timestamp::as_micros);
            (at, (at > recorded).then_some("effective_in_future"))
        };
        let what = match action {
            Action::Move(moved) => {
                let (at, future) = when(moved.effective_at);
                broken.extend(future);
                self.moves(moved, only, at, &mut broken)
            }
            Action::Reverse(reverse) => {
                let (at, future) = when(reverse.effective_at);
                broken.extend(future);
                self.undoes(reverse, at, &mut broken)
            }
            Action::OpenWallet(open) => {
                let (at, future) = when(open.opened_at);
                broken.extend(future);
                if self.facts.wallet(&open.id).is_some() {
                    broken.insert("wallet_exists");
                }
                let floor = match self.facts.scale(open.asset) {
                    Some(scale) => floor(open.overdraft, scale, &mut broken),
                    None => refuse(&mut broken, "unknown_asset"),
                };
                floor.map(|floor| What::Opened { wallet: open.id.clone(), asset: open.asset, floor, at })
            }
            Action::SetStatus(set) => self.becomes(&set.wallet, set.change, &mut broken),
            Action::SetLimit(set) => self.limits(&set.wallet, set.overdraft, &mut broken),
            Action::RegisterAsset(asset) => {
                if asset.scale > MAX_SCALE || self.facts.scale(asset.code).is_some() {
                    broken.insert("asset_exists");
                }
                Some(What::Known { asset: asset.code, scale: asset.scale })
            }
            Action::NoteAccess(_) => Some(What::Noted),
        };
        what.filter(|_| broken.is_empty()).ok_or(broken)
    }

    fn moves(&self, moved: &Move, only: Option<&Owner>, at: i64, broken: &mut BTreeSet<&'static str>) -> Option<What> {
        if moved.from == moved.to {
            broken.insert("same_wallet");
        }
        let Some(scale) = self.facts.scale(moved.asset) else {
            return refuse(broken, "unknown_asset");
        };
        let fitting = units(&moved.amount.to_string(), scale).filter(|units| *units > 0);
        let Some(units) = fitting else {
            return refuse(broken, "invalid_amount");
        };
        let hers = |id: &WalletId| only.is_none_or(|only| self.facts.owner(id) == Some(only));
        if moved.from.as_ref().is_none_or(hers) {
            self.side(moved.from.as_ref(), moved.asset, at, -units, false, broken);
        } else {
            broken.insert("unknown_wallet");
        }
        let mut there = BTreeSet::new();
        self.side(moved.to.as_ref(), moved.asset, at, units, false, &mut there);
        match only {
            None => broken.extend(there),
            // Of the other side they hear only when nothing is wrong with their own.
            Some(_) if !broken.is_empty() || there.is_empty() => {}
            Some(_) => drop(broken.insert("destination_refused")),
        }
        Some(What::Moved {
            from: moved.from.clone(),
            to: moved.to.clone(),
            units,
            asset: moved.asset,
            at,
            undoes: None,
        })
    }

    fn undoes(&self, reverse: &Reverse, at: i64, broken: &mut BTreeSet<&'static str>) -> Option<What> {
        let seq = reverse.transaction.seq;
        let Some(fact) = self.facts.get(seq).filter(|_| reverse.transaction.epoch == 1) else {
            return refuse(broken, "unknown_transaction");
        };
        let What::Moved { from, to, units, asset, at: original, undoes: None } = &fact.what else {
            return refuse(broken, "not_reversible");
        };
        if self.facts.undone_by(seq).is_some() {
            broken.insert("already_reversed");
        }
        if at < *original {
            broken.insert("before_original");
        }
        self.side(to.as_ref(), *asset, at, -units, reverse.allow_negative, broken);
        self.side(from.as_ref(), *asset, at, *units, false, broken);
        let (from, to) = (to.clone(), from.clone());
        Some(What::Moved { from, to, units: *units, asset: *asset, at, undoes: Some(seq) })
    }

    /// Every rule that one side of a movement breaks.
    fn side(
        &self,
        wallet: Option<&WalletId>,
        asset: AssetCode,
        at: i64,
        change: i128,
        below_floor: bool,
        broken: &mut BTreeSet<&'static str>,
    ) {
        let limit = 10_i128.pow(27);
        let Some(id) = wallet else {
            let outside = self.facts.outside().get(&asset).copied().unwrap_or_default() + change;
            broken.extend((outside.abs() >= limit).then_some("balance_range"));
            return;
        };
        let Some(seen) = self.facts.wallet(id) else {
            broken.insert("unknown_wallet");
            return;
        };
        match seen.status {
            "frozen" => broken.insert("wallet_frozen"),
            "closed" => broken.insert("wallet_closed"),
            _ => false,
        };
        broken.extend((at < seen.opened_at).then_some("before_opened"));
        if seen.asset != asset {
            broken.insert("asset_mismatch");
            return;
        }
        let after = self.facts.balance(id, i64::MAX, u64::MAX) + change;
        broken.extend((after.abs() >= limit).then_some("balance_range"));
        let under = change < 0 && seen.floor.is_some_and(|floor| after < floor);
        broken.extend((under && !below_floor).then_some("insufficient_funds"));
    }

    fn becomes(&self, id: &WalletId, change: StatusChange, broken: &mut BTreeSet<&'static str>) -> Option<What> {
        let Some(seen) = self.facts.wallet(id) else {
            return refuse(broken, "unknown_wallet");
        };
        let (from, status): (&[_], _) = match change {
            StatusChange::Freeze => (&["active"], "frozen"),
            StatusChange::Unfreeze => (&["frozen"], "active"),
            StatusChange::Close => (&["active", "frozen"], "closed"),
        };
        if seen.status == "closed" {
            broken.insert("wallet_closed");
        } else if !from.contains(&seen.status) {
            broken.insert("wrong_status");
        }
        if status == "closed" && self.facts.balance(id, i64::MAX, u64::MAX) != 0 {
            broken.insert("wallet_not_empty");
        }
        Some(What::Became { wallet: id.clone(), status })
    }

    fn limits(&self, id: &WalletId, overdraft: Overdraft, broken: &mut BTreeSet<&'static str>) -> Option<What> {
        let Some(seen) = self.facts.wallet(id) else {
            return refuse(broken, "unknown_wallet");
        };
        if seen.status == "closed" {
            broken.insert("wallet_closed");
        }
        let floor = floor(overdraft, self.facts.scale(seen.asset)?, broken)?;
        if floor.is_some_and(|floor| self.facts.balance(id, i64::MAX, u64::MAX) < floor) {
            broken.insert("limit_broken");
        }
        Some(What::Limited { wallet: id.clone(), floor })
    }

    /// The first field in which a repeat differs from what its key asked for at first.
    fn differs(&self, again: &Action, before: &Action) -> Option<&'static str> {
        let fields = match (again, before) {
            (Action::Move(a), Action::Move(b)) => {
                let scale = self.facts.scale(b.asset)?;
                let ends = |moved: &Move| (moved.from.is_some(), moved.to.is_some());
                let same_units = units(&a.amount.to_string(), scale) == units(&b.amount.to_string(), scale);
                vec![
                    ("op", ends(a) == ends(b)),
                    ("from", a.from == b.from),
                    ("to", a.to == b.to),
                    ("asset", a.asset == b.asset),
                    ("amount", same_units),
                    ("effective_at", a.effective_at == b.effective_at),
                    ("memo", a.memo == b.memo),
                    ("meta", a.meta == b.meta),
                ]
            }
            (Action::Reverse(a), Action::Reverse(b)) => vec![
                ("transaction", a.transaction == b.transaction),
                ("allow_negative", a.allow_negative == b.allow_negative),
                ("effective_at", a.effective_at == b.effective_at),
                ("memo", a.memo == b.memo),
            ],
            (Action::OpenWallet(a), Action::OpenWallet(b)) => vec![
                ("wallet", a.id == b.id),
                ("owner", a.owner == b.owner),
                ("asset", a.asset == b.asset),
                ("overdraft", self.same_limit(a.overdraft, b.overdraft, b.asset)),
                ("opened_at", a.opened_at == b.opened_at),
                ("label", a.label == b.label),
                ("meta", a.meta == b.meta),
            ],
            (Action::SetStatus(a), Action::SetStatus(b)) => {
                vec![("op", a.change == b.change), ("wallet", a.wallet == b.wallet), ("reason", a.reason == b.reason)]
            }
            (Action::SetLimit(a), Action::SetLimit(b)) => {
                let asset = self.facts.wallet(&b.wallet)?.asset;
                vec![
                    ("wallet", a.wallet == b.wallet),
                    ("overdraft", self.same_limit(a.overdraft, b.overdraft, asset)),
                    ("reason", a.reason == b.reason),
                ]
            }
            (Action::RegisterAsset(a), Action::RegisterAsset(b)) => {
                vec![("asset", a.code == b.code), ("scale", a.scale == b.scale)]
            }
            (Action::NoteAccess(a), Action::NoteAccess(b)) => vec![
                ("op", a.kind == b.kind),
                ("reason", a.reason == b.reason),
                ("network", a.network == b.network),
                ("count", a.count == b.count),
                ("first_at", a.first_at == b.first_at),
                ("last_at", a.last_at == b.last_at),
            ],
            _ => vec![("op", false)],
        };
        fields.into_iter().find(|(_, same)| !same).map(|(field, _)| field)
    }

    fn same_limit(&self, a: Overdraft, b: Overdraft, asset: AssetCode) -> bool {
        let Some(scale) = self.facts.scale(asset) else {
            return false;
        };
        let mut broken = BTreeSet::new();
        let (a, b) = (floor(a, scale, &mut broken), floor(b, scale, &mut broken));
        broken.is_empty() && a == b
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.facts.0.len() as u64
    }

    /// A wallet's balance at `at`, as known at seq `known`, in whole units; none for no such wallet.
    pub fn balance_at(&self, wallet: &WalletId, at: Timestamp, known: u64) -> Option<i128> {
        self.facts.wallet(wallet).map(|_| self.facts.balance(wallet, at.as_micros(), known))
    }

    /// A wallet's status word and balance now, in whole units.
    pub fn wallet(&self, wallet: &WalletId) -> Option<(&'static str, i128)> {
        self.facts.wallet(wallet).map(|seen| (seen.status, self.facts.balance(wallet, i64::MAX, u64::MAX)))
    }

    /// The other side of each asset in use, in whole units.
    pub fn outside(&self) -> BTreeMap<AssetCode, i128> {
        self.facts.outside()
    }

    /// The record that undid this one.
    pub fn undone_by(&self, seq: u64) -> Option<u64> {
        self.facts.undone_by(seq)
    }
}

fn refuse<T>(broken: &mut BTreeSet<&'static str>, code: &'static str) -> Option<T> {
    broken.insert(code);
    None
}

/// The floor that a limit means; inner none for no limit.
#[allow(clippy::option_option, reason = "does not fit, no limit, and a limit are three answers")]
fn floor(overdraft: Overdraft, scale: u32, broken: &mut BTreeSet<&'static str>) -> Option<Option<i128>> {
    match overdraft {
        Overdraft::Unlimited => Some(None),
        Overdraft::Upto(quantity) => match units(&quantity.to_string(), scale) {
            Some(units) => Some(Some(-units)),
            None => refuse(broken, "invalid_amount"),
        },
    }
}
