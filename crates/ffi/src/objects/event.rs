//! What a session tells.

use earwitness::asr;
use earwitness::audio::{self, SAMPLE_RATE};
use earwitness::pipeline::{Event, RunSummary};
use earwitness::runtime;

use super::error::FailureKind;

/// A timed piece of a text.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct Segment {
    /// Where it begins, s since the session began.
    pub start_s: f64,
    /// Where it ends.
    pub end_s: f64,
    /// What was said there.
    pub text: String,
}

impl From<&asr::Segment> for Segment {
    fn from(segment: &asr::Segment) -> Self {
        Self { start_s: segment.start, end_s: segment.end, text: segment.text.clone() }
    }
}

/// What came of a session.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct Summary {
    /// Audio heard, s.
    pub audio_s: f64,
    /// Utterances found.
    pub utterances: u64,
    /// Of these, the ones on which the recognizer failed.
    pub failed: u64,
    /// Of these, the ones that nobody had time for, or that were given up.
    pub dropped: u64,
    /// Of these, the ones that wait on disk for another session.
    pub deferred: u64,
    /// Samples at 16 kHz that were lost because the recognizer was too far behind.
    pub lost_samples: u64,
    /// It was given up before its end.
    pub cancelled: bool,
}

impl Summary {
    pub(super) fn of(summary: &RunSummary, cancelled: bool) -> Self {
        Self {
            audio_s: summary.audio_s,
            utterances: summary.utterances,
            failed: summary.failed,
            dropped: summary.dropped,
            deferred: summary.deferred,
            lost_samples: summary.faults.lost_samples,
            cancelled,
        }
    }
}

/// Something about the input that hurts recognition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum LevelWarning {
    /// Samples of exactly 0: muted, unplugged, or taken by another app.
    DigitalSilence,
    /// Nearly nothing can be heard.
    VeryQuiet,
    /// It is too loud: turn the gain down.
    Clipping,
}

impl From<audio::LevelWarning> for LevelWarning {
    fn from(warning: audio::LevelWarning) -> Self {
        match warning {
            audio::LevelWarning::DigitalSilence => Self::DigitalSilence,
            audio::LevelWarning::VeryQuiet => Self::VeryQuiet,
            audio::LevelWarning::Clipping => Self::Clipping,
        }
    }
}

/// What a session tells. Times are seconds since it began; `json` is the whole event, as the command line's
/// `listen -f jsonl` has it.
#[derive(Clone, Debug, uniffi::Enum)]
#[allow(missing_docs, reason = "the fields are described by their variant")]
pub enum SessionEvent {
    /// What people must know, such as what leaves this device.
    Notice { text: String },
    /// Somebody began to speak.
    SpeechStarted { at_s: f64 },
    /// What an unfinished utterance sounds like so far. `committed` begins `text` and will not change any more.
    Partial { utterance: u64, text: String, committed: String },
    /// Somebody stopped.
    SpeechEnded { utterance: u64, start_s: f64, end_s: f64 },
    /// The answer. `confidence` is in [0, 1]; `latency_ms` counts from the end of speech, in live sessions.
    Final {
        utterance: u64,
        start_s: f64,
        end_s: f64,
        text: String,
        language: Option<String>,
        confidence: Option<f32>,
        latency_ms: Option<f64>,
        segments: Vec<Segment>,
        json: String,
    },
    /// The recognizer failed on an utterance.
    Failed { utterance: u64, start_s: f64, end_s: f64, reason: String },
    /// An utterance has no answer: nobody had time for it, or the session was cancelled.
    Dropped { utterance: u64, start_s: f64, end_s: f64 },
    /// An utterance has no answer now and will have one: it waits on disk.
    Deferred { utterance: u64, start_s: f64, end_s: f64, reason: String },
    /// An utterance of an earlier session has its answer.
    Recovered { id: String, text: String, language: Option<String>, confidence: Option<f32>, json: String },
    /// Audio is about to be sent to `host`.
    Hop { utterance: Option<u64>, host: String, audio_s: f64 },
    /// Audio was lost here.
    Gap { at_s: f64, lost_s: f64 },
    /// Something is wrong with the input's level.
    Level { at_s: f64, warning: LevelWarning },
    /// Anything else.
    Other { json: String },
    /// The last. Without an error there is a summary.
    Ended { error: Option<String>, kind: Option<FailureKind>, summary: Option<Summary> },
}

impl From<&runtime::SessionEvent> for SessionEvent {
    fn from(told: &runtime::SessionEvent) -> Self {
        match told {
            runtime::SessionEvent::Notice(text) => Self::Notice { text: text.clone() },
            runtime::SessionEvent::Ended { end: Ok(summary), cancelled } => {
                Self::Ended { error: None, kind: None, summary: Some(Summary::of(summary, *cancelled)) }
            }
            runtime::SessionEvent::Ended { end: Err(error), .. } => {
                Self::Ended { error: Some(error.to_string()), kind: Some(error.kind().into()), summary: None }
            }
            runtime::SessionEvent::Pipeline(event) => Self::of_pipeline(event, told),
        }
    }
}

impl SessionEvent {
    fn of_pipeline(event: &Event, told: &runtime::SessionEvent) -> Self {
        let json = || told.to_json().to_string();
        match event {
            Event::SpeechStarted { at } => Self::SpeechStarted { at_s: *at },
            Event::Partial { utterance, text, committed } => {
                Self::Partial { utterance: *utterance, text: text.clone(), committed: committed.clone() }
            }
            Event::SpeechEnded { utterance, start, end, .. } => {
                Self::SpeechEnded { utterance: *utterance, start_s: *start, end_s: *end }
            }
            Event::Final(result) => Self::Final {
                utterance: result.utterance,
                start_s: result.start,
                end_s: result.end,
                text: result.text.clone(),
                language: result.language.clone(),
                confidence: result.confidence,
                latency_ms: result.latency_ms,
                segments: result.segments.iter().map(Segment::from).collect(),
                json: json(),
            },
            Event::Failed { utterance, start, end, error, .. } => {
                Self::Failed { utterance: *utterance, start_s: *start, end_s: *end, reason: error.clone() }
            }
            Event::Dropped { utterance, start, end, .. } => {
                Self::Dropped { utterance: *utterance, start_s: *start, end_s: *end }
            }
            Event::Deferred { utterance, start, end, error, .. } => {
                Self::Deferred { utterance: *utterance, start_s: *start, end_s: *end, reason: error.clone() }
            }
            Event::Recovered(kept) => Self::Recovered {
                id: kept.id.clone(),
                text: kept.text.clone(),
                language: kept.language.clone(),
                confidence: kept.confidence,
                json: json(),
            },
            Event::Hop { utterance, host, seconds, .. } => {
                Self::Hop { utterance: *utterance, host: host.clone(), audio_s: *seconds }
            }
            Event::Gap { at, lost_samples } => {
                Self::Gap { at_s: *at, lost_s: *lost_samples as f64 / f64::from(SAMPLE_RATE.hz()) }
            }
            Event::Level { at, warning } => Self::Level { at_s: *at, warning: (*warning).into() },
            _ => Self::Other { json: json() },
        }
    }
}
