//! `/live`: figures over time, of the fleet or a part of it.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Deserialize;

use super::{Asked, Page, PageError, Visitor, chosen, page, unix};
use crate::api::{App, Shared};
use crate::pages::{
    Filter, FilterBar, LivePage, Metric, MetricSeries, OutcomePoint, Point, Section, TimeRange,
};
use crate::store::rollup::{DAY_MS, HOUR_MS, MINUTE_MS};
use crate::store::{FigureFilter, Figures, now_ms};

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LiveQuery {
    range: Option<String>,
    device: Option<String>,
    engine: Option<String>,
    profile: Option<String>,
    version: Option<String>,
}

/// A range of time in buckets, and the figures in it.
pub(super) struct Span {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) step_ms: i64,
    pub(super) buckets: BTreeMap<i64, Figures>,
    pub(super) devices: usize,
}

/// The range that was asked for; else a day, or what is enough where nobody can have reported before: `first_ms` is when
/// the first device was enrolled.
pub(super) fn range(asked: Option<&str>, first_ms: Option<i64>, now_ms: i64) -> TimeRange {
    let age_ms = first_ms.map_or(i64::MAX, |first_ms| now_ms.saturating_sub(first_ms));
    let usual = match age_ms {
        age_ms if age_ms < 15 * MINUTE_MS => TimeRange::QuarterHour,
        age_ms if age_ms < HOUR_MS => TimeRange::Hour,
        _ => TimeRange::default(),
    };
    asked.and_then(TimeRange::from_key).unwrap_or(usual)
}

/// The range's figures, from the shortest roll-ups that are kept for it.
pub(super) async fn span(app: &App, filter: &FigureFilter, range: TimeRange) -> Result<Span, PageError> {
    let (period_ms, step_ms) = match range {
        TimeRange::QuarterHour => (MINUTE_MS, MINUTE_MS),
        TimeRange::Hour => (MINUTE_MS, MINUTE_MS),
        TimeRange::Day => (HOUR_MS, HOUR_MS),
        TimeRange::Week => (HOUR_MS, 3 * HOUR_MS),
        TimeRange::Month => (DAY_MS, DAY_MS),
    };
    // Up to the end of the current bucket, so that the latest is seen.
    let to_ms = (now_ms().div_euclid(step_ms) + 1) * step_ms;
    let from_ms = to_ms - range.span_ms() as i64;
    let (buckets, devices) = app.store.series(filter, (from_ms, to_ms), period_ms, step_ms).await?;
    Ok(Span { from_ms, to_ms, step_ms, buckets, devices })
}

fn name(metric: Metric) -> Option<&'static str> {
    Some(match metric {
        Metric::EndOfSpeechToFinal => "end_of_speech_to_final_ms",
        Metric::Recognize => "recognize_ms",
        Metric::Queue => "queue_ms",
        Metric::RealTimeFactor => "real_time_factor",
        Metric::Rss => "rss_bytes",
        Metric::CpuShare => "cpu_share",
        Metric::Temperature => "temperature_celsius",
        Metric::Rms => "rms_dbfs",
        Metric::Loudness => "loudness_lufs",
        Metric::Snr => "snr_db",
        Metric::Clipping => "clipping_ratio",
        Metric::Bandwidth => "bandwidth_hz",
        Metric::Words => "words",
        Metric::AvgLogprob => "avg_logprob",
        Metric::JournalRecords => "journal_records",
        Metric::FallbackShare | Metric::NoSpeechShare | Metric::ErrorShare => return None,
    })
}

fn point(metric: Metric, at_ms: i64, figures: &Figures) -> Point {
    let at_unix_ms = unix(at_ms);
    let utterances = figures.utterances();
    let share = |count: u64| (utterances > 0).then(|| count as f64 / utterances as f64);
    let single = |middle: Option<f64>, count| Point { at_unix_ms, middle, count, ..Point::default() };
    match metric {
        Metric::FallbackShare => single(share(figures.fallbacks), utterances),
        Metric::NoSpeechShare => single(share(figures.outcomes[1]), utterances),
        Metric::ErrorShare => single(share(figures.failures()), utterances),
        _ => {
            let Some(sketch) = name(metric).and_then(|name| figures.sketch(name)) else {
                return single(None, 0);
            };
            let at = |q: f64| sketch.quantile(q);
            match metric.spread().quantiles() {
                [low, middle, high] => Point {
                    at_unix_ms,
                    low: at(*low),
                    middle: at(*middle),
                    high: at(*high),
                    count: sketch.count(),
                },
                _ => single(at(0.5), sketch.count()),
            }
        }
    }
}

/// Those of `metrics` that there is anything of.
pub(super) fn series(span: &Span, metrics: &[Metric]) -> Vec<MetricSeries> {
    let mut whole = Figures::default();
    span.buckets.values().for_each(|figures| whole.merge(figures));
    let of = |metric: Metric| MetricSeries {
        metric,
        overall: point(metric, span.from_ms, &whole),
        points: span.buckets.iter().map(|(at, figures)| point(metric, *at, figures)).collect(),
    };
    let all = metrics.iter().map(|metric| of(*metric));
    all.filter(|series| series.overall.middle.is_some()).collect()
}

pub(super) async fn show(
    State(app): State<Shared>,
    visitor: Visitor,
    Asked(query): Asked<LiveQuery>,
) -> Page {
    let enrolled = app.store.devices().await?;
    let first_ms = enrolled.iter().map(|device| device.enrolled_ms).min();
    let range = range(query.range.as_deref(), first_ms, now_ms());
    let filter = FigureFilter {
        device_id: chosen(&query.device),
        engine: chosen(&query.engine),
        profile: chosen(&query.profile),
        app_version: chosen(&query.version),
    };
    let span = span(&app, &filter, range).await?;
    let offered = app.store.offered(span.from_ms).await?;
    let devices = enrolled.into_iter().map(|device| device.device_id).collect();
    let outcomes = span.buckets.iter().map(|(at, figures)| {
        let mut counts = [0; 6];
        counts.copy_from_slice(&figures.outcomes[..6]);
        OutcomePoint { at_unix_ms: unix(*at), counts }
    });
    page(&LivePage {
        shell: visitor.shell(Section::Live),
        filters: FilterBar {
            action: "/live".to_owned(),
            range: Some(range),
            filters: vec![
                Filter::new("device", "Device", devices, query.device.clone()),
                Filter::new("engine", "Engine", offered.engines, query.engine.clone()),
                Filter::new("profile", "Profile", offered.profiles, query.profile.clone()),
                Filter::new("version", "Version", offered.versions, query.version.clone()),
            ],
            kept: Vec::new(),
        },
        from_unix_ms: unix(span.from_ms),
        to_unix_ms: unix(span.to_ms),
        step_ms: span.step_ms as u64,
        utterances: span.buckets.values().map(Figures::utterances).sum(),
        devices: span.devices as u64,
        outcomes: outcomes.collect(),
        metrics: series(&span, &Metric::LIVE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_of_minutes_is_shown_by_minutes_unless_asked_otherwise() {
        let now = 100 * DAY_MS;
        let first = Some(now - 10 * MINUTE_MS);
        assert_eq!(range(None, first, now), TimeRange::QuarterHour);
        assert_eq!(range(Some("7d"), first, now), TimeRange::Week);
        assert_eq!(range(Some("nonsense"), Some(now - 20 * MINUTE_MS), now), TimeRange::Hour);
        assert_eq!(range(None, Some(now - DAY_MS), now), TimeRange::Day);
        assert_eq!(range(None, None, now), TimeRange::Day);
    }
}
