//! The figures with their names: one function a group, in the order of daemon/docs/metrics.md.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, text::encode},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use super::{
    Looked, Sources,
    figures::{Histogram, OUTCOMES},
};

/// In front of every name.
const PREFIX: &str = "walletd";
/// Durations are kept in microseconds and shown in seconds.
const MICROS: f64 = 1_000_000.0;
/// No labels.
const PLAIN: [(&str, &str); 0] = [];

/// The figures of one daemon.
pub struct Metrics {
    registry: Registry,
    collected: Arc<Collected>,
}

struct Collected {
    sources: Sources,
    looked: Mutex<Looked>,
}

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected").field("looked", &self.looked).finish_non_exhaustive()
    }
}

impl Metrics {
    /// From these sources.
    pub fn new(sources: Sources) -> Self {
        let collected = Arc::new(Collected { sources, looked: Mutex::default() });
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register_collector(Box::new(Arc::clone(&collected)));
        Self { registry, collected }
    }

    /// All figures as they are now, as text.
    pub async fn text(&self) -> Result<String, fmt::Error> {
        let looked = (self.collected.sources.look)().await;
        *self.collected.looked.lock().unwrap_or_else(PoisonError::into_inner) = looked;
        let mut text = String::with_capacity(16 << 10);
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Collector for Collected {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut to = Writer(encoder);
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        daemon(&mut to, &looked)?;
        self.commits(&mut to, &looked)?;
        followers(&mut to, &looked)?;
        self.cache(&mut to, &looked)?;
        self.pools(&mut to)?;
        self.http(&mut to, &looked)?;
        self.access(&mut to)?;
        let spans = &self.sources.spans;
        to.counter("spans_sent", "Spans the collector took", [(PLAIN, spans.sent())])?;
        to.counter("spans_dropped", "Spans lost: the queue was full or the collector away", [(PLAIN, spans.dropped())])
    }
}

fn daemon(to: &mut Writer<'_>, looked: &Looked) -> fmt::Result {
    to.info("build", "What is running", &[("version", env!("CARGO_PKG_VERSION"))])?;
    let status = looked.status.as_ref();
    to.gauge("ledger_up", "1 if the ledger answered when this was asked", [(PLAIN, u64::from(status.is_some()))])?;
    let value = |value: fn(&wallet_api::types::Status) -> u64| status.map(|status| (PLAIN, value(status)));
    to.gauge("uptime_seconds", "Since the start", value(|status| status.uptime_s))?;
    to.gauge("ledger_epoch", "The ledger's epoch", value(|status| status.cut.epoch))?;
    to.gauge("ledger_head_seq", "The ledger's last record", value(|status| status.cut.seq))
}

/// The projections that this daemon keeps, and the events while it publishes them.
fn followers(to: &mut Writer<'_>, looked: &Looked) -> fmt::Result {
    let each = || looked.status.iter().flat_map(|status| &status.projections);
    let label = |name: &str| [("projection", name.to_owned())];
    to.gauge("projection_seq", "The last record that took effect", each().map(|p| (label(&p.name), p.seq)))?;
    to.gauge("projection_lag_records", "Records behind the head", each().map(|p| (label(&p.name), p.lag)))?;
    let failing = each().map(|p| (label(&p.name), u64::from(p.error.is_some())));
    to.gauge("projection_failing", "1 while it does not move and says why in the status", failing)?;
    to.gauge("relay_leading", "1 while this daemon publishes the journal", [(PLAIN, u64::from(looked.relay_leads))])
}

impl Collected {
    fn commits(&self, to: &mut Writer<'_>, looked: &Looked) -> fmt::Result {
        let commits = &self.sources.commits;
        let results = [("durable", commits.durable.get()), ("failed", commits.failed.get())];
        to.counter("commits", "Group commits", results.map(|(result, count)| ([("result", result)], count)))?;
        to.histogram("commit_commands", "Commands of a commit", None, [(PLAIN, &commits.sizes)])?;
        to.histogram("commit_duration", "From begin to durable", Some(&Unit::Seconds), [(PLAIN, &commits.took)])?;
        let outcomes = OUTCOMES.into_iter().zip(&commits.outcomes);
        let outcomes = outcomes.map(|(word, count)| ([("outcome", word)], count.get()));
        to.counter("commands", "Commands by outcome", outcomes)?;
        let refusals = commits.refusals.each().map(|(code, count)| ([("code", code)], count));
        to.counter("refusals", "Refused commands by code", refusals)?;
        to.gauge("queue_commands", "Commands that wait to be committed", [(PLAIN, looked.queued)])
    }

    fn cache(&self, to: &mut Writer<'_>, looked: &Looked) -> fmt::Result {
        let cache = &self.sources.cache;
        let reads = [("hit", &cache.hits), ("miss", &cache.misses), ("failure", &cache.failures)];
        let reads = reads.map(|(result, count)| ([("result", result)], count.get()));
        to.counter("cache_reads", "Balances asked of the cache", reads)?;
        let position = looked.cache_position.map(|position| (PLAIN, position));
        to.gauge("cache_position_seq", "The record up to which the cache knows every balance", position)
    }

    fn pools(&self, to: &mut Writer<'_>) -> fmt::Result {
        let used: Vec<_> = self.sources.pools.0.iter().map(|(store, look)| (*store, look())).collect();
        let connections = used.iter().flat_map(|(store, pool)| {
            let idle = pool.open.saturating_sub(pool.in_use);
            [("in_use", pool.in_use), ("idle", idle)]
                .map(|(state, n)| ([("store", *store), ("state", state)], n as u64))
        });
        to.gauge("pool_connections", "Connections to a store's server", connections)?;
        let limits = used.iter().map(|(store, pool)| ([("store", *store)], pool.limit as u64));
        to.gauge("pool_connections_limit", "Most connections to a store's server", limits)?;
        let waiting = used.iter().map(|(store, pool)| ([("store", *store)], pool.waiting as u64));
        to.gauge("pool_waiting", "Operations that wait for a connection", waiting)
    }

    fn http(&self, to: &mut Writer<'_>, looked: &Looked) -> fmt::Result {
        let http = &self.sources.http;
        let mut routes: Vec<_> = http.each().collect();
        routes.sort_unstable_by_key(|(path, method, _)| (*path, *method));
        let requests = routes.iter().flat_map(|(path, method, route)| {
            route.statuses().map(move |(status, count)| {
                let status = status.map_or_else(|| "other".to_owned(), |status| status.to_string());
                ([("method", (*method).to_owned()), ("route", (*path).to_owned()), ("status", status)], count)
            })
        });
        to.counter("http_requests", "Requests by route and status", requests)?;
        let took = routes.iter().map(|(path, method, route)| ([("method", *method), ("route", *path)], &route.took));
        to.histogram("http_request_duration", "Until the answer's head", Some(&Unit::Seconds), took)?;
        let problems = http.problems.each().map(|(code, count)| ([("code", code)], count));
        to.counter("http_problems", "Problems answered, by code", problems)?;
        to.gauge("tcp_connections", "Open TCP connections", [(PLAIN, http.connections.get())])?;
        let refused = [(PLAIN, http.connections_refused.get())];
        to.counter("tcp_connections_refused", "TCP connections closed at once: their address has its share", refused)?;
        let limited = http.limited.each().map(|(limit, count)| ([("limit", limit)], count));
        to.counter("rate_limited", "Requests refused by a rate limit", limited)?;
        let shared = looked.limits_shared.map(|shared| (PLAIN, u64::from(shared)));
        to.gauge("rate_limits_shared", "1 while the replicas share the rate limits", shared)
    }
}

impl Collected {
    fn access(&self, to: &mut Writer<'_>) -> fmt::Result {
        let access = &self.sources.access;
        let kinds = access.each().map(|(kind, count)| ([("kind", kind)], count));
        to.counter("access_events", "Refused sign-ins, forbidden attempts, reloads", kinds)?;
        to.counter("access_records", "Journal records made of them", [(PLAIN, access.records.get())])?;
        to.counter("access_dropped", "Of them those no record tells of", [(PLAIN, access.dropped.get())])
    }
}

/// Writes metrics of one kind each.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(&labels)
    }

    fn counter<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let write = |mut at: MetricEncoder<'_>, value: &u64| {
            at.encode_counter::<prometheus_client::encoding::NoLabelSet, u64, u64>(value, None)
        };
        self.each(name, help, None, MetricType::Counter, values, write)
    }

    fn gauge<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        self.each(name, help, None, MetricType::Gauge, values, |mut at, value| at.encode_gauge(value))
    }

    fn histogram<'h, L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        values: impl IntoIterator<Item = (L, &'h Histogram)>,
    ) -> fmt::Result {
        let scale = if unit.is_some() { MICROS } else { 1.0 };
        let write = |mut at: MetricEncoder<'_>, histogram: &&Histogram| {
            let bound = |bound: Option<u64>| bound.map_or(f64::INFINITY, |bound| real(bound) / scale);
            let buckets: Vec<_> = histogram.buckets().map(|(upper, count)| (bound(upper), count)).collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            let sum = real(histogram.sum()) / scale;
            at.encode_histogram::<prometheus_client::encoding::NoLabelSet>(sum, count, &buckets, None)
        };
        self.each(name, help, unit, MetricType::Histogram, values, write)
    }

    fn each<L: EncodeLabelSet, V>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        kind: MetricType,
        values: impl IntoIterator<Item = (L, V)>,
        write: impl Fn(MetricEncoder<'_>, &V) -> fmt::Result,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, unit, kind)?;
        // A type without a size has no labels to write ([`PLAIN`]), and then no braces are to stand around nothing.
        if size_of::<L>() == 0 {
            return values.into_iter().next().map_or(Ok(()), |(_, value)| write(metric, &value));
        }
        for (labels, value) in values {
            write(metric.encode_family(&labels)?, &value)?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds beyond 285 years, commands beyond 2^53")]
fn real(value: u64) -> f64 {
    value as f64
}
