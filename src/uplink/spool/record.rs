//! What is known of a kept utterance.

use serde::{Deserialize, Serialize};

/// How far an utterance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpoolState {
    /// Nobody has heard it yet.
    Pending,
    /// It was answered on this device, and the cloud shall answer too.
    Provisional,
    /// It has its final answer.
    Answered,
    /// It cannot be transcribed: the recording itself was refused.
    Rejected,
}

/// The record beside the audio; an utterance without one is pending.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpoolRecord {
    /// How far it has come.
    pub state: SpoolState,
    /// The text, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Language code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Which engine made the text: `whisper/tiny.en/int8@0.1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl SpoolRecord {
    /// A record of `state` and nothing else.
    pub fn new(state: SpoolState) -> Self {
        Self { state, text: None, language: None, engine: None, error: None }
    }
}

/// An utterance in the spool.
#[derive(Clone, Debug, PartialEq)]
pub struct SpoolEntry {
    /// Its name: when it was kept, in ms since 1970-01-01 UTC, and a count.
    pub id: String,
    /// How far it has come.
    pub state: SpoolState,
    /// Bytes on disk, record included.
    pub bytes: u64,
}

impl SpoolEntry {
    /// When it was kept, ms since 1970-01-01 UTC by this device's clock.
    pub fn kept_unix_ms(&self) -> u64 {
        kept_unix_ms(&self.id)
    }
}

/// When the utterance `id` was kept, ms since 1970-01-01 UTC; 0 for what is no id.
pub fn kept_unix_ms(id: &str) -> u64 {
    id.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or(0)
}
