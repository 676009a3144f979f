//! Deciding: in memory, in order, nothing written that was not decided.
//!
//! A large batch is decided in parts, each on the state the one before left, so that the server writes the first records
//! while the rest is decided. The first parts are small, so that it waits for little: a record takes it longer than us, so
//! it is busy with those it has while a part half as large as all of them is decided. The outcome is the same as deciding
//! everything at once.

use std::{collections::HashMap, ops::Range, sync::Arc};

use tokio_postgres::Row;
use wallet_core::{
    asset::Assets,
    command::{Mode, OwnKey, Request},
    journal::Stored,
    key::ScopedKey,
    ledger::{DecideError, Decision, KeptAnswer, KeptOutcome, Needs, State, apply, decide, decode_kept},
    outcome::{Answer, Outcome},
    ports::StoreError,
    time::Timestamp,
};

use super::{
    codec::integer,
    errors::damaged,
    rows,
    session::{Around, Ask, Call, Parameter, Session},
    write::answer_name,
};

/// Most commands of a part: enough that a statement for them costs little beside its rows.
pub(super) const PART: usize = 500;
/// Commands of the first parts.
const FIRST: usize = 64;

/// How many commands to decide next, behind so many.
fn part_behind(decided: usize) -> usize {
    (decided / 2).clamp(FIRST, PART)
}

/// A decision, and how many of its records were sent before it was whole. Entries never are: see [`super::write`].
pub(super) type Decided = Result<(Decision, usize), StoreError>;

/// Decides everything before anything is sent.
pub(super) fn at_once(state: State, requests: &[Request], now: Timestamp) -> Decided {
    let decided = decide(state, requests, now).map_err(|error| match error {
        DecideError::Clock(skew) => skew.into(),
        DecideError::Broken(broken) => damaged(broken),
    });
    decided.map(|decision| (decision, 0))
}

/// Decides in parts; `send` gets the records of all but the last.
///
/// Between parts others of this thread get their turn: the connection's driver, above all, or nothing is on its way before
/// everything is decided.
pub(super) async fn in_parts(
    state: State,
    requests: &[Request],
    now: Timestamp,
    mut send: impl FnMut(&[Arc<Stored>]) + Send,
) -> Decided {
    if requests.iter().map(|request| request.commands.len()).sum::<usize>() <= 2 * FIRST {
        return at_once(state, requests, now);
    }
    let mut whole = at_once(state, &[], now)?.0;
    let mut early = 0;
    for part in parts(requests) {
        match part {
            Part::Requests(range) => {
                let answers = decide_part(&mut whole, requests.get(range).unwrap_or_default(), now)?;
                whole.answers.extend(answers);
                send_rest(&whole, &mut early, &mut send);
                tokio::task::yield_now().await;
            }
            Part::Split { request, behind } => {
                if let Some(answer) = split(&mut whole, &mut early, request, behind, now, &mut send).await? {
                    whole.answers.push(answer);
                }
            }
        }
    }
    Ok((whole, early))
}

/// What is decided together.
enum Part<'a> {
    /// Requests by their places.
    Requests(Range<usize>),
    /// One request whose commands stand each on its own, and are too many; behind so many commands.
    Split { request: &'a Request, behind: usize },
}

fn parts(requests: &[Request]) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    // Where the part begins, how many commands it has, and how many are before it.
    let (mut start, mut commands, mut behind) = (0, 0, 0);
    for (place, request) in requests.iter().enumerate() {
        let (count, most) = (request.commands.len(), part_behind(behind));
        let splits = request.mode == Mode::Continue && count > most;
        if place > start && (splits || commands + count > most) {
            parts.push(Part::Requests(start..place));
            behind += commands;
            (start, commands) = (place, 0);
        }
        if splits {
            parts.push(Part::Split { request, behind });
            behind += count;
            start = place + 1;
        } else {
            commands += count;
        }
    }
    if start < requests.len() {
        parts.push(Part::Requests(start..requests.len()));
    }
    parts
}

/// Decides requests on the state as it is by now.
fn decide_part(whole: &mut Decision, requests: &[Request], now: Timestamp) -> Result<Vec<Answer>, StoreError> {
    let nothing = State::at(whole.state.head, Assets::default());
    let state = std::mem::replace(&mut whole.state, nothing);
    let (part, _) = at_once(state, requests, now)?;
    whole.records.extend(part.records);
    whole.entries.extend(part.entries);
    whole.touched.extend(part.touched);
    whole.kept.extend(part.kept);
    whole.state = part.state;
    Ok(part.answers)
}

/// Decides one request's commands some at a time, with one answer and one kept answer for all of them.
async fn split(
    whole: &mut Decision,
    early: &mut usize,
    request: &Request,
    behind: usize,
    now: Timestamp,
    send: &mut (impl FnMut(&[Arc<Stored>]) + Send),
) -> Result<Option<Answer>, StoreError> {
    let judged_whole = |own: &OwnKey| whole.state.own_keys.contains_key(&own.key) || whole.state.is_out_of_turn(own);
    if request.own_key.as_ref().is_some_and(judged_whole) {
        return Ok(decide_part(whole, std::slice::from_ref(request), now)?.pop());
    }
    let mut all = Vec::with_capacity(request.commands.len());
    let mut rest = request.commands.as_slice();
    while !rest.is_empty() {
        let commands;
        (commands, rest) = rest.split_at(part_behind(behind + all.len()).min(rest.len()));
        let part = Request {
            actor: request.actor.clone(),
            only: request.only.clone(),
            id: request.id.clone(),
            trace: request.trace.clone(),
            mode: request.mode,
            commands: commands.to_vec(),
            own_key: None,
        };
        for answer in decide_part(whole, &[part], now)? {
            if let Answer::Outcomes { outcomes, .. } = answer {
                all.extend(outcomes);
            }
        }
        send_rest(whole, early, send);
        tokio::task::yield_now().await;
    }
    if let Some(own) = &request.own_key {
        let kept = KeptAnswer { content: own.content, outcomes: all.clone() };
        whole.state.own_keys.insert(own.key.clone(), kept.clone());
        whole.kept.push((own.key.clone(), kept));
    }
    Ok(Some(Answer::Outcomes { outcomes: all, replayed: false }))
}

/// Sends what was decided since the last time.
fn send_rest(whole: &Decision, early: &mut usize, send: &mut impl FnMut(&[Arc<Stored>])) {
    let records = whole.records.get(*early..).unwrap_or_default();
    if !records.is_empty() {
        send(records);
        *early = whole.records.len();
    }
}

/// Applies records made elsewhere, or says which does not follow.
pub(super) fn followed(mut state: State, records: &[Arc<Stored>]) -> Decided {
    let mut entries = Vec::new();
    for stored in records {
        let made = apply(&mut state, stored).map_err(damaged)?;
        entries.extend(made.into_iter().flatten());
    }
    let decision = Decision {
        answers: Vec::new(),
        records: records.to_vec(),
        entries,
        touched: state.accounts.keys().cloned().collect(),
        kept: Vec::new(),
        state,
    };
    Ok((decision, 0))
}

/// The answers kept under requests' own keys, with their records.
pub(super) async fn kept_answers(
    session: &Session,
    needs: &Needs,
    found: &[Row],
) -> Result<HashMap<ScopedKey, KeptAnswer>, StoreError> {
    let mut kept = HashMap::new();
    for row in found {
        let (name, body): (&str, &[u8]) = (rows::cell(row, 0)?, rows::cell(row, 1)?);
        let key = needs.own_keys.iter().find(|key| answer_name(key) == name);
        let key = key.ok_or_else(|| damaged("a kept answer has another key"))?;
        let (content, outcomes) = decode_kept(body).map_err(|_| damaged("a kept answer is unreadable"))?;
        let seq = |outcome: &KeptOutcome| match outcome {
            KeptOutcome::Ok(seq) | KeptOutcome::Replayed(seq) => Some(integer(*seq)),
            _ => None,
        };
        let seqs: Vec<i64> = outcomes.iter().filter_map(seq).collect();
        let rows = session.round(Around::Nothing, &[Call::new(Ask::Records, [&seqs as Parameter<'_>])]).await?;
        let records = rows::stored_all(rows.first().map_or(&[], Vec::as_slice))?;
        let records: HashMap<u64, Arc<Stored>> =
            records.into_iter().map(|stored| (stored.record.seq, stored)).collect();
        let record = |seq| {
            let found = records.get(&seq).map(Arc::clone);
            found.ok_or_else(|| damaged("a kept answer names a record that is not there"))
        };
        let outcomes: Result<Vec<_>, StoreError> = outcomes
            .into_iter()
            .map(|outcome| {
                Ok(match outcome {
                    KeptOutcome::Ok(seq) => Outcome::Ok(record(seq)?),
                    KeptOutcome::Replayed(seq) => Outcome::Replayed(record(seq)?),
                    KeptOutcome::Refused(refusal) => Outcome::Refused(refusal),
                    KeptOutcome::Conflict(conflict) => Outcome::Conflict(conflict),
                    KeptOutcome::NotAttempted => Outcome::NotAttempted,
                })
            })
            .collect();
        kept.insert(key.clone(), KeptAnswer { content, outcomes: outcomes? });
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use wallet_core::{
        command::{Action, Command, Move, OpenWallet, OwnKey},
        cut::Cut,
        ids::Actor,
        journal::genesis,
    };

    use super::*;

    fn pay(key: &str, from: Option<u64>, to: u64, amount: u64) -> Command {
        let moved = Move {
            from: from.map(|id| format!("w{id}").parse().unwrap()),
            to: Some(format!("w{to}").parse().unwrap()),
            amount: amount.to_string().parse().unwrap(),
            asset: "EUR".parse().unwrap(),
            effective_at: None,
            memo: "".parse().unwrap(),
            meta: wallet_core::text::Metadata::default(),
        };
        Command { key: ScopedKey::shared(key.parse().unwrap()), action: Action::Move(moved) }
    }

    fn open(id: u64) -> Command {
        let open = OpenWallet {
            id: format!("w{id}").parse().unwrap(),
            owner: "o".parse().unwrap(),
            asset: "EUR".parse().unwrap(),
            overdraft: "0".parse().unwrap(),
            opened_at: None,
            label: "".parse().unwrap(),
            meta: wallet_core::text::Metadata::default(),
        };
        Command { key: ScopedKey::shared(format!("open-{id}").parse().unwrap()), action: Action::OpenWallet(open) }
    }

    fn request(mode: Mode, commands: Vec<Command>) -> Request {
        let mut request = Request::single(Actor::system(), pay("unused", None, 0, 1));
        (request.mode, request.commands) = (mode, commands);
        request
    }

    fn keyed(name: &str, mut request: Request) -> Request {
        request.own_key =
            Some(OwnKey { key: ScopedKey::shared(name.parse().unwrap()), content: genesis(name), behind: None });
        request
    }

    /// Large and small requests of every mode, with refusals, repeats within and across parts, and own keys.
    fn mixed() -> Vec<Request> {
        let many = |name: &str, count: u64| -> Vec<Command> {
            (0..count)
                .map(|n| pay(&format!("{name}-{}", n * 7 % count), (n % 3 > 0).then_some(n % 5), 5 + n % 5, n % 90))
                .collect()
        };
        let mut repeats = many("a", 300);
        repeats.extend(many("c", 900));
        vec![
            request(Mode::Continue, (0..10).map(open).collect()),
            keyed("own-1", request(Mode::Continue, many("a", 1_700))),
            request(Mode::Atomic, (0..600).map(|n| pay(&format!("atomic-{n}"), None, n % 10, 3)).collect()),
            request(Mode::Stop, many("b", 700)),
            keyed("own-1", request(Mode::Continue, many("a", 1_700))),
            request(Mode::Continue, repeats),
            request(Mode::Continue, many("d", 40)),
            keyed("own-2", request(Mode::Continue, many("e", 20))),
        ]
    }

    #[tokio::test]
    async fn deciding_in_parts_comes_to_the_same() {
        let start = || {
            let head = Cut { epoch: 1, seq: 0, recorded_at: Timestamp::EPOCH, hash: genesis("parts") };
            State::at(head, Assets::default())
        };
        let (requests, now) = (mixed(), Timestamp::from_micros(1_000_000_000));
        let (whole, _) = at_once(start(), &requests, now).unwrap();
        let mut records = Vec::new();
        let (parts, early) = in_parts(start(), &requests, now, |some| records.extend(some.to_vec())).await.unwrap();
        assert!(records.len() > 1_500, "{} records were on their way early", records.len());
        assert_eq!(records.len(), early);
        records.extend(parts.records[early..].to_vec());
        assert_eq!((&records, &parts.entries), (&whole.records, &whole.entries));
        assert_eq!(format!("{:?}", parts.answers), format!("{:?}", whole.answers));
        assert_eq!((&parts.touched, &parts.kept), (&whole.touched, &whole.kept));
        assert_eq!((parts.state.head, &parts.state.accounts), (whole.state.head, &whole.state.accounts));
        assert_eq!(parts.state.keys.len(), whole.state.keys.len());
    }
}
