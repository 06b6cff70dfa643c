//! A second recognizer on the same audio.

use serde::{Deserialize, Serialize};

use crate::Outcome;

/// What two recognizers made of one utterance, in counts: they add up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ShadowRecord {
    /// Names the utterance in all records.
    pub utterance_id: String,
    /// The run of the program.
    pub session_id: String,
    /// The engine that answered the user.
    pub primary_engine: String,
    /// The engine in question.
    pub shadow_engine: String,
    /// Where the shadow answered.
    pub shadow_route: String,
    /// How the primary ended.
    pub primary_outcome: Outcome,
    /// How the shadow ended.
    pub shadow_outcome: Outcome,
    /// Words of the primary that the shadow has as others.
    pub substitutions: u64,
    /// Words that only the primary has.
    pub deletions: u64,
    /// Words that only the shadow has.
    pub insertions: u64,
    /// Words of the primary.
    pub primary_words: u64,
    /// Words of the shadow.
    pub shadow_words: u64,
    /// Time of the primary's recognition, ms.
    pub primary_ms: f64,
    /// Time of the shadow's, pauses in which it gave way included, ms.
    pub shadow_ms: f64,
    /// From the primary's answer to the shadow's, ms.
    pub lag_ms: f64,
    /// What the primary's answer cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_cost: Option<f64>,
    /// What the shadow's answer cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_cost: Option<f64>,
    /// Share of utterances that the shadow hears, in `]0, 1]`: the probability that this one was compared.
    pub sample_ratio: f64,
    /// Duration of the utterance, ms: for slices, as the next four.
    pub duration_ms: f64,
    /// See [`InputMetrics::snr_db`](crate::InputMetrics::snr_db).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snr_db: Option<f64>,
    /// Code of the language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The device's profile.
    pub profile: String,
    /// The program's version.
    pub app_version: String,
}

impl ShadowRecord {
    /// Word edits between the two.
    pub fn edits(&self) -> u64 {
        self.substitutions + self.deletions + self.insertions
    }

    /// Words of the longer text.
    pub fn longer_words(&self) -> u64 {
        self.primary_words.max(self.shadow_words)
    }
}
