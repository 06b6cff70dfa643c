//! What the shadow's thread tells of an utterance.

use serde::Serialize;

use super::route::Route;
use crate::asr::{EngineId, Outcome};
use crate::scoring::Disagreement;

/// What the two made of one utterance.
#[derive(Clone, Serialize)]
pub struct ShadowComparison {
    /// Which utterance.
    pub utterance: u64,
    /// The shadow's engine.
    pub engine: EngineId,
    /// Where the shadow answered.
    pub route: Route,
    /// Word edits between the two normalized texts, the primary's in the place of the reference.
    #[serde(flatten)]
    pub disagreement: Disagreement,
    /// How the primary ended.
    pub primary_outcome: Outcome,
    /// How the shadow ended.
    pub shadow_outcome: Outcome,
    /// The primary's confidence.
    pub primary_confidence: Option<f32>,
    /// The shadow's confidence. Figures of different engines are not comparable.
    pub shadow_confidence: Option<f32>,
    /// Time of the primary's recognition, ms.
    pub primary_ms: f64,
    /// Time of the shadow's, ms, pauses included.
    pub shadow_ms: f64,
    /// From the primary's answer to the shadow's, ms.
    pub lag_ms: f64,
    /// What the shadow's answer cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// The primary's text, with consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_text: Option<String>,
    /// The shadow's text, with consent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_text: Option<String>,
    /// For who keeps records.
    #[serde(skip)]
    pub subject: ShadowSubject,
}

/// Which utterance the shadow heard, how it was chosen, and what the primary made of it.
#[derive(Clone)]
pub struct ShadowSubject {
    /// What answered the user.
    pub primary_engine: EngineId,
    /// How.
    pub primary_outcome: Outcome,
    /// What that cost.
    pub primary_cost: Option<f64>,
    /// What that took, ms.
    pub primary_ms: f64,
    /// The probability with which it was chosen, in ]0, 1].
    pub sample_ratio: f64,
    /// Its length, ms.
    pub duration_ms: f64,
    /// See [`Detection::snr_db`](crate::utterance::Detection::snr_db).
    pub snr_db: Option<f64>,
    /// Language code.
    pub language: Option<String>,
    /// The primary's text and the shadow's, with [`ShadowRules::recorded_texts`](super::ShadowRules::recorded_texts).
    pub texts: Option<(String, String)>,
}

/// An utterance that the primary answered and the shadow did not.
#[derive(Clone, Serialize)]
pub struct ShadowFailure {
    /// Which utterance.
    pub utterance: u64,
    /// Why.
    pub error: String,
    /// The shadow's engine.
    #[serde(skip)]
    pub engine: EngineId,
    /// Where it was to answer.
    #[serde(skip)]
    pub route: Route,
    /// It was given up at its deadline.
    #[serde(skip)]
    pub timed_out: bool,
    /// Time until it failed, ms.
    #[serde(skip)]
    pub shadow_ms: f64,
    /// From the primary's answer to the failure, ms.
    #[serde(skip)]
    pub lag_ms: f64,
    /// For who keeps records.
    #[serde(skip)]
    pub subject: ShadowSubject,
}

/// What the shadow did in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ShadowTotals {
    /// Utterances that both answered.
    pub compared: u64,
    /// Utterances it was too late for.
    pub skipped: u64,
    /// Utterances it failed on.
    pub failed: u64,
    /// All comparisons' edits.
    #[serde(flatten)]
    pub disagreement: Disagreement,
}
