//! The daemon's life: one daemon a data directory, one socket, an orderly end.
//!
//! Order matters: the lock comes first, then the stores, then the socket. Whoever holds the lock may
//! take away what a dead daemon left; a socket that still answers is never taken away.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::Config;

/// Only the daemon's user.
const PRIVATE_DIR: u32 = 0o700;
/// Other users may pass through to the socket; who they are is judged by their peer credentials.
const SHARED_DIR: u32 = 0o711;
const PRIVATE_FILE: u32 = 0o600;
const SHARED_SOCKET: u32 = 0o666;
/// A process id and a line break are far shorter.
const MAX_PID_TEXT: u64 = 32;
/// From connecting to sending a request takes a client microseconds; a busy machine's some thousand times longer.
const LINGER: Duration = Duration::from_millis(300);
/// SIGXFSZ on Linux: a file size limit was hit. Caught, so that a write answers an error instead of
/// ending the process.
const SIGXFSZ: i32 = 25;

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another daemon has the data directory.
    #[error(
        "another walletd{} has the data directory {}; stop it, or give this one its own with --data",
        pid.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default(), directory.display()
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// The process that has it, if it left its number.
        pid: Option<String>,
    },
    /// Another process answers on the socket.
    #[error("something else serves on the socket {}; give this daemon its own with --socket", path.display())]
    SocketInUse {
        /// The socket.
        path: PathBuf,
    },
    /// What is in the socket's place is something else.
    #[error("{} is not a socket; it is left as it is", path.display())]
    NotASocket {
        /// What is there.
        path: PathBuf,
    },
    /// A file or directory cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl StartError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// The data directory, held by this process until dropped; the kernel lets go of it however the process ends.
#[derive(Debug)]
pub struct DataLock {
    directory: PathBuf,
    _file: File,
}

impl DataLock {
    /// Takes the directory, making it (0700) if it is not there.
    pub fn acquire(directory: &Path) -> Result<Self, StartError> {
        make_dir(directory, PRIVATE_DIR)?;
        let path = directory.join("lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(PRIVATE_FILE)
            .open(&path)
            .map_err(StartError::file(&path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                let read = file.take(MAX_PID_TEXT).read_to_string(&mut pid);
                let pid = read.ok().map(|_| pid.trim().to_owned()).filter(|pid| !pid.is_empty());
                return Err(StartError::Locked { directory: directory.to_owned(), pid });
            }
            Err(errno) => return Err(StartError::file(&path)(errno.into())),
        }
        // The number is for people: on a full disk the daemon must still start, so that it can recover.
        let noted =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = noted {
            tracing::warn!(%error, path = %path.display(), "the process id could not be noted in the lock file");
        }
        Ok(Self { directory: directory.to_owned(), _file: file })
    }

    /// Takes the directory of a configuration, if one of its stores lies there.
    pub fn where_used(config: &Config) -> Result<Option<Self>, StartError> {
        config.uses_data_directory().then(|| Self::acquire(&config.data.directory)).transpose()
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

fn make_dir(directory: &Path, mode: u32) -> Result<(), StartError> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(directory).map_err(StartError::file(directory))
}

/// The bound socket; its file goes away with it, unless somebody else has put another in its place.
#[derive(Debug)]
pub struct Socket {
    listener: Option<UnixListener>,
    path: PathBuf,
    inode: (u64, u64),
}

impl Socket {
    /// Binds the socket. `shared`: other users are named in the configuration, so they must be able to
    /// reach it. The caller holds the data directory, so a socket nobody answers on is a dead daemon's.
    pub fn bind(path: &Path, shared: bool) -> Result<Self, StartError> {
        if let Some(parent) = path.parent() {
            make_dir(parent, if shared { SHARED_DIR } else { PRIVATE_DIR })?;
        }
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => StartError::SocketInUse { path: path.to_owned() },
            _ => StartError::file(path)(source),
        })?;
        let mode = if shared { SHARED_SOCKET } else { PRIVATE_FILE };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(StartError::file(path))?;
        listener.set_nonblocking(true).map_err(StartError::file(path))?;
        let meta = fs::symlink_metadata(path).map_err(StartError::file(path))?;
        Ok(Self { listener: Some(listener), path: path.to_owned(), inode: (meta.dev(), meta.ino()) })
    }

    /// The listener, once; the socket's file stays until this is dropped.
    pub fn listener(&mut self) -> io::Result<tokio::net::UnixListener> {
        let listener = self.listener.take().ok_or_else(|| io::Error::other("the listener was taken before"))?;
        tokio::net::UnixListener::from_std(listener)
    }

    /// Takes the socket's file away, so that nobody new connects (a client is told at once that nothing
    /// happened), and gives those who just did the time to be accepted and to send their request.
    /// Stopping at once would cut such a request off unread, and its client could not know that.
    pub async fn retire(self) {
        drop(self);
        tokio::time::sleep(LINGER).await;
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.inode);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the socket could not be removed");
        }
    }
}

/// Takes away a socket nobody answers on.
fn remove_stale(path: &Path) -> Result<(), StartError> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(StartError::file(path)(error)),
    };
    if !meta.file_type().is_socket() {
        return Err(StartError::NotASocket { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(StartError::file(path))
        }
        // A full backlog answers WouldBlock: somebody is there.
        Ok(_) | Err(_) => Err(StartError::SocketInUse { path: path.to_owned() }),
    }
}

/// Lets this process have as many open files as the system grants it: every connection is one, and the
/// usual soft limit is for programs that use `select`. The limit that holds from now on.
pub fn raise_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return limit.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit on open files stays as it is");
            limit.current
        }
    }
}

/// How the daemon is told to stop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Stop accepting, finish what runs, flush.
    pub soft: CancellationToken,
    /// Stop now: the time is up, or a second signal came.
    pub hard: CancellationToken,
}

/// The signals of the daemon, caught from the moment this is made.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    file_size: Signal,
}

impl Signals {
    /// Catches them. Within a runtime only.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            file_size: signal(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    /// Turns signals into the shutdown's steps: the first SIGTERM or SIGINT is soft, the second is
    /// hard, and so is the end of `grace`. Every SIGHUP until then calls `reload`. Runs until hard.
    pub async fn run(mut self, shutdown: Shutdown, grace: Duration, reload: impl Fn() + Send) {
        let name = self.next(&reload).await;
        tracing::info!(signal = name, grace_s = grace.as_secs(), "stopping: finishing what runs");
        shutdown.soft.cancel();
        tokio::select! {
            name = self.next(&|| {}) => tracing::warn!(signal = name, "a second signal: stopping now"),
            () = tokio::time::sleep(grace) => tracing::warn!("the time to finish is up: stopping now"),
        }
        shutdown.hard.cancel();
    }

    /// The next signal that means stop.
    async fn next(&mut self, reload: &(impl Fn() + Send)) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => reload(),
                _ = self.file_size.recv() => tracing::error!("SIGXFSZ: the limit on file sizes was hit"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_on_a_directory_is_refused_and_names_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let lock = DataLock::acquire(&data).unwrap();
        let error = DataLock::acquire(&data).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        DataLock::acquire(&data).unwrap();
        assert_eq!(fs::metadata(&data).unwrap().mode() & 0o777, PRIVATE_DIR);
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/walletd.sock");
        let first = Socket::bind(&path, false).unwrap();
        assert!(matches!(Socket::bind(&path, false), Err(StartError::SocketInUse { .. })));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, PRIVATE_FILE);
        drop(first);
        assert!(!path.exists());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let second = Socket::bind(&path, true).unwrap();
        assert_eq!(fs::metadata(second.path()).unwrap().mode() & 0o777, SHARED_SOCKET);
    }

    #[test]
    fn a_file_in_the_sockets_place_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.txt");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(Socket::bind(&path, false), Err(StartError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
