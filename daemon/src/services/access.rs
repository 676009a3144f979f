//! What the audit trail keeps of access: refused sign-ins, forbidden attempts, attempts that a rate limit stopped,
//! configuration read again.
//!
//! Whoever refuses says so in one call that waits for nothing. Attempts are counted by reason and network; each such
//! group becomes at most one journal record a minute, written by a task of its own through the one writer, under a key,
//! so that a lost answer makes no second record. The number of groups is bounded, and beyond it there is one more a
//! reason, `other`: a flood of a million refusals makes a handful of records, and not one attempt is forgotten while
//! the daemon runs. The map of groups is the queue: what the ledger does not take now is counted on.
//!
//! A record has a reason out of [`AccessEvent`] and a network. Nothing that somebody claimed can get into it: there is
//! no place for it in the call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use wallet_core::{
    command::{Action, Command, Mode, Request},
    ids::Actor,
    journal::{Access, AccessKind, Network},
    key::{KeyScope, ScopedKey},
    outcome::{Answer, Outcome},
    ports::Clock,
    time::Timestamp,
};

use super::{commits::Commits, identity::Reason};
use crate::metrics::figures;

/// Groups told apart at a time: more networks than an auditor reads about in a minute.
const MAX_GROUPS: usize = 64;
/// How long the first attempt of a group waits for others: short, so that the trail knows soon.
const SETTLE: Duration = Duration::from_secs(1);
/// Least time between two records of a group.
const WINDOW: Duration = Duration::from_mins(1);
/// The first pause after the ledger did not take the records; it doubles up to [`WINDOW`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Most time that the last records get when the daemon stops.
const LAST: Duration = Duration::from_secs(5);

/// The rate limits that stop somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Of a user on the socket.
    Socket,
    /// Of an address, before anything.
    Address,
    /// Of an address, for attempts to sign in.
    SignIn,
    /// Of a client behind an address, for attempts to sign in.
    Client,
    /// Of a subject that was verified.
    Subject,
}

impl Limit {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Socket, Self::Address, Self::SignIn, Self::Client, Self::Subject];

    /// Its name in the configuration, in figures, headers and problems.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Address => "address",
            Self::SignIn => "sign_in",
            Self::Client => "client",
            Self::Subject => "subject",
        }
    }

    /// Its word as a reason: other reasons have some of these names.
    fn reason(self) -> &'static str {
        match self {
            Self::Socket => "rate_limited_socket",
            Self::Address => "rate_limited_address",
            Self::SignIn => "rate_limited_sign_in",
            Self::Client => "rate_limited_client",
            Self::Subject => "rate_limited_subject",
        }
    }
}

/// Everything that is kept: a closed list, and none of it is anybody's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccessEvent {
    /// Somebody was not let in, or not let do something.
    Refused(Reason),
    /// Somebody was stopped by a rate limit, whatever they wanted.
    RateLimited(Limit),
    /// A password or a code was wrong on the way through the gateway.
    LoginRefused,
    /// The issuer gave no token on the way through the gateway.
    GrantRefused,
    /// The configuration was read again and taken.
    ConfigurationTaken,
    /// It was read again and is wrong: the one before stays.
    ConfigurationRefused,
}

impl AccessEvent {
    /// The word it is kept under: a contract, as codes of problems are.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused(reason) => reason.as_str(),
            Self::RateLimited(limit) => limit.reason(),
            Self::LoginRefused => "login_refused",
            Self::GrantRefused => "grant_refused",
            Self::ConfigurationTaken => "taken",
            Self::ConfigurationRefused => "refused",
        }
    }

    /// The kind of record it becomes.
    pub fn kind(self) -> AccessKind {
        match self {
            Self::Refused(Reason::UnknownPeer | Reason::Forbidden)
            | Self::RateLimited(Limit::Socket | Limit::Subject) => AccessKind::Forbidden,
            // Before anybody is known.
            Self::RateLimited(_) | Self::Refused(_) | Self::LoginRefused | Self::GrantRefused => {
                AccessKind::SignInRefused
            }
            Self::ConfigurationTaken | Self::ConfigurationRefused => AccessKind::ConfigurationReloaded,
        }
    }
}

/// Takes note of what happened to access. Never waits, never fails: those who call it have a request to answer.
pub trait AccessLog: Send + Sync {
    /// Once more. Without a network: what the daemon was told by a signal.
    fn note(&self, event: AccessEvent, from: Option<Network>);

    /// Somebody was refused.
    fn refused(&self, reason: Reason, from: Network) {
        self.note(AccessEvent::Refused(reason), Some(from));
    }
}

/// Keeps nothing: for tests and tools.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLog;

impl AccessLog for NoLog {
    fn note(&self, _: AccessEvent, _: Option<Network>) {}
}

type Name = (AccessEvent, Option<Network>);

/// Attempts that no record tells of yet.
#[derive(Clone, Copy, Debug)]
struct Counted {
    count: u64,
    first_at: Timestamp,
    last_at: Timestamp,
}

/// One group: what was counted, and what is on its way into the journal.
#[derive(Debug, Default)]
struct Group {
    counted: Option<Counted>,
    /// A record under its key, until the ledger says that it has it.
    sent: Option<Command>,
    /// Before this nothing more of it is written.
    quiet_until: Option<Instant>,
}

impl Group {
    fn add(&mut self, more: Counted) {
        let counted = self.counted.get_or_insert(Counted { count: 0, ..more });
        counted.count = counted.count.saturating_add(more.count);
        counted.last_at = counted.last_at.max(more.last_at);
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.counted.is_none() && self.sent.is_none() && self.quiet_until.is_none_or(|until| until <= now)
    }
}

/// How often records are written; tests have no minutes.
#[derive(Clone, Copy, Debug)]
struct Pace {
    settle: Duration,
    window: Duration,
}

/// The [`AccessLog`] that writes to the journal.
pub struct AccessRecords {
    /// The way into the ledger, until the end: the writer ends when nobody holds it any more.
    commits: Mutex<Option<Arc<dyn Commits>>>,
    clock: Arc<dyn Clock>,
    pace: Pace,
    groups: Mutex<HashMap<Name, Group>>,
    /// Something is there to be written.
    wake: Notify,
    figures: Arc<figures::Access>,
}

impl AccessLog for AccessRecords {
    fn note(&self, event: AccessEvent, from: Option<Network>) {
        let now = self.clock.now();
        self.figures.noted(event.kind());
        let mut groups = self.groups();
        let name = (event, from);
        let full = groups.len() >= MAX_GROUPS && !groups.contains_key(&name);
        let name = if full && from.is_some() { (event, Some(Network::Other)) } else { name };
        let settled = Instant::now() + self.pace.settle;
        let group = groups.entry(name).or_insert_with(|| Group { quiet_until: Some(settled), ..Group::default() });
        let first = group.counted.is_none();
        group.add(Counted { count: 1, first_at: now, last_at: now });
        drop(groups);
        if first {
            self.wake.notify_one();
        }
    }
}

impl AccessRecords {
    /// Writes through `commits`, once [`AccessRecords::run`] runs.
    pub fn new(commits: Arc<dyn Commits>, clock: Arc<dyn Clock>) -> Self {
        Self::paced(commits, clock, Pace { settle: SETTLE, window: WINDOW })
    }

    fn paced(commits: Arc<dyn Commits>, clock: Arc<dyn Clock>, pace: Pace) -> Self {
        let commits = Mutex::new(Some(commits));
        Self { commits, clock, pace, groups: Mutex::default(), wake: Notify::new(), figures: Arc::default() }
    }

    /// What was noted, written and lost.
    pub fn figures(&self) -> &Arc<figures::Access> {
        &self.figures
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<Name, Group>> {
        // Counts and assignments only; a poisoned map is a whole one.
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is due, until told to stop. What is left then is [`AccessRecords::finish`]'s.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut pause = FIRST_PAUSE;
        loop {
            let wait = match self.next_due() {
                None => WINDOW,
                Some(due) => due.saturating_duration_since(Instant::now()),
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wake.notified(), if !wait.is_zero() => continue,
                () = tokio::time::sleep(wait) => {}
            }
            let commands = self.take(false);
            if commands.is_empty() || self.write(commands).await {
                pause = FIRST_PAUSE;
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = pause.saturating_mul(2).min(WINDOW);
        }
    }

    /// Writes everything that is left, counts what the ledger does not take, and lets go of the way into the ledger.
    pub async fn finish(&self) {
        let mut rest = self.take(true);
        // A group whose last record was still on its way has that and what came since.
        while !rest.is_empty() {
            let written = tokio::time::timeout(LAST, self.write(rest)).await.unwrap_or(false);
            rest = if written { self.take(true) } else { Vec::new() };
        }
        drop(self.commits.lock().unwrap_or_else(PoisonError::into_inner).take());
        let left: u64 = self.groups().values().map(Group::unwritten).sum();
        if left > 0 {
            self.figures.dropped.add(left);
            tracing::error!(attempts = left, "the ledger did not take the last records of access; they are lost");
        }
    }

    /// When something is to be written; none while there is nothing.
    fn next_due(&self) -> Option<Instant> {
        let groups = self.groups();
        let now = Instant::now();
        let due = |group: &Group| match (&group.sent, group.counted) {
            (Some(_), _) => Some(now),
            (None, Some(_)) => Some(group.quiet_until.unwrap_or(now)),
            (None, None) => None,
        };
        groups.values().filter_map(due).min()
    }

    /// What is due (or everything) as commands. What was sent without an answer comes again as it was.
    fn take(&self, everything: bool) -> Vec<Command> {
        let now = Instant::now();
        let mut commands = Vec::new();
        let mut groups = self.groups();
        groups.retain(|_, group| !group.is_idle(now));
        for ((event, network), group) in groups.iter_mut() {
            if let Some(sent) = &group.sent {
                commands.push(sent.clone());
                continue;
            }
            let due = everything || group.quiet_until.is_none_or(|until| until <= now);
            let Some(counted) = group.counted.take_if(|_| due) else { continue };
            let Some(command) = command(*event, *network, counted) else { continue };
            group.quiet_until = Some(now + self.pace.window);
            group.sent = Some(command.clone());
            commands.push(command);
        }
        commands
    }

    /// True if the ledger has them all.
    async fn write(&self, commands: Vec<Command>) -> bool {
        let keys: Vec<_> = commands.iter().map(|command| command.key.clone()).collect();
        let request = Request {
            actor: Actor::system(),
            id: None,
            trace: None,
            mode: Mode::Continue,
            commands,
            own_key: None,
            only: None,
        };
        let commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(commits) = commits else { return false };
        let outcomes = match commits.submit(request).await {
            Ok(Answer::Outcomes { outcomes, .. }) => outcomes,
            Ok(Answer::OwnKeyConflict | Answer::OutOfTurn) => Vec::new(),
            Err(error) => {
                tracing::warn!(%error, records = keys.len(), "records of access wait: the ledger does not take them");
                return false;
            }
        };
        let mut groups = self.groups();
        let mut all = outcomes.len() == keys.len();
        for (key, outcome) in keys.iter().zip(&outcomes) {
            if outcome.record().is_none() {
                all = false;
                continue;
            }
            if let Outcome::Ok(_) = outcome {
                self.figures.records.one();
            }
            let of_key = |group: &&mut Group| group.sent.as_ref().is_some_and(|sent| sent.key == *key);
            if let Some(group) = groups.values_mut().find(of_key) {
                group.sent = None;
            }
        }
        all
    }
}

impl Group {
    /// Attempts that no record is known to tell of.
    fn unwritten(&self) -> u64 {
        let sent = self.sent.as_ref().map_or(0, |command| match &command.action {
            Action::NoteAccess(access) => access.count,
            _ => 0,
        });
        self.counted.map_or(0, |counted| counted.count).saturating_add(sent)
    }
}

/// The record of a group, under a key that nobody can guess and no caller can use.
fn command(event: AccessEvent, network: Option<Network>, counted: Counted) -> Option<Command> {
    let Counted { count, first_at, last_at } = counted;
    // Both are words of this program: they always read.
    let reason = event.as_str().parse().ok()?;
    let key = format!("access-{}", uuid::Uuid::new_v4()).parse().ok()?;
    let access = Access { kind: event.kind(), reason, network, count, first_at, last_at };
    Some(Command { key: ScopedKey::new(KeyScope::System, key), action: Action::NoteAccess(access) })
}

#[cfg(test)]
mod tests;
