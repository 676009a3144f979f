//! The edge: what every request passes, outermost first: request id, trace, rate limit by address, authentication,
//! authorisation by the table of `authz`, time limit, then the handler; on the way out problems get their body.
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
    authz::{self, Asked, Lack, Reach, Rule},
    context::Context,
    fault::Fault,
    keycloak::Keycloak,
    metadata::Metadata,
    source::{Peer, Source},
};
use crate::{
    metrics::figures::Http,
    services::identity::{AccessLog, Authenticate, Caller, Reason, Refusal},
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
    /// What is told about signing in.
    pub metadata: Arc<Metadata>,
    /// Hears of attempts that were refused.
    pub access: Arc<dyn AccessLog>,
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
    let asked = Asked::of(method.as_str(), route);
    let served = edge.serve((source, asked), request, next, &request_id, trace.context.clone());
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
        (source, asked): (Source, Asked<'_>),
        mut request: Request,
        next: Next,
        id: &RequestId,
        trace: Option<Box<str>>,
    ) -> Response {
        // What the listener found wrong with it.
        if let Some(fault) = request.extensions_mut().remove::<Fault>() {
            return fault.into_response();
        }
        if let Err(response) = self.by_address(source).await {
            return response;
        }
        // Before authentication: this is how people sign in.
        if let (Some(keycloak), Source::Tcp(remote)) = (&self.keycloak, source)
            && Keycloak::has(request.uri().path())
        {
            return keycloak.forward(remote, request).await;
        }
        if asked.is_open() {
            request.extensions_mut().insert(Arc::clone(&self.metadata));
            return self.run(request, next).await;
        }
        let caller = match self.caller(source, request.headers(), host(&request)).await {
            Ok(caller) => caller,
            Err(response) => return response,
        };
        let reach = match asked {
            // The router says that there is nothing.
            Asked::Nowhere => Reach::Any,
            Asked::Otherwise(path) => return not_so(path),
            Asked::Row(rule) => match authorise(rule, &caller) {
                Ok(reach) => reach,
                Err(fault) => {
                    self.access.refused(Reason::Forbidden, source.origin());
                    return fault.into_response();
                }
            },
        };
        let key = match request.headers().get("idempotency-key").map(|value| value.to_str().map(str::parse)) {
            None => None,
            Some(Ok(Ok(key))) => Some(key),
            Some(_) => {
                return Fault::invalid("Idempotency-Key: must be 1 to 128 visible ASCII characters, no spaces")
                    .into_response();
            }
        };
        let only = (reach == Reach::Own).then(|| caller.owner.clone()).flatten();
        request.extensions_mut().insert(Context { caller, only, request_id: id.clone(), trace, key });
        self.run(request, next).await
    }

    /// Rate limit by address: before anything is known of the caller.
    async fn by_address(&self, source: Source) -> Result<(), Response> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let address = match source {
            Source::Socket(peer) => format!("uid:{}", peer.uid),
            Source::Tcp(remote) => format!("ip:{}", remote.address),
        };
        match limiter.take(&address).await {
            Ok(Verdict::Allowed) => {}
            Ok(Verdict::Wait(wait)) => {
                self.figures.rate_limited.one();
                return Err(slow_down(wait));
            }
            // Without its limiter the daemon serves on: the limit protects it, it does not hold money.
            Err(error) => tracing::warn!(%error, "the rate limiter did not answer"),
        }
        Ok(())
    }

    /// The handler, within the time limit.
    async fn run(&self, request: Request, next: Next) -> Response {
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
    async fn caller(&self, source: Source, headers: &HeaderMap, host: Option<&str>) -> Result<Caller, Response> {
        if let Source::Socket(peer) = source {
            return (self.identify)(peer).ok_or_else(|| {
                self.access.refused(Reason::UnknownPeer, source.origin());
                let detail =
                    format!("uid {} may not call this daemon: see access.peers in its configuration", peer.uid);
                Fault::from(Problem::new("forbidden", detail)).into_response()
            });
        }
        let Some(authenticate) = &self.authenticate else {
            self.access.refused(Reason::NoToken, source.origin());
            let detail = "this daemon takes no tokens: auth.issuer is not configured";
            return Err(self.signed_out(source, host, None, detail.into()));
        };
        let refused = match bearer(headers) {
            Ok(None) => {
                let detail = "a bearer token is needed: sign in with walletctl auth login";
                self.access.refused(Reason::NoToken, source.origin());
                return Err(self.signed_out(source, host, None, detail.into()));
            }
            Ok(Some(token)) => match authenticate.authenticate(token).await {
                Ok(caller) => return Ok(caller),
                Err(refusal) => refusal,
            },
            Err(reason) => Refusal::Invalid(reason),
        };
        match refused {
            Refusal::NoKeys => Err(Fault::from(Problem::new("unavailable", refused.to_string())).into_response()),
            Refusal::Invalid(reason) => {
                self.access.refused(reason, source.origin());
                Err(self.signed_out(source, host, Some(reason), refused.to_string()))
            }
        }
    }

    fn signed_out(&self, source: Source, host: Option<&str>, reason: Option<Reason>, detail: String) -> Response {
        let mut response = Fault::from(Problem::new("not_signed_in", detail)).into_response();
        let challenge = self.metadata.challenge(source, host, reason);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        response
    }

    fn request_id(&self, headers: &HeaderMap) -> RequestId {
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()?.parse().ok());
        given.unwrap_or_else(|| RequestId::numbered(self.boot, self.counter.fetch_add(1, Ordering::Relaxed)))
    }
}

/// The token of a request; none if there is none. More than one, or a broken one, is no good one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Reason> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let Some(first) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Reason::Malformed);
    }
    let text = first.to_str().map_err(|_| Reason::Malformed)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => Ok(Some(token)),
        None if text.eq_ignore_ascii_case("bearer") => Err(Reason::Malformed),
        // Another way of signing in, which this daemon does not have.
        _ => Ok(None),
    }
}

/// The host that a client names.
pub(super) fn host(request: &Request) -> Option<&str> {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    named.or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str))
}

/// The path does not take the method, or has no row that lets anybody use it so.
fn not_so(path: &str) -> Response {
    let mut response =
        Fault::from(Problem::new("method_not_allowed", "the path does not take this method")).into_response();
    if let Ok(methods) = HeaderValue::try_from(authz::allow(path)) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

/// Whose wallets the caller reaches, by the table.
fn authorise(rule: &Rule, caller: &Caller) -> Result<Reach, Fault> {
    authz::decide(rule, caller).map_err(|lack| {
        let missing = match lack {
            Lack::Owner => format!("{} lacks {lack}: its token has no such claim", caller.actor),
            _ => format!("{} lacks {lack}, which {} needs", caller.actor, rule.action),
        };
        Problem::new("forbidden", missing).into()
    })
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
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        *response.body_mut() = body.into();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE && !headers.contains_key(header::RETRY_AFTER) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        }
    }
    // Balances and names are for whoever asked, not for what is in between.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
