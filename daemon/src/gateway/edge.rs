//! The edge: what every request passes, outermost first: request id, trace, rate limit by address, rate limit of signing
//! in, authentication, rate limit by subject, authorisation by the table of `authz`, time limit, then the handler; on the way out problems get their body.
//!
//! One function instead of a stack of layers: the order is visible, and a request pays for one box. What is behind it is the
//! router's handler, or what the site has besides the router.

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
use wallet_core::{ids::RequestId, key::Key};

use super::{
    authz::{self, Asked, Lack, Reach, Rule},
    context::Context,
    fault::Fault,
    keycloak::Keycloak,
    metadata::Metadata,
    rate::{RateLimits, TooSoon},
    source::{Peer, Source},
};
use crate::{
    metrics::figures::Http,
    services::{
        access::AccessLog,
        identity::{Authenticate, Caller, Reason, Refusal},
    },
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
    /// Who may call how often: before anything, before authentication, and behind it.
    pub limits: Arc<RateLimits>,
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

/// What a request comes to behind the edge. `context` is there unless the route is open to everybody.
pub(super) trait Behind: Send {
    /// The handler's answer.
    fn answer(self, request: Request, context: Option<Context>) -> impl Future<Output = Response> + Send;
}

impl Behind for Next {
    async fn answer(self, mut request: Request, context: Option<Context>) -> Response {
        if let Some(context) = context {
            request.extensions_mut().insert(context);
        }
        self.run(request).await
    }
}

/// The edge as the router's outermost layer.
pub(super) async fn pass(
    State(edge): State<Arc<Edge>>,
    ConnectInfo(source): ConnectInfo<Source>,
    request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    edge.pass(source, route.as_ref().map(MatchedPath::as_str), request, next).await
}

impl Edge {
    /// A request's way through the edge. `route` is its path as the router has it, if it has one.
    pub(super) async fn pass(
        &self,
        source: Source,
        route: Option<&str>,
        request: Request,
        behind: impl Behind,
    ) -> Response {
        let request_id = self.request_id(request.headers());
        let started = std::time::Instant::now();
        let trace = self.sampling.begin(request.headers(), request_id.as_str(), || {
            (request.method().to_string(), route.unwrap_or("unknown").to_owned())
        });
        // For the line of a log that hardly ever is written: the path is a piece of the head that was read, not a copy.
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let asked = Asked::of(method.as_str(), route);
        let served = self.serve((source, asked), request, behind, &request_id, trace.context.clone());
        let response = served.instrument(trace.span.clone()).await;
        let (took, status) = (started.elapsed(), response.status().as_u16());
        let problem = response.extensions().get::<Fault>().map(|Fault(problem)| problem.code.as_str());
        self.figures.answered(route, method.as_str(), status, took, problem);
        trace.ended(status, problem);
        tracing::debug!(
            %method, path = uri.path(), status, request_id = request_id.as_str(),
            micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "request"
        );
        finish(response, &request_id, &trace)
    }
}

impl Edge {
    async fn serve(
        &self,
        (source, asked): (Source, Asked<'_>),
        mut request: Request,
        behind: impl Behind,
        id: &RequestId,
        trace: Option<Box<str>>,
    ) -> Response {
        if let Err(why) = self.limits.arrived(&source).await {
            return self.too_soon(source, why).await;
        }
        // What the listener found wrong with it.
        if let Some(fault) = request.extensions_mut().remove::<Fault>() {
            return fault.into_response();
        }
        // Before authentication: this is how people sign in.
        if let (Some(keycloak), Source::Tcp(remote)) = (&self.keycloak, source)
            && Keycloak::has(request.uri().path())
        {
            return keycloak.forward(remote, request).await;
        }
        if asked.is_open() {
            request.extensions_mut().insert(Arc::clone(&self.metadata));
            return self.run(request, None, behind).await;
        }
        let caller = match self.caller(source, request.headers(), host(&request)).await {
            Ok(caller) => caller,
            Err(response) => return response,
        };
        if let Err(why) = self.limits.verified(&source, &caller).await {
            return self.too_soon(source, why).await;
        }
        let reach = match asked {
            // The router says that there is nothing.
            Asked::Nowhere => Reach::Any,
            Asked::Otherwise(path) => return not_so(path),
            Asked::Row(rule) => match authorise(rule, &caller) {
                Ok(reach) => reach,
                Err(fault) => {
                    self.access.refused(Reason::Forbidden, source.network());
                    return fault.into_response();
                }
            },
        };
        let key = match key(request.headers()) {
            Ok(key) => key,
            Err(fault) => return fault.into_response(),
        };
        let only = (reach == Reach::Own).then(|| caller.owner.clone()).flatten();
        let context = Context { caller, only, request_id: id.clone(), trace, key };
        let response = self.run(request, Some(context), behind).await;
        // What only the body tells: a past time, a batch with more than transfers.
        if response.status() == StatusCode::FORBIDDEN {
            self.access.refused(Reason::Forbidden, source.network());
        }
        response
    }

    /// The handler, within the time limit.
    async fn run(&self, request: Request, context: Option<Context>, behind: impl Behind) -> Response {
        if request.uri().path() == UNLIMITED {
            return behind.answer(request, context).await;
        }
        let reads = request.method().is_safe();
        if let Ok(response) = tokio::time::timeout(self.time_limit, behind.answer(request, context)).await {
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
        let remote = match source {
            Source::Tcp(remote) => remote,
            Source::Socket(peer) => {
                return (self.identify)(peer).ok_or_else(|| {
                    self.access.refused(Reason::UnknownPeer, source.network());
                    let detail =
                        format!("uid {} may not call this daemon: see access.peers in its configuration", peer.uid);
                    Fault::from(Problem::new("forbidden", detail)).into_response()
                });
            }
        };
        let given = bearer(headers);
        let token = given.as_ref().ok().copied().flatten();
        // Whoever is known already is not shut out by what others at the same address try.
        if let (Some(token), Some(authenticate)) = (token, &self.authenticate)
            && let Some(caller) = authenticate.known(token)
        {
            return Ok(caller);
        }
        if let Err(why) = self.limits.may_try(&remote, token).await {
            return Err(self.too_soon(source, why).await);
        }
        let (reason, detail) = match (given, &self.authenticate) {
            (_, None) => (Reason::NoToken, "this daemon takes no tokens: auth.issuer is not configured".to_owned()),
            (Ok(None), _) => {
                (Reason::NoToken, "a bearer token is needed: sign in with walletctl auth login".to_owned())
            }
            (Ok(Some(token)), Some(authenticate)) => match authenticate.authenticate(token).await {
                Ok(caller) => return Ok(caller),
                Err(refusal @ Refusal::NoKeys) => {
                    return Err(Fault::from(Problem::new("unavailable", refusal.to_string())).into_response());
                }
                Err(refusal @ Refusal::Invalid(reason)) => (reason, refusal.to_string()),
            },
            (Err(reason), _) => (reason, Refusal::Invalid(reason).to_string()),
        };
        self.access.refused(reason, source.network());
        self.limits.refused(&remote, token).await;
        Err(self.signed_out(source, host, Some(reason).filter(|reason| *reason != Reason::NoToken), detail))
    }

    /// The answer to a request that comes too soon; the trail hears of it as of any other that was refused.
    async fn too_soon(&self, source: Source, why: TooSoon) -> Response {
        self.access.note(why.event(), Some(source.network()));
        self.limits.refuse(&source, why).await
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

/// The key of a request; none if there is none. Of two neither counts: the client and what is in between may mean
/// different ones.
fn key(headers: &HeaderMap) -> Result<Option<Key>, Fault> {
    let mut given = headers.get_all("idempotency-key").iter();
    let Some(first) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Fault::invalid("Idempotency-Key: must be given once"));
    }
    let key = first.to_str().ok().and_then(|text| text.parse().ok());
    key.map(Some).ok_or_else(|| Fault::invalid("Idempotency-Key: must be 1 to 128 visible ASCII characters, no spaces"))
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
