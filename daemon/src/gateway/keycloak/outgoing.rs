//! A client's request, read strictly, and the one that Keycloak gets for it.

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use http_body_util::LengthLimitError;
use wallet_api::problem::Problem;

use super::{
    FORM, Keycloak,
    allowed::{PREFIX, Route},
    form::{self, Form, FormError},
    headers,
};
use crate::gateway::{extract::is_too_slow, fault::Fault, source::Remote};

/// Longest query: that of a login page, with its codes, is below 1 KiB.
pub(super) const MAX_QUERY: usize = 4 << 10;
/// Largest form: a refresh token and a client's assertion together are below 8 KiB.
pub(super) const MAX_FORM: usize = 32 << 10;
/// Longest user code; Keycloak's have nine characters.
const MAX_CODE: usize = 32;
/// How a client gets a token here: people by the device flow, jobs by their own credentials.
const GRANTS: [&str; 3] = ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token", "client_credentials"];

/// A request that may go to Keycloak.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Keycloak {
    /// The bounded body of a form.
    pub(super) async fn form(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Response> {
        let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
        let kind = kinds.next().and_then(|kind| kind.to_str().ok()?.split(';').next());
        if kinds.next().is_some() || !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM)) {
            return Err(Fault::invalid(format!("the body must be {FORM}")).into_response());
        }
        let read = tokio::time::timeout(self.time_limit, to_bytes(body, MAX_FORM)).await;
        let too_slow = |_| Fault::from(Problem::new("too_slow", "the form did not come in time")).into_response();
        read.map_err(too_slow)?.map_err(|error| {
            let problem = if is_too_slow(&error) {
                Problem::new("too_slow", "the form stopped coming (gateway.body_timeout_s)")
            } else if is_too_large(&error) {
                Problem::new("too_large", format!("the form is larger than {MAX_FORM} bytes"))
            } else {
                Problem::new("invalid_request", "the form was not sent whole")
            };
            Fault::from(problem).into_response()
        })
    }

    /// What Keycloak gets for a request, with the client that it names.
    pub(super) fn outgoing(
        &self,
        route: Route,
        remote: Remote,
        parts: Parts,
        mut sent: Bytes,
    ) -> Result<(Outgoing, Option<String>), Box<Response>> {
        let query = parts.uri.query().unwrap_or_default();
        let mut headers = headers::to_keycloak(&parts.headers, remote.address, &self.public);
        if parts.method == Method::POST {
            // Read in one way: without a charset that Keycloak would take for another.
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
        }
        if route != Route::Resource {
            // Their answers are looked into.
            headers.remove(header::ACCEPT_ENCODING);
        }
        let mut client = None;
        if matches!(route, Route::Device | Route::Token | Route::Revoke) {
            if !query.is_empty() {
                return Err(oauth("invalid_request", "parameters belong into the body").into());
            }
            // A client shows who it is in one way (RFC 6749, 2.3); of two Keycloak could read the one that is not read here.
            if headers.get_all(header::AUTHORIZATION).iter().nth(1).is_some() {
                return Err(oauth("invalid_request", "Authorization is there more than once").into());
            }
            let form = Form::read(&sent).map_err(|error| oauth("invalid_request", &error.to_string()))?;
            if route == Route::Token
                && let Some(refused) = refused_grant(&form)
            {
                return Err(refused.into());
            }
            client = client_of(&form, &parts.headers).map_err(|error| oauth("invalid_client", &error.to_string()))?;
            sent = form.written().into();
        } else {
            headers.remove(header::AUTHORIZATION);
            if route == Route::Code && parts.method == Method::POST {
                return Err(typed_code(&self.realm, &sent).into());
            }
        }
        let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
        let mut url = format!("{}{path}", self.base);
        if !query.is_empty() {
            url = format!("{url}?{query}");
        }
        Ok((Outgoing { method: parts.method, url, headers, body: sent }, client))
    }
}

/// True if a body is larger than it may be; one that broke off is not.
fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<LengthLimitError>)
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
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
    let Some((scheme, encoded)) = given else { return Ok(None) };
    // Names of schemes are the same in any case (RFC 9110, 11.1).
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
