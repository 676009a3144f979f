//! Committing in one round trip, where the two of [`super::commit`] would find what is known already.
//!
//! A daemon that committed last, and nobody since, knows the head and the accounts; that the keys are new is a good guess.
//! So plain movements are decided without asking, and one statement takes the clock row, writes everything and commits,
//! provided that the row is where it was decided on. The row is taken first and all else hangs on it, so the order of
//! daemons and the rule that whoever has the row is the only writer stay. Whatever was guessed wrong leaves nothing
//! behind, and the same requests go the long way: another daemon wrote (the row is elsewhere), a key is known (its index
//! is unique), an account was changed by hand. What is refused goes the long way too: nothing of it is written, so that
//! nothing would prove its key new, and a repeat of what happened must not be told that it is refused ([`unproven`]).
//!
//! The time is the server's, from what its last answers said ([`ServerTime`]), never ahead of it, and the statement
//! sees to it, behind the lock, that it is at most [`FRESH`] old. A statement whose answer is lost can therefore do nothing
//! any more once the server's clock is that far on: only then is it said that it did not happen.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use wallet_core::{
    command::{Action, Mode, Request},
    ledger::{Decision, MAX_SKEW, State},
    outcome::{Answer, Outcome},
    time::Timestamp,
};

use super::{
    PostgresLedger,
    codec::Digest,
    commit::{Failed, Reads, Writer},
    decision, errors, rows,
    session::{Broken, Session},
    write::Rows,
};

/// Most commands: more are decided in parts, while the first are written.
const MOST: usize = 2 * decision::PART;
/// How old a guessed time may be when the clock row is taken, in microseconds.
pub(super) const FRESH: i64 = 250_000;
/// What the server's clock said longer ago is not counted on from: clocks drift.
const LAST_TOLD: Duration = Duration::from_secs(2);
/// Commits that go the long way after a wrong guess: keys that are known, or another daemon's writes, come in numbers.
pub(super) const CAUTION: u32 = 16;

/// Takes the clock row: no row, and so nothing done by what hangs on it, if the clock is elsewhere.
const HELD: &str = "WITH held AS MATERIALIZED ( \
        UPDATE clock SET epoch = $1::int8, seq = $2::int8, recorded_at = $3::int8, hash = $4::bytea \
        WHERE one = 1 AND seq = $5::int8 AND hash = $6::bytea \
        RETURNING (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now)";
const RECORDS: &str = "records AS (INSERT INTO journal (seq, epoch, recorded_at, key, hash, bytes, trace)";
const LEGS: &str =
    "legs AS (INSERT INTO entries (account, run, effective_at, seq, version, amount, balance_after, run_after)";

/// Changes the accounts `u`, and says the server's time. Fails (by a division by zero) if the guessed time, `$7`, is not of
/// now, or an account is not as it was decided on.
fn end(accounts: &str, count: &str) -> String {
    format!(
        "done AS (UPDATE accounts a SET balance = u.balance, version = u.version, seq = u.seq, runs = u.runs \
            FROM held CROSS JOIN {accounts} AS u (id, before, balance, version, seq, runs) \
            WHERE a.id = u.id AND a.version = u.before RETURNING 1) \
         SELECT now, 1 / (now BETWEEN $7::int8 AND $7::int8 + {FRESH} AND (SELECT count(*) FROM done) = {count})::int4 \
         FROM held"
    )
}

/// The statement for any number of rows: columns are arrays.
pub(super) fn at_once() -> String {
    let accounts = "unnest($23::text[], $24::int8[], $25::numeric[], $26::int8[], $27::int8[], $28::bytea[])";
    let end = end(accounts, "$29::int8");
    format!(
        "{HELD}, {RECORDS} SELECT u.* FROM held CROSS JOIN \
            unnest($8::int8[], $9::int8[], $10::int8[], $11::uuid[], $12::bytea[], $13::bytea[], $14::text[]) u), \
         {LEGS} SELECT u.* FROM held CROSS JOIN unnest($15::int8[], $16::int2[], $17::int8[], $18::int8[], $19::int8[], \
            $20::numeric[], $21::numeric[], $22::numeric[]) u), {end}"
    )
}

/// The statement for one record with so many entries of wallets, and two accounts: nothing to be unpacked.
pub(super) fn single(legs: usize) -> String {
    let leg = |first: usize| {
        let [account, run, version, amount, balance, run_after] = [0, 1, 2, 3, 4, 5].map(|n| first + n);
        format!(
            "(${account}::int8, ${run}::int2, $11::int8, $2::int8, ${version}::int8, ${amount}::numeric, \
              ${balance}::numeric, ${run_after}::numeric)"
        )
    };
    let account = |first: usize| {
        let [id, before, balance, version, runs] = [0, 1, 2, 3, 4].map(|n| first + n);
        format!("(${id}::text, ${before}::int8, ${balance}::numeric, ${version}::int8, $2::int8, ${runs}::bytea)")
    };
    let values: Vec<_> = (0..legs).map(|n| leg(12 + 6 * n)).collect();
    let behind = 12 + 6 * legs;
    let end = end(&format!("(VALUES {}, {})", account(behind), account(behind + 5)), "2");
    format!(
        "{HELD}, {RECORDS} SELECT $2, $1, $3, $8::uuid, $4, $9::bytea, $10::text FROM held), \
         {LEGS} SELECT v.* FROM held CROSS JOIN (VALUES {}) v), {end}",
        values.join(", ")
    )
}

/// The server's clock by what it said: as late as is certain, since an answer is younger than the time in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServerTime {
    told: Timestamp,
    at: Instant,
}

impl ServerTime {
    /// What it said in an answer that came now, to a question sent then.
    pub(super) fn learn(known: Option<Self>, sent: Instant, told: Timestamp) -> Self {
        let at = Instant::now();
        // Counted on from before it may be later and still certain, unless that was ahead of it.
        let counted = known.filter(|known| known.on(sent) <= told).map_or(told, |known| known.on(at));
        Self { told: told.max(counted), at }
    }

    /// At an instant that is not before the answer.
    fn on(self, at: Instant) -> Timestamp {
        let micros = at.saturating_duration_since(self.at).as_micros();
        self.told.plus_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// What a commit may be guessed on.
struct Ground {
    state: State,
    now: Timestamp,
}

/// The keys that a decision takes for new although nothing will be written under them: of what was refused, and of
/// groups that came to nothing.
pub(super) fn unproven(requests: &[Request], answers: &[Answer]) -> Vec<Digest> {
    let mut keys = Vec::new();
    for (request, answer) in requests.iter().zip(answers) {
        let Answer::Outcomes { outcomes, replayed: false } = answer else { continue };
        let refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused(_));
        let whole = request.mode == Mode::Atomic && outcomes.iter().any(refused);
        let of = request.commands.iter().zip(outcomes).filter(|(_, outcome)| whole || refused(outcome));
        keys.extend(of.map(|(command, _)| Digest(command.key.digest())));
    }
    keys
}

impl PostgresLedger {
    /// Commits in one round trip; none if this is not for one.
    pub(super) async fn guess(
        &self,
        writer: &mut Writer,
        session: &Session,
        requests: &[Request],
        reads: &Reads,
    ) -> Result<Option<Decision>, Failed> {
        let Some(Ground { state, now }) = self.ground(writer, requests, reads) else { return Ok(None) };
        let before: HashMap<_, _> = state.accounts.iter().map(|(id, account)| (id.clone(), account.version)).collect();
        let head = state.head;
        // What is wrong with it, the long way will say.
        let Ok((decision, early)) = decision::at_once(state, requests, now) else { return Ok(None) };
        if decision.records.is_empty() || !unproven(requests, &decision.answers).is_empty() {
            return Err(Failed::Guessed(1));
        }
        let rows = Rows::of(&decision, early, &before, &head);
        let sent = Instant::now();
        let done = session.once(&rows.at_once(&now.as_micros())).await;
        drop(rows);
        let told = match done {
            Ok(found) => found.first().map(|row| rows::time(row, 0)).transpose()?,
            Err(Broken::Refused(error)) if errors::contradicts(&error) => None,
            Err(Broken::Unknown(error)) => {
                return Err(Failed::Unknown(Box::new(decision), Some(now.plus_micros(FRESH)), error));
            }
            Err(other) => return Err(other.into()),
        };
        let Some(told) = told else { return Err(Failed::Guessed(CAUTION)) };
        writer.time = Some(ServerTime::learn(writer.time, sent, told));
        self.clock.accept();
        writer.keep(&decision);
        self.recent.push(&decision.records);
        Ok(Some(decision))
    }

    /// The state and the time to decide on, if there is nothing to be asked for.
    fn ground(&self, writer: &mut Writer, requests: &[Request], reads: &Reads) -> Option<Ground> {
        let head = writer.seen.filter(|_| writer.alone)?;
        let commands: usize = requests.iter().map(|request| request.commands.len()).sum();
        let plain = |request: &Request| {
            let mut actions = request.commands.iter().map(|command| &command.action);
            request.own_key.is_none() && actions.all(|action| matches!(action, Action::Move(_) | Action::NoteAccess(_)))
        };
        if commands > MOST || !requests.iter().all(plain) {
            return None;
        }
        let time = writer.time.filter(|time| time.at.elapsed() < LAST_TOLD)?;
        let now = time.on(Instant::now());
        if now.micros_since(self.clock.now()).abs() > MAX_SKEW {
            return None;
        }
        let mut state = State::at(head, writer.assets.clone());
        for id in &reads.needs.accounts {
            state.accounts.insert(id.clone(), writer.accounts.get(id)?.as_ref().clone());
        }
        Some(Ground { state, now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_servers_time_is_never_counted_ahead_of_what_it_says() {
        let told = |micros| Timestamp::from_micros(micros);
        let sent = Instant::now();
        let first = ServerTime::learn(None, sent, told(5_000_000));
        assert_eq!(first.told, told(5_000_000));
        assert_eq!(first.on(first.at + SECOND), told(6_000_000));
        // An answer that took long says less than what can be counted on from one that was quick.
        let slow = ServerTime::learn(Some(first), first.at, told(5_000_000));
        assert!(slow.told >= first.on(slow.at) && slow.told < told(6_000_000), "{slow:?}");
        // Its clock was set back, or ours runs fast: what was counted was ahead of it.
        let back = ServerTime::learn(Some(slow), slow.at + SECOND, told(5_500_000));
        assert_eq!(back.told, told(5_500_000));
        let forward = ServerTime::learn(Some(back), back.at, told(9_000_000));
        assert_eq!(forward.told, told(9_000_000));
    }
}
