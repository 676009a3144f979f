use std::sync::Mutex;

use async_trait::async_trait;
use tempfile::TempDir;
use wallet_core::{
    account::Status,
    command::StatusChange,
    model::{ManualClock, MemoryLedger},
    outcome::Outcome,
};

use super::*;
use crate::{
    adapters::embedded::wallets::SqliteWallets,
    services::testing::{Direct, commit, deposit, id, limit, open, request, status},
};

/// A way to the writer that fails as it is told, before or after the commit.
struct Failing {
    direct: Direct,
    next: Mutex<Option<(SubmitError, bool)>>,
}

#[async_trait]
impl Commits for Failing {
    async fn submit(&self, request: Request) -> Result<Answer, SubmitError> {
        let next = self.next.lock().unwrap().take();
        match next {
            None => self.direct.submit(request).await,
            Some((error, committed)) => {
                if committed {
                    self.direct.submit(request).await?;
                }
                Err(error)
            }
        }
    }
}

struct Bench {
    ledger: MemoryLedger,
    store: SqliteWallets,
    commits: Arc<Failing>,
    clock: Arc<ManualClock>,
    wallets: Wallets,
    _dir: TempDir,
}

fn bench() -> Bench {
    let dir = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::default());
    let ledger = MemoryLedger::with_clock("test", clock.clone());
    let store = SqliteWallets::open(&dir.path().join("wallets.sqlite")).unwrap();
    let commits = Arc::new(Failing { direct: Direct(ledger.clone()), next: Mutex::default() });
    let wallets = Wallets::new(Arc::new(store.clone()), Arc::new(ledger.clone()), commits.clone(), clock.clone());
    Bench { ledger, store, commits, clock, wallets, _dir: dir }
}

impl Bench {
    async fn state(&self, wallet: &str) -> Option<&'static str> {
        self.store.get(&id(wallet)).await.unwrap().map(|row| row.state.as_str())
    }
}

fn words(answer: &Answer) -> Vec<&'static str> {
    match answer {
        Answer::Outcomes { outcomes, .. } => outcomes.iter().map(Outcome::as_str).collect(),
        Answer::OwnKeyConflict => vec!["own_key_conflict"],
        Answer::OutOfTurn => vec!["out_of_turn"],
    }
}

#[tokio::test]
async fn an_opened_wallet_has_an_active_row_and_a_refused_one_has_none() {
    let bench = bench();
    let unknown = Action::OpenWallet(wallet_core::command::OpenWallet {
        asset: "NOPE".parse().unwrap(),
        ..match open("x") {
            Action::OpenWallet(open) => open,
            other => panic!("{other:?}"),
        }
    });
    let answer = bench.wallets.open(request("a", [open("w"), unknown, open("w")])).await.unwrap();
    assert_eq!(words(&answer), ["ok", "refused", "refused"]);
    assert_eq!((bench.state("w").await, bench.state("x").await), (Some("active"), None));
    let row = bench.store.get(&id("w")).await.unwrap().unwrap();
    assert_eq!((row.overdraft.as_str(), row.label.as_str(), row.meta.get("branch")), ("0.00", "a purse", Some("12")));
}

#[tokio::test]
async fn opening_again_with_the_same_key_replays_and_keeps_the_row() {
    let bench = bench();
    bench.wallets.open(request("a", [open("w")])).await.unwrap();
    bench.wallets.change(request("b", [status("w", StatusChange::Freeze)])).await.unwrap();
    let again = bench.wallets.open(request("a", [open("w")])).await.unwrap();
    assert_eq!(words(&again), ["replayed"]);
    assert_eq!(bench.state("w").await, Some("frozen"));
}

#[tokio::test]
async fn what_certainly_did_not_happen_leaves_no_row() {
    let bench = bench();
    for error in [SubmitError::Overloaded, SubmitError::Stopping, StoreError::DiskFull { store: "ledger" }.into()] {
        *bench.commits.next.lock().unwrap() = Some((error, false));
        assert!(bench.wallets.open(request("a", [open("w")])).await.is_err());
        assert_eq!(bench.state("w").await, None);
    }
}

#[tokio::test]
async fn the_reconciler_settles_what_a_lost_answer_left_opening() {
    let bench = bench();
    for (wallet, committed) in [("there", true), ("gone", false)] {
        *bench.commits.next.lock().unwrap() = Some((StoreError::uncertain("ledger", "cut off").into(), committed));
        assert!(bench.wallets.open(request(wallet, [open(wallet)])).await.is_err());
        assert_eq!(bench.state(wallet).await, Some("opening"));
    }
    let asked = bench.clock.now();
    bench.clock.advance(1);
    *bench.commits.next.lock().unwrap() = Some((StoreError::uncertain("ledger", "cut off").into(), false));
    assert!(bench.wallets.open(request("young", [open("young")])).await.is_err());
    commit(&bench.ledger, "pay", [deposit("there", "5"), status("there", StatusChange::Freeze)]).await;
    assert_eq!(bench.wallets.reconcile(asked).await.unwrap(), 2);
    assert_eq!((bench.state("there").await, bench.state("gone").await), (Some("frozen"), None));
    assert_eq!(bench.state("young").await, Some("opening"), "its request may still be under way");
    let row = bench.store.get(&id("there")).await.unwrap().unwrap();
    assert_eq!((row.label.as_str(), row.seq), ("a purse", 3));
}

#[tokio::test]
async fn changes_reach_the_row_in_the_order_of_the_journal() {
    let bench = bench();
    bench.wallets.open(request("a", [open("w")])).await.unwrap();
    let steps = [limit("w", "20"), status("w", StatusChange::Freeze), limit("w", "unlimited")];
    let answer = bench.wallets.change(request("b", steps)).await.unwrap();
    assert_eq!(words(&answer), ["ok", "ok", "ok"]);
    let row = bench.store.get(&id("w")).await.unwrap().unwrap();
    assert_eq!((row.state.as_str(), row.overdraft.as_str(), row.seq), ("frozen", "unlimited", 4));
    let refused = bench.wallets.change(request("c", [status("w", StatusChange::Freeze)])).await.unwrap();
    assert_eq!(words(&refused), ["refused"]);
}

#[tokio::test]
async fn a_wallet_is_shown_as_the_ledger_has_it() {
    let bench = bench();
    bench.wallets.open(request("a", [open("w")])).await.unwrap();
    commit(&bench.ledger, "pay", [deposit("w", "12.50"), status("w", StatusChange::Freeze)]).await;
    assert_eq!(bench.state("w").await, Some("active"), "the row is behind");
    let shown = bench.wallets.show(&id("w")).await.unwrap().unwrap();
    assert_eq!(shown.row.state, WalletState::Open(Status::Frozen));
    assert_eq!((shown.balance.unwrap().to_string().as_str(), shown.row.seq), ("12.50", 3));
    bench.store.clear().await.unwrap();
    assert_eq!(bench.wallets.show(&id("w")).await.unwrap(), Some(shown), "a lost row is made from the journal");
    assert_eq!(bench.wallets.show(&id("nobody")).await.unwrap(), None);
}

#[tokio::test]
async fn a_preview_writes_nothing_anywhere() {
    let bench = bench();
    let answer = bench.wallets.preview(request("a", [open("w")])).await.unwrap();
    assert_eq!(words(&answer), ["ok"]);
    assert_eq!((bench.state("w").await, bench.ledger.head().await.unwrap().seq), (None, 0));
}

#[tokio::test]
async fn a_lost_row_comes_back_with_the_next_change() {
    let bench = bench();
    bench.wallets.open(request("a", [open("w")])).await.unwrap();
    bench.store.clear().await.unwrap();
    bench.wallets.change(request("b", [limit("w", "7.5")])).await.unwrap();
    let row = bench.store.get(&id("w")).await.unwrap().unwrap();
    assert_eq!((row.state.as_str(), row.overdraft.as_str(), row.label.as_str()), ("active", "7.50", "a purse"));
}
