//! `[server]`: the socket and the limits of the edge.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Invalid, duties::Duties};

/// Longest path of a Unix socket on Linux, without the final NUL.
const MAX_SOCKET_PATH: usize = 107;
/// A batch of 5,000 commands with full memos and a few facts each is below 8 MB; with every fact at
/// its bound it may be more, and is then sent in smaller batches.
const DEFAULT_BODY: usize = 16 << 20;
/// Several full batches, and every single command of a few thousand clients.
const DEFAULT_QUEUE: usize = 50_000;
/// Two thousand clients: two thousand sockets.
const DEFAULT_CONNECTIONS: usize = 2_048;

/// As many as one address has over TCP: a user's batch and a hundred short commands, and an eighth of all.
const DEFAULT_OF_USER: usize = 256;

/// The socket and the limits of the edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The Unix socket.
    pub socket: PathBuf,
    /// Which parts of the whole this process does: api, relay, balances, audit.
    pub roles: Duties,
    /// Seconds that running requests get when the daemon is told to stop.
    pub shutdown_timeout_s: u64,
    /// Seconds a request may take (streams: until their first byte).
    pub request_timeout_s: u64,
    /// Largest request body, in bytes.
    pub body_limit_bytes: usize,
    /// Commands that may wait to be committed; more are answered `overloaded` at once.
    pub queue_limit: usize,
    /// Connections on the socket at a time.
    pub connection_limit: usize,
    /// Of these, connections of one user other than the daemon's own.
    pub connections_per_user: usize,
}

impl Server {
    /// The usual limits, at a socket.
    pub fn at(socket: PathBuf) -> Self {
        Self {
            socket,
            roles: Duties::default(),
            shutdown_timeout_s: 20,
            request_timeout_s: 30,
            body_limit_bytes: DEFAULT_BODY,
            queue_limit: DEFAULT_QUEUE,
            connection_limit: DEFAULT_CONNECTIONS,
            connections_per_user: DEFAULT_OF_USER,
        }
    }

    /// What running requests get when the daemon is told to stop.
    pub fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.shutdown_timeout_s)
    }

    /// What a request may take.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_s)
    }

    pub(super) fn validate(&self) -> Result<(), Invalid> {
        let socket = "server.socket";
        if !self.socket.is_absolute() {
            return Err(Invalid::new(socket, format!("{} is not an absolute path", self.socket.display())));
        }
        if self.socket.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(Invalid::new(socket, format!("the path is longer than {MAX_SOCKET_PATH} bytes")));
        }
        self.roles.validate()?;
        Invalid::range("server.shutdown_timeout_s", &self.shutdown_timeout_s, 1..=3_600)?;
        Invalid::range("server.request_timeout_s", &self.request_timeout_s, 1..=3_600)?;
        Invalid::range("server.body_limit_bytes", &self.body_limit_bytes, 1 << 10..=1 << 30)?;
        Invalid::range("server.queue_limit", &self.queue_limit, 1..=1_000_000)?;
        Invalid::range("server.connection_limit", &self.connection_limit, 1..=100_000)?;
        Invalid::range("server.connections_per_user", &self.connections_per_user, 1..=100_000)
    }
}
