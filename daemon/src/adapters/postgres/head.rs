//! The head, asked for by many at once: who comes while a question is on its way shares the next one.
//!
//! Nothing is ever answered by a question that was sent before the caller came, so the answer is as new as one of the
//! caller's own would be. Alone, a caller asks at once.

use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Mutex;
use wallet_core::{cut::Cut, ports::StoreError};

use super::STORE;

/// Callers that share answers.
#[derive(Default)]
pub(super) struct Shared {
    /// Questions sent so far.
    sent: AtomicU64,
    /// Held while one is on its way.
    turn: Mutex<()>,
    /// The number of the last question answered, and the answer; none if there was none.
    last: RwLock<(u64, Option<Cut>)>,
}

impl Shared {
    /// Asks, or takes the answer to a question sent after this was called.
    pub(super) async fn ask(&self, ask: impl Future<Output = Result<Cut, StoreError>>) -> Result<Cut, StoreError> {
        let came = self.sent.load(Ordering::SeqCst);
        let _turn = self.turn.lock().await;
        let (number, answer) = *self.last.read().unwrap_or_else(PoisonError::into_inner);
        if number > came {
            return answer
                .ok_or_else(|| StoreError::unavailable(STORE, "it did not answer when it was asked for its head"));
        }
        let number = self.sent.fetch_add(1, Ordering::SeqCst) + 1;
        let answer = ask.await;
        *self.last.write().unwrap_or_else(PoisonError::into_inner) = (number, answer.as_ref().ok().copied());
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use wallet_core::{journal::genesis, time::Timestamp};

    use super::*;

    fn cut(seq: u64) -> Cut {
        Cut { epoch: 1, seq, recorded_at: Timestamp::EPOCH, hash: genesis("test") }
    }

    #[tokio::test]
    async fn many_callers_share_questions_and_none_gets_an_older_answer() {
        let (shared, store, asked) =
            (Arc::<Shared>::default(), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (shared, store, asked) = (Arc::clone(&shared), Arc::clone(&store), Arc::clone(&asked));
            callers.spawn(async move {
                for _ in 0..20 {
                    let written = store.fetch_add(1, Ordering::SeqCst) + 1;
                    let question = async {
                        asked.fetch_add(1, Ordering::SeqCst);
                        let seen = store.load(Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_micros(300)).await;
                        Ok(cut(seen))
                    };
                    let head = shared.ask(question).await.unwrap();
                    assert!(head.seq >= written, "{} is older than {written}", head.seq);
                }
            });
        }
        callers.join_all().await;
        assert!(asked.load(Ordering::SeqCst) < 200, "{} questions of 1,000 callers", asked.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn an_error_is_shared_as_well_and_the_next_caller_asks_again() {
        let shared = Shared::default();
        let down = async { Err(StoreError::unavailable(STORE, "down")) };
        assert!(shared.ask(down).await.is_err());
        assert_eq!(shared.ask(async { Ok(cut(7)) }).await.unwrap().seq, 7);
    }
}
