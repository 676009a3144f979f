//! Looking at single places of the journal topic: where it ends, what its last record is, where a record lies.
//!
//! Everything here blocks. Offsets are not seqs: every transaction leaves a marker that takes an offset, and foreign
//! messages may lie between, so a record is found by halving, some twenty looks in a million. Only what is committed is seen.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
};
use tokio::time::Instant;
use wallet_core::journal::Stored;

use super::{
    failure::Failure,
    log::Log,
    options::Options,
    wire::{self, Foreign},
};

/// How far behind a failed call the library says why: it asks for the broker anew first.
const TOLD: Duration = Duration::from_millis(1_500);
/// How many offsets before the end are looked at for the last record first; sixteen times as many then.
const LAST: i64 = 64;
/// A range so small is read through rather than halved.
const NEAR: i64 = 32;

/// Between two looks while a partition gets a leader.
const AGAIN: Duration = Duration::from_millis(20);

/// Where the journal topic begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// The first offset there is.
    pub(super) low: i64,
    /// The offset behind the last that is settled.
    pub(super) end: i64,
}

/// A client for looking.
pub(super) struct Probe {
    consumer: BaseConsumer<Log>,
    topic: String,
    ledger: String,
}

/// When an operation must be over.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// What is left; an error if nothing is.
    pub(super) fn left(self) -> Result<Duration, Failure> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Failure::Slow) } else { Ok(left) }
    }
}

/// A message as far as a search looks at it.
struct Seen {
    offset: i64,
    seq: u64,
}

impl Probe {
    pub(super) fn new(options: &Options) -> Result<Self, Failure> {
        let consumer = options.probe().map_err(|error| Failure::Client(error.to_string()))?;
        Ok(Self { consumer, topic: options.journal(), ledger: options.ledger.clone() })
    }

    /// True if a server refused the user, the password or the certificate.
    pub(super) fn was_refused(&self) -> bool {
        // The library tells through the queue of messages, a little behind the call that failed.
        let until = Instant::now() + TOLD;
        while !self.consumer.context().was_refused() && Instant::now() < until {
            drop(self.consumer.poll(TOLD / 10));
        }
        self.consumer.context().was_refused()
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<Log> {
        &self.consumer
    }

    /// Where the topic begins and ends; none if there is no topic.
    pub(super) fn range(&self, deadline: Deadline) -> Result<Option<Range>, Failure> {
        loop {
            match self.consumer.fetch_watermarks(&self.topic, 0, deadline.left()?) {
                Ok((low, end)) => return Ok(Some(Range { low, end })),
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) if is_moving(&error) => std::thread::sleep(AGAIN),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Where a topic begins and ends that was there a moment ago: not every broker may know of it yet.
    pub(super) fn known_range(&self, deadline: Deadline) -> Result<Range, Failure> {
        loop {
            match self.range(deadline)? {
                Some(range) => return Ok(range),
                None if deadline.left().is_ok() => std::thread::sleep(AGAIN),
                None => return Err(Failure::Anew),
            }
        }
    }

    /// The last record of this ledger; none if there is none. The record of another ledger is an error.
    pub(super) fn last(&self, range: Range, deadline: Deadline) -> Result<Option<Arc<Stored>>, Failure> {
        let (mut depth, mut to) = (LAST, range.end);
        while to > range.low {
            let from = range.low.max(range.end.saturating_sub(depth));
            let mut last = None;
            self.walk(from, to, deadline, |message| {
                match wire::said(message, &self.ledger) {
                    Ok(said) => last = wire::record(message, &said).ok().or_else(|| last.take()),
                    Err(Foreign::Ledger(other)) => return Err(Failure::Ledger(other)),
                    Err(_) => {}
                }
                Ok(true)
            })?;
            if last.is_some() {
                return Ok(last);
            }
            (depth, to) = (depth.saturating_mul(16), from);
        }
        Ok(None)
    }

    /// An offset from where reading meets `seq`, or what is behind it, first but for a few records.
    pub(super) fn find(&self, seq: u64, range: Range, deadline: Deadline) -> Result<i64, Failure> {
        let (mut low, mut high) = (range.low, range.end);
        while high.saturating_sub(low) > NEAR {
            let middle = low + (high - low) / 2;
            match self.first(middle, high, deadline)? {
                Some(seen) if seen.seq < seq => low = seen.offset + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The first offset at or behind `from` that holds a record of `seq` or later; none before `to`.
    pub(super) fn first_from(&self, from: i64, to: i64, seq: u64, deadline: Deadline) -> Result<Option<i64>, Failure> {
        let mut found = None;
        self.walk(from, to, deadline, |message| {
            let said = wire::said(message, &self.ledger).ok();
            if said.is_some_and(|said| said.seq >= seq) {
                found = Some(message.offset());
            }
            Ok(found.is_none())
        })?;
        Ok(found)
    }

    /// True if there is any message between two offsets.
    pub(super) fn any(&self, from: i64, to: i64, deadline: Deadline) -> Result<bool, Failure> {
        let mut any = false;
        self.walk(from, to, deadline, |_| {
            any = true;
            Ok(false)
        })?;
        Ok(any)
    }

    fn first(&self, from: i64, to: i64, deadline: Deadline) -> Result<Option<Seen>, Failure> {
        let mut found = None;
        self.walk(from, to, deadline, |message| {
            if let Ok(said) = wire::said(message, &self.ledger) {
                found = Some(Seen { offset: message.offset(), seq: said.seq });
            }
            Ok(found.is_none())
        })?;
        Ok(found)
    }

    /// Shows every message from one offset to before another, until told to stop.
    fn walk(
        &self,
        from: i64,
        to: i64,
        deadline: Deadline,
        mut show: impl FnMut(&BorrowedMessage<'_>) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        if from >= to {
            return Ok(());
        }
        self.consumer.assign(&place(&self.topic, from)?)?;
        let walked = loop {
            match self.consumer.poll(deadline.left()?) {
                Some(Ok(message)) if message.offset() >= to => break Ok(()),
                Some(Ok(message)) if message.offset() < from => {}
                Some(Ok(message)) => match show(&message) {
                    Ok(true) => {}
                    Ok(false) => break Ok(()),
                    Err(failure) => break Err(failure),
                },
                Some(Err(KafkaError::PartitionEOF(_))) => break Ok(()),
                Some(Err(error)) if is_news_of_connections(&error) => {}
                Some(Err(error)) => break Err(error.into()),
                None => {}
            }
        };
        self.consumer.unassign()?;
        walked
    }
}

/// True for what the client reports while it connects again by itself. Such reports wait in line from a time that may be
/// long over, hundreds of them after half a minute: whether the server answers now is asked of it by a question of its own.
pub(super) fn is_news_of_connections(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
        )
    )
}

/// The journal's one partition at an offset.
pub(super) fn place(topic: &str, offset: i64) -> Result<TopicPartitionList, Failure> {
    let mut list = TopicPartitionList::with_capacity(1);
    list.add_partition_offset(topic, 0, Offset::Offset(offset))?;
    Ok(list)
}

/// True if an error says that the topic is not there.
pub(super) fn is_missing(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(
        code,
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopicId
        )
    )
}

/// True if an error says that the partition has no leader right now, or another one than a moment ago.
fn is_moving(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::ReplicaNotAvailable
                | RDKafkaErrorCode::FencedLeaderEpoch
                | RDKafkaErrorCode::UnknownLeaderEpoch
                | RDKafkaErrorCode::OffsetNotAvailable
        )
    )
}
