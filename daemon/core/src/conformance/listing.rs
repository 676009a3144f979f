//! Lists: every order, every bound, page by page, against the journal sorted in memory.

use std::sync::Arc;

use super::{
    Bed, Checked,
    support::{Dice, Error, at, command, done, journal, open, pay, wallet},
};
use crate::{
    command::Action,
    ids::{AccountId, WalletId},
    journal::Stored,
    ports::{Axis, EntryQuery, LedgerStore, Posted},
    time::Timestamp,
};

/// A wallet with a few hundred entries, late ones among them, more runs than there may be.
async fn filled(bed: &dyn Bed<dyn LedgerStore>) -> Result<Arc<dyn LedgerStore>, Error> {
    let ledger = bed.fresh("lists").await?;
    done(&*ledger, vec![open("w", "EUR", "unlimited")?, open("v", "EUR", "0")?]).await?;
    let mut dice = Dice::new(4);
    let time = |n: i64, dice: &mut Dice| if n % 3 == 0 { 900 - n } else { dice.seconds(700) };
    let commands: Result<Vec<_>, Error> = (0..400)
        .map(|n| {
            let to = if n % 5 == 0 { "v" } else { "-" };
            pay(&format!("k{n}"), "w", to, "1.5", Some(at(time(n, &mut dice))))
        })
        .collect();
    for chunk in commands?.chunks(90) {
        done(&*ledger, chunk.to_vec()).await?;
    }
    Ok(ledger)
}

/// The same list, from the journal.
fn expected(records: &[Arc<Stored>], query: &EntryQuery) -> Vec<u64> {
    let place = |stored: &Arc<Stored>| {
        let t = stored.record.transaction()?;
        let id = AccountId::Wallet(query.wallet.clone());
        let time = if query.axis == Axis::Recorded { stored.record.recorded_at } else { t.effective_at };
        let bounded = query.from.is_none_or(|from| time >= from) && query.to.is_none_or(|to| time <= to);
        let mine = t.debit.account == id || t.credit.account == id;
        (mine && bounded && stored.record.seq <= query.known).then_some((time, stored.record.seq))
    };
    let mut places: Vec<_> = records.iter().filter_map(place).collect();
    places.sort_unstable();
    if query.descending {
        places.reverse();
    }
    places.into_iter().map(|(_, seq)| seq).collect()
}

fn checked(posted: &Posted, wallet: &WalletId) -> Checked {
    let entry = &posted.entry;
    let t = posted.record.record.transaction().ok_or("an entry's record is a transaction")?;
    let mine = AccountId::Wallet(wallet.clone());
    let leg = if t.debit.account == mine { &t.debit } else { &t.credit };
    assert_eq!((&entry.account, entry.seq, entry.effective_at), (&mine, posted.record.record.seq, t.effective_at));
    assert_eq!((entry.amount, entry.balance_after, entry.version), (leg.amount, leg.balance_after, leg.version));
    Ok(())
}

pub(super) async fn entries_are_listed_in_every_order(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = filled(bed).await?;
    let records = journal(&*ledger).await?;
    let head = records.len() as u64;
    let recorded =
        |seq: u64| records.iter().find(|stored| stored.record.seq == seq).map(|stored| stored.record.recorded_at);
    let mut dice = Dice::new(5);
    for round in 0_usize..96 {
        let axis = if round % 2 == 0 { Axis::Recorded } else { Axis::Effective };
        let mut bound = || match (dice.below(3), axis) {
            (0, _) => None,
            (_, Axis::Recorded) => recorded(dice.below(head) + 1),
            (_, Axis::Effective) => Some(at(dice.seconds(900))),
        };
        let (from, to) = (bound(), bound());
        let known = if round % 8 < 6 { head } else { dice.below(head) };
        let limit = if round % 7 == 0 { 1_000 } else { 1 + usize::try_from(dice.below(60))? };
        let wallet = wallet(if round % 9 == 8 { "v" } else { "w" })?;
        let mut query = EntryQuery { wallet, axis, descending: round % 4 < 2, from, to, known, after: None, limit };
        let expected = expected(&records, &query);
        let mut listed = Vec::new();
        loop {
            let page = ledger.entries(&query).await?;
            assert!(page.items.len() <= limit, "a page is longer than asked for");
            for posted in &page.items {
                checked(posted, &query.wallet)?;
                listed.push(posted.entry.seq);
                let time =
                    if axis == Axis::Recorded { posted.record.record.recorded_at } else { posted.entry.effective_at };
                query.after = Some((time, posted.entry.seq));
            }
            assert_eq!(page.more, listed.len() < expected.len(), "`more` is wrong behind {:?}", query.after);
            if !page.more {
                break;
            }
            assert_eq!(page.items.len(), limit, "a page with more behind it is not full");
        }
        assert_eq!(listed, expected, "{query:?}");
    }
    let nobody = EntryQuery {
        wallet: wallet("nobody")?,
        axis: Axis::Recorded,
        descending: false,
        from: None,
        to: None,
        known: head,
        after: None,
        limit: 5,
    };
    let page = ledger.entries(&nobody).await?;
    assert!(page.items.is_empty() && !page.more);
    Ok(())
}

pub(super) async fn accounts_and_records_are_paged(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("pages").await?;
    let ids = ["b", "B", "a", "a.1", "a-1", "a_1", "a1", "Z", "z", "0", "aa", "A"];
    for id in ids {
        done(&*ledger, vec![open(id, "EUR", "0")?, pay(&format!("in-{id}"), "-", id, "1", None)?]).await?;
    }
    let ledger = bed.reopen(ledger).await?;
    let mut sorted: Vec<String> = ids.map(String::from).to_vec();
    sorted.sort();
    for limit in [1, 5, 12, 100] {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = ledger.accounts(after.as_ref(), limit).await?;
            assert!(page.len() <= limit);
            listed.extend(page.iter().map(|account| account.id.to_string()));
            after = page.last().and_then(|last| last.id.wallet().cloned());
            if page.len() < limit {
                break;
            }
        }
        assert_eq!(listed, sorted, "pages of {limit}");
    }
    for (after, limit, seqs) in [(0, 3, 1..4), (22, 10, 23..25), (24, 10, 0..0), (99, 1, 0..0), (u64::MAX, 1, 0..0)] {
        let page: Vec<_> = ledger.records(after, limit).await?.iter().map(|stored| stored.record.seq).collect();
        assert_eq!(page, seqs.collect::<Vec<u64>>());
    }
    assert!(ledger.record(25).await?.is_none());
    Ok(())
}

pub(super) async fn cuts_are_found_by_time(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("cuts").await?;
    let register = crate::asset::Asset { code: "XTOY".parse()?, scale: 0 };
    done(&*ledger, vec![command("xtoy", Action::RegisterAsset(register))?, open("a", "EUR", "0")?]).await?;
    for number in 0..30 {
        done(&*ledger, vec![pay(&number.to_string(), "-", "a", "1", Some(at(number)))?]).await?;
    }
    let records = journal(&*ledger).await?;
    let start = ledger.cut_at(0).await?;
    let mut before = start;
    for stored in &records {
        let time = stored.record.recorded_at;
        assert_eq!(ledger.cut_at_time(time.plus_micros(-1)).await?, before);
        assert_eq!(ledger.cut_at_time(time).await?, stored.cut());
        before = stored.cut();
    }
    assert_eq!(ledger.cut_at_time(Timestamp::MAX).await?, before);
    assert_eq!(ledger.cut_at_time(Timestamp::MIN).await?, start);
    Ok(())
}
