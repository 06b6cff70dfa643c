//! The routes of devices: enrol, send batches and clips, ask to be erased. And for machines: health, metrics, API.

mod auth;
mod body;
mod devices;
mod error;
mod limits;
mod metrics;
pub(crate) mod openapi;
mod reports;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post, put};
use tokio::sync::Semaphore;

pub(crate) use auth::Asker;
pub(crate) use error::ApiError;
pub(crate) use limits::{Limits, address_of};
pub(crate) use metrics::Metrics;

use crate::clips::Clips;
use crate::settings::Settings;
use crate::store::Store;

/// What handlers share.
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) clips: Clips,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    /// Bytes of bodies that may be read at the same time.
    pub(crate) room: Arc<Semaphore>,
    /// Bytes of batches that are decompressed and not stored yet.
    pub(crate) decoded: Arc<Semaphore>,
}

pub(crate) type Shared = Arc<App>;

/// The routes below `/api/v1`, and those that a machine looks for at the root.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/enroll", post(devices::enrol))
        .route("/api/v1/batches", post(devices::batch))
        .route("/api/v1/streams/{stream_id}", get(devices::stream))
        .route("/api/v1/clips/{utterance_id}", put(devices::clip))
        .route("/api/v1/erase", post(devices::erase))
        .route("/api/v1/fleet", get(reports::fleet))
        .route("/api/v1/figures", get(reports::figures))
        .route("/api/v1/erasures", post(reports::erase))
        .route("/api/v1/enrolments", post(reports::enrolment))
        .route("/api/v1/devices/{device_id}/revoke", post(reports::revoke))
        .route("/openapi.json", get(openapi::document))
        .route("/metrics", get(metrics::show))
        .route("/health", get(reports::health))
}
