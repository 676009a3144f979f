//! Balances at past moments, as known at a cut, against the sum of all entries.

use std::sync::Arc;

use super::{
    Bed, Checked,
    support::{Dice, Error, account, at, commit, done, journal, legs, open, pay, sum, wallet},
};
use crate::{
    account::Account,
    command::{Action, Mode},
    ports::{Known, LedgerStore, step_by_step},
    time::Timestamp,
};

/// Places an entry may come late by.
const LATE: u64 = 200;

/// In which order a wallet's entries come: `effective_at` in seconds, one an entry.
fn shape(name: &str, dice: &mut Dice) -> Vec<i64> {
    match name {
        "in-order" => (0..1_500).map(|n| 1_000 + n / 2).collect(),
        "late" => {
            let mut late = || if dice.below(20) == 0 { dice.seconds(LATE) } else { 0 };
            (0..2_000).map(|n| 1_000 + n - late()).collect()
        }
        "behind" => std::iter::once(90_000).chain((0..1_200).map(|n| n * 3)).collect(),
        "anyhow" => (0..1_200).map(|_| dice.seconds(400)).collect(),
        "newest-first" => (0..400).map(|n| 5_000 - n * 7).collect(),
        _ => vec![3_000],
    }
}

const SHAPES: [&str; 7] = ["in-order", "late", "behind", "anyhow", "newest-first", "one", "none"];

/// Adds entries of every shape, many a commit, wallets and signs mixed.
async fn fill(ledger: &dyn LedgerStore, part: &str, dice: &mut Dice) -> Checked {
    let mut shapes: Vec<_> =
        SHAPES.iter().filter(|name| **name != "none").map(|name| (*name, shape(name, dice).into_iter())).collect();
    let mut commands = Vec::new();
    while !shapes.is_empty() {
        let pick = usize::try_from(dice.below(shapes.len() as u64))?;
        let Some((name, times)) = shapes.get_mut(pick) else { continue };
        let Some(seconds) = times.next() else {
            shapes.remove(pick);
            continue;
        };
        let key = format!("{part}-{}", commands.len());
        let amount = format!("{}.{:02}", dice.below(100), dice.below(99) + 1);
        let (from, to) = if dice.below(3) == 0 { (*name, "-") } else { ("-", *name) };
        commands.push(pay(&key, from, to, &amount, Some(at(seconds)))?);
    }
    for chunk in commands.chunks(1_000) {
        done(ledger, chunk.to_vec()).await?;
    }
    Ok(())
}

async fn filled(bed: &dyn Bed<dyn LedgerStore>, id: &str, dice: &mut Dice) -> Result<Arc<dyn LedgerStore>, Error> {
    let ledger = bed.fresh(id).await?;
    for name in SHAPES {
        done(&*ledger, vec![open(name, "EUR", "unlimited")?]).await?;
    }
    fill(&*ledger, "first", dice).await?;
    Ok(ledger)
}

fn moments(dice: &mut Dice, count: usize) -> Vec<Timestamp> {
    let mut times: Vec<_> = (0..count).map(|_| at(dice.seconds(6_000)).plus_micros(dice.seconds(3) - 1)).collect();
    times.sort();
    times
}

type Legs = Vec<(Timestamp, u64, i128)>;

async fn compare(ledger: &dyn LedgerStore, account: &Account, legs: &Legs, times: &[Timestamp], known: u64) -> Checked {
    let said = ledger.balances_at(account, times, known).await?;
    assert_eq!(said.len(), times.len());
    for (time, said) in times.iter().zip(said) {
        let right = sum(legs, *time, known);
        assert_eq!(said.units(), right, "{} at {time} as known at {known}, of {} points", account.id, times.len());
        assert_eq!(said.scale(), account.scale());
    }
    Ok(())
}

pub(super) async fn past_balances_are_sums_of_entries(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let mut dice = Dice::new(1);
    let ledger = filled(bed, "past", &mut dice).await?;
    let records = journal(&*ledger).await?;
    let head = records.len() as u64;
    for name in SHAPES {
        let (account, legs) = (account(&*ledger, name).await?, legs(&records, &wallet(name)?));
        let runs = account.runs.tails.len();
        let as_dealt = match name {
            "in-order" | "one" => runs == 1 && account.runs.overflow == 0,
            "late" => (2..=16).contains(&runs),
            "behind" => runs == 2,
            "newest-first" => runs == crate::runs::MAX_RUNS && account.runs.overflow > 100,
            "none" => runs == 0,
            _ => runs > 16,
        };
        assert!(as_dealt, "{name} has {runs} runs and {} behind them", account.runs.overflow);
        for _ in 0..80 {
            let known = dice.below(head + 1);
            compare(&*ledger, &account, &legs, &moments(&mut dice, 1), known).await?;
        }
        for time in legs.iter().step_by(97).map(|(time, ..)| *time).chain([Timestamp::MIN, Timestamp::MAX, at(0)]) {
            compare(&*ledger, &account, &legs, &[time], head).await?;
        }
        for (points, known) in
            [(2, head), (7, head / 2), (60, head), (300, head / 3), (2_000, head), (300, 0), (0, head)]
        {
            compare(&*ledger, &account, &legs, &moments(&mut dice, points), known).await?;
        }
        compare(&*ledger, &account, &legs, &[at(1_500), at(1_500), at(1_500)], head).await?;
    }
    Ok(())
}

pub(super) async fn past_balances_never_change(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let mut dice = Dice::new(2);
    let ledger = filled(bed, "unchanged", &mut dice).await?;
    let head = ledger.head().await?.seq;
    let times = moments(&mut dice, 40);
    let mut before = Vec::new();
    for name in SHAPES {
        let account = account(&*ledger, name).await?;
        let said = ledger.balances_at(&account, &times, head).await?;
        before.push((account, said));
    }
    fill(&*ledger, "second", &mut dice).await?;
    for (old, said) in before {
        let name = old.id.to_string();
        let now = account(&*ledger, &name).await?;
        assert_eq!(ledger.balances_at(&now, &times, head).await?, said, "{name} as known at {head} changed");
        assert_eq!(ledger.balances_at(&old, &times, head).await?, said, "{name} by the account of then");
        for (time, said) in times.iter().zip(&said) {
            assert_eq!(ledger.balances_at(&now, &[*time], head).await?, [*said], "{name} at {time} changed");
        }
    }
    Ok(())
}

pub(super) async fn balances_of_many_are_those_of_each(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let mut dice = Dice::new(5);
    let ledger = filled(bed, "many", &mut dice).await?;
    let middle = ledger.head().await?.seq;
    let mut accounts = Vec::new();
    for name in SHAPES {
        accounts.push(account(&*ledger, name).await?);
    }
    fill(&*ledger, "second", &mut dice).await?;
    // As they were and as they are, in no order, and many more than one question takes.
    for name in SHAPES.into_iter().rev() {
        accounts.push(account(&*ledger, name).await?);
    }
    let head = ledger.head().await?.seq;
    for (points, known) in
        [(0, head), (1, head), (1, middle), (1, middle / 2), (1, 0), (7, head), (7, middle), (400, middle), (400, 0)]
    {
        let times = moments(&mut dice, points);
        let mut each = Vec::new();
        for account in &accounts {
            each.push(ledger.balances_at(account, &times, known).await?);
        }
        let many = ledger.balances_of(&accounts, &times, known).await?;
        assert_eq!(many, each, "{points} points as known at {known}");
        let often: Vec<_> = accounts.iter().cycle().take(accounts.len() * 20).cloned().collect();
        let many = ledger.balances_of(&often, &times, known).await?;
        assert_eq!(many.len(), often.len());
        assert!(many.chunks(accounts.len()).all(|again| again == each), "{points} points as known at {known}, often");
    }
    assert!(ledger.balances_of(&[], &moments(&mut dice, 3), head).await?.is_empty());
    Ok(())
}

pub(super) async fn past_balances_outlive_a_restart(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let mut dice = Dice::new(3);
    let ledger = filled(bed, "restarted", &mut dice).await?;
    let ledger = bed.reopen(ledger).await?;
    fill(&*ledger, "second", &mut dice).await?;
    let ledger = bed.reopen(ledger).await?;
    let records = journal(&*ledger).await?;
    for name in SHAPES {
        let (account, legs) = (account(&*ledger, name).await?, legs(&records, &wallet(name)?));
        assert_eq!(account.version, legs.len() as u64);
        assert_eq!(account.balance.units(), sum(&legs, Timestamp::MAX, u64::MAX));
        for known in [records.len() as u64, records.len() as u64 / 2] {
            compare(&*ledger, &account, &legs, &moments(&mut dice, 50), known).await?;
        }
    }
    Ok(())
}

/// Wallets so short that every cut and moment can be looked at: some entries late, some in a group; and one of 1970.
async fn short(ledger: &dyn LedgerStore) -> Checked {
    let mut old = open("old", "EUR", "unlimited")?;
    if let Action::OpenWallet(opened) = &mut old.action {
        opened.opened_at = Some(Timestamp::EPOCH);
    }
    done(ledger, vec![open("short", "EUR", "unlimited")?, old]).await?;
    for (number, seconds) in [0, 40, 20, 10, 60, 60, 30].into_iter().enumerate() {
        done(ledger, vec![pay(&format!("short-{number}"), "-", "short", "1.5", Some(at(seconds)))?]).await?;
    }
    let group: Result<Vec<_>, Error> =
        (0..3).map(|part| pay(&format!("short-g-{part}"), "short", "-", "1", Some(at(25 + part)))).collect();
    commit(ledger, Mode::Atomic, group?).await?;
    for micros in [9, 6, 3, 7, 1] {
        let when = Timestamp::EPOCH.plus_micros(micros);
        done(ledger, vec![pay(&format!("old-{micros}"), "-", "old", "0.05", Some(when))?]).await?;
    }
    done(ledger, vec![pay("short-last", "-", "short", "7", Some(at(5)))?]).await?;
    Ok(())
}

pub(super) async fn a_look_is_what_the_single_questions_say(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let mut dice = Dice::new(4);
    let empty = bed.fresh("looked at while empty").await?;
    for known in [Known::Head, Known::At(0), Known::At(9), Known::By(at(0)), Known::By(Timestamp::MAX)] {
        let look = empty.look(&wallet("nobody")?, None, known).await?;
        assert_eq!((look.head, look.account, look.balance), (empty.head().await?, None, None));
        assert_eq!(look.cut, look.head, "{known:?}");
    }
    let ledger = filled(bed, "looked at", &mut dice).await?;
    short(&*ledger).await?;
    let records = journal(&*ledger).await?;
    let head = records.len() as u64;
    let mut knowns =
        vec![Known::Head, Known::At(0), Known::At(head), Known::By(Timestamp::MIN), Known::By(Timestamp::MAX)];
    for stored in records.iter().rev().take(18).chain(records.iter().step_by(1_501)) {
        let time = stored.record.recorded_at;
        knowns.extend([Known::At(stored.record.seq), Known::By(time), Known::By(time.plus_micros(-1))]);
    }
    for name in SHAPES.into_iter().chain(["short", "old", "nobody"]) {
        let id = wallet(name)?;
        for known in &knowns {
            let times = match name {
                "short" => (-1..62).step_by(4).map(at).collect(),
                "old" => (0..10).step_by(2).map(|micros| Timestamp::EPOCH.plus_micros(micros)).collect(),
                _ => moments(&mut dice, 3),
            };
            for time in times.into_iter().map(Some).chain([None, Some(Timestamp::MAX)]) {
                let right = step_by_step(&*ledger, &id, time, *known).await?;
                assert_eq!(ledger.look(&id, time, *known).await?, right, "{name} at {time:?} as known at {known:?}");
            }
        }
    }
    Ok(())
}
