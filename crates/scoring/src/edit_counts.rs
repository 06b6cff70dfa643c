//! Edit counts: what a hypothesis got wrong, as whole numbers that add up.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Word edits that turn a reference into a hypothesis.
///
/// Counts travel, rates do not: add the counts of many utterances and ask for [`EditCounts::wer`]
/// once, at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EditCounts {
    /// Reference words that the hypothesis has as another word.
    pub substitutions: u64,
    /// Reference words that the hypothesis lacks.
    pub deletions: u64,
    /// Hypothesis words that the reference lacks.
    pub insertions: u64,
    /// Words in the reference: the denominator.
    pub reference_words: u64,
}

impl EditCounts {
    /// Substitutions, deletions and insertions together.
    pub fn errors(&self) -> u64 {
        self.substitutions + self.deletions + self.insertions
    }

    /// Reference words that the hypothesis has right.
    pub fn matches(&self) -> u64 {
        self.reference_words.saturating_sub(self.substitutions + self.deletions)
    }

    /// Word error rate: errors per reference word; 0 is perfect, and insertions can take it
    /// above 1. `None` when the reference has no words, where no rate is defined.
    pub fn wer(&self) -> Option<f64> {
        (self.reference_words > 0).then(|| self.errors() as f64 / self.reference_words as f64)
    }
}

impl Add for EditCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            substitutions: self.substitutions + other.substitutions,
            deletions: self.deletions + other.deletions,
            insertions: self.insertions + other.insertions,
            reference_words: self.reference_words + other.reference_words,
        }
    }
}

impl AddAssign for EditCounts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for EditCounts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

impl<'a> Sum<&'a EditCounts> for EditCounts {
    fn sum<I: Iterator<Item = &'a EditCounts>>(counts: I) -> Self {
        counts.copied().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(substitutions: u64, deletions: u64, insertions: u64, words: u64) -> EditCounts {
        EditCounts { substitutions, deletions, insertions, reference_words: words }
    }

    #[test]
    fn rate_over_many_utterances_pools_counts() {
        let utterances = [counts(1, 0, 0, 1), counts(0, 0, 0, 9)];
        let total: EditCounts = utterances.iter().sum();
        assert_eq!(total.wer(), Some(0.1));
        assert_eq!(total, utterances[0] + utterances[1]);
        let mut running = EditCounts::default();
        running += utterances[0];
        running += utterances[1];
        assert_eq!(running, total);
    }

    #[test]
    fn no_reference_words_means_no_rate() {
        assert_eq!(EditCounts::default().wer(), None);
        assert_eq!(counts(0, 0, 3, 0).wer(), None);
        assert_eq!(counts(0, 0, 3, 0).errors(), 3);
    }

    #[test]
    fn insertions_take_the_rate_above_one() {
        assert_eq!(counts(1, 0, 2, 1).wer(), Some(3.0));
        assert_eq!(counts(1, 1, 2, 4).matches(), 2);
    }

    #[test]
    fn serialized_field_names_are_the_documented_ones() {
        let json = serde_json::to_string(&counts(1, 2, 3, 4)).unwrap();
        assert_eq!(json, r#"{"substitutions":1,"deletions":2,"insertions":3,"reference_words":4}"#);
        assert_eq!(serde_json::from_str::<EditCounts>(&json).unwrap(), counts(1, 2, 3, 4));
    }
}
