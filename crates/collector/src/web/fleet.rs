//! `/`: all devices.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Deserialize;

use super::{Asked, Page, Visitor, chosen, page, pager, unix};
use crate::api::Shared;
use crate::pages::{
    DeviceRow, DeviceStatus, Filter, FilterBar, FleetPage, FleetTotals, Section, Sort, SortKey, VersionShare,
};
use crate::store::rollup::{DAY_MS, HOUR_MS};
use crate::store::{self, DeviceDay, now_ms};

const PAGE_SIZE: usize = 100;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct FleetQuery {
    status: Option<String>,
    profile: Option<String>,
    version: Option<String>,
    engine: Option<String>,
    sort: Option<String>,
    order: Option<String>,
    page: usize,
}

/// A device with its day, as the table shows it.
pub(super) fn row(
    device: &store::DeviceRow,
    hours: &[DeviceDay],
    now: i64,
    silent_after_ms: i64,
) -> DeviceRow {
    let (utterances, failures) =
        hours.iter().fold((0, 0), |(all, failed), hour| (all + hour.utterances, failed + hour.failures));
    let status = match device.last_seen_ms {
        _ if device.revoked_ms.is_some() => DeviceStatus::Revoked,
        None => DeviceStatus::NeverSeen,
        Some(seen) if now - seen > silent_after_ms => DeviceStatus::Silent,
        Some(_) => DeviceStatus::Ok,
    };
    let (health, session) = (device.health.as_ref(), device.session.as_ref());
    let known = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let first_hour = (now - DAY_MS).div_euclid(HOUR_MS) * HOUR_MS + HOUR_MS;
    let hourly = (0..24).map(|n| {
        let begin = first_hour + n * HOUR_MS;
        hours.iter().find(|hour| hour.begin_ms == begin).map(|hour| hour.utterances as f64)
    });
    DeviceRow {
        device_id: device.device_id.clone(),
        status,
        last_seen_unix_ms: device.last_seen_ms.map(unix),
        app_version: session
            .and_then(|s| known(&s.app_version))
            .or(health.and_then(|h| known(&h.app_version))),
        profile: session.and_then(|s| known(&s.profile)).or(health.and_then(|h| known(&h.profile))),
        platform: session.and_then(|s| known(&s.platform)),
        engine: session.and_then(|s| known(&s.engine)),
        shadow_engine: session.and_then(|s| s.shadow_engine.clone()),
        utterances_24h: utterances as u64,
        hourly_utterances: hourly.collect(),
        errors_ratio: (utterances > 0).then(|| failures as f64 / utterances as f64),
        journal_records: health.map(|h| h.journal_records),
        lost_records: device.lost as u64,
        temperature_celsius: health.and_then(|h| h.temperature_celsius),
        throttled: health.and_then(|h| h.throttled),
    }
}

fn totals(devices: &[DeviceRow]) -> FleetTotals {
    let mut totals = FleetTotals::default();
    let mut errors = 0.0;
    for device in devices.iter().filter(|device| device.status != DeviceStatus::Revoked) {
        totals.devices += 1;
        match device.status {
            DeviceStatus::Ok => totals.ok += 1,
            DeviceStatus::Silent => totals.silent += 1,
            _ => totals.never_seen += 1,
        }
        totals.utterances_24h += device.utterances_24h;
        errors += device.errors_ratio.unwrap_or(0.0) * device.utterances_24h as f64;
        totals.journal_records += device.journal_records.unwrap_or(0);
        totals.lost_records += device.lost_records;
        totals.throttled += u64::from(device.throttled == Some(true));
    }
    totals.errors_ratio = (totals.utterances_24h > 0).then(|| errors / totals.utterances_24h as f64);
    totals
}

fn values(devices: &[DeviceRow], of: fn(&DeviceRow) -> Option<&String>) -> Vec<String> {
    let all: std::collections::BTreeSet<&String> = devices.iter().filter_map(of).collect();
    all.into_iter().cloned().collect()
}

fn sort(devices: &mut [DeviceRow], sort: Sort) {
    let number = |value: Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
    devices.sort_by(|a, b| {
        let by = |of: fn(&DeviceRow) -> Option<f64>| number(of(a)).total_cmp(&number(of(b)));
        let order = match sort.key {
            SortKey::Device => a.device_id.cmp(&b.device_id),
            SortKey::Version => a.app_version.cmp(&b.app_version),
            SortKey::LastSeen => a.last_seen_unix_ms.cmp(&b.last_seen_unix_ms),
            SortKey::Utterances => a.utterances_24h.cmp(&b.utterances_24h),
            SortKey::Lost => a.lost_records.cmp(&b.lost_records),
            SortKey::Errors => by(|d| d.errors_ratio),
            SortKey::Journal => by(|d| d.journal_records.map(|n| n as f64)),
            SortKey::Temperature => by(|d| d.temperature_celsius),
        };
        let order = if sort.descending { order.reverse() } else { order };
        order.then_with(|| a.device_id.cmp(&b.device_id))
    });
}

pub(super) async fn show(
    State(app): State<Shared>,
    visitor: Visitor,
    Asked(query): Asked<FleetQuery>,
) -> Page {
    let now = now_ms();
    let silent_after_ms = app.settings.silent_after.as_millis() as i64;
    let mut by_device: BTreeMap<String, Vec<DeviceDay>> = BTreeMap::new();
    for hour in app.store.hours(None, now - DAY_MS).await? {
        by_device.entry(hour.device_id.clone()).or_default().push(hour);
    }
    let devices = app.store.devices().await?;
    let none = Vec::new();
    let mut rows: Vec<DeviceRow> = devices
        .iter()
        .map(|device| row(device, by_device.get(&device.device_id).unwrap_or(&none), now, silent_after_ms))
        .collect();
    let totals = totals(&rows);
    let mut versions: BTreeMap<String, u64> = BTreeMap::new();
    for device in rows.iter().filter(|device| device.status != DeviceStatus::Revoked) {
        *versions.entry(device.app_version.clone().unwrap_or_default()).or_default() += 1;
    }
    let versions = versions.into_iter().rev().map(|(version, devices)| VersionShare { version, devices });
    let order = Sort::from_query(query.sort.as_deref(), query.order.as_deref());
    let statuses = ["ok", "silent", "never-seen", "revoked"].map(str::to_owned).to_vec();
    let filters = FilterBar {
        action: "/".to_owned(),
        range: None,
        filters: vec![
            Filter::new("status", "Status", statuses, query.status.clone()),
            Filter::new("profile", "Profile", values(&rows, |d| d.profile.as_ref()), query.profile.clone()),
            Filter::new(
                "version",
                "Version",
                values(&rows, |d| d.app_version.as_ref()),
                query.version.clone(),
            ),
            Filter::new("engine", "Engine", values(&rows, |d| d.engine.as_ref()), query.engine.clone()),
        ],
        kept: [("sort", &query.sort), ("order", &query.order)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, chosen(value)?)))
            .collect(),
    };
    let wanted =
        |wish: &Option<String>, value: Option<&String>| chosen(wish).is_none_or(|w| Some(&w) == value);
    let status = chosen(&query.status).and_then(|key| DeviceStatus::from_key(&key));
    rows.retain(|device| {
        status.is_none_or(|status| status == device.status)
            && wanted(&query.profile, device.profile.as_ref())
            && wanted(&query.version, device.app_version.as_ref())
            && wanted(&query.engine, device.engine.as_ref())
    });
    sort(&mut rows, order);
    let total = rows.len();
    let at = query.page.min(total / PAGE_SIZE);
    let shown: Vec<_> = rows.into_iter().skip(at * PAGE_SIZE).take(PAGE_SIZE).collect();
    let more = (at + 1) * PAGE_SIZE < total;
    page(&FleetPage {
        shell: visitor.shell(Section::Fleet),
        sort: order,
        totals,
        versions: versions.collect(),
        pager: pager(&filters, at, PAGE_SIZE, shown.len(), Some(total as u64), more),
        filters,
        devices: shown,
        silent_after_ms: silent_after_ms as u64,
    })
}
