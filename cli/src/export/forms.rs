//! Rows as CSV, JSON and NDJSON.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{self, Write},
};

use serde::Serialize;
use wallet_api::types::CutView;
use wallet_core::journal::{Record, Transaction};

use super::manifest::Form;
use crate::output::csv_guard;

/// Columns of transactions; only ever extended at their end.
pub const TRANSACTION_COLUMNS: &str =
    "transaction,seq,kind,from,to,amount,asset,effective_at,recorded_at,key,memo,actor,reverses,meta";

/// One transaction, flat.
#[derive(Debug, Serialize)]
pub struct TransactionRow<'a> {
    transaction: String,
    seq: u64,
    kind: &'static str,
    from: Option<&'a str>,
    to: Option<&'a str>,
    amount: String,
    asset: &'a str,
    effective_at: String,
    recorded_at: String,
    key: Option<&'a str>,
    memo: &'a str,
    actor: &'a str,
    reverses: Option<String>,
    meta: BTreeMap<&'a str, &'a str>,
}

impl<'a> TransactionRow<'a> {
    /// The row of a record.
    pub fn of(record: &'a Record, t: &'a Transaction) -> Self {
        Self {
            transaction: record.id().to_string(),
            seq: record.seq,
            kind: t.kind.as_str(),
            from: t.debit.account.wallet().map(wallet_core::ids::WalletId::as_str),
            to: t.credit.account.wallet().map(wallet_core::ids::WalletId::as_str),
            amount: t.amount.to_string(),
            asset: t.asset.as_str(),
            effective_at: t.effective_at.to_string(),
            recorded_at: record.recorded_at.to_string(),
            key: record.key.as_ref().map(|scoped| scoped.key().as_str()),
            memo: t.memo.as_str(),
            actor: record.actor.as_str(),
            reverses: t.reverses.map(|reverses| reverses.transaction.to_string()),
            meta: t.meta.iter().collect(),
        }
    }

    /// Writes it as a CSV line.
    pub fn csv(&self, to: &mut impl Write) -> io::Result<()> {
        let seq = self.seq.to_string();
        let meta = if self.meta.is_empty() { String::new() } else { serde_json::to_string(&self.meta)? };
        let cells: [Cow<'_, str>; 14] = [
            (&*self.transaction).into(),
            (&*seq).into(),
            self.kind.into(),
            self.from.unwrap_or_default().into(),
            self.to.unwrap_or_default().into(),
            (&*self.amount).into(),
            self.asset.into(),
            (&*self.effective_at).into(),
            (&*self.recorded_at).into(),
            csv_guard(self.key.unwrap_or_default()),
            csv_guard(self.memo),
            csv_guard(self.actor),
            self.reverses.as_deref().unwrap_or_default().into(),
            meta.into(),
        ];
        for (index, cell) in cells.iter().enumerate() {
            if index > 0 {
                to.write_all(b",")?;
            }
            csv_cell(to, cell)?;
        }
        to.write_all(b"\n")
    }
}

/// Writes a CSV cell, quoted where it has to be.
pub fn csv_cell(to: &mut impl Write, text: &str) -> io::Result<()> {
    if text.contains([',', '"', '\n', '\r']) {
        write!(to, "\"{}\"", text.replace('"', "\"\""))
    } else {
        to.write_all(text.as_bytes())
    }
}

/// What stands around JSON rows: nothing, or one envelope. One row stays one line in both, so that
/// either can be read line by line.
pub struct Frame {
    envelope: bool,
    empty: bool,
}

impl Frame {
    /// Starts; `schema` is that of the envelope.
    pub fn start(to: &mut impl Write, form: Form, schema: &str) -> io::Result<Self> {
        let envelope = form == Form::Json;
        if envelope {
            writeln!(to, "{{\"schema\":\"walletctl.{schema}/1\",\"data\":[")?;
        }
        Ok(Self { envelope, empty: true })
    }

    /// Writes one row that is JSON already.
    pub fn row(&mut self, to: &mut impl Write, row: &[u8]) -> io::Result<()> {
        if self.envelope && !self.empty {
            to.write_all(b",\n")?;
        }
        self.empty = false;
        to.write_all(row)?;
        if self.envelope { Ok(()) } else { to.write_all(b"\n") }
    }

    /// Ends.
    pub fn finish(self, to: &mut impl Write, cut: &CutView, rows: u64) -> io::Result<()> {
        if !self.envelope {
            return Ok(());
        }
        let meta = serde_json::json!({"cut": cut, "rows": rows});
        write!(to, "\n],\"meta\":{meta}}}\n")
    }
}
