//! What the user made of a transcript: the measure that no word error rate replaces.

use serde::{Deserialize, Serialize};

/// What the user did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedbackKind {
    /// Used it as it was.
    Accepted,
    /// Corrected it.
    Edited,
    /// Said it again.
    Redo,
    /// Gave up speaking and typed.
    SwitchedInput,
    /// Chose one of the results that an action gave.
    ResultClicked,
}

/// One user's verdict on one utterance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Which utterance of this run.
    pub utterance: u64,
    /// What the user did.
    pub feedback: FeedbackKind,
}

impl Feedback {
    /// Reads `{"utterance": 3, "feedback": "accepted"}`, or the short form `3 accepted`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(line: &str) -> Result<Self, String> {
        let wrong = || {
            "feedback looks like {\"utterance\": 3, \"feedback\": \"accepted\"} or `3 accepted`; it is accepted, edited, redo, switched-input or result-clicked".to_owned()
        };
        let line = line.trim();
        if line.starts_with('{') {
            return serde_json::from_str(line).map_err(|_| wrong());
        }
        let (utterance, kind) = line.split_once(char::is_whitespace).ok_or_else(wrong)?;
        Ok(Self {
            utterance: utterance.parse().map_err(|_| wrong())?,
            feedback: serde_json::from_value(kind.trim().into()).map_err(|_| wrong())?,
        })
    }
}

/// How often each was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the kinds, in their order")]
pub struct FeedbackCounts {
    pub accepted: u64,
    pub edited: u64,
    pub redo: u64,
    pub switched_input: u64,
    pub result_clicked: u64,
}

impl FeedbackCounts {
    /// Counts one.
    pub fn add(&mut self, kind: FeedbackKind) {
        *match kind {
            FeedbackKind::Accepted => &mut self.accepted,
            FeedbackKind::Edited => &mut self.edited,
            FeedbackKind::Redo => &mut self.redo,
            FeedbackKind::SwitchedInput => &mut self.switched_input,
            FeedbackKind::ResultClicked => &mut self.result_clicked,
        } += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_the_rest_is_explained() {
        let redo = Feedback { utterance: 3, feedback: FeedbackKind::SwitchedInput };
        assert_eq!(Feedback::parse(r#"{"utterance":3,"feedback":"switched-input"}"#), Ok(redo.clone()));
        assert_eq!(Feedback::parse(" 3  switched-input\n"), Ok(redo));
        for wrong in
            ["", "3", "accepted", "3 liked", "-1 redo", "{}", r#"{"utterance":3,"feedback":"redo","x":1}"#]
        {
            assert!(Feedback::parse(wrong).unwrap_err().contains("3 accepted"), "{wrong}");
        }
    }
}
