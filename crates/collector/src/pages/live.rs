//! Figures over time: what devices hear, what comes out, what it takes.

use super::{FilterBar, MetricSeries, Shell};

/// `/live`: figures of utterances over a time range.
#[derive(Clone, Debug)]
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
