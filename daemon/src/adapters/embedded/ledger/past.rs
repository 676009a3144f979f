//! What past balances are read from: behind every [`MARK_EVERY`]th entry of an account a mark, and the entries since the mark
//! before once more, in short: a stretch of each run that went on.
//!
//! These rows have a keyspace of their own, a quarter as large as the entries', with few tables: a look-up asks each
//! of them, and most of what a look-up needs stays in the block cache. They follow from the entries; nothing else does from them.
//!
//! The entries of an account that are no stretch yet are kept here, for the accounts that were written to last; those of
//! another are read back when its mark is due: at ten million entries of ten thousand accounts that was a quarter of the writer's time
//! while only a thousand were kept. Costs: up to [`OPEN_ACCOUNTS`] times half a kilobyte, and a twentieth of a row and about 12 bytes
//! an entry.

use std::collections::{HashMap, HashSet, hash_map};

use fjall::{Readable as _, Snapshot};
use wallet_core::{
    account::{Account, Entry},
    ids::AccountId,
    ports::StoreError,
    runs::{Dealt, OVERFLOW, Runs},
};

use super::{
    Engine,
    codec::{self, ENTRY_KEY, Place, Step, Stretch, damaged},
    engine,
    search::MARK_EVERY,
};

/// Accounts whose last entries are kept; up to a kilobyte each, half of it on average.
const OPEN_ACCOUNTS: usize = 16_384;

/// A row of the keyspace.
pub(super) type PastRow = ([u8; ENTRY_KEY], Vec<u8>);

/// The entries behind the last marks of accounts, by the accounts' numbers.
pub(super) struct Open(quick_cache::unsync::Cache<u64, Box<Since>>);

impl Default for Open {
    fn default() -> Self {
        Self(quick_cache::unsync::Cache::new(OPEN_ACCOUNTS))
    }
}

/// The entries of an account since its last mark.
#[derive(Default)]
struct Since {
    /// The last one's.
    version: u64,
    stretches: Vec<(u8, Stretch)>,
}

impl Since {
    fn push(&mut self, run: u8, step: Step) {
        match self.stretches.iter_mut().find(|(of, _)| *of == run) {
            Some((_, stretch)) => stretch.push(step),
            None => self.stretches.push((run, Stretch::of(step))),
        }
    }

    fn add(&mut self, entry: &Entry) {
        self.version = entry.version;
        if entry.run != OVERFLOW {
            self.push(entry.run, step(entry));
        }
    }
}

fn step(entry: &Entry) -> Step {
    Step { place: Place { effective_at: entry.effective_at, seq: entry.seq }, run_after: entry.run_after }
}

impl Open {
    /// The rows that are due with entries that are not written yet. The snapshot is of everything before them; `before`
    /// gives an account as it was then.
    pub(super) fn rows(
        &mut self,
        store: &Engine,
        snapshot: &Snapshot,
        entries: &[Entry],
        before: impl Fn(&AccountId) -> Result<Option<Account>, StoreError>,
    ) -> Result<Vec<PastRow>, StoreError> {
        let is_due = |entry: &&Entry| entry.version.is_multiple_of(MARK_EVERY);
        let due: HashSet<u64> = entries.iter().filter(is_due).map(|entry| entry.number).collect();
        let mut followed: HashMap<u64, (Runs, Box<Since>)> = HashMap::with_capacity(due.len());
        let mut rows = Vec::new();
        for entry in entries {
            if !due.contains(&entry.number) {
                self.add(entry);
                continue;
            }
            let (runs, since) = match followed.entry(entry.number) {
                hash_map::Entry::Occupied(account) => account.into_mut(),
                hash_map::Entry::Vacant(place) => {
                    // One that is opened in this very commit has no runs before it.
                    let runs = before(&entry.account)?.map(|account| account.runs).unwrap_or_default();
                    let since = self.take(store, snapshot, entry, &runs)?;
                    place.insert((runs, since))
                }
            };
            since.add(entry);
            runs.follow(entry.effective_at, entry.seq, Dealt { run: entry.run, run_after: entry.run_after });
            if is_due(&entry) {
                rows.push((codec::mark_key(entry.number, entry.seq), codec::encode_mark(entry.version, &runs.tails)));
                rows.extend(since.stretches.drain(..).map(|(run, stretch)| stretch.into_row(entry.number, run)));
            }
        }
        for (number, (_, since)) in followed {
            if !since.version.is_multiple_of(MARK_EVERY) {
                self.0.insert(number, since);
            }
        }
        rows.sort_unstable_by_key(|(key, _)| *key);
        Ok(rows)
    }

    /// Adds an entry to those since its account's last mark, if those before it are known.
    fn add(&mut self, entry: &Entry) {
        if entry.version % MARK_EVERY == 1 {
            let mut since = Box::<Since>::default();
            since.add(entry);
            self.0.insert(entry.number, since);
            return;
        }
        let Some(mut since) = self.0.get_mut(&entry.number) else { return };
        if since.version.checked_add(1) == Some(entry.version) {
            since.add(entry);
            return;
        }
        // What was added last was never written.
        drop(since);
        self.0.remove(&entry.number);
    }

    /// The entries between an account's last mark and this entry.
    fn take(
        &mut self,
        store: &Engine,
        snapshot: &Snapshot,
        entry: &Entry,
        runs: &Runs,
    ) -> Result<Box<Since>, StoreError> {
        let before = entry.version.saturating_sub(1);
        let kept = self.0.remove(&entry.number).map(|(_, since)| since).filter(|since| since.version == before);
        match kept {
            Some(since) => Ok(since),
            None if before.is_multiple_of(MARK_EVERY) => Ok(Box::default()),
            None => read_back(store, snapshot, entry, runs).map(Box::new),
        }
    }
}

/// The entries between an account's last mark and this entry, which is not written yet.
fn read_back(store: &Engine, snapshot: &Snapshot, entry: &Entry, runs: &Runs) -> Result<Since, StoreError> {
    let scale = entry.run_after.scale();
    let marks = codec::mark_key(entry.number, 0)..=codec::mark_key(entry.number, entry.seq);
    let (seq, mark) = match snapshot.range(&store.past, marks).next_back() {
        Some(guard) => {
            let (key, row) = guard.into_inner().map_err(engine)?;
            (codec::decode_mark_key(&key)?, codec::decode_mark(&row, scale)?)
        }
        None => Default::default(),
    };
    let before = entry.version.saturating_sub(1);
    if mark.version != before - before % MARK_EVERY {
        return Err(damaged("an account lacks a mark"));
    }
    let mut since = Since { version: before, ..Since::default() };
    for (run, tail) in (0_u8..).zip(&runs.tails).filter(|(_, tail)| tail.seq > seq) {
        let from = codec::entry_key_behind(entry.number, run, mark.tails.get(usize::from(run)).copied());
        let to = codec::entry_key(entry.number, run, tail.effective_at, tail.seq);
        for guard in snapshot.range(&store.entries, from..=to) {
            let (key, row) = guard.into_inner().map_err(engine)?;
            let (place, run_after) = (codec::decode_entry_key(&key)?, codec::decode_entry(&row, scale)?.run_after);
            since.push(run, Step { place, run_after });
        }
    }
    Ok(since)
}
