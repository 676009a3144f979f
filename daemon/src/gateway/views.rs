//! Core types as wire types.

use std::collections::BTreeMap;

use wallet_api::types::{
    BalanceRow, BalanceView, BatchResult, CutView, Posted, RowOutcome, StatementLine, TransactionView,
};
use wallet_core::{
    cut::Cut,
    digits::Digits,
    ids::WalletId,
    journal::{Leg, Stored, Transaction},
    json::Json,
    key::{Key, ScopedKey},
    outcome::{Answer, Outcome},
    text::Metadata,
};

use super::context::Context;
use crate::services::{ServiceError, balances::BalanceAt};

/// The actor of a transaction that the caller did not make, where it must not know.
const SOMEBODY_ELSE: &str = "other";

pub(super) fn cut(cut: Cut) -> CutView {
    CutView { epoch: cut.epoch, seq: cut.seq, recorded_at: cut.recorded_at.to_string(), hash: cut.hash.to_string() }
}

pub(super) fn meta(meta: &Metadata) -> BTreeMap<String, String> {
    meta.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn wallet_of(leg: &Leg) -> Option<String> {
    leg.account.wallet().map(ToString::to_string)
}

fn balance_of(leg: &Leg) -> Option<String> {
    leg.account.wallet().map(|_| leg.balance_after.to_string())
}

/// Which sides of a transaction a caller sees the balance of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sides {
    /// The paying wallet's.
    pub(super) debit: bool,
    /// The paid wallet's.
    pub(super) credit: bool,
}

/// A key, unless it is of a namespace that is not the caller's own.
fn key_of<'a>(stored: &'a Stored, context: &Context) -> Option<&'a Key> {
    let key = stored.record.key.as_ref();
    key.filter(|key| context.only.is_none() || *key.scope() == context.caller.scope).map(ScopedKey::key)
}

/// Who did it; of a caller bound to its own wallets nobody's name but its own is its business.
fn actor_of<'a>(stored: &'a Stored, context: &Context) -> &'a str {
    let actor = &stored.record.actor;
    if context.only.is_none() || *actor == context.caller.actor { actor.as_str() } else { SOMEBODY_ELSE }
}

/// A transaction; of a dry run, without what only a commit gives it.
pub(super) fn transaction(
    stored: &Stored,
    t: &Transaction,
    context: &Context,
    sides: Sides,
    dry_run: bool,
) -> TransactionView {
    let record = &stored.record;
    TransactionView {
        transaction: (!dry_run).then(|| record.id().to_string()),
        seq: record.seq,
        kind: t.kind.as_str().into(),
        from: wallet_of(&t.debit),
        to: wallet_of(&t.credit),
        amount: t.amount.to_string(),
        asset: t.asset.to_string(),
        effective_at: t.effective_at.to_string(),
        recorded_at: record.recorded_at.to_string(),
        key: key_of(stored, context).map(Key::to_string),
        memo: t.memo.to_string(),
        meta: meta(&t.meta),
        actor: actor_of(stored, context).to_owned(),
        from_balance: balance_of(&t.debit).filter(|_| sides.debit),
        to_balance: balance_of(&t.credit).filter(|_| sides.credit),
        reverses: t.reverses.map(|reverses| reverses.transaction.to_string()),
        reversed_by: None,
        hash: (!dry_run).then(|| stored.hash.to_string()),
    }
}

/// The answer around a transaction just made: what [`posted`] around [`transaction`] says, written straight away. It is what
/// a daemon under load answers most.
pub(super) fn made(
    outcome: &Outcome,
    (stored, t): (&Stored, &Transaction),
    context: &Context,
    sides: Sides,
    how: (bool, bool),
) -> Vec<u8> {
    /// Bytes that hold most answers.
    const ROOM: usize = 768;
    let (record, (dry_run, new)) = (&stored.record, how);
    let mut out = Json::with_capacity(ROOM);
    out.text(r#"{"outcome":"#, outcome.as_str());
    out.flag(r#","dry_run":"#, dry_run);
    let id = (!new).then(|| record.id().to_string());
    optional(&mut out, r#","transaction":"#, id.as_deref());
    out.digits(r#","seq":"#, &Digits::number(record.seq));
    out.text(r#","kind":"#, t.kind.as_str());
    optional(&mut out, r#","from":"#, t.debit.account.wallet().map(WalletId::as_str));
    optional(&mut out, r#","to":"#, t.credit.account.wallet().map(WalletId::as_str));
    out.digits(r#","amount":""#, &t.amount.digits());
    out.text(r#"","asset":"#, t.asset.as_str());
    out.digits(r#","effective_at":""#, &t.effective_at.digits());
    out.digits(r#"","recorded_at":""#, &record.recorded_at.digits());
    optional(&mut out, r#"","key":"#, key_of(stored, context).map(Key::as_str));
    out.text(r#","memo":"#, t.memo.as_str());
    out.map(r#","meta":"#, t.meta.iter());
    out.text(r#","actor":"#, actor_of(stored, context));
    for (name, leg, is_seen) in
        [(r#","from_balance":""#, &t.debit, sides.debit), (r#","to_balance":""#, &t.credit, sides.credit)]
    {
        if is_seen && leg.account.wallet().is_some() {
            out.digits(name, &leg.balance_after.digits());
            out.plain("\"");
        }
    }
    if let Some(reverses) = t.reverses {
        out.text(r#","reverses":"#, &reverses.transaction.to_string());
    }
    if !new {
        out.text(r#","hash":"#, &stored.hash.to_string());
    }
    out.plain("}");
    out.into_bytes()
}

fn optional(out: &mut Json, before: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.text(before, text);
    } else {
        out.plain(before);
        out.plain("null");
    }
}

/// The outcomes of a request, and whether they are its first ones again; or why there are none.
fn outcomes(answer: Answer) -> Result<(Vec<Outcome>, bool), ServiceError> {
    match answer {
        Answer::OwnKeyConflict => Err(ServiceError::OwnKeyConflict),
        Answer::OutOfTurn => Err(ServiceError::OutOfTurn),
        Answer::Outcomes { outcomes, replayed } => Ok((outcomes, replayed)),
    }
}

/// The outcomes of a request of many commands, or why there are none.
pub(super) fn rows(answer: Answer) -> Result<BatchResult, ServiceError> {
    let (outcomes, replayed) = outcomes(answer)?;
    Ok(BatchResult { replayed, outcomes: outcomes.iter().map(row).collect() })
}

/// The one outcome of a request of one command, or why there is none.
pub(super) fn single(answer: Answer) -> Result<Outcome, ServiceError> {
    match outcomes(answer)?.0.into_iter().next() {
        Some(Outcome::Refused(refusal)) => Err(ServiceError::Refused(refusal)),
        Some(Outcome::Conflict(conflict)) => Err(ServiceError::Conflict(conflict)),
        Some(outcome @ (Outcome::Ok(_) | Outcome::Replayed(_))) => Ok(outcome),
        Some(Outcome::NotAttempted) | None => {
            Err(wallet_core::ports::StoreError::corrupt("ledger", "a command has no outcome").into())
        }
    }
}

/// A write's answer around what it made.
pub(super) fn posted<T>(outcome: &Outcome, dry_run: bool, result: T) -> Posted<T> {
    Posted { outcome: outcome.as_str().into(), dry_run, result }
}

/// One row of a batch's answer.
pub(super) fn row(outcome: &Outcome) -> RowOutcome {
    let mut row = RowOutcome {
        outcome: outcome.as_str().into(),
        transaction: None,
        seq: None,
        code: None,
        message: None,
        field: None,
    };
    match outcome {
        Outcome::Ok(stored) | Outcome::Replayed(stored) => {
            row.transaction = stored.record.transaction().map(|_| stored.record.id());
            row.seq = Some(stored.record.seq);
        }
        Outcome::Refused(refusal) => {
            row.code = Some(refusal.code().into());
            row.message = Some(refusal.to_string());
        }
        Outcome::Conflict(conflict) => {
            row.code = Some("key_conflict".into());
            row.field = Some(conflict.field.to_string());
            row.transaction = conflict.is_of_transaction().then_some(conflict.existing);
            row.seq = Some(conflict.existing.seq);
            row.message = Some(conflict.to_string());
        }
        Outcome::NotAttempted => {}
    }
    row
}

pub(super) fn balance(found: &BalanceAt) -> BalanceView {
    BalanceView {
        wallet: found.wallet.to_string(),
        asset: found.asset.to_string(),
        balance: found.balance.to_string(),
        at: found.at.to_string(),
        opened: found.opened,
        seq: found.seq,
        epoch: found.epoch,
        cut: found.cut.map(cut),
        source: if found.cached_age.is_some() { "cache".into() } else { "ledger".into() },
        age_ms: found.cached_age.map(|micros| u64::try_from(micros / 1_000).unwrap_or_default()),
    }
}

pub(super) fn balance_row(found: &BalanceAt, partial: bool) -> BalanceRow {
    BalanceRow {
        wallet: found.wallet.to_string(),
        asset: found.asset.to_string(),
        balance: found.balance.to_string(),
        at: found.at.to_string(),
        opened: found.opened,
        seq: found.seq,
        partial,
    }
}

pub(super) fn statement_line(
    posted: &wallet_core::ports::Posted,
    balance: wallet_core::money::Balance,
    context: &Context,
) -> Option<StatementLine> {
    let stored = &posted.record;
    let t = stored.record.transaction()?;
    let other = if t.debit.account == posted.entry.account { &t.credit } else { &t.debit };
    Some(StatementLine {
        transaction: stored.record.id().to_string(),
        seq: stored.record.seq,
        kind: t.kind.as_str().into(),
        counterparty: wallet_of(other),
        amount: posted.entry.amount.to_string(),
        balance: balance.to_string(),
        effective_at: t.effective_at.to_string(),
        recorded_at: stored.record.recorded_at.to_string(),
        key: key_of(stored, context).map(Key::to_string),
        memo: t.memo.to_string(),
    })
}

#[cfg(test)]
mod tests;
