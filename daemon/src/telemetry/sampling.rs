//! Which requests are traced, and with which trace.
//!
//! A client's context comes as W3C `traceparent` or as Jaeger's `uber-trace-id`; where both come, W3C's holds. A client that
//! wants to be sampled is, as long as not too many want it; one that does not is not. Of requests without a context a
//! share begins a trace. The context that goes on, beside the records, carries the decision.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use axum::http::HeaderMap;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use opentelemetry::{
    propagation::{TextMapCompositePropagator, TextMapPropagator},
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field::Empty};

use super::{TARGET, spans};
use crate::config::Traces;

const W3C: &str = "traceparent";
const JAEGER: &str = "uber-trace-id";

/// Decides which requests are traced.
pub struct Sampling {
    on: bool,
    /// A request without a context is traced if its random number is below this.
    below: u64,
    wishes: Option<DefaultDirectRateLimiter>,
    propagator: TextMapCompositePropagator,
    seed: RandomState,
    count: AtomicU64,
}

/// The trace of one request.
#[derive(Debug)]
pub struct Trace {
    /// Its span; none unless the request is sampled.
    pub span: Span,
    /// The context that goes on, as W3C `traceparent`; none if the client gave none and the request is not sampled.
    pub context: Option<Box<str>>,
}

impl Trace {
    /// The trace's id.
    pub fn id(&self) -> Option<&str> {
        self.context.as_deref()?.split('-').nth(1)
    }

    /// Notes how the request ended: its status, and the code of its problem.
    pub fn ended(&self, status: u16, problem: Option<&str>) {
        if self.span.is_none() {
            return;
        }
        self.span.record("http.response.status_code", i64::from(status));
        if let Some(code) = problem {
            self.span.record("error.type", code);
        }
        if status >= 500 {
            self.span.record("otel.status_code", "error");
        }
    }
}

impl Sampling {
    /// As configured; `on` only where spans are exported.
    pub fn new(traces: &Traces) -> Self {
        let quota = |most| Quota::per_second(most);
        Self {
            on: traces.is_on(),
            below: threshold(traces.sample_ratio),
            wishes: NonZeroU32::new(traces.client_samples_per_second).map(|most| RateLimiter::direct(quota(most))),
            // The last that finds a context wins.
            propagator: TextMapCompositePropagator::new(vec![jaeger(), Box::new(TraceContextPropagator::new())]),
            seed: RandomState::new(),
            count: AtomicU64::new(0),
        }
    }

    /// The trace of a request with these headers. `what` names method and route, if it has to be named.
    pub fn begin(&self, headers: &HeaderMap, request: &str, what: impl FnOnce() -> (String, String)) -> Trace {
        let parent = self.parent(headers);
        if !self.samples(parent.as_ref()) {
            return Trace {
                span: Span::none(),
                context: parent.map(|context| unsampled(&context)).as_ref().map(spans::written),
            };
        }
        let (method, route) = what();
        let span = tracing::info_span!(
            target: TARGET, parent: None, "request", otel.name = format!("{method} {route}"), otel.kind = "server",
            http.request.method = method, http.route = route, request.id = request,
            http.response.status_code = Empty, "error.type" = Empty, otel.status_code = Empty,
        );
        if parent.is_some() {
            spans::continues(&span, self.propagator.extract(&HeaderExtractor(headers)));
        }
        let context = spans::traceparent(&span);
        Trace { span, context }
    }

    /// The context a request comes with. W3C's is read in place: it is what nearly every request has.
    fn parent(&self, headers: &HeaderMap) -> Option<SpanContext> {
        let w3c = headers.get(W3C).and_then(|value| value.to_str().ok()).and_then(parsed);
        if w3c.is_some() || !headers.contains_key(JAEGER) {
            return w3c;
        }
        let context = self.propagator.extract(&HeaderExtractor(headers));
        let span = context.span();
        Some(span.span_context().clone()).filter(SpanContext::is_valid)
    }

    fn samples(&self, parent: Option<&SpanContext>) -> bool {
        match parent {
            _ if !self.on => false,
            Some(parent) => parent.is_sampled() && self.wishes.as_ref().is_some_and(|wishes| wishes.check().is_ok()),
            None => self.below > 0 && self.random() < self.below,
        }
    }

    fn random(&self) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write_u64(self.count.fetch_add(1, Ordering::Relaxed));
        hasher.finish()
    }
}

/// The same place in the same trace, of which nothing more is recorded.
fn unsampled(context: &SpanContext) -> SpanContext {
    SpanContext::new(context.trace_id(), context.span_id(), TraceFlags::default(), true, TraceState::NONE)
}

/// Jaeger's own clients are still about: their header is to be understood as long as the package is kept.
#[expect(deprecated, reason = "the format is deprecated, not the clients that send it; see daemon/docs/adr/0001")]
fn jaeger() -> Box<dyn TextMapPropagator + Send + Sync> {
    Box::new(opentelemetry_jaeger::Propagator::new())
}

/// The number that a share of all 64-bit numbers lies below.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of requests, not money: the last bits do not matter, and the cast is clamped"
)]
fn threshold(ratio: f64) -> u64 {
    (ratio.clamp(0.0, 1.0) * u64::MAX as f64) as u64
}

/// `00-TRACE-SPAN-FLAGS`, lower-case hex, neither id all zeros. A later version's further parts are left.
pub(super) fn parsed(text: &str) -> Option<SpanContext> {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let whole = match version {
        "00" => parts.next().is_none(),
        version => hex(version, 2) && version != "ff",
    };
    if !whole || !hex(trace, 32) || !hex(span, 16) || !hex(flags, 2) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let ids = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    Some(SpanContext::new(ids.0, ids.1, flags, true, TraceState::NONE)).filter(SpanContext::is_valid)
}
