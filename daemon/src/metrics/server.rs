//! The listener: `GET /metrics` and nothing else, apart from the API's.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Metrics;

/// How `OpenMetrics` text is called; Prometheus asks for it.
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Longest time for one answer: less than a scrape usually waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers made at a time: a scraper asks one at a time, a few may scrape.
const AT_A_TIME: usize = 4;

/// The figures cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve the metrics on {address}")]
pub struct ServeError {
    address: SocketAddr,
    #[source]
    source: io::Error,
}

/// Listens, and answers in the background until `stop`. The address that was bound, which is the one asked for unless its
/// port was 0.
pub async fn serve(address: SocketAddr, metrics: Metrics, stop: CancellationToken) -> Result<SocketAddr, ServeError> {
    let fault = |source| ServeError { address, source };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let bound = listener.local_addr().map_err(fault)?;
    let router = Router::new()
        .route("/metrics", get(text))
        .layer(tower::limit::GlobalConcurrencyLimitLayer::new(AT_A_TIME))
        .with_state(Arc::new(metrics));
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
        if let Err(error) = served.await {
            tracing::error!(%error, "the metrics are not served any more");
        }
    });
    Ok(bound)
}

async fn text(State(metrics): State<Arc<Metrics>>) -> Response {
    match tokio::time::timeout(PATIENCE, metrics.text()).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, TYPE)], text).into_response(),
        Ok(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
