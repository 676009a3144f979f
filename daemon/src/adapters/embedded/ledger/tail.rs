//! The tail: the last records once more, in two plain files that take turns.
//!
//! Written after every commit without syncing: after a crash of the process the system still has it,
//! and after a power failure fjall's own log, which is synced, has the records. It matters when that log
//! is damaged: fjall then starts from the last block it can read and says nothing. A frame is its
//! length (4 bytes, big-endian) and a journal row; the hash chain proves it.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use fjall::UserValue;
use wallet_core::{cut::Cut, journal::Stored, ports::StoreError};

use super::{STORE, codec, io};

/// Bytes of one file before the other takes over: more than a store's block can hold.
const FILE_BYTES: u64 = 8 << 20;
/// Most bytes of one write: few calls, and little memory beside the rows.
const WRITE_BYTES: usize = 256 << 10;
const NAMES: [&str; 2] = ["a", "b"];

pub(super) struct Tail {
    dir: PathBuf,
    file: Option<File>,
    current: usize,
    written: u64,
}

impl Tail {
    /// Opens the tail of a store whose head is `head`; also gives what it knows behind that head.
    pub(super) fn open(dir: &Path, head: Cut) -> Result<(Self, Vec<Arc<Stored>>), StoreError> {
        std::fs::create_dir_all(dir).map_err(io)?;
        let mut known = Vec::new();
        for name in NAMES {
            known.extend(read(&dir.join(name))?);
        }
        known.sort_by_key(|stored| (stored.record.epoch, stored.record.seq));
        let twin = known.iter().find(|stored| stored.record.seq == head.seq && stored.record.epoch == head.epoch);
        if twin.is_some_and(|stored| stored.hash != head.hash) {
            let what = format!(
                "record {} is another in its tail file: the directory was mixed with another ledger's",
                head.seq
            );
            return Err(StoreError::corrupt(STORE, what));
        }
        let last = known.last().map_or(head.seq, |stored| stored.record.seq);
        let mut missing = Vec::new();
        let mut at = head;
        for stored in known {
            if stored.record.seq == at.seq + 1 && stored.continues(at.hash) {
                at = stored.cut();
                missing.push(stored);
            }
        }
        if at.seq < last {
            let what = format!(
                "its log ends at record {}, but records up to {last} were acknowledged and its tail file does not reach back that far; \
                 restore a backup with `walletd restore`",
                head.seq
            );
            return Err(StoreError::corrupt(STORE, what));
        }
        // Start over in the file that holds the older records, so that the newer ones stay.
        Ok((Self { dir: dir.to_owned(), file: None, current: 0, written: FILE_BYTES }, missing))
    }

    /// Adds journal rows. Failing here loses nothing: the store has them.
    pub(super) fn add(&mut self, rows: &[UserValue]) {
        if let Err(error) = self.write(rows) {
            tracing::warn!(%error, "the ledger's tail file could not be written; the ledger itself is complete");
            self.file = None;
            self.written = FILE_BYTES;
        }
    }

    fn write(&mut self, rows: &[UserValue]) -> std::io::Result<()> {
        if self.written >= FILE_BYTES || self.file.is_none() {
            let next = if self.file.is_some() { 1 - self.current } else { self.older() };
            let path = self.dir.join(NAMES.get(next).copied().unwrap_or_default());
            self.file = Some(OpenOptions::new().create(true).write(true).truncate(true).open(path)?);
            (self.current, self.written) = (next, 0);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let whole: usize = rows.iter().map(|row| row.len() + 4).sum();
        let mut bytes = Vec::with_capacity(whole.min(WRITE_BYTES));
        for row in rows {
            if bytes.len() + row.len() + 4 > WRITE_BYTES {
                file.write_all(&bytes)?;
                bytes.clear();
            }
            bytes.extend_from_slice(&u32::try_from(row.len()).unwrap_or_default().to_be_bytes());
            bytes.extend_from_slice(row);
        }
        file.write_all(&bytes)?;
        self.written += whole as u64;
        Ok(())
    }

    /// Which file was written longer ago.
    fn older(&self) -> usize {
        let time = |name: &str| std::fs::metadata(self.dir.join(name)).and_then(|data| data.modified()).ok();
        usize::from(time("a") > time("b"))
    }
}

/// The good frames from the start of a file.
fn read(path: &Path) -> Result<Vec<Arc<Stored>>, StoreError> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes).map_err(io)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut rest = bytes.as_slice();
    let mut frames = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let Some((row, behind)) = behind.split_at_checked(u32::from_be_bytes(*length) as usize) else {
            break;
        };
        let Ok(stored) = codec::decode_stored(row) else {
            break;
        };
        frames.push(Arc::new(stored));
        rest = behind;
    }
    Ok(frames)
}
