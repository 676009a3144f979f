//! Opening a store whose log has a damaged block.
//!
//! fjall refuses a log in which a block's checksum is wrong. The blocks at its end are in the tail
//! file as well, so the log's end is cut off, a little at first, until the store opens; what was cut off comes
//! back from the tail, proven by the hash chain. The log as it was stays beside the store. If the tail does not
//! reach back far enough, opening fails and says so: nothing acknowledged is ever dropped in silence.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom},
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
};

use wallet_core::ports::StoreError;

use super::{Engine, LedgerOptions, STORE, engine, io};

/// How much of the log's end is cut off, one try after the other. Beyond the last the tail cannot reach.
const CUTS: [u64; 5] = [16 << 10, 128 << 10, 1 << 20, 4 << 20, 8 << 20];
/// Damaged logs kept side by side; the operator takes them away.
const MAX_KEPT: u32 = 1_000;
const BLOCK: u64 = 64 << 10;

/// Opens a store; a damaged log is cut back.
pub(super) fn open(options: &LedgerOptions) -> Result<Engine, StoreError> {
    let why = match attempt(options) {
        Attempt::DamagedLog(why) => why,
        Attempt::Other(opened) => return opened.map_err(engine),
    };
    let log = newest_log(&options.dir)?.ok_or_else(|| StoreError::corrupt(STORE, format!("its log: {why}")))?;
    let end = used(&log)?;
    let kept = keep(&log, end)?;
    tracing::error!(log = %log.display(), kept = %kept.display(), why, "the ledger's log is damaged; its end is cut back");
    for cut in CUTS {
        let file = OpenOptions::new().write(true).open(&log).map_err(io)?;
        file.set_len(end.saturating_sub(cut)).and_then(|()| file.sync_all()).map_err(io)?;
        match attempt(options) {
            Attempt::DamagedLog(_) if cut < end => {}
            Attempt::DamagedLog(_) => break,
            Attempt::Other(opened) => return opened.map_err(engine),
        }
    }
    std::fs::copy(&kept, &log).map_err(io)?;
    let what =
        format!("its log {} is damaged further back than can be mended ({why}); restore a backup", log.display());
    Err(StoreError::corrupt(STORE, what))
}

/// Takes the logs out of the system's memory, so that what is read next is what the disk has.
///
/// A sync that failed may leave pages behind that can be read, were never written, and that no later sync writes. An
/// error is of a disk that still cannot be synced: what was written last is then neither there nor not there.
pub(super) fn forget_logs(dir: &Path) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|ending| ending == "jnl") {
            let log = File::open(path).map_err(io)?;
            // Pages that wait to be written cannot be forgotten.
            log.sync_all().map_err(io)?;
            rustix::fs::fadvise(&log, 0, None, rustix::fs::Advice::DontNeed).map_err(|error| io(error.into()))?;
        }
    }
    Ok(())
}

enum Attempt {
    DamagedLog(String),
    Other(Result<Engine, fjall::Error>),
}

/// Opens the store; fjall says that its log is damaged by an error, or by an assertion that fails
/// while it reads the log.
fn attempt(options: &LedgerOptions) -> Attempt {
    match std::panic::catch_unwind(AssertUnwindSafe(|| Engine::open(options))) {
        Ok(Err(fjall::Error::JournalRecovery(why))) => Attempt::DamagedLog(format!("{why:?}")),
        Ok(opened) => Attempt::Other(opened),
        Err(_) => Attempt::DamagedLog("a block cannot be read".to_owned()),
    }
}

/// The log that is written to: the one with the highest number.
fn newest_log(dir: &Path) -> Result<Option<PathBuf>, StoreError> {
    let mut newest = None;
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|ending| ending == "jnl"))
            && newest.as_ref().is_none_or(|(other, _)| number > *other)
        {
            newest = Some((number, path));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

/// Where the log's bytes end: behind lie zeros that were set aside.
fn used(log: &Path) -> Result<u64, StoreError> {
    let mut file = File::open(log).map_err(io)?;
    let mut end = file.metadata().map_err(io)?.len();
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        block.clear();
        file.seek(SeekFrom::Start(start)).map_err(io)?;
        file.by_ref().take(end - start).read_to_end(&mut block).map_err(io)?;
        if let Some(last) = block.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// A copy of the log as it was, beside the store.
fn keep(log: &Path, end: u64) -> Result<PathBuf, StoreError> {
    let name = log.file_name().unwrap_or_default().to_string_lossy();
    let dir = log.parent().and_then(Path::parent).unwrap_or(log);
    let kept = (0..MAX_KEPT)
        .map(|number| dir.join(format!("damaged-{name}.{number}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| dir.join("damaged.jnl"));
    let mut from = File::open(log).map_err(io)?.take(end);
    let mut to = File::create_new(&kept).map_err(io)?;
    std::io::copy(&mut from, &mut to).map_err(io)?;
    to.sync_all().map_err(io)?;
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::io::{IoSliceMut, Write as _};

    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    use super::*;

    /// Whether a file's start is in the system's memory; an error where the file system does not tell.
    fn is_remembered(file: &File) -> Result<bool, Errno> {
        let mut byte = [0; 1];
        match preadv2(file, &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(error) => Err(error),
        }
    }

    #[test]
    fn what_is_read_behind_a_failed_sync_is_what_the_disk_has() {
        // Not in a folder for temporary files, which may be memory itself.
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let write = |name: &str| {
            let mut file =
                OpenOptions::new().create_new(true).read(true).write(true).open(dir.path().join(name)).unwrap();
            file.write_all(&vec![7; 1 << 16]).unwrap();
            file
        };
        let (log, other) = (write("3.jnl"), write("other"));
        match is_remembered(&log) {
            Ok(remembered) => assert!(remembered),
            Err(error) => return eprintln!("skipped: this file system does not tell what is in memory ({error})"),
        }
        forget_logs(dir.path()).unwrap();
        assert_eq!(is_remembered(&log), Ok(false));
        assert_eq!(is_remembered(&other), Ok(true), "only logs are read anew");
    }
}
