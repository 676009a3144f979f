use wallet_core::{
    command::{Action, Command, OpenWallet, Request},
    ids::Actor,
    key::ScopedKey,
    model::ManualClock,
    outcome::{Answer, Outcome},
    ports::LedgerStore as _,
    text::Metadata,
};

use super::*;

/// A small ledger in a directory, with a clock of its own.
pub(super) fn options(dir: &Path) -> LedgerOptions {
    LedgerOptions {
        dir: dir.join("ledger"),
        cache_bytes: 1 << 20,
        write_buffer_bytes: 4 << 20,
        reserve_bytes: 0,
        new_id: "small".into(),
        clock: Arc::new(ManualClock::default()),
    }
}

fn opening(name: &str) -> Request {
    let open = OpenWallet {
        id: name.parse().unwrap(),
        owner: "o".parse().unwrap(),
        asset: "EUR".parse().unwrap(),
        overdraft: "0".parse().unwrap(),
        opened_at: None,
        label: "".parse().unwrap(),
        meta: Metadata::default(),
    };
    Request::single(
        Actor::system(),
        Command { key: ScopedKey::shared(name.parse().unwrap()), action: Action::OpenWallet(open) },
    )
}

#[tokio::test]
async fn opened_again_it_holds_what_was_acknowledged_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = FjallLedger::open(options(dir.path())).unwrap();
    for n in 0..20 {
        ledger.commit(&[opening(&format!("w{n}"))]).await.unwrap();
        let head = ledger.head_now();
        ledger.reopen(&mut ledger.writer()).unwrap();
        assert_eq!(ledger.head_now(), head);
        let again = ledger.commit(&[opening(&format!("w{n}"))]).await.unwrap();
        let [Answer::Outcomes { outcomes, .. }] = again.as_slice() else { panic!("{again:?}") };
        assert!(matches!(outcomes.as_slice(), [Outcome::Replayed(_)]), "{outcomes:?}");
    }
}
