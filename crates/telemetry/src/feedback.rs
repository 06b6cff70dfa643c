//! What the user did.

use serde::{Deserialize, Serialize};

/// What the user did with an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackKind {
    /// Took it as it was.
    Accepted,
    /// Changed it and took it.
    Edited,
    /// Said it again.
    Redo,
    /// Typed instead.
    SwitchedInput,
    /// Chose a result of the search that it started.
    ResultClicked,
    /// Went away.
    Abandoned,
    /// Something of a later version.
    #[default]
    #[serde(other)]
    Unknown,
}

/// One such act.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FeedbackRecord {
    /// Names the utterance in all records.
    pub utterance_id: String,
    /// The run of the program.
    pub session_id: String,
    /// What was done.
    pub feedback: FeedbackKind,
    /// With `edited`: words replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub substitutions: Option<u64>,
    /// With `edited`: words taken out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletions: Option<u64>,
    /// With `edited`: words put in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insertions: Option<u64>,
    /// With `edited`: words of the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<u64>,
}
