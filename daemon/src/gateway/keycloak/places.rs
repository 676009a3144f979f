//! How many requests may be somewhere at a time, one address having a part of them, and what is done with an answer
//! that is too large to be kept for everybody.
//!
//! Keycloak's answers are read whole before anybody gets them, so that a client who does not read holds nothing of
//! Keycloak's. What is small is kept for as long as the connection lives: it is no more than a request's head may be. What
//! is larger, a style sheet, takes one of the few places for such, and loses it when its time is over, read or not. A
//! flood of those leaves others without style sheets for that time, never without a way to sign in.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};

use crate::gateway::connections::{Share, Shares};

/// Of all places, one address has one in so many.
const SHARE: usize = 4;
/// What is handed over at a time: a client who stops reading has no more than that besides what its kernel holds.
const PIECE: usize = 16 << 10;

/// Places for all, and of one address.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    shares: Arc<Shares>,
}

/// One of them; it is free again once this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _share: Share,
    _permit: OwnedSemaphorePermit,
}

/// There is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The address has its part.
    Address,
    /// All are taken.
    All,
}

impl Places {
    /// So many.
    pub(super) fn new(count: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(count)), shares: Shares::new(part(count)) }
    }

    /// One for this address, now.
    pub(super) fn take(&self, address: IpAddr) -> Result<Place, Full> {
        let share = self.shares.take(address).ok_or(Full::Address)?;
        let permit = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Full::All)?;
        Ok(Place { _share: share, _permit: permit })
    }
}

/// What one address has of so many.
pub(super) fn part(count: usize) -> usize {
    count.div_ceil(SHARE)
}

/// What is left of a large answer, and its place; nothing once it has been read, or its time is over.
type Slot = Mutex<Option<(Bytes, Place)>>;

fn open(slot: &Slot) -> MutexGuard<'_, Option<(Bytes, Place)>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A large answer on its way to its reader.
pub(super) struct Large {
    slot: Arc<Slot>,
    left: u64,
    /// What takes it away when its time is over, asked for or not.
    timer: AbortHandle,
}

impl Large {
    /// It keeps its place until it has been read, and no longer than this.
    pub(super) fn new(body: Bytes, place: Place, time: Duration) -> Self {
        let left = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let slot = Arc::new(Mutex::new(Some((body, place))));
        let kept = Arc::downgrade(&slot);
        let timer = tokio::spawn(async move {
            tokio::time::sleep(time).await;
            if let Some(slot) = kept.upgrade() {
                drop(open(&slot).take());
            }
        });
        Self { slot, left, timer: timer.abort_handle() }
    }
}

impl Body for Large {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let mut slot = open(&this.slot);
        let Some((body, _)) = slot.as_mut() else {
            this.left = 0;
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        };
        let piece = body.split_to(PIECE.min(body.len()));
        this.left = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if this.left == 0 {
            slot.take();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn an_address_has_a_quarter_and_a_place_is_free_again() {
        let places = Places::new(4);
        let take = |last: u8| places.take(IpAddr::from([192, 0, 2, last]));
        let first = take(1).unwrap();
        assert_eq!(take(1).unwrap_err(), Full::Address);
        let others = [take(2).unwrap(), take(3).unwrap(), take(4).unwrap()];
        assert_eq!(take(5).unwrap_err(), Full::All);
        drop(first);
        let fifth = take(5).unwrap();
        drop((others, fifth));
        assert_eq!(part(1), 1, "nobody has nothing");
    }

    #[tokio::test]
    async fn a_large_answer_comes_whole_and_its_place_is_free_with_its_last_byte() {
        let places = Places::new(1);
        let sent: Vec<u8> = (0..5 * PIECE + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let body = Large::new(sent.clone().into(), places.take(HERE).unwrap(), Duration::from_hours(1));
        assert_eq!(body.size_hint().exact(), Some(sent.len() as u64));
        let timer = body.timer.clone();
        assert_eq!(to_bytes(axum::body::Body::new(body), usize::MAX).await.unwrap(), sent);
        assert!(places.take(HERE).is_ok());
        while !timer.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_large_answer_that_nobody_reads_loses_its_place_and_breaks_off() {
        let places = Places::new(1);
        let body = Large::new(vec![0; 3 * PIECE].into(), places.take(HERE).unwrap(), Duration::ZERO);
        assert_eq!(places.take(HERE).unwrap_err(), Full::Address);
        // Nobody asks for its bytes.
        while places.take(HERE).is_err() {
            tokio::task::yield_now().await;
        }
        let read = to_bytes(axum::body::Body::new(body), usize::MAX).await;
        assert!(read.is_err(), "cut off is not whole");
    }
}
