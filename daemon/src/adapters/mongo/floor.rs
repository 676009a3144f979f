//! Where the unbroken trail ends: the floor that new records stand on.
//!
//! The last `_id` alone would not do: a record taken out by hand, or a server that lost some, leaves a hole below it. Since
//! `_id`s are unique integers, `count(1..=n) == n` says that none is missing up to n; it is asked of the `_id` index in
//! slices, once, and from then on only above what is known. A hole is found by halving its slice and reported; the trail
//! ends before it, so that whoever follows fills it from the journal and compares what lies above.
//! That hashes follow each other was checked when they were added; whether they still do is for the verifier to say.

use mongodb::bson::{RawDocumentBuf, doc};
use wallet_core::{
    cut::{Cut, Hash},
    ports::StoreError,
};

use super::{Identity, STORE, Trail, between, int64, record, server::Refused};

/// `_id`s counted by one question: about half a second's work for MongoDB.
const SLICE: u64 = 1_000_000;

/// The last record of the unbroken trail; seq 0 and the chain's start while there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Floor {
    pub(super) seq: u64,
    pub(super) hash: Hash,
    /// Of which collection this was said.
    pub(super) of: Option<Identity>,
}

impl Trail {
    /// The floor: as known, if the collection is still the one it was known of.
    pub(super) async fn standing(&self) -> Result<Floor, StoreError> {
        if let Some(floor) = self.known()
            && floor.of.is_some()
            && self.identity().await? == floor.of
        {
            return Ok(floor);
        }
        self.measure().await
    }

    /// The floor, measured anew.
    pub(super) async fn measure(&self) -> Result<Floor, StoreError> {
        self.measured().await.map(|(floor, _)| floor)
    }

    /// The floor, and its document where that was read on the way.
    async fn measured(&self) -> Result<(Floor, Option<RawDocumentBuf>), StoreError> {
        let mut of = self.identity().await?;
        if of.is_none() {
            // Dropped by hand, perhaps with the whole database: what else was there is made again.
            self.remade().await?;
            of = self.identity().await?;
        }
        let start = Floor { seq: 0, hash: self.genesis, of };
        let Some(last) = self.newest().await? else {
            self.learn(Some(start));
            return Ok((start, None));
        };
        let (newest, hash) = record::hash(&last)?;
        // What was there and is still the same collection is taken to be there; a newest record below it shows that it is not.
        let known = self.known().filter(|known| known.of == of && known.seq <= newest).unwrap_or(start);
        let mut seq = known.seq;
        while seq < newest {
            let end = seq.saturating_add(SLICE).min(newest);
            seq = self.unbroken(seq, end).await?;
            if seq < end {
                tracing::warn!(behind = seq, newest, "the audit trail has a hole; it is filled from the journal");
                break;
            }
        }
        let floor = if seq == newest {
            Floor { seq, hash, of }
        } else if seq == known.seq {
            known
        } else {
            Floor { seq, hash: self.hash_at(seq).await?, of }
        };
        self.learn(Some(floor));
        Ok((floor, (seq == newest).then_some(last)))
    }

    /// The last seq up to `end` such that no record behind `from` is missing.
    async fn unbroken(&self, from: u64, end: u64) -> Result<u64, StoreError> {
        let (mut good, mut bad) = (from, end.saturating_add(1));
        let mut next = end;
        while good < next {
            let counted = self.limits.read(self.records.count_documents(between(good.saturating_add(1), next))).await;
            if counted.map_err(Refused::into_read)? == next - good {
                good = next;
            } else {
                bad = next;
            }
            next = good + (bad - good) / 2;
        }
        Ok(good)
    }

    async fn newest(&self) -> Result<Option<RawDocumentBuf>, StoreError> {
        let find = self.records.find_one(doc! { "_id": { "$gte": 1_i64 } }).sort(doc! { "_id": -1 });
        self.limits.read(find).await.map_err(Refused::into_read)
    }

    async fn hash_at(&self, seq: u64) -> Result<Hash, StoreError> {
        let find = self.records.find_one(doc! { "_id": int64(seq) }).projection(doc! { "hash": 1 });
        match self.limits.read(find).await.map_err(Refused::into_read)? {
            Some(document) => record::hash(&document).map(|(_, hash)| hash),
            None => Err(StoreError::corrupt(STORE, format_args!("record {seq} went away"))),
        }
    }

    pub(super) async fn head(&self) -> Result<Option<Cut>, StoreError> {
        let (floor, document) = self.measured().await?;
        let document = match document {
            Some(document) => Some(document),
            None if floor.seq == 0 => return Ok(None),
            None => {
                let find = self.records.find_one(doc! { "_id": int64(floor.seq) });
                self.limits.read(find).await.map_err(Refused::into_read)?
            }
        };
        match document {
            Some(document) => Ok(Some(record::stored(&document)?.cut())),
            None => Err(StoreError::corrupt(STORE, format_args!("record {} went away", floor.seq))),
        }
    }
}
