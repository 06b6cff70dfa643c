//! [`Agreement`]: which words of a partial transcript will stay.
//!
//! A recognizer that hears a growing utterance changes its mind about the end of it. Words on which two
//! hearings in a row agree are committed: later partials begin with them, whatever the recognizer makes
//! of that stretch then. The last word is never committed, since it may be half a word.

/// The words of one utterance's partials.
#[derive(Default)]
pub(super) struct Agreement {
    utterance: Option<u64>,
    committed: Vec<String>,
    /// What the last hearing had after the committed words.
    open: Vec<String>,
}

/// A partial transcript: `committed` begins `text`.
#[derive(Debug, PartialEq)]
pub(super) struct PartialText {
    pub(super) text: String,
    pub(super) committed: String,
}

impl Agreement {
    /// Takes in what was heard of `utterance` so far. Another utterance begins from nothing.
    pub(super) fn hear(&mut self, utterance: u64, heard: &str) -> PartialText {
        if self.utterance != Some(utterance) {
            *self = Self { utterance: Some(utterance), ..Self::default() };
        }
        let words: Vec<String> = heard.split_whitespace().map(str::to_owned).collect();
        let mut open = words[covered(&self.committed, &words)..].to_vec();
        let sure = open.len().saturating_sub(1);
        let agreed = open.iter().zip(&self.open).take(sure).take_while(|(a, b)| same(a, b)).count();
        self.committed.extend(open.drain(..agreed));
        let committed = self.committed.join(" ");
        let text = self.committed.iter().chain(&open).map(String::as_str).collect::<Vec<_>>().join(" ");
        self.open = open;
        PartialText { text, committed }
    }
}

/// How many of the first `words` stand for `committed`: the least edits, then the nearest in number.
fn covered(committed: &[String], words: &[String]) -> usize {
    // One row of the edit-distance table at a time; after the last, its columns are the candidates.
    let mut row: Vec<usize> = (0..=words.len()).collect();
    for (i, wanted) in committed.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, word) in words.iter().enumerate() {
            let substituted = diagonal + usize::from(!same(wanted, word));
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    let cost = |j: &usize| (row[*j], j.abs_diff(committed.len()));
    (0..row.len()).min_by_key(cost).unwrap_or(0)
}

/// Whether two words are the same but for case and punctuation.
fn same(a: &str, b: &str) -> bool {
    let letters = |word: &str| {
        word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    letters(a) == letters(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn committed(hearings: &[&str]) -> Vec<String> {
        let mut agreement = Agreement::default();
        hearings.iter().map(|heard| agreement.hear(0, heard).committed).collect()
    }

    #[test]
    fn what_two_hearings_agree_on_is_committed_except_the_last_word() {
        let hearings = ["It was the be", "It was the best of", "it was the best of times"];
        assert_eq!(committed(&hearings), ["", "It was the", "It was the best of"]);
    }

    #[test]
    fn committed_words_stay_when_the_recognizer_changes_its_mind() {
        let mut agreement = Agreement::default();
        agreement.hear(0, "I scream for more and");
        assert_eq!(agreement.hear(0, "I scream for more and then").committed, "I scream for more and");
        let changed = agreement.hear(0, "Ice cream for more and then some.");
        assert_eq!(changed.text, "I scream for more and then some.");
        let shorter = agreement.hear(0, "Ice cream");
        assert!(shorter.text.starts_with("I scream for more and"), "{shorter:?}");
    }

    #[test]
    fn another_utterance_begins_from_nothing() {
        let mut agreement = Agreement::default();
        agreement.hear(0, "one two three");
        agreement.hear(0, "one two three");
        assert_eq!(agreement.hear(1, "four"), PartialText { text: "four".into(), committed: String::new() });
    }

    proptest! {
        #[test]
        fn committed_text_only_grows_and_begins_every_later_partial(
            hearings in prop::collection::vec(prop::collection::vec("[abAB]{1,2}[.,]?", 0..8), 1..8)
        ) {
            let mut agreement = Agreement::default();
            let mut before = String::new();
            for words in hearings {
                let now = agreement.hear(3, &words.join(" "));
                prop_assert!(now.committed.starts_with(&before));
                prop_assert!(now.text.starts_with(&now.committed));
                before = now.committed;
            }
        }
    }
}
