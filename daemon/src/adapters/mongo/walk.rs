//! Reading the whole trail page by page, as verifying it does.
//!
//! Whoever asks for the page behind the last one given is walking: then several pages are fetched at a time and handed out
//! one by one. It saves round trips, and on FerretDB, which finds every page by a full scan, most of the time.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use mongodb::bson::{RawDocumentBuf, doc};
use wallet_core::{journal::Stored, ports::StoreError};

use super::{Trail, int64, record, server::Refused};

/// Pages fetched at a time.
const PAGES: usize = 4;
/// Most documents kept, about 10 MB of them: a walk by larger pages is not helped.
const MOST: usize = 8_192;
/// What was fetched longer ago is fetched anew: a walk is not this slow, and is to see the trail as it is.
const FRESH: Duration = Duration::from_secs(5);

/// What was fetched and not yet handed out.
#[derive(Debug)]
pub(super) struct Ahead {
    /// The last seq handed out.
    after: u64,
    documents: VecDeque<RawDocumentBuf>,
    fetched: Instant,
}

impl Trail {
    pub(super) async fn records(&self, after: u64, limit: usize) -> Result<Vec<Arc<Stored>>, StoreError> {
        let (walking, mut documents, mut fetched) = self.kept(after);
        if documents.len() < limit {
            let most = if walking { limit.saturating_mul(PAGES).min(MOST).max(limit) } else { limit };
            let behind = doc! { "_id": { "$gt": int64(after) } };
            let found = self.limits.all(&self.records, behind, 1, most).await.map_err(Refused::into_read)?;
            (documents, fetched) = (found.into(), Instant::now());
        }
        let rest = documents.split_off(limit.min(documents.len()));
        let page =
            documents.iter().map(|document| record::stored(document).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let after = page.last().map_or(after, |last| last.record.seq);
        self.keep(Some(Ahead { after, documents: rest, fetched }));
        Ok(page)
    }

    /// Whether a walk goes on here, and what was fetched for it.
    fn kept(&self, after: u64) -> (bool, VecDeque<RawDocumentBuf>, Instant) {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        match ahead.filter(|ahead| after > 0 && ahead.after == after && ahead.fetched.elapsed() < FRESH) {
            Some(ahead) => (true, ahead.documents, ahead.fetched),
            None => (false, VecDeque::new(), Instant::now()),
        }
    }

    pub(super) fn keep(&self, ahead: Option<Ahead>) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead;
    }
}
