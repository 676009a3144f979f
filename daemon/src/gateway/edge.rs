//! The edge: what every request passes, outermost first: request id, trace, time limit, rate
//! limit, authentication, then the handler; on the way out problems get their body.
//!
//! One function instead of a stack of layers: the order is visible, and a request pays for one box.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::Instrument as _;
use wallet_api::problem::Problem;
use wallet_core::{
    ids::RequestId,
    ports::{RateLimiter, Verdict},
};

use super::{
    context::Context,
    fault::Fault,
    keycloak::Keycloak,
    source::{Peer, Source},
};
use crate::{
    metrics::figures::Http,
    services::identity::{Authenticate, Caller, Refusal},
    telemetry::{Sampling, Trace},
};

const REQUEST_ID: &str = "x-request-id";
/// What a client that was refused for load is told to wait, in seconds.
const RETRY_AFTER: u64 = 1;

/// Tells who a local peer is; none for somebody who may not call.
pub type Identify = Arc<dyn Fn(Peer) -> Option<Caller> + Send + Sync>;

/// A walk over everything takes as long as the history is; it writes nothing, and its client waits for it.
const UNLIMITED: &str = "/v1/audit/verify";

/// What the edge needs.
#[derive(Clone)]
pub struct Edge {
    /// Who local peers are.
    pub identify: Identify,
    /// Who bears a token; none while no issuer is configured.
    pub authenticate: Option<Arc<dyn Authenticate>>,
    /// What forwards to Keycloak; none while there is none behind the gateway.
    pub keycloak: Option<Arc<Keycloak>>,
    /// In front of authentication; none for no limit.
    pub limiter: Option<Arc<dyn RateLimiter>>,
    /// What a request may take until its first byte.
    pub time_limit: Duration,
    /// Names this daemon's requests apart from an earlier one's.
    pub boot: u64,
    /// Counts requests.
    pub counter: Arc<AtomicU64>,
    /// Which requests are traced.
    pub sampling: Arc<Sampling>,
    /// What is counted of requests.
    pub figures: Arc<Http>,
}

pub(super) async fn pass(
    State(edge): State<Edge>,
    ConnectInfo(source): ConnectInfo<Source>,
    request: Request,
    next: Next,
) -> Response {
    let request_id = edge.request_id(request.headers());
    let started = std::time::Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let trace = edge.sampling.begin(request.headers(), request_id.as_str(), || {
        (request.method().to_string(), route.unwrap_or("unknown").to_owned())
    });
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let served = edge.serve(source, request, next, &request_id, trace.context.clone());
    let response = served.instrument(trace.span.clone()).await;
    let (took, status) = (started.elapsed(), response.status().as_u16());
    let problem = response.extensions().get::<Fault>().map(|Fault(problem)| problem.code.as_str());
    edge.figures.answered(route, method.as_str(), status, took, problem);
    trace.ended(status, problem);
    tracing::debug!(
        %method, path, status, request_id = request_id.as_str(),
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "request"
    );
    finish(response, &request_id, &trace)
}

impl Edge {
    async fn serve(
        &self,
        source: Source,
        mut request: Request,
        next: Next,
        id: &RequestId,
        trace: Option<Box<str>>,
    ) -> Response {
        // What the listener found wrong with it.
        if let Some(fault) = request.extensions_mut().remove::<Fault>() {
            return fault.into_response();
        }
        if let Some(limiter) = &self.limiter {
            let address = match source {
                Source::Socket(peer) => format!("uid:{}", peer.uid),
                Source::Tcp(remote) => format!("ip:{}", remote.address),
            };
            match limiter.take(&address).await {
                Ok(Verdict::Allowed) => {}
                Ok(Verdict::Wait(wait)) => {
                    self.figures.rate_limited.one();
                    return slow_down(wait);
                }
                // Without its limiter the daemon serves on: the limit protects it, it does not hold money.
                Err(error) => tracing::warn!(%error, "the rate limiter did not answer"),
            }
        }
        // Before authentication: this is how people sign in.
        if let (Some(keycloak), Source::Tcp(remote)) = (&self.keycloak, source)
            && Keycloak::has(request.uri().path())
        {
            return keycloak.forward(remote, request).await;
        }
        let caller = match self.caller(source, request.headers()).await {
            Ok(caller) => caller,
            Err(fault) => return fault.into_response(),
        };
        let key = match request.headers().get("idempotency-key").map(|value| value.to_str().map(str::parse)) {
            None => None,
            Some(Ok(Ok(key))) => Some(key),
            Some(_) => {
                return Fault::invalid("Idempotency-Key: must be 1 to 128 visible ASCII characters, no spaces")
                    .into_response();
            }
        };
        request.extensions_mut().insert(Context { caller, request_id: id.clone(), trace, key });
        if request.uri().path() == UNLIMITED {
            return next.run(request).await;
        }
        let reads = request.method().is_safe();
        if let Ok(response) = tokio::time::timeout(self.time_limit, next.run(request)).await {
            return response;
        }
        if reads {
            let detail = format!("no answer within {} s", self.time_limit.as_secs());
            return Fault::from(Problem::new("unavailable", detail)).into_response();
        }
        // A write may be in the queue: only its key tells.
        let detail = format!("no answer within {} s; the request may still happen", self.time_limit.as_secs());
        Fault::from(Problem::new("outcome_unknown", detail)).into_response()
    }

    /// Who calls: on the socket the kernel says so, on TCP a token.
    async fn caller(&self, source: Source, headers: &HeaderMap) -> Result<Caller, Fault> {
        match source {
            Source::Socket(peer) => (self.identify)(peer).ok_or_else(|| {
                let detail =
                    format!("uid {} may not call this daemon: see access.peers in its configuration", peer.uid);
                Problem::new("forbidden", detail).into()
            }),
            Source::Tcp(_) => {
                let signed_out = |detail: String| Fault::from(Problem::new("not_signed_in", detail));
                let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
                let token = given.and_then(|value| value.strip_prefix("Bearer "));
                let (Some(token), Some(authenticate)) = (token, &self.authenticate) else {
                    return Err(signed_out("a bearer token is needed: sign in with walletctl auth login".into()));
                };
                authenticate.authenticate(token).await.map_err(|refusal| match refusal {
                    Refusal::Invalid(_) => signed_out(refusal.to_string()),
                    Refusal::NoKeys => Problem::new("unavailable", refusal.to_string()).into(),
                })
            }
        }
    }

    fn request_id(&self, headers: &HeaderMap) -> RequestId {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()?.parse().ok());
        given.unwrap_or_else(|| RequestId::numbered(self.boot, self.counter.fetch_add(1, Ordering::Relaxed)))
    }
}

pub(super) fn slow_down(wait: Duration) -> Response {
    let seconds = wait.as_secs().max(RETRY_AFTER);
    let mut response =
        Fault::from(Problem::new("rate_limited", format!("too many requests; try again in {seconds} s")))
            .into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Gives problems their body, and every response its request id.
fn finish(mut response: Response, request_id: &RequestId, trace: &Trace) -> Response {
    if let Some(Fault(mut problem)) = response.extensions_mut().remove::<Fault>() {
        problem.request_id = Some(request_id.to_string());
        problem.trace_id = trace.id().map(str::to_owned);
        let status = response.status();
        let retry_after = response.headers_mut().remove(header::RETRY_AFTER);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        response = (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))], body)
            .into_response();
        if let Some(value) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        } else if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        }
    }
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
