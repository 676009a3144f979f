//! What a commit does and does not do.

use super::{
    Bed, Checked,
    support::{
        Error, account, balance, command, commit, done, journal, noted, open, outcomes, pay, pay_in, request, reverse,
        together, wallet, words,
    },
};
use crate::{
    account::{Floor, Status},
    asset::Asset,
    command::{Action, Command, Mode, SetLimit, SetStatus, StatusChange},
    cut::Cut,
    ids::TransactionId,
    journal::{AccessKind, genesis},
    key::ScopedKey,
    ports::LedgerStore,
    time::Timestamp,
};

pub(super) fn step(name: &str, id: &str, change: StatusChange) -> Result<Command, Error> {
    command(name, Action::SetStatus(SetStatus { wallet: wallet(id)?, change, reason: "asked".parse()? }))
}

fn limit(name: &str, id: &str, overdraft: &str) -> Result<Command, Error> {
    let set = SetLimit { wallet: wallet(id)?, overdraft: overdraft.parse()?, reason: "asked".parse()? };
    command(name, Action::SetLimit(set))
}

pub(super) async fn an_empty_ledger_is_its_genesis(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("empty").await?;
    let start = Cut { epoch: 1, seq: 0, recorded_at: Timestamp::EPOCH, hash: genesis("empty") };
    let ledger = bed.reopen(ledger).await?;
    assert_eq!(ledger.id(), "empty");
    assert_eq!(ledger.head().await?, start);
    for seq in [0, 1, u64::MAX] {
        assert_eq!(ledger.cut_at(seq).await?, start);
    }
    assert_eq!(ledger.cut_at_time(Timestamp::MAX).await?, start);
    assert!(ledger.records(0, 10).await?.is_empty());
    assert!(ledger.record(0).await?.is_none() && ledger.record(1).await?.is_none());
    assert!(ledger.account(&wallet("a")?).await?.is_none());
    assert!(ledger.accounts(None, 10).await?.is_empty());
    assert!(ledger.externals().await?.is_empty());
    assert_eq!(ledger.assets().await?.registered().count(), 0);
    Ok(())
}

pub(super) async fn records_follow_each_other_without_gaps(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("gapless").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?, open("b", "EUR", "0")?]).await?;
    for round in 0..5 {
        let mut requests = Vec::new();
        for part in 0..4 {
            let good = pay(&format!("in-{round}-{part}"), "-", "a", "1.00", None)?;
            let bad = pay(&format!("bad-{round}-{part}"), "b", "a", "1.00", None)?;
            requests.push(request(Mode::Continue, vec![bad.clone(), good])?);
            requests.push(request(Mode::Atomic, vec![bad])?);
        }
        assert_eq!(ledger.commit(&requests).await?.len(), 8);
    }
    let records = journal(&*ledger).await?;
    assert_eq!(records.len(), 22);
    assert_eq!(ledger.commit(&[]).await?.len(), 0);
    let trace = records.last().and_then(|last| last.trace.clone());
    assert!(trace.is_some_and(|trace| trace.starts_with("00-")), "the trace beside a record is lost");
    let ledger = bed.reopen(ledger).await?;
    assert_eq!(journal(&*ledger).await?, records);
    for stored in &records {
        assert_eq!(ledger.record(stored.record.seq).await?.as_ref(), Some(stored));
        assert_eq!(ledger.cut_at(stored.record.seq).await?, stored.cut());
    }
    done(&*ledger, vec![pay("after", "-", "b", "1", None)?]).await?;
    assert_eq!(journal(&*ledger).await?.len(), 23);
    Ok(())
}

/// Per asset, wallets and outside together are nothing.
pub(super) async fn balanced(ledger: &dyn LedgerStore) -> Checked {
    let mut sums = std::collections::BTreeMap::new();
    let mut all = ledger.accounts(None, usize::MAX).await?;
    all.extend(ledger.externals().await?);
    for account in all {
        *sums.entry(account.asset).or_insert(0) += account.balance.units();
    }
    assert!(sums.values().all(|sum| *sum == 0), "{sums:?}");
    Ok(())
}

pub(super) async fn all_balances_of_an_asset_sum_to_zero(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("sums").await?;
    let opens = [("e1", "EUR"), ("e2", "EUR"), ("j1", "JPY"), ("x1", "XTOY")];
    let register = Asset { code: "XTOY".parse()?, scale: 18 };
    done(&*ledger, vec![command("xtoy", Action::RegisterAsset(register))?]).await?;
    for (id, asset) in opens {
        done(&*ledger, vec![open(id, asset, "0")?]).await?;
    }
    let moves = vec![
        pay("1", "-", "e1", "100.01", None)?,
        pay("2", "e1", "e2", "33.33", None)?,
        pay("3", "e2", "-", "0.33", None)?,
        pay_in("4", "-", "j1", "5000", "JPY", None)?,
        pay_in("5", "-", "x1", "999999999.999999999999999999", "XTOY", None)?,
    ];
    done(&*ledger, moves).await?;
    balanced(&*ledger).await?;
    let ledger = bed.reopen(ledger).await?;
    balanced(&*ledger).await?;
    let outside: Vec<_> = ledger.externals().await?.iter().map(|a| (a.id.to_string(), a.balance.to_string())).collect();
    let expected = [("EUR", "-99.68"), ("JPY", "-5000"), ("XTOY", "-999999999.999999999999999999")];
    assert_eq!(outside, expected.map(|(asset, sum)| (format!("@external:{asset}"), sum.to_owned())));
    Ok(())
}

pub(super) async fn no_debit_goes_below_the_floor(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("floors").await?;
    done(&*ledger, vec![open("a", "EUR", "5")?, open("b", "EUR", "unlimited")?]).await?;
    let tries = vec![
        pay("1", "a", "b", "5.01", None)?,
        pay("2", "a", "b", "5.00", None)?,
        pay("3", "a", "-", "0.01", None)?,
        pay("4", "b", "-", "1000000", None)?,
    ];
    let came = commit(&*ledger, Mode::Continue, tries).await?;
    assert_eq!(words(&came), ["insufficient_funds", "ok", "insufficient_funds", "ok"]);
    assert_eq!(balance(&*ledger, "a").await?, "-5.00");
    assert_eq!(balance(&*ledger, "b").await?, "-999995.00");
    let came = commit(&*ledger, Mode::Continue, vec![limit("5", "a", "4.99")?, limit("6", "a", "6")?]).await?;
    assert_eq!(words(&came), ["limit_broken", "ok"]);
    Ok(())
}

pub(super) async fn status_and_limit_outlive_a_restart(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("life").await?;
    done(&*ledger, vec![open("a", "EUR", "5")?, open("b", "EUR", "0")?, open("c", "EUR", "7.5")?]).await?;
    let steps = vec![
        step("1", "a", StatusChange::Freeze)?,
        step("2", "b", StatusChange::Close)?,
        limit("3", "c", "unlimited")?,
        pay("4", "-", "c", "1", None)?,
    ];
    done(&*ledger, steps).await?;
    let before = ledger.accounts(None, 10).await?;
    let ledger = bed.reopen(ledger).await?;
    assert_eq!(ledger.accounts(None, 10).await?, before);
    let (a, b, c) = (account(&*ledger, "a").await?, account(&*ledger, "b").await?, account(&*ledger, "c").await?);
    assert_eq!((a.status, b.status, c.status), (Status::Frozen, Status::Closed, Status::Active));
    assert_eq!((a.floor, c.floor), (Floor::At("-5.00".parse()?), Floor::None));
    assert_eq!((a.opened_seq, a.seq, c.seq, c.version), (1, 4, 7, 1));
    let tries = vec![pay("5", "c", "a", "1", None)?, pay("6", "c", "b", "1", None)?, open("a", "EUR", "6")?];
    let came = commit(&*ledger, Mode::Continue, tries).await?;
    assert_eq!(words(&came), ["wallet_frozen", "wallet_closed", "conflict overdraft"]);
    Ok(())
}

pub(super) async fn assets_are_registered_once(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("assets").await?;
    let asset = |code: &str, scale| Ok::<_, Error>(Action::RegisterAsset(Asset { code: code.parse()?, scale }));
    let tries = vec![
        pay_in("0", "-", "a", "1", "XTOY", None)?,
        command("1", asset("XTOY", 4)?)?,
        command("2", asset("XTOY", 4)?)?,
        command("3", asset("EUR", 2)?)?,
        command("1", asset("XTOY", 5)?)?,
    ];
    let came = commit(&*ledger, Mode::Continue, tries).await?;
    assert_eq!(words(&came), ["unknown_asset", "ok", "asset_exists", "asset_exists", "conflict scale"]);
    let failed = vec![command("4", asset("XGONE", 1)?)?, command("5", asset("EUR", 2)?)?];
    assert_eq!(words(&commit(&*ledger, Mode::Atomic, failed).await?), ["not_attempted", "asset_exists"]);
    let ledger = bed.reopen(ledger).await?;
    let known: Vec<_> =
        ledger.assets().await?.registered().map(|asset| (asset.code.to_string(), asset.scale)).collect();
    assert_eq!(known, [("XTOY".to_owned(), 4)]);
    done(&*ledger, vec![open("a", "XTOY", "0")?, pay_in("0", "-", "a", "0.0001", "XTOY", None)?]).await?;
    assert_eq!(balance(&*ledger, "a").await?, "0.0001");
    Ok(())
}

pub(super) async fn a_transaction_is_reversed_once(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("reversals").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?, open("b", "EUR", "0")?]).await?;
    let made = done(&*ledger, vec![pay("1", "-", "a", "10", None)?, pay("2", "a", "b", "10", None)?]).await?;
    let [paid_in, passed_on] = made.as_slice() else { return Err("two commands, two records".into()) };
    let (paid_in, passed_on) = (paid_in.record.id(), passed_on.record.id());
    assert_eq!(ledger.reversal_of(passed_on).await?, None);
    let unknown = TransactionId { epoch: 2, seq: passed_on.seq };
    let race = vec![
        reverse("r1", passed_on, false)?,
        reverse("r2", passed_on, false)?,
        reverse("r3", unknown, false)?,
        reverse("r4", TransactionId { epoch: 1, seq: 1 }, false)?,
        reverse("r5", TransactionId { epoch: 1, seq: 99 }, false)?,
    ];
    let came = commit(&*ledger, Mode::Continue, race).await?;
    let expected = ["ok", "already_reversed", "unknown_transaction", "not_reversible", "unknown_transaction"];
    assert_eq!(words(&came), expected);
    let by = came.first().and_then(|outcome| outcome.record()).map(|stored| stored.record.id());
    let ledger = bed.reopen(ledger).await?;
    assert_eq!(ledger.reversal_of(passed_on).await?, by);
    assert_eq!((balance(&*ledger, "a").await?, balance(&*ledger, "b").await?), ("10.00".into(), "0.00".into()));
    let by = by.ok_or("a reversal has an id")?;
    done(&*ledger, vec![pay("3", "a", "b", "10", None)?]).await?;
    let again = vec![
        reverse("r1", passed_on, false)?,
        reverse("r6", passed_on, false)?,
        reverse("r7", by, false)?,
        reverse("r8", paid_in, false)?,
        reverse("r9", paid_in, true)?,
    ];
    let came = commit(&*ledger, Mode::Continue, again).await?;
    assert_eq!(words(&came), ["replayed", "already_reversed", "not_reversible", "insufficient_funds", "ok"]);
    assert_eq!(balance(&*ledger, "a").await?, "-10.00");
    balanced(&*ledger).await
}

pub(super) async fn a_preview_writes_nothing(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("preview").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?]).await?;
    let head = ledger.head().await?;
    let mut asked = request(Mode::Continue, vec![pay("1", "-", "a", "10", None)?, pay("2", "a", "-", "11", None)?])?;
    asked.own_key = Some(crate::command::OwnKey {
        key: super::support::key("own")?,
        content: crate::cut::Hash([1; 32]),
        behind: None,
    });
    for _ in 0..2 {
        let told = outcomes(ledger.preview(std::slice::from_ref(&asked)).await?)?;
        assert_eq!(words(&told), ["ok", "insufficient_funds"]);
    }
    let ledger = bed.reopen(ledger).await?;
    assert_eq!(ledger.head().await?, head);
    assert_eq!(balance(&*ledger, "a").await?, "0.00");
    assert!(ledger.record_by_key(&super::support::key("1")?).await?.is_none());
    assert!(ledger.externals().await?.is_empty());
    let came = outcomes(ledger.commit(&[asked]).await?)?;
    assert_eq!(words(&came), ["ok", "insufficient_funds"]);
    Ok(())
}

pub(super) async fn racing_transfers_neither_overdraw_nor_get_lost(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("racing").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?, open("b", "EUR", "0")?]).await?;
    done(&*ledger, vec![pay("seed", "-", "a", "10", None)?]).await?;
    let mut requests = Vec::new();
    for number in 0..40 {
        let (from, to) = if number % 2 == 0 { ("a", "b") } else { ("b", "a") };
        requests.push([request(Mode::Continue, vec![pay(&format!("race-{number}"), from, to, "7", None)?])?]);
    }
    let answers = together(requests.iter().map(|request| ledger.commit(request))).await?;
    let mut moved = 0;
    for answer in answers {
        let came = outcomes(answer)?;
        moved += usize::from(came.iter().any(|outcome| outcome.record().is_some()));
    }
    assert_eq!(journal(&*ledger).await?.len(), 3 + moved);
    balanced(&*ledger).await?;
    let ends = [account(&*ledger, "a").await?.balance, account(&*ledger, "b").await?.balance];
    assert!(ends.iter().all(|end| !end.is_negative()), "{ends:?}");
    Ok(())
}

pub(super) async fn what_became_of_access_is_kept_once(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("access").await?;
    let refused = |count| noted("n-1", AccessKind::SignInRefused, "203.0.113.0/24", count);
    let mut own = open("a", "EUR", "0")?;
    own.key = ScopedKey::new(own.key.scope().clone(), "n-1".parse()?);
    let others = vec![noted("n-2", AccessKind::Forbidden, "2001:db8::/64", 1)?, own, refused(37)?];
    let made = done(&*ledger, others).await?;
    assert_eq!(words(&commit(&*ledger, Mode::Continue, vec![refused(37)?]).await?), ["replayed"]);
    assert_eq!(words(&commit(&*ledger, Mode::Continue, vec![refused(38)?]).await?), ["conflict count"]);
    let undone = reverse("undo", made.first().ok_or("three records")?.record.id(), false)?;
    assert_eq!(words(&commit(&*ledger, Mode::Continue, vec![undone]).await?), ["not_reversible"]);
    let ledger = bed.reopen(ledger).await?;
    assert_eq!(journal(&*ledger).await?, made, "no caller's key is one of the daemon's");
    let found = ledger.record_by_key(&refused(37)?.key).await?;
    assert_eq!(found.as_ref(), made.get(2));
    Ok(())
}
