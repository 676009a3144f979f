//! Reading requests: bodies, queries and path parts, with problems that name what is wrong.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{header::CONTENT_TYPE, request::Parts},
};
use serde::de::DeserializeOwned;
use wallet_api::problem::Problem;

use super::{connections::TooSlow, context::Context, fault::Fault};

impl<S: Send + Sync> FromRequestParts<S> for Context {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        // The edge puts it there before any handler runs.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::new("internal", "no caller").into())
    }
}

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let json = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !json.is_some_and(|kind| {
            kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        }) {
            return Err(Fault::invalid("the body must be JSON: send content-type: application/json"));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
                Fault::from(Problem::new(
                    "too_large",
                    "the body is larger than this daemon takes (server.body_limit_bytes)",
                ))
            } else if is_too_slow(&rejection) {
                Problem::new("too_slow", "the body stopped coming, or came too slowly (gateway.body_timeout_s)").into()
            } else {
                Fault::invalid(rejection.body_text())
            }
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| Fault::invalid(format!("the body: {error}")))
    }
}

/// True if a body could not be read because it did not come in time.
pub(super) fn is_too_slow(rejection: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(rejection), |error| error.source()).any(<dyn std::error::Error>::is::<TooSlow>)
}

/// The query string.
pub(super) struct Params<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(value)| Self(value))
            .map_err(|rejection| Fault::invalid(format!("the query: {}", rejection.body_text())))
    }
}

/// The one variable part of the path. What is not of its form does not exist.
pub(super) struct Id<T>(pub(super) T);

impl<S: Send + Sync, T: std::str::FromStr<Err: std::fmt::Display>> FromRequestParts<S> for Id<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Fault::invalid(rejection.body_text()))?;
        text.parse().map(Self).map_err(|error: T::Err| Fault::invalid(format!("the path: {error}")))
    }
}
