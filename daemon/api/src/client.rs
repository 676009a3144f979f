//! The typed client: one connection pool to one walletd, over its Unix socket, a loopback port or https.
//!
//! - Nothing between here and the daemon: no proxy, no redirect, no retry behind the caller's back.
//! - Every failure says whether the request may have taken effect: [`ClientError::Unreachable`] never
//!   did, [`ClientError::Lost`] may have.
//! - Every answer is bounded; what may be longer is read as a stream of lines in constant memory.
//! - A client belongs to one endpoint and is cheap to clone: clones share the pool.
//! - On the socket nobody is asked for a token, and no certificate is read.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Method, Request, Response, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
};
use serde::{Serialize, de::DeserializeOwned};
use wallet_core::key::Key;

use crate::problem::Problem;

mod bearer;
mod calls;
mod endpoint;
mod trace;
mod trust;

use self::{bearer::refuses_token, trace::Traces};
pub use self::{
    bearer::{Bearer, BearerError, Token},
    calls::CutQuery,
    endpoint::{Endpoint, secure},
    trace::{Call, Trace},
    trust::{Trust, install_tls, is_untrusted, local},
};

/// How long connecting may take, the handshake included.
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
    /// Whoever answers there is not who was asked for, or does not encrypt: nothing was sent.
    #[error("no trusted connection to walletd at {endpoint}: {why}")]
    Untrusted {
        /// Where it should be.
        endpoint: Endpoint,
        /// Why not.
        why: String,
    },
    /// There is no token to call with: nothing was sent.
    #[error("{0}")]
    Bearer(BearerError),
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
    /// For a batch: the key of the one it follows, which may still be under way.
    pub behind: Option<&'a Key>,
}

/// A client of one daemon.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    base: Arc<str>,
    traces: Traces,
    bearer: Option<Arc<dyn Bearer>>,
}

impl Client {
    /// A client that trusts who the system trusts; nothing is connected yet.
    pub fn new(endpoint: Endpoint) -> Result<Self, ClientError> {
        Self::trusting(endpoint, &Trust::default())
    }

    /// A client that trusts these; nothing is connected yet.
    pub fn trusting(endpoint: Endpoint, trust: &Trust) -> Result<Self, ClientError> {
        let (builder, base) = match &endpoint {
            // The host is only there to fill the Host header.
            Endpoint::Socket(path) => (local().unix_socket(path.as_path()), "http://localhost".to_owned()),
            Endpoint::Http(url) => (local().tcp_nodelay(true), url.clone()),
            Endpoint::Https(url) => (trust.tls(), url.clone()),
        };
        let http = builder.build().map_err(|e| ClientError::Endpoint(causes(&e)))?;
        Ok(Self { http, endpoint, base: base.into(), traces: Traces::default(), bearer: None })
    }

    /// The same client, asking for a token before each request.
    #[must_use]
    pub fn bearing(self, bearer: Arc<dyn Bearer>) -> Self {
        Self { bearer: Some(bearer), ..self }
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
        if let Some(behind) = write.behind {
            request = request.query(&[("behind", behind.as_str())]);
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
        let request = request.build().map_err(|e| ClientError::Request(causes(&e)))?;
        let arrived = match &self.bearer {
            None => self.once(request, None).await?,
            Some(bearer) => self.bearing_once(bearer.as_ref(), request).await?,
        };
        if arrived.response.status().is_success() { Ok(arrived) } else { Err(arrived.problem().await) }
    }

    /// With a token; a second time with another one if the first is not good any more. What was refused for its token
    /// did nothing, and the second request is the first one's copy, its idempotency key included.
    async fn bearing_once(&self, bearer: &dyn Bearer, request: Request) -> Result<Arrived, ClientError> {
        let token = bearer.token().await.map_err(ClientError::Bearer)?;
        let copy = request.try_clone();
        let arrived = self.once(request, token.as_ref()).await?;
        if !refuses_token(arrived.response.status(), arrived.response.headers()) {
            return Ok(arrived);
        }
        let (Some(copy), Some(token)) = (copy, token) else { return Ok(arrived) };
        match bearer.renew(&token).await.map_err(ClientError::Bearer)? {
            Some(fresh) if fresh != token => self.once(copy, Some(&fresh)).await,
            _ => Ok(arrived),
        }
    }

    async fn once(&self, mut request: Request, token: Option<&Token>) -> Result<Arrived, ClientError> {
        let place = self.traces.next();
        for (name, value) in place.headers() {
            // The ids are hexadecimal; a header always takes them.
            if let Ok(value) = HeaderValue::try_from(value) {
                request.headers_mut().insert(name, value);
            }
        }
        if let Some(token) = token {
            let value = token.header().ok_or_else(|| ClientError::Request("the token is no token".into()))?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let (method, path, sent) = (request.method().clone(), request.url().path().to_owned(), Instant::now());
        let answer = self.http.execute(request).await;
        let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.traces.ended(&place, sent, status, || format!("{method} {path}"));
        let trace_id = place.trace;
        let response = answer.map_err(|e| {
            let (endpoint, why) = (self.endpoint.clone(), causes(&e));
            if e.is_connect() && is_untrusted(&e) {
                ClientError::Untrusted { endpoint, why }
            } else if e.is_connect() {
                ClientError::Unreachable { endpoint, why }
            } else {
                ClientError::Lost { why, trace_id: trace_id.clone() }
            }
        })?;
        let request_id = header(response.headers(), "x-request-id");
        Ok(Arrived { response, request_id, trace_id })
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
    fn segments_are_percent_encoded() {
        assert_eq!(segment("inv/9913?x#y%"), "inv%2F9913%3Fx%23y%25");
        assert_eq!(segment("plain-1.2_3~"), "plain-1.2_3~");
    }
}
