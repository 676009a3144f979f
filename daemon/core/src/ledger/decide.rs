//! Judging requests in order, in memory.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use super::{Broken, ClockSkew, Decision, KeptAnswer, MAX_SKEW, Set, State, apply, content, rules};
use crate::{
    account::Account,
    command::{Action, Command, Mode, Request},
    ids::{AccountId, TransactionId},
    journal::{Event, GroupPart, Record, Stored},
    outcome::{Answer, Conflict, Outcome, Refusal},
    time::Timestamp,
};

/// Why nothing could be decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The clock cannot be trusted.
    #[error(transparent)]
    Clock(#[from] ClockSkew),
    /// The state contradicts itself; nothing may be written on top of it.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// Judges requests, in order, each seeing those before it.
///
/// A request that follows another is not tried before that is answered. A key accepted earlier replays; one refused earlier is judged anew. A failed atomic group leaves
/// no trace. Records are numbered from the head, recorded at `max(now, last + 1 µs)`, and sealed into the chain.
pub fn decide(state: State, requests: &[Request], now: Timestamp) -> Result<Decision, DecideError> {
    let behind = state.head.recorded_at.micros_since(now);
    if state.head.seq > 0 && behind > MAX_SKEW {
        return Err(ClockSkew::Behind { micros: behind }.into());
    }
    let commands: usize = requests.iter().map(|request| request.commands.len()).sum();
    let all = || requests.iter().flat_map(|request| &request.commands);
    let mut decider = Decider {
        now,
        reversing: all().any(|command| matches!(command.action, Action::Reverse(_))),
        decision: Decision {
            answers: Vec::with_capacity(requests.len()),
            records: Vec::with_capacity(commands),
            entries: Vec::with_capacity(commands.saturating_mul(2)),
            touched: Set::default(),
            kept: Vec::new(),
            state,
        },
    };
    for request in requests {
        let answer = decider.request(request)?;
        decider.decision.answers.push(answer);
    }
    Ok(decider.decision)
}

struct Decider {
    now: Timestamp,
    /// A command of this commit reverses a transaction, which may be one of this commit too.
    reversing: bool,
    decision: Decision,
}

/// What a failed group has to put back.
struct Undo {
    head: crate::cut::Cut,
    assets: crate::asset::Assets,
    records: usize,
    entries: usize,
    accounts: Vec<(AccountId, Option<Account>)>,
    reversed: Vec<TransactionId>,
}

impl Decider {
    fn request(&mut self, request: &Request) -> Result<Answer, Broken> {
        if let Some(own) = &request.own_key
            && let Some(kept) = self.decision.state.own_keys.get(&own.key)
        {
            return Ok(if kept.content == own.content {
                Answer::Outcomes { outcomes: kept.outcomes.clone(), replayed: true }
            } else {
                Answer::OwnKeyConflict
            });
        }
        if request.own_key.as_ref().is_some_and(|own| self.decision.state.is_out_of_turn(own)) {
            return Ok(Answer::OutOfTurn);
        }
        let outcomes = match request.mode {
            Mode::Atomic => self.atomic(request)?,
            Mode::Continue => {
                let mut outcomes = Vec::with_capacity(request.commands.len());
                for command in &request.commands {
                    outcomes.push(self.command(request, command, None)?);
                }
                outcomes
            }
            Mode::Stop => self.stop(request)?,
        };
        if let Some(own) = &request.own_key {
            let kept = KeptAnswer { content: own.content, outcomes: outcomes.clone() };
            self.decision.state.own_keys.insert(own.key.clone(), kept.clone());
            self.decision.kept.push((own.key.clone(), kept));
        }
        Ok(Answer::Outcomes { outcomes, replayed: false })
    }

    fn stop(&mut self, request: &Request) -> Result<Vec<Outcome>, Broken> {
        let mut outcomes = Vec::with_capacity(request.commands.len());
        for command in &request.commands {
            let outcome = self.command(request, command, None)?;
            let stopped = outcome.record().is_none();
            outcomes.push(outcome);
            if stopped {
                break;
            }
        }
        outcomes.resize(request.commands.len(), Outcome::NotAttempted);
        Ok(outcomes)
    }

    /// All or nothing. All keys known: every member replays (or conflicts). Some: refused.
    fn atomic(&mut self, request: &Request) -> Result<Vec<Outcome>, Broken> {
        let commands = &request.commands;
        let distinct: HashSet<_> = commands.iter().map(|command| &command.key).collect();
        let known = distinct.iter().filter(|key| self.decision.state.keys.contains_key(**key)).count();
        if known == distinct.len() && distinct.len() == commands.len() {
            return Ok(commands.iter().filter_map(|command| self.known(command)).collect());
        }
        let mut seen = HashSet::new();
        let mut keys = commands.iter().map(|command| &command.key);
        if let Some(taken) = keys.find(|key| self.decision.state.keys.contains_key(*key) || !seen.insert(*key)) {
            let refusal = Refusal::GroupPartlyApplied { key: taken.key().clone() };
            return Ok(vec![Outcome::Refused(refusal); commands.len()]);
        }
        let mut undo = self.undo();
        let size = u32::try_from(commands.len()).unwrap_or(u32::MAX);
        let first = self.next_time();
        let mut outcomes = Vec::with_capacity(commands.len());
        for (index, command) in (0..size).zip(commands) {
            let part = GroupPart { index, size };
            let outcome = self.try_command(request, command, Some((part, first)), Some(&mut undo))?;
            let failed = outcome.record().is_none();
            outcomes.push(outcome);
            if failed {
                self.roll_back(undo, commands);
                let last = outcomes.pop();
                outcomes.fill(Outcome::NotAttempted);
                outcomes.extend(last);
                outcomes.resize(commands.len(), Outcome::NotAttempted);
                return Ok(outcomes);
            }
        }
        Ok(outcomes)
    }

    fn command(
        &mut self,
        request: &Request,
        command: &Command,
        group: Option<(GroupPart, Timestamp)>,
    ) -> Result<Outcome, Broken> {
        match self.known(command) {
            Some(outcome) => Ok(outcome),
            None => self.try_command(request, command, group, None),
        }
    }

    /// Replay or conflict, if the key is known.
    fn known(&self, command: &Command) -> Option<Outcome> {
        let stored = self.decision.state.keys.get(&command.key)?;
        Some(match content::difference(&command.action, &stored.record.event) {
            None => Outcome::Replayed(Arc::clone(stored)),
            Some(field) => Outcome::Conflict(Conflict {
                field: Cow::Borrowed(field),
                existing: stored.record.id(),
                kind: Cow::Borrowed(stored.record.event.kind()),
            }),
        })
    }

    fn next_time(&self) -> Timestamp {
        let head = &self.decision.state.head;
        if head.seq == 0 { self.now } else { self.now.max(head.recorded_at.plus_micros(1)) }
    }

    fn try_command(
        &mut self,
        request: &Request,
        command: &Command,
        group: Option<(GroupPart, Timestamp)>,
        undo: Option<&mut Undo>,
    ) -> Result<Outcome, Broken> {
        let recorded_at = self.next_time();
        let default_effective = group.map_or(recorded_at, |(_, first)| first);
        let moment = rules::Moment { recorded_at, default_effective };
        let event = match rules::judge(&self.decision.state, request.only.as_ref(), &command.action, moment) {
            Ok(event) => event,
            Err(refusal) => return Ok(Outcome::Refused(refusal)),
        };
        if let Some(undo) = undo {
            undo.note(&self.decision.state, &event);
        }
        let head = &self.decision.state.head;
        let record = Record {
            seq: head.seq.checked_add(1).ok_or(Broken { seq: head.seq, what: "the journal is full" })?,
            epoch: head.epoch,
            recorded_at,
            actor: request.actor.clone(),
            key: Some(command.key.clone()),
            request: request.id.clone(),
            group: group.map(|(part, _)| part),
            event,
        };
        let stored = Arc::new(Stored::seal(record, head.hash, request.trace.clone()));
        let entries = apply(&mut self.decision.state, &stored)?;
        self.touch(&stored.record.event);
        self.decision.entries.extend(entries.into_iter().flatten());
        self.decision.state.keys.insert(command.key.clone(), Arc::clone(&stored));
        if self.reversing {
            // A later command of this very commit may reverse it, or be told why it cannot.
            self.decision.state.originals.insert(stored.record.id(), Arc::clone(&stored));
        }
        self.decision.records.push(Arc::clone(&stored));
        Ok(Outcome::Ok(stored))
    }

    fn touch(&mut self, event: &Event) {
        if let Event::Transaction(t) = event {
            self.decision.touched.insert(t.debit.account.clone());
            self.decision.touched.insert(t.credit.account.clone());
        } else {
            self.decision.touched.extend(event.wallets().cloned().map(AccountId::Wallet));
        }
    }

    fn undo(&self) -> Undo {
        Undo {
            head: self.decision.state.head,
            assets: self.decision.state.assets.clone(),
            records: self.decision.records.len(),
            entries: self.decision.entries.len(),
            accounts: Vec::new(),
            reversed: Vec::new(),
        }
    }

    /// Accounts stay in `touched`: writing an unchanged row again is harmless, and simpler than counting.
    fn roll_back(&mut self, undo: Undo, commands: &[Command]) {
        let decision = &mut self.decision;
        for (id, account) in undo.accounts.into_iter().rev() {
            if let Some(account) = account {
                decision.state.accounts.insert(id, account);
            } else {
                decision.touched.remove(&id);
                decision.state.accounts.remove(&id);
            }
        }
        for transaction in undo.reversed {
            decision.state.reversals.remove(&transaction);
        }
        for command in commands {
            decision.state.keys.remove(&command.key);
        }
        for record in decision.records.drain(undo.records..) {
            decision.state.originals.remove(&record.record.id());
        }
        decision.entries.truncate(undo.entries);
        decision.state.head = undo.head;
        decision.state.assets = undo.assets;
    }
}

impl Undo {
    /// Keeps what an event is about to change.
    fn note(&mut self, state: &State, event: &Event) {
        let mut keep = |id: AccountId| {
            let account = state.accounts.get(&id).cloned();
            self.accounts.push((id, account));
        };
        if let Event::Transaction(t) = event {
            keep(t.debit.account.clone());
            keep(t.credit.account.clone());
            self.reversed.extend(t.reverses.map(|reverses| reverses.transaction));
        } else {
            event.wallets().cloned().map(AccountId::Wallet).for_each(keep);
        }
    }
}
