//! What people's programs ask, with an access key: the figures behind the pages, as JSON.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::{ApiError, Asker, Shared, body};
use crate::store::{EraseScope, FigureFilter, METRICS, OUTCOMES, Receipt, Role, now_ms, outcome_name};

/// A day, ms: how long a code for a device works.
const CODE_VALID_MS: i64 = 86_400_000;
const MAX_SMALL_BODY: usize = 4 << 10;

/// `GET /health`: whether the store answers.
pub(super) async fn health(State(app): State<Shared>) -> Result<&'static str, ApiError> {
    app.store.ping().await?;
    Ok("ok\n")
}

/// A device for programs.
#[derive(Serialize)]
pub(super) struct FleetEntry {
    device_id: String,
    enrolled_unix_ms: i64,
    revoked_unix_ms: Option<i64>,
    last_seen_unix_ms: Option<i64>,
    records: i64,
    lost_records: i64,
    health: Option<earwitness_telemetry::HealthRecord>,
    session: Option<earwitness_telemetry::SessionRecord>,
}

pub(super) async fn fleet(
    State(app): State<Shared>,
    asker: Asker,
) -> Result<Json<Vec<FleetEntry>>, ApiError> {
    asker.person(Role::Viewer)?;
    let devices = app.store.devices().await?;
    let entry = |device: crate::store::DeviceRow| FleetEntry {
        device_id: device.device_id,
        enrolled_unix_ms: device.enrolled_ms,
        revoked_unix_ms: device.revoked_ms,
        last_seen_unix_ms: device.last_seen_ms,
        records: device.records,
        lost_records: device.lost,
        health: device.health,
        session: device.session,
    };
    Ok(Json(devices.into_iter().map(entry).collect()))
}

/// Which figures.
#[derive(Deserialize)]
pub(super) struct FiguresQuery {
    /// Hours back from now, 1 to 720; 24 if absent.
    hours: Option<u32>,
    device: Option<String>,
    engine: Option<String>,
    profile: Option<String>,
    version: Option<String>,
}

/// Percentiles of one metric.
#[derive(Serialize)]
pub(super) struct Percentiles {
    unit: &'static str,
    count: u64,
    p10: Option<f64>,
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
}

/// Figures over a time.
#[derive(Serialize)]
pub(super) struct FiguresAnswer {
    from_unix_ms: i64,
    to_unix_ms: i64,
    devices: usize,
    utterances: u64,
    outcomes: BTreeMap<&'static str, u64>,
    metrics: BTreeMap<&'static str, Percentiles>,
}

pub(super) async fn figures(
    State(app): State<Shared>,
    asker: Asker,
    query: Result<Query<FiguresQuery>, QueryRejection>,
) -> Result<Json<FiguresAnswer>, ApiError> {
    asker.person(Role::Viewer)?;
    let Query(query) = query.map_err(|_| ApiError::unprocessable("`hours` is a whole number"))?;
    let hours = query.hours.unwrap_or(24);
    if !(1..=720).contains(&hours) {
        return Err(ApiError::unprocessable("`hours` is from 1 to 720"));
    }
    const HOUR_MS: i64 = 3_600_000;
    let to_unix_ms = now_ms();
    let from_unix_ms = (to_unix_ms - i64::from(hours) * HOUR_MS).div_euclid(HOUR_MS) * HOUR_MS;
    let filter = FigureFilter {
        device_id: query.device,
        engine: query.engine,
        profile: query.profile,
        app_version: query.version,
    };
    let range = (from_unix_ms, to_unix_ms);
    let (buckets, devices) =
        app.store.series(&filter, range, HOUR_MS, i64::from(hours + 1) * HOUR_MS).await?;
    let mut whole = crate::store::Figures::default();
    buckets.values().for_each(|figures| whole.merge(figures));
    let percentiles = METRICS.iter().filter_map(|metric| {
        let sketch = whole.sketch(metric.name)?;
        let at = |q| sketch.quantile(q);
        let percentiles = Percentiles {
            unit: metric.unit,
            count: sketch.count(),
            p10: at(0.1),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
        };
        Some((metric.name, percentiles))
    });
    Ok(Json(FiguresAnswer {
        from_unix_ms,
        to_unix_ms,
        devices,
        utterances: whole.utterances(),
        outcomes: OUTCOMES
            .iter()
            .zip(whole.outcomes)
            .map(|(outcome, n)| (outcome_name(*outcome), n))
            .collect(),
        metrics: percentiles.collect(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erasure {
    scope: String,
    name: String,
}

pub(super) async fn erase(
    State(app): State<Shared>,
    asker: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Receipt>, ApiError> {
    let by = asker.person(Role::Admin)?;
    let bytes = body::read(&app, &headers, body, MAX_SMALL_BODY).await?;
    let wrong =
        || ApiError::unprocessable("the body must be {\"scope\": \"device\" or \"person\", \"name\": …}");
    let erasure: Erasure = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    if !earwitness_telemetry::limits::valid_id(&erasure.name) {
        return Err(ApiError::unprocessable("names are 1 to 64 letters, digits, `-`, `_` or `.`"));
    }
    let scope = match erasure.scope.as_str() {
        "device" => EraseScope::Device(erasure.name),
        "person" => EraseScope::Person(erasure.name),
        _ => return Err(wrong()),
    };
    Ok(Json(app.erase(&scope, &by).await?))
}

/// A code, shown once.
#[derive(Serialize)]
pub(super) struct NewCode {
    code: String,
    expires_unix_ms: i64,
}

pub(super) async fn enrolment(State(app): State<Shared>, asker: Asker) -> Result<Json<NewCode>, ApiError> {
    let by = asker.person(Role::Admin)?;
    let code = app.store.new_enrolment(&by, CODE_VALID_MS).await?;
    app.store.note(&by, "make enrolment code", "").await?;
    Ok(Json(NewCode { code: code.code, expires_unix_ms: code.expires_ms }))
}

pub(super) async fn revoke(
    State(app): State<Shared>,
    asker: Asker,
    Path(device_id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let by = asker.person(Role::Admin)?;
    if !earwitness_telemetry::limits::valid_id(&device_id) || !app.store.revoke(&device_id).await? {
        return Err(ApiError::not_found("device with a token"));
    }
    app.store.note(&by, "revoke", &device_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
