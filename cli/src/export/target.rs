//! The file an export goes to: written beside its place, hashed on the way, put there in one step.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use wallet_core::cut::Hash;

use super::manifest::{Manifest, manifest_path};

/// Bytes collected before they are written and hashed.
const BUFFER: usize = 256 << 10;

/// A file that is being written.
pub struct Target {
    path: PathBuf,
    temporary: NamedTempFile,
    buffer: Vec<u8>,
    hash: Sha256,
    bytes: u64,
}

/// How an export ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// The file is there now.
    Written,
    /// The file was there already, byte for byte.
    Identical,
    /// Another file is there, and it may not be replaced.
    Occupied,
}

impl Target {
    /// Starts a file that shall be at this path.
    pub fn create(path: &Path) -> io::Result<Self> {
        let temporary = NamedTempFile::with_prefix_in(".walletctl-export-", folder(path))?;
        Ok(Self { path: path.to_owned(), temporary, buffer: Vec::with_capacity(BUFFER), hash: Sha256::new(), bytes: 0 })
    }

    fn drain(&mut self) -> io::Result<()> {
        self.temporary.write_all(&self.buffer)?;
        self.hash.update(&self.buffer);
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Puts the file in its place, then its manifest; `describe` is given bytes and SHA-256.
    pub fn place(
        mut self,
        force: bool,
        describe: impl FnOnce(u64, String) -> Manifest,
    ) -> io::Result<(Manifest, Placed)> {
        self.drain()?;
        let sha256 = Hash(self.hash.clone().finalize().into()).to_string();
        let manifest = describe(self.bytes, sha256);
        if self.path.exists() && !force {
            let same = same_content(&self.path, &manifest.sha256)?;
            let told = Manifest::read(&self.path).ok().flatten();
            let identical = same && told.is_some_and(|told| told.cut == manifest.cut && told.sha256 == manifest.sha256);
            return Ok((manifest, if identical { Placed::Identical } else { Placed::Occupied }));
        }
        self.temporary.as_file().sync_all()?;
        let mut beside = NamedTempFile::with_prefix_in(".walletctl-manifest-", folder(&self.path))?;
        serde_json::to_writer_pretty(&mut beside, &manifest)?;
        beside.write_all(b"\n")?;
        beside.as_file().sync_all()?;
        // The file first: a manifest never speaks of a file that is not there.
        self.temporary.persist(&self.path)?;
        beside.persist(manifest_path(&self.path))?;
        File::open(folder(&self.path))?.sync_all()?;
        Ok((manifest, Placed::Written))
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.drain()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn same_content(path: &Path, sha256: &str) -> io::Result<bool> {
    Ok(sha256_of(path)?.1 == sha256)
}

/// Bytes and SHA-256 of a file.
pub fn sha256_of(path: &Path) -> io::Result<(u64, String)> {
    let mut hash = Sha256::new();
    let bytes = io::copy(&mut File::open(path)?, &mut HashWriter(&mut hash))?;
    Ok((bytes, Hash(hash.finalize().into()).to_string()))
}

struct HashWriter<'h>(&'h mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
