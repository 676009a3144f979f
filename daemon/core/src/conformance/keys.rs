//! Keys: what makes a command happen at most once, for ever.

use std::sync::Arc;

use super::{
    Bed, Checked,
    support::{Error, balance, command, commit, done, journal, key, open, outcomes, pay, request, together, words},
};
use crate::{
    command::{Action, Command, Mode, Move, OwnKey, Request},
    cut::Hash,
    key::{KeyScope, ScopedKey},
    outcome::{Answer, Outcome},
    ports::LedgerStore,
};

pub(super) async fn a_key_commits_at_most_once(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("once").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?]).await?;
    let paid = pay("k", "-", "a", "10.00", None)?;
    let mut same = pay("k", "-", "a", "10", None)?;
    let came = commit(&*ledger, Mode::Continue, vec![paid.clone(), same.clone(), paid.clone()]).await?;
    assert_eq!(words(&came), ["ok", "replayed", "replayed"]);
    let first = came.first().and_then(Outcome::record).cloned().ok_or("it happened")?;
    let head = ledger.head().await?;
    let ledger = bed.reopen(ledger).await?;
    let came = commit(&*ledger, Mode::Atomic, vec![paid]).await?;
    assert_eq!(came, [Outcome::Replayed(Arc::clone(&first))], "the first answer comes again");
    assert_eq!(ledger.head().await?, head);
    assert_eq!(ledger.record_by_key(&key("k")?).await?, Some(first));
    assert_eq!(ledger.record_by_key(&key("K")?).await?, None);
    assert_eq!(balance(&*ledger, "a").await?, "10.00");
    same.key = key(&"k".repeat(128))?;
    done(&*ledger, vec![same]).await?;
    assert_eq!(balance(&*ledger, "a").await?, "20.00");
    Ok(())
}

pub(super) async fn a_conflict_names_the_field(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("conflicts").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?, open("b", "EUR", "0")?, pay("k", "-", "a", "10", None)?]).await?;
    let head = ledger.head().await?;
    let changed = |change: fn(Move) -> Result<Move, Error>| match pay("k", "-", "a", "10", None)?.action {
        Action::Move(moved) => command("k", Action::Move(change(moved)?)),
        _ => Err("pay() moves money".into()),
    };
    let again = vec![
        changed(|moved| Ok(Move { to: Some("b".parse()?), ..moved }))?,
        changed(|moved| Ok(Move { amount: "10.01".parse()?, ..moved }))?,
        changed(|moved| Ok(Move { asset: "JPY".parse()?, ..moved }))?,
        changed(|moved| Ok(Move { memo: "another".parse()?, ..moved }))?,
        changed(|moved| Ok(Move { effective_at: Some(super::support::at(5)), ..moved }))?,
        changed(|moved| Ok(Move { meta: crate::text::Metadata::new([("x", "y")])?, ..moved }))?,
        pay("k", "a", "-", "10", None)?,
        Command { key: key("k")?, action: open("c", "EUR", "0")?.action },
    ];
    let came = commit(&*ledger, Mode::Continue, again).await?;
    let fields = ["to", "amount", "asset", "memo", "effective_at", "meta", "op", "op"];
    assert_eq!(words(&came), fields.map(|field| format!("conflict {field}")));
    let existing = |outcome: &Outcome| matches!(outcome, Outcome::Conflict(conflict) if conflict.existing.seq == 3);
    assert!(came.iter().all(existing), "a conflict names the record: {came:?}");
    assert_eq!(ledger.head().await?, head);
    Ok(())
}

pub(super) async fn a_refusal_does_not_burn_its_key(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("refusals").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?]).await?;
    let take = pay("take", "a", "-", "10", None)?;
    let tries = vec![take.clone(), pay("give", "-", "a", "10", None)?, take.clone()];
    assert_eq!(words(&commit(&*ledger, Mode::Continue, tries).await?), ["insufficient_funds", "ok", "ok"]);
    let again = pay("again", "a", "-", "10", None)?;
    assert_eq!(words(&commit(&*ledger, Mode::Continue, vec![again.clone()]).await?), ["insufficient_funds"]);
    let ledger = bed.reopen(ledger).await?;
    assert!(ledger.record_by_key(&again.key).await?.is_none());
    let tries = vec![again.clone(), pay("more", "-", "a", "10", None)?];
    assert_eq!(words(&commit(&*ledger, Mode::Stop, tries).await?), ["insufficient_funds", "not_attempted"]);
    done(&*ledger, vec![pay("more", "-", "a", "10", None)?, again]).await?;
    Ok(())
}

pub(super) async fn a_known_key_replays_though_it_would_be_refused_now(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("spent").await?;
    for id in ["a", "b"] {
        done(&*ledger, vec![open(id, "EUR", "0")?]).await?;
    }
    done(&*ledger, vec![pay("in", "-", "a", "15", None)?, pay("b", "-", "b", "1", None)?]).await?;
    let (out, other) = (pay("out", "a", "-", "10", None)?, pay("out", "a", "-", "11", None)?);
    done(&*ledger, vec![out.clone()]).await?;
    let group = vec![pay("g1", "a", "-", "5", None)?, pay("g2", "b", "-", "1", None)?];
    assert_eq!(words(&commit(&*ledger, Mode::Atomic, group.clone()).await?), ["ok", "ok"]);
    let poor = pay("poor", "a", "-", "1", None)?;
    // Beside what is new, as a store may decide on what it knows by itself: the new one is written, the wallet is empty.
    let mut fresh = 0;
    let mut new = || {
        fresh += 1;
        pay(&format!("new-{fresh}"), "-", "b", "1", None)
    };
    for _ in 0..20 {
        done(&*ledger, vec![new()?]).await?;
    }
    let came = commit(&*ledger, Mode::Continue, vec![new()?, out.clone(), poor.clone(), other.clone()]).await?;
    assert_eq!(words(&came), ["ok", "replayed", "insufficient_funds", "conflict amount"]);
    let came = commit(&*ledger, Mode::Continue, vec![out.clone(), poor.clone(), other]).await?;
    assert_eq!(words(&came), ["replayed", "insufficient_funds", "conflict amount"]);
    for _ in 0..20 {
        done(&*ledger, vec![new()?]).await?;
    }
    let partly = vec![pay("g3", "a", "-", "1", None)?, pay("g1", "a", "-", "5", None)?];
    let asked = [
        request(Mode::Continue, vec![new()?])?,
        request(Mode::Atomic, group)?,
        request(Mode::Atomic, partly)?,
        request(Mode::Stop, vec![poor.clone(), out.clone()])?,
    ];
    let mut came = Vec::new();
    for answer in ledger.commit(&asked).await? {
        came.push(words(&outcomes(vec![answer])?).join(" "));
    }
    let partly = "group_partly_applied group_partly_applied";
    assert_eq!(came, ["ok", "replayed replayed", partly, "insufficient_funds not_attempted"]);
    // More than is decided before something is on its way to a server.
    for known in [600, 1_400] {
        let mut many = Vec::new();
        while many.len() < 1_500 {
            many.push(if many.len() == known { out.clone() } else { new()? });
        }
        many.insert(700, poor.clone());
        let came = commit(&*ledger, Mode::Continue, many).await?;
        let count = |word: &str| words(&came).iter().filter(|came| *came == word).count();
        assert_eq!((count("ok"), count("replayed"), count("insufficient_funds")), (1_499, 1, 1));
    }
    assert_eq!(balance(&*ledger, "a").await?, "0.00");
    assert_eq!(balance(&*ledger, "b").await?, format!("{fresh}.00"));
    Ok(())
}

pub(super) async fn scopes_are_apart(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("scopes").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?]).await?;
    let scopes = [KeyScope::Shared, KeyScope::User("ada".into()), KeyScope::User("bob".into()), KeyScope::System];
    let mut seqs = Vec::new();
    for scope in &scopes {
        let mut paid = pay("k", "-", "a", "1", None)?;
        paid.key = ScopedKey::new(scope.clone(), "k".parse()?);
        seqs.extend(done(&*ledger, vec![paid]).await?.iter().map(|stored| stored.record.seq));
    }
    assert_eq!(seqs, [2, 3, 4, 5]);
    let ledger = bed.reopen(ledger).await?;
    for (scope, seq) in scopes.into_iter().zip(seqs) {
        let found = ledger.record_by_key(&ScopedKey::new(scope, "k".parse()?)).await?;
        assert_eq!(found.map(|stored| stored.record.seq), Some(seq));
    }
    let other = ScopedKey::new(KeyScope::User("eve".into()), "k".parse()?);
    assert!(ledger.record_by_key(&other).await?.is_none());
    Ok(())
}

pub(super) async fn racing_commits_of_one_key_move_money_once(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("race").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?]).await?;
    let requests = [request(Mode::Continue, vec![pay("k", "-", "a", "1", None)?])?];
    let answers = together((0..24).map(|_| ledger.commit(&requests))).await?;
    let mut came: Vec<String> = Vec::new();
    for answer in answers {
        came.extend(words(&outcomes(answer)?));
    }
    came.sort();
    assert_eq!(came.first().map(String::as_str), Some("ok"));
    assert!(came.iter().skip(1).all(|word| word == "replayed"), "{came:?}");
    assert_eq!(journal(&*ledger).await?.len(), 2);
    assert_eq!(balance(&*ledger, "a").await?, "1.00");
    Ok(())
}

fn with_own_key(mode: Mode, content: u8, commands: Vec<Command>) -> Result<Request, Error> {
    let mut asked = request(mode, commands)?;
    asked.own_key = Some(OwnKey { key: key("k1")?, content: Hash([content; 32]), behind: None });
    Ok(asked)
}

pub(super) async fn a_request_that_follows_another_waits_for_its_answer(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("turn").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?]).await?;
    let asked = |own: &str, behind: Option<&str>, commands| -> Result<Request, Error> {
        let mut asked = request(Mode::Continue, commands)?;
        let behind = behind.map(key).transpose()?;
        asked.own_key = Some(OwnKey { key: key(own)?, content: Hash([1; 32]), behind });
        Ok(asked)
    };
    let first = asked("b1", None, vec![pay("k1", "-", "a", "5", None)?, pay("k2", "a", "ghost", "1", None)?])?;
    let second = asked("b2", Some("b1"), vec![pay("k3", "a", "-", "5", None)?])?;
    let third = asked("b3", Some("b2"), vec![pay("k4", "-", "a", "1", None)?])?;
    let head = ledger.head().await?;
    // Too early, alone and in front of the one it follows: nothing happens, and nothing is kept.
    assert_eq!(ledger.preview(std::slice::from_ref(&second)).await?, [Answer::OutOfTurn]);
    assert_eq!(ledger.commit(std::slice::from_ref(&second)).await?, [Answer::OutOfTurn]);
    assert_eq!(ledger.head().await?, head);
    let answers = ledger.commit(&[third.clone(), first.clone(), second.clone()]).await?;
    let [Answer::OutOfTurn, one, two] = answers.as_slice() else {
        return Err(format!("{answers:?}: the first of them has no turn yet").into());
    };
    assert_eq!(words(&outcomes(vec![one.clone()])?), ["ok", "unknown_wallet"]);
    assert_eq!(words(&outcomes(vec![two.clone()])?), ["ok"]);
    // What was answered is remembered; a repeat needs no turn.
    let ledger = bed.reopen(ledger).await?;
    assert_eq!(words(&outcomes(ledger.commit(&[third]).await?)?), ["ok"]);
    let stranger = asked("b2", Some("b9"), vec![])?;
    assert_eq!(ledger.commit(&[stranger]).await?.len(), 1);
    let [Answer::Outcomes { replayed: true, .. }] = ledger.commit(&[second]).await?.as_slice() else {
        return Err("a repeat is answered again".into());
    };
    assert_eq!(balance(&*ledger, "a").await?, "1.00");
    // An order by commands' keys would be another thing: k1 is no request's own key.
    let by_row = asked("b4", Some("k1"), vec![pay("k5", "-", "a", "1", None)?])?;
    assert_eq!(ledger.commit(&[by_row]).await?, [Answer::OutOfTurn]);
    Ok(())
}

pub(super) async fn a_requests_own_key_keeps_every_outcome(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("own").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?, pay("k1", "-", "a", "10", None)?]).await?;
    let commands = vec![
        pay("k2", "-", "a", "5", None)?,
        pay("k1", "-", "a", "10", None)?,
        pay("k1", "-", "a", "11", None)?,
        pay("k3", "a", "-", "99", None)?,
        pay("k4", "a", "ghost", "1", None)?,
        pay("k5", "-", "a", "0.001", None)?,
    ];
    let asked = with_own_key(Mode::Continue, 7, commands.clone())?;
    let first = ledger.commit(std::slice::from_ref(&asked)).await?;
    let [Answer::Outcomes { outcomes: kept, replayed: false }] = first.as_slice() else {
        return Err(format!("{first:?} is no first answer").into());
    };
    let expected = ["ok", "replayed", "conflict amount", "insufficient_funds", "unknown_wallet", "invalid_amount"];
    assert_eq!(words(kept), expected);
    // What was refused would pass now; the answer stays what it was.
    done(&*ledger, vec![pay("k6", "-", "a", "1000", None)?, open("ghost", "EUR", "0")?]).await?;
    let head = ledger.head().await?;
    let again = Answer::Outcomes { outcomes: kept.clone(), replayed: true };
    assert_eq!(ledger.commit(std::slice::from_ref(&asked)).await?, std::slice::from_ref(&again));
    let ledger = bed.reopen(ledger).await?;
    let twice = [asked.clone(), with_own_key(Mode::Continue, 8, commands)?];
    assert_eq!(ledger.commit(&twice).await?, [again.clone(), Answer::OwnKeyConflict]);
    assert_eq!(ledger.preview(std::slice::from_ref(&asked)).await?, [again]);
    assert_eq!(ledger.head().await?, head);
    // A list of refusals alone is kept as well.
    let mut refused = request(Mode::Stop, vec![pay("k7", "a", "nobody", "1", None)?, pay("k8", "-", "a", "1", None)?])?;
    refused.own_key = Some(OwnKey { key: key("k7")?, content: Hash([1; 32]), behind: None });
    assert_eq!(
        words(&outcomes(ledger.commit(std::slice::from_ref(&refused)).await?)?),
        ["unknown_wallet", "not_attempted"]
    );
    let ledger = bed.reopen(ledger).await?;
    done(&*ledger, vec![open("nobody", "EUR", "0")?]).await?;
    assert_eq!(words(&outcomes(ledger.commit(&[refused]).await?)?), ["unknown_wallet", "not_attempted"]);
    Ok(())
}
