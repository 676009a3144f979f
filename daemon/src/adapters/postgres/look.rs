//! A wallet's balance at a moment, as known at a cut: one statement, and so one round trip and one committed state. Questions
//! that come while others are on their way share one ([`super::gather`]).
//!
//! The statement gives a row a question: the account's row, the clock row, the record that ends the cut, and the sum of what
//! [`super::past`] looks up in each run of the account. How many runs there are stands in the account's row in our own
//! encoding, so the statement looks into as many as fit into a row of that length. What it cannot know beforehand (runs
//! that end before 1979, an overflow, a cut inside a group) is asked step by step.

use std::sync::{Arc, LazyLock};

use tokio_postgres::Row;
use wallet_core::{
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
    gather::{Come, Gather},
    rows::{self, cell},
};

/// Fewest bytes of a run in an account's row, if it ends behind 1979: eight for the time, one each for seq and sum.
const TAIL: usize = 10;

/// Columns behind the account's: the clock row.
const HEAD: usize = 12;
/// Behind the clock's: the question's place, from 1 on.
const PLACE: usize = 16;
/// Behind that: the sum of all runs.
const SUM: usize = 17;
/// Behind that: the seq of the cut, its record without the bytes, and those if it is of a group.
const CUT: usize = 18;

/// One question. Those of a kind are asked together.
pub(super) struct Question {
    wallet: WalletId,
    until: i64,
    /// The cut's seq, or the time it is of.
    known: i64,
}

/// Questions on their way, by kind.
#[derive(Default)]
pub(super) struct Looks {
    now: Arc<Gather<Question, Row>>,
    head: Arc<Gather<Question, Row>>,
    at: Arc<Gather<Question, Row>>,
    by: Arc<Gather<Question, Row>>,
}

/// The statements, one for each kind of question.
struct Texts {
    /// The account and the head.
    now: String,
    /// The account, the head, and the sum at a moment.
    head: String,
    /// The same as known at a seq.
    at: String,
    /// The same as known by a time.
    by: String,
}

static TEXTS: LazyLock<Texts> = LazyLock::new(|| {
    let both = "a.id, a.number, a.owner, a.asset, a.scale, a.status, a.floor, a.balance, a.version, a.opened_at, a.seq, \
                a.runs, c.epoch, c.seq, c.recorded_at, c.hash, q.place";
    let asked = "FROM unnest($1::text[], $2::int8[], $3::int8[]) WITH ORDINALITY AS q (id, until, known, place) \
                 JOIN clock c ON c.one = 1";
    // One of each a question, by a subquery of its own: as a join it might be planned as a scan of what was a small table.
    let account = "LEFT JOIN LATERAL (SELECT * FROM accounts WHERE id = q.id LIMIT 1) a ON true";
    let ended = |cut: &str| format!("LEFT JOIN LATERAL (SELECT * FROM journal WHERE seq = {cut} LIMIT 1) j ON true");
    let runs = format!("generate_series(0, least(64, coalesce(octet_length(a.runs), 0) / {TAIL}) - 1) AS g (run)");
    let entry = "FROM entries e WHERE e.account = a.number AND e.run = g.run::int2";
    let by_time = format!("{entry} AND e.effective_at <= q.until ORDER BY e.effective_at DESC, e.seq DESC LIMIT 1");
    // In a run time and seq grow together: the last entry by time if the cut knows it, or else the cut's last. The first is in
    // an index as a whole, and comes first.
    let known = |cut: &str| {
        format!(
            "(SELECT sum(CASE WHEN last.seq <= {cut} THEN last.run_after \
                ELSE (SELECT e.run_after {entry} AND e.seq <= {cut} ORDER BY e.seq DESC LIMIT 1) END) \
             FROM {runs} CROSS JOIN LATERAL (SELECT e.seq, e.run_after {by_time}) last)"
        )
    };
    // A record of a group has a member of that name in its JSON, where a quote inside of a text is escaped.
    let record =
        "j.epoch, j.recorded_at, j.hash, CASE WHEN position('\"group\":'::bytea IN j.bytes) > 0 THEN j.bytes END";
    Texts {
        now: format!("SELECT {both} {asked} {account}"),
        head: format!("SELECT {both}, (SELECT sum((SELECT e.run_after {by_time})) FROM {runs}) {asked} {account}"),
        at: format!("SELECT {both}, {}, q.known, {record} {asked} {account} {}", known("q.known"), ended("q.known")),
        by: format!(
            "SELECT {both}, {}, cut.seq, {record} {asked} \
             CROSS JOIN LATERAL (WITH RECURSIVE {} SELECT low AS seq FROM search WHERE low >= high) cut \
             {account} {}",
            known("cut.seq"),
            search("q.known"),
            ended("cut.seq")
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
        let (looks, texts) = (&self.looks, &*TEXTS);
        let (gather, text, cut) = match known {
            Known::Head if at.is_none() => (&looks.now, &texts.now, 0),
            Known::Head => (&looks.head, &texts.head, 0),
            Known::At(seq) => (&looks.at, &texts.at, integer(seq)),
            Known::By(time) => (&looks.by, &texts.by, time.as_micros()),
        };
        let until = at.unwrap_or(Timestamp::MAX).as_micros();
        let question = Question { wallet: wallet.clone(), until, known: cut };
        let row = match gather.come(question, self.limit).await? {
            Come::Answer(row) => row,
            Come::Ask(asked) => {
                let rows = self.ask_all(text, asked.questions()).await;
                asked.answered(rows)?
            }
        };
        match self.seen(&row, at, known)? {
            Some(look) => Ok(look),
            None => step_by_step(self, wallet, at, known).await,
        }
    }

    /// A row for each question, in their order.
    async fn ask_all(&self, text: &str, questions: &[Question]) -> Result<Vec<Row>, StoreError> {
        let wallets: Vec<&str> = questions.iter().map(|question| question.wallet.as_str()).collect();
        let untils: Vec<i64> = questions.iter().map(|question| question.until).collect();
        let knowns: Vec<i64> = questions.iter().map(|question| question.known).collect();
        let mut found = self.ask(text, &[&wallets, &untils, &knowns]).await?;
        let places: Result<Vec<i64>, _> = found.iter().map(|row| cell(row, PLACE)).collect();
        if !places?.is_sorted() {
            found.sort_by_cached_key(|row| cell::<i64>(row, PLACE).unwrap_or_default());
        }
        if found.len() != questions.len() {
            return Err(damaged("it has no clock row, or misses a record"));
        }
        Ok(found)
    }

    /// What a row says; none if it does not say all.
    fn seen(&self, row: &Row, at: Option<Timestamp>, known: Known) -> Result<Option<Look>, StoreError> {
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
            let scale = account.scale();
            cell::<Option<Numeric>>(row, SUM)?.map_or(Ok(Balance::zero(scale)), |sum| sum.at(scale))?
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
