//! Restoring: replay a backup, prove it, and count on in a new epoch.
//!
//! The stores are built in a folder of their own inside the data directory and moved up when every
//! hash, every balance and the trailer are proven, so a restore that fails leaves nothing. The
//! projections are not in a backup: the directory has none, so the next start builds them from the journal.
//! A ledger elsewhere is replayed by [`replay`]; its maker drops it if that fails.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead, BufReader, Read as _},
    path::Path,
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use wallet_api::types::JournalLine;
use wallet_core::{
    account::Account,
    cut::{Cut, Hash},
    journal::Stored,
    ledger::Auditor,
    ports::{Clock, LedgerStore, StoreError},
};

use super::{BackupError, FORMAT, Header, PAGE, Summary, Trailer, cut, remote::MAX_LINE, view};

/// The folder in which the stores are built.
const DRAFT: &str = "restoring";
/// What may lie in a data directory that counts as empty: its lock, and what a restore left that was killed.
const ALLOWED: [&str; 2] = ["lock", DRAFT];

/// Restores a backup into a data directory, which the caller holds and which must be empty. `open`
/// makes an empty ledger of a given id in a given directory; dropping the ledger closes it.
pub async fn restore<F>(file: &Path, data: &Path, open: F, clock: &dyn Clock) -> Result<Summary, BackupError>
where
    F: FnOnce(&Path, &str) -> Result<Arc<dyn LedgerStore>, StoreError>,
{
    if !entries(data)?.iter().all(|name| ALLOWED.iter().any(|allowed| name == allowed)) {
        return Err(BackupError::NotEmpty(data.to_owned()));
    }
    let draft = data.join(DRAFT);
    clear(&draft)?;
    fs::create_dir_all(&draft).map_err(BackupError::file(&draft))?;
    let done = replay(file, async |id| open(&draft, id), clock).await;
    let done = done.and_then(|summary| publish(&draft, data).map(|()| summary));
    clear(&draft)?;
    done
}

/// The names in a directory, sorted.
fn entries(directory: &Path) -> Result<Vec<OsString>, BackupError> {
    let read = || -> std::io::Result<Vec<OsString>> {
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    };
    let mut names = read().map_err(BackupError::file(directory))?;
    names.sort();
    Ok(names)
}

/// Moves what was built into its place. The ledger comes first by name; what else there is beside it
/// is made anew where it is missing.
fn publish(draft: &Path, data: &Path) -> Result<(), BackupError> {
    for name in entries(draft)? {
        let place = data.join(&name);
        fs::rename(draft.join(&name), &place).map_err(BackupError::file(&place))?;
    }
    File::open(data).and_then(|directory| directory.sync_all()).map_err(BackupError::file(data))
}

fn clear(draft: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BackupError::file(draft)(error)),
        _ => Ok(()),
    }
}

/// Replays a backup into the empty ledger that `open` makes of an id, and proves it.
pub async fn replay<F>(file: &Path, open: F, clock: &dyn Clock) -> Result<Summary, BackupError>
where
    F: AsyncFnOnce(&str) -> Result<Arc<dyn LedgerStore>, StoreError>,
{
    let mut lines = Lines::open(file)?;
    let header = lines.header()?;
    let promised = cut(&header.cut).map_err(BackupError::damaged)?;
    let ledger = open(&header.ledger_id).await?;
    let mut auditor = Auditor::new(&header.ledger_id);
    let trailer = loop {
        let (page, trailer) = lines.page()?;
        for stored in &page {
            auditor.check(stored).map_err(BackupError::damaged)?;
        }
        if !page.is_empty() {
            ledger.append(&page).await?;
        }
        if let Some(trailer) = trailer {
            break trailer;
        }
    };
    let found = auditor.head();
    if found.seq != trailer.records || (found.seq, found.hash) != (promised.seq, promised.hash) {
        return Err(BackupError::damaged("it does not end at the cut its first line names"));
    }
    let raised = raise(found, &header, clock)?;
    auditor.check(&raised).map_err(BackupError::damaged)?;
    ledger.append(&[Arc::new(raised)]).await?;
    prove(ledger.as_ref(), &auditor).await?;
    let summary = Summary {
        ledger_id: header.ledger_id,
        cut: view(auditor.head()),
        records: trailer.records,
        sha256: trailer.sha256,
    };
    Ok(summary)
}

/// The record that begins the new epoch.
fn raise(head: Cut, header: &Header, clock: &dyn Clock) -> Result<Stored, BackupError> {
    let text = format!("restored from the backup of {} at record {}", header.created_at, head.seq);
    let reason = text.parse().map_err(BackupError::damaged)?;
    let too_far = || BackupError::damaged("its numbers cannot be counted on");
    Stored::raising_epoch(head, clock.now(), reason).ok_or_else(too_far)
}

/// Holds every account of the store against what the records make of it.
async fn prove(ledger: &dyn LedgerStore, auditor: &Auditor) -> Result<(), BackupError> {
    if let Some(asset) = auditor.unbalanced() {
        return Err(BackupError::damaged(format!("the balances of {asset} do not sum to zero")));
    }
    let same = |account: &Account| match auditor.accounts().get(&account.id) {
        Some(made) if (made.balance, made.version) == (account.balance, account.version) => Ok(()),
        _ => Err(BackupError::damaged(format!("{} does not hold what the records say", account.id))),
    };
    let externals = ledger.externals().await?;
    externals.iter().try_for_each(same)?;
    let mut count = externals.len();
    let mut after = None;
    loop {
        let page = ledger.accounts(after.as_ref(), PAGE).await?;
        page.iter().try_for_each(same)?;
        count = count.saturating_add(page.len());
        match page.last().and_then(|account| account.id.wallet()) {
            Some(last) => after = Some(last.clone()),
            None => break,
        }
    }
    if count == auditor.accounts().len() {
        return Ok(());
    }
    Err(BackupError::damaged(format!("the store has {count} accounts, the records make {}", auditor.accounts().len())))
}

/// The lines of a backup, hashed as they pass.
struct Lines {
    path: std::path::PathBuf,
    input: BufReader<zstd::Decoder<'static, BufReader<File>>>,
    sha256: Sha256,
    line: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, BackupError> {
        let open = || zstd::Decoder::new(File::open(path)?);
        let input = BufReader::new(open().map_err(BackupError::file(path))?);
        Ok(Self { path: path.to_owned(), input, sha256: Sha256::new(), line: Vec::new() })
    }

    /// Reads a line into `self.line`, without hashing it yet.
    fn read(&mut self) -> Result<(), BackupError> {
        self.line.clear();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        match self.input.by_ref().take(limit).read_until(b'\n', &mut self.line) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(BackupError::file(&self.path)(error)),
            Err(error) => {
                let path = self.path.display();
                let what = "it was cut off or damaged, or is no backup of walletd";
                Err(BackupError::damaged(format!("{path} cannot be unpacked ({error}): {what}")))
            }
            Ok(_) if self.line.last() == Some(&b'\n') => Ok(()),
            Ok(_) => Err(BackupError::damaged(format!("{} breaks off: it has no last line", self.path.display()))),
        }
    }

    fn header(&mut self) -> Result<Header, BackupError> {
        self.read()?;
        let header: Header = serde_json::from_slice(&self.line)
            .map_err(|_| BackupError::damaged(format!("{} is not a backup of walletd", self.path.display())))?;
        if header.format != FORMAT {
            return Err(BackupError::damaged(format!("the format {} is not {FORMAT}", header.format)));
        }
        self.sha256.update(&self.line);
        Ok(header)
    }

    /// Up to [`PAGE`] records, and the trailer if they are the last.
    fn page(&mut self) -> Result<(Vec<Arc<Stored>>, Option<Trailer>), BackupError> {
        let mut page = Vec::with_capacity(PAGE);
        while page.len() < PAGE {
            self.read()?;
            if let Ok(trailer) = serde_json::from_slice::<Trailer>(&self.line) {
                return self.end(&trailer).map(|()| (page, Some(trailer)));
            }
            self.sha256.update(&self.line);
            let line: JournalLine = serde_json::from_slice(&self.line).map_err(BackupError::damaged)?;
            let hash: Hash = line.hash.parse().map_err(BackupError::damaged)?;
            let stored = Stored::open(line.record.as_bytes(), hash, None);
            page.push(Arc::new(stored.map_err(|error| BackupError::damaged(format!("record {}: {error}", line.seq)))?));
        }
        Ok((page, None))
    }

    /// Nothing may come behind the trailer, and what came before it must have its hash.
    fn end(&mut self, trailer: &Trailer) -> Result<(), BackupError> {
        let hash = Hash(self.sha256.clone().finalize().into()).to_string();
        if hash != trailer.sha256 {
            return Err(BackupError::damaged("its lines are not those it was written with (sha256 differs)"));
        }
        match self.input.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => Err(BackupError::damaged("something comes behind its last line")),
            Err(error) => Err(BackupError::damaged(error)),
        }
    }
}
