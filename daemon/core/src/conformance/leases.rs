//! A lease has one holder, and comes free by itself.

use std::time::Duration;

use super::{Bed, Checked};
use crate::ports::Leases;

const LONG: Duration = Duration::from_mins(1);

pub(super) async fn a_lease_has_one_holder(bed: &dyn Bed<dyn Leases>) -> Checked {
    let leases = bed.fresh("leases").await?;
    let first = leases.take("relay", "a", LONG).await?;
    assert!(first.is_some());
    assert_eq!(leases.take("relay", "b", LONG).await?, None);
    assert_eq!(leases.take("relay", "a", LONG).await?, first, "keeping it keeps its number");
    assert!(leases.take("reconciler", "b", LONG).await?.is_some(), "names are apart");
    Ok(())
}

pub(super) async fn a_lease_given_back_is_free(bed: &dyn Bed<dyn Leases>) -> Checked {
    let leases = bed.fresh("leases").await?;
    let first = leases.take("relay", "a", LONG).await?.ok_or("free at first")?;
    leases.release("relay", "b").await?;
    assert_eq!(leases.take("relay", "b", LONG).await?, None, "only its holder gives it back");
    leases.release("relay", "a").await?;
    let second = leases.take("relay", "b", LONG).await?.ok_or("free again")?;
    assert!(second > first, "every change of holder has a higher number");
    Ok(())
}

pub(super) async fn a_lease_ends_by_itself(bed: &dyn Bed<dyn Leases>) -> Checked {
    let leases = bed.fresh("leases").await?;
    let first = leases.take("relay", "a", Duration::from_millis(50)).await?.ok_or("free at first")?;
    let mut second = None;
    // By the store's clock; waiting goes on as long as it takes.
    while second.is_none() {
        std::thread::sleep(Duration::from_millis(20));
        second = leases.take("relay", "b", LONG).await?;
    }
    assert!(second > Some(first));
    assert_eq!(leases.take("relay", "a", LONG).await?, None);
    Ok(())
}
