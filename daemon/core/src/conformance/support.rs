//! What the checks are written with.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

use crate::{
    account::Account,
    command::{Action, Command, Mode, Move, OpenWallet, Request, Reverse},
    ids::{AccountId, TransactionId, WalletId},
    journal::{Access, AccessKind, Stored, chain, genesis},
    key::{KeyScope, ScopedKey},
    outcome::{Answer, Outcome},
    ports::{LedgerStore, StoreError},
    text::Metadata,
    time::{SECOND, Timestamp},
};

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;

/// 2020-01-01T00:00:00Z: where dated back entries begin.
pub(super) const START: i64 = 1_577_836_800 * SECOND;

/// So many seconds after [`START`].
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(START + seconds * SECOND)
}

pub(super) fn wallet(id: &str) -> Result<WalletId, Error> {
    Ok(id.parse()?)
}

pub(super) fn key(text: &str) -> Result<ScopedKey, Error> {
    Ok(ScopedKey::shared(text.parse()?))
}

pub(super) fn command(name: &str, action: Action) -> Result<Command, Error> {
    Ok(Command { key: key(name)?, action })
}

/// A wallet opened at [`START`].
pub(super) fn open(id: &str, asset: &str, overdraft: &str) -> Result<Command, Error> {
    let open = OpenWallet {
        id: wallet(id)?,
        owner: "ada".parse()?,
        asset: asset.parse()?,
        overdraft: overdraft.parse()?,
        opened_at: Some(at(0)),
        label: "savings, ünïcode \u{1f4b6}".parse()?,
        meta: Metadata::new([("branch", "7")])?,
    };
    command(&format!("open-{id}"), Action::OpenWallet(open))
}

/// A movement with a key; `-` is the outside.
pub(super) fn pay(name: &str, from: &str, to: &str, amount: &str, when: Option<Timestamp>) -> Result<Command, Error> {
    pay_in(name, from, to, amount, "EUR", when)
}

pub(super) fn pay_in(
    name: &str,
    from: &str,
    to: &str,
    amount: &str,
    asset: &str,
    when: Option<Timestamp>,
) -> Result<Command, Error> {
    let side = |id: &str| if id == "-" { Ok(None) } else { wallet(id).map(Some) };
    let moved = Move {
        from: side(from)?,
        to: side(to)?,
        amount: amount.parse()?,
        asset: asset.parse()?,
        effective_at: when,
        memo: "rent".parse()?,
        meta: Metadata::default(),
    };
    command(name, Action::Move(moved))
}

pub(super) fn reverse(name: &str, transaction: TransactionId, allow_negative: bool) -> Result<Command, Error> {
    let reverse = Reverse { transaction, effective_at: None, allow_negative, memo: "undo".parse()? };
    command(name, Action::Reverse(reverse))
}

/// What the daemon keeps of access, under a key of its own.
pub(super) fn noted(name: &str, kind: AccessKind, network: &str, count: u64) -> Result<Command, Error> {
    let access = Access {
        kind,
        reason: "token_expired".parse()?,
        network: Some(network.parse()?),
        count,
        first_at: at(10),
        last_at: at(69),
    };
    let key = ScopedKey::new(KeyScope::System, name.parse()?);
    Ok(Command { key, action: Action::NoteAccess(access) })
}

pub(super) fn request(mode: Mode, commands: Vec<Command>) -> Result<Request, Error> {
    let mut request = Request::single("uid:1000".parse()?, pay("unused", "-", "unused", "1", None)?);
    request.mode = mode;
    request.commands = commands;
    request.trace = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into());
    Ok(request)
}

/// The outcomes of one answer.
pub(super) fn outcomes(answers: Vec<Answer>) -> Result<Vec<Outcome>, Error> {
    let one: [Answer; 1] = answers.try_into().map_err(|all: Vec<_>| format!("{} answers to one request", all.len()))?;
    match one {
        [Answer::Outcomes { outcomes, .. }] => Ok(outcomes),
        [Answer::OwnKeyConflict] => Err("a conflict of a request's own key".into()),
        [Answer::OutOfTurn] => Err("a request out of turn".into()),
    }
}

/// Commits one request and returns its outcomes.
pub(super) async fn commit(
    ledger: &dyn LedgerStore,
    mode: Mode,
    commands: Vec<Command>,
) -> Result<Vec<Outcome>, Error> {
    outcomes(ledger.commit(&[request(mode, commands)?]).await?)
}

/// Commits commands that must all happen.
pub(super) async fn done(ledger: &dyn LedgerStore, commands: Vec<Command>) -> Result<Vec<Arc<Stored>>, Error> {
    let outcomes = commit(ledger, Mode::Continue, commands).await?;
    let stored = outcomes.iter().map(|outcome| match outcome {
        Outcome::Ok(stored) => Ok(Arc::clone(stored)),
        other => Err(format!("{other:?} where a command must happen").into()),
    });
    stored.collect()
}

/// The outcomes as words: refusals by code, conflicts by field.
pub(super) fn words(outcomes: &[Outcome]) -> Vec<String> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Refused(refusal) => refusal.code().to_owned(),
        Outcome::Conflict(conflict) => format!("conflict {}", conflict.field),
        other => other.as_str().to_owned(),
    };
    outcomes.iter().map(word).collect()
}

pub(super) async fn account(ledger: &dyn LedgerStore, id: &str) -> Result<Account, Error> {
    ledger.account(&wallet(id)?).await?.ok_or_else(|| format!("wallet {id} is not there").into())
}

pub(super) async fn balance(ledger: &dyn LedgerStore, id: &str) -> Result<String, Error> {
    Ok(account(ledger, id).await?.balance.to_string())
}

/// The whole journal, page by page, checked to be one: numbers, times, chain, bytes.
pub(super) async fn journal(ledger: &dyn LedgerStore) -> Result<Vec<Arc<Stored>>, Error> {
    let mut records: Vec<Arc<Stored>> = Vec::new();
    let mut hash = genesis(ledger.id());
    loop {
        let page = ledger.records(records.len() as u64, 700).await?;
        if page.is_empty() {
            break;
        }
        for stored in page {
            assert_eq!(stored.record.seq, records.len() as u64 + 1, "seq has a gap");
            hash = chain(hash, &stored.bytes);
            assert_eq!(stored.hash, hash, "the chain is broken at {}", stored.record.seq);
            assert_eq!(*stored.record.to_bytes(), *stored.bytes, "record {} is not its bytes", stored.record.seq);
            let later = records.last().is_none_or(|last| stored.record.recorded_at > last.record.recorded_at);
            assert!(later, "recorded_at does not grow at {}", stored.record.seq);
            records.push(stored);
        }
    }
    let head = ledger.head().await?;
    assert_eq!((head.seq, head.hash), (records.len() as u64, hash), "the head is not the last record");
    Ok(records)
}

/// Wallet ids and `effective_at`, seq and units of each of a wallet's legs, from the journal alone.
pub(super) fn legs(records: &[Arc<Stored>], id: &WalletId) -> Vec<(Timestamp, u64, i128)> {
    let mut legs = Vec::new();
    for stored in records {
        let Some(t) = stored.record.transaction() else { continue };
        for leg in [&t.debit, &t.credit] {
            if leg.account == AccountId::Wallet(id.clone()) {
                legs.push((t.effective_at, stored.record.seq, leg.amount.units()));
            }
        }
    }
    legs
}

/// The sum of legs up to a time and a seq.
pub(super) fn sum(legs: &[(Timestamp, u64, i128)], time: Timestamp, known: u64) -> i128 {
    legs.iter().filter(|(when, seq, _)| *when <= time && *seq <= known).map(|(_, _, units)| units).sum()
}

/// Numbers that look random and are the same in every run (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }

    /// Seconds below `bound`.
    pub(super) fn seconds(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap_or_default()
    }
}

/// Polls futures in turn until all are ready: as concurrent as the store makes them.
pub(super) async fn together<'a, T>(
    futures: impl IntoIterator<Item = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>>,
) -> Result<Vec<T>, StoreError> {
    let mut slots: Vec<_> = futures.into_iter().map(|future| (Some(future), None)).collect();
    poll_fn(|context| {
        for (future, result) in &mut slots {
            if let Some(running) = future
                && let Poll::Ready(ready) = running.as_mut().poll(context)
            {
                (*future, *result) = (None, Some(ready));
            }
        }
        if slots.iter().all(|(future, _)| future.is_none()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    slots.into_iter().filter_map(|(_, result)| result).collect()
}
