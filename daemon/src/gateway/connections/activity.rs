//! When something last happened on a connection, and what it waits for: what its time limits go by.
//!
//! A handful of atomics a request. A handler that runs has limits of its own and keeps the connection;
//! otherwise the connection is closed when nothing has happened for the idle time. That covers one that
//! is kept and not used, and one whose client does not read its answer. On HTTP/1 a head that has begun
//! must end in time; on HTTP/2 heads of several requests mix with other frames, and the idle time holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the head of a request; the first includes the handshake.
    pub(super) head: Duration,
    /// For nothing at all to happen.
    pub(super) idle: Duration,
}

/// Why a connection's time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// A head that began did not end.
    Head,
    /// Nothing happened.
    Idle,
}

/// What happens on one connection.
#[derive(Debug)]
pub(super) struct Activity {
    begin: Instant,
    patience: Patience,
    /// Handlers that run.
    handlers: AtomicU32,
    /// Answers on their way.
    answers: AtomicU32,
    /// Milliseconds after the begin when something last happened.
    last: AtomicU64,
    /// One more than the milliseconds after the begin when a head began; 0 while none is awaited.
    head: AtomicU64,
}

impl Activity {
    /// Of a connection that was just accepted: its first head is awaited.
    pub(super) fn new(patience: Patience) -> Arc<Self> {
        Arc::new(Self {
            begin: Instant::now(),
            patience,
            handlers: AtomicU32::new(0),
            answers: AtomicU32::new(0),
            last: AtomicU64::new(0),
            head: AtomicU64::new(1),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_busy(&self) -> bool {
        self.handlers.load(Ordering::Relaxed) > 0 || self.answers.load(Ordering::Relaxed) > 0
    }

    /// Something happened.
    pub(super) fn touch(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// Bytes of HTTP/1 came in. Between two requests they begin a head.
    pub(super) fn received(&self) {
        if self.head.load(Ordering::Relaxed) == 0 && !self.is_busy() {
            self.head.store(self.now().saturating_add(1), Ordering::Relaxed);
        }
    }

    /// No head is awaited, or it is here.
    pub(super) fn head_is_here(&self) {
        self.head.store(0, Ordering::Relaxed);
        self.touch();
    }

    /// A handler runs until the guard is dropped.
    pub(super) fn handling(self: &Arc<Self>) -> Handling {
        self.head_is_here();
        self.handlers.fetch_add(1, Ordering::Relaxed);
        Handling(Arc::clone(self))
    }

    /// An answer is on its way until the guard is dropped.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        self.touch();
        self.answers.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// When the first head must be there.
    pub(super) fn first_head_due(&self) -> Instant {
        self.begin + self.patience.head
    }

    /// When the connection's time is up, if nothing happens until then, and why.
    pub(super) fn due(&self) -> (Instant, Overdue) {
        if self.handlers.load(Ordering::Relaxed) > 0 {
            return (Instant::now() + self.patience.idle, Overdue::Idle);
        }
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        let idle = self.begin + last + self.patience.idle;
        match self.head.load(Ordering::Relaxed) {
            0 => (idle, Overdue::Idle),
            head => {
                let head = self.begin + Duration::from_millis(head.saturating_sub(1)) + self.patience.head;
                if head <= idle { (head, Overdue::Head) } else { (idle, Overdue::Idle) }
            }
        }
    }
}

/// A handler runs.
pub(super) struct Handling(Arc<Activity>);

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.touch();
        self.0.handlers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer is on its way.
pub(super) struct Answering(Arc<Activity>);

impl Answering {
    /// A piece of it went out.
    pub(super) fn moved(&self) {
        self.0.touch();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.touch();
        self.0.answers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { head: Duration::from_secs(10), idle: Duration::from_mins(1) };
    const PAUSE: Duration = Duration::from_millis(30);

    #[tokio::test]
    async fn the_first_head_is_due_from_the_begin_and_later_ones_from_their_first_byte() {
        let activity = Activity::new(PATIENCE);
        assert_eq!(activity.due(), (activity.begin + PATIENCE.head, Overdue::Head));
        drop(activity.handling());
        assert_eq!(activity.due().1, Overdue::Idle);
        tokio::time::sleep(PAUSE).await;
        activity.received();
        let (due, why) = activity.due();
        assert!(why == Overdue::Head && due >= activity.begin + PATIENCE.head + PAUSE);
        tokio::time::sleep(PAUSE).await;
        activity.received();
        assert_eq!(activity.due(), (due, Overdue::Head));
    }

    #[tokio::test]
    async fn what_runs_keeps_the_connection_and_an_answer_nobody_reads_does_not() {
        let activity = Activity::new(PATIENCE);
        let handling = activity.handling();
        tokio::time::sleep(PAUSE).await;
        assert!(activity.due().0 >= activity.begin + PAUSE + PATIENCE.idle);
        let answering = activity.answering();
        drop(handling);
        let (due, _) = activity.due();
        tokio::time::sleep(PAUSE).await;
        activity.received();
        assert_eq!(activity.due(), (due, Overdue::Idle));
        answering.moved();
        let (moved, why) = activity.due();
        assert!(why == Overdue::Idle && moved > due);
    }
}
