//! One device: what it is, how it was, what it sent and what it lost.

use askama::Template;

use super::figure::{UNKNOWN, Unit, digits};
use super::plot::{self, Span};
use super::{DeviceRow, DeviceStatus, DisagreementRow, FilterBar, MetricSeries, Shell, diff, show};

/// `/devices/{device_id}`: one device.
///
/// Administrators get forms by POST to `/devices/{device_id}/revoke` and `/devices/{device_id}/erase`, each with `csrf`;
/// answer them with a [`ConfirmPage`](super::ConfirmPage).
#[derive(Clone, Debug, Template)]
#[template(path = "device.html")]
pub struct DevicePage {
    /// The frame.
    pub shell: Shell,
    /// The device as in the table of all.
    pub device: DeviceRow,
    /// When it was enrolled, ms since 1970-01-01 UTC.
    pub enrolled_unix_ms: Option<u64>,
    /// The first record, by the device's clock.
    pub first_record_unix_ms: Option<u64>,
    /// Processors.
    pub cores: Option<u32>,
    /// The device's clock less the server's at the last batch, ms.
    pub clock_offset_ms: Option<i64>,
    /// Free space where its journal is, bytes.
    pub disk_free_bytes: Option<u64>,
    /// What it consented to: `text`, `audio`, `speaker`.
    pub consents: Vec<String>,
    /// When it consented, ms since 1970-01-01 UTC.
    pub consent_granted_unix_ms: Option<u64>,
    /// Only the range; action is this page.
    pub filters: FilterBar,
    /// Begin of the range, ms since 1970-01-01 UTC.
    pub from_unix_ms: u64,
    /// Its end.
    pub to_unix_ms: u64,
    /// Width of a bucket, ms.
    pub step_ms: u64,
    /// [`Metric::DEVICE`](super::Metric::DEVICE), or those of it that there are.
    pub metrics: Vec<MetricSeries>,
    /// Its journals.
    pub streams: Vec<StreamRow>,
    /// What it lost, the newest first.
    pub losses: Vec<LostRow>,
    /// Its latest utterances, the newest first.
    pub utterances: Vec<UtteranceRow>,
    /// Its latest disagreements, the newest first.
    pub disagreements: Vec<DisagreementRow>,
    /// Runs of the program, the newest first.
    pub sessions: Vec<SessionRow>,
}

impl DevicePage {
    pub(crate) fn span(&self) -> Span {
        Span { from_unix_ms: self.from_unix_ms, to_unix_ms: self.to_unix_ms, step_ms: self.step_ms }
    }

    /// How far the device's clock is off, in words.
    pub(crate) fn clock(&self) -> String {
        let Some(offset_ms) = self.clock_offset_ms else { return UNKNOWN.to_owned() };
        let seconds = offset_ms.unsigned_abs() as f64 / 1000.0;
        match offset_ms {
            -999..=999 => "within 1 s".to_owned(),
            ..=-1000 => format!("{} s behind", digits(seconds)),
            _ => format!("{} s ahead", digits(seconds)),
        }
    }
}

/// A journal of a device.
#[derive(Clone, Debug)]
pub struct StreamRow {
    /// Its random name.
    pub stream_id: String,
    /// Its first batch, ms since 1970-01-01 UTC.
    pub first_seen_unix_ms: u64,
    /// Its last batch.
    pub last_seen_unix_ms: u64,
    /// Everything up to here is stored or known to be lost.
    pub high_water: u64,
    /// Records stored.
    pub stored: u64,
    /// Records that the server could not read and keeps as they came.
    pub unreadable: u64,
    /// Records that will never come.
    pub lost: u64,
}

/// A gap that a device reported.
#[derive(Clone, Debug)]
pub struct LostRow {
    /// In which journal.
    pub stream_id: String,
    /// First record lost.
    pub first_sequence: u64,
    /// Last record lost.
    pub last_sequence: u64,
    /// Why: `size cap`, `age cap`, `disk full`, `corrupt`, `unknown`.
    pub reason: String,
    /// When it was reported, ms since 1970-01-01 UTC.
    pub reported_unix_ms: u64,
}

impl LostRow {
    /// Records lost.
    pub fn records(&self) -> u64 {
        self.last_sequence.saturating_sub(self.first_sequence).saturating_add(1)
    }
}

/// Figures of one utterance.
#[derive(Clone, Debug)]
pub struct UtteranceRow {
    /// Names it.
    pub utterance_id: String,
    /// When, by the device's clock, ms since 1970-01-01 UTC.
    pub recorded_unix_ms: u64,
    /// How it ended: `transcript`.
    pub outcome: String,
    /// Where it was recognized, and why: `local`, `cloud (low confidence)`.
    pub route: String,
    /// Duration, ms.
    pub duration_ms: f64,
    /// Words.
    pub words: u64,
    /// End of speech to the answer, ms.
    pub end_of_speech_to_final_ms: Option<f64>,
    /// Time of recognition over duration.
    pub real_time_factor: f64,
    /// Level, dBFS.
    pub rms_dbfs: f64,
    /// Signal to noise, dB.
    pub snr_db: Option<f64>,
    /// Mean log-probability of its tokens.
    pub avg_logprob: Option<f64>,
    /// The text, where there is consent to it.
    pub text: Option<String>,
    /// Where the recording is.
    pub clip_href: Option<String>,
}

impl UtteranceRow {
    /// It ended in a way that wants a look.
    pub(crate) fn failed(&self) -> bool {
        ["error", "timeout", "dropped"].contains(&self.outcome.as_str())
    }

    pub(crate) fn real_time(&self) -> String {
        Unit::Times.show(Some(self.real_time_factor))
    }

    pub(crate) fn level(&self) -> String {
        Unit::Dbfs.show(Some(self.rms_dbfs))
    }
}

/// A run of the program.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Its random name.
    pub session_id: String,
    /// When it began, ms since 1970-01-01 UTC; `None` where that record was lost.
    pub began_unix_ms: Option<u64>,
    /// When it ended; `None` while it runs, or when it was cut off.
    pub ended_unix_ms: Option<u64>,
    /// A later run began without an end of this one: it was killed or lost power.
    pub cut_off: bool,
    /// The program's version.
    pub app_version: String,
    /// The engine that answers.
    pub engine: String,
    /// The engine that listens along.
    pub shadow_engine: Option<String>,
    /// Utterances found.
    pub utterances: u64,
}
