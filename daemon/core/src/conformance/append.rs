//! Appending: a journal made elsewhere becomes the same ledger, or nothing.

use std::{fmt::Write as _, sync::Arc};

use super::{
    Bed, Checked,
    support::{Error, balance, command, commit, done, journal, key, noted, open, pay, pay_in, reverse, words},
    writing::step,
};
use crate::{
    asset::Asset,
    command::{Action, Mode, StatusChange},
    journal::{AccessKind, Event, Record, Stored},
    ports::{Axis, EntryQuery, LedgerStore, StoreError},
    time::Timestamp,
};

const ID: &str = "a ledger that moves";

/// A ledger with one of everything.
async fn original(bed: &dyn Bed<dyn LedgerStore>) -> Result<Arc<dyn LedgerStore>, Error> {
    let ledger = bed.fresh(ID).await?;
    let register = Action::RegisterAsset(Asset { code: "XTOY".parse()?, scale: 3 });
    done(&*ledger, vec![command("xtoy", register)?]).await?;
    done(&*ledger, vec![open("a", "EUR", "0")?, open("b", "EUR", "unlimited")?, open("x", "XTOY", "0")?]).await?;
    let group = vec![
        pay("1", "-", "a", "100", None)?,
        pay("2", "a", "b", "40", Some(super::support::at(50)))?,
        pay("3", "b", "-", "90", Some(super::support::at(40)))?,
    ];
    assert_eq!(words(&commit(&*ledger, Mode::Atomic, group).await?), ["ok"; 3]);
    let deposits: Result<Vec<_>, Error> =
        (0..20).map(|n| pay(&format!("late-{n}"), "-", "b", "1", Some(super::support::at(100 - n % 7)))).collect();
    let last = done(&*ledger, deposits?).await?;
    let undone = last.last().ok_or("twenty records")?.record.id();
    let rest = vec![
        reverse("undo", undone, true)?,
        pay_in("toys", "-", "x", "0.125", "XTOY", None)?,
        step("freeze", "a", StatusChange::Freeze)?,
        noted("n-1", AccessKind::SignInRefused, "203.0.113.0/24", 37)?,
    ];
    done(&*ledger, rest).await?;
    Ok(ledger)
}

/// Everything that reading shows.
async fn shown(ledger: &dyn LedgerStore) -> Result<String, Error> {
    let (head, records) = (ledger.head().await?, journal(ledger).await?);
    let accounts = ledger.accounts(None, 100).await?;
    let mut text = format!("{head:?} {accounts:?} {:?} {:?}", ledger.externals().await?, ledger.assets().await?);
    for account in accounts {
        let wallet = account.id.wallet().ok_or("accounts() lists wallets")?.clone();
        let query = EntryQuery {
            wallet,
            axis: Axis::Effective,
            descending: false,
            from: None,
            to: None,
            known: head.seq,
            after: None,
            limit: 100,
        };
        write!(text, "{:?}", ledger.entries(&query).await?.items)?;
        let times = [super::support::at(45), super::support::at(97), Timestamp::MAX];
        write!(text, "{:?}", ledger.balances_at(&account, &times, head.seq.saturating_sub(5)).await?)?;
    }
    for stored in records {
        if let Some(key) = &stored.record.key {
            assert_eq!(ledger.record_by_key(key).await?.as_ref(), Some(&stored));
        }
        write!(text, "{:?}", ledger.reversal_of(stored.record.id()).await?)?;
    }
    Ok(text)
}

pub(super) async fn an_appended_journal_is_the_same_ledger(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = original(bed).await?;
    let (records, expected) = (journal(&*ledger).await?, shown(&*ledger).await?);
    for size in [1, 4, records.len()] {
        let copy = bed.fresh(ID).await?;
        for page in records.chunks(size) {
            copy.append(page).await?;
        }
        let copy = bed.reopen(copy).await?;
        assert!(shown(&*copy).await? == expected, "{size} at a time make another ledger");
    }
    Ok(())
}

pub(super) async fn what_does_not_follow_is_not_appended(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let records = journal(&*original(bed).await?).await?;
    let copy = bed.fresh(ID).await?;
    let (first, rest) = records.split_at(10);
    copy.append(first).await?;
    let expected = shown(&*copy).await?;
    let next = rest.first().ok_or("more records")?;
    let resealed = |change: fn(&mut Record)| {
        let mut record = next.record.clone();
        change(&mut record);
        let previous = first.last().map_or(next.hash, |last| last.hash);
        Arc::new(Stored::seal(record, previous, None))
    };
    let mut forged = Stored::clone(next);
    forged.hash.0[31] ^= 1;
    let bad: [(&str, Vec<Arc<Stored>>); 6] = [
        ("a gap", rest.iter().skip(1).cloned().collect()),
        ("a repeat", first.to_vec()),
        ("another hash", vec![Arc::new(forged)]),
        ("an earlier time", vec![resealed(|record| record.recorded_at = Timestamp::EPOCH)]),
        ("another balance", vec![resealed(|record| change_leg(&mut record.event))]),
        ("another epoch", vec![resealed(|record| record.epoch += 1)]),
    ];
    for (what, records) in bad {
        // Behind records that would follow, too: nothing of the call is written.
        let refused = copy.append(&records).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{what} was appended: {refused:?}");
        assert!(shown(&*copy).await? == expected, "{what} left something behind");
    }
    let (good, gap) = (rest.iter().take(5), rest.iter().skip(7));
    let refused = copy.append(&good.chain(gap).cloned().collect::<Vec<_>>()).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert!(shown(&*copy).await? == expected, "half a call was appended");
    let other = bed.fresh("another ledger").await?;
    assert!(other.append(first).await.is_err(), "the journal of another ledger was appended");
    copy.append(rest).await?;
    Ok(())
}

fn change_leg(event: &mut Event) {
    if let Event::Transaction(t) = event {
        t.credit.version += 1;
    }
}

pub(super) async fn an_appended_ledger_goes_on(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let records = journal(&*original(bed).await?).await?;
    let copy = bed.fresh(ID).await?;
    copy.append(&records).await?;
    let last = records.last().ok_or("records")?;
    let raised = Record {
        seq: last.record.seq + 1,
        epoch: 2,
        recorded_at: last.record.recorded_at.plus_micros(1),
        actor: crate::ids::Actor::system(),
        key: None,
        request: None,
        group: None,
        event: Event::EpochRaised { reason: "restored".parse()? },
    };
    copy.append(&[Arc::new(Stored::seal(raised, last.hash, None))]).await?;
    let copy = bed.reopen(copy).await?;
    assert_eq!(copy.head().await?.epoch, 2);
    let old = copy.record_by_key(&key("late-0")?).await?.ok_or("its key is known")?.record.id();
    let tries = vec![
        pay("1", "-", "a", "100", None)?,
        pay("late-3", "-", "b", "2", Some(super::support::at(97)))?,
        pay("new", "-", "b", "1000", None)?,
        reverse("r1", crate::ids::TransactionId { epoch: 2, seq: old.seq }, false)?,
        reverse("r2", old, false)?,
    ];
    let came = commit(&*copy, Mode::Continue, tries).await?;
    assert_eq!(words(&came), ["replayed", "conflict amount", "ok", "unknown_transaction", "ok"]);
    let new = came.get(2).and_then(|outcome| outcome.record()).ok_or("it happened")?;
    assert_eq!((new.record.epoch, new.record.seq), (2, last.record.seq + 2));
    assert_eq!(balance(&*copy, "b").await?, "968.00");
    journal(&*copy).await?;
    super::writing::balanced(&*copy).await
}
