//! The audit trail on MongoDB: the journal's very bytes with their chain hashes, apart from the ledger.
//!
//! It inserts and reads; it never updates or deletes, so its account need not be allowed to. Only a rebuild drops the
//! collection. A document's `_id` is its record's seq. The page to add must follow what is there by seq and chain; it
//! goes in as one ordered insert, acknowledged by the majority and journaled, so whatever cuts it short leaves a
//! prefix of it, which the next attempt finds by its duplicates and compares by hash: a repeat skips what is there, and
//! another record in the same place is named as damage with nothing written past it. Every document read is held
//! against its bytes, so a changed copy of a field is damage too.
//!
//! Costs: a page is one small look at the collection's identity (has it been dropped?) and one insert. Where the unbroken
//! chain ends is counted once at the start, by slices of the `_id` index, and remembered; see [`floor`].
//!
//! Tested here on FerretDB (the MongoDB protocol over SQLite or PostgreSQL), which finds by full scans and has no
//! transactions; nothing is used that only one of the two has. docs/servers.md says what was tested on which.

mod facts;
mod floor;
mod record;
mod server;
mod walk;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Bson, Document, RawDocumentBuf, doc},
};
use tokio::sync::OnceCell;
use wallet_core::{
    cut::{Cut, Hash},
    ids::{Actor, RequestId, WalletId},
    journal::{Stored, genesis},
    ports::{AuditQuery, AuditStore, Clock, Page, StoreError},
    time::Timestamp,
};

pub use self::facts::{Facts, Rights};
use self::{
    floor::Floor,
    server::{Limits, Refused},
    walk::Ahead,
};
use super::{connection::Connection, schema::OpenError};

const STORE: &str = "audit store";
/// The collection of the trail.
const RECORDS: &str = "records";
/// The collection that says whose trail it is.
const LEDGER: &str = "ledger";
/// That collection's one document.
const OWNER: &str = "owner";
/// Rounds of inserting what another consumer has not inserted meanwhile. Each gets further.
const ROUNDS: u32 = 12;
/// The first wait for that other, who is at the same page; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(10);
/// The longest.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

/// The [`AuditStore`] on a MongoDB server. Clones share one client.
#[derive(Clone)]
pub struct MongoAudit {
    trail: Arc<Trail>,
}

struct Trail {
    database: Database,
    records: Collection<RawDocumentBuf>,
    ledger: String,
    genesis: Hash,
    limits: Limits,
    prepared: OnceCell<()>,
    floor: Mutex<Option<Floor>>,
    ahead: Mutex<Option<Ahead>>,
}

impl MongoAudit {
    /// A store whose server is looked at when it is first used: for a daemon that starts while the server is down.
    pub async fn lazy(connection: &Connection, ledger_id: &str) -> Result<Self, OpenError> {
        let (database, limits) = server::database(connection).await?;
        let trail = Trail {
            records: database.collection(RECORDS),
            database,
            ledger: ledger_id.to_owned(),
            genesis: genesis(ledger_id),
            limits,
            prepared: OnceCell::new(),
            floor: Mutex::default(),
            ahead: Mutex::default(),
        };
        Ok(Self { trail: Arc::new(trail) })
    }

    /// Connects, checks that the trail is this ledger's (a new one is made so), and makes missing indexes.
    pub async fn open(connection: &Connection, ledger_id: &str) -> Result<Self, OpenError> {
        let store = Self::lazy(connection, ledger_id).await?;
        store.trail.prepared.get_or_try_init(|| store.trail.prepare()).await?;
        Ok(store)
    }

    /// Drops the database of the URL whole: a benchmark's. Its account must be allowed to.
    pub async fn drop_database(connection: &Connection) -> Result<(), OpenError> {
        let (database, limits) = server::database(connection).await?;
        limits.write(database.drop()).await.map_err(server::at_opening)
    }

    /// What the doctor asks the server. `clock` is this daemon's, to hold the server's against.
    pub async fn facts(&self, clock: &dyn Clock) -> Result<Facts, OpenError> {
        facts::ask(&self.trail, clock).await
    }

    async fn ready(&self) -> Result<&Trail, StoreError> {
        let prepared = self.trail.prepared.get_or_try_init(|| self.trail.prepare()).await;
        prepared.map_err(|error| match error {
            OpenError::Store(error) => error,
            other => StoreError::unavailable(STORE, other),
        })?;
        Ok(&self.trail)
    }
}

/// Seqs as MongoDB's int64. All of them stay below 2^53.
fn int64(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Documents with `from <= _id <= to`.
fn between(from: u64, to: u64) -> Document {
    doc! { "_id": { "$gte": int64(from), "$lte": int64(to) } }
}

impl Trail {
    /// Makes what is missing: the document that says whose trail it is, and the indexes.
    async fn prepare(&self) -> Result<(), OpenError> {
        let owners = self.database.collection::<Document>(LEDGER);
        let found = async || self.limits.read(owners.find_one(doc! { "_id": OWNER })).await;
        let mut owner = found().await.map_err(server::at_opening)?;
        if owner.is_none() {
            self.may_be_adopted().await?;
            let mine = doc! { "_id": OWNER, "ledger": &self.ledger };
            match self.limits.write(owners.insert_one(mine)).await {
                Ok(_) => return self.index().await,
                // Another daemon was quicker: see what it wrote.
                Err(refused) if refused.is_duplicate() => owner = found().await.map_err(server::at_opening)?,
                Err(refused) => return Err(server::at_opening(refused)),
            }
        }
        let owner = owner.as_ref().and_then(|owner| owner.get_str("ledger").ok()).unwrap_or("an unknown ledger");
        if owner != self.ledger {
            let why = format!(
                "the database {} holds the trail of ledger {owner}, not of {}: give this ledger a database of its own",
                self.database.name(),
                self.ledger
            );
            return Err(OpenError::configuration(STORE, why));
        }
        self.index().await
    }

    /// Records that nobody claims are this ledger's if the first of them is its first.
    async fn may_be_adopted(&self) -> Result<(), OpenError> {
        let any = self.limits.read(self.records.find_one(doc! {})).await.map_err(server::at_opening)?;
        if any.is_none() {
            return Ok(());
        }
        let first = self.limits.read(self.records.find_one(doc! { "_id": 1_i64 })).await.map_err(server::at_opening)?;
        let first = first.map(|document| record::stored(&document)).transpose()?;
        if first.is_some_and(|first| first.continues(self.genesis)) {
            return Ok(());
        }
        let why = format!(
            "the database {} holds records that are not known to be ledger {}'s: give it a database of its own",
            self.database.name(),
            self.ledger
        );
        Err(OpenError::configuration(STORE, why))
    }

    /// Makes the indexes that are missing. Looks first: an account that may not make any can use those that are there.
    ///
    /// Another daemon, or a rebuild beside one, may be at the same: what it has made is done, and what failed because of it
    /// is tried again. All are made at once at first, so that MongoDB reads a large collection once; then one by one, since
    /// FerretDB fails at a list of which some are there.
    async fn index(&self) -> Result<(), OpenError> {
        let (mut last, mut wait) = (None, FIRST_WAIT);
        for round in 0..ROUNDS {
            let missing = self.unindexed().await?;
            if missing.is_empty() {
                return Ok(());
            }
            let at_once = if round == 0 { missing.len() } else { 1 };
            for some in missing.chunks(at_once) {
                match self.limits.write(self.records.create_indexes(some.to_vec())).await {
                    Ok(_) => {}
                    Err(refused) if refused.is_there_already() => {}
                    Err(refused) if refused.is_of_company() => last = Some(refused),
                    Err(refused) => return Err(server::at_opening(refused)),
                }
            }
            if last.is_some() {
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(LONGEST_WAIT);
            }
        }
        let why = || StoreError::unavailable(STORE, "its indexes are made and dropped by others all the time");
        Err(last.map_or_else(|| why().into(), server::at_opening))
    }

    /// The indexes that are not there.
    async fn unindexed(&self) -> Result<Vec<IndexModel>, OpenError> {
        let there = match self.limits.read(self.records.list_index_names()).await {
            Ok(names) => names,
            Err(refused) if refused.is_no_such_collection() => Vec::new(),
            Err(refused) => return Err(server::at_opening(refused)),
        };
        let all = record::indexes().into_iter();
        Ok(all.filter(|(name, _)| !there.iter().any(|known| known == name)).map(|(_, model)| model).collect())
    }

    /// The hashes of the records that are there, by seq, from the first to the last of `records`.
    async fn hashes(&self, records: &[Arc<Stored>]) -> Result<Vec<(u64, Hash)>, StoreError> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(Vec::new()) };
        let filter = between(first.record.seq, last.record.seq);
        let found = self.limits.hashes(&self.records, filter, records.len()).await.map_err(Refused::into_read)?;
        found.iter().map(|document| record::hash(document)).collect()
    }

    /// Those of `records` that are not there. What is there must be the very same.
    async fn missing<'a>(&self, records: &'a [Arc<Stored>]) -> Result<Vec<&'a Arc<Stored>>, StoreError> {
        let there: HashMap<u64, Hash> = self.hashes(records).await?.into_iter().collect();
        let mut missing = Vec::new();
        for stored in records {
            let seq = stored.record.seq;
            match there.get(&seq) {
                None => missing.push(stored),
                Some(hash) if *hash == stored.hash => {}
                Some(hash) => {
                    let what = format_args!("record {seq} has the hash {hash} here and {} in the journal", stored.hash);
                    return Err(StoreError::corrupt(STORE, what));
                }
            }
        }
        Ok(missing)
    }

    /// Adds records that follow the floor. In order: what cuts it short leaves a prefix.
    async fn insert(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let mut left: Vec<&Arc<Stored>> = records.iter().collect();
        let (mut uncertain, mut wait) = (None, FIRST_WAIT);
        for _ in 0..ROUNDS {
            if left.is_empty() {
                return Ok(());
            }
            let documents = left.iter().map(|stored| record::document(stored)).collect::<Vec<_>>();
            match self.limits.write(self.records.insert_many(documents).ordered(true)).await {
                Ok(_) => return Ok(()),
                Err(refused) if refused.is_duplicate() => {
                    left = self.missing(records).await?;
                    if !left.is_empty() {
                        tokio::time::sleep(wait).await;
                        wait = wait.saturating_mul(2).min(LONGEST_WAIT);
                    }
                }
                // Its connection was lost; what it did is found by its duplicates.
                Err(refused) if refused.is_lost() && uncertain.is_none() => uncertain = Some(refused),
                Err(refused) => return Err(refused.into_write(uncertain.is_some())),
            }
        }
        Err(StoreError::unavailable(STORE, "other consumers add the same records"))
    }

    fn known(&self) -> Option<Floor> {
        *self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, floor: Option<Floor>) {
        *self.floor.lock().unwrap_or_else(PoisonError::into_inner) = floor;
    }

    async fn add(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return Ok(()) };
        follow_each_other(records)?;
        let mut floor = self.standing().await?;
        if floor.seq.saturating_add(1) < first.record.seq {
            // Another consumer may have gone on since.
            floor = self.measure().await?;
        }
        let behind =
            usize::try_from(floor.seq.saturating_add(1).saturating_sub(first.record.seq)).unwrap_or(usize::MAX);
        let (old, new) = records.split_at(behind.min(records.len()));
        if let Some(gone) = self.missing(old).await?.first() {
            return Err(StoreError::corrupt(STORE, format_args!("record {} is missing here", gone.record.seq)));
        }
        let Some(next) = new.first() else { return Ok(()) };
        let number = next.record.seq;
        if floor.seq.checked_add(1) != Some(number) || !next.continues(floor.hash) {
            let what = format_args!("record {number} does not follow record {}", floor.seq);
            return Err(StoreError::corrupt(STORE, what));
        }
        self.insert(new).await?;
        self.learn(Some(Floor { seq: last.record.seq, hash: last.hash, ..floor }));
        Ok(())
    }

    /// The seq bounds of a query: since `recorded_at` grows with seq, a bound in time is one in seq.
    async fn bounds(&self, query: &AuditQuery) -> Result<(u64, u64), StoreError> {
        let at = |operator: &str, time: Timestamp| doc! { "recorded_at": { operator: time.as_micros() } };
        let mut from = 1;
        let mut to = query.before.map_or(u64::MAX, |before| before.saturating_sub(1));
        if let Some(time) = query.from {
            from = self.edge(at("$gte", time), 1).await?.unwrap_or(u64::MAX);
        }
        if let Some(time) = query.to {
            to = to.min(self.edge(at("$lte", time), -1).await?.unwrap_or(0));
        }
        Ok((from, to))
    }

    async fn edge(&self, filter: Document, order: i32) -> Result<Option<u64>, StoreError> {
        let find = self.records.find_one(filter).sort(doc! { "recorded_at": order }).projection(doc! { "_id": 1 });
        let found = self.limits.read(find).await.map_err(Refused::into_read)?;
        found.map(|document| record::seq(&document)).transpose()
    }

    async fn list(&self, query: &AuditQuery) -> Result<Page<Arc<Stored>>, StoreError> {
        let (from, to) = self.bounds(query).await?;
        if from > to {
            return Ok(Page { items: Vec::new(), more: false });
        }
        let mut filter = between(from, to);
        let mut only = |field: &str, value: Option<&str>| {
            if let Some(value) = value {
                filter.insert(field, value);
            }
        };
        only("actor", query.actor.as_ref().map(Actor::as_str));
        only("wallets", query.wallet.as_ref().map(WalletId::as_str));
        only("kind", query.kind.as_deref());
        only("request", query.request.as_ref().map(RequestId::as_str));
        let most = query.limit.saturating_add(1);
        let found = self.limits.all(&self.records, filter, -1, most).await.map_err(Refused::into_read)?;
        let items = found.iter().map(|document| record::stored(document).map(Arc::new));
        let mut items = items.collect::<Result<Vec<_>, _>>()?;
        let more = items.len() > query.limit;
        items.truncate(query.limit);
        Ok(Page { items, more })
    }

    /// Drops the collection, if there is anything in it, and makes it anew.
    async fn clear(&self) -> Result<(), StoreError> {
        self.learn(None);
        self.keep(None);
        let any = self.limits.read(self.records.find_one(doc! {}).projection(doc! { "_id": 1 })).await;
        if any.map_err(Refused::into_read)?.is_some() {
            match self.limits.write(self.records.drop()).await {
                Ok(()) => {}
                Err(refused) if refused.is_unauthorized() => {
                    let what = format!(
                        "this account may not drop the collection {RECORDS}, as it should be; an administrator does it \
                         in mongosh: db.getSiblingDB(\"{}\").{RECORDS}.drop(), and then this is asked again",
                        self.database.name()
                    );
                    return Err(StoreError::unavailable(STORE, what));
                }
                Err(refused) => return Err(refused.into_write(false)),
            }
        }
        self.remade().await
    }

    /// Makes again what went with a dropped collection or database.
    async fn remade(&self) -> Result<(), StoreError> {
        self.prepare().await.map_err(|error| match error {
            OpenError::Store(error) => error,
            other => StoreError::unavailable(STORE, other),
        })
    }

    /// What tells this collection from another of the same name that takes its place; none while there is none.
    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        let command = doc! { "listCollections": 1, "filter": { "name": RECORDS } };
        let answer = self.limits.read(self.database.run_command(command)).await.map_err(Refused::into_read)?;
        let first = answer
            .get_document("cursor")
            .and_then(|cursor| cursor.get_array("firstBatch"))
            .ok()
            .and_then(|batch| batch.first().and_then(Bson::as_document).cloned());
        let Some(collection) = first else { return Ok(None) };
        let uuid = match collection.get_document("info").ok().and_then(|info| info.get("uuid")) {
            Some(Bson::Binary(uuid)) => <[u8; 16]>::try_from(uuid.bytes.as_slice()).unwrap_or_default(),
            _ => [0; 16],
        };
        Ok(Some(Identity(uuid)))
    }
}

/// A collection's UUID; zeros where the server gives none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity([u8; 16]);

/// Checks that records follow each other by seq and chain.
fn follow_each_other(records: &[Arc<Stored>]) -> Result<(), StoreError> {
    for (one, next) in records.iter().zip(records.iter().skip(1)) {
        let (seq, number) = (one.record.seq, next.record.seq);
        if seq.checked_add(1) != Some(number) || !next.continues(one.hash) {
            return Err(StoreError::corrupt(STORE, format_args!("record {number} does not follow record {seq}")));
        }
    }
    Ok(())
}

#[async_trait]
impl AuditStore for MongoAudit {
    async fn add(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        self.ready().await?.add(records).await
    }

    async fn head(&self) -> Result<Option<Cut>, StoreError> {
        self.ready().await?.head().await
    }

    async fn records(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        self.ready().await?.records(after, limit).await
    }

    async fn list(&self, query: &AuditQuery) -> Result<Page<Arc<Stored>>, StoreError> {
        self.ready().await?.list(query).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.ready().await?.clear().await
    }
}
