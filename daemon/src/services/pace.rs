//! How fast followers of the journal go: page sizes that bound memory, waits that grow while something is wrong.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use wallet_core::journal::Stored;

pub(crate) use super::error::whole;

/// Most records of a page.
const MAX_PAGE: usize = 2_000;
/// Fewest records of a page: each costs a round through the stores.
const MIN_PAGE: usize = 100;
/// Bytes of records a page aims at; parsed, they take about twice that.
const PAGE_BYTES: usize = 2 * 1024 * 1024;
/// The first wait after an error.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest: a server that is back is used again within so long.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// How many records to ask for: as many as fit the byte goal by the size of those that came last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageSize(usize);

impl Default for PageSize {
    fn default() -> Self {
        Self(MAX_PAGE)
    }
}

impl PageSize {
    pub(crate) fn records(self) -> usize {
        self.0
    }

    /// Learns from a page; true if it was full.
    pub(crate) fn learn(&mut self, page: &[Arc<Stored>]) -> bool {
        let full = page.len() >= self.0;
        let bytes: usize = page.iter().map(|stored| stored.bytes.len()).sum();
        if let Some(average) = bytes.checked_div(page.len()).filter(|average| *average > 0) {
            self.0 = (PAGE_BYTES / average).clamp(MIN_PAGE, MAX_PAGE);
        }
        full
    }
}

/// Waits that double up to a bound.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST_WAIT)
    }
}

impl Backoff {
    /// Waits, unless `stop` comes first.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(self.0) => {}
        }
        self.0 = self.0.saturating_mul(2).min(LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use wallet_core::model::MemoryLedger;
    use wallet_core::ports::LedgerStore as _;

    use super::*;
    use crate::services::testing::register;

    #[tokio::test]
    async fn a_page_shrinks_with_the_size_of_its_records() {
        let ledger = MemoryLedger::new("test");
        register(&ledger, 0..1).await;
        let small = ledger.records(0, 1).await.unwrap().remove(0);
        let mut size = PageSize::default();
        assert!(!size.learn(std::slice::from_ref(&small)));
        assert_eq!(size.records(), MAX_PAGE);
        let large = Arc::new(small.with_bytes(&[b' '; 5_000]));
        assert!(size.learn(&vec![large; MAX_PAGE]));
        assert_eq!(size.records(), PAGE_BYTES / 5_000);
    }
}
