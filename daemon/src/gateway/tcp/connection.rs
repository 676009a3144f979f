//! One connection: handshake, protocol, requests, and the end, whichever comes first.

use std::{convert::Infallible, future::poll_fn, io, net::IpAddr, pin::pin, sync::Arc, task::Poll, time::Duration};

use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Method, Request, Response, Version, header},
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
    net::TcpStream,
    sync::SemaphorePermit,
    time::{Instant, sleep_until, timeout_at},
};
use tower::ServiceExt as _;
use wallet_api::problem::Problem;

use super::{
    Shared,
    activity::{Activity, Overdue},
    addresses::Share,
    body::{Answer, Timed},
    stream::{Protocol, Stream, protocol},
};
use crate::gateway::{fault::Fault, source::Source};

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
pub(super) enum Failure {
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

/// A connection's part of what all requests need.
struct Visit {
    shared: Arc<Shared>,
    activity: Arc<Activity>,
    peer: IpAddr,
    encrypted: bool,
}

/// Serves one connection to its end.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: IpAddr) -> Result<(), Failure> {
    let activity = Activity::new(shared.patience);
    // An answer is written whole; waiting for more of it costs the client 40 ms.
    drop(stream.set_nodelay(true));
    let due = activity.first_head_due();
    let visit = |encrypted| Visit { shared: Arc::clone(&shared), activity: Arc::clone(&activity), peer, encrypted };
    let Some(acceptor) = &shared.tls else {
        let mut stream = stream;
        let begun = shared.ending.run_until_cancelled(timeout_at(due, protocol(&mut stream))).await;
        let Some(begun) = begun else { return Ok(()) };
        let (protocol, first) = begun.map_err(|_| Failure::SlowHead)?.map_err(Failure::Gone)?;
        return visit(false).speak(protocol, Stream::new(first, stream, Arc::clone(&activity))).await;
    };
    let shaken = shared.ending.run_until_cancelled(timeout_at(due, acceptor.accept(stream))).await;
    let Some(shaken) = shaken else { return Ok(()) };
    let stream = shaken.map_err(|_| Failure::SlowHead)?.map_err(Failure::Handshake)?;
    let protocol = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Protocol::Http2,
        _ => Protocol::Http1,
    };
    visit(true).speak(protocol, Stream::new(Vec::new(), stream, Arc::clone(&activity))).await
}

impl Visit {
    async fn speak<Io>(self, protocol: Protocol, io: Stream<Io>) -> Result<(), Failure>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (shared, activity) = (Arc::clone(&self.shared), Arc::clone(&self.activity));
        let visit = Arc::new(self);
        let service = service_fn(move |request: Request<Incoming>| {
            let visit = Arc::clone(&visit);
            async move { Ok::<_, Infallible>(visit.answer(request).await) }
        });
        match protocol {
            Protocol::Http1 => {
                let connection = http1(&shared).serve_connection(TokioIo::new(io), service);
                drive(connection, &activity, &shared).await
            }
            Protocol::Http2 => {
                activity.head_is_here();
                let connection = http2(&shared).serve_connection(TokioIo::new(io), service);
                drive(connection, &activity, &shared).await
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        let handling = self.activity.handling();
        let version = request.version();
        let (parts, body) = request.into_parts();
        let body = Body::new(Timed::new(body, self.shared.body_pause, self.shared.body_whole));
        let mut request = Request::from_parts(parts, body);
        let remote = self.shared.proxies.remote(self.peer, self.encrypted, request.headers());
        request.extensions_mut().insert(ConnectInfo(Source::Tcp(remote)));
        let mut last = self.shared.soft.is_cancelled();
        if let Err(fault) = is_plain(&request) {
            request.extensions_mut().insert(fault);
            // What comes behind it may not be what it seems.
            last = true;
        }
        let place = self.place(remote.address);
        if let Err(full) = &place {
            request.extensions_mut().insert(Fault::from(Problem::new("overloaded", *full)));
        }
        let mut response = match self.shared.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if version < Version::HTTP_2 && last {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let answering = self.activity.answering();
        drop((handling, place));
        response.map(|body| Answer::new(body, answering))
    }

    /// A place among the requests that run; what it wants if there is none. A trusted proxy that does not say for whom
    /// it asks has no share, as it has none of the connections.
    fn place(&self, address: IpAddr) -> Result<(Option<Share>, SemaphorePermit<'_>), &'static str> {
        let shared = &self.shared;
        let share = if shared.proxies.include(address) {
            None
        } else {
            let full = "this address has as many requests running as one may have (gateway.requests_per_address)";
            Some(shared.of_address.take(address).ok_or(full)?)
        };
        let full = "as many requests run as may run at a time (gateway.request_limit)";
        Ok((share, shared.requests.try_acquire().map_err(|_| full)?))
    }
}

/// A request names a path, and one host, or it could mean something else to a proxy in front (RFC 9112, 3.2).
fn is_plain(request: &Request<Body>) -> Result<(), Fault> {
    if request.uri().path().is_empty() && request.method() != Method::CONNECT {
        return Err(Fault::invalid("the request names no path"));
    }
    if request.uri().authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(Fault::invalid("the request names a user with its host"));
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    let fault = match (first, second) {
        (_, Some(_)) => "the request has more than one Host",
        (None, None) if request.version() == Version::HTTP_11 => "the request has no Host",
        (None, None) => return Ok(()),
        (Some(host), None) => {
            let parsed = host.to_str().ok().and_then(|host| host.parse::<axum::http::uri::Authority>().ok());
            if parsed.is_some_and(|host| !host.as_str().contains('@')) {
                return Ok(());
            }
            "the Host is no host"
        }
    };
    Err(Fault::invalid(fault))
}

fn http1(shared: &Shared) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The activity of the connection goes by a clock that tells a head from a pause between requests.
        .header_read_timeout(None)
        .half_close(false)
        .max_header_size(shared.head_limit)
        .max_buf_size(shared.head_limit + READ_AHEAD);
    builder
}

fn http2(shared: &Shared) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(shared.streams)
        .max_header_list_size(u32::try_from(shared.head_limit).unwrap_or(u32::MAX))
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
async fn drive<C>(connection: C, activity: &Activity, shared: &Shared) -> Result<(), Failure>
where
    C: GracefulConnection<Error = hyper::Error>,
{
    let mut connection = pin!(connection);
    let mut ending = pin!(shared.ending.cancelled());
    let mut asked = false;
    let mut goodbye: Option<Instant> = None;
    let mut alarm = pin!(sleep_until(activity.due().0));
    poll_fn(move |context| {
        if !asked && ending.as_mut().poll(context).is_ready() {
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
