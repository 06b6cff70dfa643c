//! What the pipeline tells its caller, as it happens.

use std::sync::Arc;

use serde::Serialize;

use super::input::UtteranceInput;
use super::route::{Reason, Route};
use super::router::Routed;
use super::shadow_report::{ShadowComparison, ShadowFailure, ShadowTotals};
use super::timings::StageTimings;
use crate::asr::{EngineId, Outcome, Segment};
use crate::audio::{LevelWarning, SourceFaults};
use crate::uplink::spool::kept_unix_ms;
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
    /// Where it was answered.
    pub route: Route,
    /// Why there.
    pub reason: Reason,
    /// See [`crate::asr::Transcript::confidence`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// What the cloud asked for it, in the currency of `cost_per_minute`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Its name in the spool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The cloud will be asked another time; its answer comes as [`Event::Upgraded`].
    pub upgrade_pending: bool,
    /// Decoding attempts beyond the first.
    pub fallbacks: u32,
    /// See [`crate::asr::Transcript::full_windows`].
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
    /// How it came in, with [`PipelineOptions::keep_input`](super::PipelineOptions::keep_input).
    #[serde(skip)]
    pub input: Option<Arc<UtteranceInput>>,
}

impl UtteranceResult {
    pub(super) fn new(utterance: &Utterance, routed: Routed, id: Option<String>) -> Self {
        let mut transcript = routed.transcript;
        transcript.shift(utterance.start.seconds());
        Self {
            utterance: utterance.index,
            start: utterance.start.seconds(),
            end: utterance.end().seconds(),
            speech_end: utterance.speech_end.seconds(),
            end_reason: utterance.end_reason,
            outcome: transcript.outcome,
            confidence: transcript.confidence(),
            text: transcript.text,
            language: transcript.language,
            segments: transcript.segments,
            engine: routed.engine,
            route: routed.route,
            reason: routed.reason,
            cost: routed.cost,
            upgrade_pending: routed.wants_cloud && id.is_some(),
            id,
            fallbacks: transcript.fallbacks,
            full_windows: transcript.full_windows,
            mean_speech_probability: utterance.mean_speech_probability,
            latency_ms: None,
            after_endpoint_ms: None,
            speculative: false,
            timings: routed.timings,
            input: None,
        }
    }
}

/// The answer to an utterance that waited in the spool.
#[derive(Clone, Serialize)]
pub struct KeptResult {
    /// Its name in the spool.
    pub id: String,
    /// When it was kept, ms since 1970-01-01 UTC by this device's clock.
    pub kept_unix_ms: u64,
    /// How the recognition ended.
    pub outcome: Outcome,
    /// The text.
    pub text: String,
    /// The text that this replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_text: Option<String>,
    /// Language code.
    pub language: Option<String>,
    /// The text in timed pieces, seconds since the utterance began.
    pub segments: Vec<Segment>,
    /// What answered.
    pub engine: EngineId,
    /// Where it was answered.
    pub route: Route,
    /// Why there.
    pub reason: Reason,
    /// See [`crate::asr::Transcript::confidence`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// What the cloud asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// The cloud will be asked another time.
    pub upgrade_pending: bool,
    /// Decoding attempts beyond the first.
    pub fallbacks: u32,
    /// Where the time went.
    pub timings: StageTimings,
    /// The audio, with [`PipelineOptions::keep_input`](super::PipelineOptions::keep_input).
    #[serde(skip)]
    pub input: Option<Arc<UtteranceInput>>,
}

impl KeptResult {
    pub(super) fn new(id: &str, routed: Routed, previous_text: Option<String>) -> Self {
        let transcript = routed.transcript;
        Self {
            id: id.to_owned(),
            kept_unix_ms: kept_unix_ms(id),
            outcome: transcript.outcome,
            confidence: transcript.confidence(),
            text: transcript.text,
            previous_text,
            language: transcript.language,
            segments: transcript.segments,
            engine: routed.engine,
            route: routed.route,
            reason: routed.reason,
            cost: routed.cost,
            upgrade_pending: routed.wants_cloud,
            fallbacks: transcript.fallbacks,
            timings: routed.timings,
            input: None,
        }
    }
}

/// What was tried on an utterance that has no transcript, and how it came in.
#[derive(Clone, Debug)]
pub struct FailedAttempt {
    /// What was asked last.
    pub engine: Option<EngineId>,
    /// Where.
    pub route: Route,
    /// Why there.
    pub reason: Reason,
    /// It was given up at its deadline.
    pub timed_out: bool,
    /// Between the endpointer's decision and the recognizer's start, ms.
    pub queue_ms: f64,
    /// From the recognizer's start to the failure, ms.
    pub recognize_ms: f64,
    /// How it came in.
    pub input: Arc<UtteranceInput>,
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
    SpeechEnded {
        utterance: u64,
        start: f64,
        end: f64,
        end_reason: EndReason,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// `seconds` of audio are about to be sent to `host`. The utterance has an index in this run, or an id in the
    /// spool if it waited there.
    Hop {
        #[serde(skip_serializing_if = "Option::is_none")]
        utterance: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        host: String,
        seconds: f64,
        cost: f64,
    },
    /// The final answer.
    Final(Box<UtteranceResult>),
    /// The recognizer failed on an utterance; the audio was sound.
    Failed {
        utterance: u64,
        start: f64,
        end: f64,
        error: String,
        #[serde(skip)]
        attempt: Option<Box<FailedAttempt>>,
    },
    /// The recognizer is so far behind that an utterance was not recognized.
    Dropped {
        utterance: u64,
        start: f64,
        end: f64,
        #[serde(skip)]
        input: Option<Arc<UtteranceInput>>,
    },
    /// There is no answer now, and there will be one: the utterance waits in the spool.
    Deferred {
        utterance: u64,
        start: f64,
        end: f64,
        id: String,
        error: String,
        #[serde(skip)]
        input: Option<Arc<UtteranceInput>>,
    },
    /// An utterance of an earlier run, or one that was deferred, has its first answer.
    Recovered(Box<KeptResult>),
    /// The cloud's later answer replaces an earlier one.
    Upgraded(Box<KeptResult>),
    /// An utterance that waited cannot be transcribed.
    Rejected { id: String, error: String },
    /// An utterance or its record could not be written to the spool.
    NotKept { error: String },
    /// What the shadow made of an utterance.
    Shadow(Box<ShadowComparison>),
    /// The shadow failed on an utterance that the primary answered.
    ShadowFailed(Box<ShadowFailure>),
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
    /// Requests that left this device.
    pub hops: u64,
    /// What they cost.
    pub cost: f64,
    /// Utterances that wait in the spool for an answer.
    pub deferred: u64,
    /// Earlier utterances that were answered now.
    pub recovered: u64,
    /// Earlier answers that the cloud replaced.
    pub upgraded: u64,
    /// Utterances that could not be kept although they should.
    pub not_kept: u64,
    /// What the shadow did, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowTotals>,
    /// Speech handed to the recognizer, s.
    pub speech_s: f64,
    /// Sum over utterances.
    pub timings: StageTimings,
    /// Detection of speech over the whole stream, ms.
    pub vad_ms: f64,
    /// Faults of the source that were survived.
    pub faults: SourceFaults,
}
