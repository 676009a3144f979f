//! Steering the daemon: rebuilding what follows the ledger.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt as _, wrappers::UnboundedReceiverStream};
use wallet_api::types::RebuildStep;

use super::super::{Services, context::Context, fault::Fault};
use crate::services::{
    rebuild::{Rebuildable, Step},
    whole,
};

/// Drop the wallets' rows, the balance cache, the audit trail or the events, and make them anew from the ledger. Streams
/// its progress; it goes on when the client goes away, and running it again is safe.
#[utoipa::path(post, path = "/v1/admin/rebuild/{store}", tag = "daemon",
    params(("store" = String, Path, description = "wallets, balances, audit or events")),
    responses((status = 200, body = RebuildStep, content_type = "application/x-ndjson")))]
pub(super) async fn rebuild(
    State(services): State<Arc<Services>>,
    _: Context,
    Path(store): Path<String>,
) -> Result<Response, Fault> {
    let what: Rebuildable = store.parse().map_err(|why| Fault::invalid(format!("store: {why}")))?;
    // Lines are few and small, one a page of work: they may wait for a slow reader.
    let (lines, reader) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let tell = |step: Step| drop(lines.send(line(what, step, None, false)));
        let last = match services.rebuild.run(what, &tell).await {
            Ok(step) => line(what, step, None, true),
            Err(error) => {
                tracing::error!(
                    store = what.as_str(),
                    error = &error as &dyn std::error::Error,
                    "a rebuild ended early"
                );
                line(what, Step::default(), Some(whole(&error)), false)
            }
        };
        // The reader may be gone; the rebuild is done all the same.
        drop(lines.send(last));
    });
    let body = Body::from_stream(UnboundedReceiverStream::new(reader).map(Ok::<Bytes, Infallible>));
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

fn line(what: Rebuildable, step: Step, error: Option<String>, finished: bool) -> Bytes {
    let Step { done, of } = step;
    let step = RebuildStep { store: what.as_str().into(), unit: what.unit().into(), done, of, finished, error };
    let mut text = serde_json::to_vec(&step).unwrap_or_default();
    text.push(b'\n');
    text.into()
}
