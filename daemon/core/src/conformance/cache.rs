//! The balance cache never goes back, and never shows what it forgot. (These checks put a handful of
//! wallets, which no cache has reason to forget.)

use super::{
    Bed, Checked,
    support::{Error, at, wallet},
};
use crate::{
    account::Status,
    money::Balance,
    ports::{BalanceCache, CachePosition, CachedBalance},
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

fn position(epoch: u64, seq: u64) -> CachePosition {
    CachePosition { epoch, seq }
}

async fn seen(cache: &dyn BalanceCache, id: &str) -> Result<Option<CachedBalance>, Error> {
    Ok(cache.get(&wallet(id)?).await?.0)
}

pub(super) async fn only_newer_balances_replace(bed: &dyn Bed<dyn BalanceCache>) -> Checked {
    let cache = bed.fresh("newer").await?;
    assert_eq!(cache.get(&wallet("a")?).await?, (None, 0));
    cache.follow(&[], 0, position(1, 0)).await?;
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
    cache.follow(&[(wallet("b")?, state(1, 10)?)], 0, position(1, 12)).await?;
    assert_eq!(seen(&*cache, "b").await?, Some(state(1, 11)?), "following replaces by newer ones only, too");
    Ok(())
}

pub(super) async fn late_messages_revive_nothing(bed: &dyn Bed<dyn BalanceCache>) -> Checked {
    let cache = bed.fresh("late").await?;
    cache.follow(&[(wallet("a")?, state(1, 5)?)], 0, position(1, 10)).await?;
    // Absent, and read before the cache's position: it may have changed since.
    cache.put_if_newer(&[(wallet("b")?, state(1, 8)?)], 9).await?;
    assert_eq!(seen(&*cache, "b").await?, None);
    // Another daemon follows, a little later.
    cache.follow(&[(wallet("b")?, state(1, 8)?)], 7, position(1, 9)).await?;
    assert_eq!(cache.get(&wallet("b")?).await?, (None, 10));
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
    assert_eq!(cache.position().await?, CachePosition::default());
    cache.follow(&[], 0, position(1, 10)).await?;
    cache.follow(&[], 0, position(1, 7)).await?;
    assert_eq!((cache.position().await?, cache.get(&wallet("a")?).await?.1), (position(1, 10), 10));
    cache.put_if_newer(&[(wallet("a")?, state(1, 12)?)], 12).await?;
    assert_eq!(cache.position().await?, position(1, 10), "offering a balance is not following the journal");
    cache.clear().await?;
    assert_eq!(cache.get(&wallet("a")?).await?, (None, 0));
    assert_eq!(cache.position().await?, CachePosition::default());
    Ok(())
}

pub(super) async fn nothing_is_held_without_a_position(bed: &dyn Bed<dyn BalanceCache>) -> Checked {
    let cache = bed.fresh("placeless").await?;
    cache.put_if_newer(&[(wallet("a")?, state(1, 10)?)], 10).await?;
    assert_eq!(cache.get(&wallet("a")?).await?, (None, 0), "nobody can say up to where it is right");
    cache.follow(&[(wallet("b")?, state(1, 11)?)], 10, position(1, 12)).await?;
    assert_eq!((seen(&*cache, "a").await?, seen(&*cache, "b").await?), (None, Some(state(1, 11)?)));
    cache.clear().await?;
    cache.put_if_newer(&[(wallet("b")?, state(1, 11)?)], 12).await?;
    cache.follow(&[], 12, position(1, 13)).await?;
    assert_eq!(cache.get(&wallet("b")?).await?, (None, 13), "what was forgotten stays forgotten");
    Ok(())
}

pub(super) async fn what_is_behind_its_follower_forgets(bed: &dyn Bed<dyn BalanceCache>) -> Checked {
    let cache = bed.fresh("behind").await?;
    cache.follow(&[(wallet("a")?, state(1, 5)?), (wallet("b")?, state(1, 6)?)], 0, position(1, 10)).await?;
    // The follower had it at 20: what it did between was lost, by a restart from an old copy.
    cache.follow(&[(wallet("b")?, state(1, 22)?)], 20, position(1, 25)).await?;
    assert_eq!(cache.get(&wallet("a")?).await?, (None, 25));
    assert_eq!(cache.get(&wallet("b")?).await?, (Some(state(1, 22)?), 25));
    cache.put_if_newer(&[(wallet("a")?, state(1, 5)?)], 24).await?;
    assert_eq!(seen(&*cache, "a").await?, None);
    Ok(())
}

pub(super) async fn a_later_epoch_starts_empty(bed: &dyn Bed<dyn BalanceCache>) -> Checked {
    let cache = bed.fresh("epochs").await?;
    cache.follow(&[(wallet("a")?, state(1, 40)?), (wallet("b")?, state(1, 9)?)], 0, position(1, 40)).await?;
    // The ledger was restored as of 30 and counts on; what it had at 40 is not there any more.
    cache.follow(&[(wallet("b")?, state(2, 33)?), (wallet("c")?, state(1, 30)?)], 29, position(2, 45)).await?;
    assert_eq!(seen(&*cache, "a").await?, None);
    assert_eq!(seen(&*cache, "b").await?, Some(state(2, 33)?));
    assert_eq!(seen(&*cache, "c").await?, Some(state(1, 30)?));
    // Who has not heard of it changes nothing.
    cache.follow(&[(wallet("a")?, state(1, 50)?)], 40, position(1, 50)).await?;
    cache.put_if_newer(&[(wallet("a")?, state(1, 50)?), (wallet("c")?, state(1, 50)?)], 50).await?;
    assert_eq!((seen(&*cache, "a").await?, seen(&*cache, "c").await?), (None, Some(state(1, 30)?)));
    assert_eq!(cache.position().await?, position(2, 45));
    Ok(())
}

pub(super) async fn the_last_moment_noted_is_told(bed: &dyn Bed<dyn BalanceCache>) -> Checked {
    let cache = bed.fresh("stamp").await?;
    assert_eq!(cache.stamped().await?, None);
    cache.stamp(position(1, 10), at(20)).await?;
    cache.stamp(position(1, 9), at(15)).await?;
    assert_eq!(cache.stamped().await?, Some((position(1, 10), at(20))));
    cache.stamp(position(1, 10), at(30)).await?;
    assert_eq!(cache.stamped().await?, Some((position(1, 10), at(30))));
    // A restored ledger goes on in a later epoch, whatever its clock says.
    cache.stamp(position(2, 8), at(25)).await?;
    cache.stamp(position(1, 11), at(40)).await?;
    assert_eq!(cache.stamped().await?, Some((position(2, 8), at(25))));
    Ok(())
}
