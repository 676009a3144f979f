//! A Keycloak behind the gateway: what people and jobs need to sign in is forwarded, nothing else.
//!
//! This is before authentication, so it trusts nobody: `allowed` is the table of paths, forms are read and written
//! anew, headers pass by a list, bodies are bounded, redirects stay here, and few requests at a time
//! go through, one address having a part of them. Keycloak is asked once: nothing is sent again. What was sent is judged to
//! its end, whether or not its client waits for it: going away is no way to guess for less.

mod allowed;
mod form;
mod guard;
mod headers;
mod redirects;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::StreamExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tracing::Instrument as _;
use wallet_api::problem::Problem;

pub use self::{
    allowed::Route,
    guard::{Attempt, Ended, Guard},
};
use self::{
    allowed::{PREFIX, Refused, route},
    form::{Form, FormError},
};
use super::{
    connections::{Share, Shares},
    fault::Fault,
    source::Remote,
};
use crate::config::{self, PublicUrl, PublicUrlError};

/// Longest query: that of a login page, with its codes, is below 1 KiB.
const MAX_QUERY: usize = 4 << 10;
/// Largest form: a refresh token and a client's assertion together are below 8 KiB.
const MAX_FORM: usize = 32 << 10;
/// Largest answer that is looked into: tokens with many roles are below 16 KiB.
const MAX_ANSWER: usize = 256 << 10;
/// Largest page or resource: the style sheets of the shipped themes are below 2 MiB.
const MAX_PAGE: usize = 8 << 20;
/// Longest user code; Keycloak's have nine characters.
const MAX_CODE: usize = 32;
/// Of all requests that may be with Keycloak at a time, one address has one in so many.
const SHARE: usize = 4;
/// What a page or resource may take to reach its reader, on a slow line.
const MAX_READING: Duration = Duration::from_mins(1);
/// Connections that wait for the next request.
const IDLE: usize = 8;
/// Reaching a server that is there takes milliseconds.
const CONNECT: Duration = Duration::from_secs(2);
/// How a client gets a token here: people by the device flow, jobs by their own credentials.
const GRANTS: [&str; 3] = ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token", "client_credentials"];
const FORM: &str = "application/x-www-form-urlencoded";

/// Why Keycloak cannot be put behind the gateway.
#[derive(Debug, thiserror::Error)]
pub enum KeycloakError {
    /// The public URL is missing or wrong.
    #[error("gateway.public_url {0}")]
    PublicUrl(#[from] PublicUrlError),
    /// The certificate authorities cannot be read.
    #[error("cannot read {} (keycloak.ca_file)", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The client cannot be made.
    #[error("no connection to Keycloak can be prepared (keycloak.url)")]
    Client(#[from] reqwest::Error),
}

/// The Keycloak behind the gateway.
pub struct Keycloak {
    http: reqwest::Client,
    base: String,
    realm: String,
    public: PublicUrl,
    places: Arc<Semaphore>,
    shares: Arc<Shares>,
    time_limit: Duration,
    guard: Option<Arc<dyn Guard>>,
}

/// A place among the requests that are with Keycloak.
type Place = (Share, OwnedSemaphorePermit);

/// An attempt that outlives its request.
struct Tried {
    address: IpAddr,
    route: Route,
    client: Option<String>,
    guesses: bool,
}

impl Tried {
    fn attempt(&self) -> Attempt<'_> {
        let Self { address, route, guesses, .. } = *self;
        Attempt { address, route, client: self.client.as_deref(), guesses }
    }
}

/// A request that may go to Keycloak.
struct Outgoing {
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Keycloak {
    /// The configured one; none if nothing is to be forwarded.
    pub fn behind(config: &config::Keycloak, public_url: Option<&str>) -> Result<Option<Self>, KeycloakError> {
        let Some(url) = &config.url else { return Ok(None) };
        super::tls::install_provider();
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .connect_timeout(CONNECT)
            .read_timeout(config.timeout())
            .pool_max_idle_per_host(IDLE);
        if let Some(path) = &config.ca_file {
            let unreadable = |source| KeycloakError::Authorities { path: path.clone(), source };
            let text = std::fs::read(path).map_err(unreadable)?;
            builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&text)?);
        }
        Ok(Some(Self {
            http: builder.build()?,
            base: url.trim_end_matches('/').to_owned(),
            realm: config.realm.clone(),
            public: public_url.unwrap_or_default().parse()?,
            places: Arc::new(Semaphore::new(config.request_limit)),
            shares: Shares::new(config.request_limit.div_ceil(SHARE)),
            time_limit: config.timeout(),
            guard: None,
        }))
    }

    /// With a limit on attempts in front.
    #[must_use]
    pub fn guarded(self, guard: Arc<dyn Guard>) -> Self {
        Self { guard: Some(guard), ..self }
    }

    /// What its tokens must name as their issuer.
    pub fn issuer(&self) -> String {
        format!("{}{PREFIX}/realms/{}", self.public.origin(), self.realm)
    }

    /// What its discovery document names as the issuer, to one who asks as the gateway does.
    pub async fn issuer_it_has(&self) -> Result<String, Down> {
        let headers = headers::to_keycloak(&HeaderMap::new(), std::net::Ipv4Addr::LOCALHOST.into(), &self.public);
        let url = format!("{}/realms/{}/.well-known/openid-configuration", self.base, self.realm);
        let answer = self.ask(Outgoing { method: Method::GET, url, headers, body: Bytes::new() }).await?;
        let answer = answer.error_for_status().map_err(Down::Failed)?;
        let body = to_bytes(bounded(answer, ()), MAX_ANSWER).await.map_err(|_| Down::Cut)?;
        let found: Option<Discovery> = serde_json::from_slice(&body).ok();
        found.map(|Discovery { issuer }| issuer).ok_or(Down::Strange)
    }

    /// True for a path that is this part's, whatever comes of it.
    pub(super) fn has(path: &str) -> bool {
        path.strip_prefix(PREFIX)
            .is_some_and(|rest| rest.is_empty() || !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    }

    /// Forwards a request, or says why not.
    pub(super) async fn forward(self: &Arc<Self>, remote: Remote, request: Request) -> Response {
        match self.try_forward(remote, request).await {
            Ok(response) | Err(response) => response,
        }
    }

    async fn try_forward(self: &Arc<Self>, remote: Remote, request: Request) -> Result<Response, Response> {
        let route = route(&self.realm, request.method(), request.uri().path()).map_err(refused)?;
        let guesses = route == Route::Login && request.method() == Method::POST
            || route == Route::Code && request.uri().query().is_some();
        let (outgoing, client) = self.outgoing(route, remote, request).await?;
        let tried = Tried { address: remote.address, route, client, guesses };
        if let Some(guard) = &self.guard {
            guard.admit(&tried.attempt()).await?;
        }
        let busy = |detail| Fault::from(Problem::new("overloaded", detail)).into_response();
        let share = self.shares.take(remote.address);
        let share = share.ok_or_else(|| busy("this address has as many sign-ins under way as one may have"))?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| busy("as many sign-ins are under way as may be (keycloak.request_limit)"))?;
        let keycloak = Arc::clone(self);
        let judging = async move { keycloak.judge(outgoing, &tried, (share, place)).await };
        let judged = tokio::spawn(judging.in_current_span());
        judged.await.map_err(|_| down(&Down::Cut))
    }

    /// Asks Keycloak, and tells the guard how it ended. On a task of its own, which no client can end.
    async fn judge(&self, outgoing: Outgoing, tried: &Tried, place: Place) -> Response {
        let attempt = tried.attempt();
        let (response, how) = match self.ask(outgoing).await {
            Ok(answer) => self.answer(&attempt, answer, place).await,
            Err(error) => (down(&error), Ended::Unknown),
        };
        if let Some(guard) = &self.guard {
            guard.ended(&attempt, how).await;
        }
        response
    }

    /// Reads a request, and makes of it the one that Keycloak gets; with the client that it names.
    async fn outgoing(
        &self,
        route: Route,
        remote: Remote,
        request: Request,
    ) -> Result<(Outgoing, Option<String>), Response> {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        if query.len() > MAX_QUERY {
            return Err(Fault::invalid("the query is longer than any of Keycloak's pages needs").into_response());
        }
        let mut headers = headers::to_keycloak(&parts.headers, remote.address, &self.public);
        let mut client = None;
        let mut sent = Bytes::new();
        if parts.method == Method::POST {
            sent = self.form(&parts.headers, body).await?;
        }
        let is_oauth = matches!(route, Route::Device | Route::Token | Route::Revoke);
        if is_oauth {
            if !query.is_empty() {
                return Err(oauth("invalid_request", "parameters belong into the body"));
            }
            // A client shows who it is in one way (RFC 6749, 2.3); of two Keycloak could read the one that is not read here.
            if headers.get_all(header::AUTHORIZATION).iter().nth(1).is_some() {
                return Err(oauth("invalid_request", "Authorization is there more than once"));
            }
            let form = Form::read(&sent).map_err(|error| oauth("invalid_request", &error.to_string()))?;
            if route == Route::Token
                && let Some(refused) = refused_grant(&form)
            {
                return Err(refused);
            }
            client = client_of(&form, &parts.headers).map_err(|error| oauth("invalid_client", &error.to_string()))?;
            sent = form.written().into();
        } else {
            headers.remove(header::AUTHORIZATION);
            if route == Route::Code && parts.method == Method::POST {
                return Err(typed_code(&self.realm, &sent));
            }
        }
        let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let mut url = format!("{}{path}", self.base);
        if !query.is_empty() {
            url = format!("{url}?{query}");
        }
        Ok((Outgoing { method: parts.method, url, headers, body: sent }, client))
    }

    /// The bounded body of a form.
    async fn form(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Response> {
        let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
        let kind = kinds.next().and_then(|kind| kind.to_str().ok()?.split(';').next());
        if kinds.next().is_some() || !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM)) {
            return Err(Fault::invalid(format!("the body must be {FORM}")).into_response());
        }
        let read = tokio::time::timeout(self.time_limit, to_bytes(body, MAX_FORM)).await;
        let too_slow = |_| Fault::from(Problem::new("too_slow", "the form did not come in time")).into_response();
        read.map_err(too_slow)?.map_err(|error| {
            let problem = if super::extract::is_too_slow(&error) {
                Problem::new("too_slow", "the form stopped coming (gateway.body_timeout_s)")
            } else {
                Problem::new("too_large", format!("the form is larger than {MAX_FORM} bytes, or was not sent whole"))
            };
            Fault::from(problem).into_response()
        })
    }

    async fn ask(&self, outgoing: Outgoing) -> Result<reqwest::Response, Down> {
        let Outgoing { method, url, headers, body } = outgoing;
        let has_body = method == Method::POST;
        let mut request = self.http.request(method, url).headers(headers);
        if has_body {
            request = request.body(body);
        }
        match tokio::time::timeout(self.time_limit, request.send()).await {
            Ok(answer) => answer.map_err(Down::Failed),
            Err(_) => Err(Down::Slow),
        }
    }

    /// Keycloak's answer as the client gets it, and what it says about the attempt. Its place is taken until the last byte.
    async fn answer(&self, attempt: &Attempt<'_>, answer: reqwest::Response, place: Place) -> (Response, Ended) {
        let status = answer.status();
        let mut headers = headers::to_client(answer.headers());
        if let Some(location) = headers.get(header::LOCATION) {
            let stays = location.to_str().is_ok_and(|location| redirects::stays(&self.public, &self.realm, location));
            if !stays {
                tracing::warn!(
                    ?location,
                    "Keycloak redirects to where the gateway does not forward; see gateway.public_url"
                );
                let problem = Problem::new("bad_gateway", "Keycloak answered with a redirect away from the gateway");
                return (Fault::from(problem).into_response(), Ended::Unknown);
            }
        }
        if !matches!(attempt.route, Route::Device | Route::Token | Route::Revoke) {
            let response = (status, headers, bounded(answer, place)).into_response();
            return (response, judged(attempt, status, None));
        }
        let Ok(body) = to_bytes(bounded(answer, place), MAX_ANSWER).await else {
            return (down(&Down::Cut), Ended::Unknown);
        };
        headers.remove(header::CONTENT_LENGTH);
        let how = judged(attempt, status, error_of(&body).as_deref());
        ((status, headers, body).into_response(), how)
    }
}

/// The part of a discovery document that is looked at here.
#[derive(serde::Deserialize)]
struct Discovery {
    issuer: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Down {
    /// It cannot be asked, or answered with an error.
    #[error("Keycloak cannot be asked")]
    Failed(#[source] reqwest::Error),
    /// It takes too long.
    #[error("Keycloak does not answer in time (keycloak.timeout_s)")]
    Slow,
    /// Its answer has no end, or one that is too far.
    #[error("Keycloak's answer broke off, or is too large")]
    Cut,
    /// Its answer is none of Keycloak's.
    #[error("what answers there is no Keycloak")]
    Strange,
}

fn down(error: &Down) -> Response {
    let code = match error {
        Down::Failed(source) if source.is_connect() || source.is_timeout() => "unavailable",
        Down::Failed(_) | Down::Cut | Down::Strange => "bad_gateway",
        Down::Slow => "unavailable",
    };
    let source = std::error::Error::source(error).map(crate::services::whole).unwrap_or_default();
    tracing::warn!(%error, source, "a sign-in was not answered");
    Fault::from(Problem::new(code, "the server that signs people in does not answer")).into_response()
}

fn refused(why: Refused) -> Response {
    let problem = match why {
        Refused::Malformed => Problem::new("invalid_request", "the path is not one of Keycloak's"),
        Refused::Unknown => Problem::new("not_found", "this part of Keycloak is not reached through the gateway"),
        Refused::Method => Problem::new("method_not_allowed", "the path does not take this method"),
    };
    Fault::from(problem).into_response()
}

/// An error as OAuth has it (RFC 6749, 5.2).
fn oauth(error: &str, description: &str) -> Response {
    let body = serde_json::json!({"error": error, "error_description": description}).to_string();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::BAD_REQUEST, headers, body).into_response()
}

/// The answer to a grant that is not forwarded; none for one that is.
fn refused_grant(form: &Form) -> Option<Response> {
    match form.get("grant_type") {
        Some(grant) if GRANTS.contains(&grant) => None,
        Some(_) => {
            Some(oauth("unsupported_grant_type", "device_code, refresh_token and client_credentials are forwarded"))
        }
        None => Some(oauth("invalid_request", "grant_type is missing")),
    }
}

/// The client that a form or its Authorization header names.
fn client_of(form: &Form, headers: &HeaderMap) -> Result<Option<String>, FormError> {
    if let Some(client) = form.get("client_id") {
        return Ok(Some(client.to_owned()));
    }
    let Some(given) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else { return Ok(None) };
    let Some((scheme, encoded)) = given.split_once(' ') else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let pair = base64(encoded).ok_or(FormError::Malformed)?;
    let name = pair.split(|byte| *byte == b':').next().unwrap_or_default();
    form::decoded(name).map(Some)
}

/// Standard base64, as Basic has it.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len());
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).ok()?);
        }
    }
    Some(bytes)
}

/// Keycloak's page for typing a code sends it where this Keycloak answers 401; as a query it is taken.
fn typed_code(realm: &str, body: &[u8]) -> Response {
    let form = Form::read(body).ok();
    let code = form.as_ref().and_then(|form| form.get("device_user_code")).unwrap_or_default().trim();
    let is_code = !code.is_empty()
        && code.len() <= MAX_CODE
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let query = if is_code { format!("?user_code={code}") } else { String::new() };
    let location = format!("{PREFIX}/realms/{realm}/device{query}");
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// A body of Keycloak's, cut where no page of its ends; `held` is let go of with its end.
fn bounded(answer: reqwest::Response, held: impl Send + 'static) -> Body {
    let (mut left, end) = (MAX_PAGE, Instant::now() + MAX_READING);
    Body::from_stream(answer.bytes_stream().map(move |piece| {
        let _ = &held;
        if Instant::now() > end {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        let piece = piece.map_err(std::io::Error::other)?;
        left = left.checked_sub(piece.len()).ok_or_else(|| std::io::Error::other("the page is too large"))?;
        Ok::<_, std::io::Error>(piece)
    }))
}

/// The `error` of an OAuth answer.
fn error_of(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Answer {
        error: String,
    }
    serde_json::from_slice(body).ok().map(|Answer { error }| error)
}

/// What an answer says about the attempt. A login that fails is a page again, one that is taken leads on.
fn judged(attempt: &Attempt<'_>, status: StatusCode, error: Option<&str>) -> Ended {
    match (attempt.route, error) {
        _ if status.is_server_error() => Ended::Unknown,
        (Route::Token, Some("authorization_pending" | "slow_down")) => Ended::Polling,
        _ if attempt.guesses && !status.is_redirection() => Ended::Refused,
        _ if status.is_client_error() => Ended::Refused,
        _ => Ended::Taken,
    }
}
