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

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use wallet_core::journal::AccessKind;

    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/asyncapi.yaml");
    const VECTORS: &str = include_str!("../../../core/tests/vectors/journal.json");

    /// The examples of a message: headers and bytes. Each is one line of JSON, which YAML is too.
    fn examples(message: &str) -> Vec<(Value, &'static str)> {
        let (_, behind) = DOCUMENT.split_once(&format!("      name: {message}\n")).unwrap();
        let (_, behind) = behind.split_once("      examples:\n").unwrap();
        let lines: Vec<_> = behind.lines().take_while(|line| line.starts_with("        ")).collect();
        let field = |line: &'static str, name: &str| line.trim_start().strip_prefix(name);
        let headers = lines.iter().filter_map(|line| field(line, "headers: "));
        let payloads = lines.iter().filter_map(|line| field(line, "payload: "));
        headers.zip(payloads).map(|(headers, bytes)| (serde_json::from_str(headers).unwrap(), bytes)).collect()
    }

    /// A record of the golden vectors, by its number.
    fn golden(seq: u64) -> (Stored, String) {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let record = &vectors["records"][usize::try_from(seq).unwrap() - 1];
        let hash = record["hash"].as_str().unwrap().parse().unwrap();
        let stored = Stored::open(record["bytes"].as_str().unwrap().as_bytes(), hash, None).unwrap();
        (stored, vectors["ledger_id"].as_str().unwrap().to_owned())
    }

    fn as_json(headers: &OwnedHeaders) -> Value {
        let pairs = headers.iter().map(|header| {
            let value = std::str::from_utf8(header.value.unwrap()).unwrap();
            (header.key.to_owned(), Value::from(value))
        });
        Value::Object(pairs.collect())
    }

    #[test]
    fn the_documented_records_are_real_ones() {
        let examples = examples("record");
        let mut kinds = Vec::new();
        for (said, bytes) in &examples {
            let record = Record::from_bytes(bytes.as_bytes()).unwrap();
            let (stored, ledger) = golden(record.seq);
            assert_eq!(*bytes, std::str::from_utf8(&stored.bytes).unwrap());
            assert_eq!(*said, as_json(&headers(&stored, &ledger)));
            kinds.push(record.event.kind());
        }
        for kind in ["deposit", "withdrawal", "transfer", "reversal", "wallet_opened", "limit_changed", "epoch_raised"]
        {
            assert!(kinds.contains(&kind), "{kind}");
        }
        for kind in AccessKind::ALL {
            assert!(kinds.contains(&kind.as_str()), "{kind:?}");
        }
    }

    #[test]
    fn the_documented_entries_are_real_ones() {
        let examples = examples("entry");
        let (stored, ledger) = golden(examples[0].0["seq"].as_str().unwrap().parse().unwrap());
        let made = entries(&stored.record);
        assert_eq!(examples.len(), made.len());
        for ((said, documented), (key, bytes)) in examples.iter().zip(&made) {
            assert_eq!(*documented, std::str::from_utf8(bytes).unwrap());
            assert_eq!(*said, as_json(&headers(&stored, &ledger)));
            assert_eq!(serde_json::from_slice::<Value>(bytes).unwrap()["account"].as_str(), Some(key.as_str()));
        }
    }

    #[test]
    fn every_field_of_a_record_is_documented() {
        let (_, schema) = DOCUMENT.split_once("\n    record:\n      type: object").unwrap();
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        for record in vectors["records"].as_array().unwrap() {
            let fields: Value = serde_json::from_str(record["bytes"].as_str().unwrap()).unwrap();
            for field in fields.as_object().unwrap().keys() {
                assert!(schema.contains(&format!("\n        {field}:\n")), "{field}");
            }
        }
    }
}
