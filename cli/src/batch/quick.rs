//! The check of a file that is good, by as many threads as there are processors.
//!
//! It finds that nothing is wrong, or gives up: then [`super::check`] reads the file from its start to its end and says
//! what is wrong, and where. So there is one place that tells faults, and this one only has to be right about
//! files that have none. Whatever stops it here (a fault, a sum that does not fit, no room for
//! temporary files) is met again there.
//!
//! A line is a row, and rows have nothing to do with each other but for their keys: the file is cut into pieces at the ends of lines, and
//! each thread takes the next piece. Keys are compared by 64 bits of a hash that is another one each time; two
//! that share them by chance (once in half a million files of ten million rows) cost the other reading, nothing else.
//!
//! Memory is constant: for each thread a buffer of lines and the hashes of one piece, and one sorter.

use std::{
    collections::{BTreeMap, hash_map::RandomState},
    hash::BuildHasher as _,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use rust_decimal::Decimal;
use wallet_api::types::Op;
use wallet_core::{asset::AssetCode, cut::Hash};

use super::{
    check::{Checked, Format, Parser, Total, text},
    faults::Faults,
    input::{MAX_ROWS, Source},
    row::{Facts, Known},
    sort::Sorter,
};

/// Most threads. More would only wait for memory, and each has its buffers.
const THREADS: usize = 4;
/// Most bytes of a piece. Much more than a reader's buffer, which is filled beyond the piece's end.
const PIECE: u64 = 4 << 20;
/// Fewest bytes of a piece: less is not worth a thread.
const LEAST: u64 = 128 << 10;

/// What the file holds, if nothing is wrong with it.
pub(super) fn quick(source: &Arc<Source>, format: Format, known: &Known) -> Option<Checked> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    // A few pieces each, so that a thread that is held up leaves its share to the others.
    let piece = (source.size() / (threads as u64 * 4)).clamp(LEAST, PIECE);
    pieces(source, format, known, threads, piece)
}

/// The same by so many threads at most, in pieces of so many bytes.
pub(super) fn pieces(
    source: &Arc<Source>,
    format: Format,
    known: &Known,
    threads: usize,
    piece: u64,
) -> Option<Checked> {
    let mut lines = source.lines();
    let parser = Parser::start(format, &mut lines, &mut Faults::default()).ok()??;
    let (from, size) = (lines.offset(), source.size());
    if size == 0 {
        return None;
    }
    drop(lines);
    let work = Work {
        source,
        parser,
        known,
        piece,
        from,
        next: AtomicU64::new(from),
        hasher: RandomState::new(),
        keys: Mutex::default(),
        gone: AtomicBool::new(false),
    };
    let most = size.saturating_sub(from).div_ceil(piece);
    let threads = threads.min(usize::try_from(most).unwrap_or(threads));
    let (sha256, found) = work.all(threads)?;
    if !distinct(work.keys.into_inner().unwrap_or_else(PoisonError::into_inner)).ok()? || !source.unchanged() {
        return None;
    }
    let totals = found.sums.iter().map(|(asset, sum)| Some((*asset, sum.total()?))).collect::<Option<_>>()?;
    let unknown_assets = found.sums.keys().any(|asset| known.get(*asset).is_none());
    Some(Checked { sha256, rows: found.rows, totals, faults: Faults::default(), unknown_assets })
}

/// What the threads share.
struct Work<'a> {
    source: &'a Arc<Source>,
    parser: Parser,
    known: &'a Known,
    /// Bytes of a piece.
    piece: u64,
    /// Where the first row starts.
    from: u64,
    /// Where the next piece starts.
    next: AtomicU64,
    hasher: RandomState,
    keys: Mutex<Sorter<8>>,
    /// True once somebody gave up.
    gone: AtomicBool,
}

impl Work<'_> {
    /// The file's hash and all of its rows.
    fn all(&self, threads: usize) -> Option<(Hash, Found)> {
        thread::scope(|scope| {
            // With fewer threads than wanted it takes longer, that is all.
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, || self.pieces()).ok();
            let others: Vec<_> = (1..threads).map_while(spawn).collect();
            let hash = self.source.hash().ok();
            let mut found = self.pieces();
            for other in others {
                // One that broke off has found nothing out.
                found = found.zip(other.join().ok().flatten()).and_then(|(one, other)| one.and(other));
            }
            hash.zip(found)
        })
    }

    /// Pieces until there is none left; nothing if something is wrong with one.
    fn pieces(&self) -> Option<Found> {
        let (mut known, mut found, mut hashes) = (self.known.clone(), Found::default(), Vec::new());
        while !self.gone.load(Ordering::Relaxed) {
            let start = self.next.fetch_add(self.piece, Ordering::Relaxed);
            if start >= self.source.size() {
                return Some(found);
            }
            if !self.piece(start, &mut known, &mut found, &mut hashes).is_ok_and(|good| good) {
                self.gone.store(true, Ordering::Relaxed);
            }
        }
        None
    }

    /// The rows that start in a piece; false if something is wrong with one.
    fn piece(&self, start: u64, known: &mut Known, found: &mut Found, hashes: &mut Vec<u64>) -> io::Result<bool> {
        let end = start + self.piece;
        let mut lines = if start == self.from {
            self.source.lines_from(start)
        } else {
            // A row that starts in the piece stands behind a line's end: the one that ends there is somebody else's.
            let mut lines = self.source.lines_from(start - 1);
            lines.next_line()?;
            lines
        };
        let (mut faults, mut fields) = (Faults::default(), Vec::new());
        while lines.offset() < end {
            let Some(line) = lines.next_line()? else {
                break;
            };
            if line.bytes.is_some_and(<[u8]>::is_empty) {
                continue;
            }
            let Some(text) = text(&line, &mut faults) else {
                return Ok(false);
            };
            let Ok(row) = self.parser.row(text, &mut fields) else {
                return Ok(false);
            };
            let Ok(facts) = row.check(text, known) else {
                return Ok(false);
            };
            found.rows += 1;
            if found.rows > MAX_ROWS || !found.add(&facts) {
                return Ok(false);
            }
            hashes.push(self.hasher.hash_one(&*row.key));
        }
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        for hash in hashes.drain(..) {
            keys.push(hash.to_be_bytes())?;
        }
        Ok(true)
    }
}

/// Rows so far.
#[derive(Default)]
struct Found {
    rows: u64,
    sums: BTreeMap<AssetCode, Sum>,
}

/// What the rows of one asset move, counted in its smallest unit: ten million amounts of 27 digits fit.
struct Sum {
    scale: u32,
    rows: u64,
    deposits: i128,
    withdrawals: i128,
    transfers: i128,
}

impl Found {
    /// Takes a row; false if its asset has two scales.
    fn add(&mut self, facts: &Facts) -> bool {
        let (units, scale) = (facts.amount.mantissa(), facts.amount.scale());
        let sum = self.sum(facts.asset, scale);
        sum.rows += 1;
        *match facts.op {
            Op::Deposit => &mut sum.deposits,
            Op::Withdraw => &mut sum.withdrawals,
            Op::Transfer => &mut sum.transfers,
        } += units;
        sum.scale == scale
    }

    /// Both together.
    fn and(mut self, other: Self) -> Option<Self> {
        self.rows += other.rows;
        for (asset, theirs) in other.sums {
            let sum = self.sum(asset, theirs.scale);
            sum.rows += theirs.rows;
            sum.deposits += theirs.deposits;
            sum.withdrawals += theirs.withdrawals;
            sum.transfers += theirs.transfers;
            if sum.scale != theirs.scale {
                return None;
            }
        }
        (self.rows <= MAX_ROWS).then_some(self)
    }

    fn sum(&mut self, asset: AssetCode, scale: u32) -> &mut Sum {
        let none = || Sum { scale, rows: 0, deposits: 0, withdrawals: 0, transfers: 0 };
        self.sums.entry(asset).or_insert_with(none)
    }
}

impl Sum {
    /// The same as decimals, if they hold it.
    fn total(&self) -> Option<Total> {
        let decimal = |units: i128| Decimal::try_from_i128_with_scale(units, self.scale).ok();
        Some(Total {
            rows: self.rows,
            amount: decimal(self.deposits + self.withdrawals + self.transfers)?,
            deposits: decimal(self.deposits)?,
            withdrawals: decimal(self.withdrawals)?,
            transfers: decimal(self.transfers)?,
        })
    }
}

/// True if no two are equal.
fn distinct(keys: Sorter<8>) -> io::Result<bool> {
    let mut sorted = keys.finish()?;
    let mut last = None;
    while let Some(item) = sorted.next_item()? {
        if last.replace(item) == Some(item) {
            return Ok(false);
        }
    }
    Ok(true)
}
