//! The pages' routes: from a request to a view, from a form to a change. Queries are the store's, looks are the pages'.

mod adjudicate;
mod admin;
mod device;
mod fleet;
mod live;
mod login;
mod privacy;
mod search;
mod session;
mod shadow;

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;

use crate::api::Shared;
use crate::pages::{self, ErrorPage, Section, Shell, Template};
use crate::store::{StoreError, now_ms};

pub(crate) use session::Visitor;

/// A form is smaller than this, bytes: a reference of 30 s has some 1000.
const MAX_FORM_BYTES: usize = 64 << 10;

/// All pages and forms.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(fleet::show))
        .route("/live", get(live::show))
        .route("/shadow", get(shadow::show))
        .route("/adjudicate", get(adjudicate::show).post(adjudicate::judge))
        .route("/search", get(search::show))
        .route("/devices/{device_id}", get(device::show))
        .route("/devices/{device_id}/revoke", post(device::revoke))
        .route("/devices/{device_id}/erase", post(device::erase))
        .route("/clips/{device_id}/{utterance_id}", get(device::clip))
        .route("/privacy", get(privacy::show))
        .route("/privacy/erase", post(privacy::erase))
        .route("/receipts/{receipt_id}", get(privacy::receipt))
        .route("/login", get(login::show).post(login::sign_in))
        .route("/logout", post(login::sign_out))
        .route("/admin", get(admin::show))
        .route("/admin/people", post(admin::appoint))
        .route("/admin/people/role", post(admin::appoint))
        .route("/admin/people/reset", post(admin::reset))
        .route("/admin/people/remove", post(admin::dismiss))
        .route("/admin/codes", post(admin::new_code))
        .route("/admin/codes/withdraw", post(admin::withdraw))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_FORM_BYTES))
        .route("/static/{name}", get(asset))
}

/// What an address asks for. Parameters that make no sense count as absent: a page is shown, not an error.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequestParts<Shared> for Asked<T> {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Infallible> {
        Ok(Self(Query::try_from_uri(&parts.uri).map(|Query(asked)| asked).unwrap_or_default()))
    }
}

/// What a page's handler gives: the page, or an error's page.
pub(crate) type Page = Result<Response, PageError>;

/// Shows a page.
pub(crate) fn page(view: &impl Template) -> Page {
    match view.render() {
        Ok(html) => Ok(Html(html).into_response()),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            Err(PageError::status(StatusCode::INTERNAL_SERVER_ERROR))
        }
    }
}

/// Goes on to another page after a form (303: the browser asks for it by GET).
pub(crate) fn go_to(path: &str) -> Page {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// An error as a page.
#[derive(Debug)]
pub(crate) struct PageError {
    status: StatusCode,
    detail: Option<String>,
    sign_in: bool,
}

impl PageError {
    pub(crate) fn status(status: StatusCode) -> Self {
        Self { status, detail: None, sign_in: false }
    }

    pub(crate) fn not_found() -> Self {
        Self::status(StatusCode::NOT_FOUND)
    }

    pub(crate) fn bad(detail: &str) -> Self {
        Self { detail: Some(detail.to_owned()), ..Self::status(StatusCode::BAD_REQUEST) }
    }

    /// Nobody is signed in: on to the way in.
    pub(crate) fn sign_in() -> Self {
        Self { sign_in: true, ..Self::status(StatusCode::UNAUTHORIZED) }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a page failed in the store");
        Self::status(StatusCode::SERVICE_UNAVAILABLE)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if self.sign_in {
            return go_to("/login").into_response();
        }
        let shell = Shell::new(Section::Other, None, "", now_ms() as u64);
        let mut view = ErrorPage::of_status(shell, self.status.as_u16());
        if let Some(detail) = self.detail {
            view.detail = detail;
        }
        let html = view.render().unwrap_or_default();
        (self.status, Html(html)).into_response()
    }
}

async fn asset(Path(name): Path<String>) -> Response {
    match pages::assets::asset(&format!("/static/{name}")) {
        Some(asset) => Response::builder()
            .header(header::CONTENT_TYPE, asset.content_type)
            .header(header::CACHE_CONTROL, "public, max-age=31536000, immutable")
            .body(Body::from(asset.body))
            .unwrap_or_default(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Times of the store as pages have them.
pub(crate) fn unix(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

/// An empty choice is none.
pub(crate) fn chosen(value: &Option<String>) -> Option<String> {
    value.clone().filter(|value| !value.is_empty())
}

/// Where a clip is heard.
pub(crate) fn clip_href(device_id: &str, utterance_id: &str) -> String {
    format!("/clips/{}/{}", pages::segment(device_id), pages::segment(utterance_id))
}

/// A page of a list of which only this page is known, and whether there is more.
pub(crate) fn pager(
    filters: &pages::FilterBar,
    at: usize,
    size: usize,
    shown: usize,
    total: Option<u64>,
    more: bool,
) -> pages::Pager {
    let first = (at * size) as u64;
    let link = |page: usize| filters.href_with(&[("page", &page.to_string())]);
    pages::Pager {
        first: if shown == 0 { 0 } else { first + 1 },
        last: first + shown as u64,
        total,
        previous_href: (at > 0).then(|| link(at - 1)),
        next_href: more.then(|| link(at + 1)),
    }
}
