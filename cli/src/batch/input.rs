//! A batch's bytes: a regular file, or a private spool of what cannot be read twice.
//!
//! Reading is by position, so that several readers share one open file, and by line, in a buffer of
//! fixed size: a line that does not fit is skipped and reported, never held.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use wallet_core::cut::Hash;

/// Most bytes of one row. The longest legal row (memo, metadata, ids, all quoted) is under 32 KiB.
pub const MAX_ROW: usize = 1 << 20;
/// Most bytes of one batch: endless standard input must end before the disk does.
pub const MAX_BYTES: u64 = 4 << 30;
/// Most rows of one batch: what the sorted runs on disk are sized for.
pub const MAX_ROWS: u64 = 10_000_000;
/// What is read at once, on top of a row.
const READ: usize = 256 << 10;

/// Why a batch cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file cannot be opened or read.
    #[error("{name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The temporary copy of what cannot be read twice cannot be written.
    #[error("copying {name} to a temporary file: {source}")]
    Copy {
        /// What is copied.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// More bytes than [`Bounds::bytes`].
    #[error("{name} has more than {most} bytes: split the batch")]
    TooLarge {
        /// The file.
        name: String,
        /// How many there may be.
        most: u64,
    },
    /// A stream with more lines than [`Bounds::lines`].
    #[error("{name} has more than {most} lines: split the batch")]
    TooManyLines {
        /// The stream.
        name: String,
        /// How many there may be.
        most: u64,
    },
    /// A stream with a line longer than [`Bounds::line`].
    #[error("{name}:{line}:1: the line is longer than {most} bytes")]
    LongLine {
        /// The stream.
        name: String,
        /// Which line.
        line: u64,
        /// How long one may be.
        most: usize,
    },
}

/// What a stream may have at most: it is refused while it is still copied, since it may never end.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes in all.
    pub bytes: u64,
    /// Lines, empty ones and a header among them.
    pub lines: u64,
    /// Bytes of one line.
    pub line: usize,
}

/// The bounds of every batch. Empty lines and the header are no rows, so there may be a few more lines than rows.
pub const BOUNDS: Bounds = Bounds { bytes: MAX_BYTES, lines: 2 * MAX_ROWS, line: MAX_ROW };

/// How far a stream has come.
#[derive(Debug, Default)]
struct Passed {
    bytes: u64,
    lines: u64,
    /// Bytes of the line that has not ended yet.
    open: usize,
}

impl Passed {
    fn take(&mut self, bytes: &[u8], most: &Bounds, name: &str) -> Result<(), InputError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > most.bytes {
            return Err(InputError::TooLarge { name: name.to_owned(), most: most.bytes });
        }
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            self.bounded(end - from, most, name)?;
            (from, self.open) = (end + 1, 0);
            self.lines += 1;
        }
        let rest = bytes.len() - from;
        self.bounded(rest, most, name)?;
        self.open += rest;
        if self.lines > most.lines {
            return Err(InputError::TooManyLines { name: name.to_owned(), most: most.lines });
        }
        Ok(())
    }

    /// Refuses a line that is too long with so many more bytes; one more is taken, which may be a carriage return.
    fn bounded(&self, more: usize, most: &Bounds, name: &str) -> Result<(), InputError> {
        if self.open + more <= most.line + 1 {
            return Ok(());
        }
        Err(InputError::LongLine { name: name.to_owned(), line: self.lines + 1, most: most.line })
    }
}

/// What tells that a file is still the one that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// A batch that can be read any number of times.
#[derive(Debug)]
pub struct Source {
    file: File,
    name: String,
    stamp: Stamp,
}

impl Source {
    /// Opens a batch file; `-` and anything that is no regular file is spooled.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        let name = path.display().to_string();
        if name == "-" {
            return Self::spool(io::stdin().lock(), "standard input", &BOUNDS);
        }
        let failed = |source| InputError::Io { name: name.clone(), source };
        let file = File::open(path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if meta.is_dir() {
            return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        if !meta.is_file() {
            return Self::spool(file, &name, &BOUNDS);
        }
        if meta.len() > MAX_BYTES {
            return Err(InputError::TooLarge { name, most: MAX_BYTES });
        }
        let stamp = stamp(&file).map_err(failed)?;
        Ok(Self { file, name, stamp })
    }

    /// Copies a stream into a temporary file that has no name, so that nothing is left behind however this ends.
    pub fn spool(mut from: impl Read, name: &str, most: &Bounds) -> Result<Self, InputError> {
        let failed = |source| InputError::Io { name: name.to_owned(), source };
        let uncopied = |source| InputError::Copy { name: name.to_owned(), source };
        let mut file = tempfile::tempfile().map_err(uncopied)?;
        let mut buffer = vec![0; READ];
        let mut passed = Passed::default();
        loop {
            let n = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            let bytes = buffer.get(..n).unwrap_or_default();
            passed.take(bytes, most, name)?;
            file.write_all(bytes).map_err(uncopied)?;
        }
        let stamp = stamp(&file).map_err(uncopied)?;
        Ok(Self { file, name: name.to_owned(), stamp })
    }

    /// The file itself, from its start.
    pub fn into_file(self) -> File {
        self.file
    }

    /// The file's name, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes in all.
    pub fn size(&self) -> u64 {
        self.stamp.size
    }

    /// False if somebody wrote to the file since it was opened.
    pub fn unchanged(&self) -> bool {
        stamp(&self.file).is_ok_and(|now| now == self.stamp)
    }

    /// A reader of its lines, from the start.
    pub fn lines(self: &Arc<Self>) -> Lines {
        self.lines_from(0)
    }

    /// A reader of its lines from this byte on; they are counted from there.
    pub fn lines_from(self: &Arc<Self>, offset: u64) -> Lines {
        Lines {
            source: self.clone(),
            next: offset,
            buffer: vec![0; MAX_ROW + READ],
            start: 0,
            end: 0,
            base: offset,
            number: 0,
            skipping: false,
        }
    }

    /// The SHA-256 of all its bytes.
    pub fn hash(&self) -> io::Result<Hash> {
        let (mut hash, mut buffer, mut at) = (Sha256::new(), vec![0; READ], 0);
        loop {
            let n = self.read(&mut buffer, at)?;
            if n == 0 {
                return Ok(Hash(hash.finalize().into()));
            }
            hash.update(buffer.get(..n).unwrap_or_default());
            at += n as u64;
        }
    }

    /// What is there at this byte; nothing behind the end.
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match self.file.read_at(into, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Reads the bytes of a line that [`Lines`] gave before.
    pub fn line_at(&self, offset: u64, len: usize, into: &mut Vec<u8>) -> io::Result<()> {
        into.resize(len, 0);
        self.file.read_exact_at(into, offset)
    }
}

fn stamp(file: &File) -> io::Result<Stamp> {
    let meta = file.metadata()?;
    Ok(Stamp {
        size: meta.len(),
        modified: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}

/// One line, without its end (LF or CRLF).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// From 1.
    pub number: u64,
    /// Where it starts in the file.
    pub offset: u64,
    /// Its bytes; none if it is longer than [`MAX_ROW`].
    pub bytes: Option<&'a [u8]>,
}

/// Reads lines in a buffer of fixed size.
pub struct Lines {
    source: Arc<Source>,
    /// File position behind the buffer.
    next: u64,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// File position of the buffer's first byte.
    base: u64,
    number: u64,
    skipping: bool,
}

impl Lines {
    /// The next line.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        // Bytes behind `start` that are known to hold no line end.
        let mut looked = 0;
        loop {
            let unseen = self.buffer.get(self.start + looked..self.end).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unseen) {
                let (from, to) = (self.start, self.start + looked + at);
                self.start = to + 1;
                return Ok(Some(self.line(from, to)));
            }
            looked = self.end - self.start;
            // One more than a row: a carriage return may still come off.
            self.skipping |= looked > MAX_ROW + 1;
            if self.skipping {
                self.start = self.end;
                looked = 0;
            }
            if !self.fill()? {
                let (from, to) = (self.start, self.end);
                self.start = self.end;
                return Ok((from < to || self.skipping).then(|| self.line(from, to)));
            }
        }
    }

    /// Reads more behind what is unread; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.base += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let n = self.source.read(room, self.next)?;
        self.next += n as u64;
        self.end += n;
        Ok(n > 0)
    }

    /// Where the next line starts in the file.
    pub fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    fn line(&mut self, from: usize, to: usize) -> Line<'_> {
        let skipped = std::mem::take(&mut self.skipping);
        self.number += 1;
        let bytes = self.buffer.get(from..to).unwrap_or_default();
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let good = !skipped && bytes.len() <= MAX_ROW;
        Line { number: self.number, offset: self.base + from as u64, bytes: good.then_some(bytes) }
    }
}
