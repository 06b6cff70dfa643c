//! Figures over time: what devices hear, what comes out, what it takes.

use askama::Template;

use super::figure::{UNKNOWN, Unit};
use super::plot::{self, Span};
use super::{FilterBar, MetricGroup, MetricSeries, Shell, Spread, show};

/// `/live`: figures of utterances over a time range.
#[derive(Clone, Debug, Template)]
#[template(path = "live.html")]
pub struct LivePage {
    /// The frame.
    pub shell: Shell,
    /// Range, device, engine, profile, version; action `/live`.
    pub filters: FilterBar,
    /// Begin of the range, ms since 1970-01-01 UTC.
    pub from_unix_ms: u64,
    /// Its end.
    pub to_unix_ms: u64,
    /// Width of a bucket, ms; see [`TimeRange::step_ms`](super::TimeRange::step_ms).
    pub step_ms: u64,
    /// Utterances in the range, after the filters.
    pub utterances: u64,
    /// Devices that they came from.
    pub devices: u64,
    /// [`Metric::LIVE`](super::Metric::LIVE), or those of it that there are.
    pub metrics: Vec<MetricSeries>,
    /// How recognitions ended, the oldest bucket first.
    pub outcomes: Vec<OutcomePoint>,
}

impl LivePage {
    /// Columns of the tables of figures.
    const COLUMNS: [&'static str; 5] = ["p10", "p50", "p90", "p99", "share"];

    pub(crate) fn span(&self) -> Span {
        Span { from_unix_ms: self.from_unix_ms, to_unix_ms: self.to_unix_ms, step_ms: self.step_ms }
    }

    /// The width of a bucket, in words.
    pub(crate) fn step(&self) -> String {
        match self.step_ms / 1000 {
            seconds if seconds >= 3600 => format!("{} h", seconds / 3600),
            seconds if seconds >= 60 => format!("{} min", seconds / 60),
            seconds => format!("{seconds} s"),
        }
    }

    /// The metrics of one part.
    pub(crate) fn of(&self, group: &MetricGroup) -> Vec<&MetricSeries> {
        self.metrics.iter().filter(|series| series.metric.group() == *group).collect()
    }

    /// The rows of a table of figures, with the heads of the columns that have a figure in any of them.
    pub(crate) fn table(
        &self,
        metrics: &[&MetricSeries],
    ) -> (Vec<&'static str>, Vec<(&'static str, Vec<String>)>) {
        let cells: Vec<_> = metrics.iter().map(|series| self.figures(series)).collect();
        let used = |column: &usize| cells.iter().any(|row| !row[*column].is_empty());
        let columns: Vec<usize> = (0..Self::COLUMNS.len()).filter(used).collect();
        let rows = metrics.iter().zip(&cells).map(|(series, row)| {
            (series.metric.title(), columns.iter().map(|column| row[*column].clone()).collect())
        });
        (columns.iter().map(|column| Self::COLUMNS[*column]).collect(), rows.collect())
    }

    /// The cells under [`COLUMNS`](Self::COLUMNS); empty where a metric has no such figure.
    fn figures(&self, series: &MetricSeries) -> [String; 5] {
        let unit = series.metric.unit();
        let [low, middle, high] =
            [series.overall.low, series.overall.middle, series.overall.high].map(|value| unit.show(value));
        let empty = String::new;
        match series.metric.spread() {
            Spread::Tail => [empty(), low, middle, high, empty()],
            Spread::Centre => [low, middle, high, empty(), empty()],
            Spread::Single => [empty(), empty(), empty(), empty(), middle],
        }
    }

    /// Every outcome and its share over the whole range.
    pub(crate) fn outcome_shares(&self) -> Vec<(&'static str, String)> {
        let sum = |outcome: usize| self.outcomes.iter().map(|point| point.counts[outcome]).sum::<u64>();
        let all: u64 = (0..OutcomePoint::NAMES.len()).map(sum).sum();
        let share = |outcome| {
            if all == 0 {
                UNKNOWN.to_owned()
            } else {
                Unit::Ratio.show(Some(sum(outcome) as f64 / all as f64))
            }
        };
        OutcomePoint::NAMES.into_iter().enumerate().map(|(outcome, name)| (name, share(outcome))).collect()
    }
}

/// How the recognitions of one bucket ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomePoint {
    /// Begin of the bucket, ms since 1970-01-01 UTC.
    pub at_unix_ms: u64,
    /// Utterances by outcome, in the order of [`OutcomePoint::NAMES`].
    pub counts: [u64; 6],
}

impl OutcomePoint {
    /// The outcomes of [`telemetry::Outcome`](earwitness_telemetry::Outcome), without the unknown one.
    pub const NAMES: [&'static str; 6] = ["transcript", "no speech", "empty", "timeout", "error", "dropped"];
}
