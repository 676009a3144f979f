//! Telemetry: logs to stderr, and spans to a collector by OTLP.
//!
//! Logs are one line an event, text or JSON; errors once, at the boundary.
//!
//! Spans exist for sampled requests only. The edge decides for a whole request ([`Sampling`]); whoever works for it asks
//! [`within`] for a span and gets one if the request has one. What follows a commit later, and elsewhere, continues from
//! the trace context that is stored beside the record ([`follow`]). Costs: a request that is not sampled makes no span and
//! allocates nothing here; a dead collector costs the spans it misses, which are counted ([`exported`]), and two lines of log.

mod commit;
mod export;
mod follow;
mod sampling;
mod spans;
#[cfg(test)]
mod tests;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt as _, FilterFn, filter_fn},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::config::{Format, Log, Traces};

pub use self::{
    commit::CommitTrace,
    export::{Exported, exported},
    follow::{Followed, Step, follow},
    sampling::{Sampling, Trace},
    spans::{traceparent, within},
};

/// The target of every span: what tells spans for the collector from anything a library makes.
const TARGET: &str = "walletd::trace";

/// What telemetry has running; the last spans go out when it is dropped.
#[must_use]
pub struct Telemetry(Option<SdkTracerProvider>);

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(provider) = &self.0 {
            export::end(provider);
        }
    }
}

/// Starts logging, and traces if they are asked for. Only the first call of a process takes effect.
pub fn start(log: &Log, traces: Option<&Traces>) -> Telemetry {
    // What the stores below say about themselves is only of interest when it is a warning; a level
    // with a filter of its own says otherwise.
    let quiet = format!("{},fjall=warn,lsm_tree=warn,refinery_core=warn", log.level);
    let level = if log.level.contains(['=', ',']) { &log.level } else { &quiet };
    // The exporter's crates would log every failure, and every bad header that a client sends; what matters of it is said here.
    let filter = EnvFilter::try_new(format!("{level},opentelemetry=off")).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = filter.and(filter_fn(|metadata| metadata.target() != TARGET));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match log.format {
        Format::Json => lines.json().boxed(),
        Format::Text => lines.with_ansi(false).boxed(),
    };
    let (provider, failed) = match traces.filter(|traces| traces.is_on()).map(export::provider) {
        None => (None, None),
        Some(Ok(provider)) => (Some(provider), None),
        Some(Err(error)) => (None, Some(error)),
    };
    let spans = provider.as_ref().map(|provider| spans_layer(provider.tracer("walletd")));
    // A second start (in tests) keeps the first one's.
    drop(tracing_subscriber::registry().with(spans).with(lines.with_filter(filter)).try_init());
    if let Some(error) = failed {
        tracing::error!(%error, "there are no traces");
    }
    Telemetry(provider)
}

/// The layer that turns spans of [`TARGET`] into what is exported, and warnings within them into their events.
fn spans_layer<S: Subscriber + for<'a> LookupSpan<'a>>(tracer: SdkTracer) -> impl Layer<S> {
    let wanted: fn(&Metadata<'_>) -> bool = |metadata| {
        if metadata.is_span() { metadata.target() == TARGET } else { *metadata.level() <= Level::WARN }
    };
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(FilterFn::new(wanted).with_max_level_hint(LevelFilter::INFO))
}
