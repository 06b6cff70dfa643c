//! A run of the program.

use serde::{Deserialize, Serialize};

/// A run began or ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionRecord {
    /// Random, made with the run.
    pub session_id: String,
    /// `false` when it began, `true` when it ended as it should: a session without an end was cut off.
    pub ended: bool,
    /// The program's version.
    pub app_version: String,
    /// The device's profile.
    pub profile: String,
    /// The engine that answers.
    pub engine: String,
    /// The engine that listens along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow_engine: Option<String>,
    /// Operating system and processor, such as `linux-aarch64`.
    pub platform: String,
    /// Processors that the program may use.
    pub cores: u32,
    /// With `ended`: audio heard, ms.
    pub audio_ms: u64,
    /// With `ended`: utterances found.
    pub utterances: u64,
}
