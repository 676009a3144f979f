//! Bodies on their way: a request's with its time limits, an answer's as activity of its connection.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{BoxError, body::Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Answering;

/// A body stopped coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body did not come in time")]
pub(in crate::gateway) struct TooSlow;

/// A request's body: each piece has its time, and so has the whole.
pub(super) struct Timed {
    inner: Incoming,
    pause: Duration,
    end: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    /// Fails once nothing came for `pause`, or the whole took longer than `whole`.
    pub(super) fn new(inner: Incoming, pause: Duration, whole: Duration) -> Self {
        Self { inner, pause, end: Instant::now() + whole, alarm: None }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) {
            this.alarm = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let due = || this.end.min(Instant::now() + this.pause);
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep_until(due())));
        ready!(alarm.as_mut().poll(context));
        Poll::Ready(Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body.
pub(super) struct Answer {
    inner: axum::body::Body,
    answering: Answering,
}

impl Answer {
    /// It counts as under way until it is dropped.
    pub(super) fn new(inner: axum::body::Body, answering: Answering) -> Self {
        Self { inner, answering }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        self.answering.moved();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
