//! A running daemon, through its socket: its journal, and what it is told to do.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Method, Request, StatusCode,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, task::AbortHandle};
use wallet_api::{problem::Problem, types::Status};
use wallet_core::cut::Cut;

use super::{BackupError, cut};

/// Longest line: a record is far below, even with every fact at its bound.
pub(super) const MAX_LINE: usize = 1 << 20;

/// A connection to a daemon.
pub(crate) struct Remote {
    socket: PathBuf,
    send: SendRequest<Empty<Bytes>>,
    connection: AbortHandle,
}

impl Remote {
    pub(crate) async fn connect(socket: &Path) -> Result<Self, BackupError> {
        let fail = |what: String| BackupError::Daemon { socket: socket.to_owned(), what };
        let stream = UnixStream::connect(socket).await.map_err(|error| fail(error.to_string()))?;
        let (send, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| fail(error.to_string()))?;
        let connection = tokio::spawn(connection).abort_handle();
        Ok(Self { socket: socket.to_owned(), send, connection })
    }

    fn fail(&self, what: impl std::fmt::Display) -> BackupError {
        BackupError::Daemon { socket: self.socket.clone(), what: what.to_string() }
    }

    async fn get(&mut self, path: &str) -> Result<Incoming, BackupError> {
        self.send(Method::GET, path).await
    }

    async fn send(&mut self, method: Method, path: &str) -> Result<Incoming, BackupError> {
        let request = Request::builder().method(method).uri(path).header("host", "localhost").body(Empty::new());
        let request = request.map_err(|error| self.fail(error))?;
        let answer = self.send.send_request(request).await.map_err(|error| self.fail(error))?;
        let status = answer.status();
        let body = answer.into_body();
        if status == StatusCode::OK {
            return Ok(body);
        }
        let bytes = body.collect().await.map_err(|error| self.fail(error))?.to_bytes();
        let detail = serde_json::from_slice::<Problem>(&bytes).map(|problem| problem.detail);
        Err(self.fail(format!("{status}: {}", detail.unwrap_or_default())))
    }

    /// The ledger's id and head.
    pub(super) async fn head(&mut self) -> Result<(String, Cut), BackupError> {
        let bytes = self.get("/v1/status").await?.collect().await.map_err(|error| self.fail(error))?.to_bytes();
        let status: Status = serde_json::from_slice(&bytes).map_err(|error| self.fail(error))?;
        let cut = cut(&status.cut).map_err(|error| self.fail(error))?;
        Ok((status.ledger_id, cut))
    }

    /// The journal up to a record, as lines.
    pub(super) async fn journal(&mut self, to: u64) -> Result<Lines<'_>, BackupError> {
        let body = self.get(&format!("/v1/journal?to={to}")).await?;
        Ok(Lines { remote: self, body, waiting: Vec::new(), start: 0 })
    }

    /// Tells the daemon to do something; what it says of it, as lines.
    pub(crate) async fn post(&mut self, path: &str) -> Result<Lines<'_>, BackupError> {
        let body = self.send(Method::POST, path).await?;
        Ok(Lines { remote: self, body, waiting: Vec::new(), start: 0 })
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Lines of a body that is still arriving.
pub(crate) struct Lines<'a> {
    remote: &'a Remote,
    body: Incoming,
    waiting: Vec<u8>,
    start: usize,
}

impl Lines<'_> {
    /// The next line, without its line break. A stream that breaks off is an error.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        loop {
            let rest = self.waiting.get(self.start..).unwrap_or_default();
            if let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
                let line = rest.get(..length).unwrap_or_default().to_vec();
                self.start = self.start.saturating_add(length).saturating_add(1);
                return Ok(Some(line));
            }
            if rest.len() > MAX_LINE {
                return Err(self.remote.fail("a line is too long"));
            }
            self.waiting.drain(..self.start);
            self.start = 0;
            match self.body.frame().await {
                None if self.waiting.is_empty() => return Ok(None),
                None => return Err(self.remote.fail("the stream breaks off")),
                Some(Err(error)) => return Err(self.remote.fail(error)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.waiting.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}
