//! Word error rates from references that people made for a sample of the utterances.
//!
//! People hear disagreements more often than agreements (see [`SamplingDesign`](super::SamplingDesign)), so what they
//! heard is not what was said: the plain rate over it is far too high, and the plain difference too large. Each
//! reference therefore counts for 1 over the probability with which it was picked (Horvitz and Thompson, "A
//! generalization of sampling without replacement from a finite universe", JASA 1952), and the rate is a ratio of two
//! such sums (Hájek).
//!
//! Two things are known without a reference and are put to use:
//!
//! * Where both texts are equal after normalization, both have the same edits against whatever was said: the difference
//!   is exactly 0. Agreements add nothing to the numerator, with or without a reference, and no chance either.
//! * The words of A are known for every utterance and are nearly as many as were spoken. Only what the reference adds to
//!   them or takes away is estimated (a difference estimator: Särndal, Swensson and Wretman, "Model Assisted Survey
//!   Sampling", 1992, section 6.3), so the denominator is all but exact.
//!
//! The sums are kept per device, and [`ratio_interval`](super::ratio_interval) over them sees both kinds of chance: which
//! devices there are, and which utterances were picked.

use serde::{Deserialize, Serialize};

use super::cluster::{ClusterSums, ClusterTable};
use crate::EditCounts;

/// One utterance that both recognizers heard, with or without a reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeardPair<'a> {
    /// Where it was said.
    pub device: &'a str,
    /// Words of A's text after normalization.
    pub words_a: u64,
    /// Word edits between the texts of A and B after normalization; 0 where they are equal.
    pub edits_between: u64,
    /// The probability with which this utterance was compared at all, in `]0, 1]`: the share of utterances that the
    /// shadow hears on this device.
    pub sample_ratio: f64,
    /// What a person made of it.
    pub reference: Option<Reference>,
}

/// A reference, and how it came to be made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// The probability with which a person was asked for it, in `]0, 1]`, as it was recorded then.
    pub inclusion_probability: f64,
    /// Edits of A against it.
    pub a: EditCounts,
    /// Edits of B against it, under the same normalizer.
    pub b: EditCounts,
}

/// A pair that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPair {
    /// A probability is not above 0 and at most 1.
    #[error("a probability is not above 0 and at most 1: the utterance was not sampled")]
    Probability,
    /// The reference has another number of words for A than for B.
    #[error("A and B were scored against different references")]
    References,
    /// The errors of A and B differ by more than the edits between their texts.
    #[error("A and B differ by more errors than their texts differ: they were normalized in different ways")]
    Distance,
}

/// Sums over the utterances of a fleet, per device. Adds up over hours and servers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Adjudication {
    difference: ClusterTable,
    wer_a: ClusterTable,
    wer_b: ClusterTable,
    references: u64,
}

impl Adjudication {
    /// Adds one utterance. Those without a reference count too: leave none out.
    ///
    /// # Errors
    ///
    /// [`BadPair`], with nothing added.
    pub fn add(&mut self, pair: &HeardPair<'_>) -> Result<(), BadPair> {
        let compared = weight(pair.sample_ratio)?;
        let mut words = pair.words_a as f64 * compared;
        let (mut errors_a, mut errors_b) = (0.0, 0.0);
        if let Some(reference) = pair.reference {
            let heard = compared * weight(reference.inclusion_probability)?;
            if reference.a.reference_words != reference.b.reference_words {
                return Err(BadPair::References);
            }
            if reference.a.errors().abs_diff(reference.b.errors()) > pair.edits_between {
                return Err(BadPair::Distance);
            }
            words += (reference.a.reference_words as f64 - pair.words_a as f64) * heard;
            errors_a = reference.a.errors() as f64 * heard;
            errors_b = reference.b.errors() as f64 * heard;
            self.references += 1;
        }
        let sums = |numerator| ClusterSums { numerator, denominator: words };
        self.difference.add(pair.device, sums(errors_b - errors_a));
        self.wer_a.add(pair.device, sums(errors_a));
        self.wer_b.add(pair.device, sums(errors_b));
        Ok(())
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.difference.merge(&other.difference);
        self.wer_a.merge(&other.wer_a);
        self.wer_b.merge(&other.wer_b);
        self.references += other.references;
    }

    /// For [`assess`](super::assess): errors of B less those of A, over reference words.
    pub fn difference(&self) -> &ClusterTable {
        &self.difference
    }

    /// For [`ratio_interval`](super::ratio_interval): errors of A over reference words. Unlike the difference it needs
    /// references where both agree, as both may be wrong there.
    pub fn wer_a(&self) -> &ClusterTable {
        &self.wer_a
    }

    /// Of B, likewise.
    pub fn wer_b(&self) -> &ClusterTable {
        &self.wer_b
    }

    /// References that people made.
    pub fn references(&self) -> u64 {
        self.references
    }
}

fn weight(probability: f64) -> Result<f64, BadPair> {
    (probability > 0.0 && probability <= 1.0).then(|| 1.0 / probability).ok_or(BadPair::Probability)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(substitutions: u64, reference_words: u64) -> EditCounts {
        EditCounts { substitutions, reference_words, ..EditCounts::default() }
    }

    fn pair(edits_between: u64, reference: Option<Reference>) -> HeardPair<'static> {
        HeardPair { device: "kitchen", words_a: 8, edits_between, sample_ratio: 1.0, reference }
    }

    fn heard(inclusion_probability: f64, a: EditCounts, b: EditCounts) -> Option<Reference> {
        Some(Reference { inclusion_probability, a, b })
    }

    fn total(table: &ClusterTable) -> ClusterSums {
        table.sums().into_iter().sum()
    }

    #[test]
    fn a_reference_counts_for_all_that_it_stands_for() {
        let mut adjudication = Adjudication::default();
        adjudication.add(&pair(3, heard(0.25, edits(2, 9), edits(0, 9)))).unwrap();
        adjudication.add(&pair(1, None)).unwrap();
        let difference = total(adjudication.difference());
        // Words: 8 of each text, and (9 - 8) / 0.25 more.
        assert_eq!(difference, ClusterSums { numerator: -8.0, denominator: 20.0 });
        assert_eq!(total(adjudication.wer_a()).numerator, 8.0);
        assert_eq!(total(adjudication.wer_b()).numerator, 0.0);
        assert_eq!((adjudication.references(), adjudication.difference().utterances()), (1, 2));
    }

    #[test]
    fn the_share_that_the_shadow_hears_multiplies_every_weight() {
        let mut adjudication = Adjudication::default();
        let reference = heard(0.5, edits(1, 8), edits(2, 8));
        adjudication.add(&HeardPair { sample_ratio: 0.1, ..pair(1, reference) }).unwrap();
        let sums = total(adjudication.difference());
        assert!((sums.numerator - 20.0).abs() < 1e-9 && (sums.denominator - 80.0).abs() < 1e-9, "{sums:?}");
    }

    #[test]
    fn agreeing_texts_have_a_difference_of_zero_with_or_without_a_reference() {
        let mut adjudication = Adjudication::default();
        adjudication.add(&pair(0, None)).unwrap();
        adjudication.add(&pair(0, heard(0.01, edits(3, 8), edits(3, 8)))).unwrap();
        assert_eq!(total(adjudication.difference()), ClusterSums { numerator: 0.0, denominator: 16.0 });
        assert_eq!(total(adjudication.wer_a()).numerator, 300.0);
        let impossible = pair(0, heard(0.01, edits(3, 8), edits(2, 8)));
        assert_eq!(adjudication.add(&impossible), Err(BadPair::Distance));
        assert_eq!(adjudication.references(), 1);
    }

    #[test]
    fn what_was_not_sampled_cannot_be_weighted() {
        let mut adjudication = Adjudication::default();
        for probability in [0.0, -0.5, 1.5, f64::NAN, f64::INFINITY] {
            let bad = pair(2, heard(probability, edits(1, 8), edits(0, 8)));
            assert_eq!(adjudication.add(&bad), Err(BadPair::Probability));
            let bad = HeardPair { sample_ratio: probability, ..pair(2, None) };
            assert_eq!(adjudication.add(&bad), Err(BadPair::Probability));
        }
        let bad = pair(2, heard(0.5, edits(1, 8), edits(0, 7)));
        assert_eq!(adjudication.add(&bad), Err(BadPair::References));
        assert_eq!(adjudication, Adjudication::default());
    }

    #[test]
    fn merged_sums_equal_one_sum() {
        let utterances: Vec<_> =
            (0..6).map(|n| pair(n, heard(0.5, edits(n, 8), edits(0, 8)).filter(|_| n % 2 == 0))).collect();
        let sum = |utterances: &[HeardPair<'_>]| {
            let mut sum = Adjudication::default();
            utterances.iter().for_each(|utterance| sum.add(utterance).unwrap());
            sum
        };
        let (mut left, right) = (sum(&utterances[..2]), sum(&utterances[2..]));
        left.merge(&right);
        assert_eq!(left, sum(&utterances));
    }
}
