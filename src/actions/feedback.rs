//! What the user made of a transcript: the measure that no word error rate replaces.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest corrected text that is taken, bytes: an utterance of 30 s has about 1 kB, and words are aligned.
const MAX_TEXT_BYTES: usize = 8 << 10;

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
    /// Went away.
    Abandoned,
}

/// One user's verdict on one utterance.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Which utterance of this run.
    pub utterance: u64,
    /// What the user did.
    pub feedback: FeedbackKind,
    /// With `edited`: what the user made of the text, if the program that they edited it in tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl Feedback {
    /// A verdict without a text.
    pub fn new(utterance: u64, feedback: FeedbackKind) -> Self {
        Self { utterance, feedback, text: None }
    }

    /// A verdict by its name: `accepted`, `edited` (with its text or without), `redo`, `switched-input`, `result-clicked`,
    /// `abandoned`.
    ///
    /// # Errors
    /// What it should be.
    pub fn named(utterance: u64, name: &str, text: Option<String>) -> Result<Self, String> {
        let feedback = serde_json::from_value(name.into()).map_err(|_| wrong())?;
        Self { utterance, feedback, text }.checked()
    }

    /// Reads `{"utterance": 3, "feedback": "accepted"}`, or the short form `3 accepted`. What was edited may
    /// come with its text: `{"utterance": 3, "feedback": "edited", "text": "open the garage"}`, `3 edited open the garage`.
    ///
    /// # Errors
    /// What it should look like.
    pub fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let feedback = match line.starts_with('{') {
            true => serde_json::from_str(line).map_err(|_| wrong())?,
            false => Self::from_words(line).ok_or_else(wrong)?,
        };
        feedback.checked()
    }

    fn checked(self) -> Result<Self, String> {
        let takes_text = self.feedback == FeedbackKind::Edited;
        match &self.text {
            Some(text) if !takes_text || text.len() > MAX_TEXT_BYTES => Err(wrong()),
            _ => Ok(self),
        }
    }

    fn from_words(line: &str) -> Option<Self> {
        let (utterance, rest) = line.split_once(char::is_whitespace)?;
        let (kind, text) = match rest.trim().split_once(char::is_whitespace) {
            Some((kind, text)) => (kind, Some(text.trim().to_owned())),
            None => (rest.trim(), None),
        };
        let feedback = serde_json::from_value(kind.into()).ok()?;
        Some(Self { utterance: utterance.parse().ok()?, feedback, text })
    }
}

fn wrong() -> String {
    "feedback looks like {\"utterance\": 3, \"feedback\": \"accepted\"} or `3 accepted`; it is accepted, edited (followed by the new text or not), redo, switched-input, result-clicked or abandoned".to_owned()
}

/// Shows no text.
impl fmt::Debug for Feedback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { utterance, feedback, .. } = self;
        f.debug_struct("Feedback")
            .field("utterance", utterance)
            .field("feedback", feedback)
            .finish_non_exhaustive()
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
    pub abandoned: u64,
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
            FeedbackKind::Abandoned => &mut self.abandoned,
        } += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_the_rest_is_explained() {
        let redo = Feedback::new(3, FeedbackKind::SwitchedInput);
        assert_eq!(Feedback::parse(r#"{"utterance":3,"feedback":"switched-input"}"#), Ok(redo.clone()));
        assert_eq!(Feedback::parse(" 3  switched-input\n"), Ok(redo));
        for wrong in [
            "",
            "3",
            "accepted",
            "3 liked",
            "-1 redo",
            "3 redo text",
            "{}",
            r#"{"utterance":3,"feedback":"redo","x":1}"#,
            r#"{"utterance":3,"feedback":"accepted","text":"yes"}"#,
            &format!("3 edited {}", "long ".repeat(2_000)),
        ] {
            assert!(Feedback::parse(wrong).unwrap_err().contains("3 accepted"), "{wrong}");
        }
    }

    #[test]
    fn an_edit_may_bring_its_text_which_no_log_shows() {
        let edited =
            Feedback { text: Some("open the garage".into()), ..Feedback::new(3, FeedbackKind::Edited) };
        let json = r#"{"utterance":3,"feedback":"edited","text":"open the garage"}"#;
        assert_eq!(Feedback::parse("3 edited  open the garage"), Ok(edited.clone()));
        assert_eq!(Feedback::parse(json), Ok(edited.clone()));
        assert_eq!(serde_json::to_string(&edited).unwrap(), json);
        assert!(!format!("{edited:?}").contains("garage"));
        let bare = Feedback::new(3, FeedbackKind::Abandoned);
        assert_eq!(serde_json::to_string(&bare).unwrap(), r#"{"utterance":3,"feedback":"abandoned"}"#);
    }
}
