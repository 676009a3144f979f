//! The trace of one run of walletctl.
//!
//! All its requests are in one trace: a new one, or the one that `TRACEPARENT` names (a cron job's, a pipeline's). The daemon
//! records its part. Ours is sent only where a collector is named as every OpenTelemetry program is told it,
//! by `OTEL_EXPORTER_OTLP_ENDPOINT`; without one nothing of it is even made.

use std::{
    borrow::Cow,
    time::{Duration, Instant, SystemTime},
};

use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks},
};
use wallet_api::client::{Trace, install_tls};

use crate::{env::Env, error::CliError, prompt::Prompt};

/// How long the collector may keep a command from ending.
const PATIENCE: Duration = Duration::from_secs(1);

/// The trace of one run.
#[derive(Debug)]
pub struct Tracing {
    trace: Trace,
    told: bool,
    collector: Option<String>,
    begun: Instant,
}

impl Default for Tracing {
    fn default() -> Self {
        Self { trace: Trace::begin(None, false), told: false, collector: None, begun: Instant::now() }
    }
}

impl Tracing {
    /// As the environment says; `told` if its id is to be printed.
    pub fn begin(env: &Env, told: bool) -> Self {
        let base =
            env.get("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| format!("{}/v1/traces", base.trim_end_matches('/')));
        let collector = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or(base);
        let trace = Trace::begin(env.get("TRACEPARENT").as_deref(), collector.is_some());
        Self { trace, told, collector, begun: Instant::now() }
    }

    /// What the requests are part of.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// True if its id is to be printed.
    pub fn is_told(&self) -> bool {
        self.told
    }

    /// Sends our part to the collector, if there is one. A collector that does not take it is no error of the command.
    pub async fn end(&self, prompt: &Prompt, error: Option<&CliError>) {
        let Some(collector) = self.collector.as_deref().filter(|_| self.trace.is_sampled()) else { return };
        let calls = self.trace.calls();
        if calls.is_empty() {
            return;
        }
        let sent = tokio::time::timeout(PATIENCE, self.send(collector, error)).await;
        let why = sent.map_or_else(|_| Some("no answer in time".to_owned()), Result::err);
        if let Some(why) = why.filter(|_| self.told) {
            prompt.note(&format!("the collector at {collector} did not take the spans: {why}"));
        }
    }

    async fn send(&self, collector: &str, error: Option<&CliError>) -> Result<(), String> {
        install_tls();
        let http = reqwest::Client::builder().no_proxy().build().map_err(|e| e.to_string())?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(http)
            .with_endpoint(collector)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|e| e.to_string())?;
        exporter.set_resource(&Resource::builder().with_service_name("walletctl").build());
        exporter.export(self.spans(error)).await.map_err(|e| e.to_string())
    }

    /// The command's span, and one below it for each request.
    fn spans(&self, error: Option<&CliError>) -> Vec<SpanData> {
        // Durations are measured by one clock, only their place is taken from the other.
        let (now, wall) = (Instant::now(), opentelemetry::time::now());
        let at = |instant: Instant| wall.checked_sub(now.duration_since(instant)).unwrap_or(wall);
        let status = error.map_or(Status::Unset, |error| Status::error(error.code.clone()));
        let mut run = self.span(self.trace.span(), self.trace.parent(), "walletctl", SpanKind::Internal);
        (run.start_time, run.end_time, run.status) = (at(self.begun), wall, status);
        let calls = self.trace.calls().into_iter().map(|call| {
            let mut span = self.span(&call.span, Some(self.trace.span()), call.name, SpanKind::Client);
            (span.start_time, span.end_time) = (at(call.sent), at(call.ended));
            match call.status {
                Some(status) => span.attributes.push(KeyValue::new("http.response.status_code", i64::from(status))),
                None => span.status = Status::error("no answer"),
            }
            span
        });
        calls.chain([run]).collect()
    }

    fn span(&self, id: &str, parent: Option<&str>, name: impl Into<Cow<'static, str>>, kind: SpanKind) -> SpanData {
        // Our own ids are always good; a parent's was checked when it was read.
        let span_id = |text: &str| SpanId::from_hex(text).unwrap_or(SpanId::INVALID);
        let trace_id = TraceId::from_hex(self.trace.id()).unwrap_or(TraceId::INVALID);
        SpanData {
            span_context: SpanContext::new(trace_id, span_id(id), TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: parent.map_or(SpanId::INVALID, span_id),
            parent_span_is_remote: false,
            span_kind: kind,
            name: name.into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("walletctl").build(),
        }
    }
}
