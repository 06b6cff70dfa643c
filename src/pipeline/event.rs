//! What the pipeline tells its caller, as it happens.

use serde::Serialize;

use super::timings::StageTimings;
use crate::asr::{EngineId, Outcome, Segment, Transcript};
use crate::audio::{LevelWarning, SourceFaults};
use crate::utterance::{EndReason, Utterance};

/// The final answer for one utterance. Times are seconds since the stream began.
#[derive(Clone, Serialize)]
pub struct UtteranceResult {
    /// Counts utterances of one stream from 0.
    pub utterance: u64,
    /// First sample, pre-roll included.
    pub start: f64,
    /// Last sample, post-pad included.
    pub end: f64,
    /// Where speech ended.
    pub speech_end: f64,
    /// Why the utterance ended.
    pub end_reason: EndReason,
    /// How the recognition ended.
    pub outcome: Outcome,
    /// The text.
    pub text: String,
    /// Language code.
    pub language: Option<String>,
    /// The text in timed pieces.
    pub segments: Vec<Segment>,
    /// What answered.
    pub engine: EngineId,
    /// Decoding attempts beyond the first.
    pub fallbacks: u32,
    /// See [`Transcript::full_windows`].
    pub full_windows: u32,
    /// Mean speech probability, in [0, 1].
    pub mean_speech_probability: f32,
    /// From the end of speech to this answer, ms, waiting for the pause included. Live sources only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// From the endpointer's decision to this answer, ms. Live sources only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_endpoint_ms: Option<f64>,
    /// It was recognized while the endpointer still waited for the pause to last.
    pub speculative: bool,
    /// Where the time went.
    pub timings: StageTimings,
}

impl UtteranceResult {
    pub(super) fn new(
        utterance: &Utterance,
        mut transcript: Transcript,
        engine: &EngineId,
        timings: StageTimings,
    ) -> Self {
        transcript.shift(utterance.start.seconds());
        Self {
            utterance: utterance.index,
            start: utterance.start.seconds(),
            end: utterance.end().seconds(),
            speech_end: utterance.speech_end.seconds(),
            end_reason: utterance.end_reason,
            outcome: transcript.outcome,
            text: transcript.text,
            language: transcript.language,
            segments: transcript.segments,
            engine: engine.clone(),
            fallbacks: transcript.fallbacks,
            full_windows: transcript.full_windows,
            mean_speech_probability: utterance.mean_speech_probability,
            latency_ms: None,
            after_endpoint_ms: None,
            speculative: false,
            timings,
        }
    }
}

/// One event, in JSON an object with its name in `event`. Times are seconds since the stream began.
#[derive(Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are described by their event")]
pub enum Event {
    /// Somebody began to speak (pre-roll included).
    SpeechStarted { at: f64 },
    /// What an unfinished utterance sounds like so far. `committed` begins `text`, and all later partials
    /// of the utterance; the rest may change. The final answer is heard afresh and may differ.
    Partial { utterance: u64, text: String, committed: String },
    /// Somebody stopped; the text follows.
    SpeechEnded { utterance: u64, start: f64, end: f64, end_reason: EndReason },
    /// The final answer.
    Final(Box<UtteranceResult>),
    /// The recognizer failed on an utterance; the audio was sound.
    Failed { utterance: u64, start: f64, end: f64, error: String },
    /// The recognizer is so far behind that an utterance was not recognized.
    Dropped { utterance: u64, start: f64, end: f64 },
    /// Samples at 16 kHz that the source lost here.
    Gap { at: f64, lost_samples: u64 },
    /// Something is wrong with the input's level.
    Level { at: f64, warning: LevelWarning },
}

/// Totals of one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunSummary {
    /// Audio heard, s.
    pub audio_s: f64,
    /// Utterances found.
    pub utterances: u64,
    /// Utterances not recognized because the recognizer was behind.
    pub dropped: u64,
    /// Utterances on which the recognizer failed.
    pub failed: u64,
    /// Utterances recognized before their end was sure.
    pub speculations: u64,
    /// Of these, the ones that were the answer.
    pub speculations_used: u64,
    /// Speech handed to the recognizer, s.
    pub speech_s: f64,
    /// Sum over utterances.
    pub timings: StageTimings,
    /// Detection of speech over the whole stream, ms.
    pub vad_ms: f64,
    /// Faults of the source that were survived.
    pub faults: SourceFaults,
}
