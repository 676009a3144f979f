use std::sync::Arc;

use wallet_core::{
    ids::{AccountId, Actor, Owner, RequestId, TransactionId},
    journal::{Event, Record, Reverses, TransactionKind, genesis},
    key::{KeyScope, ScopedKey},
    money::Balance,
    outcome::Outcome,
    time::Timestamp,
};

use super::*;
use crate::services::identity::Caller;

fn context(only: Option<&str>) -> Context {
    let caller = Caller {
        actor: "alice".parse().unwrap(),
        scope: KeyScope::Shared,
        roles: Arc::new([]),
        permissions: Arc::new([]),
        owner: None,
        token: None,
    };
    let only = only.map(|owner| owner.parse::<Owner>().unwrap());
    Context { caller, only, request_id: RequestId::numbered(1, 2), trace: None, key: None }
}

fn leg(account: AccountId, units: i128) -> Leg {
    let money = |units| Balance::from_units(units, 2).unwrap();
    Leg { account, amount: money(units), balance_after: money(units * 3 - 7), version: 4 }
}

/// A transaction of each kind, between wallets and from or to outside.
fn transactions() -> Vec<Stored> {
    let wallet = |id: &str| AccountId::Wallet(id.parse().unwrap());
    let outside = || AccountId::External("EUR".parse().unwrap());
    let sides = [
        (TransactionKind::Deposit, outside(), wallet("w-1")),
        (TransactionKind::Withdrawal, wallet("w-1"), outside()),
        (TransactionKind::Transfer, wallet("w-1"), wallet("w-2")),
        (TransactionKind::Reversal, wallet("w-2"), wallet("w-1")),
    ];
    let texts = ["", "plain", "with \"quotes\", \\ and ü"];
    let both = sides.into_iter().flat_map(|sides| texts.map(|text| (sides.clone(), text)));
    let made = both.map(|((kind, debit, credit), text)| {
        let undone = (kind == TransactionKind::Reversal).then_some(TransactionId { epoch: 1, seq: 8 });
        let meta = [("a", text), ("b", "1")];
        let transaction = Transaction {
            kind,
            amount: Balance::from_units(1_234, 2).unwrap().magnitude().unwrap(),
            asset: "EUR".parse().unwrap(),
            effective_at: Timestamp::from_micros(1_700_000_000_123_456),
            effective_given: true,
            memo: text.parse().unwrap(),
            meta: Metadata::new(meta.into_iter().filter(|_| !text.is_empty())).unwrap(),
            debit: leg(debit, -1_234),
            credit: leg(credit, 1_234),
            reverses: undone.map(|transaction| Reverses { transaction, allow_negative: false }),
        };
        let scope = if text.is_empty() { KeyScope::Shared } else { KeyScope::User("bob".into()) };
        let record = Record {
            seq: 17,
            epoch: 2,
            recorded_at: Timestamp::from_micros(1_700_000_000_123_457),
            actor: if text.is_empty() { "alice".parse().unwrap() } else { Actor::system() },
            key: (text != "plain").then(|| ScopedKey::new(scope, "pay-7".parse().unwrap())),
            request: None,
            group: None,
            event: Event::Transaction(transaction),
        };
        Stored::seal(record, genesis("test"), None)
    });
    made.collect()
}

#[test]
fn what_is_written_straight_away_is_what_the_wire_types_say() {
    for stored in transactions() {
        let t = stored.record.transaction().unwrap();
        for (context, credit) in [(context(None), true), (context(Some("alice")), false)] {
            let sides = Sides { debit: true, credit };
            for (outcome, dry_run) in [
                (Outcome::Ok(Arc::new(stored.clone())), false),
                (Outcome::Ok(Arc::new(stored.clone())), true),
                (Outcome::Replayed(Arc::new(stored.clone())), false),
                (Outcome::Replayed(Arc::new(stored.clone())), true),
            ] {
                let new = dry_run && outcome.as_str() == "ok";
                let expected = posted(&outcome, dry_run, transaction(&stored, t, &context, sides, new));
                let written = made(&outcome, (&stored, t), &context, sides, (dry_run, new));
                assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&expected).unwrap());
            }
        }
    }
}
