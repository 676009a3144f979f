//! Questions of one kind, asked by many at once: who comes while a few are on their way is asked for together with others.
//!
//! A statement costs the server and this program the same two or three dozen microseconds (messages, wake-ups, setting a
//! plan up) whether it answers one question or fifty. So at most [`ON_THEIR_WAY`] statements are under way, and when one is
//! answered, the next takes all that wait. A caller that finds a free place asks at once, alone. No question is ever
//! answered by a statement that was sent before it came.
//!
//! There is no task of its own: a caller whose turn it is asks for itself and for those behind it. If that caller goes
//! away, the others are put back and the turn is another's.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;
use wallet_core::ports::StoreError;

use super::{
    STORE,
    errors::{damaged, too_slow},
};

/// Statements of one kind under way at a time: enough to keep a server busy while one is on the way back.
const ON_THEIR_WAY: usize = 2;
/// Questions of one statement: beyond this it gets no cheaper for each, and all wait for the last.
const MOST: usize = 64;

/// Questions of one kind.
pub(super) struct Gather<Q, A> {
    state: Mutex<State<Q, A>>,
}

struct State<Q, A> {
    /// Statements under way, or about to be.
    turns: usize,
    waiting: VecDeque<Waiting<Q, A>>,
}

struct Waiting<Q, A> {
    question: Q,
    caller: oneshot::Sender<Told<Q, A>>,
}

/// What a caller that waits is told.
enum Told<Q, A> {
    Answer(Result<A, StoreError>),
    /// It is its turn to ask, its own question first.
    Turn(Turn<Q, A>, Q),
}

/// A turn with the question that takes it, or where its caller will be told.
type Taken<Q, A> = Result<(Turn<Q, A>, Q), oneshot::Receiver<Told<Q, A>>>;

/// One of the places for statements. Dropped, it goes to who waits longest.
struct Turn<Q, A> {
    of: Arc<Gather<Q, A>>,
}

impl<Q, A> Drop for Turn<Q, A> {
    fn drop(&mut self) {
        let next = {
            let mut state = self.of.state();
            loop {
                match state.waiting.pop_front() {
                    None => {
                        state.turns = state.turns.saturating_sub(1);
                        return;
                    }
                    // Who went away is not asked for.
                    Some(next) if next.caller.is_closed() => {}
                    Some(next) => break next,
                }
            }
        };
        // Gone in this very moment, it drops the turn, which goes on to the next.
        drop(next.caller.send(Told::Turn(Turn { of: Arc::clone(&self.of) }, next.question)));
    }
}

/// What has come of a question.
pub(super) enum Come<Q, A> {
    /// Its answer.
    Answer(A),
    /// A turn: these are to be asked.
    Ask(Asked<Q, A>),
}

/// Questions that are asked together. Dropped before they are answered, all but the first are put back in front.
pub(super) struct Asked<Q, A> {
    turn: Turn<Q, A>,
    questions: Vec<Q>,
    /// Of all but the first.
    callers: Vec<oneshot::Sender<Told<Q, A>>>,
}

impl<Q, A> Drop for Asked<Q, A> {
    fn drop(&mut self) {
        let others = self.questions.drain(..).skip(1).zip(self.callers.drain(..));
        let mut state = self.turn.of.state();
        for (question, caller) in others.rev() {
            state.waiting.push_front(Waiting { question, caller });
        }
    }
}

impl<Q, A> Default for Gather<Q, A> {
    fn default() -> Self {
        Self { state: Mutex::new(State { turns: 0, waiting: VecDeque::new() }) }
    }
}

impl<Q, A> Gather<Q, A> {
    fn state(&self) -> MutexGuard<'_, State<Q, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn to ask, for this question and others, or the answer that another caller asked for. Waits at most `limit`.
    pub(super) async fn come(self: &Arc<Self>, question: Q, limit: Duration) -> Result<Come<Q, A>, StoreError> {
        let (turn, question) = match self.turn(question) {
            Ok(first) => first,
            Err(told) => match tokio::time::timeout(limit, told).await {
                Ok(Ok(Told::Answer(answer))) => return answer.map(Come::Answer),
                Ok(Ok(Told::Turn(turn, question))) => (turn, question),
                // Nobody drops a caller that waits without telling it something.
                Ok(Err(_)) => return Err(StoreError::unavailable(STORE, "a question was dropped")),
                Err(_) => return Err(too_slow()),
            },
        };
        Ok(Come::Ask(self.behind(turn, question)))
    }

    /// A turn, if one is free.
    fn turn(self: &Arc<Self>, question: Q) -> Taken<Q, A> {
        let mut state = self.state();
        if state.turns < ON_THEIR_WAY {
            state.turns += 1;
            return Ok((Turn { of: Arc::clone(self) }, question));
        }
        let (caller, told) = oneshot::channel();
        state.waiting.push_back(Waiting { question, caller });
        Err(told)
    }

    /// A question with those that wait behind it.
    fn behind(&self, turn: Turn<Q, A>, question: Q) -> Asked<Q, A> {
        let mut asked = Asked { turn, questions: vec![question], callers: Vec::new() };
        let mut state = self.state();
        while asked.questions.len() < MOST
            && let Some(next) = state.waiting.pop_front()
        {
            if !next.caller.is_closed() {
                asked.questions.push(next.question);
                asked.callers.push(next.caller);
            }
        }
        drop(state);
        asked
    }
}

impl<Q, A> Asked<Q, A> {
    pub(super) fn questions(&self) -> &[Q] {
        &self.questions
    }

    /// Tells each its answer, in the order of the questions; gives the first.
    pub(super) fn answered(mut self, answers: Result<Vec<A>, StoreError>) -> Result<A, StoreError> {
        let callers = std::mem::take(&mut self.callers);
        // Whoever is next need not wait for these to be told.
        drop(self);
        match answers {
            Ok(answers) => {
                let mut answers = answers.into_iter();
                let missing = || damaged("a question has no answer");
                let own = answers.next().ok_or_else(missing);
                for caller in callers {
                    drop(caller.send(Told::Answer(answers.next().ok_or_else(missing))));
                }
                own
            }
            Err(error) => {
                for caller in callers {
                    drop(caller.send(Told::Answer(Err(alike(&error)))));
                }
                Err(error)
            }
        }
    }
}

/// An error for another caller of the same statement. Reading does nothing that could be uncertain.
fn alike(error: &StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { store, what } => StoreError::corrupt(store, what),
        StoreError::DiskFull { store } => StoreError::DiskFull { store },
        StoreError::Unavailable { store, source } => StoreError::unavailable(store, source.to_string()),
        other => StoreError::unavailable(STORE, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::identity,
        sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    };

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// A store that counts up: a question is a number, the answer what the store has counted to.
    #[derive(Default)]
    struct Store {
        gather: Arc<Gather<u64, (u64, u64)>>,
        written: AtomicU64,
        statements: AtomicUsize,
        under_way: AtomicUsize,
        most: AtomicUsize,
    }

    impl Store {
        async fn statement(&self, questions: &[u64]) -> Vec<(u64, u64)> {
            self.statements.fetch_add(1, Ordering::SeqCst);
            let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(under_way, Ordering::SeqCst);
            assert!(questions.len() <= MOST);
            let seen = self.written.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_micros(300)).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            questions.iter().map(|question| (*question, seen)).collect()
        }

        async fn ask(&self, question: u64) -> Result<(u64, u64), StoreError> {
            match self.gather.come(question, LONG).await? {
                Come::Answer(answer) => Ok(answer),
                Come::Ask(asked) => {
                    let answers = self.statement(asked.questions()).await;
                    asked.answered(Ok(answers))
                }
            }
        }
    }

    #[tokio::test]
    async fn many_share_statements_and_each_gets_its_own_answer_never_an_older_one() {
        let store = Arc::<Store>::default();
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..200_u64 {
            let store = Arc::clone(&store);
            callers.spawn(async move {
                for round in 0..10 {
                    let written = store.written.fetch_add(1, Ordering::SeqCst) + 1;
                    let (question, seen) = store.ask(caller * 10 + round).await.unwrap();
                    assert_eq!(question, caller * 10 + round);
                    assert!(seen >= written, "{seen} is older than {written}");
                }
            });
        }
        callers.join_all().await;
        assert!(store.most.load(Ordering::SeqCst) <= ON_THEIR_WAY);
        let statements = store.statements.load(Ordering::SeqCst);
        assert!(statements < 400, "{statements} statements of 2,000 questions");
        assert_eq!(store.gather.state().turns, 0);
    }

    #[tokio::test]
    async fn alone_a_caller_asks_at_once_for_itself() {
        let store = Store::default();
        for question in 0..5 {
            assert_eq!(store.ask(question).await.unwrap().0, question);
        }
        assert_eq!(store.statements.load(Ordering::SeqCst), 5);
    }

    #[tokio::test]
    async fn who_goes_away_takes_nobody_with_it() {
        let store = Arc::<Store>::default();
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..300_u64 {
            let store = Arc::clone(&store);
            callers.spawn(async move {
                // Every third gives up: some with a statement under way, some while they wait for one.
                let patience = if caller % 3 == 0 { Duration::from_micros(100 * (caller % 20)) } else { LONG };
                tokio::time::timeout(patience, store.ask(caller)).await.is_ok_and(|answer| answer.unwrap().0 == caller)
            });
        }
        let answered = callers.join_all().await.into_iter().filter(|answered| identity(*answered)).count();
        assert!(answered >= 200, "{answered} were answered");
        assert_eq!(store.gather.state().turns, 0);
        assert!(store.gather.state().waiting.is_empty());
        assert_eq!(store.ask(7).await.unwrap().0, 7);
    }

    #[tokio::test]
    async fn an_error_is_every_callers_and_the_next_ask_again() {
        let gather = Arc::<Gather<u64, u64>>::default();
        let Come::Ask(first) = gather.come(1, LONG).await.unwrap() else { panic!("no turn") };
        let Come::Ask(second) = gather.come(2, LONG).await.unwrap() else { panic!("no turn") };
        let others: Vec<_> = (3..6)
            .map(|question| {
                let gather = Arc::clone(&gather);
                tokio::spawn(async move {
                    match gather.come(question, LONG).await? {
                        Come::Answer(answer) => Ok(answer),
                        Come::Ask(asked) => asked.answered(Err(damaged("everything"))),
                    }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(first.answered(Ok(vec![10])).unwrap(), 10);
        for other in others {
            assert!(matches!(other.await.unwrap(), Err(StoreError::Corrupt { .. })));
        }
        assert_eq!(second.answered(Ok(vec![20])).unwrap(), 20);
        assert!(matches!(gather.come(9, LONG).await.unwrap(), Come::Ask(asked) if asked.questions() == [9]));
    }
}
