//! Records as documents: the very bytes and their hash, and beside them copies of what is searched for.

use mongodb::{
    IndexModel,
    bson::{
        Document, RawArrayBuf, RawBinaryRef, RawDocument, RawDocumentBuf, cstr, doc, raw::CStr, spec::BinarySubtype,
    },
    options::IndexOptions,
};
use wallet_core::{
    cut::Hash,
    ids::RequestId,
    journal::{Record, Stored},
    ports::StoreError,
};

use super::{STORE, int64};

/// The indexes: each search is on one field, newest first; `recorded_at` turns times into seqs.
pub(super) fn indexes() -> Vec<(&'static str, IndexModel)> {
    let keys: [(&str, Document); 5] = [
        ("by_actor", doc! { "actor": 1, "_id": -1 }),
        ("by_wallet", doc! { "wallets": 1, "_id": -1 }),
        ("by_kind", doc! { "kind": 1, "_id": -1 }),
        ("by_request", doc! { "request": 1, "_id": -1 }),
        ("by_time", doc! { "recorded_at": 1 }),
    ];
    let model = |(name, keys): (&'static str, Document)| {
        let options = IndexOptions::builder().name(name.to_owned()).build();
        (name, IndexModel::builder().keys(keys).options(options).build())
    };
    keys.into_iter().map(model).collect()
}

fn binary(bytes: &[u8]) -> RawBinaryRef<'_> {
    RawBinaryRef { subtype: BinarySubtype::Generic, bytes }
}

/// A record's document.
pub(super) fn document(stored: &Stored) -> RawDocumentBuf {
    let record = &stored.record;
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("_id"), int64(record.seq));
    document.append(cstr!("recorded_at"), record.recorded_at.as_micros());
    document.append(cstr!("kind"), record.event.kind());
    document.append(cstr!("actor"), record.actor.as_str());
    let mut wallets = RawArrayBuf::new();
    for wallet in record.event.wallets() {
        wallets.push(wallet.as_str());
    }
    document.append(cstr!("wallets"), wallets);
    let mut optional = |name: &CStr, value: Option<&str>| {
        if let Some(value) = value {
            document.append(name, value);
        }
    };
    optional(cstr!("request"), record.request.as_ref().map(RequestId::as_str));
    optional(cstr!("trace"), stored.trace.as_deref());
    document.append(cstr!("hash"), binary(&stored.hash.0));
    document.append(cstr!("bytes"), binary(&stored.bytes));
    document
}

/// The seq of a document.
pub(super) fn seq(document: &RawDocument) -> Result<u64, StoreError> {
    let seq = document.get_i64("_id").ok().and_then(|id| u64::try_from(id).ok());
    seq.ok_or_else(|| StoreError::corrupt(STORE, "a document's _id is no record's number"))
}

/// The seq and the hash of a document.
pub(super) fn hash(document: &RawDocument) -> Result<(u64, Hash), StoreError> {
    let seq = seq(document)?;
    let hash = document.get_binary("hash").ok().and_then(|hash| hash.bytes.try_into().ok());
    match hash {
        Some(hash) => Ok((seq, Hash(hash))),
        None => Err(StoreError::corrupt(STORE, format_args!("record {seq} has no hash of 32 bytes"))),
    }
}

/// A document's record, as it was found. What is said of it beside its bytes must be what its bytes say.
pub(super) fn stored(document: &RawDocument) -> Result<Stored, StoreError> {
    let (seq, hash) = hash(document)?;
    let damaged = |what: &str| StoreError::corrupt(STORE, format_args!("record {seq}: {what}"));
    let bytes = document.get_binary("bytes").map_err(|_| damaged("it has no bytes"))?;
    let trace = document.get_str("trace").ok().map(Into::into);
    let stored = Stored::open(bytes.bytes, hash, trace).map_err(|error| damaged(&error.to_string()))?;
    match differing(document, seq, &stored.record) {
        None => Ok(stored),
        Some(field) => Err(damaged(&format!("its field {field} is not what its bytes say"))),
    }
}

/// The first field that contradicts the record.
fn differing(document: &RawDocument, seq: u64, record: &Record) -> Option<&'static str> {
    let text = |name: &str| document.get_str(name).ok();
    if seq != record.seq {
        return Some("_id");
    }
    if document.get_i64("recorded_at").ok() != Some(record.recorded_at.as_micros()) {
        return Some("recorded_at");
    }
    if text("kind") != Some(record.event.kind()) {
        return Some("kind");
    }
    if text("actor") != Some(record.actor.as_str()) {
        return Some("actor");
    }
    if text("request") != record.request.as_ref().map(RequestId::as_str) {
        return Some("request");
    }
    let wallets = document.get_array("wallets").ok()?.into_iter();
    let mut there = wallets.map(|wallet| wallet.ok().and_then(|wallet| wallet.as_str().map(str::to_owned)));
    let mut said = record.event.wallets();
    loop {
        match (there.next(), said.next()) {
            (None, None) => return None,
            (Some(Some(there)), Some(said)) if there == said.as_str() => {}
            _ => return Some("wallets"),
        }
    }
}
