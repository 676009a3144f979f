//! In which blocks of the trail a wallet, an actor, a kind or a request may occur.
//!
//! A row for each record and name would be written all over a tree that grows with the number of names. Instead each
//! block of 64 records has one small Bloom filter, its print, written at the end of a table while the block
//! fills: 8 bytes a record. A search reads the prints it passes, newest first, and looks at the records of those
//! blocks that may hold everything asked for; one block in a thousand is looked at in vain.
//!
//! Trails from before have marks instead of prints for their older blocks: rows of (chunk, 64 bits of a name's SHA-256,
//! block). They are read as well and not written any more.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, Transaction, params};
use sha2::{Digest as _, Sha256};
use wallet_core::{
    ids::{Actor, RequestId, WalletId},
    journal::Record,
    ports::AuditQuery,
};

use crate::adapters::embedded::sqlite::{Failure, integer, number};

/// Records in a block.
pub(super) const BLOCK: u64 = 64;
/// Blocks in a chunk, the step of a search: 32,768 records, whose prints take 256 KiB.
const CHUNK: u64 = 512;
/// Bytes of a print. Two wallets and a request of its own for each record fill a fifth of it.
const PRINT: usize = 512;
/// Bits a name sets in it.
const PROBES: u32 = 5;

pub(super) fn chunk(seq: u64) -> u64 {
    seq / BLOCK / CHUNK
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
    fn parts(&self) -> (u8, &str) {
        match self {
            Self::Wallet(id) => (b'w', id.as_str()),
            Self::Actor(actor) => (b'a', actor.as_str()),
            Self::Kind(kind) => (b'k', kind),
            Self::Request(id) => (b'r', id.as_str()),
        }
    }

    /// As marks have it.
    fn mark(self) -> i64 {
        let (tag, name) = self.parts();
        let mut hash = Sha256::new();
        hash.update([tag, 0]);
        hash.update(name.as_bytes());
        let mut short = [0; 8];
        for (to, from) in short.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        i64::from_be_bytes(short)
    }

    /// As prints have it: FNV-1a, then mixed as splitmix64 does. It is on disk, so it never changes.
    fn seed(self) -> u64 {
        let (tag, name) = self.parts();
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in [tag].iter().chain(name.as_bytes()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^ (hash >> 31)
    }
}

/// The places of a name in a print: byte and bit.
fn places(seed: u64) -> impl Iterator<Item = (usize, u8)> {
    let (first, step) = (seed & 0xffff_ffff, (seed >> 32) | 1);
    (0..PROBES).map(move |probe| {
        let bit = first.wrapping_add(step.wrapping_mul(u64::from(probe))) % (PRINT as u64 * 8);
        (usize::try_from(bit / 8).unwrap_or_default(), 1 << (bit % 8))
    })
}

/// The prints of new records, block by block.
#[derive(Default)]
pub(super) struct Prints(BTreeMap<u64, Box<[u8; PRINT]>>);

impl Prints {
    /// Adds a record's names.
    pub(super) fn add(&mut self, record: &Record) {
        let print = self.0.entry(record.seq / BLOCK).or_insert_with(|| Box::new([0; PRINT]));
        let mut note = |facet: Facet<'_>| {
            for (byte, bit) in places(facet.seed()) {
                if let Some(byte) = print.get_mut(byte) {
                    *byte |= bit;
                }
            }
        };
        note(Facet::Actor(&record.actor));
        note(Facet::Kind(record.event.kind()));
        if let Some(request) = &record.request {
            note(Facet::Request(request));
        }
        for wallet in record.event.wallets() {
            note(Facet::Wallet(wallet));
        }
    }

    /// Writes them, together with what is there of a block that had begun.
    pub(super) fn write(self, transaction: &Transaction<'_>) -> Result<(), Failure> {
        let mut find = transaction.prepare_cached("SELECT bits FROM prints WHERE block = ?1")?;
        let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO prints (block, bits) VALUES (?1, ?2)")?;
        for (block, mut print) in self.0 {
            let begun = find.query_row([integer(block)], |row| row.get::<_, Vec<u8>>(0)).optional()?;
            for (to, from) in print.iter_mut().zip(begun.into_iter().flatten()) {
                *to |= from;
            }
            put.execute(params![integer(block), print.as_slice()])?;
        }
        Ok(())
    }
}

/// What a search asks for, apart from time and place.
pub(super) struct Filter {
    query: AuditQuery,
    marks: Vec<i64>,
    seeds: Vec<u64>,
    /// Text that the bytes of every match hold: spares reading most of the others.
    needles: Vec<String>,
}

impl Filter {
    pub(super) fn of(query: &AuditQuery) -> Self {
        let mut filter = Self { query: query.clone(), marks: Vec::new(), seeds: Vec::new(), needles: Vec::new() };
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
        self.seeds.push(facet.seed());
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

    /// The blocks of a chunk that may hold everything asked for, last first.
    pub(super) fn blocks(&self, transaction: &Transaction<'_>, chunk: u64) -> Result<Vec<u64>, Failure> {
        let mut blocks = self.printed(transaction, chunk)?;
        blocks.extend(self.marked(transaction, chunk)?);
        blocks.sort_unstable_by(|one, other| other.cmp(one));
        blocks.dedup();
        Ok(blocks)
    }

    fn printed(&self, transaction: &Transaction<'_>, chunk: u64) -> Result<Vec<u64>, Failure> {
        let mut read = transaction.prepare_cached("SELECT block, bits FROM prints WHERE block >= ?1 AND block < ?2")?;
        let first = chunk.saturating_mul(CHUNK);
        let mut rows = read.query([integer(first), integer(first.saturating_add(CHUNK))])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let print = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let set = |(byte, bit): (usize, u8)| print.get(byte).is_some_and(|byte| byte & bit != 0);
            if self.seeds.iter().all(|seed| places(*seed).all(set)) {
                found.push(number(row, 0)?);
            }
        }
        Ok(found)
    }

    fn marked(&self, transaction: &Transaction<'_>, chunk: u64) -> Result<Vec<u64>, Failure> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wallet(n: u32) -> WalletId {
        format!("wallet-{n}").parse().unwrap()
    }

    #[test]
    fn a_print_that_is_full_of_names_still_tells_others_apart() {
        let mut print = [0_u8; PRINT];
        for n in 0..192 {
            places(Facet::Wallet(&wallet(n)).seed()).for_each(|(byte, bit)| print[byte] |= bit);
        }
        let holds = |n: u32| places(Facet::Wallet(&wallet(n)).seed()).all(|(byte, bit)| print[byte] & bit != 0);
        assert!((0..192).all(holds));
        let in_vain = (1_000..101_000).filter(|n| holds(*n)).count();
        assert!(in_vain < 200, "{in_vain} of 100,000");
    }

    #[test]
    fn places_are_what_they_are_on_disk() {
        let found: Vec<_> = places(Facet::Kind("transfer").seed()).collect();
        assert_eq!(found, places(Facet::Kind("transfer").seed()).collect::<Vec<_>>());
        assert_ne!(Facet::Kind("transfer").seed(), Facet::Wallet(&"transfer".parse().unwrap()).seed());
    }
}
