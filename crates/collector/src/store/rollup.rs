//! Figures of many utterances: counts and sketches that add up over minutes, hours, days, devices.

use std::collections::BTreeMap;

use earwitness_telemetry::{FeedbackKind, HealthRecord, Outcome, UtteranceRecord};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::sketch::LatencySketch;

/// Lengths of roll-ups, ms: a minute (kept for some hours), an hour, a day.
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 86_400_000;

/// A figure of which percentiles are kept. Never reorder: the place is what is stored.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// As in the records.
    pub name: &'static str,
    /// Its unit; empty for plain numbers.
    pub unit: &'static str,
    read: fn(&UtteranceRecord) -> Option<f64>,
}

macro_rules! metrics {
    ($($name:literal, $unit:literal, $read:expr;)*) => {
        &[$(Metric { name: $name, unit: $unit, read: $read }),*]
    };
}

/// All of them.
pub const METRICS: &[Metric] = metrics! {
    "end_of_speech_to_final_ms", "ms", |r| r.software.end_of_speech_to_final_ms;
    "recognize_ms", "ms", |r| Some(r.software.recognize_ms);
    "queue_ms", "ms", |r| Some(r.software.queue_ms);
    "log_mel_ms", "ms", |r| Some(r.software.log_mel_ms);
    "encode_ms", "ms", |r| Some(r.software.encode_ms);
    "decode_ms", "ms", |r| Some(r.software.decode_ms);
    "cloud_ms", "ms", |r| Some(r.software.cloud_ms).filter(|ms| *ms > 0.0);
    "real_time_factor", "", |r| Some(r.software.real_time_factor);
    "rss_bytes", "bytes", |r| r.software.rss_bytes.map(|bytes| bytes as f64);
    "cpu_share", "cores", |r| r.software.cpu_share;
    "temperature_celsius", "°C", |r| r.software.temperature_celsius;
    "duration_ms", "ms", |r| Some(r.input.duration_ms);
    "speech_ms", "ms", |r| r.input.speech_ms;
    "rms_dbfs", "dBFS", |r| Some(r.input.rms_dbfs);
    "peak_dbfs", "dBFS", |r| Some(r.input.peak_dbfs);
    "loudness_lufs", "LUFS", |r| r.input.loudness_lufs;
    "snr_db", "dB", |r| r.input.snr_db;
    "clipping_ratio", "", |r| Some(r.input.clipping_ratio);
    "bandwidth_hz", "Hz", |r| r.input.bandwidth_hz;
    "mean_speech_probability", "", |r| Some(r.input.mean_speech_probability);
    "words", "words", |r| Some(r.output.words as f64);
    "avg_logprob", "", |r| r.output.avg_logprob;
    "no_speech_prob", "", |r| r.output.no_speech_prob;
    "compression_ratio", "", |r| r.output.compression_ratio;
    "journal_records", "records", |_| None;
};

type OfHealth = fn(&HealthRecord) -> Option<f64>;

/// What heartbeats add to.
const OF_HEALTH: [(&str, OfHealth); 4] = [
    ("rss_bytes", |r| r.rss_bytes.map(|bytes| bytes as f64)),
    ("cpu_share", |r| r.cpu_share),
    ("temperature_celsius", |r| r.temperature_celsius),
    ("journal_records", |r| Some(r.journal_records as f64)),
];

fn place_of(metric: &str) -> Option<u8> {
    u8::try_from(METRICS.iter().position(|known| known.name == metric)?).ok()
}

/// The outcomes in the order of their counts. Never reorder.
pub const OUTCOMES: [Outcome; 7] = [
    Outcome::Transcript,
    Outcome::NoSpeech,
    Outcome::Empty,
    Outcome::Timeout,
    Outcome::Error,
    Outcome::Dropped,
    Outcome::Unknown,
];

/// The acts of users in the order of their counts. Never reorder.
pub const FEEDBACK: [FeedbackKind; 7] = [
    FeedbackKind::Accepted,
    FeedbackKind::Edited,
    FeedbackKind::Redo,
    FeedbackKind::SwitchedInput,
    FeedbackKind::ResultClicked,
    FeedbackKind::Abandoned,
    FeedbackKind::Unknown,
];

/// Counts and distributions of one roll-up, or of many together.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Utterances by [`OUTCOMES`].
    pub outcomes: [u64; 7],
    /// Acts of users by [`FEEDBACK`].
    pub feedback: [u64; 7],
    /// Utterances that were decoded more than once.
    pub fallbacks: u64,
    /// Utterances answered by a cloud.
    pub cloud: u64,
    /// What clouds asked.
    pub cost: f64,
    /// Samples that sources lost.
    pub dropped_samples: u64,
    /// Samples that were no number.
    pub missing_samples: u64,
    /// Times a capture buffer ran over.
    pub overruns: u64,
    /// Utterances with more than 0.1 % of samples at full scale: audible.
    pub clipped: u64,
    /// By place in [`METRICS`].
    sketches: BTreeMap<u8, LatencySketch>,
}

/// How they are stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    outcomes: [u64; 7],
    feedback: [u64; 7],
    counts: [u64; 6],
    cost: f64,
    sketches: Vec<(u8, Vec<u8>)>,
}

const VERSION: u8 = 1;

impl Figures {
    /// Adds one utterance. Of an answer that came later, only what it cost: the utterance was counted with its first one.
    pub fn add(&mut self, record: &UtteranceRecord) {
        self.cost += record.cost.filter(|cost| cost.is_finite()).unwrap_or(0.0);
        if record.replaces_earlier {
            return;
        }
        let outcome = OUTCOMES.iter().position(|outcome| *outcome == record.output.outcome).unwrap_or(6);
        self.outcomes[outcome] += 1;
        self.fallbacks += u64::from(record.output.fallbacks > 0);
        self.cloud += u64::from(record.route == "cloud");
        self.dropped_samples = self.dropped_samples.saturating_add(record.input.dropped_samples);
        self.missing_samples = self.missing_samples.saturating_add(record.input.missing_samples);
        self.overruns = self.overruns.saturating_add(record.input.overruns);
        self.clipped += u64::from(record.input.clipping_ratio > 0.001);
        for (place, metric) in (0..).zip(METRICS) {
            if let Some(value) = (metric.read)(record).filter(|value| value.is_finite()) {
                self.sketches.entry(place).or_default().add(value);
            }
        }
    }

    /// Adds an act of a user.
    pub fn add_feedback(&mut self, kind: FeedbackKind) {
        self.feedback[FEEDBACK.iter().position(|known| *known == kind).unwrap_or(6)] += 1;
    }

    /// Adds a heartbeat.
    pub fn add_health(&mut self, record: &HealthRecord) {
        for (metric, read) in OF_HEALTH {
            if let (Some(place), Some(value)) =
                (place_of(metric), read(record).filter(|value| value.is_finite()))
            {
                self.sketches.entry(place).or_default().add(value);
            }
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (sum, count) in self.outcomes.iter_mut().zip(other.outcomes) {
            *sum += count;
        }
        for (sum, count) in self.feedback.iter_mut().zip(other.feedback) {
            *sum += count;
        }
        self.fallbacks += other.fallbacks;
        self.cloud += other.cloud;
        self.cost += other.cost;
        self.dropped_samples = self.dropped_samples.saturating_add(other.dropped_samples);
        self.missing_samples = self.missing_samples.saturating_add(other.missing_samples);
        self.overruns = self.overruns.saturating_add(other.overruns);
        self.clipped += other.clipped;
        for (place, sketch) in &other.sketches {
            self.sketches.entry(*place).or_default().merge(sketch);
        }
    }

    /// All utterances.
    pub fn utterances(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Of these failed, timed out or dropped.
    pub fn failures(&self) -> u64 {
        self.outcomes[3] + self.outcomes[4] + self.outcomes[5]
    }

    /// The distribution of a metric by name; `None` where there is nothing.
    pub fn sketch(&self, metric: &str) -> Option<&LatencySketch> {
        self.sketches.get(&place_of(metric)?)
    }

    /// A quantile of a metric, `q` in `[0, 1]`, within 1 %.
    pub fn quantile(&self, metric: &str, q: f64) -> Option<f64> {
        self.sketch(metric)?.quantile(q)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        let stored = Stored {
            outcomes: self.outcomes,
            feedback: self.feedback,
            counts: [
                self.fallbacks,
                self.cloud,
                self.dropped_samples,
                self.missing_samples,
                self.overruns,
                self.clipped,
            ],
            cost: self.cost,
            sketches: self.sketches.iter().map(|(place, sketch)| (*place, sketch.to_bytes())).collect(),
        };
        postcard::to_extend(&stored, vec![VERSION]).map_err(|e| StoreError::Damaged(e.to_string()))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = |why: String| StoreError::Damaged(format!("a roll-up: {why}"));
        let Some((&VERSION, rest)) = bytes.split_first() else {
            return Err(damaged("its version is not known here".to_owned()));
        };
        let stored: Stored = postcard::from_bytes(rest).map_err(|e| damaged(e.to_string()))?;
        let mut sketches = BTreeMap::new();
        for (place, bytes) in stored.sketches {
            sketches.insert(place, LatencySketch::from_bytes(&bytes).map_err(|e| damaged(e.to_string()))?);
        }
        let [fallbacks, cloud, dropped_samples, missing_samples, overruns, clipped] = stored.counts;
        Ok(Self {
            outcomes: stored.outcomes,
            feedback: stored.feedback,
            fallbacks,
            cloud,
            cost: stored.cost,
            dropped_samples,
            missing_samples,
            overruns,
            clipped,
            sketches,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utterance(recognize_ms: f64, outcome: Outcome) -> UtteranceRecord {
        let mut record = UtteranceRecord::default();
        record.software.recognize_ms = recognize_ms;
        record.output.outcome = outcome;
        record.input.rms_dbfs = -30.0;
        record
    }

    #[test]
    fn parts_add_up_to_the_whole_through_storage() {
        let (mut whole, mut parts) = (Figures::default(), [Figures::default(), Figures::default()]);
        for i in 0..200 {
            let record =
                utterance(f64::from(i), if i % 5 == 0 { Outcome::Empty } else { Outcome::Transcript });
            whole.add(&record);
            parts[i as usize % 2].add(&record);
        }
        let mut sum = Figures::default();
        for part in &parts {
            sum.merge(&Figures::from_bytes(&part.to_bytes().unwrap()).unwrap());
        }
        assert_eq!(sum.to_bytes().unwrap(), whole.to_bytes().unwrap());
        assert_eq!((sum.utterances(), sum.outcomes[2]), (200, 40));
        let median = sum.quantile("recognize_ms", 0.5).unwrap();
        assert!((median - 99.5).abs() < 2.0, "{median}");
        let level = sum.quantile("rms_dbfs", 0.5).unwrap();
        assert!((level + 30.0).abs() < 0.5, "{level}");
        assert!(sum.quantile("cpu_share", 0.5).is_none() && sum.sketch("no such metric").is_none());
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        let mut figures = Figures::default();
        figures.add(&utterance(5.0, Outcome::Transcript));
        let bytes = figures.to_bytes().unwrap();
        for cut in 0..bytes.len() {
            assert!(Figures::from_bytes(&bytes[..cut]).is_err(), "cut to {cut}");
        }
    }

    #[test]
    fn a_later_answer_adds_its_cost_and_no_utterance() {
        let mut figures = Figures::default();
        figures.add(&utterance(5.0, Outcome::Transcript));
        let later = UtteranceRecord {
            replaces_earlier: true,
            route: "cloud".to_owned(),
            cost: Some(0.25),
            ..utterance(900.0, Outcome::Transcript)
        };
        figures.add(&later);
        assert_eq!((figures.utterances(), figures.cloud), (1, 0));
        assert!((figures.cost - 0.25).abs() < 1e-12);
        assert!(figures.quantile("recognize_ms", 1.0).unwrap() < 6.0);
    }

    #[test]
    fn numbers_that_are_none_are_left_out() {
        let mut figures = Figures::default();
        figures.add(&utterance(f64::NAN, Outcome::Transcript));
        figures.add(&utterance(f64::INFINITY, Outcome::Transcript));
        assert!(figures.quantile("recognize_ms", 0.5).is_none());
        assert_eq!(figures.utterances(), 2);
    }
}
