//! `/devices/{id}`: one device, and what administrators may do to it.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use earwitness_telemetry::{SessionRecord, UtteranceRecord, limits};
use serde::Deserialize;

use super::session::Signed;
use super::{Asked, Page, PageError, Visitor, clip_href, go_to, live, page, shadow, unix};
use crate::api::{App, Shared};
use crate::pages::{
    ConfirmPage, DevicePage, FilterBar, LostRow, Metric, Section, SessionRow, StreamRow, UtteranceRow,
    segment,
};
use crate::store::rollup::DAY_MS;
use crate::store::{EraseScope, FigureFilter, PairFilter, Role, now_ms, outcome_name};

const SHOWN: usize = 20;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct DeviceQuery {
    range: Option<String>,
}

pub(super) async fn show(
    State(app): State<Shared>,
    visitor: Visitor,
    Path(device_id): Path<String>,
    Asked(query): Asked<DeviceQuery>,
) -> Page {
    let Some(device) = app.store.device(&device_id).await? else { return Err(PageError::not_found()) };
    let now = now_ms();
    let range = live::range(query.range.as_deref(), Some(device.enrolled_ms), now);
    let filter = FigureFilter { device_id: Some(device_id.clone()), ..FigureFilter::default() };
    let span = live::span(&app, &filter, range).await?;
    let hours = app.store.hours(Some(&device_id), now - DAY_MS).await?;
    let silent_after_ms = app.settings.silent_after.as_millis() as i64;
    let reads = visitor.person.role >= Role::Labeller;
    let streams = app.store.streams(&device_id).await?;
    let losses = app.store.losses(&device_id).await?;
    page(&DevicePage {
        shell: visitor.shell(Section::Fleet),
        enrolled_unix_ms: Some(unix(device.enrolled_ms)),
        first_record_unix_ms: streams.iter().map(|stream| unix(stream.first_ms)).min(),
        cores: device.session.as_ref().map(|session| session.cores),
        clock_offset_ms: device.clock_skew_ms,
        disk_free_bytes: device.health.as_ref().and_then(|health| health.disk_free_bytes),
        consents: app.store.consents_of(&device_id).await?,
        consent_granted_unix_ms: None,
        filters: FilterBar {
            action: format!("/devices/{}", segment(&device_id)),
            range: Some(range),
            ..FilterBar::default()
        },
        from_unix_ms: unix(span.from_ms),
        to_unix_ms: unix(span.to_ms),
        step_ms: span.step_ms as u64,
        metrics: live::series(&span, &Metric::DEVICE),
        streams: streams
            .into_iter()
            .map(|stream| StreamRow {
                stream_id: stream.stream_id,
                first_seen_unix_ms: unix(stream.first_ms),
                last_seen_unix_ms: unix(stream.last_ms),
                high_water: stream.high_water as u64,
                stored: (stream.high_water - stream.lost) as u64,
                unreadable: stream.unreadable as u64,
                lost: stream.lost as u64,
            })
            .collect(),
        losses: losses
            .into_iter()
            .map(|loss| LostRow {
                stream_id: loss.stream_id,
                first_sequence: loss.first_sequence as u64,
                last_sequence: loss.last_sequence as u64,
                reason: loss.reason.replace('_', " "),
                reported_unix_ms: unix(loss.reported_ms),
            })
            .collect(),
        utterances: utterances(&app, &device_id, reads).await?,
        disagreements: disagreements(&app, &device_id, reads).await?,
        sessions: sessions(&app, &device_id).await?,
        device: super::fleet::row(&device, &hours, now, silent_after_ms),
    })
}

async fn utterances(app: &App, device_id: &str, reads: bool) -> Result<Vec<UtteranceRow>, PageError> {
    let mut rows = Vec::new();
    for (recorded_ms, body) in app.store.latest(device_id, "utterance", SHOWN).await? {
        let Ok(record) = serde_json::from_str::<UtteranceRecord>(&body) else { continue };
        let (mut text, mut clip) = (None, None);
        if reads && limits::valid_id(&record.utterance_id) {
            text = app.store.texts(device_id, &record.utterance_id).await?.primary;
            let object = app.store.clip_object(device_id, &record.utterance_id).await?;
            clip = object.map(|_| clip_href(device_id, &record.utterance_id));
        }
        let why = record.reason.replace('_', " ");
        rows.push(UtteranceRow {
            utterance_id: record.utterance_id,
            recorded_unix_ms: unix(recorded_ms),
            outcome: outcome_name(record.output.outcome).replace('_', " "),
            route: if why.is_empty() || why == "policy" {
                record.route
            } else {
                format!("{} ({why})", record.route)
            },
            duration_ms: record.input.duration_ms,
            words: record.output.words,
            end_of_speech_to_final_ms: record.software.end_of_speech_to_final_ms,
            real_time_factor: record.software.real_time_factor,
            rms_dbfs: record.input.rms_dbfs,
            snr_db: record.input.snr_db,
            avg_logprob: record.output.avg_logprob,
            text,
            clip_href: clip,
        });
    }
    Ok(rows)
}

async fn disagreements(
    app: &App,
    device_id: &str,
    reads: bool,
) -> Result<Vec<crate::pages::DisagreementRow>, PageError> {
    let filter = PairFilter { device_id: Some(device_id.to_owned()), ..PairFilter::default() };
    let mut rows = Vec::new();
    for key in app.store.pair_keys(&filter).await?.iter().take(1) {
        for pair in app.store.disagreements(key, &filter, (0, 10)).await?.0 {
            rows.push(shadow::disagreement(app, &pair, reads).await?);
        }
    }
    Ok(rows)
}

/// Beginnings and ends belong together by the session's name.
async fn sessions(app: &App, device_id: &str) -> Result<Vec<SessionRow>, PageError> {
    let mut rows: Vec<SessionRow> = Vec::new();
    for (recorded_ms, body) in app.store.latest(device_id, "session", 2 * SHOWN).await? {
        let Ok(record) = serde_json::from_str::<SessionRecord>(&body) else { continue };
        let place = rows.iter().position(|row| row.session_id == record.session_id);
        let row = match place {
            Some(place) => &mut rows[place],
            None => {
                rows.push(SessionRow {
                    session_id: record.session_id.clone(),
                    began_unix_ms: None,
                    ended_unix_ms: None,
                    // The newest comes first: one that is not the first and has no end was cut off.
                    cut_off: !rows.is_empty() && !record.ended,
                    app_version: record.app_version.clone(),
                    engine: record.engine.clone(),
                    shadow_engine: record.shadow_engine.clone(),
                    utterances: 0,
                });
                let last = rows.len() - 1;
                &mut rows[last]
            }
        };
        row.utterances = row.utterances.max(record.utterances);
        match record.ended {
            true => row.ended_unix_ms = Some(unix(recorded_ms)),
            false => row.began_unix_ms = Some(unix(recorded_ms)),
        }
    }
    rows.truncate(SHOWN);
    Ok(rows)
}

/// Confirmed or not.
#[derive(Deserialize)]
pub(super) struct Confirmed {
    #[serde(default)]
    confirmed: String,
    #[serde(default)]
    typed: String,
}

pub(super) async fn revoke(
    State(app): State<Shared>,
    Path(device_id): Path<String>,
    signed: Signed<Confirmed>,
) -> Page {
    let Signed { visitor, form } = signed;
    visitor.must_be(Role::Admin)?;
    let here = format!("/devices/{}", segment(&device_id));
    if form.confirmed != "yes" {
        return page(&ConfirmPage {
            shell: visitor.shell(Section::Fleet),
            question: format!("Revoke the token of {device_id}?"),
            consequences: vec![
                "The device can send nothing any more; what it records stays on it.".to_owned(),
                "To come back it needs a new enrolment code.".to_owned(),
            ],
            action: format!("{here}/revoke"),
            hidden: Vec::new(),
            type_to_confirm: None,
            button: "Revoke".to_owned(),
            cancel_href: here,
        });
    }
    if app.store.revoke(&device_id).await? {
        app.store.note(&visitor.person.name, "revoke", &device_id).await?;
    }
    go_to(&here)
}

pub(super) async fn erase(
    State(app): State<Shared>,
    Path(device_id): Path<String>,
    signed: Signed<Confirmed>,
) -> Page {
    let Signed { visitor, form } = signed;
    visitor.must_be(Role::Admin)?;
    if app.store.device(&device_id).await?.is_none() {
        return Err(PageError::not_found());
    }
    confirm_erasure(&app, &visitor, EraseScope::Device(device_id), &form.confirmed, &form.typed).await
}

/// Asks, and on the second request erases.
pub(super) async fn confirm_erasure(
    app: &App,
    visitor: &Visitor,
    scope: EraseScope,
    confirmed: &str,
    typed: &str,
) -> Page {
    let (kind, name) = match &scope {
        EraseScope::Device(name) => ("device", name.clone()),
        EraseScope::Person(name) => ("person", name.clone()),
    };
    if confirmed == "yes" && typed.trim() == name {
        let receipt = app.erase(&scope, &visitor.person.name).await?;
        return go_to(&format!("/receipts/{}", segment(&receipt.receipt_id)));
    }
    let what = match &scope {
        EraseScope::Device(_) => "All records, texts and recordings from this device are deleted.",
        EraseScope::Person(_) => {
            "All texts and recordings of this person, on all devices, are deleted. Figures stay."
        }
    };
    page(&ConfirmPage {
        shell: visitor.shell(Section::Privacy),
        question: format!("Erase everything of {kind} {name}?"),
        consequences: vec![
            what.to_owned(),
            "Their keys are destroyed: copies in backups cannot be read any more.".to_owned(),
            "It cannot be undone.".to_owned(),
        ],
        action: "/privacy/erase".to_owned(),
        hidden: vec![("scope".to_owned(), kind.to_owned()), ("id".to_owned(), name.clone())],
        type_to_confirm: Some(name),
        button: "Erase".to_owned(),
        cancel_href: "/privacy".to_owned(),
    })
}

/// `/clips/{device}/{utterance}`: a recording, for those who judge. Who listened is noted.
pub(super) async fn clip(
    State(app): State<Shared>,
    visitor: Visitor,
    Path((device_id, utterance_id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    visitor.must_be(Role::Labeller)?;
    if !limits::valid_id(&device_id) || !limits::valid_id(&utterance_id) {
        return Err(PageError::status(StatusCode::NOT_FOUND));
    }
    let clip = app.clips.load(&app.store, &device_id, &utterance_id).await?;
    let flac = clip.ok_or_else(PageError::not_found)?;
    app.store.note(&visitor.person.name, "read clip", &format!("{device_id} {utterance_id}")).await?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("audio/flac"))], flac).into_response())
}
