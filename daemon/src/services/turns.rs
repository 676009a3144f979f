//! Requests that follow others ([`wallet_core::command::OwnKey::behind`]): sent together they may arrive in any order.
//!
//! The queue is first in, first out, so one that goes in behind the other is decided behind it. Only the ledger knows whether the
//! other was answered; here one that is too early waits a moment for the other to go in. That is a matter of speed alone:
//! whoever is let through too early is told so by the ledger, and nothing has happened.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use wallet_core::key::ScopedKey;

/// How long one waits for the other: as long as receiving a large batch takes. The other may also have come by another
/// daemon, or before a restart.
const PATIENCE: Duration = Duration::from_millis(250);
/// Own keys remembered: many more than are under way at a time.
const REMEMBERED: usize = 1_024;

/// The own keys that went into the queue last.
#[derive(Default)]
pub(super) struct Turns {
    queued: Mutex<VecDeque<ScopedKey>>,
    more: Notify,
}

impl Turns {
    fn keys(&self) -> MutexGuard<'_, VecDeque<ScopedKey>> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request with this own key is in the queue.
    pub(super) fn queued(&self, key: ScopedKey) {
        let mut keys = self.keys();
        keys.push_back(key);
        if keys.len() > REMEMBERED {
            keys.pop_front();
        }
        drop(keys);
        self.more.notify_waiters();
    }

    /// Waits until the request with this own key is in the queue, or for as long as is worth it.
    pub(super) async fn wait(&self, key: &ScopedKey) {
        let there = async {
            loop {
                // Made before looking, so that nothing is missed in between.
                let more = self.more.notified();
                // Most wait for one of the last.
                if self.keys().iter().rev().any(|known| known == key) {
                    return;
                }
                more.await;
            }
        };
        // Too long: the ledger says what is the case.
        drop(tokio::time::timeout(PATIENCE, there).await);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn key(name: &str) -> ScopedKey {
        ScopedKey::shared(name.parse().unwrap())
    }

    #[tokio::test]
    async fn one_that_comes_too_early_waits_for_the_other() {
        let turns = Arc::new(Turns::default());
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move { turns.wait(&key("b1")).await }
        });
        tokio::task::yield_now().await;
        turns.queued(key("b0"));
        turns.queued(key("b1"));
        waiting.await.unwrap();
        turns.wait(&key("b0")).await;
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        Turns::default().wait(&key("b1")).await;
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let turns = Turns::default();
        for number in 0..3 * REMEMBERED {
            turns.queued(key(&format!("b{number}")));
        }
        assert_eq!(turns.keys().len(), REMEMBERED);
    }
}
