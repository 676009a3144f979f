//! What a past balance costs, in reads: never in time, which is the machine's.

use wallet_core::{
    command::{Action, Command, Mode, Move, OpenWallet, Request},
    ids::{Actor, WalletId},
    key::ScopedKey,
    outcome::{Answer, Outcome},
    ports::LedgerStore as _,
    text::Metadata,
};

use super::*;
use crate::adapters::embedded::ledger::{FjallLedger, tests::options};

/// Numbers that are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// When entry `index` of `count` counts, in seconds.
fn at(shape: &str, index: u64, count: u64, dice: &mut Dice) -> i64 {
    let place = match shape {
        "5 % late" if dice.below(20) == 0 => index.saturating_sub(dice.below(200) + 1),
        "behind a live entry" if index == 0 => count + 1,
        "one very late" if index + 1 == count => 0,
        _ => index,
    };
    i64::try_from(place).unwrap()
}

fn id(name: &str) -> WalletId {
    name.parse().unwrap()
}

async fn commit(ledger: &FjallLedger, key: &str, actions: Vec<Action>) {
    let key = |n| ScopedKey::shared(format!("{key}-{n}").parse().unwrap());
    let commands = actions.into_iter().zip(0..).map(|(action, n)| Command { key: key(n), action }).collect();
    let (actor, mode) = (Actor::system(), Mode::Continue);
    let request = Request { actor, only: None, id: None, trace: None, mode, commands, own_key: None };
    let answers = ledger.commit(&[request]).await.unwrap();
    let [Answer::Outcomes { outcomes, .. }] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Ok(_))), "{outcomes:?}");
}

/// The most reads of many random questions to a history, and how many runs it has. Every answer is checked: each entry
/// is 0.01, so a balance is a number of entries. One in ten asks at the head.
async fn most_reads(shape: &str, count: u64) -> (Reads, u64) {
    let dir = tempfile::tempdir().unwrap();
    let options = options(dir.path());
    let mut ledger = FjallLedger::open(options.clone()).unwrap();
    let open = OpenWallet {
        id: id("w"),
        owner: "o".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        overdraft: "0".parse().unwrap(),
        opened_at: Some(Timestamp::EPOCH),
        label: "".parse().unwrap(),
        meta: Metadata::default(),
    };
    commit(&ledger, "open", vec![Action::OpenWallet(open)]).await;
    let first = ledger.head().await.unwrap().seq;
    let mut dice = Dice(7);
    let times: Vec<_> = (0..count).map(|index| at(shape, index, count, &mut dice)).collect();
    for (chunk, times) in times.chunks(1_000).enumerate() {
        let deposit = |seconds: &i64| {
            Action::Move(Move {
                from: None,
                to: Some(id("w")),
                amount: "0.01".parse().unwrap(),
                asset: "EUR".parse().unwrap(),
                effective_at: Some(Timestamp::EPOCH.plus_micros(seconds * 1_000_000)),
                memo: "".parse().unwrap(),
                meta: Metadata::default(),
            })
        };
        commit(&ledger, &format!("c{chunk}"), times.iter().map(deposit).collect()).await;
        // What it had in memory between two marks is read back.
        if chunk % 3 == 0 {
            drop(ledger);
            ledger = FjallLedger::open(options.clone()).unwrap();
        }
    }
    let account = ledger.account(&id("w")).await.unwrap().unwrap();
    let store = ledger.engine().unwrap();
    let snapshot = store.db.snapshot();
    let mut most = Reads::default();
    for _ in 0..300 {
        let (seconds, known) = (i64::try_from(dice.below(count + 2)).unwrap(), dice.below(count + 1));
        let known = if dice.below(10) == 0 { count } else { known };
        let search = Search::new(&snapshot, &store, &account);
        let time = Timestamp::EPOCH.plus_micros(seconds * 1_000_000);
        let said = search.balances(&[time], first + known).unwrap();
        let known = usize::try_from(known).unwrap();
        let right = times.iter().take(known).filter(|at| **at <= seconds).count();
        assert_eq!(
            said.first().map(|sum| sum.units()),
            Some(right as i128),
            "{shape}: {seconds} s as known at {known}"
        );
        let reads = search.reads();
        most = Reads { seeks: most.seeks.max(reads.seeks), rows: most.rows.max(reads.rows) };
    }
    (most, account.runs.tails.len() as u64)
}

#[tokio::test]
async fn a_past_balance_takes_as_many_reads_in_a_long_history_as_in_a_short_one() {
    for shape in ["in order", "5 % late", "behind a live entry", "one very late"] {
        for count in [1_000, 20_000] {
            let (most, runs) = most_reads(shape, count).await;
            let what = format!("{shape}, {count} entries, {runs} runs: {most:?}");
            // The mark, of many runs the next one, and one place a run.
            let marks = if runs < MANY_RUNS as u64 { 1 } else { 2 };
            assert!(most.seeks <= marks + runs, "{what}");
            // What stands behind the mark, and where a run's reading ends.
            assert!(most.rows <= MARK_EVERY + marks + runs, "{what}");
        }
    }
}
