//! Slot values: did the words that a command depends on come through?
//!
//! "Large iced mocha with soy milk" carries a size, a drink and a milk. A transcript can have a
//! poor word error rate and still serve the right drink, or the reverse, so the share of slot
//! values found is counted by itself.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

use super::normalizer::Normalizer;

/// How many slot values a transcript contains. Counts add up over utterances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SlotScore {
    /// Values whose words are in the transcript.
    pub found: u64,
    /// Values looked for.
    pub total: u64,
}

impl SlotScore {
    /// Share of the values that were found, in `[0, 1]`; `None` when there were none to look for.
    pub fn rate(&self) -> Option<f64> {
        (self.total > 0).then(|| self.found as f64 / self.total as f64)
    }
}

impl Add for SlotScore {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { found: self.found + other.found, total: self.total + other.total }
    }
}

impl AddAssign for SlotScore {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for SlotScore {
    fn sum<I: Iterator<Item = Self>>(scores: I) -> Self {
        scores.fold(Self::default(), Add::add)
    }
}

/// Counts the slot values that `transcript` contains.
///
/// A value is found when its normalized words stand in the normalized transcript one after the
/// other, as whole words: `milk` is not found in `milkshake`. A value without a word left after
/// normalization is not counted. For a map of slots, pass `slots.values()`.
///
/// ```
/// # use earwitness_scoring::{slot_values_found, EnglishNormalizer};
/// let score = slot_values_found(&EnglishNormalizer, ["iced mocha", "soy milk"], "An iced mocha.");
/// assert_eq!((score.found, score.total), (1, 2));
/// ```
pub fn slot_values_found<N, V>(
    normalizer: &N,
    values: impl IntoIterator<Item = V>,
    transcript: &str,
) -> SlotScore
where
    N: Normalizer + ?Sized,
    V: AsRef<str>,
{
    let transcript = normalizer.normalize(transcript);
    let heard: Vec<&str> = transcript.split_whitespace().collect();
    let mut score = SlotScore::default();
    for value in values {
        let value = normalizer.normalize(value.as_ref());
        let wanted: Vec<&str> = value.split_whitespace().collect();
        if wanted.is_empty() {
            continue;
        }
        score.total += 1;
        score.found += u64::from(heard.windows(wanted.len()).any(|words| words == wanted));
    }
    score
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{BasicNormalizer, EnglishNormalizer};
    use super::*;

    #[test]
    fn values_are_found_across_spellings_and_case() {
        let slots = BTreeMap::from([
            ("size".to_owned(), "sixteen ounce".to_owned()),
            ("drink".to_owned(), "Café mocha".to_owned()),
            ("milk".to_owned(), "almond milk".to_owned()),
        ]);
        let transcript = "a 16-ounce cafe mocha, with milk, almond";
        let score = slot_values_found(&EnglishNormalizer, slots.values(), transcript);
        assert_eq!(score, SlotScore { found: 2, total: 3 });
    }

    #[test]
    fn parts_of_words_do_not_count() {
        let score = slot_values_found(&BasicNormalizer::default(), ["milk", "tea"], "milkshake");
        assert_eq!(score, SlotScore { found: 0, total: 2 });
    }

    #[test]
    fn values_without_words_are_not_counted() {
        let score = slot_values_found(&EnglishNormalizer, ["um", "?!", ""], "um");
        assert_eq!(score, SlotScore::default());
        assert_eq!(score.rate(), None);
    }

    #[test]
    fn scores_pool_over_utterances() {
        let scores = [SlotScore { found: 1, total: 1 }, SlotScore { found: 1, total: 3 }];
        let total: SlotScore = scores.into_iter().sum();
        assert_eq!(total.rate(), Some(0.5));
        let mut running = scores[0];
        running += scores[1];
        assert_eq!(running, total);
    }
}
