//! A wallet's balance at a moment, as known at a cut: one statement, and so one round trip and one committed state.
//!
//! The statement reads the account's row, the clock row, the record that ends the cut, and in every run of the account what
//! [`super::past`] looks up there. How many runs there are stands in the account's row in our own encoding, so the
//! statement looks into as many as fit into a row of that length. What it cannot know beforehand (runs that end before
//! 1979, an overflow, a cut inside a group) is asked step by step.

use std::sync::LazyLock;

use tokio_postgres::Row;
use wallet_core::{
    account::Account,
    cut::Cut,
    ids::WalletId,
    journal::Record,
    money::Balance,
    ports::{Known, Look, StoreError, step_by_step},
    time::Timestamp,
};

use super::{
    PostgresLedger,
    codec::{Numeric, integer, number},
    errors::damaged,
    rows::{self, cell},
};

/// Fewest bytes of a run in an account's row, if it ends behind 1979: eight for the time, one each for seq and sum.
const TAIL: usize = 10;

/// Columns behind the account's: the clock row.
const HEAD: usize = 12;
/// Behind the clock's: a run's sum.
const SUM: usize = 16;
/// Behind that: the seq of the cut, its record without the bytes, and those if it is of a group.
const CUT: usize = 17;

/// The statements, one for each kind of question.
struct Texts {
    /// The account and the head.
    now: String,
    /// The account, the head, and the sums at a moment.
    head: String,
    /// The same as known at a seq.
    at: String,
    /// The same as known by a time.
    by: String,
}

static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    let both = "a.id, a.number, a.owner, a.asset, a.scale, a.status, a.floor, a.balance, a.version, a.opened_at, a.seq, \
                a.runs, c.epoch, c.seq, c.recorded_at, c.hash";
    let account = "LEFT JOIN accounts a ON a.id = $1";
    let runs = format!("generate_series(0, least(64, coalesce(octet_length(a.runs), 0) / {TAIL}) - 1) AS g (run)");
    let by_time = "(SELECT e.run_after FROM entries e WHERE e.account = a.number AND e.run = g.run::int2 \
                    AND e.effective_at <= $2::int8 ORDER BY e.effective_at DESC, e.seq DESC LIMIT 1)";
    // In a run time and seq grow together: the cut's last entry, or one before it by time.
    let known = |cut: &str| {
        format!(
            "SELECT CASE WHEN last.effective_at <= $2::int8 THEN last.run_after ELSE {by_time} END AS sum \
             FROM {runs} CROSS JOIN LATERAL (SELECT e.effective_at, e.run_after FROM entries e \
                WHERE e.account = a.number AND e.run = g.run::int2 AND e.seq <= {cut} ORDER BY e.seq DESC LIMIT 1) last"
        )
    };
    // A record of a group has a member of that name in its JSON, where a quote inside of a text is escaped.
    let record =
        "j.epoch, j.recorded_at, j.hash, CASE WHEN position('\"group\":'::bytea IN j.bytes) > 0 THEN j.bytes END";
    Texts {
        now: format!("SELECT {both} FROM clock c {account} WHERE c.one = 1"),
        head: format!(
            "SELECT {both}, s.sum FROM clock c {account} \
             LEFT JOIN LATERAL (SELECT {by_time} AS sum FROM {runs}) s ON true WHERE c.one = 1"
        ),
        at: format!(
            "SELECT {both}, s.sum, $3::int8, {record} FROM clock c {account} LEFT JOIN journal j ON j.seq = $3::int8 \
             LEFT JOIN LATERAL ({}) s ON true WHERE c.one = 1",
            known("$3::int8")
        ),
        by: format!(
            "WITH RECURSIVE {}, cut (seq) AS MATERIALIZED (SELECT low FROM search WHERE low >= high) \
             SELECT {both}, s.sum, cut.seq, {record} FROM clock c CROSS JOIN cut {account} \
             LEFT JOIN journal j ON j.seq = cut.seq LEFT JOIN LATERAL ({}) s ON true WHERE c.one = 1",
            search("$3"),
            known("cut.seq")
        ),
    }
});

/// The last seq recorded at or before a time, 0 for none: a binary search, since time grows with seq.
pub(super) fn search(time: &str) -> String {
    format!(
        "search (low, high) AS ( \
            SELECT 0::int8, seq FROM clock \
            UNION ALL \
            SELECT CASE WHEN j.recorded_at <= {time}::int8 THEN middle ELSE low END, \
                   CASE WHEN j.recorded_at <= {time}::int8 THEN high ELSE middle - 1 END \
            FROM search CROSS JOIN LATERAL (SELECT low + (high - low + 1) / 2) AS m (middle) \
            JOIN journal j ON j.seq = m.middle WHERE low < high)"
    )
}

impl PostgresLedger {
    pub(super) async fn look_once(
        &self,
        wallet: &WalletId,
        at: Option<Timestamp>,
        known: Known,
    ) -> Result<Look, StoreError> {
        let (id, until) = (wallet.as_str(), at.unwrap_or(Timestamp::MAX).as_micros());
        let found = match known {
            Known::Head if at.is_none() => self.ask(&TEXTS.now, &[&id]).await?,
            Known::Head => self.ask(&TEXTS.head, &[&id, &until]).await?,
            Known::At(seq) => self.ask(&TEXTS.at, &[&id, &until, &integer(seq)]).await?,
            Known::By(time) => self.ask(&TEXTS.by, &[&id, &until, &time.as_micros()]).await?,
        };
        match self.seen(&found, at, known)? {
            Some(look) => Ok(look),
            None => step_by_step(self, wallet, at, known).await,
        }
    }

    /// What the rows say; none if they do not say all.
    fn seen(&self, found: &[Row], at: Option<Timestamp>, known: Known) -> Result<Option<Look>, StoreError> {
        let row = found.first().ok_or_else(|| damaged("it has no clock row, or misses a record"))?;
        let head = rows::cut(row, HEAD)?;
        let Some(cut) = (match known {
            Known::Head => Some(head),
            Known::At(_) | Known::By(_) => self.cut_of(row, head)?,
        }) else {
            return Ok(None);
        };
        if cell::<Option<&str>>(row, 0)?.is_none() {
            return Ok(Some(Look { head, cut, account: None, balance: None }));
        }
        let account = rows::account(row)?;
        let balance = if at.is_none() && account.seq <= cut.seq {
            account.balance
        } else {
            let places = cell::<&[u8]>(row, 11)?.len() / TAIL;
            if account.runs.overflow > 0 || account.runs.tails.len() > places {
                return Ok(None);
            }
            sum(found, &account)?
        };
        Ok(Some(Look { head, cut, account: Some(account), balance: Some(balance) }))
    }

    /// The cut a row ends at; none if that is inside a group.
    fn cut_of(&self, row: &Row, head: Cut) -> Result<Option<Cut>, StoreError> {
        let seq = rows::count(row, CUT)?;
        if seq >= head.seq {
            return Ok(Some(head));
        }
        if seq == 0 {
            return Ok(Some(self.start()));
        }
        let missing = || damaged(format_args!("record {seq} is missing from the journal"));
        let epoch: i64 = cell::<Option<i64>>(row, CUT + 1)?.ok_or_else(missing)?;
        if let Some(bytes) = cell::<Option<&[u8]>>(row, CUT + 4)? {
            let record = Record::from_bytes(bytes).map_err(|error| damaged(format_args!("record {seq}: {error}")))?;
            if !record.ends_group() {
                return Ok(None);
            }
        }
        Ok(Some(Cut {
            epoch: number(epoch)?,
            seq,
            recorded_at: rows::time(row, CUT + 2)?,
            hash: rows::hash(row, CUT + 3)?,
        }))
    }
}

/// The sum of an account's runs, a row each.
fn sum(found: &[Row], account: &Account) -> Result<Balance, StoreError> {
    let scale = account.scale();
    found.iter().try_fold(Balance::zero(scale), |sum, row| match cell::<Option<Numeric>>(row, SUM)? {
        Some(more) => sum.plus(more.at(scale)?).ok_or_else(|| damaged("a sum of runs leaves the range")),
        None => Ok(sum),
    })
}
