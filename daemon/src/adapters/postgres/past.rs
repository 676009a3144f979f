//! Balances at past moments and lists of entries: per run a look-up or two, however long the history is.
//!
//! In a run time and seq grow together, so what a moment and a cut know of it is where the earlier of two look-ups ends: one
//! by time, one by seq. A run that ends before both needs none, its sum is in the account's row. Many moments of a
//! short history are cheaper by walking it once.
//!
//! Many accounts are answered by the same statements, thousands of look-ups each; what is walked comes as a stream.

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
    codec::{Numeric, integer},
    errors::damaged,
    rows::{self, cell, money},
    session::Parameter,
};

/// Entries that are walked in the time of one look-up.
const WALK_PER_LOOK_UP: u64 = 4;
/// Look-ups of one statement, and entries that one walks through, where there are more accounts: some ten milliseconds.
const LOOK_UPS: usize = 4_000;
const WALKED: u64 = 20_000;

/// Runs' sums at times, of all that the ledger knows.
const BY_TIME: &str = "SELECT p.place, (SELECT e.run_after FROM entries e WHERE e.account = p.account AND e.run = p.run \
        AND e.effective_at <= p.at ORDER BY e.effective_at DESC, e.seq DESC LIMIT 1) \
    FROM unnest($1::int8[], $2::int2[], $3::int8[], $4::int8[]) AS p (account, run, at, place)";

/// Runs' sums at each time, of what a cut knows: where the run ends at the cut, or before that by time. A run's place is
/// that of its first time.
const BY_TIME_AND_CUT: &str = "WITH ends AS MATERIALIZED ( \
        SELECT r.account, r.run, r.place, e.effective_at, e.run_after \
        FROM unnest($1::int8[], $2::int2[], $3::int8[]) AS r (account, run, place) CROSS JOIN LATERAL ( \
            SELECT effective_at, run_after FROM entries WHERE account = r.account AND run = r.run AND seq <= $4::int8 \
            ORDER BY seq DESC LIMIT 1) e) \
    SELECT ends.place + t.nth - 1, CASE WHEN t.at >= ends.effective_at THEN ends.run_after ELSE ( \
        SELECT e.run_after FROM entries e WHERE e.account = ends.account AND e.run = ends.run AND e.effective_at <= t.at \
        ORDER BY e.effective_at DESC, e.seq DESC LIMIT 1) END \
    FROM unnest($5::int8[]) WITH ORDINALITY AS t (at, nth) CROSS JOIN ends";

/// Every entry of the runs of accounts that counts up to a time and is known, account by account.
const WALK: &str = "SELECT w.place, e.run, e.effective_at, e.run_after \
    FROM unnest($1::int8[], $2::int2[], $3::int8[]) AS w (account, runs, place) CROSS JOIN LATERAL ( \
        SELECT run, effective_at, run_after FROM entries WHERE account = w.account AND run < w.runs \
        AND effective_at <= $4::int8 AND seq <= $5::int8 ORDER BY run, effective_at, seq) e";

/// Every entry of the overflow that counts up to a time and is known.
const OVERFLOWN: &str = "SELECT effective_at, amount FROM entries \
    WHERE account = $1 AND run = $2 AND effective_at <= $3 AND seq <= $4";

/// Balances of accounts at ascending times, while they are summed up. The place of a balance is its account's, times the
/// number of times, plus its time's.
struct Sums<'a> {
    accounts: &'a [Account],
    times: &'a [Timestamp],
    balances: Vec<Balance>,
}

impl<'a> Sums<'a> {
    fn new(accounts: &'a [Account], times: &'a [Timestamp]) -> Self {
        let zeros = accounts.iter().flat_map(|account| times.iter().map(|_| Balance::zero(account.scale())));
        Self { accounts, times, balances: zeros.collect() }
    }

    fn add(&mut self, place: usize, more: Balance) -> Result<(), StoreError> {
        let sum = self.balances.get_mut(place).ok_or_else(|| damaged("an answer to no question"))?;
        *sum = sum.plus(more).ok_or_else(|| damaged("a sum of runs leaves the range"))?;
        Ok(())
    }

    /// Adds a run's sum to every time of an account from one on up to another.
    fn add_range(&mut self, account: usize, times: std::ops::Range<usize>, more: Balance) -> Result<(), StoreError> {
        let first = account * self.times.len();
        times.into_iter().try_for_each(|time| self.add(first + time, more))
    }

    /// A row of (place, a run's sum there or none).
    fn add_row(&mut self, row: &Row) -> Result<(), StoreError> {
        let Some(more) = cell::<Option<Numeric>>(row, 1)? else { return Ok(()) };
        let place = usize::try_from(cell::<i64>(row, 0)?).unwrap_or(usize::MAX);
        let scale = self.balances.get(place).map_or(0, |balance| balance.scale());
        self.add(place, more.at(scale)?)
    }

    fn scale(&self, account: usize) -> u32 {
        self.accounts.get(account).map_or(0, Account::scale)
    }

    fn end(&self) -> i64 {
        self.times.last().map_or(i64::MIN, |end| end.as_micros())
    }

    /// A list an account, in their order.
    fn each(self) -> Vec<Vec<Balance>> {
        if self.times.is_empty() {
            return self.accounts.iter().map(|_| Vec::new()).collect();
        }
        self.balances.chunks(self.times.len()).map(<[Balance]>::to_vec).collect()
    }
}

/// Entries of runs while they pass, in the order of accounts, runs and times.
struct Walk<'s, 'a> {
    sums: &'s mut Sums<'a>,
    /// Account, run and time of the last entry; none before the first.
    last: Option<(usize, i16, Timestamp)>,
    /// The run's sum there.
    sum: Balance,
    /// The first time that the run was not added to yet.
    point: usize,
}

impl Walk<'_, '_> {
    fn pass(&mut self, row: &Row) -> Result<(), StoreError> {
        let account = usize::try_from(cell::<i64>(row, 0)?).unwrap_or(usize::MAX);
        let (run, effective_at) = (cell::<i16>(row, 1)?, rows::time(row, 2)?);
        match self.last {
            Some(last) if last > (account, run, effective_at) => {
                return Err(damaged("entries came out of their order"));
            }
            Some((of, in_run, _)) if (of, in_run) == (account, run) => self.add_until(effective_at)?,
            _ => {
                self.end()?;
                self.point = self.sums.times.partition_point(|at| *at < effective_at);
            }
        }
        self.sum = money(row, 3, self.sums.scale(account))?;
        self.last = Some((account, run, effective_at));
        Ok(())
    }

    /// Adds the run's sum to the times before this one.
    fn add_until(&mut self, effective_at: Timestamp) -> Result<(), StoreError> {
        let until = self.point + self.sums.times.iter().skip(self.point).take_while(|at| **at < effective_at).count();
        self.add_upto(until)
    }

    fn add_upto(&mut self, until: usize) -> Result<(), StoreError> {
        let Some((account, ..)) = self.last else { return Ok(()) };
        self.sums.add_range(account, self.point..until, self.sum)?;
        self.point = until;
        Ok(())
    }

    /// Ends a run: its sum counts in all the times that are left.
    fn end(&mut self) -> Result<(), StoreError> {
        self.add_upto(self.sums.times.len())
    }
}

/// Look-ups by time, gathered.
#[derive(Default)]
struct LookUps {
    accounts: Vec<i64>,
    runs: Vec<i16>,
    ats: Vec<i64>,
    places: Vec<i64>,
}

/// Runs of accounts, gathered, for times that are the same for all.
#[derive(Default)]
struct OfAll {
    accounts: Vec<i64>,
    /// A run's number, or how many there are.
    runs: Vec<i16>,
    places: Vec<i64>,
    /// What answering takes, in look-ups or entries.
    cost: u64,
}

impl OfAll {
    fn push(&mut self, account: &Account, run: usize, place: usize, cost: u64) {
        self.accounts.push(integer(account.opened_seq));
        self.runs.push(i16::try_from(run).unwrap_or(i16::MAX));
        self.places.push(signed(place));
        self.cost = self.cost.saturating_add(cost);
    }
}

fn signed(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

impl PostgresLedger {
    pub(super) async fn past_balances(
        &self,
        accounts: &[Account],
        times: &[Timestamp],
        known: u64,
    ) -> Result<Vec<Vec<Balance>>, StoreError> {
        let mut sums = Sums::new(accounts, times);
        let (mut by_time, mut cuts, mut walks) = (LookUps::default(), OfAll::default(), OfAll::default());
        let points = times.len();
        for (place, account) in accounts.iter().enumerate().filter(|_| points > 0) {
            let runs = account.runs.tails.len();
            let look_ups = (points as u64).saturating_mul(runs as u64);
            if points > 1 && account.version < look_ups.saturating_mul(WALK_PER_LOOK_UP) {
                walks.push(account, runs, place, account.version);
            } else if known >= account.seq {
                self.ends(&mut sums, place, &mut by_time).await?;
            } else {
                (0..runs).for_each(|run| cuts.push(account, run, place * points, points as u64));
            }
            if walks.cost >= WALKED {
                self.walk(&mut sums, &mut walks, known).await?;
            }
            if cuts.cost >= LOOK_UPS as u64 {
                self.by_time_and_cut(&mut sums, &mut cuts, known).await?;
            }
            if account.runs.overflow > 0 {
                self.overflown(&mut sums, place, known).await?;
            }
        }
        self.walk(&mut sums, &mut walks, known).await?;
        self.by_time_and_cut(&mut sums, &mut cuts, known).await?;
        self.by_time(&mut sums, &mut by_time).await?;
        Ok(sums.each())
    }

    /// All of an account is known: the ends of its runs are at hand, and what ends later is looked up.
    async fn ends(&self, sums: &mut Sums<'_>, account: usize, later: &mut LookUps) -> Result<(), StoreError> {
        let Some(of) = sums.accounts.get(account) else { return Ok(()) };
        for (at, place) in sums.times.iter().zip(account * sums.times.len()..) {
            for (run, tail) in (0..).zip(&of.runs.tails) {
                if tail.effective_at <= *at {
                    sums.add(place, tail.sum)?;
                } else {
                    later.accounts.push(integer(of.opened_seq));
                    later.runs.push(run);
                    later.ats.push(at.as_micros());
                    later.places.push(signed(place));
                }
            }
            if later.places.len() >= LOOK_UPS {
                self.by_time(sums, later).await?;
            }
        }
        Ok(())
    }

    async fn by_time(&self, sums: &mut Sums<'_>, later: &mut LookUps) -> Result<(), StoreError> {
        let LookUps { accounts, runs, ats, places } = std::mem::take(later);
        if places.is_empty() {
            return Ok(());
        }
        self.ask_each(BY_TIME, &[&accounts, &runs, &ats, &places], |row| sums.add_row(row)).await
    }

    async fn by_time_and_cut(&self, sums: &mut Sums<'_>, cuts: &mut OfAll, known: u64) -> Result<(), StoreError> {
        let OfAll { accounts, runs, places, .. } = std::mem::take(cuts);
        if places.is_empty() {
            return Ok(());
        }
        let micros: Vec<i64> = sums.times.iter().map(|at| at.as_micros()).collect();
        let parameters: [Parameter<'_>; 5] = [&accounts, &runs, &places, &integer(known), &micros];
        self.ask_each(BY_TIME_AND_CUT, &parameters, |row| sums.add_row(row)).await
    }

    /// Every entry once, in every run at the same time as the points.
    async fn walk(&self, sums: &mut Sums<'_>, walks: &mut OfAll, known: u64) -> Result<(), StoreError> {
        let OfAll { accounts, runs, places, .. } = std::mem::take(walks);
        if places.is_empty() {
            return Ok(());
        }
        let (end, known) = (sums.end(), integer(known));
        let mut walk = Walk { sums, last: None, sum: Balance::zero(0), point: 0 };
        self.ask_each(WALK, &[&accounts, &runs, &places, &end, &known], |row| walk.pass(row)).await?;
        walk.end()
    }

    async fn overflown(&self, sums: &mut Sums<'_>, account: usize, known: u64) -> Result<(), StoreError> {
        let Some(of) = sums.accounts.get(account) else { return Ok(()) };
        let (number, run, end) = (integer(of.opened_seq), i16::from(OVERFLOW), sums.end());
        let add = |row: &Row| {
            let (effective_at, amount) = (rows::time(row, 0)?, money(row, 1, of.scale())?);
            let first = sums.times.partition_point(|at| *at < effective_at);
            sums.add_range(account, first..sums.times.len(), amount)
        };
        self.ask_each(OVERFLOWN, &[&number, &run, &end, &integer(known)], add).await
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
