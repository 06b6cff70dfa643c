//! What devices ask.

use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use earwitness_telemetry::{Accepted, limits};
use serde::{Deserialize, Serialize};

use super::limits::address_of;
use super::{ApiError, Asker, Shared, body};
use crate::clips::NewClip;
use crate::ingest::{decode, parse};
use crate::store::{EnrolError, EraseScope, Receipt};

/// An enrolment is smaller than this, bytes.
const MAX_SMALL_BODY: usize = 4 << 10;

#[derive(Deserialize)]
struct Enrolment {
    code: String,
    device_id: String,
}

#[derive(Serialize)]
pub(super) struct Enrolled {
    device_id: String,
    token: String,
}

pub(super) async fn enrol(
    State(app): State<Shared>,
    parts: Parts,
    body: Body,
) -> Result<Json<Enrolled>, ApiError> {
    let bytes = body::read(&app, &parts.headers, body, MAX_SMALL_BODY).await?;
    let enrolment: Enrolment = serde_json::from_slice(&bytes)
        .map_err(|_| ApiError::unprocessable("the body must be {\"code\": …, \"device_id\": …}"))?;
    if !limits::valid_id(&enrolment.device_id) {
        return Err(ApiError::unprocessable("device_id must be 1 to 64 letters, digits, `-`, `_` or `.`"));
    }
    match app.store.enrol(&enrolment.code, &enrolment.device_id).await {
        Ok(token) => {
            app.store.note(&enrolment.device_id, "enrol", &enrolment.device_id).await?;
            Ok(Json(Enrolled { device_id: enrolment.device_id, token }))
        }
        Err(error) => {
            if matches!(error, EnrolError::BadCode) {
                app.metrics.refusals.inc();
                app.limits.refused(address_of(&parts))?;
            }
            Err(error.into())
        }
    }
}

pub(super) async fn batch(
    State(app): State<Shared>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Accepted>, ApiError> {
    let device = asker.device()?;
    let begin = Instant::now();
    let encoding = body::encoding(&headers)?;
    let limit = match encoding {
        crate::ingest::Encoding::Zstd => limits::MAX_BATCH_WIRE_BYTES,
        crate::ingest::Encoding::Identity => limits::MAX_BATCH_BYTES,
    };
    let bytes = body::read(&app, &headers, body, limit).await?;
    app.metrics.received_bytes.inc_by(bytes.len() as u64);
    let mut room = body::room_to_decode(&app).await?;
    // Some milliseconds of work: not on the threads that wait for sockets.
    let read = tokio::task::spawn_blocking(move || {
        let json = decode(encoding, &bytes)?;
        Ok::<_, crate::ingest::BatchError>((json.len(), parse(&json)?))
    });
    let (length, batch) = read
        .await
        .map_err(|_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the batch could not be read"))??;
    // As much as it has is held until it is stored.
    drop(room.split(room.num_permits().saturating_sub(length)));
    let accepted = app.store.append(&device, batch).await?;
    drop(room);
    app.metrics.count(&accepted, begin.elapsed());
    Ok(Json(accepted))
}

/// Where a stream stands.
#[derive(Serialize)]
pub(super) struct StreamState {
    high_water: u64,
}

pub(super) async fn stream(
    State(app): State<Shared>,
    asker: Asker,
    Path(stream_id): Path<String>,
) -> Result<Json<StreamState>, ApiError> {
    let device = asker.device()?;
    Ok(Json(StreamState { high_water: app.store.high_water(&device, &stream_id).await? }))
}

#[derive(Deserialize)]
pub(super) struct ClipConsent {
    granted_unix_ms: u64,
    subject_id: Option<String>,
}

pub(super) async fn clip(
    State(app): State<Shared>,
    asker: Asker,
    Path(utterance_id): Path<String>,
    consent: Result<Query<ClipConsent>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let device = asker.device()?;
    let Ok(Query(consent)) = consent else {
        return Err(ApiError::unprocessable("a clip needs its consent: `?granted_unix_ms=…`"));
    };
    let subject_id = consent.subject_id.unwrap_or_default();
    if !limits::valid_id(&utterance_id) || !(subject_id.is_empty() || limits::valid_id(&subject_id)) {
        return Err(ApiError::unprocessable("ids are 1 to 64 letters, digits, `-`, `_` or `.`"));
    }
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "audio/flac") {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a clip is `Content-Type: audio/flac`",
        ));
    }
    let flac = body::read(&app, &headers, body, limits::MAX_CLIP_BYTES).await?;
    if !flac.starts_with(b"fLaC") {
        return Err(ApiError::unprocessable("the body is no FLAC file"));
    }
    let granted_ms = i64::try_from(consent.granted_unix_ms).unwrap_or(i64::MAX);
    let clip = NewClip {
        device_id: &device,
        utterance_id: &utterance_id,
        subject_id: &subject_id,
        granted_ms,
        flac: &flac,
    };
    // A clip whose consent is void is done with, too: the device shall not send it again.
    if app.clips.keep(&app.store, &clip).await? {
        app.metrics.clips.inc();
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn erase(State(app): State<Shared>, asker: Asker) -> Result<Json<Receipt>, ApiError> {
    let device = asker.device()?;
    let scope = EraseScope::Device(device.clone());
    Ok(Json(app.erase(&scope, &device).await?))
}
