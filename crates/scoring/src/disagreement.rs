//! How far two hypotheses of the same speech are apart, where no reference says who is right.
//!
//! Two recognizers that agree may both be wrong, but where they differ at least one of them is. So
//! recordings that nobody has transcribed still tell how often two recognizers would be told apart,
//! and which utterances to listen to.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

use super::alignment::count_edits;
use super::edit_counts::EditCounts;
use super::normalizer::Normalizer;

/// Edits between the hypotheses A and B. Counts add up over utterances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Disagreement {
    /// What turns A into B, with A in the place of the reference: an insertion is a word that only B
    /// has, and `edits.reference_words` are the words of A. `edits.wer()` is therefore a rate per word
    /// of A, and not symmetric. With A and B exchanged the sum of edits is the same; where several
    /// alignments are equally short, the split into kinds need not be its mirror image.
    pub edits: EditCounts,
    /// Words in the longer of the two texts, added up utterance by utterance.
    pub longer_words: u64,
}

impl Disagreement {
    /// Symmetric rate in `[0, 1]`: the least number of word edits between A and B, over the words of
    /// the longer text, each summed over the utterances before dividing. It is 0 where all texts are
    /// equal and 1 where no word could be kept in place; exchanging A and B does not change it.
    /// `None` where neither has a word.
    pub fn rate(&self) -> Option<f64> {
        (self.longer_words > 0).then(|| self.edits.errors() as f64 / self.longer_words as f64)
    }
}

impl Add for Disagreement {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { edits: self.edits + other.edits, longer_words: self.longer_words + other.longer_words }
    }
}

impl AddAssign for Disagreement {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Disagreement {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// Counts the word edits from hypothesis `a` to hypothesis `b` of one utterance, after normalizing
/// both. Add the results of all utterances and ask for [`Disagreement::rate`] once, at the end.
///
/// ```
/// # use earwitness_scoring::{disagreement, EnglishNormalizer};
/// let apart = disagreement(&EnglishNormalizer, "A large mocha, please.", "large mocha please now");
/// assert_eq!((apart.edits.deletions, apart.edits.insertions), (1, 1));
/// assert_eq!(apart.rate(), Some(0.5));
/// ```
pub fn disagreement<N: Normalizer + ?Sized>(normalizer: &N, a: &str, b: &str) -> Disagreement {
    let (a, b) = (normalizer.normalize(a), normalizer.normalize(b));
    let a: Vec<&str> = a.split_whitespace().collect();
    let b: Vec<&str> = b.split_whitespace().collect();
    Disagreement { edits: count_edits(&a, &b), longer_words: a.len().max(b.len()) as u64 }
}

#[cfg(test)]
mod tests {
    use super::super::BasicNormalizer;
    use super::*;

    fn between(a: &str, b: &str) -> Disagreement {
        disagreement(&BasicNormalizer::default(), a, b)
    }

    #[test]
    fn edits_are_counted_from_a_to_b() {
        let longer = between("one two", "one three four");
        let counts = (longer.edits.substitutions, longer.edits.insertions, longer.edits.deletions);
        assert_eq!((counts, longer.edits.reference_words, longer.longer_words), ((1, 1, 0), 2, 3));
        let shorter = between("one three four", "one two");
        assert_eq!((shorter.edits.deletions, shorter.edits.reference_words, shorter.longer_words), (1, 3, 3));
    }

    #[test]
    fn equal_after_normalization_means_no_disagreement() {
        assert_eq!(between("One, two.", "one two").rate(), Some(0.0));
    }

    #[test]
    fn empty_texts_have_no_rate_and_one_empty_text_has_the_highest() {
        assert_eq!(between("", "?!").rate(), None);
        assert_eq!(between("", "one two").rate(), Some(1.0));
        assert_eq!(between("one two", "").rate(), Some(1.0));
    }

    #[test]
    fn rates_over_utterances_pool_counts() {
        let parts = [between("a", "b"), between("a b c", "a b c")];
        let total: Disagreement = parts.into_iter().sum();
        assert_eq!(total.rate(), Some(0.25));
        let mut running = parts[0];
        running += parts[1];
        assert_eq!(running, total);
    }

    #[test]
    fn rate_is_symmetric_and_at_most_one() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..2_000 {
            let mut text = || {
                let words: Vec<_> = (0..random.usize(..12)).map(|_| random.u8(..4).to_string()).collect();
                words.join(" ")
            };
            let (a, b) = (text(), text());
            let (there, back) = (between(&a, &b), between(&b, &a));
            assert_eq!(there.rate(), back.rate(), "{a} / {b}");
            assert!(there.rate().is_none_or(|rate| (0.0..=1.0).contains(&rate)), "{a} / {b}");
        }
    }
}
