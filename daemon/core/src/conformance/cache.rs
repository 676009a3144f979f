//! The balance cache never goes back, and never shows what it forgot. (These checks put a handful of
//! wallets, which no cache has reason to forget.)

use super::{
    Bed, Checked,
    support::{Error, at, wallet},
};
use crate::{
    account::Status,
    money::Balance,
    ports::{BalanceCache, CachedBalance},
};

fn state(epoch: u64, seq: u64) -> Result<CachedBalance, Error> {
    Ok(CachedBalance {
        epoch,
        seq,
        balance: Balance::from_units(-i128::from(seq) * 10_i128.pow(20) - i128::from(epoch), 2)?,
        asset: "EUR".parse()?,
        status: if seq.is_multiple_of(2) { Status::Active } else { Status::Frozen },
        recorded_at: at(i64::try_from(seq)?).plus_micros(1),
    })
}

async fn seen(cache: &dyn BalanceCache, id: &str) -> Result<Option<CachedBalance>, Error> {
    Ok(cache.get(&wallet(id)?).await?.0)
}

pub(super) async fn only_newer_balances_replace(bed: &dyn Bed<dyn BalanceCache>) -> Checked {
    let cache = bed.fresh("newer").await?;
    assert_eq!(cache.get(&wallet("a")?).await?, (None, 0));
    cache.put_if_newer(&[(wallet("a")?, state(1, 10)?), (wallet("b")?, state(1, 11)?)], 11).await?;
    assert_eq!(seen(&*cache, "a").await?, Some(state(1, 10)?), "a balance comes back whole");
    assert_eq!(seen(&*cache, "A").await?, None);
    cache.put_if_newer(&[(wallet("a")?, state(1, 9)?)], 20).await?;
    assert_eq!(seen(&*cache, "a").await?, Some(state(1, 10)?));
    cache.put_if_newer(&[(wallet("a")?, state(1, 100)?)], 100).await?;
    assert_eq!(seen(&*cache, "a").await?, Some(state(1, 100)?));
    // A restored ledger counts on from an earlier seq in a later epoch.
    cache.put_if_newer(&[(wallet("a")?, state(2, 50)?)], 100).await?;
    assert_eq!(seen(&*cache, "a").await?, Some(state(2, 50)?));
    cache.put_if_newer(&[(wallet("a")?, state(1, 101)?)], 101).await?;
    assert_eq!(seen(&*cache, "a").await?, Some(state(2, 50)?));
    assert_eq!(seen(&*cache, "b").await?, Some(state(1, 11)?));
    Ok(())
}

pub(super) async fn late_messages_revive_nothing(bed: &dyn Bed<dyn BalanceCache>) -> Checked {
    let cache = bed.fresh("late").await?;
    cache.put_if_newer(&[(wallet("a")?, state(1, 5)?)], 5).await?;
    cache.advance(1, 10).await?;
    // Absent, and read before the cache's position: it may have changed since.
    cache.put_if_newer(&[(wallet("b")?, state(1, 8)?)], 9).await?;
    assert_eq!(seen(&*cache, "b").await?, None);
    // What is there may be made newer by any message.
    cache.put_if_newer(&[(wallet("a")?, state(1, 7)?)], 7).await?;
    assert_eq!(seen(&*cache, "a").await?, Some(state(1, 7)?));
    // Read at the position or later: nothing newer was missed.
    cache.put_if_newer(&[(wallet("b")?, state(1, 8)?)], 10).await?;
    assert_eq!(seen(&*cache, "b").await?, Some(state(1, 8)?));
    Ok(())
}

pub(super) async fn the_position_only_grows(bed: &dyn Bed<dyn BalanceCache>) -> Checked {
    let cache = bed.fresh("position").await?;
    assert_eq!(cache.position().await?, 0);
    cache.advance(1, 10).await?;
    cache.advance(1, 7).await?;
    assert_eq!((cache.position().await?, cache.get(&wallet("a")?).await?.1), (10, 10));
    cache.put_if_newer(&[(wallet("a")?, state(1, 12)?)], 12).await?;
    assert_eq!(cache.position().await?, 10, "offering a balance is not following the journal");
    cache.clear().await?;
    assert_eq!(cache.get(&wallet("a")?).await?, (None, 0));
    Ok(())
}
