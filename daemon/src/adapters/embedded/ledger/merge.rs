//! Listing a wallet's entries by either time: a merge of its runs.
//!
//! In a run both times grow together, so a page is found by bounding every run on both ends (the
//! same look-ups as a balance) and merging what lies between. Only an overflow is read whole.

use wallet_core::{
    account::{Account, Entry},
    ports::{Axis, StoreError},
    runs::OVERFLOW,
    time::Timestamp,
};

use super::{
    codec::{EntryRow, Place, decode_entry, decode_entry_key, entry_key},
    engine,
    search::{Past, Search},
};

/// Bounds of a listing, all inclusive, already turned into places.
pub(super) struct Bounds {
    pub(super) axis: Axis,
    pub(super) descending: bool,
    /// By `Effective`: times; by `Recorded`: every time.
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Seqs; by `Effective` only the upper one matters (the cut).
    pub(super) from_seq: u64,
    pub(super) to_seq: u64,
    /// Strictly behind this place.
    pub(super) after: Option<(Timestamp, u64)>,
    pub(super) limit: usize,
}

type Found = (Place, u8, EntryRow);
type Entries<'a> = Box<dyn Iterator<Item = Result<Found, StoreError>> + 'a>;
type Stream<'a> = std::iter::Peekable<Entries<'a>>;

pub(super) fn list(search: &Search<'_>, bounds: &Bounds) -> Result<Vec<Entry>, StoreError> {
    let account = search.account;
    let ends = Ends::of(search, bounds)?;
    let mut streams: Vec<Stream<'_>> = Vec::new();
    for (run, _) in (0_u8..).zip(&account.runs.tails) {
        if let Some(stream) = of_run(search, bounds, &ends, run)? {
            streams.push(stream.peekable());
        }
    }
    if account.runs.overflow > 0 {
        streams.push(overflow(search, bounds)?.peekable());
    }
    let mut entries = Vec::new();
    while entries.len() < bounds.limit {
        let Some(found) = next(&mut streams, bounds)? else {
            break;
        };
        entries.push(entry(account, found));
    }
    Ok(entries)
}

/// The bounds of a page, narrowed by where the page before ended.
struct Ends {
    from: Timestamp,
    to: Timestamp,
    /// The runs up to the last seq.
    until: Past,
    /// The runs before the first seq; none if that is the first of all.
    before: Option<Past>,
}

impl Ends {
    fn of(search: &Search<'_>, bounds: &Bounds) -> Result<Self, StoreError> {
        let (mut to, mut to_seq, mut from, mut from_seq) = (bounds.to, bounds.to_seq, bounds.from, bounds.from_seq);
        if let Some((at, seq)) = bounds.after {
            // The cursor narrows one end, by the axis it is on; `within` drops the cursor itself.
            match (bounds.axis, bounds.descending) {
                (Axis::Effective, true) => to = to.min(at),
                (Axis::Effective, false) => from = from.max(at),
                (Axis::Recorded, true) => to_seq = to_seq.min(seq.saturating_sub(1)),
                (Axis::Recorded, false) => from_seq = from_seq.max(seq.saturating_add(1)),
            }
        }
        let before = if from_seq > 1 { Some(search.past(from_seq - 1, Timestamp::MAX)?) } else { None };
        Ok(Self { from, to, until: search.past(to_seq, to)?, before })
    }
}

fn entry(account: &Account, (place, run, row): Found) -> Entry {
    Entry {
        account: account.id.clone(),
        number: account.opened_seq,
        seq: place.seq,
        effective_at: place.effective_at,
        amount: row.amount,
        balance_after: row.balance_after,
        version: row.version,
        run,
        run_after: row.run_after,
    }
}

fn rank(axis: Axis, place: Place) -> (Timestamp, u64) {
    match axis {
        Axis::Effective => (place.effective_at, place.seq),
        Axis::Recorded => (Timestamp::MIN, place.seq),
    }
}

/// The next entry over all streams.
fn next(streams: &mut [Stream<'_>], bounds: &Bounds) -> Result<Option<Found>, StoreError> {
    let mut best: Option<(usize, (Timestamp, u64))> = None;
    for (index, stream) in streams.iter_mut().enumerate() {
        let place = match stream.peek() {
            None => continue,
            Some(Err(_)) => return stream.next().transpose(),
            Some(Ok((place, _, _))) => *place,
        };
        let rank = rank(bounds.axis, place);
        let better = best.is_none_or(|(_, other)| if bounds.descending { rank > other } else { rank < other });
        if better {
            best = Some((index, rank));
        }
    }
    match best.and_then(|(index, _)| streams.get_mut(index)) {
        Some(stream) => stream.next().transpose(),
        None => Ok(None),
    }
}

/// True if a place is within the bounds and behind the page before.
fn within(bounds: &Bounds, place: Place) -> bool {
    let inside = (bounds.from..=bounds.to).contains(&place.effective_at)
        && (bounds.from_seq..=bounds.to_seq).contains(&place.seq);
    let behind = bounds.after.is_none_or(|(at, seq)| {
        let (here, there) = (rank(bounds.axis, place), rank(bounds.axis, Place { effective_at: at, seq }));
        if bounds.descending { here < there } else { here > there }
    });
    inside && behind
}

fn of_run<'a>(
    search: &'a Search<'a>,
    bounds: &'a Bounds,
    ends: &Ends,
    run: u8,
) -> Result<Option<Entries<'a>>, StoreError> {
    let Some((last, _)) = search.last_of_run(run, ends.to, &ends.until)? else {
        return Ok(None);
    };
    let mut first = Place { effective_at: ends.from, seq: 0 };
    if let Some(before) = &ends.before
        && let Some((before, _)) = search.last_of_run(run, Timestamp::MAX, before)?
        && before.effective_at >= first.effective_at
    {
        first = Place { effective_at: before.effective_at, seq: before.seq.saturating_add(1) };
    }
    if (first.effective_at, first.seq) > (last.effective_at, last.seq) {
        return Ok(None);
    }
    let number = search.account.opened_seq;
    let scale = search.account.scale();
    let range =
        entry_key(number, run, first.effective_at, first.seq)..=entry_key(number, run, last.effective_at, last.seq);
    let rows = search.rows(range);
    let rows: Box<dyn Iterator<Item = fjall::Guard>> =
        if bounds.descending { Box::new(rows.rev()) } else { Box::new(rows) };
    let found = rows.map(move |guard| {
        let (key, value) = guard.into_inner().map_err(engine)?;
        Ok((decode_entry_key(&key)?, run, decode_entry(&value, scale)?))
    });
    Ok(Some(Box::new(found.filter(|found: &Result<Found, StoreError>| {
        found.as_ref().map_or(true, |(place, _, _)| within(bounds, *place))
    }))))
}

/// The overflow has no order by seq: it is read whole and sorted.
fn overflow<'a>(search: &Search<'_>, bounds: &Bounds) -> Result<Entries<'a>, StoreError> {
    let number = search.account.opened_seq;
    let range = entry_key(number, OVERFLOW, bounds.from, 0)..=entry_key(number, OVERFLOW, bounds.to, u64::MAX);
    let mut found = Vec::new();
    for guard in search.rows(range) {
        let (key, value) = guard.into_inner().map_err(engine)?;
        let place = decode_entry_key(&key)?;
        if within(bounds, place) {
            found.push((place, OVERFLOW, decode_entry(&value, search.account.scale())?));
        }
    }
    found.sort_by_key(|(place, _, _)| rank(bounds.axis, *place));
    if bounds.descending {
        found.reverse();
    }
    Ok(Box::new(found.into_iter().map(Ok)))
}
