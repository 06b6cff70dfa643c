//! The description of the API for machines (OpenAPI 3.1), and for tests that send what it allows and what it does not.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The document. A test holds it against the routes.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /openapi.json`.
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
