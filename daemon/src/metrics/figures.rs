//! Figures as those keep them who do the work: atomics, no names, no labels.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use wallet_api::problem::CODES;
use wallet_core::{
    journal::AccessKind,
    outcome::{Answer, Outcome},
    ports::StoreError,
};

/// Upper bounds of durations, in microseconds.
const DURATIONS: &[u64] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000,
];
/// Upper bounds of batch sizes, in commands.
const SIZES: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];
/// Every status the gateway answers with; the last place is for any other.
const STATUSES: &[u16] = &[200, 400, 401, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503, 504, 507];

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds one.
    pub fn one(&self) {
        self.add(1);
    }

    /// Adds some.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many of something there are now.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

impl Level {
    /// One more, until the guard is dropped.
    pub fn begin(self: &Arc<Self>) -> One {
        self.0.fetch_add(1, Ordering::Relaxed);
        One(Arc::clone(self))
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of those that a [`Level`] counts.
#[derive(Debug)]
pub struct One(Arc<Level>);

impl Drop for One {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn counts(places: usize) -> Box<[Count]> {
    std::iter::repeat_with(Count::default).take(places).collect()
}

/// How many values fell below each of some bounds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    counts: Box<[Count]>,
    sum: Count,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: counts(bounds.len() + 1), sum: Count::default() }
    }

    fn durations() -> Self {
        Self::new(DURATIONS)
    }

    fn observe(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.one();
        }
        self.sum.add(value);
    }

    fn observe_time(&self, took: Duration) {
        self.observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// The sum of all values.
    pub(super) fn sum(&self) -> u64 {
        self.sum.get()
    }

    /// Each upper bound (none for the last) with the number of values between it and the one before.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts.iter().map(Count::get))
    }
}

/// How often each code of the table happened.
#[derive(Debug)]
pub struct Codes(Box<[Count]>);

impl Default for Codes {
    fn default() -> Self {
        Self(counts(CODES.len()))
    }
}

impl Codes {
    /// Once more.
    pub fn one(&self, code: &str) {
        if let Some(count) = CODES.iter().position(|row| row.code == code).and_then(|place| self.0.get(place)) {
            count.one();
        }
    }

    /// Those that happened.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CODES.iter().map(|row| row.code).zip(self.0.iter().map(Count::get)).filter(|(_, count)| *count > 0)
    }
}

/// What the ledger's writer did.
#[derive(Debug)]
pub struct Commits {
    /// Commits that are durable.
    pub(super) durable: Count,
    /// Commits that failed.
    pub(super) failed: Count,
    /// Commands of a commit.
    pub(super) sizes: Histogram,
    /// How long a commit took.
    pub(super) took: Histogram,
    /// Commands by their outcome, as [`OUTCOMES`].
    pub(super) outcomes: [Count; 5],
    /// Refused commands by code.
    pub(super) refusals: Codes,
}

/// The words of outcomes.
pub(super) const OUTCOMES: [&str; 5] = ["ok", "replayed", "refused", "conflict", "not_attempted"];

impl Default for Commits {
    fn default() -> Self {
        Self {
            durable: Count::default(),
            failed: Count::default(),
            sizes: Histogram::new(SIZES),
            took: Histogram::durations(),
            outcomes: Default::default(),
            refusals: Codes::default(),
        }
    }
}

impl Commits {
    /// A commit of so many commands ended.
    pub fn ended(&self, commands: usize, took: Duration, answers: &Result<Vec<Answer>, StoreError>) {
        self.sizes.observe(commands as u64);
        self.took.observe_time(took);
        let Ok(answers) = answers else {
            self.failed.one();
            return;
        };
        self.durable.one();
        let mut outcomes = [0; 5];
        for answer in answers {
            let Answer::Outcomes { outcomes: of_request, replayed } = answer else { continue };
            for outcome in of_request {
                let place = match outcome {
                    // The kept answer of a request that came again.
                    Outcome::Ok(_) if *replayed => 1,
                    Outcome::Ok(_) => 0,
                    Outcome::Replayed(_) => 1,
                    Outcome::Refused(refusal) => {
                        self.refusals.one(refusal.code());
                        2
                    }
                    Outcome::Conflict(_) => 3,
                    Outcome::NotAttempted => 4,
                };
                outcomes[place] += 1;
            }
        }
        for (count, more) in self.outcomes.iter().zip(outcomes) {
            if more > 0 {
                count.add(more);
            }
        }
    }
}

/// What was kept of access.
#[derive(Debug, Default)]
pub struct Access {
    /// Attempts by kind, as [`AccessKind::ALL`].
    pub(super) kinds: [Count; 3],
    /// Journal records that tell of them.
    pub records: Count,
    /// Attempts that no record will tell of.
    pub dropped: Count,
}

impl Access {
    /// One more attempt.
    pub fn noted(&self, kind: AccessKind) {
        let place = AccessKind::ALL.iter().position(|known| *known == kind);
        if let Some(count) = place.and_then(|place| self.kinds.get(place)) {
            count.one();
        }
    }

    /// Attempts by kind.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        AccessKind::ALL.iter().map(|kind| kind.as_str()).zip(self.kinds.iter().map(Count::get))
    }
}

/// How the balance cache answered.
#[derive(Debug, Default)]
pub struct CacheReads {
    /// It knew.
    pub hits: Count,
    /// It did not know, or not well enough: the ledger answered.
    pub misses: Count,
    /// It failed: the ledger answered.
    pub failures: Count,
}

/// What the edge answered.
#[derive(Debug)]
pub struct Http {
    /// By route; a request that no route takes is in `unmatched`.
    routes: HashMap<Box<str>, Vec<Route>>,
    unmatched: Route,
    /// Problems by code.
    pub(super) problems: Codes,
    /// Open TCP connections.
    pub connections: Arc<Level>,
    /// TCP connections that were closed at once: their address had its share.
    pub connections_refused: Count,
    /// Requests refused by a rate limit.
    pub limited: Arc<Limited>,
}

/// How often each rate limit refused. There are a handful of limits, each with a name of its own.
#[derive(Debug, Default)]
pub struct Limited([(OnceLock<&'static str>, Count); 8]);

impl Limited {
    /// Once more by this limit.
    pub fn one(&self, limit: &'static str) {
        let known = |(name, _): &&(OnceLock<&'static str>, Count)| *name.get_or_init(|| limit) == limit;
        if let Some((_, count)) = self.0.iter().find(known) {
            count.one();
        }
    }

    /// Those that refused.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().filter_map(|(name, count)| Some((*name.get()?, count.get())))
    }
}

/// The answers of one method of one route.
#[derive(Debug)]
pub(super) struct Route {
    method: Box<str>,
    statuses: Box<[Count]>,
    /// How long until the answer's head.
    pub(super) took: Histogram,
}

impl Route {
    fn new(method: &str) -> Self {
        Self { method: method.into(), statuses: counts(STATUSES.len() + 1), took: Histogram::durations() }
    }

    /// Statuses that were answered.
    pub(super) fn statuses(&self) -> impl Iterator<Item = (Option<u16>, u64)> {
        let statuses = STATUSES.iter().copied().map(Some).chain([None]);
        statuses.zip(self.statuses.iter().map(Count::get)).filter(|(_, count)| *count > 0)
    }
}

impl Http {
    /// For these routes, each a path with a method.
    pub fn new(routes: impl IntoIterator<Item = (String, &'static str)>) -> Self {
        let mut known: HashMap<Box<str>, Vec<Route>> = HashMap::new();
        for (path, method) in routes {
            known.entry(path.into()).or_default().push(Route::new(method));
        }
        Self {
            routes: known,
            unmatched: Route::new("any"),
            problems: Codes::default(),
            connections: Arc::default(),
            connections_refused: Count::default(),
            limited: Arc::default(),
        }
    }

    /// A request was answered.
    pub fn answered(&self, path: Option<&str>, method: &str, status: u16, took: Duration, problem: Option<&str>) {
        let of_path = path.and_then(|path| self.routes.get(path));
        let route = of_path.and_then(|methods| methods.iter().find(|route| &*route.method == method));
        let route = route.unwrap_or(&self.unmatched);
        let place = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len());
        if let Some(count) = route.statuses.get(place) {
            count.one();
        }
        route.took.observe_time(took);
        if let Some(code) = problem {
            self.problems.one(code);
        }
    }

    /// Every route that was asked: path, method, answers.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &str, &Route)> {
        let known = self
            .routes
            .iter()
            .flat_map(|(path, methods)| methods.iter().map(move |route| (&**path, &*route.method, route)));
        known.chain([("none", &*self.unmatched.method, &self.unmatched)]).filter(|(_, _, route)| route.was_asked())
    }
}

impl Route {
    fn was_asked(&self) -> bool {
        self.statuses().next().is_some()
    }
}
