//! McNemar's test: which recognizer has more utterances entirely right?
//!
//! Proposed for recognizers in Gillick and Cox, "Some statistical issues in the comparison of speech
//! recognition algorithms", ICASSP 1989. Utterances that both have right, or both wrong, say nothing;
//! of the rest, each recognizer would have half if they were equally good. This is the exact form:
//! binomial, not the approximation by chi-squared, so it holds for a handful of utterances too.

use serde::Serialize;

use super::UtterancePair;

/// Result of McNemar's exact test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct McNemar {
    /// Utterances without an error under A, with one under B.
    pub only_a_right: u64,
    /// Utterances without an error under B, with one under A.
    pub only_b_right: u64,
    /// Chance of a split at least as uneven if the recognizers were equally good, two-sided, in
    /// `[0, 1]`. It is 1 where no utterance is right under one only: no evidence.
    pub p_value: f64,
}

/// Tests whether A and B have equally many utterances right.
///
/// Right means no substitution, deletion or insertion; for a reference without words, that the
/// hypothesis has none either.
pub fn mcnemar(pairs: &[UtterancePair<'_>]) -> McNemar {
    let right = |pair: &UtterancePair<'_>| (pair.a.errors() == 0, pair.b.errors() == 0);
    let count = |wanted| pairs.iter().filter(|pair| right(pair) == wanted).count() as u64;
    let (only_a_right, only_b_right) = (count((true, false)), count((false, true)));
    McNemar { only_a_right, only_b_right, p_value: even_split_chance(only_a_right, only_b_right) }
}

/// Chance that a fair coin falls at least as unevenly as `heads` to `tails`.
fn even_split_chance(heads: u64, tails: u64) -> f64 {
    let (fewer, more) = (heads.min(tails), heads.max(tails));
    if fewer == more {
        return 1.0;
    }
    let throws = (heads + tails) as f64;
    // ln of (throws choose fewer) / 2^throws: in logarithms, as the power leaves the range of a
    // double beyond some thousand throws.
    let ways: f64 = (0..fewer).map(|n| ((throws - n as f64) / (n as f64 + 1.0)).ln()).sum();
    let mut chance = (ways - throws * std::f64::consts::LN_2).exp();
    let mut tail = chance;
    for n in (1..=fewer).rev() {
        chance *= n as f64 / (throws - n as f64 + 1.0);
        tail += chance;
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, pair};
    use super::*;

    #[test]
    fn only_utterances_right_under_one_count() {
        let pairs = [pair(0, 0, 5), pair(1, 2, 5), pair(0, 1, 5), pair(3, 0, 5), pair(1, 0, 5)];
        let result = mcnemar(&pairs);
        assert_eq!((result.only_a_right, result.only_b_right), (1, 2));
        assert_close(result.p_value, 1.0, "p");
    }

    #[test]
    fn no_evidence_gives_one() {
        assert_eq!(mcnemar(&[]).p_value, 1.0);
        assert_eq!(mcnemar(&[pair(0, 0, 5), pair(1, 2, 5)]).p_value, 1.0);
        assert_eq!(even_split_chance(4_000, 4_000), 1.0);
    }

    #[test]
    fn one_sided_splits_are_powers_of_two() {
        for throws in 1..60 {
            assert_close(even_split_chance(0, throws), 2.0 * 0.5_f64.powi(throws as i32), "p");
        }
    }

    /// Each `p` is `scipy.stats.binomtest(heads, heads + tails).pvalue`.
    #[test]
    fn large_counts_equal_the_reference() {
        let expected = [
            (3, 9, 0.14599609375),
            (40, 70, 0.005447429511444476),
            (500, 560, 0.06990955946026937),
            (4_000, 4_300, 0.001029736761268162),
            (12_000, 12_500, 0.0014321425048026506),
        ];
        for (heads, tails, p) in expected {
            assert_close(even_split_chance(heads, tails), p, "p");
            assert_close(even_split_chance(tails, heads), p, "p");
        }
    }
}
