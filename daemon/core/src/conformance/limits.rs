//! Buckets. Nothing here depends on how fast a machine is: a token comes back in an hour.

use std::{future::Future, num::NonZeroU32, pin::Pin, time::Duration};

use super::{
    Bed, Checked,
    support::{Error, together},
};
use crate::ports::{Rate, RateLimiter, Sharing, StoreError, Take, Verdict};

fn rate(burst: u32) -> Result<Rate, Error> {
    Ok(Rate::every(Duration::from_hours(1), NonZeroU32::new(burst).ok_or("a burst")?))
}

fn of(whose: &str, rate: Rate, cost: u32) -> Take<'_> {
    Take { limit: "check", whose, part: None, rate, cost }
}

/// How often a take is allowed in a row, up to a bound.
async fn allowed(limiter: &dyn RateLimiter, takes: &[Take<'_>]) -> u32 {
    let mut count = 0;
    while count < 1_000 && limiter.take(takes).await.is_allowed() {
        count += 1;
    }
    count
}

pub(super) async fn a_bucket_gives_what_it_holds(bed: &dyn Bed<dyn RateLimiter>) -> Checked {
    let limiter = bed.fresh("holds").await?;
    assert_ne!(limiter.sharing(), Sharing::CutOff, "these checks need what the limiter shares");
    assert_eq!(allowed(&*limiter, &[of("ada", rate(7)?, 1)]).await, 7);
    let Verdict::Wait { place, wait } = limiter.take(&[of("ada", rate(7)?, 1)]).await else {
        return Err("an eighth token of seven".into());
    };
    assert_eq!(place, 0);
    assert!(wait <= Duration::from_hours(1) && wait > Duration::from_mins(30), "{wait:?}");
    assert_eq!(allowed(&*limiter, &[of("bob", rate(7)?, 3)]).await, 2, "buckets are apart, and a take may cost more");
    let other = Take { part: Some("phone"), ..of("ada", rate(7)?, 1) };
    assert_eq!(allowed(&*limiter, &[other]).await, 7, "so are the parts of one owner");
    assert_eq!(allowed(&*limiter, &[Take { limit: "another", ..other }]).await, 7, "and limits");
    Ok(())
}

pub(super) async fn a_take_of_nothing_asks_whether_something_is_there(bed: &dyn Bed<dyn RateLimiter>) -> Checked {
    let limiter = bed.fresh("peek").await?;
    let peek = [of("ada", rate(2)?, 0)];
    for _ in 0..50 {
        assert!(limiter.take(&peek).await.is_allowed(), "looking takes nothing");
    }
    assert_eq!(allowed(&*limiter, &[of("ada", rate(2)?, 1)]).await, 2);
    assert!(!limiter.take(&peek).await.is_allowed());
    Ok(())
}

pub(super) async fn several_buckets_give_all_or_nothing(bed: &dyn Bed<dyn RateLimiter>) -> Checked {
    let limiter = bed.fresh("several").await?;
    let wide = of("ada", rate(9)?, 1);
    let narrow = Take { limit: "narrow", part: Some("phone"), rate: rate(4)?, ..wide };
    assert_eq!(allowed(&*limiter, &[wide, narrow]).await, 4);
    for _ in 0..20 {
        assert!(matches!(limiter.take(&[wide, narrow]).await, Verdict::Wait { place: 1, .. }));
    }
    assert_eq!(allowed(&*limiter, &[wide]).await, 5, "what was refused took from neither");
    Ok(())
}

pub(super) async fn what_happened_already_is_charged_and_may_be_owed(bed: &dyn Bed<dyn RateLimiter>) -> Checked {
    let limiter = bed.fresh("owed").await?;
    limiter.charge(&[of("ada", rate(10)?, 4)]).await;
    assert_eq!(allowed(&*limiter, &[of("ada", rate(10)?, 1)]).await, 6);
    for _ in 0..20 {
        limiter.charge(&[of("ada", rate(10)?, 1)]).await;
    }
    let Verdict::Wait { wait, .. } = limiter.take(&[of("ada", rate(10)?, 0)]).await else {
        return Err("a bucket that owes".into());
    };
    assert!(wait > Duration::from_hours(2) && wait <= Duration::from_hours(11), "at most a bucket is owed: {wait:?}");
    Ok(())
}

pub(super) async fn racing_takes_give_no_more_than_there_is(bed: &dyn Bed<dyn RateLimiter>) -> Checked {
    let limiter = bed.fresh("racing").await?;
    let rate = rate(40)?;
    let round = || async {
        let mut count = 0;
        for _ in 0..10 {
            count += u32::from(limiter.take(&[of("ada", rate, 1)]).await.is_allowed());
        }
        Ok::<u32, StoreError>(count)
    };
    let rounds = (0..8).map(|_| Box::pin(round()) as Pin<Box<dyn Future<Output = _> + Send + '_>>);
    let given: u32 = together(rounds).await?.into_iter().sum();
    assert_eq!(given, 40);
    Ok(())
}
