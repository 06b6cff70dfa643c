//! Refusals, as JSON that says what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use earwitness_telemetry::Refusal;

use crate::ingest::BatchError;
use crate::store::{AppendError, EnrolError, StoreError};

/// Why a request is not answered.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) expected_sequence: Option<u64>,
    pub(crate) retry_after_s: Option<u64>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), expected_sequence: None, retry_after_s: None }
    }

    /// No token, or one that is not known (any more).
    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "this needs a valid token: `Authorization: Bearer …`")
    }

    /// The token is good for something else.
    pub(crate) fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }

    /// For a while; clients spread over up to twice the time, so that they do not all come back together.
    pub(crate) fn busy(status: StatusCode, message: &str, seconds: u64) -> Self {
        let spread = fastrand::u64(0..=seconds.max(1));
        Self { retry_after_s: Some(seconds + spread), ..Self::new(status, message) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Refusal { error: self.message, expected_sequence: self.expected_sequence };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<BatchError> for ApiError {
    fn from(error: BatchError) -> Self {
        let status = match error {
            BatchError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.to_string())
    }
}

impl From<AppendError> for ApiError {
    fn from(error: AppendError) -> Self {
        let message = error.to_string();
        match error {
            AppendError::Gap { expected } => {
                Self { expected_sequence: Some(expected), ..Self::new(StatusCode::CONFLICT, message) }
            }
            AppendError::Busy => Self::busy(StatusCode::SERVICE_UNAVAILABLE, &message, 1),
            AppendError::Stopping => Self::busy(StatusCode::SERVICE_UNAVAILABLE, &message, 5),
            AppendError::Store(_) => Self::busy(StatusCode::SERVICE_UNAVAILABLE, &message, 10),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a request failed in the store");
        Self::busy(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer: try again later", 5)
    }
}

impl From<EnrolError> for ApiError {
    fn from(error: EnrolError) -> Self {
        let message = error.to_string();
        match error {
            EnrolError::BadCode => Self::new(StatusCode::FORBIDDEN, message),
            EnrolError::Taken => Self::new(StatusCode::CONFLICT, message),
            EnrolError::Store(error) => error.into(),
        }
    }
}
