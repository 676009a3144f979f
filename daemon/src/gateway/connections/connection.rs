//! One connection: handshake, protocol, requests, and the end, whichever comes first.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use axum::{
    body::Body,
    http::{HeaderValue, Request, Response, Version, header},
};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until, timeout_at},
};
use tokio_rustls::TlsAcceptor;

use super::{
    Origin, Terms,
    activity::{Activity, Overdue},
    body::{Answer, Timed},
    stream::{Protocol, Stream, protocol},
};

/// What a connection gets to say goodbye once nothing happens on it any more.
const GOODBYE: Duration = Duration::from_secs(5);
/// Largest frame of HTTP/2, which is also the smallest that may be allowed.
const FRAME: u32 = 16 << 10;
/// What a client may send of one body before it is read, and of all bodies of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// What an answer may have waiting for its reader.
const SEND_BUFFER: usize = 64 << 10;
/// Requests that were taken back before a handler saw them (CVE-2023-44487): more end the connection.
const RESETS_BEFORE_ACCEPT: usize = 20;
/// Streams that were ended for the client's faults: more end the connection.
const RESETS_FOR_FAULTS: usize = 64;
/// How often a connection that is used is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);
/// A buffer beyond the head, so that bodies are read in large pieces.
const READ_AHEAD: usize = 32 << 10;

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::gateway) enum Failure {
    /// No TLS came about.
    #[error("no TLS")]
    Handshake(#[source] io::Error),
    /// It went away while its protocol was awaited.
    #[error("it went away")]
    Gone(#[source] io::Error),
    /// It broke its protocol, or went away.
    #[error("it did not keep to HTTP")]
    Http(#[source] hyper::Error),
    /// It did not send the head of a request, or shake hands, in time.
    #[error("no head of a request came in time")]
    SlowHead,
    /// It did not say goodbye.
    #[error("nothing happened on it")]
    Idle,
}

impl Failure {
    /// A line for whoever looks for it: clients come and go as they please.
    pub(in crate::gateway) fn tell(&self, peer: &dyn std::fmt::Display) {
        let source = std::error::Error::source(self).map(ToString::to_string).unwrap_or_default();
        tracing::debug!(%peer, failure = %self, source, "a connection ended");
    }
}

/// A connection's part of what all requests need.
struct Visit<Of> {
    terms: Arc<Terms>,
    activity: Arc<Activity>,
    origin: Of,
}

/// Serves a connection without TLS to its end.
pub(in crate::gateway) async fn plain<Io>(terms: Arc<Terms>, origin: impl Origin, mut io: Io) -> Result<(), Failure>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new(terms.patience);
    let begun = timeout_at(activity.first_head_due(), protocol(&mut io));
    let Some(begun) = terms.ending.run_until_cancelled(begun).await else { return Ok(()) };
    let (protocol, first) = begun.map_err(|_| Failure::SlowHead)?.map_err(Failure::Gone)?;
    let io = Stream::new(first, io, protocol, &activity);
    Visit { terms, activity, origin }.speak(protocol, io).await
}

/// Serves a connection within TLS to its end.
pub(in crate::gateway) async fn encrypted<Io>(
    terms: Arc<Terms>,
    acceptor: &TlsAcceptor,
    origin: impl Origin,
    io: Io,
) -> Result<(), Failure>
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new(terms.patience);
    let shaken = timeout_at(activity.first_head_due(), acceptor.accept(io));
    let Some(shaken) = terms.ending.run_until_cancelled(shaken).await else { return Ok(()) };
    let io = shaken.map_err(|_| Failure::SlowHead)?.map_err(Failure::Handshake)?;
    let protocol = match io.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    let io = Stream::new(Vec::new(), io, protocol, &activity);
    Visit { terms, activity, origin }.speak(protocol, io).await
}

impl<Of: Origin> Visit<Of> {
    async fn speak<Io>(self, protocol: Protocol, io: Stream<Io>) -> Result<(), Failure>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (terms, activity) = (Arc::clone(&self.terms), Arc::clone(&self.activity));
        let visit = Arc::new(self);
        let service = service_fn(move |request: Request<Incoming>| {
            let visit = Arc::clone(&visit);
            async move { Ok::<_, Infallible>(visit.answer(request).await) }
        });
        match protocol {
            Protocol::Http1 => {
                let connection = http1(&terms).serve_connection(TokioIo::new(io), service);
                drive(connection, &activity, &terms).await
            }
            Protocol::Http2 => {
                activity.head_is_here();
                let connection = http2(&terms).serve_connection(TokioIo::new(io), service);
                drive(connection, &activity, &terms).await
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        let handling = self.activity.handling();
        let version = request.version();
        let (parts, body) = request.into_parts();
        let body = Body::new(Timed::new(body, self.terms.body_pause, self.terms.body_whole));
        let mut request = Request::from_parts(parts, body);
        let source = self.origin.source(request.headers());
        let mut last = self.terms.stopping.load(Ordering::Acquire);
        if let Err(fault) = self.origin.judge(&request) {
            request.extensions_mut().insert(fault);
            // What comes behind it may not be what it seems.
            last = true;
        }
        let place = self.origin.place(source).map_err(|fault| request.extensions_mut().insert(fault));
        let mut response = self.terms.site.answer(source, request).await;
        if version < Version::HTTP_2 && last {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let answering = self.activity.answering();
        drop((handling, place));
        response.map(|body| Answer::new(body, answering))
    }
}

fn http1(terms: &Terms) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The activity of the connection goes by a clock that tells a head from a pause between requests.
        .header_read_timeout(None)
        .half_close(false)
        .max_header_size(terms.head_limit)
        .max_buf_size(terms.head_limit + READ_AHEAD);
    builder
}

fn http2(terms: &Terms) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(terms.streams)
        .max_header_list_size(u32::try_from(terms.head_limit).unwrap_or(u32::MAX))
        .max_frame_size(FRAME)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(RESETS_BEFORE_ACCEPT)
        .max_local_error_reset_streams(RESETS_FOR_FAULTS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

/// Polls a connection until it ends, its time is up, or the listener ends and what runs has finished.
async fn drive<C>(connection: C, activity: &Activity, terms: &Terms) -> Result<(), Failure>
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut connection = pin!(connection);
    let mut ending = pin!(terms.ending.cancelled());
    // The first step leaves word with the token where to wake this task; from then on its flag tells.
    let (mut asked, mut begun) = (false, false);
    let mut goodbye: Option<Instant> = None;
    let mut alarm = pin!(sleep_until(activity.due().0));
    poll_fn(move |context| {
        let is_over = !begun || terms.is_over.load(Ordering::Acquire);
        begun = true;
        if !asked && is_over && ending.as_mut().poll(context).is_ready() {
            asked = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(ended) = connection.as_mut().poll(context) {
            return Poll::Ready(ended.map_err(Failure::Http));
        }
        loop {
            let (due, why) = activity.due();
            // A head that began may be due before the alarm that was set while nothing was awaited.
            let at = goodbye.map_or(due, |goodbye| goodbye.max(due));
            if at < alarm.deadline() {
                alarm.as_mut().reset(at);
            }
            if alarm.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            if at > Instant::now() {
                alarm.as_mut().reset(at);
                continue;
            }
            match why {
                Overdue::Head => return Poll::Ready(Err(Failure::SlowHead)),
                Overdue::Idle if goodbye.is_some() => return Poll::Ready(Err(Failure::Idle)),
                Overdue::Idle => {
                    asked = true;
                    connection.as_mut().graceful_shutdown();
                    let until = Instant::now() + GOODBYE;
                    goodbye = Some(until);
                    alarm.as_mut().reset(until);
                    if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                        return Poll::Ready(ended.map_err(Failure::Http));
                    }
                }
            }
        }
    })
    .await
}
