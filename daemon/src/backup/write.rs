//! Writing a backup: from a running daemon through its socket, or from a ledger at rest.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use wallet_api::types::JournalLine;
use wallet_core::{
    cut::{Cut, Hash},
    journal::{Stored, chain, genesis},
    ports::{Clock, LedgerStore},
};

use super::{BackupError, FORMAT, Header, PAGE, Summary, Trailer, remote::Remote, view};

/// Level 3 is zstd's default: the journal shrinks to about a tenth, faster than disks write.
const LEVEL: i32 = 3;

/// Where the journal comes from.
pub enum Source {
    /// A running daemon, by its socket; it goes on serving.
    Daemon(PathBuf),
    /// A ledger that this process holds.
    Ledger(Arc<dyn LedgerStore>),
}

/// Writes a backup to `file`, which appears only when it is whole and on disk. One that is there is replaced by
/// `force` alone.
pub async fn backup(file: &Path, force: bool, source: Source, clock: &dyn Clock) -> Result<Summary, BackupError> {
    if !force && fs::symlink_metadata(file).is_ok() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let mut draft = Draft::create(file)?;
    let summary = match source {
        Source::Daemon(socket) => from_daemon(&mut draft, &socket, clock).await?,
        Source::Ledger(ledger) => from_ledger(&mut draft, ledger.as_ref(), clock).await?,
    };
    draft.publish(force)?;
    Ok(summary)
}

async fn from_daemon(draft: &mut Draft, socket: &Path, clock: &dyn Clock) -> Result<Summary, BackupError> {
    let mut remote = Remote::connect(socket).await?;
    let (ledger_id, cut) = remote.head().await?;
    let mut lines = Lines::begin(draft, ledger_id, cut, clock)?;
    let mut journal = remote.journal(cut.seq).await?;
    while let Some(line) = journal.next().await? {
        let record: JournalLine = serde_json::from_slice(&line).map_err(BackupError::damaged)?;
        lines.add(&record)?;
    }
    lines.end()
}

async fn from_ledger(draft: &mut Draft, ledger: &dyn LedgerStore, clock: &dyn Clock) -> Result<Summary, BackupError> {
    let cut = ledger.head().await?;
    let mut lines = Lines::begin(draft, ledger.id().to_owned(), cut, clock)?;
    while lines.seq < cut.seq {
        let left = usize::try_from(cut.seq.saturating_sub(lines.seq)).unwrap_or(PAGE);
        let page = ledger.records(lines.seq, PAGE.min(left)).await?;
        if page.is_empty() {
            return Err(BackupError::damaged(format!("record {} is missing", lines.seq.saturating_add(1))));
        }
        for stored in &page {
            lines.add(&line(stored)?)?;
        }
    }
    lines.end()
}

fn line(stored: &Stored) -> Result<JournalLine, BackupError> {
    let record = std::str::from_utf8(&stored.bytes).map_err(BackupError::damaged)?;
    Ok(JournalLine { seq: stored.record.seq, hash: stored.hash.to_string(), record: record.to_owned() })
}

/// The lines of a backup, with the chain checked as they pass.
struct Lines<'a> {
    draft: &'a mut Draft,
    ledger_id: String,
    cut: Cut,
    seq: u64,
    hash: Hash,
    sha256: Sha256,
}

impl<'a> Lines<'a> {
    fn begin(draft: &'a mut Draft, ledger_id: String, cut: Cut, clock: &dyn Clock) -> Result<Self, BackupError> {
        let hash = genesis(&ledger_id);
        let header = Header {
            format: FORMAT.into(),
            ledger_id: ledger_id.clone(),
            cut: view(cut),
            created_at: clock.now().to_string(),
        };
        let mut lines = Self { draft, ledger_id, cut, seq: 0, hash, sha256: Sha256::new() };
        lines.write(&header)?;
        Ok(lines)
    }

    fn write(&mut self, value: &impl serde::Serialize) -> Result<(), BackupError> {
        let mut bytes = serde_json::to_vec(value).map_err(BackupError::damaged)?;
        bytes.push(b'\n');
        self.sha256.update(&bytes);
        self.draft.write(&bytes)
    }

    fn add(&mut self, line: &JournalLine) -> Result<(), BackupError> {
        let hash = chain(self.hash, line.record.as_bytes());
        if Some(line.seq) != self.seq.checked_add(1) || hash.to_string() != line.hash {
            return Err(BackupError::damaged(format!("record {} does not follow record {}", line.seq, self.seq)));
        }
        self.write(line)?;
        (self.seq, self.hash) = (line.seq, hash);
        Ok(())
    }

    fn end(mut self) -> Result<Summary, BackupError> {
        if (self.seq, self.hash) != (self.cut.seq, self.cut.hash) {
            return Err(BackupError::damaged(format!("the journal ends at record {}, not at its cut", self.seq)));
        }
        let sha256 = Hash(self.sha256.clone().finalize().into()).to_string();
        let trailer = Trailer { records: self.seq, sha256: sha256.clone() };
        self.write(&trailer)?;
        Ok(Summary { ledger_id: self.ledger_id, cut: view(self.cut), records: self.seq, sha256 })
    }
}

/// The file while it is written: under another name, taken away unless it is published.
struct Draft {
    path: PathBuf,
    target: PathBuf,
    out: Option<zstd::Encoder<'static, BufWriter<File>>>,
}

impl Draft {
    fn create(target: &Path) -> Result<Self, BackupError> {
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".partial-{}", std::process::id()));
        let path = PathBuf::from(name);
        let open = || {
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            let mut out = zstd::Encoder::new(BufWriter::new(file), LEVEL)?;
            out.include_checksum(true)?;
            Ok(out)
        };
        let out = open().map_err(BackupError::file(target))?;
        Ok(Self { path, target: target.to_owned(), out: Some(out) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        out.write_all(bytes).map_err(BackupError::file(&self.target))
    }

    /// On disk first, then in its place, then the place itself on disk.
    fn publish(mut self, force: bool) -> Result<(), BackupError> {
        let Some(out) = self.out.take() else {
            return Ok(());
        };
        let publish = || {
            let file = out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            if force { fs::rename(&self.path, &self.target) } else { rename_to_nothing(&self.path, &self.target) }?;
            let directory = self.target.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
        };
        publish().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists if !force => BackupError::Exists(self.target.clone()),
            _ => BackupError::file(&self.target)(error),
        })
    }
}

/// Renames, but onto no file that came while the backup was written.
fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, rustix::fs::RenameFlags::NOREPLACE) {
        // Not every file system can; that the name was free when the backup began has to do there.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => fs::rename(from, to),
        renamed => Ok(renamed?),
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After publishing there is nothing under this name.
        let _ = fs::remove_file(&self.path);
    }
}
