//! Readers of the journal topic, each at a place of its own.
//!
//! Whoever follows the journal names the record it stands at with every call; a cursor that gave that record goes on
//! streaming from there, and only one that is not at hand is looked up in the topic ([`super::probe`]). A cursor keeps the
//! page it gave last until the next call shows that it was taken, so asking again for the same place costs nothing.
//!
//! Bounds: [`MOST`] cursors, [`WINDOW`] bytes of records in each, and what its client reads ahead. Several cursors that
//! read the same records parse them once.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use rdkafka::{
    Message as _,
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, OwnedMessage},
};
use wallet_core::journal::Stored;

use super::{
    Inner,
    failure::Failure,
    log::Log,
    probe::{self, Deadline},
    topics,
    wire::{self, Foreign},
};

/// Most cursors kept: the followers of one daemon, and whoever verifies beside them.
const MOST: usize = 6;
/// Bytes of records a cursor gathers at most for one call, the first record aside.
const WINDOW: usize = 4 * 1024 * 1024;
/// What is known to be there comes within this, or it is looked at more closely.
const SOON: Duration = Duration::from_millis(250);
/// A waiting cursor makes sure this often that its topic is still the same one.
const MAKE_SURE: Duration = Duration::from_secs(2);

/// The cursors nobody uses right now; the one used last is at the end.
#[derive(Default)]
pub(super) struct Cursors(Mutex<Vec<Cursor>>);

struct Cursor {
    consumer: Arc<Consumer>,
    /// Records read and not known to be taken.
    window: VecDeque<Arc<Stored>>,
    /// The record to be read next.
    next: u64,
    /// The offset to be read next.
    offset: i64,
    /// All that is settled before this offset was read.
    settled: i64,
    /// There is more up to here.
    target: i64,
    /// A foreign message that is still to be copied.
    letter: Option<(OwnedMessage, Foreign)>,
}

/// A client that is ended where waiting is allowed.
struct Consumer(Option<StreamConsumer<Log>>);

impl Consumer {
    fn client(&self) -> Result<&StreamConsumer<Log>, Failure> {
        self.0.as_ref().ok_or(Failure::Task)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        super::end(self.0.take());
    }
}

/// What became of a message.
enum Read {
    /// A record that was due, or one that was read before.
    Taken,
    /// Something that is none of our records.
    Foreign,
    /// A later record than the one due.
    Gap(Arc<Stored>, i64),
}

/// A cursor in use; it goes back when it is dropped, also half way through.
struct Used<'a> {
    cursors: &'a Cursors,
    cursor: Option<Cursor>,
}

impl Drop for Used<'_> {
    fn drop(&mut self) {
        let Some(cursor) = self.cursor.take() else { return };
        let mut idle = self.cursors.idle();
        idle.push(cursor);
        if idle.len() > MOST {
            idle.remove(0);
        }
    }
}

impl Cursors {
    fn idle(&self) -> MutexGuard<'_, Vec<Cursor>> {
        // Whole cursors are put in and taken out; a poisoned list is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all: the topic is another one.
    pub(super) fn forget(&self) {
        self.idle().clear();
    }

    fn used(&self, cursor: Cursor) -> Used<'_> {
        Used { cursors: self, cursor: Some(cursor) }
    }

    /// The cursor that stands behind a record.
    fn at(&self, after: u64) -> Option<Used<'_>> {
        let mut idle = self.idle();
        let found = idle.iter().rposition(|cursor| cursor.covers(after))?;
        let mut cursor = idle.remove(found);
        drop(idle);
        cursor.drop_until(after);
        Some(self.used(cursor))
    }
}

impl Cursor {
    /// True if it goes on behind this record.
    fn covers(&self, after: u64) -> bool {
        let first = self.window.front().map_or(self.next, |stored| stored.record.seq);
        after.checked_add(1).is_some_and(|due| first <= due && due <= self.next)
    }

    fn drop_until(&mut self, after: u64) {
        while self.window.front().is_some_and(|stored| stored.record.seq <= after) {
            self.window.pop_front();
        }
    }

    /// True if nothing more is known to be there.
    fn is_drained(&self) -> bool {
        self.target <= self.settled
    }

    fn is_full(&self, limit: usize) -> bool {
        let bytes: usize = self.window.iter().map(|stored| stored.bytes.len()).sum();
        self.window.len() >= limit || bytes >= WINDOW
    }

    fn push(&mut self, stored: Arc<Stored>) {
        self.next = stored.record.seq.saturating_add(1);
        self.window.push_back(stored);
    }
}

/// Reads one message; none for a record before the one due.
fn read(inner: &Inner, message: &BorrowedMessage<'_>, next: u64) -> Result<Option<Arc<Stored>>, Foreign> {
    let said = wire::said(message, &inner.options.ledger)?;
    if said.seq < next {
        return Ok(None);
    }
    let bytes = message.payload().unwrap_or_default();
    let known = inner.parsed.get(&said.seq).filter(|known| known.hash == said.hash && *known.bytes == *bytes);
    if known.is_some() {
        return Ok(known);
    }
    let stored = wire::record(message, &said)?;
    inner.parsed.insert(said.seq, Arc::clone(&stored));
    Ok(Some(stored))
}

/// True if an error says that the place is not there any more.
fn is_lost(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    probe::is_missing(error)
        || matches!(error, KafkaError::MessageConsumptionFatal(_))
        || matches!(code, Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange))
}

impl Cursor {
    /// Takes in what came.
    fn take_in(&mut self, inner: &Inner, received: Result<BorrowedMessage<'_>, KafkaError>) -> Result<Read, Failure> {
        if received.as_ref().is_err_and(probe::is_news_of_connections) {
            return Ok(Read::Taken);
        }
        let message = received.map_err(|error| if is_lost(&error) { Failure::Anew } else { Failure::Kafka(error) })?;
        let offset = message.offset();
        self.offset = offset.saturating_add(1);
        match read(inner, &message, self.next) {
            Ok(found) => {
                // Behind a record lies another one of its transaction, or the transaction's marker.
                self.settled = offset.saturating_add(2);
                match found {
                    Some(stored) if stored.record.seq > self.next => return Ok(Read::Gap(stored, offset)),
                    Some(stored) => self.push(stored),
                    None => {}
                }
                Ok(Read::Taken)
            }
            Err(why) => {
                self.settled = offset.saturating_add(1);
                self.letter = Some((message.detach(), why));
                Ok(Read::Foreign)
            }
        }
    }

    /// What has come already; none if nothing has.
    fn read_now(&mut self, inner: &Inner) -> Result<Option<Read>, Failure> {
        let consumer = Arc::clone(&self.consumer);
        match consumer.client()?.recv().now_or_never() {
            None => Ok(None),
            Some(received) => self.take_in(inner, received).map(Some),
        }
    }

    /// Waits until something comes, at most so long. Dropping it half way loses nothing.
    async fn read_soon(&mut self, inner: &Inner, limit: Duration) -> Result<Option<Read>, Failure> {
        let consumer = Arc::clone(&self.consumer);
        match tokio::time::timeout(limit, consumer.client()?.recv()).await {
            Err(_) => Ok(None),
            Ok(received) => self.take_in(inner, received).map(Some),
        }
    }

    /// Goes on after something was read: copies what is foreign, looks where a gap comes from.
    async fn settle(&mut self, inner: &Arc<Inner>, read: Read) -> Result<(), Failure> {
        match read {
            Read::Taken => Ok(()),
            Read::Foreign => self.send_letter(inner).await,
            Read::Gap(stored, offset) => {
                let (next, deadline) = (self.next, Deadline::after(inner.options.timeout));
                let before = inner
                    .looking(move |_, probe| {
                        let Some(range) = probe.range(deadline)? else { return Err(Failure::Anew) };
                        let range = probe::Range { end: range.end.min(offset), ..range };
                        let from = probe.find(next, range, deadline)?;
                        probe.first_from(from, offset, next, deadline)
                    })
                    .await?;
                if before.is_some() {
                    // The record is there, elsewhere: this is another topic than the one that was read.
                    return Err(Failure::Anew);
                }
                self.push(stored);
                Ok(())
            }
        }
    }

    async fn send_letter(&mut self, inner: &Arc<Inner>) -> Result<(), Failure> {
        let Some((message, why)) = &self.letter else { return Ok(()) };
        match inner.letters.copy(&inner.options, message, why).await {
            Ok(()) => {
                self.letter = None;
                Ok(())
            }
            Err(Failure::Kafka(error)) if probe::is_missing(&error) => {
                topics::ensure(inner, Deadline::after(inner.options.timeout)).await?;
                Err(error.into())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Reads until there are enough records, or all that there are.
    async fn gather(&mut self, inner: &Arc<Inner>, limit: usize) -> Result<(), Failure> {
        let deadline = Deadline::after(inner.options.timeout);
        self.send_letter(inner).await?;
        loop {
            while !self.is_full(limit) {
                let Some(read) = self.read_now(inner)? else { break };
                self.settle(inner, read).await?;
            }
            if self.is_full(limit) {
                return Ok(());
            }
            if self.is_drained() {
                if !self.window.is_empty() {
                    return Ok(());
                }
                self.look(inner).await?;
                if self.is_drained() {
                    return Ok(());
                }
            }
            // Known to be there: it comes soon.
            match self.read_soon(inner, SOON).await? {
                Some(read) => self.settle(inner, read).await?,
                None => self.close_in(inner, deadline).await?,
            }
        }
    }

    /// Asks how far the topic goes now.
    async fn look(&mut self, inner: &Arc<Inner>) -> Result<(), Failure> {
        let deadline = Deadline::after(inner.options.timeout);
        let range = inner.looking(move |_, probe| probe.range(deadline)).await?.ok_or(Failure::Anew)?;
        if range.end < self.offset || range.low > self.offset {
            return Err(Failure::Anew);
        }
        self.target = range.end;
        Ok(())
    }

    /// More should be there and does not come: there are only markers and what was aborted, or it takes longer.
    async fn close_in(&mut self, inner: &Arc<Inner>, deadline: Deadline) -> Result<(), Failure> {
        let (from, to) = (self.offset, self.target);
        if !inner.looking(move |_, probe| probe.any(from, to, deadline)).await? {
            self.settled = to;
        }
        Ok(())
    }
}

/// A cursor that reads from a record on; none while there is no topic.
async fn place(inner: &Arc<Inner>, next: u64) -> Result<Option<Cursor>, Failure> {
    let deadline = Deadline::after(inner.options.timeout);
    inner
        .looking(move |inner, probe| {
            let Some(range) = probe.range(deadline)? else { return Ok(None) };
            let offset = probe.find(next, range, deadline)?;
            let made: StreamConsumer<Log> =
                inner.options.reader().map_err(|error| Failure::Client(error.to_string()))?;
            let consumer = Arc::new(Consumer(Some(made)));
            consumer.client()?.assign(&probe::place(&inner.options.journal(), offset)?)?;
            let window = VecDeque::new();
            Ok(Some(Cursor { consumer, window, next, offset, settled: offset, target: range.end, letter: None }))
        })
        .await
}

/// A cursor for what is behind a record, at hand or placed; none while there is no topic.
async fn cursor(inner: &Arc<Inner>, after: u64) -> Result<Option<Used<'_>>, Failure> {
    if let Some(used) = inner.cursors.at(after) {
        return Ok(Some(used));
    }
    let Some(next) = after.checked_add(1) else { return Ok(None) };
    let placed = place(inner, next).await?;
    Ok(placed.map(|cursor| inner.cursors.used(cursor)))
}

/// Records behind `after`, at most `limit`; empty when there are none.
pub(super) async fn fetch(inner: &Arc<Inner>, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, Failure> {
    let mut again = true;
    loop {
        let Some(mut used) = cursor(inner, after).await? else { return Ok(Vec::new()) };
        let Some(cursor) = used.cursor.as_mut() else { return Err(Failure::Task) };
        match cursor.gather(inner, limit).await {
            Ok(()) => return Ok(cursor.window.iter().take(limit).cloned().collect()),
            Err(Failure::Anew) => {
                used.cursor = None;
                inner.letters.forget();
                if !again {
                    return Err(Failure::Anew);
                }
                again = false;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Waits until something behind `after` is there.
pub(super) async fn wait(inner: &Arc<Inner>, after: u64) -> Result<(), Failure> {
    loop {
        let Some(mut used) = cursor(inner, after).await? else {
            tokio::time::sleep(MAKE_SURE).await;
            continue;
        };
        let Some(cursor) = used.cursor.as_mut() else { return Err(Failure::Task) };
        match until_there(cursor, inner).await {
            Ok(()) => return Ok(()),
            Err(Failure::Anew) => {
                used.cursor = None;
                inner.letters.forget();
                // What comes next is another topic; it is looked for at a pace.
                tokio::time::sleep(SOON).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

async fn until_there(cursor: &mut Cursor, inner: &Arc<Inner>) -> Result<(), Failure> {
    cursor.send_letter(inner).await?;
    while cursor.window.is_empty() {
        match cursor.read_soon(inner, MAKE_SURE).await? {
            Some(read) => cursor.settle(inner, read).await?,
            None => cursor.look(inner).await?,
        }
    }
    Ok(())
}
