//! The audit trail: the very records, found by what they say.

use std::sync::Arc;

use super::{
    Bed, Checked,
    support::{Error, command, done, journal, noted, open, pay, pay_in, request, reverse},
    writing::step,
};
use crate::{
    asset::Asset,
    command::{Action, Mode, StatusChange},
    journal::{AccessKind, Stored},
    model::MemoryLedger,
    ports::{AuditQuery, AuditStore, LedgerStore, StoreError},
};

/// A journal with several kinds, actors, wallets and requests.
pub(super) async fn records(id: &str) -> Result<Vec<Arc<Stored>>, Error> {
    let ledger = MemoryLedger::new(id);
    done(&ledger, vec![command("xtoy", Action::RegisterAsset(Asset { code: "XTOY".parse()?, scale: 3 }))?]).await?;
    done(&ledger, vec![open("a", "EUR", "0")?, open("b", "EUR", "0")?, open("x", "XTOY", "0")?]).await?;
    for number in 0..12 {
        let commands = vec![
            pay(&format!("in-{number}"), "-", "a", "10", None)?,
            pay(&format!("on-{number}"), "a", "b", "5", None)?,
            pay_in(&format!("toy-{number}"), "-", "x", "0.001", "XTOY", None)?,
        ];
        let mut asked = request(if number % 2 == 0 { Mode::Atomic } else { Mode::Continue }, commands)?;
        asked.actor = format!("uid:{}", 1_000 + number % 3).parse()?;
        asked.id = Some(format!("req-{number}").parse()?);
        ledger.commit(&[asked]).await?;
    }
    let undone = journal(&ledger).await?.last().ok_or("records")?.record.id();
    done(&ledger, vec![reverse("undo", undone, false)?, step("freeze", "b", StatusChange::Freeze)?]).await?;
    let access = vec![
        noted("n-1", AccessKind::SignInRefused, "203.0.113.0/24", 37)?,
        noted("n-2", AccessKind::Forbidden, "other", 1)?,
        noted("n-3", AccessKind::SignInRefused, "2001:db8::/64", 2)?,
    ];
    done(&ledger, access).await?;
    journal(&ledger).await
}

pub(super) async fn records_come_back_as_they_are(bed: &dyn Bed<dyn AuditStore>) -> Checked {
    let records = records("audit").await?;
    let store = bed.fresh("audit").await?;
    assert_eq!(store.head().await?, None);
    assert!(store.records(0, 10).await?.is_empty());
    store.add(&[]).await?;
    for chunk in records.chunks(7) {
        store.add(chunk).await?;
        store.add(chunk).await?;
    }
    let store = bed.reopen(store).await?;
    store.add(&records).await?;
    assert_eq!(store.head().await?, records.last().map(|last| last.cut()));
    let mut found = Vec::new();
    while let Some(page) = Some(store.records(found.len() as u64, 9).await?).filter(|page| !page.is_empty()) {
        found.extend(page);
    }
    assert_eq!(found, records, "bytes, hashes and traces come back as they were");
    store.clear().await?;
    assert_eq!((store.head().await?, store.records(0, 9).await?.len()), (None, 0));
    store.add(&records).await?;
    assert_eq!(store.head().await?, records.last().map(|last| last.cut()));
    Ok(())
}

pub(super) async fn another_record_in_the_same_place_is_damage(bed: &dyn Bed<dyn AuditStore>) -> Checked {
    let (records, others) = (records("audit").await?, records("another").await?);
    let store = bed.fresh("audit").await?;
    store.add(records.get(..10).ok_or("ten records")?).await?;
    let refused = store.add(others.get(9..).ok_or("ten records")?).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    let store = bed.reopen(store).await?;
    assert_eq!(store.head().await?, records.get(9).map(|last| last.cut()), "a refused call left something behind");
    store.add(&records).await?;
    Ok(())
}

fn fits(stored: &Stored, query: &AuditQuery) -> bool {
    let record = &stored.record;
    query.actor.as_ref().is_none_or(|actor| record.actor == *actor)
        && query.wallet.as_ref().is_none_or(|wallet| record.event.wallets().any(|other| other == wallet))
        && query.kind.as_ref().is_none_or(|kind| record.event.kind() == kind)
        && query.request.as_ref().is_none_or(|request| record.request.as_ref() == Some(request))
        && query.from.is_none_or(|from| record.recorded_at >= from)
        && query.to.is_none_or(|to| record.recorded_at <= to)
        && query.before.is_none_or(|before| record.seq < before)
}

pub(super) async fn records_are_found_by_every_field(bed: &dyn Bed<dyn AuditStore>) -> Checked {
    let records = records("audit").await?;
    let store = bed.fresh("audit").await?;
    store.add(&records).await?;
    let time = |index: usize| records.get(index).map(|stored| stored.record.recorded_at);
    let any = AuditQuery::default;
    let queries = vec![
        any(),
        AuditQuery { actor: Some("uid:1001".parse()?), ..any() },
        AuditQuery { actor: Some("nobody".parse()?), ..any() },
        AuditQuery { wallet: Some("b".parse()?), ..any() },
        AuditQuery { wallet: Some("a".parse()?), kind: Some("transfer".into()), ..any() },
        AuditQuery { kind: Some("wallet_frozen".into()), ..any() },
        AuditQuery { kind: Some("asset_registered".into()), ..any() },
        AuditQuery { kind: Some("sign_in_refused".into()), ..any() },
        AuditQuery { request: Some("req-3".parse()?), ..any() },
        AuditQuery { from: time(10), to: time(20), ..any() },
        AuditQuery { wallet: Some("x".parse()?), from: time(5), before: Some(30), ..any() },
        AuditQuery { actor: Some("uid:1002".parse()?), wallet: Some("b".parse()?), to: time(33), ..any() },
    ];
    for query in queries {
        let expected: Vec<_> = records.iter().rev().filter(|stored| fits(stored, &query)).cloned().collect();
        for limit in [1, 4, 100] {
            let mut query = AuditQuery { limit, ..query.clone() };
            let mut found: Vec<Arc<Stored>> = Vec::new();
            loop {
                let page = store.list(&query).await?;
                assert!(page.items.len() <= limit);
                found.extend(page.items);
                assert_eq!(page.more, found.len() < expected.len(), "`more` is wrong: {query:?}");
                query.before = found.last().map(|last| last.record.seq).or(query.before);
                if !page.more {
                    break;
                }
            }
            assert_eq!(found, expected, "{query:?}");
        }
    }
    Ok(())
}
