//! The issuer's keys, kept fresh: what it publishes is read every five minutes, and at once when a token names a key
//! that is not known, at most every ten seconds and never twice at a time.
//!
//! Keys outlive an issuer that is away by an hour, counted from when they were read; then nothing is verified any
//! more. The daemon starts without them: tokens are answered with `unavailable` until the issuer is there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;
use wallet_core::{
    ports::{Documents, FetchError},
    time::Timestamp,
};

use super::keys::Keys;
use crate::services::whole;

/// How often the keys are read.
const REFRESH_EVERY: Duration = Duration::from_mins(5);
/// How old keys may become while the issuer does not answer.
const MAX_AGE: Duration = Duration::from_hours(1);
/// How long after a question for an unknown key the next one may be asked.
const COOLDOWN: Duration = Duration::from_secs(10);
/// The first wait for an issuer that does not answer; it doubles.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest wait for an issuer that does not answer.
const LAST_RETRY: Duration = Duration::from_secs(15);
/// Where an issuer says what it is, below its URL (`OpenID` Connect Discovery).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Where an issuer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Who it is: what its tokens and its document say, exactly.
    pub issuer: String,
    /// Where this daemon reaches it; without a slash at the end.
    pub discovery: String,
}

/// Why an issuer's keys could not be read.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// A document is not there.
    #[error("cannot read {url}")]
    Fetch {
        /// Where it should be.
        url: String,
        /// Why.
        #[source]
        source: FetchError,
    },
    /// A document is not what it should be.
    #[error("{url} is not {what}")]
    Form {
        /// Where it is.
        url: String,
        /// What it should be.
        what: &'static str,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The document is about somebody else.
    #[error("it says it is the issuer {said:?}, which is not auth.issuer")]
    OtherIssuer {
        /// Who it says it is.
        said: String,
    },
    /// The keys are somewhere this daemon does not follow.
    #[error("its keys are at {url:?}: neither below the issuer nor at an https URL")]
    KeysElsewhere {
        /// Where.
        url: String,
    },
    /// It publishes no key that may sign tokens.
    #[error("it publishes no key for RS256 or ES256 with use=sig")]
    NoKey,
}

/// What was read of an issuer.
#[derive(Clone, Debug)]
pub struct Look {
    /// Keys that may sign tokens.
    pub keys: usize,
    /// The issuer's clock, where it said so.
    pub date: Option<Timestamp>,
    /// Where the keys are.
    pub keys_url: String,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Place {
    /// Where the keys are that a document names: below the issuer, reached as the issuer is reached.
    fn keys_url(&self, said: &str) -> Result<String, IssuerError> {
        let below = |base: &str| said.strip_prefix(base).filter(|rest| rest.starts_with('/'));
        if below(&self.discovery).is_some() {
            return Ok(said.to_owned());
        }
        if let Some(rest) = below(self.issuer.trim_end_matches('/')) {
            return Ok(format!("{}{rest}", self.discovery));
        }
        if said.starts_with("https://") {
            return Ok(said.to_owned());
        }
        Err(IssuerError::KeysElsewhere { url: said.to_owned() })
    }

    async fn read(&self, documents: &dyn Documents) -> Result<(Keys, Look), IssuerError> {
        let url = format!("{}{WELL_KNOWN}", self.discovery);
        let found = fetch(documents, &url).await?;
        let date = found.date;
        let discovery: Discovery = serde_json::from_slice(&found.body).map_err(|source| IssuerError::Form {
            url,
            what: "an OpenID provider's configuration",
            source,
        })?;
        if discovery.issuer != self.issuer {
            return Err(IssuerError::OtherIssuer { said: discovery.issuer });
        }
        let keys_url = self.keys_url(&discovery.jwks_uri)?;
        let found = fetch(documents, &keys_url).await?;
        let keys = Keys::read(&found.body).map_err(|source| IssuerError::Form {
            url: keys_url.clone(),
            what: "a set of keys",
            source,
        })?;
        if keys.len() == 0 {
            return Err(IssuerError::NoKey);
        }
        let look = Look { keys: keys.len(), date, keys_url };
        Ok((keys, look))
    }

    /// Reads once what the issuer publishes.
    pub async fn look(&self, documents: &dyn Documents) -> Result<Look, IssuerError> {
        self.read(documents).await.map(|(_, look)| look)
    }
}

async fn fetch(documents: &dyn Documents, url: &str) -> Result<wallet_core::ports::Document, IssuerError> {
    documents.fetch(url).await.map_err(|source| IssuerError::Fetch { url: url.to_owned(), source })
}

/// Keys as they were read.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) keys: Keys,
    /// Another number for every change of the keys: what was verified by earlier ones counts no more.
    pub(super) generation: u64,
    read_at: Instant,
}

/// What happens one at a time.
#[derive(Debug, Default)]
struct Flight {
    /// When an unknown key was asked for last.
    asked: Option<Instant>,
    /// The last attempt failed, and the log says so.
    failing: bool,
}

/// Tells the time since some start: a steady clock, or a test's.
pub(super) type Now = Arc<dyn Fn() -> Instant + Send + Sync>;

/// An issuer's keys, kept fresh.
pub struct Issuer {
    place: Place,
    documents: Arc<dyn Documents>,
    held: ArcSwapOption<Held>,
    flight: Arc<Mutex<Flight>>,
    /// Attempts that ended.
    attempts: AtomicU64,
    now: Now,
}

impl Issuer {
    /// Nothing is read yet: [`Issuer::run`] does.
    pub fn new(place: Place, documents: Arc<dyn Documents>) -> Arc<Self> {
        Self::at(place, documents, Arc::new(Instant::now))
    }

    pub(super) fn at(place: Place, documents: Arc<dyn Documents>, now: Now) -> Arc<Self> {
        Arc::new(Self {
            place,
            documents,
            held: ArcSwapOption::empty(),
            flight: Arc::default(),
            attempts: AtomicU64::new(0),
            now,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.place.issuer
    }

    /// The keys, unless there are none or they are too old.
    pub(super) fn held(&self) -> Option<Arc<Held>> {
        let held = self.held.load_full()?;
        ((self.now)().duration_since(held.read_at) < MAX_AGE).then_some(held)
    }

    /// The keys after the issuer was asked again: at most once in a while, and by one caller for all.
    pub(super) async fn asked_again(self: &Arc<Self>) -> Option<Arc<Held>> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut flight = Arc::clone(&self.flight).lock_owned().await;
        let now = (self.now)();
        let answered = self.attempts.load(Ordering::Acquire) != seen;
        let lately = flight.asked.is_some_and(|asked| now.duration_since(asked) < COOLDOWN);
        if !answered && !lately {
            flight.asked = Some(now);
            // On its own, so that a caller who goes away does not take the answer from all others.
            let issuer = Arc::clone(self);
            if tokio::spawn(async move { issuer.attempt(flight).await }).await.is_err() {
                tracing::error!("reading the issuer's keys ended early");
            }
        }
        self.held()
    }

    /// Reads the keys once; false if that failed.
    pub async fn refresh(&self) -> bool {
        let flight = Arc::clone(&self.flight).lock_owned().await;
        self.attempt(flight).await
    }

    async fn attempt(&self, mut flight: OwnedMutexGuard<Flight>) -> bool {
        let begun = (self.now)();
        let read = self.place.read(&*self.documents).await;
        let good = match read {
            Ok((keys, look)) => {
                let before = self.held.load_full();
                let same = before.as_ref().is_some_and(|before| before.keys.is_same(&keys));
                let generation = before.map_or(1, |before| before.generation + u64::from(!same));
                if !same || flight.failing {
                    tracing::info!(
                        issuer = self.name(),
                        keys = look.keys,
                        url = look.keys_url,
                        "read the issuer's keys"
                    );
                }
                self.held.store(Some(Arc::new(Held { keys, generation, read_at: begun })));
                true
            }
            Err(error) => {
                let without =
                    if self.held().is_some() { "the keys at hand are used" } else { "no token can be verified" };
                let error = whole(&error);
                if flight.failing {
                    tracing::debug!(issuer = self.name(), error, without, "the issuer's keys cannot be read");
                } else {
                    tracing::warn!(issuer = self.name(), error, without, "the issuer's keys cannot be read");
                }
                false
            }
        };
        flight.failing = !good;
        self.attempts.fetch_add(1, Ordering::Release);
        good
    }

    /// Reads the keys until `stop`.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut retry = FIRST_RETRY;
        while !stop.is_cancelled() {
            let wait = if self.refresh().await {
                retry = FIRST_RETRY;
                REFRESH_EVERY
            } else {
                let wait = retry;
                retry = wait.saturating_mul(2).min(LAST_RETRY);
                wait
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}
