//! The bus: the journal in order, at least once. The bed's bus carries the journal of the ledger
//! whose id it is given.

use std::{
    future::{Future as _, poll_fn},
    sync::Arc,
    task::Poll,
};

use super::{Bed, Checked, audit::records, support::Error};
use crate::{
    journal::Stored,
    ports::{EventBus, StoreError},
};

fn seqs(records: &[Arc<Stored>]) -> Vec<u64> {
    records.iter().map(|stored| stored.record.seq).collect()
}

/// Everything published, in pages.
async fn all(bus: &dyn EventBus, limit: usize) -> Result<Vec<Arc<Stored>>, Error> {
    let mut found = Vec::new();
    while let Some(page) = Some(bus.fetch(found.len() as u64, limit).await?).filter(|page| !page.is_empty()) {
        assert!(page.len() <= limit);
        found.extend(page);
    }
    Ok(found)
}

pub(super) async fn records_are_fetched_in_order(bed: &dyn Bed<dyn EventBus>) -> Checked {
    let (bus, records) = (bed.fresh("bus").await?, records("bus").await?);
    assert_eq!(bus.tail().await?, None);
    assert!(bus.fetch(0, 10).await?.is_empty());
    bus.lead().await?;
    for chunk in records.chunks(11) {
        bus.publish(chunk).await?;
        assert_eq!(bus.tail().await?, chunk.last().map(|last| last.cut()));
    }
    assert!(all(&*bus, 8).await? == records, "they come back as they are");
    assert!(bus.fetch(u64::MAX, 8).await?.is_empty());
    Ok(())
}

pub(super) async fn what_was_published_is_skipped(bed: &dyn Bed<dyn EventBus>) -> Checked {
    let (bus, records) = (bed.fresh("bus").await?, records("bus").await?);
    let (first, overlapping) = (records.get(..10).ok_or("records")?, records.get(5..20).ok_or("records")?);
    bus.lead().await?;
    bus.publish(first).await?;
    bus.publish(first).await?;
    bus.publish(overlapping).await?;
    bus.publish(&[]).await?;
    assert_eq!(seqs(&bus.fetch(0, 100).await?), (1..=20).collect::<Vec<_>>());
    assert_eq!(bus.tail().await?.map(|tail| tail.seq), Some(20));
    let refused = bus.publish(records.get(25..30).ok_or("records")?).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    // Whoever leads anew goes on there.
    bus.lead().await?;
    assert_eq!(bus.tail().await?.map(|tail| tail.seq), Some(20));
    bus.publish(&records).await?;
    assert!(all(&*bus, 50).await? == records, "all of it, once");
    Ok(())
}

pub(super) async fn a_follower_is_woken(bed: &dyn Bed<dyn EventBus>) -> Checked {
    let (bus, records) = (bed.fresh("bus").await?, records("bus").await?);
    let (first, rest) = records.split_at(3);
    bus.lead().await?;
    bus.publish(first).await?;
    bus.wait(2).await?;
    let mut waiting = Box::pin(bus.wait(3));
    let early = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context).is_ready())).await;
    assert!(!early, "there is nothing behind 3 yet");
    bus.publish(rest).await?;
    waiting.await?;
    assert_eq!(seqs(&bus.fetch(3, 2).await?), [4, 5]);
    Ok(())
}

pub(super) async fn what_is_cleared_is_published_anew(bed: &dyn Bed<dyn EventBus>) -> Checked {
    let (bus, records) = (bed.fresh("bus").await?, records("bus").await?);
    bus.lead().await?;
    bus.publish(&records).await?;
    assert_eq!(bus.fetch(10, 2).await?.len(), 2);
    bus.clear().await?;
    bus.lead().await?;
    assert_eq!(bus.tail().await?, None);
    assert!(bus.fetch(0, 10).await?.is_empty() && bus.fetch(12, 10).await?.is_empty());
    bus.publish(&records).await?;
    assert!(all(&*bus, 1_000).await? == records, "all of it, from the first record");
    assert_eq!(seqs(&bus.fetch(12, 2).await?), [13, 14]);
    Ok(())
}
