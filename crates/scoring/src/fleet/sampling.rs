//! Which utterances people are asked to transcribe, and with what probability.
//!
//! References are dear, so they go where they tell most. What is wanted is the difference of the errors of two
//! recognizers, and the number of word edits is a distance: by the triangle inequality the errors of A and of B differ
//! by no more than the edits between A and B. So an utterance is picked with a probability in proportion to these
//! edits, and none can weigh more than 1 over the constant of proportion. Where both texts are equal the difference is
//! 0, known without a reference: such utterances are picked rarely, to learn how many words are really spoken, but never
//! with probability 0, or nobody would learn what both miss.
//!
//! Each utterance is picked by itself (Poisson sampling) by a number drawn once and for all from a keyed hash of its
//! names. Servers with the same key and design agree without talking to each other, a design that is made denser
//! keeps what was picked before, and a device that does not know the key cannot choose to be picked.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The least probability of any utterance: one in ten thousand.
const LEAST_PROBABILITY: f64 = 1e-4;

/// The secret that decides who is picked. The same on all servers, for as long as samples are to fit together.
#[derive(Clone)]
pub struct SamplingKey([u8; 32]);

impl SamplingKey {
    /// From 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The number of an utterance, in `]0, 1]`: uniform over utterances, always the same for one. The utterance is
    /// picked where it is not above its inclusion probability.
    pub fn number(&self, device_id: &str, utterance_id: &str) -> f64 {
        let mut hash = Sha256::new();
        hash.update(self.0);
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update((device_id.len() as u64).to_le_bytes());
        hash.update(device_id);
        hash.update(utterance_id);
        let digest = hash.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        // 53 bits are what a double holds.
        ((u64::from_le_bytes(first) >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// The place of an utterance in the queue: picked where it is 1 or less, and the lowest are heard first.
    ///
    /// Where people get through the queue in this order only up to a place `reached` below 1, what they heard is a
    /// sample with probabilities [`effective_probability`].
    pub fn place(&self, device_id: &str, utterance_id: &str, inclusion_probability: f64) -> f64 {
        self.number(device_id, utterance_id) / inclusion_probability
    }
}

/// Shows no key.
impl fmt::Debug for SamplingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SamplingKey").finish_non_exhaustive()
    }
}

/// With what probability an utterance was heard when the queue was worked off in the order of
/// [`SamplingKey::place`] up to the place `reached` (that of the first one not heard, or 1 when none is left).
pub fn effective_probability(inclusion_probability: f64, reached: f64) -> f64 {
    inclusion_probability * reached.clamp(0.0, 1.0)
}

/// Utterances by the word edits between A and B: what a budget is spread over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairCounts {
    by_edits: BTreeMap<u64, u64>,
}

impl PairCounts {
    /// Counts `utterances` with so many edits between A and B; 0 is agreement.
    pub fn add(&mut self, edits: u64, utterances: u64) {
        *self.by_edits.entry(edits).or_default() += utterances;
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (&edits, &utterances) in &other.by_edits {
            self.add(edits, utterances);
        }
    }

    fn agreeing(&self) -> f64 {
        self.by_edits.get(&0).copied().unwrap_or(0) as f64
    }

    /// How many disagreements are expected in the sample.
    fn expected(&self, per_edit: f64) -> f64 {
        self.by_edits
            .iter()
            .filter(|(edits, _)| **edits > 0)
            .map(|(edits, utterances)| *utterances as f64 * (per_edit * *edits as f64).min(1.0))
            .sum()
    }
}

/// How densely people hear. Recorded with every pick, as probabilities of old picks must stay what they were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SamplingDesign {
    /// Probability for each word edit between A and B, up to 1 in all; in `]0, 1]`.
    pub per_edit: f64,
    /// Probability of an utterance on which both agree, in `]0, 1]`.
    pub agreeing: f64,
}

impl SamplingDesign {
    /// The design that picks about `references` utterances from as many as `counts` has, `agreeing_share` (in `[0, 1]`;
    /// 0.1 is a good one) of them where both agree.
    pub fn for_budget(counts: &PairCounts, references: f64, agreeing_share: f64) -> Self {
        let references = if references.is_finite() { references.max(0.0) } else { f64::MAX };
        let share = if agreeing_share.is_finite() { agreeing_share.clamp(0.0, 1.0) } else { 0.0 };
        let wanted = references * (1.0 - share);
        let (mut low, mut high) = (LEAST_PROBABILITY, 1.0);
        // What is expected grows with the probability; 50 halvings are all that a double tells apart.
        for _ in 0..50 {
            let middle = (low + high) / 2.0;
            if counts.expected(middle) < wanted { low = middle } else { high = middle }
        }
        let agreeing = if counts.agreeing() > 0.0 { references * share / counts.agreeing() } else { 1.0 };
        Self { per_edit: high, agreeing: agreeing.clamp(LEAST_PROBABILITY, 1.0) }
    }

    /// With what probability an utterance with so many word edits between A and B is picked, in `]0, 1]`.
    ///
    /// ```
    /// # use earwitness_scoring::fleet::{SamplingDesign, SamplingKey};
    /// let design = SamplingDesign { per_edit: 0.2, agreeing: 0.01 };
    /// assert_eq!([0, 2, 9].map(|edits| design.inclusion_probability(edits)), [0.01, 0.4, 1.0]);
    /// let key = SamplingKey::new([7; 32]);
    /// let picked = key.number("kitchen-pi", "utterance-17") <= design.inclusion_probability(2);
    /// # let _ = picked;
    /// ```
    pub fn inclusion_probability(&self, edits: u64) -> f64 {
        let probability = if edits == 0 { self.agreeing } else { self.per_edit * edits as f64 };
        // A design that was read from somewhere may be out of range.
        if probability.is_finite() { probability.clamp(LEAST_PROBABILITY, 1.0) } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> PairCounts {
        let mut counts = PairCounts::default();
        for (edits, utterances) in [(0, 8_000), (1, 900), (2, 500), (5, 200), (12, 40)] {
            counts.add(edits, utterances);
        }
        counts
    }

    #[test]
    fn a_budget_is_met_in_expectation() {
        for budget in [50.0, 300.0, 1_000.0] {
            let design = SamplingDesign::for_budget(&counts(), budget, 0.1);
            let expected = counts().expected(design.per_edit) + 8_000.0 * design.agreeing;
            assert!((expected - budget).abs() < 0.01 * budget, "{budget}: {expected}, {design:?}");
        }
    }

    #[test]
    fn a_budget_for_all_picks_all_and_none_picks_hardly_any() {
        let all = SamplingDesign::for_budget(&counts(), 1e9, 0.1);
        assert_eq!((all.inclusion_probability(0), all.inclusion_probability(1)), (1.0, 1.0));
        for design in [
            SamplingDesign::for_budget(&counts(), 0.0, 0.1),
            SamplingDesign { per_edit: -1.0, agreeing: 0.0 },
        ] {
            assert_eq!(design.inclusion_probability(0), LEAST_PROBABILITY);
            assert!(design.inclusion_probability(1) <= 1.1 * LEAST_PROBABILITY);
        }
        assert_eq!(SamplingDesign::for_budget(&counts(), f64::NAN, f64::NAN).inclusion_probability(3), 1.0);
    }

    #[test]
    fn numbers_are_uniform_and_depend_on_key_device_and_utterance() {
        let key = SamplingKey::new([1; 32]);
        let numbers: Vec<f64> = (0..20_000).map(|n| key.number("kitchen", &n.to_string())).collect();
        assert!(numbers.iter().all(|number| *number > 0.0 && *number <= 1.0));
        for tenth in 1..10 {
            let share = f64::from(tenth) / 10.0;
            let below = numbers.iter().filter(|number| **number <= share).count() as f64 / 20_000.0;
            // Four standard deviations of a share.
            assert!((below - share).abs() < 4.0 * (0.25_f64 / 20_000.0).sqrt(), "{share}: {below}");
        }
        assert_eq!(key.number("kitchen", "1"), numbers[1]);
        assert_ne!(key.number("kitche", "n1"), numbers[1]);
        assert_ne!(SamplingKey::new([2; 32]).number("kitchen", "1"), numbers[1]);
        assert!(!format!("{key:?}").contains('1'));
    }

    /// SHA-256 of 32 bytes of 7, the length 10 in 8 bytes, and the names: as `hashlib` has it.
    #[test]
    fn a_number_is_the_same_on_every_machine_and_in_every_version() {
        let number = SamplingKey::new([7; 32]).number("kitchen-pi", "utterance-17");
        assert!((number - 0.8462314473334219).abs() < 1e-15, "{number}");
    }

    #[test]
    fn a_queue_worked_off_in_part_is_a_thinner_sample_of_the_same_kind() {
        let key = SamplingKey::new([3; 32]);
        let heard = |probability: f64, reached: f64| {
            (0..20_000).filter(|n| key.place("hall", &n.to_string(), probability) <= reached).count() as f64
        };
        for (probability, reached) in [(0.4, 1.0), (0.4, 0.5), (0.05, 0.5)] {
            let expected = effective_probability(probability, reached);
            let share = heard(probability, reached) / 20_000.0;
            assert!((share - expected).abs() < 4.0 * (0.25_f64 / 20_000.0).sqrt(), "{share} for {expected}");
        }
        assert_eq!(effective_probability(0.3, 7.0), 0.3);
    }
}
