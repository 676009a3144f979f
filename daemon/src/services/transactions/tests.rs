use std::{collections::BTreeSet, sync::Mutex, time::Duration};

use wallet_core::{
    model::{ManualClock, MemoryLedger},
    outcome::Outcome,
    ports::Clock,
};

use super::*;
use crate::{
    adapters::embedded::cache::MemoryCache,
    services::testing::{deposit, open, request},
};

const LIMITS: Limits = Limits { requests: 1_000, commands: 1_000 };

/// A clock that sees in which threads commits are decided.
#[derive(Default)]
struct Seen {
    clock: ManualClock,
    threads: Mutex<BTreeSet<String>>,
}

impl Clock for Seen {
    fn now(&self) -> Timestamp {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        self.threads.lock().unwrap().insert(name);
        self.clock.now()
    }

    fn jump(&self) -> i64 {
        self.clock.jump()
    }

    fn accept(&self) {
        self.clock.accept();
    }
}

struct Whole {
    service: Arc<Transactions>,
    ledger: MemoryLedger,
    head: watch::Receiver<u64>,
    seen: Arc<Seen>,
}

impl Whole {
    async fn start() -> Self {
        let seen = Arc::new(Seen::default());
        let ledger = MemoryLedger::with_clock("test", seen.clone());
        ledger.commit(&[request("open", [open("w")])]).await.unwrap();
        seen.threads.lock().unwrap().clear();
        let (told, head) = watch::channel(1);
        let runtime = tokio::runtime::Handle::current();
        let (service, _) =
            Transactions::start(Arc::new(ledger.clone()), Arc::new(MemoryCache::new()), told, LIMITS, &runtime)
                .unwrap();
        Self { service: Arc::new(service), ledger, head, seen }
    }

    /// So many tasks, each asking so many times, one request after the other.
    async fn ask(&mut self, tasks: u64, times: u64) {
        let asking = (0..tasks).map(|task| {
            let service = Arc::clone(&self.service);
            tokio::spawn(async move {
                for n in 0..times {
                    let answer = service.submit(request(&format!("k-{task}-{n}"), [deposit("w", "1.00")])).await;
                    let Ok(Answer::Outcomes { outcomes, replayed: false }) = answer else { panic!("{answer:?}") };
                    assert!(matches!(outcomes.as_slice(), [Outcome::Ok(_)]), "{outcomes:?}");
                }
            })
        });
        for asked in asking.collect::<Vec<_>>() {
            asked.await.unwrap();
        }
        let records = 1 + tasks * times;
        assert_eq!(self.ledger.head().await.unwrap().seq, records);
        let told = self.head.wait_for(|head| *head == records);
        tokio::time::timeout(Duration::from_secs(10), told).await.unwrap().unwrap();
        assert_eq!(self.service.waiting(), 0);
    }

    fn threads(&self) -> BTreeSet<String> {
        self.seen.threads.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_alone_is_committed_where_it_came_in() {
    let mut whole = Whole::start().await;
    whole.ask(1, 100).await;
    assert!(!whole.threads().contains("ledger-writer"), "{:?}", whole.threads());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_of_a_crowd_is_answered_once_and_told_of() {
    Whole::start().await.ask(32, 50).await;
}

#[tokio::test]
async fn where_a_thread_has_other_tasks_that_cannot_go_elsewhere_the_writer_commits() {
    let mut whole = Whole::start().await;
    whole.ask(8, 20).await;
    assert_eq!(whole.threads(), ["ledger-writer".to_owned()].into());
}
