//! A Keycloak behind the gateway: what people and jobs need to sign in is forwarded, nothing else.
//!
//! This is before authentication, so it trusts nobody: `allowed` is the table of paths, forms are read and written
//! anew, headers pass by a list, bodies are bounded, redirects stay here, and few requests at a time
//! go through, one address having a part of them. Keycloak is asked once: nothing is sent again.
//!
//! The order of a request: its path; whether its address is listened to; its form, of which an address sends few at a
//! time; whether its client is listened to; a place, until Keycloak has answered. From there on it is a task of its own, so
//! what it cost is charged even if its client has gone.

mod allowed;
mod answer;
mod form;
mod guard;
mod headers;
mod outgoing;
mod places;
mod redirects;
mod seldom;
#[cfg(test)]
mod tests;

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, header},
    response::{IntoResponse as _, Response},
};
use tracing::Instrument as _;
use wallet_api::problem::Problem;

pub use self::{
    allowed::Route,
    answer::Down,
    guard::{Attempt, Ended, Guard},
};
use self::{
    allowed::{PREFIX, Refused, route},
    answer::{Answer, judged, whole},
    outgoing::{MAX_QUERY, Outgoing},
    places::{Full, Large, Place, Places, part},
    seldom::Seldom,
};
use super::{connections::Shares, fault::Fault, source::Remote};
use crate::config::{self, PublicUrl, PublicUrlError};

/// Largest answer of a page or to a client: tokens with many roles are below 16 KiB, pages below 32 KiB.
const MAX_ANSWER: usize = 256 << 10;
/// Largest resource: the largest style sheet of the shipped themes has 1.5 MiB.
const MAX_RESOURCE: usize = 4 << 20;
/// A larger answer needs a place until it has been read: no request may bring more than half of it in its head.
const SMALL: usize = 64 << 10;
/// Larger answers that are on their way at a time, 128 MiB at the very most. A page of the shipped themes has four.
const LARGE: usize = 32;
/// What one may take to reach its reader: 1.5 MiB in that time is a slow line.
const MAX_READING: Duration = Duration::from_mins(1);
/// Connections that wait for the next request.
const IDLE: usize = 8;
/// Reaching a server that is there takes milliseconds.
const CONNECT: Duration = Duration::from_secs(2);
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
    /// Forms of an address that are being read.
    forms: Arc<Shares>,
    /// Requests that are with Keycloak.
    asking: Places,
    /// Large answers that are being read.
    large: Places,
    reading: Duration,
    time_limit: Duration,
    guard: Option<Arc<dyn Guard>>,
    unanswered: Seldom,
    astray: Seldom,
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
            forms: Shares::new(part(config.request_limit)),
            asking: Places::new(config.request_limit),
            large: Places::new(LARGE),
            reading: MAX_READING,
            time_limit: config.timeout(),
            guard: None,
            unanswered: Seldom::default(),
            astray: Seldom::default(),
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
        let answer = self.ask(Outgoing { method: Method::GET, url, headers, body: Bytes::new() }, MAX_ANSWER).await?;
        if !answer.status.is_success() {
            return Err(Down::Refused(answer.status));
        }
        let found: Option<Discovery> = serde_json::from_slice(&answer.body).ok();
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
        let (parts, body) = request.into_parts();
        let address = remote.address;
        let route = route(&self.realm, &parts.method, parts.uri.path()).map_err(refused)?;
        let query = parts.uri.query();
        if query.is_some_and(|query| query.len() > MAX_QUERY) {
            return Err(Fault::invalid("the query is longer than any of Keycloak's pages needs").into_response());
        }
        let is_form = parts.method == Method::POST;
        let guesses = route == Route::Login && is_form || route == Route::Code && query.is_some();
        let mut form = Bytes::new();
        if is_form {
            if let Some(guard) = &self.guard {
                guard.listens(&Attempt { address, route, client: None, guesses }).await?;
            }
            let share = self.forms.take(address);
            let _share = share.ok_or_else(|| busy("this address sends as many forms at a time as one may"))?;
            form = self.form(&parts.headers, body).await?;
        }
        let (outgoing, client) = self.outgoing(route, remote, parts, form).map_err(|response| *response)?;
        if let Some(guard) = &self.guard {
            guard.admit(&Attempt { address, route, client: client.as_deref(), guesses }).await?;
        }
        let place = self.asking.take(address).map_err(|full| match full {
            Full::Address => busy("this address has as many sign-ins under way as one may have"),
            Full::All => busy("as many sign-ins are under way as may be (keycloak.request_limit)"),
        })?;
        let keycloak = Arc::clone(self);
        let asked = async move {
            let attempt = Attempt { address, route, client: client.as_deref(), guesses };
            keycloak.attempt(&attempt, outgoing, place).await
        };
        // On its own: whoever hangs up has tried all the same.
        tokio::spawn(asked.in_current_span()).await.map_err(|error| {
            tracing::error!(%error, "forwarding to Keycloak ended early");
            Fault::from(Problem::new("internal", "forwarding ended early")).into_response()
        })
    }

    /// Asks, and says what came of it.
    async fn attempt(&self, attempt: &Attempt<'_>, outgoing: Outgoing, place: Place) -> Response {
        let most = if attempt.route == Route::Resource { MAX_RESOURCE } else { MAX_ANSWER };
        let form = outgoing.body.clone();
        let answer = self.ask(outgoing, most).await;
        drop(place);
        let (response, how) = match answer {
            Ok(answer) => {
                let how = judged(attempt, &form, &answer);
                self.given(attempt.address, answer, how)
            }
            Err(error) => (self.down(&error), Ended::Unknown),
        };
        if let Some(guard) = &self.guard {
            guard.ended(attempt, how).await;
        }
        response
    }

    /// Keycloak's whole answer.
    async fn ask(&self, outgoing: Outgoing, most: usize) -> Result<Answer, Down> {
        let Outgoing { method, url, headers, body } = outgoing;
        let has_body = method == Method::POST;
        let mut request = self.http.request(method, url).headers(headers);
        if has_body {
            request = request.body(body);
        }
        let answer = async { whole(request.send().await?, most).await };
        tokio::time::timeout(self.time_limit, answer).await.unwrap_or(Err(Down::Slow))
    }

    /// An answer as the client gets it, and how the attempt ended: what leads elsewhere is no answer to anybody's.
    fn given(&self, address: IpAddr, answer: Answer, how: Ended) -> (Response, Ended) {
        let Answer { status, headers, body } = answer;
        let mut headers = headers::to_client(&headers);
        // Of the body as it is given.
        headers.remove(header::CONTENT_LENGTH);
        if let Some(location) = headers.get(header::LOCATION) {
            let stays = location.to_str().is_ok_and(|location| redirects::stays(&self.public, &self.realm, location));
            if !stays {
                return (self.astray(location), Ended::Unknown);
            }
        }
        let body = if body.len() <= SMALL {
            Body::from(body)
        } else {
            let Ok(place) = self.large.take(address) else {
                return (busy("as many large answers are being read as may be"), how);
            };
            Body::new(Large::new(body, place, self.reading))
        };
        ((status, headers, body).into_response(), how)
    }

    fn astray(&self, location: &HeaderValue) -> Response {
        if let Some(count) = self.astray.reason() {
            // The rest of it may be a secret.
            let location = String::from_utf8_lossy(location.as_bytes());
            let to = location.split(['?', '#']).next().unwrap_or_default();
            tracing::warn!(
                to,
                count,
                "Keycloak redirects to where the gateway does not forward; see gateway.public_url"
            );
        }
        let problem = Problem::new("bad_gateway", "Keycloak answered with a redirect away from the gateway");
        Fault::from(problem).into_response()
    }

    fn down(&self, error: &Down) -> Response {
        if let Some(count) = self.unanswered.reason() {
            let source = std::error::Error::source(error).map(crate::services::whole).unwrap_or_default();
            tracing::warn!(%error, source, count, "sign-ins were not answered");
        }
        error.response()
    }
}

/// The part of a discovery document that is looked at here.
#[derive(serde::Deserialize)]
struct Discovery {
    issuer: String,
}

fn busy(detail: &str) -> Response {
    Fault::from(Problem::new("overloaded", detail)).into_response()
}

fn refused(why: Refused) -> Response {
    let problem = match why {
        Refused::Malformed => Problem::new("invalid_request", "the path is not one of Keycloak's"),
        Refused::Unknown => Problem::new("not_found", "this part of Keycloak is not reached through the gateway"),
        Refused::Method(_) => Problem::new("method_not_allowed", "the path does not take this method"),
    };
    let mut response = Fault::from(problem).into_response();
    if let Refused::Method(methods) = why {
        let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        if let Ok(allow) = HeaderValue::try_from(names.join(", ")) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    response
}
