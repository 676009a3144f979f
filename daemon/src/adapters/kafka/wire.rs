//! Messages: what is written into the topics and read from them. The shapes are documented in docs/asyncapi.yaml.

use std::{borrow::Cow, sync::Arc};

use rdkafka::{
    Message,
    message::{Header, Headers, OwnedHeaders},
};
use serde::Serialize;
use wallet_core::{
    cut::Hash,
    journal::{Leg, Record, Stored, Transaction},
};

/// The version of the shapes; it grows when a reader of the one before would misread.
pub(super) const SCHEMA: &str = "1";

/// Why a message is none of this ledger's records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Foreign {
    /// It lacks a header, or one does not read.
    #[error("its header {0} is missing or unreadable")]
    Header(&'static str),
    /// It is of another ledger.
    #[error("it is a record of ledger {0}")]
    Ledger(String),
    /// It is of a version this program does not know.
    #[error("its schema is {0}, this program knows {SCHEMA}")]
    Schema(String),
    /// Its bytes are no record.
    #[error("{0}")]
    Bytes(String),
    /// Header and bytes are of two records.
    #[error("its header says record {0}, its bytes say {1}")]
    Seq(u64, u64),
}

/// What a message's headers say.
pub(super) struct Said<'a> {
    pub(super) seq: u64,
    pub(super) hash: Hash,
    trace: Option<&'a str>,
}

/// The headers of every message about a record.
pub(super) fn headers(stored: &Stored, ledger: &str) -> OwnedHeaders {
    let (seq, epoch, hash) = (stored.record.seq.to_string(), stored.record.epoch.to_string(), stored.hash.to_string());
    let mut headers = OwnedHeaders::new_with_capacity(6);
    for (key, value) in [("seq", &*seq), ("hash", &hash), ("epoch", &epoch), ("ledger", ledger), ("schema", SCHEMA)] {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    match stored.trace.as_deref() {
        Some(trace) => headers.insert(Header { key: "traceparent", value: Some(trace) }),
        None => headers,
    }
}

/// Reads the headers of a message.
pub(super) fn said<'a>(message: &'a impl Message, ledger: &str) -> Result<Said<'a>, Foreign> {
    let mut found = [None; 5];
    let names = ["seq", "hash", "ledger", "schema", "traceparent"];
    if let Some(headers) = message.headers() {
        for header in headers.iter() {
            let place = names.iter().position(|name| *name == header.key).and_then(|index| found.get_mut(index));
            if let Some(place) = place {
                *place = header.value.and_then(|value| std::str::from_utf8(value).ok());
            }
        }
    }
    let [seq, hash, of, schema, trace] = found;
    let of = of.ok_or(Foreign::Header("ledger"))?;
    if of != ledger {
        return Err(Foreign::Ledger(of.to_owned()));
    }
    let schema = schema.ok_or(Foreign::Header("schema"))?;
    if schema != SCHEMA {
        return Err(Foreign::Schema(schema.to_owned()));
    }
    Ok(Said {
        seq: seq.and_then(|seq| seq.parse().ok()).ok_or(Foreign::Header("seq"))?,
        hash: hash.and_then(|hash| hash.parse().ok()).ok_or(Foreign::Header("hash"))?,
        trace,
    })
}

/// Reads the record of a message whose headers were read.
pub(super) fn record(message: &impl Message, said: &Said<'_>) -> Result<Arc<Stored>, Foreign> {
    let bytes = message.payload().unwrap_or_default();
    let stored =
        Stored::open(bytes, said.hash, said.trace.map(Box::from)).map_err(|error| Foreign::Bytes(error.to_string()))?;
    if stored.record.seq != said.seq {
        return Err(Foreign::Seq(said.seq, stored.record.seq));
    }
    Ok(Arc::new(stored))
}

/// One leg, for outsiders. Fields in the order of their names.
#[derive(Serialize)]
struct Entry<'a> {
    account: String,
    amount: String,
    asset: Cow<'a, str>,
    balance_after: String,
    effective_at: String,
    epoch: u64,
    kind: &'a str,
    recorded_at: String,
    seq: u64,
    transaction: String,
    version: u64,
}

/// The legs of a record: key and bytes of each.
pub(super) fn entries(record: &Record) -> Vec<(String, Vec<u8>)> {
    let Some(transaction) = record.transaction() else { return Vec::new() };
    [&transaction.debit, &transaction.credit].into_iter().map(|leg| entry(record, transaction, leg)).collect()
}

fn entry(record: &Record, transaction: &Transaction, leg: &Leg) -> (String, Vec<u8>) {
    let account = leg.account.to_string();
    let entry = Entry {
        account: account.clone(),
        amount: leg.amount.to_string(),
        asset: transaction.asset.to_string().into(),
        balance_after: leg.balance_after.to_string(),
        effective_at: transaction.effective_at.to_string(),
        epoch: record.epoch,
        kind: transaction.kind.as_str(),
        recorded_at: record.recorded_at.to_string(),
        seq: record.seq,
        transaction: record.id().to_string(),
        version: leg.version,
    };
    // Text and numbers only: this cannot fail.
    (account, serde_json::to_vec(&entry).unwrap_or_default())
}
