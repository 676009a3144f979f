//! Committing: one transaction in two round trips under the clock row's lock.
//!
//! 1. begin; lock the clock row; then, in statements of their own so that they see what the last holder wrote: the
//!    server's time, the keys, the accounts that are not at hand, and what else the requests need. Originals of reversals never
//!    change, so they are read before.
//! 2. decided in memory ([`decision`]), then all rows by one statement a table, the clock row, commit: sent at once. Of a
//!    large batch the first records are on their way while the rest is decided.
//!
//! Where the first round trip would bring nothing new, there is only one ([`super::guess`]). That keys are new is guessed
//! in both: the journal's index of keys refuses one that is not, and only the keys of what is refused are looked up.
//!
//! What certainly did not happen and may pass (the lock was not had in time, the connection was ended) is tried again a
//! few times; without a connection the answer is `Unavailable` at once. When the answer to a commit is lost, the clock row
//! is taken over a new connection, so the old transaction has ended, and the journal tells whether it happened.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::runtime::{Handle, Id};
use tokio_postgres::Row;
use wallet_core::{
    account::Account,
    asset::Assets,
    command::Request,
    cut::Cut,
    ids::{AccountId, TransactionId},
    journal::Stored,
    ledger::{ClockSkew, Decision, MAX_SKEW, Needs, State},
    outcome::Answer,
    ports::StoreError,
    time::Timestamp,
};

use super::{
    PostgresLedger, STORE,
    codec::{Digest, integer},
    decision,
    errors::{self, damaged},
    guess::{self, ServerTime},
    rows,
    session::{Around, Ask, Broken, Call, Parameter, Sent, Session},
    write::{Journal, Rows, answer_name},
};

/// Accounts the writer keeps; about 400 bytes each.
pub(super) const CACHED_ACCOUNTS: usize = 16_384;
/// How often one commit is tried before its caller is told that the ledger is not available.
const MAX_TRIES: u32 = 4;
/// The first pause after a connection could not be had; it doubles up to [`MAX_PAUSE`]. Who comes within it is refused at once.
const PAUSE: Duration = Duration::from_millis(25);
/// The longest such pause: how late a server that is back may be noticed.
const MAX_PAUSE: Duration = Duration::from_millis(500);

/// What only the one writer uses.
pub(super) struct Writer {
    /// Its connections, each driven by the runtime it was made in: the writer's thread has one of its own. Only one has a
    /// transaction at a time.
    sessions: Vec<(Id, Session)>,
    /// The head behind this daemon's last commit, which what is kept here belongs to.
    pub(super) seen: Option<Cut>,
    pub(super) accounts: quick_cache::unsync::Cache<AccountId, Box<Account>>,
    pub(super) assets: Assets,
    /// Nobody else had written when this daemon committed last: what is kept need not be asked for again.
    pub(super) alone: bool,
    /// The server's clock.
    pub(super) time: Option<ServerTime>,
    /// Commits for which nothing is to be guessed.
    pub(super) caution: u32,
    /// There was no connection: none is tried before this, and the pause after the next failure.
    down: Option<(Instant, Duration)>,
}

/// What is to be done under the lock.
#[derive(Clone, Copy)]
enum Work<'a> {
    /// To be decided and committed.
    Requests(&'a [Request]),
    /// To be decided, nothing more.
    Preview(&'a [Request]),
    /// Decided elsewhere, to be committed.
    Records(&'a [Arc<Stored>]),
}

/// What a work has to read under the lock.
#[derive(Default)]
pub(super) struct Reads {
    pub(super) needs: Needs,
    keys: Vec<Digest>,
    own_keys: Vec<Digest>,
    /// Own keys that others follow.
    behind: Vec<Digest>,
    /// Seqs of transactions to be reversed.
    reversed: Vec<i64>,
    originals: HashMap<TransactionId, Arc<Stored>>,
}

/// Why one try did not end well.
pub(super) enum Failed {
    /// It was decided that nothing is to happen; the connection is as good as before.
    Decided(StoreError),
    /// Certainly nothing happened.
    Certain(StoreError),
    /// Certainly nothing happened, and the next try may go through.
    Passing(StoreError),
    /// Nothing happened, and the connection is as good as before: something was guessed that is not so. So many commits,
    /// this one first, are to guess nothing.
    Guessed(u32),
    /// The answer to this decision's commit was lost. A statement that may not have begun yet does nothing any more when the
    /// server's clock is behind the time here.
    Unknown(Box<Decision>, Option<Timestamp>, StoreError),
}

impl From<Broken> for Failed {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Refused(error) if errors::passing(&error) => Self::Passing(errors::store(error)),
            Broken::Refused(error) => Self::Certain(errors::store(error)),
            // Of a round trip without a commit.
            Broken::Lost(error) | Broken::Unknown(error) => Self::Passing(error),
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Certain(error)
    }
}

impl Writer {
    pub(super) fn new() -> Self {
        Self {
            sessions: Vec::new(),
            seen: None,
            accounts: quick_cache::unsync::Cache::new(CACHED_ACCOUNTS),
            assets: Assets::default(),
            alone: false,
            time: None,
            caution: 0,
            down: None,
        }
    }

    /// This runtime's connection.
    fn take(&mut self) -> Option<Session> {
        let here = Handle::current().id();
        let place = self.sessions.iter().position(|(runtime, _)| *runtime == here)?;
        Some(self.sessions.swap_remove(place).1)
    }

    fn put_back(&mut self, session: Session) {
        self.sessions.push((Handle::current().id(), session));
    }

    /// Somebody else has written, or it is not known what happened: nothing kept may be used.
    fn forget(&mut self) {
        self.accounts.clear();
        self.seen = None;
        self.alone = false;
    }

    /// Keeps what a commit left.
    pub(super) fn keep(&mut self, decision: &Decision) {
        for id in &decision.touched {
            if let Some(account) = decision.state.accounts.get(id) {
                self.accounts.insert(id.clone(), Box::new(account.clone()));
            }
        }
        self.assets = decision.state.assets.clone();
        self.seen = Some(decision.state.head);
    }
}

impl PostgresLedger {
    pub(super) async fn commit_now(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        self.work(Work::Requests(requests)).await.map(|decision| decision.answers)
    }

    pub(super) async fn preview_now(&self, requests: &[Request]) -> Result<Vec<Answer>, StoreError> {
        self.work(Work::Preview(requests)).await.map(|decision| decision.answers)
    }

    pub(super) async fn append_now(&self, records: &[Arc<Stored>]) -> Result<(), StoreError> {
        self.work(Work::Records(records)).await.map(drop)
    }

    async fn work(&self, work: Work<'_>) -> Result<Decision, StoreError> {
        let reads = self.reads(work).await?;
        let mut writer = self.writer.lock().await;
        let (mut tries, started) = (1, Instant::now());
        loop {
            // Taken out while it is used: a caller that gives up half way must not leave a transaction to the next one.
            let session = self.session(&mut writer).await?;
            let (why, lost) = match self.attempt(&mut writer, &session, work, &reads).await {
                Ok(decision) => {
                    writer.put_back(session);
                    return Ok(decision);
                }
                Err(Failed::Decided(error)) => {
                    writer.put_back(session);
                    return Err(error);
                }
                Err(Failed::Guessed(caution)) => {
                    writer.caution = caution.max(1);
                    writer.put_back(session);
                    continue;
                }
                Err(Failed::Certain(error)) => return Err(error),
                Err(Failed::Passing(error)) => (error, None),
                Err(Failed::Unknown(decision, until, error)) => (error, Some((decision, until))),
            };
            drop(session);
            writer.forget();
            if let Some((decision, until)) = lost
                && self.settle(&mut writer, &decision, until, &why).await?
            {
                self.recent.push(&decision.records);
                return Ok(*decision);
            }
            if tries >= MAX_TRIES || started.elapsed() >= self.limit {
                return Err(why);
            }
            tracing::debug!(%why, tries, "a commit is tried again");
            tries += 1;
        }
    }

    /// The writer's connection; `Unavailable` at once while there is none to be had.
    async fn session(&self, writer: &mut Writer) -> Result<Session, StoreError> {
        if let Some(session) = writer.take().filter(|session| !session.is_closed()) {
            return Ok(session);
        }
        let pause = match writer.down {
            Some((until, _)) if Instant::now() < until => {
                return Err(StoreError::unavailable(STORE, "there is no connection to it; one is tried again soon"));
            }
            Some((_, pause)) => (pause * 2).min(MAX_PAUSE),
            None => PAUSE,
        };
        match Session::open(&self.link, self.limit).await {
            Ok(session) => {
                writer.down = None;
                Ok(session)
            }
            Err(error) => {
                writer.down = Some((Instant::now() + pause, pause));
                Err(error)
            }
        }
    }

    /// What the work has to read. Originals of reversals are read ahead, for their accounts.
    async fn reads(&self, work: Work<'_>) -> Result<Reads, StoreError> {
        let mut reads = Reads::default();
        match work {
            Work::Requests(requests) | Work::Preview(requests) => {
                let mut needs = Needs::of(requests);
                reads.reversed = needs.originals.iter().map(|id| integer(id.seq)).collect();
                for stored in self.records_of(&reads.reversed).await? {
                    if needs.originals.contains(&stored.record.id()) {
                        needs.add_original(&stored);
                        reads.originals.insert(stored.record.id(), stored);
                    }
                }
                reads.needs = needs;
            }
            Work::Records(records) => {
                for stored in records {
                    reads.needs.add_record(stored);
                    let reverses = stored.record.transaction().and_then(|t| t.reverses);
                    reads.reversed.extend(reverses.map(|reverses| integer(reverses.transaction.seq)));
                }
            }
        }
        reads.keys = reads.needs.keys.iter().map(|key| Digest(key.digest())).collect();
        reads.own_keys = reads.needs.own_keys.iter().map(|key| Digest(key.digest())).collect();
        reads.behind = reads.needs.behind.iter().map(|key| Digest(key.digest())).collect();
        Ok(reads)
    }

    async fn attempt(
        &self,
        writer: &mut Writer,
        session: &Session,
        work: Work<'_>,
        reads: &Reads,
    ) -> Result<Decision, Failed> {
        let cautious = writer.caution > 0;
        let guessing = match work {
            Work::Requests(requests) if !cautious => Some(requests),
            _ => None,
        };
        if let Some(requests) = guessing
            && let Some(decision) = self.guess(writer, session, requests, reads).await?
        {
            return Ok(decision);
        }
        writer.caution = writer.caution.saturating_sub(1);
        let keys: &[Digest] = if guessing.is_some() { &[] } else { &reads.keys };
        let (state, now) = self.load(writer, session, reads, keys).await?;
        let before: HashMap<_, _> = state.accounts.iter().map(|(id, account)| (id.clone(), account.version)).collect();
        let head = state.head;
        // Records that are on their way while the next ones are decided.
        let mut sent: Vec<Sent<'_>> = Vec::new();
        let decided = match work {
            Work::Requests(requests) => {
                let start = |records: &[Arc<Stored>]| sent.push(session.start(Ask::AddRecords, Journal::of(records)));
                decision::in_parts(state, requests, now, start).await
            }
            Work::Preview(requests) => decision::at_once(state, requests, now),
            Work::Records(records) => decision::followed(state, records),
        };
        if let (Some(requests), Ok((made, _))) = (guessing, &decided) {
            self.prove_new(session, &mut sent, &guess::unproven(requests, &made.answers)).await?;
        }
        let nothing = matches!(work, Work::Preview(_)) || decided.as_ref().map_or(true, |(made, _)| made.is_empty());
        if nothing && sent.is_empty() {
            session.roll_back().await.map_err(Failed::Passing)?;
            return decided.map(|(made, _)| made).map_err(Failed::Decided);
        }
        let (decision, early) = decided?;
        let rows = Rows::of(&decision, early, &before, &head);
        let done = session.round_behind(sent, Around::Commit, &rows.calls()).await;
        drop(rows);
        match done {
            Ok(_) => {}
            Err(Broken::Unknown(error)) => return Err(Failed::Unknown(Box::new(decision), None, error)),
            Err(Broken::Refused(error)) if guessing.is_some() && errors::contradicts(&error) => {
                return Err(Failed::Guessed(guess::CAUTION));
            }
            Err(other) => return Err(other.into()),
        }
        writer.keep(&decision);
        self.recent.push(&decision.records);
        Ok(decision)
    }

    /// Goes on if none of the keys is known, behind what was sent before.
    async fn prove_new<'a>(
        &self,
        session: &'a Session,
        sent: &mut Vec<Sent<'a>>,
        keys: &[Digest],
    ) -> Result<(), Failed> {
        if keys.is_empty() {
            return Ok(());
        }
        let calls = [Call::new(Ask::Keys, [&keys as Parameter<'_>])];
        let wrong = match session.round_behind(std::mem::take(sent), Around::Nothing, &calls).await {
            Ok(found) => found.last().is_some_and(|rows| !rows.is_empty()),
            Err(Broken::Refused(error)) if errors::contradicts(&error) => true,
            Err(other) => return Err(other.into()),
        };
        if wrong {
            session.roll_back().await.map_err(Failed::Passing)?;
            return Err(Failed::Guessed(guess::CAUTION));
        }
        Ok(())
    }

    /// The first round trip: the lock, and what a decision has to see behind it. Of the keys only these are looked up.
    async fn load(
        &self,
        writer: &mut Writer,
        session: &Session,
        reads: &Reads,
        keys: &[Digest],
    ) -> Result<(State, Timestamp), Failed> {
        // Used only if the clock turns out to be where this daemon left it.
        let assumed = writer.alone && writer.seen.is_some();
        let mut asked: Vec<String> = Vec::new();
        let mut at_hand: Vec<Account> = Vec::new();
        for id in &reads.needs.accounts {
            match writer.accounts.get(id).filter(|_| assumed) {
                Some(account) => at_hand.push((**account).clone()),
                None => asked.push(id.to_string()),
            }
        }
        let mut calls = vec![Call::new(Ask::Lock, [])];
        let keys = also(&mut calls, !keys.is_empty(), Ask::Keys, Some(&keys));
        let accounts = also(&mut calls, !asked.is_empty(), Ask::Accounts, Some(&asked));
        let reversals = also(&mut calls, !reads.reversed.is_empty(), Ask::Reversals, Some(&reads.reversed));
        let answers = also(&mut calls, !reads.own_keys.is_empty(), Ask::Answers, Some(&reads.own_keys));
        let answered = also(&mut calls, !reads.behind.is_empty(), Ask::Answered, Some(&reads.behind));
        let assets = also(&mut calls, !assumed, Ask::Assets, None);
        let sent = Instant::now();
        let found = session.round(Around::Begin, &calls).await?;
        let of = |place: Option<usize>| place.and_then(|place| found.get(place)).map_or(&[] as &[Row], Vec::as_slice);
        let row = of(Some(0)).first().ok_or_else(|| damaged("it has no clock row"))?;
        let head = rows::cut(row, 0)?;
        let now = self.trusted(rows::time(row, 4)?)?;
        writer.time = Some(ServerTime::learn(writer.time, sent, now));

        writer.alone = writer.seen == Some(head);
        if !writer.alone {
            writer.forget();
            if assumed {
                at_hand.clear();
                self.read_again(writer, session, reads, &mut at_hand).await?;
            }
        }
        if assets.is_some() {
            writer.assets = rows::assets(of(assets))?;
        }
        let mut state = State::at(head, writer.assets.clone());
        for account in of(accounts) {
            at_hand.push(rows::account(account)?);
        }
        state.accounts = at_hand.into_iter().map(|account| (account.id.clone(), account)).collect();
        for stored in rows::stored_all(of(keys))? {
            let key = stored.record.key.clone().filter(|key| reads.needs.keys.contains(key));
            state.keys.insert(key.ok_or_else(|| damaged("a key points at a record that has another key"))?, stored);
        }
        for row in of(reversals) {
            let (of, by) = rows::reversal(row)?;
            state.reversals.insert(of, by);
        }
        state.originals.clone_from(&reads.originals);
        for row in of(answered) {
            let name: &str = rows::cell(row, 0)?;
            state.answered.extend(reads.needs.behind.iter().find(|key| answer_name(key) == name).cloned());
        }
        state.own_keys = decision::kept_answers(session, &reads.needs, of(answers)).await?;
        Ok((state, now))
    }

    /// What was thought to be at hand, when somebody else turns out to have written.
    async fn read_again(
        &self,
        writer: &mut Writer,
        session: &Session,
        reads: &Reads,
        accounts: &mut Vec<Account>,
    ) -> Result<(), Failed> {
        let all: Vec<String> = reads.needs.accounts.iter().map(ToString::to_string).collect();
        let calls = [Call::new(Ask::Accounts, [&all as Parameter<'_>]), Call::new(Ask::Assets, [])];
        let found = session.round(Around::Nothing, &calls).await?;
        if let [all, assets] = found.as_slice() {
            writer.assets = rows::assets(assets)?;
            for account in all {
                accounts.push(rows::account(account)?);
            }
        }
        Ok(())
    }

    /// The server's time, if this machine's agrees.
    fn trusted(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        let micros = now.micros_since(self.clock.now());
        if micros.abs() > MAX_SKEW {
            return Err(ClockSkew::Apart { micros }.into());
        }
        self.clock.accept();
        Ok(now)
    }

    /// Whether a commit whose answer was lost happened after all: looked up over a new connection under the clock row's lock,
    /// which the old transaction held until it ended. `Uncertain` when that cannot be found out in time.
    async fn settle(
        &self,
        writer: &mut Writer,
        decision: &Decision,
        begun_by: Option<Timestamp>,
        why: &StoreError,
    ) -> Result<bool, StoreError> {
        let until = Instant::now() + self.limit;
        let mut pause = PAUSE;
        loop {
            let looked = match Session::open(&self.link, self.limit).await {
                Ok(session) => arrived(&session, decision, begun_by).await.map(|found| (session, found)),
                Err(error) => Err(error),
            };
            match looked {
                Ok((session, Some(happened))) => {
                    tracing::warn!(happened, seq = decision.state.head.seq, %why, "the answer to a commit was lost; it was looked up");
                    writer.put_back(session);
                    return Ok(happened);
                }
                Ok((_, None)) if Instant::now() + pause < until => tokio::time::sleep(pause).await,
                Ok((_, None)) => return Err(StoreError::uncertain(STORE, why.to_string())),
                Err(error) if Instant::now() + pause >= until => {
                    tracing::error!(%error, seq = decision.state.head.seq, "the answer to a commit was lost and cannot be looked up");
                    return Err(StoreError::uncertain(STORE, why.to_string()));
                }
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }
}

/// Adds a call if it is wanted; gives its place.
fn also<'a>(calls: &mut Vec<Call<'a>>, wanted: bool, ask: Ask, parameter: Option<Parameter<'a>>) -> Option<usize> {
    wanted.then(|| {
        calls.push(Call::new(ask, parameter.into_iter().collect::<Vec<_>>()));
        calls.len() - 1
    })
}

/// Looks, under the clock row's lock, whether a decision was committed; none if it is not, but may be yet.
async fn arrived(
    session: &Session,
    decision: &Decision,
    begun_by: Option<Timestamp>,
) -> Result<Option<bool>, StoreError> {
    let last = decision.records.last();
    let seq = vec![integer(last.map_or(0, |last| last.record.seq))];
    let kept: Vec<Digest> = decision.kept.last().iter().map(|(key, _)| Digest(key.digest())).collect();
    let calls = [
        Call::new(Ask::Lock, []),
        Call::new(Ask::Records, [&seq as Parameter<'_>]),
        Call::new(Ask::Answers, [&kept as Parameter<'_>]),
    ];
    let found = session.round(Around::Begin, &calls).await?;
    session.roll_back().await?;
    let [clock, records, answers] = found.as_slice() else { return Ok(Some(false)) };
    let happened = match last {
        Some(last) => rows::stored_all(records)?.iter().any(|stored| stored.hash == last.hash),
        None => !answers.is_empty(),
    };
    let now = clock.first().map(|row| rows::time(row, 4)).transpose()?;
    let may_come = !happened && begun_by.is_some_and(|by| now.is_none_or(|now| now <= by));
    Ok((!may_come).then_some(happened))
}
