//! Spans around a group commit.
//!
//! A batch holds requests of many traces. It has a span of its own, in a trace of its own, if any of its requests is traced;
//! each traced request has its own commit span that links to it (an SDK keeps at most 128 links of a span, a batch may
//! have thousands of requests). The commit span's context goes beside the request's records: what follows
//! them continues from there.

use opentelemetry::trace::TraceContextExt as _;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use wallet_core::{command::Request, ports::StoreError};

use super::{TARGET, spans};

/// The spans of one commit; nothing unless a request of it is traced.
#[derive(Debug, Default)]
pub struct CommitTrace {
    batch: Option<Span>,
    requests: Vec<Span>,
}

impl CommitTrace {
    /// Takes a request into the batch. `caller` is the span it was submitted in.
    pub fn take(&mut self, caller: &Span, request: &mut Request) {
        if caller.is_none() {
            return;
        }
        let batch = self.batch.get_or_insert_with(|| {
            tracing::info_span!(
                target: TARGET, parent: None, "batch", otel.name = "ledger.commit batch", batch.requests = Empty,
                batch.commands = Empty, batch.traced = Empty, otel.status_code = Empty,
            )
        });
        let span = tracing::info_span!(
            target: TARGET, parent: caller, "commit", otel.name = "ledger.commit", commit.commands = Empty,
            otel.status_code = Empty,
        );
        span.record("commit.commands", signed(request.commands.len()));
        span.add_link(batch.context().span().span_context().clone());
        request.trace = spans::traceparent(&span);
        self.requests.push(span);
    }

    /// The span to commit in.
    pub fn span(&self) -> Span {
        self.batch.clone().unwrap_or_else(Span::none)
    }

    /// Ends the spans: the batch of so many requests and commands is durable, or failed.
    pub fn end(&mut self, requests: usize, commands: usize, error: Option<&StoreError>) {
        let Some(batch) = self.batch.take() else { return };
        batch.record("batch.requests", signed(requests));
        batch.record("batch.commands", signed(commands));
        batch.record("batch.traced", signed(self.requests.len()));
        for span in self.requests.drain(..).chain([batch]) {
            if let Some(error) = error {
                spans::failed(&span, error);
            }
        }
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
