//! Reading requests: bodies, queries and path parts, with problems that name what is wrong.

use std::{future::poll_fn, pin::Pin};

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, header::CONTENT_TYPE, request::Parts},
};
use hyper::body::Body as _;
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
        is_json(request.headers())?;
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
                too_large()
            } else if is_too_slow(&rejection) {
                too_slow()
            } else {
                Fault::invalid(rejection.body_text())
            }
        })?;
        decoded(&bytes).map(Self)
    }
}

fn too_large() -> Fault {
    Problem::new("too_large", "the body is larger than this daemon takes (server.body_limit_bytes)").into()
}

fn too_slow() -> Fault {
    Problem::new("too_slow", "the body stopped coming, or came too slowly (gateway.body_timeout_s)").into()
}

/// Refuses a body that is not said to be JSON.
pub(super) fn is_json(headers: &HeaderMap) -> Result<(), Fault> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(|kind| kind.split(';').next());
    if kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    Err(Fault::invalid("the body must be JSON: send content-type: application/json"))
}

/// What a body says.
pub(super) fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| Fault::invalid(format!("the body: {error}")))
}

/// A body of at most so many bytes, as a handler behind the router gets it. Most come in one piece, which is not copied.
pub(super) async fn whole(mut body: axum::body::Body, limit: usize) -> Result<Bytes, Fault> {
    let (mut first, mut more) = (Bytes::new(), Vec::new());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| if is_too_slow(&error) { too_slow() } else { Fault::invalid(error) })?;
        let Ok(piece) = frame.into_data() else { continue };
        if piece.len() > limit.saturating_sub(first.len().max(more.len())) {
            return Err(too_large());
        }
        if first.is_empty() && more.is_empty() {
            first = piece;
            continue;
        }
        if more.is_empty() {
            more.extend_from_slice(&first);
        }
        more.extend_from_slice(&piece);
    }
    Ok(if more.is_empty() { first } else { more.into() })
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
