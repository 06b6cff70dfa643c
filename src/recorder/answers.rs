//! What the recorder remembers of a run: the latest answers, and utterances whose last word is to come.

use std::collections::{HashMap, VecDeque};

use crate::scoring::{BasicNormalizer, EditCounts, EnglishNormalizer, Normalizer, disagreement};
use crate::telemetry::InputMetrics;

/// Answers whose text is remembered: feedback comes within minutes.
const MAX_ANSWERS: usize = 256;
/// Utterances whose answer is to come that are remembered.
const MAX_WAITING: usize = 1_024;

struct Answer {
    utterance: u64,
    text: String,
    language: Option<String>,
}

/// The latest answers. Their texts never leave this memory but by consent.
#[derive(Default)]
pub(super) struct Answers(VecDeque<Answer>);

impl Answers {
    pub(super) fn remember(&mut self, utterance: u64, text: &str, language: Option<&String>) {
        if self.0.len() == MAX_ANSWERS {
            self.0.pop_front();
        }
        self.0.push_back(Answer { utterance, text: text.to_owned(), language: language.cloned() });
    }

    /// What was answered.
    pub(super) fn text(&self, utterance: u64) -> Option<&str> {
        self.find(utterance).map(|answer| answer.text.as_str())
    }

    /// Word edits from the answer to what the user made of it; `None` if the answer is not remembered.
    pub(super) fn edits(&self, utterance: u64, corrected: &str) -> Option<EditCounts> {
        let answer = self.find(utterance)?;
        let normalizer: &dyn Normalizer = match answer.language.as_deref() {
            Some("en") | None => &EnglishNormalizer,
            Some(_) => &BasicNormalizer::default(),
        };
        Some(disagreement(normalizer, &answer.text, corrected).edits)
    }

    fn find(&self, utterance: u64) -> Option<&Answer> {
        self.0.iter().rev().find(|answer| answer.utterance == utterance)
    }
}

/// An utterance that will be answered, or answered again.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) utterance_id: String,
    pub(super) input: InputMetrics,
}

/// Those that wait, by their name in the spool.
#[derive(Default)]
pub(super) struct WaitingList {
    by_id: HashMap<String, Waiting>,
    order: VecDeque<String>,
}

impl WaitingList {
    pub(super) fn remember(&mut self, id: &str, waiting: Waiting) {
        if self.by_id.insert(id.to_owned(), waiting).is_none() {
            self.order.push_back(id.to_owned());
        }
        if self.order.len() > MAX_WAITING
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Waiting> {
        self.by_id.get(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_from_the_answer_to_the_correction() {
        let mut answers = Answers::default();
        answers.remember(3, "Open the garbage, please.", Some(&"en".to_owned()));
        let edits = answers.edits(3, "open the garage now").unwrap();
        assert_eq!((edits.errors(), edits.reference_words), (2, 4));
        assert_eq!(answers.edits(4, "x"), None);
        (10..10 + MAX_ANSWERS as u64).for_each(|n| answers.remember(n, "x", None));
        assert_eq!(answers.text(3), None, "memory is bounded");
    }

    #[test]
    fn the_waiting_list_is_bounded_and_drops_the_oldest() {
        let mut list = WaitingList::default();
        for n in 0..=MAX_WAITING {
            let waiting = Waiting { utterance_id: n.to_string(), input: InputMetrics::default() };
            list.remember(&format!("id-{n}"), waiting);
        }
        assert!(list.get("id-0").is_none() && list.get("id-1").is_some());
        assert_eq!((list.by_id.len(), list.order.len()), (MAX_WAITING, MAX_WAITING));
    }
}
