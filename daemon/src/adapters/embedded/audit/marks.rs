//! Marks: in which blocks of the trail a wallet, an actor, a kind or a request occurs.
//!
//! An index row for each record and wallet would be written all over a tree that grows with the number of wallets. A mark
//! is written once a block, into the part of the tree that belongs to its chunk, which fits the page cache. It is 64 bits of
//! a hash: a false hit costs a look at 64 records and is dropped there.

use rusqlite::Transaction;
use sha2::{Digest as _, Sha256};
use wallet_core::{
    ids::{Actor, RequestId, WalletId},
    journal::Record,
    ports::AuditQuery,
};

use crate::adapters::embedded::sqlite::{Failure, integer};

/// Records in a block.
pub(super) const BLOCK: u64 = 64;
/// Blocks in a chunk: 32,768 records, whose marks take some 1.5 MB.
const CHUNK: u64 = 512;

pub(super) fn chunk(seq: u64) -> u64 {
    seq / BLOCK / CHUNK
}

/// One mark of one block; sorted as the tree is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    chunk: i64,
    name: i64,
    block: i64,
}

/// What can be looked for.
#[derive(Clone, Copy)]
enum Facet<'a> {
    Wallet(&'a WalletId),
    Actor(&'a Actor),
    Kind(&'a str),
    Request(&'a RequestId),
}

impl Facet<'_> {
    fn mark(self) -> i64 {
        let (tag, name) = match self {
            Self::Wallet(id) => (b'w', id.as_str()),
            Self::Actor(actor) => (b'a', actor.as_str()),
            Self::Kind(kind) => (b'k', kind),
            Self::Request(id) => (b'r', id.as_str()),
        };
        let mut hash = Sha256::new();
        hash.update([tag, 0]);
        hash.update(name.as_bytes());
        let mut short = [0; 8];
        for (to, from) in short.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        i64::from_be_bytes(short)
    }
}

/// Adds a record's marks to a list.
pub(super) fn of(record: &Record, marks: &mut Vec<Mark>) {
    let block = record.seq / BLOCK;
    let (chunk, block) = (integer(block / CHUNK), integer(block));
    let mut note = |facet: Facet<'_>| marks.push(Mark { chunk, name: facet.mark(), block });
    note(Facet::Actor(&record.actor));
    note(Facet::Kind(record.event.kind()));
    if let Some(request) = &record.request {
        note(Facet::Request(request));
    }
    for wallet in record.event.wallets() {
        note(Facet::Wallet(wallet));
    }
}

/// Writes marks in the tree's order, each once.
pub(super) fn insert(transaction: &Transaction<'_>, mut marks: Vec<Mark>) -> Result<(), Failure> {
    marks.sort_unstable();
    marks.dedup();
    let mut insert =
        transaction.prepare_cached("INSERT OR IGNORE INTO marks (chunk, mark, block) VALUES (?1, ?2, ?3)")?;
    for Mark { chunk, name, block } in marks {
        insert.execute([chunk, name, block])?;
    }
    Ok(())
}

/// What a search asks for, apart from time and place.
pub(super) struct Filter {
    query: AuditQuery,
    marks: Vec<i64>,
    /// Text that the bytes of every match hold: spares reading most of the others.
    needles: Vec<String>,
}

impl Filter {
    pub(super) fn of(query: &AuditQuery) -> Self {
        let mut filter = Self { query: query.clone(), marks: Vec::new(), needles: Vec::new() };
        // The rarest kind of thing first: it leaves the fewest blocks.
        if let Some(request) = &query.request {
            filter.add(Facet::Request(request), request.as_str());
        }
        if let Some(wallet) = &query.wallet {
            filter.add(Facet::Wallet(wallet), wallet.as_str());
        }
        if let Some(kind) = &query.kind {
            filter.add(Facet::Kind(kind), kind);
        }
        if let Some(actor) = &query.actor {
            filter.add(Facet::Actor(actor), actor.as_str());
        }
        filter
    }

    fn add(&mut self, facet: Facet<'_>, name: &str) {
        self.marks.push(facet.mark());
        self.needles.extend(serde_json::to_string(name));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// False if a record of these bytes is certainly none of those asked for.
    pub(super) fn may_match(&self, bytes: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(bytes) else {
            // Damaged: let the reader of the record say so.
            return true;
        };
        self.needles.iter().all(|needle| text.contains(needle.as_str()))
    }

    pub(super) fn matches(&self, record: &Record) -> bool {
        let AuditQuery { actor, wallet, kind, request, .. } = &self.query;
        actor.as_ref().is_none_or(|actor| record.actor == *actor)
            && request.as_ref().is_none_or(|request| record.request.as_ref() == Some(request))
            && kind.as_ref().is_none_or(|kind| record.event.kind() == kind)
            && wallet.as_ref().is_none_or(|wallet| record.event.wallets().any(|id| id == wallet))
    }

    /// The blocks of a chunk that hold everything asked for, last first.
    pub(super) fn blocks(&self, transaction: &Transaction<'_>, chunk: u64) -> Result<Vec<u64>, Failure> {
        let mut find =
            transaction.prepare_cached("SELECT block FROM marks WHERE chunk = ?1 AND mark = ?2 ORDER BY block DESC")?;
        let mut common: Option<Vec<i64>> = None;
        for mark in &self.marks {
            let blocks: Vec<i64> =
                find.query_map([integer(chunk), *mark], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let both = match common {
                None => blocks,
                Some(kept) => kept.into_iter().filter(|block| blocks.contains(block)).collect(),
            };
            if both.is_empty() {
                return Ok(Vec::new());
            }
            common = Some(both);
        }
        Ok(common.unwrap_or_default().into_iter().filter_map(|block| u64::try_from(block).ok()).collect())
    }
}
