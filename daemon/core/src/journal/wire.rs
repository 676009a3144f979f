//! A record's canonical JSON.
//!
//! The structs below list their fields in the order RFC 8785 sorts them (all names are ASCII), text
//! holds no control characters, numbers are integers below 2^53: so `serde_json`'s compact output
//! is the canonical form. Transactions, which nearly all records are, are written by [`direct`]. A test holds both against an
//! independent canonicaliser.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    Access, AccessKind, Event, GroupPart, Leg, Record, Reverses, Transaction, TransactionKind, WalletOpened, direct,
};
use crate::{
    account::{Floor, Status},
    asset::Asset,
    ids::{AccountId, TransactionId},
    key::ScopedKey,
    money::{Amount, Balance},
    text::Metadata,
    time::Timestamp,
};

/// Why bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not the JSON of a record.
    #[error("not a journal record: {0}")]
    Json(#[from] serde_json::Error),
    /// A field that its kind needs is missing or out of range.
    #[error("not a journal record: {0}")]
    Field(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRecord<'a> {
    actor: crate::ids::Actor,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    allow_negative: Option<bool>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    amount: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    asset: Option<crate::asset::AssetCode>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    effective_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    effective_given: Option<bool>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    entries: Option<[WireLeg<'a>; 2]>,
    epoch: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    first_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    group: Option<WireGroup>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    key: Option<crate::key::Key>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    key_scope: Option<crate::key::KeyScope>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    label: Option<crate::text::Label>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    last_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    memo: Option<crate::text::Memo>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    meta: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    network: Option<super::Network>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    opened_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    opened_given: Option<bool>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    overdraft: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    owner: Option<crate::ids::Owner>,
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    previous: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    reason: Option<crate::text::Reason>,
    recorded_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    request_id: Option<crate::ids::RequestId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    reverses: Option<TransactionId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    scale: Option<u32>,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    wallet: Option<crate::ids::WalletId>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireLeg<'a> {
    account: AccountId,
    #[serde(borrow)]
    amount: Cow<'a, str>,
    #[serde(borrow)]
    balance_after: Cow<'a, str>,
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireGroup {
    index: u32,
    size: u32,
}

fn filled<T>(value: &T, empty: impl Fn(&T) -> bool) -> Option<T>
where
    T: Clone,
{
    (!empty(value)).then(|| value.clone())
}

pub(super) fn to_bytes(record: &Record) -> Vec<u8> {
    if let Event::Transaction(transaction) = &record.event {
        return direct::transaction(record, transaction);
    }
    let mut wire = WireRecord {
        actor: record.actor.clone(),
        allow_negative: None,
        amount: None,
        asset: None,
        count: None,
        effective_at: None,
        effective_given: None,
        entries: None,
        epoch: record.epoch,
        first_at: None,
        group: record.group.map(|part| WireGroup { index: part.index, size: part.size }),
        key: record.key.as_ref().map(|scoped| scoped.key().clone()),
        key_scope: record.key.as_ref().map(|scoped| scoped.scope().clone()),
        kind: record.event.kind().into(),
        label: None,
        last_at: None,
        memo: None,
        meta: None,
        network: None,
        opened_at: None,
        opened_given: None,
        overdraft: None,
        owner: None,
        previous: None,
        reason: None,
        recorded_at: record.recorded_at,
        request_id: record.request.clone(),
        reverses: None,
        scale: None,
        seq: record.seq,
        wallet: None,
    };
    fill(&mut wire, &record.event);
    let mut bytes = Vec::with_capacity(640);
    // Writing to memory cannot fail, and every map key above is a string.
    if serde_json::to_writer(&mut bytes, &wire).is_err() {
        bytes.clear();
    }
    bytes
}

fn fill(wire: &mut WireRecord<'_>, event: &Event) {
    match event {
        // Written by `direct`.
        Event::Transaction(_) => {}
        Event::WalletOpened(opened) => {
            wire.wallet = Some(opened.id.clone());
            wire.owner = Some(opened.owner.clone());
            wire.asset = Some(opened.asset.code);
            wire.scale = Some(opened.asset.scale);
            wire.overdraft = Some(opened.floor.to_string().into());
            wire.opened_at = Some(opened.opened_at);
            wire.opened_given = Some(opened.opened_given);
            wire.label = filled(&opened.label, crate::text::Text::is_empty);
            wire.meta = filled(&opened.meta, Metadata::is_empty);
        }
        Event::StatusChanged { wallet, previous, reason, .. } => {
            wire.wallet = Some(wallet.clone());
            wire.previous = Some(previous.as_str().into());
            wire.reason = filled(reason, crate::text::Text::is_empty);
        }
        Event::LimitChanged { wallet, floor, previous, reason } => {
            wire.wallet = Some(wallet.clone());
            wire.overdraft = Some(floor.to_string().into());
            wire.previous = Some(previous.to_string().into());
            wire.reason = filled(reason, crate::text::Text::is_empty);
        }
        Event::AssetRegistered(asset) => {
            wire.asset = Some(asset.code);
            wire.scale = Some(asset.scale);
        }
        Event::Access(access) => {
            wire.reason = filled(&access.reason, crate::text::Text::is_empty);
            wire.network = access.network;
            wire.count = Some(access.count);
            wire.first_at = Some(access.first_at);
            wire.last_at = Some(access.last_at);
        }
        Event::EpochRaised { reason } => wire.reason = filled(reason, crate::text::Text::is_empty),
    }
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Record, RecordError> {
    let wire: WireRecord<'_> = serde_json::from_slice(bytes)?;
    let key = match (wire.key.clone(), wire.key_scope.clone()) {
        (Some(key), Some(scope)) => Some(ScopedKey::new(scope, key)),
        (None, None) => None,
        _ => return Err(RecordError::Field("key without key_scope")),
    };
    let record = Record {
        seq: wire.seq,
        epoch: wire.epoch,
        recorded_at: wire.recorded_at,
        actor: wire.actor.clone(),
        key,
        request: wire.request_id.clone(),
        group: wire.group.as_ref().map(|part| GroupPart { index: part.index, size: part.size }),
        event: event(wire)?,
    };
    Ok(record)
}

fn need<T>(value: Option<T>, name: &'static str) -> Result<T, RecordError> {
    value.ok_or(RecordError::Field(name))
}

fn event(wire: WireRecord<'_>) -> Result<Event, RecordError> {
    let status = match &*wire.kind {
        "wallet_frozen" => Some(Status::Frozen),
        "wallet_unfrozen" => Some(Status::Active),
        "wallet_closed" => Some(Status::Closed),
        _ => None,
    };
    if let Some(status) = status {
        return Ok(Event::StatusChanged {
            wallet: need(wire.wallet, "wallet")?,
            status,
            previous: need(wire.previous, "previous")?.parse().map_err(|_| RecordError::Field("previous"))?,
            reason: wire.reason.unwrap_or_default(),
        });
    }
    if let Some(kind) = AccessKind::of(&wire.kind) {
        return Ok(Event::Access(Access {
            kind,
            reason: wire.reason.unwrap_or_default(),
            network: wire.network,
            count: need(wire.count, "count")?,
            first_at: need(wire.first_at, "first_at")?,
            last_at: need(wire.last_at, "last_at")?,
        }));
    }
    match &*wire.kind {
        "deposit" => transaction(wire, TransactionKind::Deposit),
        "withdrawal" => transaction(wire, TransactionKind::Withdrawal),
        "transfer" => transaction(wire, TransactionKind::Transfer),
        "reversal" => transaction(wire, TransactionKind::Reversal),
        "wallet_opened" => Ok(Event::WalletOpened(WalletOpened {
            id: need(wire.wallet, "wallet")?,
            owner: need(wire.owner, "owner")?,
            floor: floor(&need(wire.overdraft, "overdraft")?)?,
            asset: Asset { code: need(wire.asset, "asset")?, scale: need(wire.scale, "scale")? },
            opened_at: need(wire.opened_at, "opened_at")?,
            opened_given: need(wire.opened_given, "opened_given")?,
            label: wire.label.unwrap_or_default(),
            meta: wire.meta.unwrap_or_default(),
        })),
        "limit_changed" => Ok(Event::LimitChanged {
            wallet: need(wire.wallet, "wallet")?,
            floor: floor(&need(wire.overdraft, "overdraft")?)?,
            previous: floor(&need(wire.previous, "previous")?)?,
            reason: wire.reason.unwrap_or_default(),
        }),
        "asset_registered" => {
            Ok(Event::AssetRegistered(Asset { code: need(wire.asset, "asset")?, scale: need(wire.scale, "scale")? }))
        }
        "epoch_raised" => Ok(Event::EpochRaised { reason: wire.reason.unwrap_or_default() }),
        _ => Err(RecordError::Field("kind")),
    }
}

/// The floor behind an overdraft as the journal writes it.
fn floor(text: &str) -> Result<Floor, RecordError> {
    if text == "unlimited" {
        return Ok(Floor::None);
    }
    money(text).map(|overdraft| Floor::At(overdraft.negated()))
}

fn money(text: &str) -> Result<Balance, RecordError> {
    Balance::parse_exact(text).map_err(|_| RecordError::Field("an amount is out of range"))
}

fn transaction(wire: WireRecord<'_>, kind: TransactionKind) -> Result<Event, RecordError> {
    let amount: Amount = money(&need(wire.amount, "amount")?)?.magnitude().ok_or(RecordError::Field("amount"))?;
    let [debit, credit] = need(wire.entries, "entries")?;
    let leg = |wire: WireLeg<'_>| -> Result<Leg, RecordError> {
        Ok(Leg {
            account: wire.account,
            amount: money(&wire.amount)?,
            balance_after: money(&wire.balance_after)?,
            version: wire.version,
        })
    };
    let reverses = match (wire.reverses, wire.allow_negative) {
        (Some(transaction), Some(allow_negative)) => Some(Reverses { transaction, allow_negative }),
        (None, None) => None,
        _ => return Err(RecordError::Field("reverses")),
    };
    Ok(Event::Transaction(Transaction {
        kind,
        amount,
        asset: need(wire.asset, "asset")?,
        effective_at: need(wire.effective_at, "effective_at")?,
        effective_given: need(wire.effective_given, "effective_given")?,
        memo: wire.memo.unwrap_or_default(),
        meta: wire.meta.unwrap_or_default(),
        debit: leg(debit)?,
        credit: leg(credit)?,
        reverses,
    }))
}
