//! Balances at past moments and lists of entries: per run a look-up or two, however long the history is.
//!
//! In a run time and seq grow together, so what a moment and a cut know of it is where the earlier of two look-ups ends: one
//! by time, one by seq. A run that ends before both needs none, its sum is in the account's row. Many moments of a
//! short history are cheaper by walking it once.

use tokio_postgres::Row;
use wallet_core::{
    account::{Account, Entry},
    ids::AccountId,
    money::Balance,
    ports::{Axis, EntryQuery, LedgerStore as _, Page, Posted, StoreError},
    runs::OVERFLOW,
    time::Timestamp,
};

use super::{
    PostgresLedger,
    codec::integer,
    errors::damaged,
    rows::{self, cell, money},
};

/// Entries that are walked in the time of one look-up.
const WALK_PER_LOOK_UP: u64 = 4;

/// Each run's sum at a time, of all that the ledger knows.
const BY_TIME: &str = "SELECT p.place, (SELECT e.run_after FROM entries e WHERE e.account = $1 AND e.run = p.run \
        AND e.effective_at <= p.at ORDER BY e.effective_at DESC, e.seq DESC LIMIT 1) \
    FROM unnest($2::int2[], $3::int8[], $4::int4[]) AS p (run, at, place)";

/// Each run's sum at each time, of what a cut knows: where the run ends at the cut, or before that by time.
const BY_TIME_AND_CUT: &str = "WITH ends AS MATERIALIZED ( \
        SELECT r.run, e.effective_at, e.run_after FROM unnest($2::int2[]) AS r (run) CROSS JOIN LATERAL ( \
            SELECT effective_at, run_after FROM entries WHERE account = $1 AND run = r.run AND seq <= $3 \
            ORDER BY seq DESC LIMIT 1) e) \
    SELECT t.place::int4, CASE WHEN t.at >= ends.effective_at THEN ends.run_after ELSE ( \
        SELECT e.run_after FROM entries e WHERE e.account = $1 AND e.run = ends.run AND e.effective_at <= t.at \
        ORDER BY e.effective_at DESC, e.seq DESC LIMIT 1) END \
    FROM unnest($4::int8[]) WITH ORDINALITY AS t (at, place) CROSS JOIN ends";

/// Every entry of the runs that counts up to a time and is known.
const WALK: &str = "SELECT run, effective_at, run_after FROM entries \
    WHERE account = $1 AND run < $2 AND effective_at <= $3 AND seq <= $4 ORDER BY run, effective_at, seq";

/// Every entry of the overflow that counts up to a time and is known.
const OVERFLOWN: &str = "SELECT effective_at, amount FROM entries \
    WHERE account = $1 AND run = $2 AND effective_at <= $3 AND seq <= $4";

/// Balances at ascending times, while they are summed up.
struct Sums<'a> {
    account: &'a Account,
    times: &'a [Timestamp],
    balances: Vec<Balance>,
}

impl Sums<'_> {
    fn add(&mut self, place: usize, more: Balance) -> Result<(), StoreError> {
        let sum = self.balances.get_mut(place).ok_or_else(|| damaged("an answer to no question"))?;
        *sum = sum.plus(more).ok_or_else(|| damaged("a sum of runs leaves the range"))?;
        Ok(())
    }

    /// Adds a run's sum to every point from one on up to another.
    fn add_range(&mut self, points: std::ops::Range<usize>, more: Option<Balance>) -> Result<(), StoreError> {
        let Some(more) = more else { return Ok(()) };
        points.into_iter().try_for_each(|place| self.add(place, more))
    }

    /// Rows of (place from `first` on, a run's sum there or none).
    fn add_rows(&mut self, found: &[Row], first: i32) -> Result<(), StoreError> {
        for row in found {
            if cell::<Option<super::codec::Numeric>>(row, 1)?.is_some() {
                let place = usize::try_from(cell::<i32>(row, 0)? - first).unwrap_or(usize::MAX);
                self.add(place, money(row, 1, self.account.scale())?)?;
            }
        }
        Ok(())
    }

    fn end(&self) -> i64 {
        self.times.last().map_or(i64::MIN, |end| end.as_micros())
    }
}

impl PostgresLedger {
    pub(super) async fn past_balances(
        &self,
        account: &Account,
        times: &[Timestamp],
        known: u64,
    ) -> Result<Vec<Balance>, StoreError> {
        let mut sums = Sums { account, times, balances: vec![Balance::zero(account.scale()); times.len()] };
        let runs = account.runs.tails.len() as u64;
        let looked_up = (times.len() as u64).saturating_mul(runs).saturating_mul(WALK_PER_LOOK_UP);
        if times.len() > 1 && account.version < looked_up {
            self.walk(&mut sums, known).await?;
        } else if known >= account.seq {
            self.by_time(&mut sums).await?;
        } else if runs > 0 && !times.is_empty() {
            let runs: Vec<i16> = (0..).take(account.runs.tails.len()).collect();
            let micros: Vec<i64> = times.iter().map(|at| at.as_micros()).collect();
            let number = integer(account.opened_seq);
            let found = self.ask(BY_TIME_AND_CUT, &[&number, &runs, &integer(known), &micros]).await?;
            sums.add_rows(&found, 1)?;
        }
        if account.runs.overflow > 0 {
            self.overflown(&mut sums, known).await?;
        }
        Ok(sums.balances)
    }

    /// All of the account is known: the ends of its runs are at hand.
    async fn by_time(&self, sums: &mut Sums<'_>) -> Result<(), StoreError> {
        let (mut runs, mut ats, mut places): (Vec<i16>, Vec<i64>, Vec<i32>) = Default::default();
        for (place, at) in sums.times.iter().enumerate() {
            for (run, tail) in (0..).zip(&sums.account.runs.tails) {
                if tail.effective_at <= *at {
                    sums.add(place, tail.sum)?;
                } else {
                    runs.push(run);
                    ats.push(at.as_micros());
                    places.push(i32::try_from(place).unwrap_or(i32::MAX));
                }
            }
        }
        if runs.is_empty() {
            return Ok(());
        }
        let found = self.ask(BY_TIME, &[&integer(sums.account.opened_seq), &runs, &ats, &places]).await?;
        sums.add_rows(&found, 0)
    }

    /// Every entry once, in every run at the same time as the points.
    async fn walk(&self, sums: &mut Sums<'_>, known: u64) -> Result<(), StoreError> {
        let account = sums.account;
        let runs = i16::try_from(account.runs.tails.len()).unwrap_or(i16::MAX);
        let number = integer(account.opened_seq);
        let found = self.ask(WALK, &[&number, &runs, &sums.end(), &integer(known)]).await?;
        let (mut run, mut point, mut last) = (0_i16, 0, None);
        for row in &found {
            let of: i16 = cell(row, 0)?;
            if of != run {
                sums.add_range(point..sums.times.len(), last)?;
                (run, point, last) = (of, 0, None);
            }
            let effective_at = rows::time(row, 1)?;
            let next = point + sums.times.iter().skip(point).take_while(|at| **at < effective_at).count();
            sums.add_range(point..next, last)?;
            (point, last) = (next, Some(money(row, 2, account.scale())?));
        }
        sums.add_range(point..sums.times.len(), last)
    }

    async fn overflown(&self, sums: &mut Sums<'_>, known: u64) -> Result<(), StoreError> {
        let (number, run) = (integer(sums.account.opened_seq), i16::from(OVERFLOW));
        for row in &self.ask(OVERFLOWN, &[&number, &run, &sums.end(), &integer(known)]).await? {
            let effective_at = rows::time(row, 0)?;
            let amount = money(row, 1, sums.account.scale())?;
            let first = sums.times.partition_point(|at| *at < effective_at);
            sums.add_range(first..sums.times.len(), Some(amount))?;
        }
        Ok(())
    }

    pub(super) async fn list_entries(&self, query: &EntryQuery) -> Result<Page<Posted>, StoreError> {
        let none = Page { items: Vec::new(), more: false };
        let Some(account) = self.account(&query.wallet).await? else { return Ok(none) };
        let (mut from, mut to) = (query.from.unwrap_or(Timestamp::MIN), query.to.unwrap_or(Timestamp::MAX));
        let (mut from_seq, mut to_seq) = (0, query.known);
        if query.axis == Axis::Recorded {
            if query.from.is_some() {
                from_seq = self.seq_at(from.plus_micros(-1)).await?.saturating_add(1);
            }
            if query.to.is_some() {
                to_seq = to_seq.min(self.seq_at(to).await?);
            }
            (from, to) = (Timestamp::MIN, Timestamp::MAX);
        }
        // Strictly behind the page before, by the axis.
        let start = if query.descending { (Timestamp::MAX, u64::MAX) } else { (Timestamp::MIN, 0) };
        let (after, after_seq) = query.after.unwrap_or(start);
        let mut runs: Vec<i16> = (0..).take(account.runs.tails.len()).collect();
        if account.runs.overflow > 0 {
            runs.push(OVERFLOW.into());
        }
        let limit = i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX);
        let (number, from, to, after) =
            (integer(account.opened_seq), from.as_micros(), to.as_micros(), after.as_micros());
        let (from_seq, to_seq, after_seq) = (integer(from_seq), integer(to_seq), integer(after_seq));
        let sql = listing(query.axis, query.descending);
        let mut found = if query.axis == Axis::Recorded {
            self.ask(&sql, &[&number, &runs, &from_seq, &to_seq, &after_seq, &limit]).await?
        } else {
            self.ask(&sql, &[&number, &runs, &from, &to, &to_seq, &after, &after_seq, &limit]).await?
        };
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let items: Result<_, _> = found.iter().map(|row| posted(&account, row)).collect();
        Ok(Page { items: items?, more })
    }
}

/// One page: the first of every run, the first of those, each with its record.
fn listing(axis: Axis, descending: bool) -> String {
    let (order, behind) = if descending { ("DESC", "<") } else { ("ASC", ">") };
    let (runs, bounds, by) = match axis {
        Axis::Recorded => (
            "SELECT run FROM unnest($2::int2[]) AS r (run)".to_owned(),
            format!("seq BETWEEN $3::int8 AND $4::int8 AND seq {behind} $5::int8"),
            format!("seq {order}"),
        ),
        // What a cut knows of a run ends at one place: the search need not pass what came later.
        Axis::Effective => (
            format!(
                "SELECT run, CASE WHEN run = {OVERFLOW} THEN $4::int8 ELSE least($4::int8, coalesce((SELECT effective_at \
                 FROM entries WHERE account = $1 AND run = r.run AND seq <= $5::int8 ORDER BY seq DESC LIMIT 1), \
                 $3::int8 - 1)) END AS until FROM unnest($2::int2[]) AS r (run)"
            ),
            format!(
                "effective_at BETWEEN $3::int8 AND runs.until AND seq <= $5::int8 \
                 AND (effective_at, seq) {behind} ($6::int8, $7::int8)"
            ),
            format!("effective_at {order}, seq {order}"),
        ),
    };
    let limit = if axis == Axis::Recorded { "$6::int8" } else { "$8::int8" };
    let by_entry = by.replace("effective_at", "e.effective_at").replace("seq", "e.seq");
    format!(
        "WITH runs AS MATERIALIZED ({runs}), page AS MATERIALIZED ( \
            SELECT e.* FROM runs CROSS JOIN LATERAL ( \
                SELECT * FROM entries WHERE account = $1 AND run = runs.run AND {bounds} ORDER BY {by} LIMIT {limit}) e \
            ORDER BY {by_entry} LIMIT {limit}) \
         SELECT j.seq, j.hash, j.bytes, j.trace, e.run, e.effective_at, e.version, e.amount, e.balance_after, e.run_after \
         FROM page e JOIN journal j ON j.seq = e.seq ORDER BY {by_entry}"
    )
}

fn posted(account: &Account, row: &Row) -> Result<Posted, StoreError> {
    let scale = account.scale();
    let record = rows::stored(row, 0)?;
    let entry = Entry {
        account: AccountId::clone(&account.id),
        number: account.opened_seq,
        seq: record.record.seq,
        effective_at: rows::time(row, 5)?,
        amount: money(row, 7, scale)?,
        balance_after: money(row, 8, scale)?,
        version: rows::count(row, 6)?,
        run: u8::try_from(cell::<i16>(row, 4)?).map_err(|_| damaged("an entry has no good run"))?,
        run_after: money(row, 9, scale)?,
    };
    Ok(Posted { entry, record })
}
