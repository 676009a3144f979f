//! Spans of the work for one request, and how a trace's context is written.

use std::future::Future;

use opentelemetry::{
    Context,
    trace::{SpanContext, TraceContextExt as _},
};
use tracing::{Instrument as _, Span, field::Empty, instrument::Instrumented};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::TARGET;

/// Does work in a span of its own if the request it is for is traced; else just does it. The name is
/// `service.method`, or `store.method` for what a service asks of a store.
pub fn within<F: Future>(name: &'static str, work: F) -> Instrumented<F> {
    work.instrument(child(name))
}

/// A span below the current one; none if there is none.
pub(super) fn child(name: &'static str) -> Span {
    if Span::current().is_none() {
        return Span::none();
    }
    tracing::info_span!(target: TARGET, "work", otel.name = name, otel.status_code = Empty)
}

/// A span's context as W3C `traceparent`; none if there is no span.
pub fn traceparent(span: &Span) -> Option<Box<str>> {
    if span.is_none() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    Some(span.span_context()).filter(|context| context.is_valid()).map(written)
}

/// `00-TRACE-SPAN-FLAGS`.
pub(super) fn written(context: &SpanContext) -> Box<str> {
    let flags = u8::from(context.is_sampled());
    format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id()).into()
}

/// Puts a span below a remote one.
pub(super) fn continues(span: &Span, parent: Context) {
    // It fails only for a span that is disabled or was started, and this one is neither: then the trace just begins here.
    drop(span.set_parent(parent));
}

/// Notes an error in a span.
pub(super) fn failed(span: &Span, error: &dyn std::fmt::Display) {
    span.record("otel.status_code", "error");
    span.set_attribute("error.message", error.to_string());
}
