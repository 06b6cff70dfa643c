//! One record, as it stands in the journal and in a batch.

use serde::{Deserialize, Serialize};

use crate::{Consented, FeedbackRecord, HealthRecord, SessionRecord, ShadowRecord, UtteranceRecord};

/// A record with its time; one line of a journal, one element of a batch. Its sequence is its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordLine {
    /// The device's clock, ms since 1970-01-01 UTC.
    pub recorded_unix_ms: u64,
    /// The figures.
    #[serde(flatten)]
    pub record: Record,
    /// What the user consented to beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consented: Option<Consented>,
}

/// What a device reports: in JSON `"kind": "utterance", "body": { … }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Record {
    /// One utterance: how it came in, what came out, what it took.
    Utterance(Box<UtteranceRecord>),
    /// What the shadow made of one utterance.
    Shadow(Box<ShadowRecord>),
    /// What the user did with an answer.
    Feedback(FeedbackRecord),
    /// A heartbeat.
    Health(HealthRecord),
    /// A run of the program.
    Session(SessionRecord),
}

impl Record {
    /// Its name on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Utterance(_) => "utterance",
            Self::Shadow(_) => "shadow",
            Self::Feedback(_) => "feedback",
            Self::Health(_) => "health",
            Self::Session(_) => "session",
        }
    }
}
