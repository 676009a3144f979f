//! The one publisher: a transactional producer under a fixed id, so that whoever leads last fences off the others.
//!
//! A page of records is one transaction over both topics: readers see all of it or nothing. After any failure the
//! publisher is dropped, and whoever leads again settles what it left (`init_transactions`) and reads the tail anew;
//! so nothing is retried here that might be half done. Everything here blocks.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientContext, Message as _,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};
use wallet_core::{
    cut::{Cut, Hash},
    journal::{Stored, genesis},
    ports::StoreError,
};

use super::{
    STORE,
    failure::Failure,
    log,
    options::Options,
    probe::{Deadline, Range},
    wire,
};

/// How long one wait for acknowledgements is.
const POLL: Duration = Duration::from_millis(1);

/// What became of the messages of a transaction.
#[derive(Default)]
struct Delivered {
    /// The lowest and the highest offset in the journal topic.
    journal: Option<(i64, i64)>,
    error: Option<KafkaError>,
}

/// Takes log lines and acknowledgements.
#[derive(Clone, Default)]
struct Deliveries(Arc<Mutex<Delivered>>);

impl Deliveries {
    fn inner(&self) -> MutexGuard<'_, Delivered> {
        // Assignments only; a poisoned one is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        log::line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log::error(&error, reason);
    }
}

/// Which topic a message went to.
const JOURNAL: usize = 1;
const ENTRIES: usize = 2;

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, topic: usize) {
        let mut delivered = self.inner();
        match result {
            Ok(message) if topic == JOURNAL => {
                let offset = message.offset();
                let (low, high) = delivered.journal.unwrap_or((offset, offset));
                delivered.journal = Some((low.min(offset), high.max(offset)));
            }
            Ok(_) => {}
            Err((error, _)) => delivered.error = Some(error.clone()),
        }
    }
}

/// The producer while it leads.
pub(super) struct Publisher {
    producer: BaseProducer<Deliveries>,
    deliveries: Deliveries,
    journal: String,
    entries: String,
    ledger: String,
    /// The last record published.
    tail: Option<Cut>,
    /// Behind the last message; one before that is in another topic of the same name.
    end: i64,
    /// What is settled reaches this far at least: a transaction's marker is written a moment after its commit.
    settled: i64,
}

impl Publisher {
    /// Fences off whoever published before, and settles what it left half done.
    pub(super) fn lead(options: &Options, deadline: Deadline) -> Result<Self, Failure> {
        let deliveries = Deliveries::default();
        let producer = BaseProducer::from_config_and_context(&options.publisher(), deliveries.clone())?;
        producer.init_transactions(deadline.left()?)?;
        let (journal, entries, ledger) = (options.journal(), options.entries_topic(), options.ledger.clone());
        Ok(Self { producer, deliveries, journal, entries, ledger, tail: None, end: 0, settled: 0 })
    }

    /// Continues behind what is published.
    pub(super) fn continues(&mut self, tail: Option<Cut>, range: Range) {
        self.tail = tail;
        (self.settled, self.end) = (range.end, range.end);
    }

    pub(super) fn tail(&self) -> Option<Cut> {
        self.tail
    }

    /// The offset behind the last message.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// True if the topic is not the one that was published to.
    pub(super) fn is_lost(&self, range: Option<Range>) -> bool {
        range.is_none_or(|range| range.end < self.settled)
    }

    /// The records of a page that are to be published, if they follow.
    fn due<'a>(&self, records: &'a [Arc<Stored>]) -> Result<&'a [Arc<Stored>], StoreError> {
        let (tail, mut hash): (u64, Hash) =
            self.tail.map_or_else(|| (0, genesis(&self.ledger)), |cut| (cut.seq, cut.hash));
        let known = records.partition_point(|stored| stored.record.seq <= tail);
        let new = records.get(known..).unwrap_or_default();
        for (stored, due) in new.iter().zip(tail.saturating_add(1)..) {
            if stored.record.seq != due || !stored.continues(hash) {
                let what = format!("record {} does not follow the tail, record {due} is due", stored.record.seq);
                return Err(StoreError::corrupt(STORE, what));
            }
            hash = stored.hash;
        }
        Ok(new)
    }

    /// Publishes what follows the tail, in one transaction. After an error this publisher is of no more use.
    pub(super) fn publish(&mut self, records: &[Arc<Stored>], deadline: Deadline) -> Result<(), StoreError> {
        let new = self.due(records)?;
        let Some(last) = new.last() else { return Ok(()) };
        (self.settled, self.end) = self.transact(new, deadline)?;
        self.tail = Some(last.cut());
        Ok(())
    }

    /// Carries records in one transaction; where their messages begin and end.
    fn transact(&self, records: &[Arc<Stored>], deadline: Deadline) -> Result<(i64, i64), Failure> {
        *self.deliveries.inner() = Delivered::default();
        self.producer.begin_transaction().map_err(Failure::of_publishing)?;
        for stored in records {
            self.send(stored, deadline)?;
        }
        while self.producer.in_flight_count() > 0 {
            deadline.left()?;
            self.producer.poll(POLL);
        }
        let (first, last) = {
            let mut delivered = self.deliveries.inner();
            if let Some(error) = delivered.error.take() {
                // Messages of a producer that was fenced off are purged; why is told apart.
                let fatal = self.producer.client().fatal_error().map(|(code, _)| KafkaError::Global(code));
                return Err(Failure::of_publishing(fatal.unwrap_or(error)));
            }
            delivered.journal.ok_or(Failure::Anew)?
        };
        if first < self.end {
            return Err(Failure::Anew);
        }
        self.producer.commit_transaction(deadline.left()?).map_err(Failure::of_commit)?;
        Ok((first, last.saturating_add(1)))
    }

    fn send(&self, stored: &Stored, deadline: Deadline) -> Result<(), Failure> {
        self.enqueue(stored, JOURNAL, &stored.record.seq.to_string(), &stored.bytes, deadline)?;
        for (account, bytes) in wire::entries(&stored.record) {
            self.enqueue(stored, ENTRIES, &account, &bytes, deadline)?;
        }
        Ok(())
    }

    fn enqueue(
        &self,
        stored: &Stored,
        topic: usize,
        key: &str,
        bytes: &[u8],
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let (name, partition) = if topic == JOURNAL { (&self.journal, Some(0)) } else { (&self.entries, None) };
        let mut message = BaseRecord::with_opaque_to(name, topic)
            .key(key)
            .payload(bytes)
            .timestamp(stored.record.recorded_at.as_micros().div_euclid(1_000).max(0))
            .headers(wire::headers(stored, &self.ledger));
        message.partition = partition;
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    deadline.left()?;
                    self.producer.poll(POLL);
                    message = back;
                }
                Err((error, _)) => return Err(Failure::of_publishing(error)),
            }
        }
    }
}
