//! The typed client: one connection pool to one walletd, over its Unix socket or a loopback port.
//!
//! - Nothing between here and the daemon: no proxy, no redirect, no retry behind the caller's back.
//! - Every failure says whether the request may have taken effect: [`ClientError::Unreachable`] never
//!   did, [`ClientError::Lost`] may have.
//! - Every answer is bounded; what may be longer is read as a stream of lines in constant memory.
//! - A client belongs to one endpoint and is cheap to clone: clones share the pool.

use std::{
    net::IpAddr,
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use reqwest::{Method, Response, StatusCode, header::HeaderMap};
use serde::{Serialize, de::DeserializeOwned};
use wallet_core::key::Key;

use crate::problem::Problem;

mod calls;
mod trace;

use self::trace::Traces;
pub use self::{
    calls::CutQuery,
    trace::{Call, Trace},
};

/// How long connecting may take: the daemon is on this machine, so this is already long.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take, body included. Longer than the daemon's own limit on a request, so
/// that its problem arrives instead of a lost answer. Streams have none.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a verification may take: it reads the whole journal.
pub const VERIFY_TIMEOUT: Duration = Duration::from_hours(24);
/// How long an idle connection is kept; shorter than the daemon keeps its end.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer that is not a stream: the outcomes of the largest batch are far below it.
pub const MAX_ANSWER: usize = 64 << 20;
/// Longest line of a stream: a journal record of the largest metadata is far below it.
pub const MAX_LINE: usize = 16 << 20;

/// Where a daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Its Unix socket.
    Socket(PathBuf),
    /// `http://HOST:PORT` with a loopback host: there is no encryption, so nothing else is accepted.
    Http(String),
}

impl FromStr for Endpoint {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        if text.starts_with('/') {
            return Ok(Self::Socket(text.into()));
        }
        let wrong = |why: &str| ClientError::Endpoint(format!("{text}: {why}"));
        let url = reqwest::Url::parse(text).map_err(|e| wrong(&e.to_string()))?;
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if url.scheme() != "http" || !loopback {
            return Err(wrong("must be http:// and a loopback address such as 127.0.0.1:7117"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.path() != "/" {
            return Err(wrong("must have no path, query, user or password"));
        }
        Ok(Self::Http(text.trim_end_matches('/').to_owned()))
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Http(url) => f.write_str(url),
        }
    }
}

/// Why there is no good answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// The daemon answered with a problem; it says what happened.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The daemon was not reached: certainly nothing happened.
    #[error("cannot reach walletd at {endpoint}: {why}")]
    Unreachable {
        /// Where it should be.
        endpoint: Endpoint,
        /// Why not.
        why: String,
    },
    /// The request was sent and its answer was lost: a write may or may not have happened.
    #[error("the answer was lost: {why}")]
    Lost {
        /// How.
        why: String,
        /// The trace the request was sent with.
        trace_id: String,
    },
    /// The answer is not what this version understands. A write may or may not have happened.
    #[error("walletd's answer is not understood: {why}")]
    Protocol {
        /// What is wrong with it.
        why: String,
        /// The request, if it was named.
        request_id: Option<String>,
        /// The trace the request was sent with.
        trace_id: String,
    },
    /// The endpoint cannot be used.
    #[error("{0}")]
    Endpoint(String),
    /// The request cannot be made; nothing was sent.
    #[error("{0}")]
    Request(String),
}

/// A good answer.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// Its body.
    pub body: T,
    /// The daemon's name for the request.
    pub request_id: Option<String>,
    /// The trace the request was sent with.
    pub trace_id: String,
}

/// How a write is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Write<'a> {
    /// Its idempotency key.
    pub key: Option<&'a Key>,
    /// Only ask what would happen.
    pub dry_run: bool,
}

/// A client of one daemon.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    base: Arc<str>,
    traces: Traces,
}

impl Client {
    /// A client; nothing is connected yet.
    pub fn new(endpoint: Endpoint) -> Result<Self, ClientError> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT);
        let (builder, base) = match &endpoint {
            // The host is only there to fill the Host header.
            Endpoint::Socket(path) => (builder.unix_socket(path.as_path()), "http://localhost".to_owned()),
            Endpoint::Http(url) => (builder.tcp_nodelay(true), url.clone()),
        };
        let http = builder.build().map_err(|e| ClientError::Endpoint(causes(&e)))?;
        Ok(Self { http, endpoint, base: base.into(), traces: Traces::default() })
    }

    /// The same client with all its requests in one trace.
    #[must_use]
    pub fn traced(self, trace: Trace) -> Self {
        Self { traces: Traces::One(trace), ..self }
    }

    /// Where the daemon is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// GET with a query, the answer read as JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: &impl Serialize) -> Result<Answer<T>, ClientError> {
        let request = self.http.get(self.url(path)).query(query).timeout(ANSWER_TIMEOUT);
        self.send(request).await?.json().await
    }

    /// POST of a JSON body, the answer read as JSON.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        write: Write<'_>,
    ) -> Result<Answer<T>, ClientError> {
        self.post_within(path, body, write, ANSWER_TIMEOUT).await
    }

    /// POST of JSON that was made elsewhere, the answer read as JSON.
    pub async fn post_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Bytes,
        write: Write<'_>,
    ) -> Result<Answer<T>, ClientError> {
        let request = self.http.post(self.url(path)).header("content-type", "application/json").body(body);
        self.written(request, write, ANSWER_TIMEOUT).await
    }

    async fn post_within<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        write: Write<'_>,
        limit: Duration,
    ) -> Result<Answer<T>, ClientError> {
        self.written(self.http.post(self.url(path)).json(body), write, limit).await
    }

    async fn written<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
        write: Write<'_>,
        limit: Duration,
    ) -> Result<Answer<T>, ClientError> {
        let mut request = request.timeout(limit);
        if let Some(key) = write.key {
            request = request.header("idempotency-key", key.as_str());
        }
        if write.dry_run {
            request = request.query(&[("dry_run", "true")]);
        }
        self.send(request).await?.json().await
    }

    /// GET of a stream of lines.
    pub async fn lines(&self, path: &str, query: &impl Serialize) -> Result<Lines, ClientError> {
        Ok(self.send(self.http.get(self.url(path)).query(query)).await?.lines())
    }

    /// Any request, any answer, for what has no method here. A problem is still an error.
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        body: Option<Bytes>,
        key: Option<&Key>,
    ) -> Result<Lines, ClientError> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|e| ClientError::Request(e.to_string()))?;
        if !path.starts_with('/') {
            return Err(ClientError::Request(format!("{path}: a path starts with /")));
        }
        let mut request = self.http.request(method, self.url(path));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key.as_str());
        }
        Ok(self.send(request).await?.lines())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Arrived, ClientError> {
        let place = self.traces.next();
        let request = place.headers().into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.build().map_err(|e| ClientError::Request(causes(&e)))?;
        let (method, path, sent) = (request.method().clone(), request.url().path().to_owned(), Instant::now());
        let answer = self.http.execute(request).await;
        let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.traces.ended(&place, sent, status, || format!("{method} {path}"));
        let trace_id = place.trace;
        let response = answer.map_err(|e| {
            if e.is_connect() {
                ClientError::Unreachable { endpoint: self.endpoint.clone(), why: causes(&e) }
            } else {
                ClientError::Lost { why: causes(&e), trace_id: trace_id.clone() }
            }
        })?;
        let request_id = header(response.headers(), "x-request-id");
        let arrived = Arrived { response, request_id, trace_id };
        if arrived.response.status().is_success() { Ok(arrived) } else { Err(arrived.problem().await) }
    }
}

/// An answer whose body is still to be read.
struct Arrived {
    response: Response,
    request_id: Option<String>,
    trace_id: String,
}

impl Arrived {
    async fn json<T: DeserializeOwned>(mut self) -> Result<Answer<T>, ClientError> {
        let bytes = self.whole().await?;
        let body = serde_json::from_slice(&bytes).map_err(|e| self.protocol(e.to_string()))?;
        Ok(Answer { body, request_id: self.request_id, trace_id: self.trace_id })
    }

    fn lines(self) -> Lines {
        Lines { from: self, held: BytesMut::new(), seen: 0, ended: false }
    }

    async fn problem(mut self) -> ClientError {
        let status = self.response.status();
        let bytes = match self.whole().await {
            Ok(bytes) => bytes,
            Err(error) => return error,
        };
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(mut problem) => {
                problem.request_id = problem.request_id.or(self.request_id);
                problem.trace_id = problem.trace_id.or(Some(self.trace_id));
                ClientError::Problem(Box::new(problem))
            }
            Err(_) => self.protocol(format!("status {status} without a problem")),
        }
    }

    async fn whole(&mut self) -> Result<Bytes, ClientError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > MAX_ANSWER {
                return Err(self.protocol(format!("more than {MAX_ANSWER} bytes")));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        let lost = |e: reqwest::Error| ClientError::Lost { why: causes(&e), trace_id: self.trace_id.clone() };
        self.response.chunk().await.map_err(lost)
    }

    fn protocol(&self, why: String) -> ClientError {
        ClientError::Protocol { why, request_id: self.request_id.clone(), trace_id: self.trace_id.clone() }
    }
}

/// An answer read piece by piece. One that was cut off ends in an error, never silently.
pub struct Lines {
    from: Arrived,
    held: BytesMut,
    seen: usize,
    ended: bool,
}

impl Lines {
    /// The next line, without its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let fresh = self.held.get(self.seen..).unwrap_or_default();
            if let Some(place) = fresh.iter().position(|&b| b == b'\n') {
                let mut line = self.held.split_to(self.seen + place + 1).freeze();
                line.truncate(line.len() - 1);
                self.seen = 0;
                return Ok(Some(line));
            }
            self.seen = self.held.len();
            if self.ended {
                let rest = self.held.split().freeze();
                self.seen = 0;
                return Ok(if rest.is_empty() { None } else { Some(rest) });
            }
            if self.held.len() > MAX_LINE {
                return Err(self.from.protocol(format!("a line of more than {MAX_LINE} bytes")));
            }
            match self.from.chunk().await? {
                Some(chunk) => self.held.extend_from_slice(&chunk),
                None => self.ended = true,
            }
        }
    }

    /// The next line, read as JSON.
    pub async fn next_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        match self.next().await? {
            Some(line) => {
                serde_json::from_slice(&line).map(Some).map_err(|e| self.from.protocol(format!("a line: {e}")))
            }
            None => Ok(None),
        }
    }

    /// The next piece as it came in, for a copy that needs no lines. Not to be mixed with [`Self::next`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        self.from.chunk().await
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<String> {
        header(self.from.response.headers(), name)
    }

    /// The answer's status.
    pub fn status(&self) -> u16 {
        let status: StatusCode = self.from.response.status();
        status.as_u16()
    }

    /// The daemon's name for the request.
    pub fn request_id(&self) -> Option<&str> {
        self.from.request_id.as_deref()
    }

    /// The trace the request was sent with.
    pub fn trace_id(&self) -> &str {
        &self.from.trace_id
    }
}

/// Percent-encodes a path segment.
pub fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// An error and what caused it, in one line, without saying anything twice.
fn causes(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    if error.is_timeout() { format!("no answer in time ({last})") } else { last.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_and_loopback_addresses_are_endpoints() {
        for good in ["/run/walletd.sock", "http://127.0.0.1:7117", "http://[::1]:7117/", "http://localhost:80"] {
            assert!(good.parse::<Endpoint>().is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1:80",
            "https://127.0.0.1",
            "http://me:secret@127.0.0.1",
            "http://127.0.0.1/v1",
            "http://localhost.example.com",
            "walletd.sock",
            "",
        ] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn segments_are_percent_encoded() {
        assert_eq!(segment("inv/9913?x#y%"), "inv%2F9913%3Fx%23y%25");
        assert_eq!(segment("plain-1.2_3~"), "plain-1.2_3~");
    }
}
