//! The control plane's rows follow the ledger and never fall behind what they showed.

use super::{
    Bed, Checked,
    support::{Error, at, wallet},
};
use crate::{
    account::Status,
    ids::WalletId,
    ports::{WalletQuery, WalletRow, WalletState, WalletStore},
    text::Metadata,
};

fn row(id: &str, state: WalletState, seq: u64) -> Result<WalletRow, Error> {
    Ok(WalletRow {
        id: wallet(id)?,
        owner: "ada".parse()?,
        asset: "EUR".parse()?,
        state,
        overdraft: "0.00".to_owned(),
        opened_at: at(7),
        label: "Ünïcode \u{1f4b6}, 'quoted'; --".parse()?,
        meta: Metadata::new([("branch", "7"), ("note", "\"x\"")])?,
        seq,
    })
}

const ACTIVE: WalletState = WalletState::Open(Status::Active);
const FROZEN: WalletState = WalletState::Open(Status::Frozen);

pub(super) async fn rows_are_only_replaced_by_newer_ones(bed: &dyn Bed<dyn WalletStore>) -> Checked {
    let store = bed.fresh("rows").await?;
    assert_eq!(store.get(&wallet("a")?).await?, None);
    let first = row("a", ACTIVE, 5)?;
    store.put_if_newer(&[first.clone(), row("b", ACTIVE, 6)?]).await?;
    assert_eq!(store.get(&wallet("a")?).await?.as_ref(), Some(&first));
    for seq in [4, 5] {
        store.put_if_newer(&[row("a", FROZEN, seq)?]).await?;
        assert_eq!(store.get(&wallet("a")?).await?.as_ref(), Some(&first), "seq {seq} replaced 5");
    }
    let newer = WalletRow { overdraft: "unlimited".to_owned(), ..row("a", FROZEN, 9)? };
    store.put_if_newer(&[newer.clone(), row("a", ACTIVE, 7)?]).await?;
    assert_eq!(store.get(&wallet("a")?).await?, Some(newer.clone()));
    assert_eq!(store.get(&wallet("A")?).await?, None, "ids are compared as bytes");
    let mut some = store.get_many(&[wallet("b")?, wallet("none")?, wallet("a")?]).await?;
    some.sort_by(|x, y| x.id.cmp(&y.id));
    assert_eq!(some, [newer, row("b", ACTIVE, 6)?]);
    assert!(store.get_many(&[]).await?.is_empty());
    Ok(())
}

pub(super) async fn an_opening_is_followed_or_forgotten(bed: &dyn Bed<dyn WalletStore>) -> Checked {
    let store = bed.fresh("openings").await?;
    let opening = [row("a", WalletState::Opening, 0)?, row("b", WalletState::Opening, 0)?];
    store.opening(&opening).await?;
    store.put_if_newer(&[row("a", ACTIVE, 3)?]).await?;
    // Asked for again, in a race: the row that is there stays.
    store.opening(&opening).await?;
    store.opening(&[WalletRow { owner: "eve".parse()?, ..row("b", WalletState::Opening, 0)? }]).await?;
    assert_eq!(store.get(&wallet("a")?).await?, Some(row("a", ACTIVE, 3)?));
    assert_eq!(store.get(&wallet("b")?).await?, Some(row("b", WalletState::Opening, 0)?));
    store.forget_opening(&[wallet("a")?, wallet("b")?, wallet("c")?]).await?;
    assert_eq!(store.get(&wallet("a")?).await?, Some(row("a", ACTIVE, 3)?), "an open wallet was forgotten");
    assert_eq!(store.get(&wallet("b")?).await?, None);
    Ok(())
}

pub(super) async fn rows_and_position_outlive_a_restart(bed: &dyn Bed<dyn WalletStore>) -> Checked {
    let store = bed.fresh("position").await?;
    assert_eq!(store.position().await?, 0);
    store.follow(&[row("a", ACTIVE, 3)?, row("b", ACTIVE, 4)?], 8).await?;
    store.follow(&[], 12).await?;
    store.follow(&[row("a", FROZEN, 2)?], 6).await?;
    let store = bed.reopen(store).await?;
    assert_eq!(store.position().await?, 12, "the position went back");
    assert_eq!(store.get(&wallet("a")?).await?, Some(row("a", ACTIVE, 3)?));
    store.clear().await?;
    let store = bed.reopen(store).await?;
    assert_eq!((store.position().await?, store.get(&wallet("a")?).await?), (0, None));
    store.follow(&[row("a", FROZEN, 1)?], 1).await?;
    assert_eq!(store.get(&wallet("a")?).await?, Some(row("a", FROZEN, 1)?));
    Ok(())
}

async fn listed(store: &dyn WalletStore, mut query: WalletQuery) -> Result<Vec<WalletId>, Error> {
    let mut ids: Vec<WalletId> = Vec::new();
    loop {
        query.after = ids.last().cloned();
        let page = store.list(&query).await?;
        assert!(page.items.len() <= query.limit);
        assert!(!page.more || page.items.len() == query.limit, "a page with more behind it is not full");
        ids.extend(page.items.into_iter().map(|row| row.id));
        if !page.more {
            return Ok(ids);
        }
    }
}

pub(super) async fn wallets_are_listed_by_id_and_filter(bed: &dyn Bed<dyn WalletStore>) -> Checked {
    let store = bed.fresh("list").await?;
    let mut rows = Vec::new();
    for (number, id) in (1..).zip(["b", "B", "a", "a.1", "a-1", "a_1", "Z", "z", "0", "A"]) {
        let mut row = row(id, if number % 3 == 0 { FROZEN } else { ACTIVE }, number)?;
        if number % 2 == 0 {
            (row.owner, row.asset) = ("bob".parse()?, "JPY".parse()?);
        }
        rows.push(row);
    }
    store.put_if_newer(&rows).await?;
    store.opening(&[row("opening", WalletState::Opening, 0)?]).await?;
    rows.push(row("opening", WalletState::Opening, 0)?);
    rows.sort_by(|x, y| x.id.cmp(&y.id));
    let owners = [None, Some("ada".parse()?), Some("eve".parse()?)];
    for owner in &owners {
        for asset in [None, Some("JPY".parse()?)] {
            for state in [None, Some(FROZEN), Some(WalletState::Opening)] {
                let fits = |row: &&WalletRow| {
                    owner.as_ref().is_none_or(|owner| row.owner == *owner)
                        && asset.is_none_or(|asset| row.asset == asset)
                        && state.is_none_or(|state| row.state == state)
                };
                let expected: Vec<_> = rows.iter().filter(fits).map(|row| row.id.clone()).collect();
                for limit in [1, 3, 11, 50] {
                    let query = WalletQuery { owner: owner.clone(), asset, state, after: None, limit };
                    assert_eq!(listed(&*store, query.clone()).await?, expected, "{query:?}");
                }
            }
        }
    }
    Ok(())
}
