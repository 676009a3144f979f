//! What is written beside an export, so that anyone can tell later what it is and that it is whole.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wallet_api::types::CutView;

/// The schema of a manifest.
pub const SCHEMA: &str = "walletctl.manifest/1";

/// The forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A header and one row a line
    Csv,
    /// One envelope with schema, data and meta
    Json,
    /// One object a line
    Ndjson,
    /// A journal for hledger and ledger
    Hledger,
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// `balances`, `transactions` or `journal`.
    pub kind: String,
    /// The file's form.
    pub format: Form,
    /// The file's name, without its folder.
    pub file: String,
    /// What was asked for.
    pub query: Value,
    /// The ledger it is from.
    pub ledger_id: String,
    /// The state of the ledger it shows.
    pub cut: CutView,
    /// For a journal: the hash before its first record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// The program that wrote it.
    pub created_by: String,
}

/// Where the manifest of a file is.
pub fn manifest_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".manifest.json");
    name.into()
}

impl Manifest {
    /// Reads the manifest of a file; none if it has none.
    pub fn read(file: &Path) -> io::Result<Option<Self>> {
        let text = match std::fs::read(manifest_path(file)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let manifest: Self = serde_json::from_slice(&text)?;
        if manifest.schema == SCHEMA {
            Ok(Some(manifest))
        } else {
            Err(io::Error::other("not a manifest of walletctl"))
        }
    }
}
