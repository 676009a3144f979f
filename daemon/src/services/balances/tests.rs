use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use wallet_core::{
    account::Status,
    model::{ManualClock, MemoryLedger},
    ports::{CachedBalance, StoreError},
    time::SECOND,
};

use super::*;
use crate::{
    adapters::embedded::cache::MemoryCache,
    services::testing::{commit, deposit, id, open},
};

/// A ledger whose clock is some time ahead of this machine's, with two deposits an hour apart; the second is of now.
async fn ahead(micros: i64) -> (Arc<MemoryLedger>, Balances, Timestamp) {
    let (there, here) = (Arc::new(ManualClock::default()), Arc::new(ManualClock::default()));
    let ledger = Arc::new(MemoryLedger::with_clock("test", there.clone()));
    commit(&ledger, "open", [open("w"), deposit("w", "1")]).await;
    there.advance(3_600 * SECOND);
    here.advance(3_600 * SECOND - micros);
    commit(&ledger, "more", [deposit("w", "2")]).await;
    let head = ledger.head().await.unwrap().recorded_at;
    let balances = Balances::new(ledger.clone(), Arc::new(MemoryCache::new()), here);
    (ledger, balances, head)
}

async fn ask(balances: &Balances, at: Option<&str>, known_at: Option<&str>) -> Result<BalanceAt, ServiceError> {
    balances.balance(&id("w"), &Question { at, known_at, ..Question::default() }).await
}

#[tokio::test]
async fn acknowledged_money_is_in_the_present_of_a_clock_that_is_behind() {
    for micros in [0, 1, 700_000] {
        let (_, balances, head) = ahead(micros).await;
        let today = head.to_string()[..10].to_owned();
        for at in [None, Some(head.to_string()), Some(today.clone())] {
            for known_at in [None, Some("3".to_owned()), Some(head.to_string()), Some(today.clone())] {
                let said = ask(&balances, at.as_deref(), known_at.as_deref()).await.unwrap();
                assert_eq!(
                    (said.balance.to_string(), said.seq),
                    ("3.00".to_owned(), 3),
                    "{at:?} {known_at:?} {micros}"
                );
                assert_eq!(said.at, head, "{at:?} {known_at:?} {micros}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_there_yet_is_refused_and_what_was_is_said() {
    let (_, balances, head) = ahead(0).await;
    let before = head.plus_micros(-SECOND).to_string();
    let said = ask(&balances, Some(&before), None).await.unwrap();
    assert_eq!((said.balance.to_string(), said.seq), ("1.00".to_owned(), 3));
    let said = ask(&balances, None, Some("2")).await.unwrap();
    assert_eq!((said.balance.to_string(), said.seq, said.at), ("1.00".to_owned(), 2, head));
    let said = ask(&balances, None, Some(&before)).await.unwrap();
    assert_eq!((said.balance.to_string(), said.seq), ("1.00".to_owned(), 2));
    let later = head.plus_micros(1).to_string();
    for (at, known_at) in [(Some(later.as_str()), None), (None, Some(later.as_str())), (None, Some("4"))] {
        assert!(ask(&balances, at, known_at).await.is_err(), "{at:?} {known_at:?}");
    }
    assert!(ask(&balances, None, Some("0")).await.is_err(), "the wallet was not open yet");
    let question = Question { min_seq: Some(4), ..Question::default() };
    assert!(balances.balance(&id("w"), &question).await.is_err());
    assert!(balances.balance(&id("nobody"), &Question::default()).await.is_err());
}

/// A cache whose follower writes a page between any two questions to it.
struct Followed {
    cache: MemoryCache,
    pages: AtomicU64,
}

impl Followed {
    async fn follow(&self) {
        let from = self.pages.fetch_add(1, Ordering::Relaxed);
        let to = CachePosition { epoch: 1, seq: from + 1 };
        let balance = CachedBalance {
            epoch: 1,
            seq: to.seq,
            balance: Balance::parse_exact("1.00").unwrap(),
            asset: "EUR".parse().unwrap(),
            status: Status::Active,
            recorded_at: Timestamp::from_micros(0),
        };
        self.cache.follow(&[(id("w"), balance)], from, to).await.unwrap();
        self.cache.stamp(to, Timestamp::from_micros(i64::try_from(to.seq).unwrap())).await.unwrap();
    }
}

#[async_trait]
impl BalanceCache for Followed {
    async fn get(&self, wallet: &WalletId) -> Result<(Option<CachedBalance>, u64), StoreError> {
        self.follow().await;
        self.cache.get(wallet).await
    }

    async fn stamped(&self) -> Result<Option<(CachePosition, Timestamp)>, StoreError> {
        self.follow().await;
        self.cache.stamped().await
    }

    async fn put_if_newer(&self, balances: &[(WalletId, CachedBalance)], read_at: u64) -> Result<(), StoreError> {
        self.cache.put_if_newer(balances, read_at).await
    }

    async fn follow(&self, _: &[(WalletId, CachedBalance)], _: u64, _: CachePosition) -> Result<(), StoreError> {
        Ok(())
    }

    async fn position(&self) -> Result<CachePosition, StoreError> {
        self.cache.position().await
    }

    async fn stamp(&self, _: CachePosition, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn clear(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_page_that_is_followed_between_two_questions_is_no_miss() {
    let ledger = Arc::new(MemoryLedger::new("test"));
    let cache = Arc::new(Followed { cache: MemoryCache::new(), pages: AtomicU64::new(0) });
    let balances = Balances::new(ledger, cache, Arc::new(ManualClock::default()));
    // Nobody knows this wallet but the cache.
    let question = Question { cached: true, ..Question::default() };
    let said = balances.balance(&id("w"), &question).await.unwrap();
    assert_eq!((said.balance.to_string(), said.cached_age.is_some()), ("1.00".to_owned(), true));
}
