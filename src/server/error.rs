//! Errors as OpenAI's clients read them: `{"error": {message, type, param, code}}`.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::pool::JobError;

/// An answer that is not a transcript.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) kind: &'static str,
    pub(super) code: Option<&'static str>,
    pub(super) param: Option<&'static str>,
    pub(super) retry_after: Option<Duration>,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), kind, code: None, param: None, retry_after: None }
    }

    /// 400: the request is wrong in its field `param`.
    pub(super) fn invalid(param: &'static str, message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message);
        Self { param: Some(param), ..error }
    }

    /// 401.
    pub(super) fn unauthorized() -> Self {
        let message = "this server wants `Authorization: Bearer TOKEN` with one of its tokens";
        let error = Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message);
        Self { code: Some("invalid_api_key"), ..error }
    }

    /// 403: a web page of another origin.
    pub(super) fn foreign_origin() -> Self {
        let message = "web pages of other origins may not use this server: start it with tokens";
        Self::new(StatusCode::FORBIDDEN, "invalid_request_error", message)
    }

    /// 404: no such model.
    pub(super) fn no_model(asked: &str, served: &str) -> Self {
        let message = format!("there is no model `{asked}` here: use `{served}`");
        let error = Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message);
        Self { code: Some("model_not_found"), param: Some("model"), ..error }
    }

    /// 404: no such route.
    pub(super) fn no_route() -> Self {
        let message = "there is no such route: see GET /health, POST /v1/audio/transcriptions";
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message)
    }

    /// 408: the request came too slowly.
    pub(super) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "invalid_request_error", "the upload took too long")
    }

    /// 413.
    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("the request is larger than {limit} bytes");
        let error = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", message);
        Self { param: Some("file"), ..error }
    }

    /// 429: the queue is full.
    pub(super) fn busy(retry_after: Duration) -> Self {
        let message = format!("the queue is full: try again in {} s", retry_after.as_secs_f64().ceil());
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", message);
        Self { code: Some("rate_limit_exceeded"), retry_after: Some(retry_after), ..error }
    }

    /// 500.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message)
    }

    /// The body, and the payload of an error event in a stream.
    pub(super) fn body(&self) -> serde_json::Value {
        json!({ "error": {
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        } })
    }
}

impl From<JobError> for ApiError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Audio(error) => Self::invalid("file", error.to_string()),
            JobError::Engine(error) => Self::internal(error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs_f64().ceil() as u64));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
