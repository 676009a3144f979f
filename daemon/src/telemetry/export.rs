//! Spans on their way to the collector: a bounded queue and a thread of its own, by OTLP over HTTP.
//!
//! A span that finds the queue full, or whose batch the collector does not take, is dropped and counted. A
//! collector that is away is said once, and once when it is back.

use std::{
    error::Error,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response, Uri,
    client::conn::http1::handshake,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{
        BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanExporter, SpanProcessor,
    },
};
use tokio::{net::TcpStream, runtime::Runtime, time::timeout};

use crate::config::Traces;

/// Most spans that wait: some 4 MB. Sampled requests are few; this bridges a collector's pause of seconds.
const QUEUE: usize = 4_096;
/// Spans of one message.
const BATCH: usize = 512;
/// How long a span waits for others.
const EVERY: Duration = Duration::from_millis(500);
/// How long the collector may take for one message.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the last spans may take when the daemon ends.
const LAST: Duration = Duration::from_secs(2);
/// An answer is some bytes; of a longer one nothing is of interest.
const MAX_ANSWER: usize = 64 << 10;

/// What became of spans.
#[derive(Debug, Default)]
pub struct Exported {
    sent: AtomicU64,
    dropped: AtomicU64,
    waiting: AtomicUsize,
}

impl Exported {
    /// Spans the collector took.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Spans that were lost: the queue was full, or the collector did not take them.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// What became of this process's spans.
pub fn exported() -> Arc<Exported> {
    static EXPORTED: LazyLock<Arc<Exported>> = LazyLock::new(Arc::default);
    Arc::clone(&EXPORTED)
}

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    /// The exporter cannot be made.
    #[error("the exporter of spans cannot be made")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Its thread has no event loop.
    #[error("the exporter of spans cannot start")]
    Runtime(#[from] std::io::Error),
}

/// The provider of tracers whose spans go to the collector.
pub(super) fn provider(traces: &Traces) -> Result<SdkTracerProvider, ExportError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::new()?)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(traces.endpoint())
        .with_timeout(PATIENCE)
        .build()?;
    let resource = Resource::builder()
        .with_service_name(traces.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("process.pid", i64::from(std::process::id())))
        .build();
    Ok(SdkTracerProvider::builder()
        // The edge has decided; what gets here is wanted.
        .with_sampler(Sampler::AlwaysOn)
        .with_resource(resource)
        .with_span_processor(Bounded::new(exporter, exported()))
        .build())
}

/// Sends what waits, for a moment at most.
pub(super) fn end(provider: &SdkTracerProvider) {
    if let Err(error) = provider.shutdown_with_timeout(LAST) {
        tracing::debug!(%error, "the last spans did not go out");
    }
}

/// The SDK's batches behind a count of what waits, so that each lost span is known.
#[derive(Debug)]
pub(super) struct Bounded {
    batches: BatchSpanProcessor,
    figures: Arc<Exported>,
}

impl Bounded {
    pub(super) fn new(exporter: impl SpanExporter + 'static, figures: Arc<Exported>) -> Self {
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(EVERY)
            .build();
        let watched = Watched { exporter, figures: Arc::clone(&figures), away: AtomicBool::new(false) };
        Self { batches: BatchSpanProcessor::builder(watched).with_batch_config(config).build(), figures }
    }
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.figures.waiting.fetch_add(1, Ordering::AcqRel) >= QUEUE {
            self.figures.waiting.fetch_sub(1, Ordering::AcqRel);
            self.figures.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.batches.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(limit)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// An exporter whose failures are counted, and said once.
#[derive(Debug)]
struct Watched<E> {
    exporter: E,
    figures: Arc<Exported>,
    away: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        self.figures.waiting.fetch_sub(spans, Ordering::AcqRel);
        let counter = if result.is_ok() { &self.figures.sent } else { &self.figures.dropped };
        counter.fetch_add(spans as u64, Ordering::Relaxed);
        match (&result, self.away.swap(result.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => {
                tracing::warn!(%error, "the collector takes no spans; they are dropped until it does");
            }
            (Ok(()), true) => {
                tracing::info!(dropped = self.figures.dropped(), "the collector takes spans again");
            }
            _ => {}
        }
        // Said and counted: the SDK would log it again each time.
        Ok(())
    }

    fn shutdown_with_timeout(&self, limit: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(limit)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// One request, one connection, twice a second: nothing is kept open. The SDK calls it on a thread of its own that is no
/// part of any runtime, so the connection gets one here and the daemon's threads never wait for a collector.
#[derive(Debug)]
struct Collector(Runtime);

impl Collector {
    fn new() -> std::io::Result<Self> {
        Ok(Self(tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?))
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.0.block_on(async { timeout(PATIENCE, post(request)).await? })
    }
}

async fn post(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().ok_or("the collector's URL has no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    head.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    head.uri = Uri::builder().path_and_query(head.uri.path()).build()?;
    let (mut send, connection) = handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = send.send_request(Request::from_parts(head, Full::new(body))).await?;
    let (head, body) = answer.into_parts();
    let bytes = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
    connection.abort();
    if head.status.is_success() {
        return Ok(Response::from_parts(head, bytes));
    }
    Err(Box::<dyn Error + Send + Sync>::from(format!("the collector answered {}", head.status)))
}
