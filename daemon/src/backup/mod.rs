//! Backup and restore: the journal itself, written out and replayed.
//!
//! A backup is a zstd stream of lines. The first is the [`Header`]: which ledger, up to which cut.
//! Then one [`wallet_api::types::JournalLine`] a record, in order. The last is the [`Trailer`]: how
//! many records, and SHA-256 of everything before it. A file that was cut short has no trailer and
//! is refused, so half a backup never passes for a whole one. Nothing in it belongs to an engine: it
//! can be restored into any, and read with zstd and a JSON parser.
//!
//! The chain is checked record by record while writing and while reading. Memory is constant when
//! writing; when reading it holds one account row a wallet. What stands beside the journal is not in
//! it: trace context, and the answers kept under batch requests' own keys (a chunk that is sent again after a
//! restore replays its accepted rows; its refused rows are judged anew).

mod read;
pub(crate) mod remote;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use wallet_api::types::CutView;
use wallet_core::{cut::Cut, ports::StoreError, text::TextError};

pub use self::{
    read::{replay, restore},
    write::{Source, backup},
};

/// The format's name; a reader refuses any other.
pub const FORMAT: &str = "walletd.backup/1";
/// Records read or appended at a time: about a megabyte.
const PAGE: usize = 1_000;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// The ledger's id; its hash is the chain's first link.
    pub ledger_id: String,
    /// The state that is in it.
    pub cut: CutView,
    /// When it was made.
    pub created_at: String,
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trailer {
    /// Records in it.
    pub records: u64,
    /// SHA-256 of all lines before this one, line breaks included, hex.
    pub sha256: String,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The ledger's id.
    pub ledger_id: String,
    /// The state that was written out, or the restored ledger's head in its new epoch.
    pub cut: CutView,
    /// Records of the backup.
    pub records: u64,
    /// The trailer's hash.
    pub sha256: String,
}

/// Why a backup or a restore was not done. Nothing is left behind by either.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be written or read.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The daemon's answer cannot be used.
    #[error("the daemon at {}: {what}", socket.display())]
    Daemon {
        /// Its socket.
        socket: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The ledger's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup or the journal is not what it says.
    #[error("{0}")]
    Damaged(String),
    /// There is a file of this name, perhaps the only backup there is.
    #[error("{} is there already; name another file, or add --force to replace it", .0.display())]
    Exists(PathBuf),
    /// There is something where a ledger should be restored.
    #[error("{} is not empty; restore into an empty directory (--data)", .0.display())]
    NotEmpty(PathBuf),
}

impl BackupError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    fn damaged(what: impl std::fmt::Display) -> Self {
        Self::Damaged(what.to_string())
    }

    /// Exit code: damage is a failed verification, a busy store may be tried again, the rest is set up wrong.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Damaged(_) | Self::Store(StoreError::Corrupt { .. }) => wallet_api::problem::exit::VERIFICATION,
            Self::Store(_) | Self::Daemon { .. } => wallet_api::problem::exit::TRY_AGAIN,
            Self::File { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                wallet_api::problem::exit::TRY_AGAIN
            }
            Self::Exists(_) => wallet_api::problem::exit::USAGE,
            Self::File { .. } | Self::NotEmpty(_) => wallet_api::problem::exit::CONFIGURATION,
        }
    }
}

fn view(cut: Cut) -> CutView {
    CutView { epoch: cut.epoch, seq: cut.seq, recorded_at: cut.recorded_at.to_string(), hash: cut.hash.to_string() }
}

fn cut(view: &CutView) -> Result<Cut, TextError> {
    Ok(Cut { epoch: view.epoch, seq: view.seq, recorded_at: view.recorded_at.parse()?, hash: view.hash.parse()? })
}

#[cfg(test)]
mod tests;
