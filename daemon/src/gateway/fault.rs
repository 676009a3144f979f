//! Problems as responses, and services' errors as problems: one place each.

use axum::response::{IntoResponse, Response};
use wallet_api::problem::Problem;
use wallet_core::ports::StoreError;

use crate::services::ServiceError;

/// A problem on its way out; the edge adds the request's id and writes the body.
#[derive(Clone, Debug)]
pub(super) struct Fault(pub(super) Box<Problem>);

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl Fault {
    /// The request is not understood.
    pub(super) fn invalid(detail: impl std::fmt::Display) -> Self {
        Problem::new("invalid_request", detail.to_string()).into()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status =
            axum::http::StatusCode::from_u16(self.0.status).unwrap_or(axum::http::StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::Unavailable { .. } => "unavailable",
            StoreError::DiskFull { .. } => "disk_full",
            StoreError::ClockSkew(_) => "clock_skew",
            StoreError::Uncertain { .. } => "outcome_unknown",
            StoreError::Corrupt { .. } => "corrupt",
        };
        if let StoreError::Corrupt { .. } | StoreError::Uncertain { .. } | StoreError::Unavailable { .. } = &error {
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, source, "a store failed");
        }
        Problem::new(code, error.to_string()).into()
    }
}

impl From<ServiceError> for Fault {
    fn from(error: ServiceError) -> Self {
        let detail = error.to_string();
        match error {
            ServiceError::Store(error) => error.into(),
            ServiceError::Moment(_) => Problem::new("invalid_time", detail).into(),
            ServiceError::NotFound { code, .. } | ServiceError::Invalid { code, .. } => {
                Problem::new(code, detail).into()
            }
            ServiceError::Refused(refusal) => Problem::new(refusal.code(), detail).into(),
            ServiceError::Conflict(conflict) => {
                let mut problem = Problem::new("key_conflict", detail);
                problem.existing = Some(conflict.holder());
                problem.field = Some(conflict.field.into_owned());
                problem.into()
            }
            ServiceError::OwnKeyConflict => {
                let mut problem = Problem::new("key_conflict", detail);
                problem.field = Some("commands".into());
                problem.into()
            }
            ServiceError::OutOfTurn => Problem::new("out_of_turn", detail).into(),
            ServiceError::Overloaded | ServiceError::Busy(_) => Problem::new("overloaded", detail).into(),
            ServiceError::Stopping => Problem::new("shutting_down", detail).into(),
        }
    }
}
