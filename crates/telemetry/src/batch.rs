//! A batch and the answers to it.

use serde::{Deserialize, Serialize};

/// All of a batch but its records, which follow in `records`: one [`RecordLine`](crate::RecordLine) for each sequence from
/// `first_sequence` on, without a hole.
///
/// A batch continues its stream where the server's high-water mark stands; sequences between the mark and
/// `first_sequence` are all in `lost`. A batch from below the mark was received before: what is new in it is taken, the
/// rest has no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHead {
    /// What the records are written in.
    pub schema_version: u32,
    /// Random, made with the journal: a journal that was deleted comes back as another stream.
    pub stream_id: String,
    /// Of the first record; counted from 1.
    pub first_sequence: u64,
    /// The device's clock when the batch was made, ms since 1970-01-01 UTC. Shows how far the clock is off.
    pub sent_unix_ms: u64,
    /// Records that will never come, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostRange>,
}

/// Records that the device lost, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LostRange {
    /// The first one lost.
    pub first_sequence: u64,
    /// The last one lost.
    pub last_sequence: u64,
    /// Why.
    pub reason: LossReason,
}

impl LostRange {
    /// How many.
    pub fn count(&self) -> u64 {
        (self.last_sequence + 1).saturating_sub(self.first_sequence)
    }
}

/// Why a device lost records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// The journal reached its cap in bytes.
    SizeCap,
    /// They were older than the journal keeps.
    AgeCap,
    /// There was no space.
    DiskFull,
    /// They could not be read any more.
    Corrupt,
    /// A reason of a later version, or none is known.
    #[serde(other)]
    Unknown,
}

/// The server has the batch: it is durable, and a repetition has no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Everything up to here is stored or known to be lost.
    pub high_water: u64,
    /// Records of the batch that were new.
    pub stored: u64,
    /// Records of the batch that were there before.
    pub duplicates: u64,
    /// Of the stored ones, those that the server could not read and keeps as they came.
    #[serde(default)]
    pub unreadable: u64,
}

/// The server did not take a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For people.
    pub error: String,
    /// With status 409: the batch does not continue its stream, this sequence does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_sequence: Option<u64>,
}
