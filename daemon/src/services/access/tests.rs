//! Aggregation: how many records a flood makes, that none of it is forgotten, and that nothing is told twice.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use wallet_core::{
    journal::{Event, Stored},
    ledger::Auditor,
    model::{ManualClock, MemoryLedger},
    ports::{LedgerStore as _, StoreError},
};

use super::*;
use crate::services::{commits::SubmitError, testing::Direct};

/// Never again within a test, at once for the first time.
const ONCE: Pace = Pace { settle: Duration::ZERO, window: Duration::from_hours(24) };

#[expect(clippy::unnecessary_wraps, reason = "an origin may have none")]
fn network(number: u32) -> Option<Network> {
    Some(Network::of(Ipv4Addr::from_bits(number << 8).into()))
}

fn records(commits: Arc<dyn Commits>, pace: Pace) -> AccessRecords {
    AccessRecords::paced(commits, Arc::new(ManualClock::default()), pace)
}

fn over(ledger: &MemoryLedger) -> AccessRecords {
    records(Arc::new(Direct(ledger.clone())), ONCE)
}

async fn journal(ledger: &MemoryLedger) -> Vec<Arc<Stored>> {
    ledger.records(0, usize::MAX).await.unwrap()
}

/// The attempts that the journal tells of, by reason and network.
async fn told(ledger: &MemoryLedger) -> BTreeMap<(String, String), u64> {
    let mut told = BTreeMap::new();
    for stored in journal(ledger).await {
        let Event::Access(access) = &stored.record.event else { panic!("{stored:?}") };
        assert_eq!(stored.record.actor, Actor::system());
        let network = access.network.map(|network| network.to_string()).unwrap_or_default();
        *told.entry((access.reason.to_string(), network)).or_insert(0) += access.count;
    }
    told
}

#[tokio::test]
async fn a_flood_of_a_million_refusals_makes_a_handful_of_records() {
    let ledger = MemoryLedger::new("flood");
    let log = over(&ledger);
    for _ in 0..1_000_000 {
        log.note(AccessEvent::Refused(Reason::Signature), network(7));
    }
    assert!(log.write(log.take(false)).await);
    for _ in 0..1_000 {
        log.note(AccessEvent::Refused(Reason::Signature), network(7));
        assert!(log.take(false).is_empty(), "a second record within the minute");
    }
    log.finish().await;
    assert_eq!(journal(&ledger).await.len(), 2);
    let all = BTreeMap::from([(("signature".into(), "0.0.7.0/24".into()), 1_001_000)]);
    assert_eq!(told(&ledger).await, all);
    assert_eq!((log.figures.records.get(), log.figures.dropped.get()), (2, 0));
}

#[tokio::test]
async fn beyond_so_many_networks_there_is_one_other_a_reason() {
    let ledger = MemoryLedger::new("many");
    let log = over(&ledger);
    let reasons =
        [AccessEvent::Refused(Reason::Expired), AccessEvent::LoginRefused, AccessEvent::Refused(Reason::Forbidden)];
    for number in 0..100_000 {
        log.note(reasons[number as usize % 3], network(number));
    }
    log.note(AccessEvent::ConfigurationTaken, None);
    assert!(log.groups().len() <= MAX_GROUPS + reasons.len() + 1);
    log.finish().await;
    let told = told(&ledger).await;
    assert!(told.len() <= MAX_GROUPS + reasons.len() + 1, "{}", told.len());
    assert_eq!(told.values().sum::<u64>(), 100_001, "every attempt is told of");
    for reason in ["expired", "login_refused", "forbidden"] {
        assert!(told[&(reason.into(), "other".into())] > 30_000);
    }
    assert_eq!(told[&("taken".into(), String::new())], 1);
    // The groups that were told apart are free again once their minute is over.
    for group in log.groups().values_mut() {
        group.quiet_until = None;
    }
    assert!(log.take(false).is_empty());
    assert!(log.groups().is_empty());
}

/// A way to the ledger that fails so often before it works; the answer may be lost after the work.
struct Flaky {
    ledger: MemoryLedger,
    failures: AtomicUsize,
    works_all_the_same: bool,
}

#[async_trait]
impl Commits for Flaky {
    async fn submit(&self, request: Request) -> Result<Answer, SubmitError> {
        let fails = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if fails && !self.works_all_the_same {
            return Err(SubmitError::Overloaded);
        }
        let answer = Direct(self.ledger.clone()).submit(request).await?;
        if fails { Err(StoreError::uncertain("ledger", "the answer was lost").into()) } else { Ok(answer) }
    }
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_record_and_loses_no_attempt() {
    for works_all_the_same in [true, false] {
        let ledger = MemoryLedger::new("lost");
        let way = Flaky { ledger: ledger.clone(), failures: AtomicUsize::new(3), works_all_the_same };
        let log = records(Arc::new(way), ONCE);
        for round in 0..4 {
            log.note(AccessEvent::Refused(Reason::Expired), network(1));
            assert_eq!(log.write(log.take(false)).await, round == 3);
        }
        log.finish().await;
        assert_eq!(told(&ledger).await.values().sum::<u64>(), 4);
        assert_eq!(journal(&ledger).await.len(), 2, "the first attempt, and the three that came meanwhile");
        assert_eq!(log.figures.dropped.get(), 0);
    }
}

#[tokio::test]
async fn what_the_ledger_does_not_take_at_the_end_is_counted_as_dropped() {
    let ledger = MemoryLedger::new("dead");
    let way = Flaky { ledger: ledger.clone(), failures: AtomicUsize::new(usize::MAX), works_all_the_same: false };
    let log = records(Arc::new(way), ONCE);
    for _ in 0..5 {
        log.note(AccessEvent::Refused(Reason::Expired), network(1));
    }
    assert!(!log.write(log.take(false)).await);
    for _ in 0..7 {
        log.note(AccessEvent::Refused(Reason::Expired), network(1));
        log.note(AccessEvent::Refused(Reason::UnknownPeer), Some(Network::User(1_001)));
    }
    log.finish().await;
    assert_eq!(log.figures.dropped.get(), 5 + 7 + 7);
    assert_eq!(log.figures.each().map(|(_, count)| count).collect::<Vec<_>>(), [12, 7, 0]);
    assert!(journal(&ledger).await.is_empty());
}

#[tokio::test]
async fn records_are_written_behind_the_requests_and_are_links_of_the_chain() {
    let ledger = MemoryLedger::new("chain");
    let log = Arc::new(over(&ledger));
    let stop = CancellationToken::new();
    let task = tokio::spawn({
        let (log, stop) = (Arc::clone(&log), stop.clone());
        async move { log.run(&stop).await }
    });
    log.note(AccessEvent::Refused(Reason::Audience), Some(Network::of("2001:db8::77".parse().unwrap())));
    while ledger.head().await.unwrap().seq == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    log.note(AccessEvent::ConfigurationRefused, None);
    while ledger.head().await.unwrap().seq == 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.cancel();
    task.await.unwrap();
    let mut auditor = Auditor::new("chain");
    let kinds: Vec<_> = journal(&ledger).await.iter().map(|stored| stored.record.event.kind()).collect();
    for stored in journal(&ledger).await {
        auditor.check(&stored).unwrap();
    }
    assert_eq!(kinds, ["sign_in_refused", "configuration_reloaded"]);
}

#[test]
fn every_event_has_a_word_of_its_own() {
    let (reasons, limits) = (Reason::ALL.map(AccessEvent::Refused), Limit::ALL.map(AccessEvent::RateLimited));
    let all = [
        reasons.as_slice(),
        limits.as_slice(),
        &[AccessEvent::LoginRefused, AccessEvent::GrantRefused],
        &[AccessEvent::ConfigurationTaken, AccessEvent::ConfigurationRefused],
    ]
    .concat();
    let words: std::collections::BTreeSet<_> =
        all.iter().map(|event| (event.kind().as_str(), event.as_str())).collect();
    assert_eq!(words.len(), all.len());
}
