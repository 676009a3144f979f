//! Kafka: the journal, published in order, and its legs for whoever scales out.
//!
//! `PREFIX.journal` has exactly one partition and holds the chain in order: key = seq, value = the record's very bytes, the
//! rest in headers. `PREFIX.entries` has a message for each leg, keyed by account. Both are written by one transaction
//! a page ([`publisher`]), by whoever leads last. Followers keep their position where their effect is, so
//! reading is by seq ([`cursors`]): nothing is committed to Kafka, no consumer group is joined. What lies in the journal
//! topic and is none of this ledger's records is copied to `PREFIX.dead-letter` and skipped. docs/asyncapi.yaml describes
//! all three.
//!
//! A topic that is deleted and made anew while this runs is noticed by its offsets: cursors are placed anew, the
//! publisher gives up, and whoever leads next begins at record 1. The library's own threads do the network; what blocks
//! runs where blocking is allowed.

mod cursors;
mod failure;
mod letters;
mod log;
mod options;
mod probe;
mod publisher;
mod topics;
mod wire;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use quick_cache::sync::Cache;
use tokio::time::Instant;
use wallet_core::{
    cut::Cut,
    journal::Stored,
    ports::{EventBus, StoreError},
};

pub use self::topics::{KafkaFacts, TopicFacts};
use self::{
    cursors::Cursors,
    failure::Failure,
    letters::Letters,
    options::Options,
    probe::{Deadline, Probe},
    publisher::Publisher,
};
use super::{connection::Connection, finding::Finding, schema::OpenError};

const STORE: &str = "event bus";
/// While this daemon publishes, it looks this often whether the topic is still the one it published to.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks for a transaction's marker.
const MARKER: Duration = Duration::from_millis(1);
/// Parsed records shared by the followers of this process: about a page, some 4 MB.
const PARSED: usize = 2_048;

/// The [`EventBus`] on Kafka.
pub struct KafkaBus {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    probe: Mutex<Option<Probe>>,
    publisher: Mutex<Option<Publisher>>,
    leading: Mutex<Option<Leading>>,
    cursors: Cursors,
    letters: Letters,
    parsed: Cache<u64, Arc<Stored>>,
}

/// What is known without asking, while this daemon publishes.
#[derive(Clone, Copy)]
struct Leading {
    tail: Option<Cut>,
    looked: Instant,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole values are put in and taken out; a poisoned one is a whole one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a client, which waits for its threads, where waiting is allowed.
fn end<T: Send + 'static>(client: Option<T>) {
    let Some(client) = client else { return };
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(client))),
        Err(_) => drop(client),
    }
}

impl Inner {
    /// Runs what blocks.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let inner = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(|_| Failure::Task)?
    }

    /// Looks at the topics; one look at a time.
    async fn looking<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce(&Self, &Probe) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.blocking(|inner| inner.look(look)).await
    }

    fn look<T>(&self, look: impl FnOnce(&Self, &Probe) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut probe = locked(&self.probe);
        match &mut *probe {
            Some(probe) => look(self, probe),
            none => look(self, none.insert(Probe::new(&self.options)?)),
        }
    }

    /// Waits until readers see what was committed, which takes a moment longer: a transaction's marker is written behind
    /// its commit. What was committed is committed, so giving up here is no error.
    fn seen(&self, end: i64, deadline: Deadline) {
        let visible = self.look(|_, probe| {
            while probe.range(deadline)?.is_some_and(|range| range.end < end) {
                deadline.left()?;
                std::thread::sleep(MARKER);
            }
            Ok(())
        });
        if let Err(failure) = visible {
            tracing::debug!(%failure, "what was published is not seen yet");
        }
    }

    /// This daemon does not publish any more.
    fn stand_down(&self, publisher: &mut Option<Publisher>) {
        *locked(&self.leading) = None;
        *publisher = None;
    }

    fn lead(&self) -> Result<(), Failure> {
        let deadline = Deadline::after(self.options.timeout);
        let mut publisher = locked(&self.publisher);
        self.stand_down(&mut publisher);
        let mut next = Publisher::lead(&self.options, deadline)?;
        let (range, last) = self.look(|_, probe| {
            let range = probe.known_range(deadline)?;
            Ok((range, probe.last(range, deadline)?))
        })?;
        let tail = last.map(|stored| stored.cut());
        next.continues(tail, range);
        *publisher = Some(next);
        *locked(&self.leading) = Some(Leading { tail, looked: Instant::now() });
        Ok(())
    }

    fn publish(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let deadline = Deadline::after(self.options.timeout);
        let mut publisher = locked(&self.publisher);
        let Some(current) = publisher.as_mut() else { return Err(Failure::NotLeading.into()) };
        let done = current.publish(records, deadline);
        let tail = current.tail();
        match &done {
            Ok(()) => {
                if let Some(leading) = &mut *locked(&self.leading) {
                    leading.tail = tail;
                }
                self.seen(current.end(), deadline);
            }
            // These records do not follow: the publisher is as good as before.
            Err(StoreError::Corrupt { .. }) => {}
            Err(_) => self.stand_down(&mut publisher),
        }
        done
    }

    fn tail(&self) -> Result<Option<Cut>, Failure> {
        let deadline = Deadline::after(self.options.timeout);
        // Held while looking: the end must not move between.
        let mut publisher = locked(&self.publisher);
        let Some(current) = publisher.as_ref() else {
            drop(publisher);
            return self.look(|_, probe| match probe.range(deadline)? {
                Some(range) => Ok(probe.last(range, deadline)?.map(|stored| stored.cut())),
                None => Ok(None),
            });
        };
        let range = self.look(|_, probe| probe.range(deadline))?;
        if current.is_lost(range) {
            self.stand_down(&mut publisher);
            return Err(Failure::Anew);
        }
        let tail = current.tail();
        *locked(&self.leading) = Some(Leading { tail, looked: Instant::now() });
        Ok(tail)
    }
}

impl KafkaBus {
    /// The events of a ledger on these servers; makes the topics that are missing. Servers that are down are no error:
    /// they are used when they are up. A journal topic with more than one partition, and a user that is refused, are.
    pub async fn open(connection: &Connection, ledger_id: &str) -> Result<Self, OpenError> {
        let bus = Self::made(connection, ledger_id)?;
        match topics::ensure(&bus.inner, Deadline::after(bus.inner.options.timeout)).await {
            Ok(()) => {}
            Err(failure @ (Failure::Partitions(..) | Failure::Client(_))) => {
                return Err(OpenError::configuration(STORE, failure));
            }
            Err(failure) if bus.was_refused().await => return Err(OpenError::configuration(STORE, failure)),
            Err(failure) => tracing::warn!(servers = bus.inner.options.place, %failure, "Kafka does not answer yet"),
        }
        Ok(bus)
    }

    /// What is to be said about the servers and the topics, for `walletd doctor`; changes nothing.
    pub async fn look(connection: &Connection) -> Result<Vec<Finding>, OpenError> {
        let bus = Self::made(connection, "")?;
        match topics::facts(&bus.inner).await {
            Ok(facts) => Ok(topics::findings(&facts)),
            Err(failure) if bus.was_refused().await => Err(OpenError::configuration(STORE, failure)),
            Err(failure) => Err(StoreError::from(failure).into()),
        }
    }

    /// Deletes the topics of the URL: a benchmark's.
    pub async fn drop_topics(connection: &Connection) -> Result<(), OpenError> {
        let bus = Self::made(connection, "")?;
        Ok(topics::remove(&bus.inner.options).await.map_err(StoreError::from)?)
    }

    fn made(connection: &Connection, ledger_id: &str) -> Result<Self, OpenError> {
        let inner = Inner {
            options: Options::of(connection, ledger_id)?,
            probe: Mutex::default(),
            publisher: Mutex::default(),
            leading: Mutex::default(),
            cursors: Cursors::default(),
            letters: Letters::default(),
            parsed: Cache::new(PARSED),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    async fn was_refused(&self) -> bool {
        let refused = self.inner.looking(|_, probe| Ok(probe.was_refused())).await;
        refused.unwrap_or_default()
    }

    /// What the servers say about themselves and the topics.
    pub async fn facts(&self) -> Result<KafkaFacts, StoreError> {
        Ok(topics::facts(&self.inner).await?)
    }
}

#[async_trait]
impl EventBus for KafkaBus {
    async fn lead(&self) -> Result<(), StoreError> {
        topics::ensure(&self.inner, Deadline::after(self.inner.options.timeout)).await?;
        Ok(self.inner.blocking(Inner::lead).await?)
    }

    async fn publish(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        let (inner, records) = (Arc::clone(&self.inner), records.to_vec());
        let done = tokio::task::spawn_blocking(move || inner.publish(&records)).await;
        done.unwrap_or_else(|error| Err(StoreError::uncertain(STORE, error)))
    }

    async fn tail(&self) -> Result<Option<Cut>, StoreError> {
        let known = *locked(&self.inner.leading);
        if let Some(leading) = known.filter(|leading| leading.looked.elapsed() < LOOK) {
            return Ok(leading.tail);
        }
        Ok(self.inner.blocking(Inner::tail).await?)
    }

    async fn fetch(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        Ok(cursors::fetch(&self.inner, after, limit).await?)
    }

    async fn wait(&self, after: u64) -> Result<(), StoreError> {
        Ok(cursors::wait(&self.inner, after).await?)
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.inner
            .blocking(|inner| {
                inner.stand_down(&mut locked(&inner.publisher));
                Ok(())
            })
            .await?;
        topics::recreate(&self.inner).await?;
        self.inner.cursors.forget();
        self.inner.letters.forget();
        Ok(())
    }
}
