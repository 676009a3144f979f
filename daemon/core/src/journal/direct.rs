//! A transaction's canonical JSON, written straight into one buffer: what [`super::wire`] would write, at a fraction of its cost.
//!
//! Every name stands where RFC 8785 sorts it. Text is copied as it is unless it holds something to escape.

use super::{Leg, Record, Transaction};
use crate::{digits::Digits, json::Json, key::KeyScope};

/// Bytes that hold most records.
const ROOM: usize = 704;

pub(super) fn transaction(record: &Record, t: &Transaction) -> Vec<u8> {
    let mut out = Json::with_capacity(ROOM);
    out.text(r#"{"actor":"#, record.actor.as_str());
    if let Some(reverses) = t.reverses {
        out.flag(r#","allow_negative":"#, reverses.allow_negative);
    }
    out.digits(r#","amount":""#, &t.amount.digits());
    out.text(r#"","asset":"#, t.asset.as_str());
    out.digits(r#","effective_at":""#, &t.effective_at.digits());
    out.flag(r#"","effective_given":"#, t.effective_given);
    leg(&mut out, r#","entries":["#, &t.debit);
    leg(&mut out, ",", &t.credit);
    out.digits(r#"],"epoch":"#, &Digits::number(record.epoch));
    if let Some(part) = record.group {
        out.digits(r#","group":{"index":"#, &Digits::number(part.index.into()));
        out.digits(r#","size":"#, &Digits::number(part.size.into()));
        out.plain("}");
    }
    if let Some(scoped) = &record.key {
        out.text(r#","key":"#, scoped.key().as_str());
        match scoped.scope() {
            KeyScope::Shared => out.plain(r#","key_scope":"shared""#),
            scope => out.text(r#","key_scope":"#, &scope.to_string()),
        }
    }
    out.plain(r#","kind":""#);
    out.plain(t.kind.as_str());
    out.plain(r#"""#);
    if !t.memo.is_empty() {
        out.text(r#","memo":"#, t.memo.as_str());
    }
    if !t.meta.is_empty() {
        out.map(r#","meta":"#, t.meta.iter());
    }
    out.digits(r#","recorded_at":""#, &record.recorded_at.digits());
    out.plain(r#"""#);
    if let Some(request) = &record.request {
        out.text(r#","request_id":"#, request.as_str());
    }
    if let Some(reverses) = t.reverses {
        out.text(r#","reverses":"#, &reverses.transaction.to_string());
    }
    out.digits(r#","seq":"#, &Digits::number(record.seq));
    out.plain("}");
    out.into_bytes()
}

fn leg(out: &mut Json, before: &str, leg: &Leg) {
    out.plain(before);
    match leg.account.wallet() {
        Some(wallet) => out.text(r#"{"account":"#, wallet.as_str()),
        None => out.text(r#"{"account":"#, &leg.account.to_string()),
    }
    out.digits(r#","amount":""#, &leg.amount.digits());
    out.digits(r#"","balance_after":""#, &leg.balance_after.digits());
    out.digits(r#"","version":"#, &Digits::number(leg.version));
    out.plain("}");
}
