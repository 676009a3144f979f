//! The results file: every row's outcome, one JSON line each, in the order rows run.
//!
//! Beside it lies the binding (`FILE.batch.json`): the file's hash, the ledger, and how the batch runs, written first.
//! Outcomes are true of that ledger only, and only until it is restored from a backup (its epoch rises): then every
//! row is asked for again, and what still stands replays. Each chunk's
//! lines are appended and synced together. Final outcomes (ok, replayed, refused, conflict) always form
//! the file's head, because nothing is sent behind a row that is not final: so resuming is cutting off
//! what is not final and going on from there. A crash can leave part of a chunk, or a torn line;
//! then the last chunk is cut off whole and asked for again under the same key.
//!
//! The file is locked while it is used, so that two runs of one batch exclude each other.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use wallet_api::types::{BatchMode, RowOutcome};

use super::{
    chunks::{Chunk, Plan},
    outcomes::{Held, ResultLine, Tally, scan, write},
};

/// What is read of it at once.
const READ: usize = 256 << 10;

/// Why a results file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// It cannot be read or written.
    #[error("results file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another walletctl uses it.
    #[error("another run of this batch is going on (results file {0})")]
    Locked(PathBuf),
    /// It belongs to another batch file.
    #[error("results file {path} belongs to a batch file with SHA-256 {theirs}, not {ours}")]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its batch.
        theirs: String,
        /// The batch given.
        ours: String,
    },
    /// It tells of another ledger.
    #[error("results file {path} belongs to the ledger {theirs}, and this daemon has {ours}")]
    OtherLedger {
        /// The file.
        path: PathBuf,
        /// Its ledger.
        theirs: String,
        /// The daemon's.
        ours: String,
    },
    /// It has no binding, or one that is not understood.
    #[error("{0} is not a results file of a batch")]
    Foreign(PathBuf),
}

/// Which ledger outcomes are true of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Its id.
    #[serde(rename = "ledger_id")]
    pub id: String,
    /// How often it was restored from a backup, and one.
    pub epoch: u64,
}

/// What binds a results file to its batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// `walletctl.batch/2`.
    pub schema: String,
    /// The ledger its rows were sent to.
    #[serde(flatten)]
    pub ledger: Ledger,
    /// The batch file, as it was named.
    pub file: PathBuf,
    /// Its rows.
    pub rows: u64,
    /// How it runs.
    #[serde(flatten)]
    pub plan: Plan,
}

/// The schema of a binding.
pub const SCHEMA: &str = "walletctl.batch/2";

/// A results file, to be read.
#[derive(Clone, Debug)]
pub struct View {
    /// Where it is.
    pub path: PathBuf,
    /// Its binding.
    pub binding: Binding,
}

/// A results file in use.
#[derive(Debug)]
pub struct Results {
    view: View,
    file: File,
    buffer: Vec<u8>,
    /// True if something appended is not known to be on the disk.
    unsynced: bool,
    tally: Tally,
    fresh: bool,
}

/// Where the binding of a results file is.
pub fn binding_path(results: &Path) -> PathBuf {
    let mut name = results.as_os_str().to_owned();
    name.push(".batch.json");
    name.into()
}

/// Reads a binding.
pub fn read_binding(results: &Path) -> Result<Option<Binding>, ResultsError> {
    let path = binding_path(results);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ResultsError::Io { path, source }),
    };
    match serde_json::from_slice::<Binding>(&text) {
        Ok(binding) if binding.schema == SCHEMA => Ok(Some(binding)),
        _ => Err(ResultsError::Foreign(results.to_owned())),
    }
}

impl Results {
    /// Opens the results of a batch, or starts them. An existing file keeps its own plan.
    pub fn open(path: &Path, ours: Binding) -> Result<Self, ResultsError> {
        let failed = |source| ResultsError::Io { path: path.to_owned(), source };
        let bound = read_binding(path)?;
        if bound.is_none() && path.exists() {
            return Err(ResultsError::Foreign(path.to_owned()));
        }
        if let Some(theirs) = &bound
            && theirs.plan.sha256 != ours.plan.sha256
        {
            let (theirs, ours) = (theirs.plan.sha256.to_string(), ours.plan.sha256.to_string());
            return Err(ResultsError::Changed { path: path.to_owned(), theirs, ours });
        }
        if let Some(theirs) = &bound
            && theirs.ledger.id != ours.ledger.id
        {
            let (theirs, ours) = (theirs.ledger.id.clone(), ours.ledger.id);
            return Err(ResultsError::OtherLedger { path: path.to_owned(), theirs, ours });
        }
        if bound.is_none() {
            write_binding(path, &ours).map_err(failed)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(ResultsError::Locked(path.to_owned())),
            Err(error) => return Err(failed(error.into())),
        }
        sync_folder(path).map_err(failed)?;
        // Whoever held the lock before may have begun the binding anew.
        let binding = read_binding(path)?.unwrap_or(ours);
        let view = View { path: path.to_owned(), binding };
        Ok(Self { view, file, buffer: Vec::new(), unsynced: false, tally: Tally::default(), fresh: bound.is_none() })
    }

    /// What can be read of it.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What its lines come to, since [`Results::cut`] said where it goes on.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// True if nothing was ever asked for from here: what the daemon knows already is somebody else's doing.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    fn failed(&self, source: io::Error) -> ResultsError {
        ResultsError::Io { path: self.view.path.clone(), source }
    }

    /// Cuts off what does not stand, so that the batch can go on behind it.
    pub fn cut(&mut self, held: &Held) -> Result<(), ResultsError> {
        let binding = &self.view.binding;
        let cut = |file: &mut File| {
            file.set_len(held.keep)?;
            file.rewind()?;
            let kept = BufReader::with_capacity(READ, &*file).take(held.keep);
            let tally = scan(kept, binding.rows, binding.plan.mode == BatchMode::Atomic)?.tally;
            file.seek(SeekFrom::Start(held.keep))?;
            file.sync_data()?;
            Ok(tally)
        };
        self.tally = cut(&mut self.file).map_err(|error| self.failed(error))?;
        Ok(())
    }

    /// Forgets every outcome, and goes on by this plan, in this epoch of the ledger.
    pub fn begin(&mut self, plan: Plan, epoch: u64) -> Result<(), ResultsError> {
        // Cut first: outcomes of another epoch must never lie beside a binding that calls them true.
        self.cut(&Held::default())?;
        let binding = &mut self.view.binding;
        self.fresh |= binding.ledger.epoch != epoch;
        if binding.plan != plan || binding.ledger.epoch != epoch {
            (binding.plan, binding.ledger.epoch) = (plan, epoch);
            write_binding(&self.view.path, &self.view.binding).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Appends a chunk's outcomes and syncs them.
    pub fn record(&mut self, chunk: &Chunk, outcomes: &[RowOutcome]) -> Result<(), ResultsError> {
        for (row, outcome) in chunk.rows.iter().zip(outcomes) {
            let key = chunk.body.get(row.key.clone()).unwrap_or_default();
            write(&mut self.buffer, &mut self.tally, (row.line, chunk.start), key, outcome);
        }
        self.flush(true)
    }

    /// Appends one same outcome for all rows of a chunk, without syncing (see [`Results::sync`]).
    pub fn record_all(&mut self, chunk: &Chunk, outcome: &'static str) -> Result<(), ResultsError> {
        let outcome = RowOutcome {
            outcome: outcome.into(),
            transaction: None,
            seq: None,
            code: None,
            message: None,
            field: None,
        };
        for row in &chunk.rows {
            let key = chunk.body.get(row.key.clone()).unwrap_or_default();
            write(&mut self.buffer, &mut self.tally, (row.line, chunk.start), key, &outcome);
        }
        self.flush(false)
    }

    /// Makes everything appended durable.
    pub fn sync(&mut self) -> Result<(), ResultsError> {
        self.flush(true)
    }

    fn flush(&mut self, sync: bool) -> Result<(), ResultsError> {
        self.unsynced |= !self.buffer.is_empty();
        let sync = sync && self.unsynced;
        let written =
            self.file.write_all(&self.buffer).and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        self.buffer.clear();
        self.unsynced &= !(sync && written.is_ok());
        written.map_err(|error| self.failed(error))
    }
}

impl View {
    /// The results of a batch, if there are any.
    pub fn find(path: &Path) -> Result<Option<Self>, ResultsError> {
        Ok(read_binding(path)?.map(|binding| Self { path: path.to_owned(), binding }))
    }

    /// True if its outcomes are true of this ledger as it is now.
    pub fn is_of(&self, ledger: &Ledger) -> bool {
        self.binding.ledger == *ledger
    }

    fn failed(&self, source: io::Error) -> ResultsError {
        ResultsError::Io { path: self.path.clone(), source }
    }

    fn reader(&self) -> Result<Box<dyn io::BufRead>, ResultsError> {
        match File::open(&self.path) {
            Ok(file) => Ok(Box::new(BufReader::with_capacity(READ, file))),
            // Bound, but nothing was written yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Box::new(io::empty())),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Reads all of it.
    pub fn held(&self) -> Result<Held, ResultsError> {
        let atomic = self.binding.plan.mode == BatchMode::Atomic;
        scan(self.reader()?, self.binding.rows, atomic).map_err(|error| self.failed(error))
    }

    /// Calls back for every line, in order.
    pub fn each(&self, mut take: impl FnMut(&ResultLine<'_>) -> io::Result<()>) -> Result<(), ResultsError> {
        let mut reader = self.reader()?;
        let mut text = Vec::new();
        while reader.read_until(b'\n', &mut text).map_err(|error| self.failed(error))? > 0 {
            let Ok(line) = serde_json::from_slice::<ResultLine<'_>>(&text) else {
                break;
            };
            take(&line).map_err(|error| self.failed(error))?;
            text.clear();
        }
        Ok(())
    }
}

fn write_binding(results: &Path, binding: &Binding) -> io::Result<()> {
    let path = binding_path(results);
    let folder = folder(results);
    std::fs::create_dir_all(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut temporary, binding)?;
    temporary.write_all(b"\n")?;
    temporary.as_file().sync_all()?;
    temporary.persist(&path)?;
    sync_folder(results)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}
