//! Spans of what follows a commit: the relay's publishing and each consumer's effect. They continue from the context
//! that is stored beside the records, wherever those were read from.

use std::sync::Arc;

use opentelemetry::{Context, trace::TraceContextExt as _};
use tracing::{Level, Span, field::Empty};
use wallet_core::{journal::Stored, ports::StoreError, time::Timestamp};

use super::{TARGET, sampling, spans};

/// Most spans of one page: sampling is a handful a second, a page is milliseconds.
const MAX_SPANS: usize = 64;
/// A record older than this is brought up, not followed: its trace has long been looked at. In microseconds.
const MAX_AGE: i64 = 900_000_000;
/// How a `traceparent` of a sampled request ends.
const SAMPLED: &str = "-01";

/// What is done with a page of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Published to the bus.
    Publish,
    /// Taken into the store of this projection.
    Consume(&'static str),
}

/// The spans of one page; nothing unless a record of it was made by a traced request.
#[derive(Debug, Default)]
#[must_use]
pub struct Followed(Vec<Span>);

/// Begins spans for the traced records of a page, one for each request's.
pub fn follow(step: Step, records: &[Arc<Stored>]) -> Followed {
    if !tracing::span_enabled!(target: TARGET, Level::INFO) {
        return Followed::default();
    }
    let mut followed = Vec::new();
    let mut last: Option<&str> = None;
    let oldest = now().saturating_sub(MAX_AGE);
    for stored in records {
        let Some(context) = stored.trace.as_deref().filter(|context| context.ends_with(SAMPLED)) else { continue };
        if last.replace(context) == Some(context) || stored.record.recorded_at < Timestamp::from_micros(oldest) {
            continue;
        }
        if followed.len() == MAX_SPANS {
            break;
        }
        if let Some(parent) = sampling::parsed(context) {
            let span = begun(step, stored.record.seq);
            spans::continues(&span, Context::new().with_remote_span_context(parent));
            followed.push(span);
        }
    }
    Followed(followed)
}

fn begun(step: Step, seq: u64) -> Span {
    let (name, kind, projection) = match step {
        Step::Publish => ("relay.publish".to_owned(), "producer", "events"),
        Step::Consume(projection) => (format!("{projection}.consume"), "consumer", projection),
    };
    tracing::info_span!(
        target: TARGET, parent: None, "follow", otel.name = name, otel.kind = kind, projection,
        record.seq = i64::try_from(seq).unwrap_or(i64::MAX), otel.status_code = Empty,
    )
}

/// Spans are stamped with the machine's clock as well.
fn now() -> i64 {
    let since = opentelemetry::time::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

impl Followed {
    /// Ends the spans: the page is where it was to go, or failed.
    pub fn end<T>(self, result: &Result<T, StoreError>) {
        if let Err(error) = result {
            for span in &self.0 {
                spans::failed(span, error);
            }
        }
    }
}
