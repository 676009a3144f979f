//! Atomic groups: all or nothing, and never cut in two.

use super::{
    Bed, Checked,
    support::{account, balance, commit, done, journal, open, pay, request, words},
};
use crate::{command::Mode, ports::LedgerStore};

pub(super) async fn a_group_is_all_or_nothing(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("groups").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?, open("b", "EUR", "0")?, pay("seed", "-", "a", "10", None)?]).await?;
    let (head, before) = (ledger.head().await?, ledger.accounts(None, 10).await?);
    let group = vec![
        pay("1", "a", "b", "10", None)?,
        open("c", "EUR", "0")?,
        pay("2", "b", "c", "10", None)?,
        pay("3", "a", "c", "0.01", None)?,
        pay("4", "-", "a", "1", None)?,
    ];
    let none = "not_attempted";
    let after = request(Mode::Continue, vec![pay("5", "-", "a", "1", None)?])?;
    // Alone, and in front of a request that happens in the same commit.
    assert_eq!(
        words(&commit(&*ledger, Mode::Atomic, group.clone()).await?),
        [none, none, none, "insufficient_funds", none]
    );
    assert_eq!((ledger.head().await?, ledger.accounts(None, 10).await?), (head, before));
    ledger.commit(&[request(Mode::Atomic, group.clone())?, after]).await?;
    let ledger = bed.reopen(ledger).await?;
    assert_eq!((balance(&*ledger, "a").await?, balance(&*ledger, "b").await?), ("11.00".into(), "0.00".into()));
    assert_eq!(account(&*ledger, "b").await?.version, 0);
    assert!(ledger.account(&"c".parse()?).await?.is_none());
    for command in &group {
        assert!(ledger.record_by_key(&command.key).await?.is_none());
    }
    assert_eq!(words(&commit(&*ledger, Mode::Atomic, group).await?), ["ok"; 5]);
    assert_eq!(journal(&*ledger).await?.len(), 9);
    super::writing::balanced(&*ledger).await
}

pub(super) async fn a_group_replays_whole_or_not_at_all(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("group keys").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?]).await?;
    let group = vec![pay("1", "-", "a", "1", None)?, pay("2", "-", "a", "2", None)?];
    assert_eq!(words(&commit(&*ledger, Mode::Atomic, group.clone()).await?), ["ok", "ok"]);
    let ledger = bed.reopen(ledger).await?;
    assert_eq!(words(&commit(&*ledger, Mode::Atomic, group.clone()).await?), ["replayed", "replayed"]);
    let mut wider = group.clone();
    wider.push(pay("3", "-", "a", "3", None)?);
    assert_eq!(words(&commit(&*ledger, Mode::Atomic, wider).await?), ["group_partly_applied"; 3]);
    let twice = vec![pay("4", "-", "a", "1", None)?, pay("4", "-", "a", "1", None)?];
    assert_eq!(words(&commit(&*ledger, Mode::Atomic, twice).await?), ["group_partly_applied"; 2]);
    let other = vec![pay("1", "-", "a", "1", None)?, pay("2", "-", "a", "3", None)?];
    assert_eq!(words(&commit(&*ledger, Mode::Atomic, other).await?), ["replayed", "conflict amount"]);
    assert_eq!(balance(&*ledger, "a").await?, "3.00");
    Ok(())
}

pub(super) async fn no_cut_lies_inside_a_group(bed: &dyn Bed<dyn LedgerStore>) -> Checked {
    let ledger = bed.fresh("group cuts").await?;
    done(&*ledger, vec![open("a", "EUR", "0")?]).await?;
    for round in 0..4 {
        let group: Result<Vec<_>, _> =
            (0..=round).map(|part| pay(&format!("g-{round}-{part}"), "-", "a", "1", None)).collect();
        assert_eq!(words(&commit(&*ledger, Mode::Atomic, group?).await?), vec!["ok"; round + 1]);
        done(&*ledger, vec![pay(&format!("single-{round}"), "-", "a", "1", None)?]).await?;
    }
    let ledger = bed.reopen(ledger).await?;
    let records = journal(&*ledger).await?;
    let mut whole = ledger.cut_at(0).await?;
    assert_eq!(whole.seq, 0);
    for stored in &records {
        let record = &stored.record;
        if record.group.is_none_or(|part| part.index + 1 == part.size) {
            whole = stored.cut();
        }
        assert_eq!(ledger.cut_at(record.seq).await?, whole, "the cut at {}", record.seq);
        assert_eq!(ledger.cut_at_time(record.recorded_at).await?, whole, "the cut at {}", record.recorded_at);
    }
    assert_eq!(ledger.cut_at(u64::MAX).await?, ledger.head().await?);
    let defaults: Vec<_> =
        records.iter().filter_map(|s| Some((s.record.group?, s.record.transaction()?.effective_at))).collect();
    for pair in defaults.windows(2) {
        if let [(before, first), (part, second)] = pair
            && part.index == before.index + 1
        {
            assert_eq!(first, second, "members of a group count from the same moment");
        }
    }
    Ok(())
}
