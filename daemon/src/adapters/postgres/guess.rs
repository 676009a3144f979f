//! Committing in one round trip, where the two of [`super::commit`] would find what is known already.
//!
//! A daemon that committed last, and nobody since, knows the head and the accounts; that the keys are new is a good guess.
//! So plain movements are decided without asking, and one statement takes the clock row, writes everything and commits,
//! provided that the row is where it was decided on. The row is taken first and all else hangs on it, so the order of
//! daemons and the rule that whoever has the row is the only writer stay. Whatever was guessed wrong leaves nothing
//! behind, and the same requests go the long way: another daemon wrote (the row is elsewhere), a key is known (its index
//! is unique), an account was changed by hand. A refusal is only given if it stands beside something that was written, since
//! that proves the state it was judged on.
//!
//! The time is the server's, from what its last answers said ([`ServerTime`]), never ahead of it, and the statement
//! sees to it, behind the lock, that it is at most [`FRESH`] old. A statement whose answer is lost can therefore do nothing
//! any more once the server's clock is that far on: only then is it said that it did not happen.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use wallet_core::{
    command::{Action, Request},
    ledger::{Decision, MAX_SKEW, State},
    time::Timestamp,
};

use super::{
    PostgresLedger,
    commit::{Failed, Reads, Writer},
    decision, errors, rows,
    session::{Ask, Broken, Session},
    write::Rows,
};

/// Most commands: more are decided in parts, while the first are written.
const MOST: usize = 2 * decision::PART;
/// How old a guessed time may be when the clock row is taken, in microseconds.
pub(super) const FRESH: i64 = 250_000;
/// What the server's clock said longer ago is not counted on from: clocks drift.
const LAST_TOLD: Duration = Duration::from_secs(2);
/// Commits that go the long way after a wrong guess: keys that are known, or another daemon's writes, come in numbers.
const CAUTION: u32 = 16;

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

impl PostgresLedger {
    /// Commits in one round trip; none if nothing happened and the long way is to be gone.
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
        if decision.records.is_empty() {
            return Ok(None);
        }
        let rows = Rows::of(&decision, early, &before, &head);
        let sent = Instant::now();
        let done = session.once(Ask::AtOnce, &rows.at_once(&now.as_micros())).await;
        drop(rows);
        let told = match done {
            Ok(found) => found.first().map(|row| rows::time(row, 0)).transpose()?,
            Err(Broken::Refused(error)) if errors::contradicts(&error) => None,
            Err(Broken::Unknown(error)) => {
                return Err(Failed::Unknown(Box::new(decision), Some(now.plus_micros(FRESH)), error));
            }
            Err(other) => return Err(other.into()),
        };
        let Some(told) = told else {
            writer.caution = CAUTION;
            return Ok(None);
        };
        writer.time = Some(ServerTime::learn(writer.time, sent, told));
        self.clock.accept();
        writer.keep(&decision);
        self.recent.push(&decision.records);
        Ok(Some(decision))
    }

    /// The state and the time to decide on, if there is nothing to be asked for.
    fn ground(&self, writer: &mut Writer, requests: &[Request], reads: &Reads) -> Option<Ground> {
        if writer.caution > 0 {
            writer.caution -= 1;
            return None;
        }
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
