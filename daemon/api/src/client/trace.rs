//! The trace that requests are part of.
//!
//! Every request is sent with its place in a trace, as W3C `traceparent` and as Jaeger's `uber-trace-id`. A client has a
//! trace for each request, or one for all of them ([`Trace`]): then the calls can be kept, to be exported by whoever
//! made the client.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Most calls that are kept of one trace: beyond, it tells nothing more to a person.
const MAX_CALLS: usize = 500;

/// Makes ids. `RandomState` is seeded by the operating system, so no two processes make the same; an id needs no
/// more than that.
#[derive(Default)]
struct Ids {
    seeds: [RandomState; 2],
    count: AtomicU64,
}

impl Ids {
    fn next(&self) -> [u64; 2] {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        self.seeds.each_ref().map(|seed| {
            let mut hasher = seed.build_hasher();
            hasher.write_u64(count);
            hasher.write_u32(std::process::id());
            // All zeros would be invalid.
            hasher.finish().max(1)
        })
    }

    fn trace(&self) -> String {
        let [high, low] = self.next();
        format!("{high:016x}{low:016x}")
    }

    fn span(&self) -> String {
        format!("{:016x}", self.next()[0])
    }
}

/// One trace, with a span of its own that every request is below.
#[derive(Clone)]
pub struct Trace(Arc<Inner>);

struct Inner {
    ids: Ids,
    id: String,
    span: String,
    parent: Option<String>,
    sampled: bool,
    calls: Option<Mutex<Vec<Call>>>,
}

/// One request of a trace.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its span's id.
    pub span: String,
    /// Its method and path.
    pub name: String,
    /// When it was sent.
    pub sent: Instant,
    /// When the head of its answer was there, or it failed.
    pub ended: Instant,
    /// The answer's status; none if there was no answer.
    pub status: Option<u16>,
}

impl Trace {
    /// A new one, or the one that a W3C `traceparent` names, if it is a good one. Calls are kept if `keep`.
    pub fn begin(traceparent: Option<&str>, keep: bool) -> Self {
        let ids = Ids::default();
        let (id, parent, sampled) = match traceparent.and_then(parsed) {
            Some((id, span, sampled)) => (id, Some(span), sampled),
            None => (ids.trace(), None, true),
        };
        let span = ids.span();
        Self(Arc::new(Inner { ids, id, span, parent, sampled, calls: keep.then(Mutex::default) }))
    }

    /// The trace's id.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The id of its span that the requests are below.
    pub fn span(&self) -> &str {
        &self.0.span
    }

    /// The span that one is below, if the trace was begun elsewhere.
    pub fn parent(&self) -> Option<&str> {
        self.0.parent.as_deref()
    }

    /// True if it is to be recorded.
    pub fn is_sampled(&self) -> bool {
        self.0.sampled
    }

    /// The calls so far, if they are kept.
    pub fn calls(&self) -> Vec<Call> {
        let kept = self.0.calls.as_ref().map(|calls| calls.lock().unwrap_or_else(PoisonError::into_inner).clone());
        kept.unwrap_or_default()
    }

    fn place(&self) -> Place {
        Place { trace: self.0.id.clone(), span: self.0.ids.span(), sampled: self.0.sampled }
    }

    fn keep(&self, call: impl FnOnce() -> Call) {
        let Some(calls) = &self.0.calls else { return };
        let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() < MAX_CALLS {
            calls.push(call());
        }
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Trace").field(&self.0.id).finish()
    }
}

/// Where a request is in its trace.
pub(super) struct Place {
    pub(super) trace: String,
    span: String,
    sampled: bool,
}

impl Place {
    /// As the standard writes it, and as Jaeger does.
    pub(super) fn headers(&self) -> [(&'static str, String); 2] {
        let Self { trace, span, sampled } = self;
        let flag = u8::from(*sampled);
        [
            ("traceparent", format!("00-{trace}-{span}-{flag:02x}")),
            ("uber-trace-id", format!("{trace}:{span}:0:{flag}")),
        ]
    }
}

/// The traces of one client's requests.
#[derive(Clone)]
pub(super) enum Traces {
    /// One for each.
    Each(Arc<EachIds>),
    /// One for all.
    One(Trace),
}

/// Ids for traces of one request each.
#[derive(Default)]
pub(super) struct EachIds(Ids);

impl Default for Traces {
    fn default() -> Self {
        Self::Each(Arc::default())
    }
}

impl Traces {
    pub(super) fn next(&self) -> Place {
        match self {
            Self::Each(ids) => Place { trace: ids.0.trace(), span: ids.0.span(), sampled: true },
            Self::One(trace) => trace.place(),
        }
    }

    /// Notes what became of a request.
    pub(super) fn ended(&self, place: &Place, sent: Instant, status: Option<u16>, name: impl FnOnce() -> String) {
        if let Self::One(trace) = self {
            trace.keep(|| Call { span: place.span.clone(), name: name(), sent, ended: Instant::now(), status });
        }
    }
}

impl std::fmt::Debug for Traces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Traces")
    }
}

/// Trace, span and whether it is sampled, of a `traceparent`.
fn parsed(text: &str) -> Option<(String, String, bool)> {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let set = |part: &str| part.bytes().any(|b| b != b'0');
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let whole = hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    let good = whole && hex(trace, 32) && set(trace) && hex(span, 16) && set(span) && hex(flags, 2);
    let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
    good.then(|| (trace.to_owned(), span.to_owned(), sampled))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

    #[test]
    fn every_request_has_a_place_of_its_own() {
        let each = Traces::default();
        let (one, two) = (each.next(), each.next());
        assert_ne!((&one.trace, &one.span), (&two.trace, &two.span));
        let all = Traces::One(Trace::begin(None, false));
        let (one, two) = (all.next(), all.next());
        assert_eq!((&one.trace, one.trace.len(), one.span.len()), (&two.trace, 32, 16));
        assert_ne!(one.span, two.span);
    }

    #[test]
    fn a_trace_begun_elsewhere_goes_on_and_keeps_its_wish() {
        for (flag, sampled) in [("01", true), ("00", false)] {
            let trace = Trace::begin(Some(&format!("{GIVEN}-{flag}")), false);
            assert_eq!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
            assert_eq!((trace.parent(), trace.is_sampled()), (Some("00f067aa0ba902b7"), sampled));
            let [(_, w3c), (_, jaeger)] = trace.place().headers();
            assert!(w3c.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && w3c.ends_with(flag), "{w3c}");
            assert!(jaeger.starts_with("4bf92f3577b34da6a3ce929d0e0e4736:"), "{jaeger}");
            assert!(jaeger.ends_with(&format!(":0:{}", u8::from(sampled))), "{jaeger}");
        }
        for bad in ["", "nonsense", "00-0-0-00", &format!("{GIVEN}-01-x"), &format!("ff{}-01", &GIVEN[2..])] {
            let trace = Trace::begin(Some(bad), false);
            assert!(trace.parent().is_none() && trace.id().len() == 32, "{bad}");
        }
    }

    #[test]
    fn calls_are_kept_only_if_asked_and_not_without_end() {
        for (keep, kept) in [(false, 0), (true, MAX_CALLS)] {
            let trace = Trace::begin(None, keep);
            let traces = Traces::One(trace.clone());
            for _ in 0..MAX_CALLS * 2 {
                traces.ended(&traces.next(), Instant::now(), Some(200), || "GET /".into());
            }
            assert_eq!(trace.calls().len(), kept);
        }
    }
}
