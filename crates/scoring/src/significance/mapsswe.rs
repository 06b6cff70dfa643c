//! The matched-pairs sentence-segment word error test.
//!
//! Gillick and Cox, "Some statistical issues in the comparison of speech recognition algorithms",
//! ICASSP 1989; NIST's scoring toolkit (`sctk`, `sc_stats -t mapsswe`) made it the usual test. Each
//! segment gives one number, the errors of one recognizer less those of the other, and the mean of
//! these numbers is compared with its standard error.
//!
//! A segment should be long enough that errors in one do not lead to errors in the next. NIST cuts
//! utterances where both recognizers have two words right and leaves out what has no error; here each
//! utterance is a segment, as it is decoded by itself, with or without an error. Both are sound. On the
//! same segments ours prints what `sc_stats` prints (`tests/other_scorers.rs`); on its own, z can differ
//! a little.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use serde::Serialize;

use super::UtterancePair;

/// Result of the matched-pairs test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mapsswe {
    /// Segments, which are utterances here.
    pub segments: usize,
    /// Mean over segments of the errors of B less those of A.
    pub mean: f64,
    /// Standard deviation of the same, with `segments - 1` in the denominator.
    pub standard_deviation: f64,
    /// `mean` over its standard error; below zero, B makes fewer errors.
    pub z: f64,
    /// Chance of a `z` at least as far from zero if the recognizers were equally good, in `[0, 1]`.
    /// Two-sided, from the normal distribution, so it wants some dozens of segments that differ.
    pub p_value: f64,
}

/// Tests whether A and B make the same number of errors per utterance.
///
/// `None` for fewer than two utterances, and where the difference is the same in every utterance:
/// with a variance of zero, z is 0/0 or infinite, and neither says anything. (NIST's tool prints
/// z = 0 there.) Two recognizers with equal errors throughout are the usual case of this.
pub fn mapsswe(pairs: &[UtterancePair<'_>]) -> Option<Mapsswe> {
    let first = pairs.first()?.extra_errors();
    // Compared as whole numbers, because a variance computed in floating point may miss zero.
    if pairs.iter().all(|pair| pair.extra_errors() == first) {
        return None;
    }
    let segments = pairs.len();
    let mean = pairs.iter().map(UtterancePair::extra_errors).sum::<i64>() as f64 / segments as f64;
    let squares: f64 = pairs.iter().map(|pair| (pair.extra_errors() as f64 - mean).powi(2)).sum();
    let standard_deviation = (squares / (segments - 1) as f64).sqrt();
    let z = mean / (standard_deviation / (segments as f64).sqrt());
    Some(Mapsswe { segments, mean, standard_deviation, z, p_value: two_sided_normal(z) })
}

/// Chance of a standard normal value at least as far from zero as `z`.
fn two_sided_normal(z: f64) -> f64 {
    complementary_error(z.abs() * FRAC_1_SQRT_2)
}

/// Above this the continued fraction settles sooner than the series, which loses digits there.
const SERIES_END: f64 = 2.0;

/// Terms of the continued fraction. At [`SERIES_END`], where it settles latest, 40 terms are within
/// 5e-14 of the value and 60 within the last digit of a double.
const FRACTION_TERMS: u32 = 60;

/// The complementary error function, for `x` of 0 or more (Abramowitz and Stegun 7.1.6, 7.1.14).
fn complementary_error(x: f64) -> f64 {
    let square = x * x;
    if x < SERIES_END {
        let mut term = x;
        let mut sum = term;
        let mut odd = 1.0;
        while term > sum * f64::EPSILON {
            odd += 2.0;
            term *= 2.0 * square / odd;
            sum += term;
        }
        1.0 - 2.0 / PI.sqrt() * (-square).exp() * sum
    } else {
        let denominator = (1..=FRACTION_TERMS).rev().fold(x, |tail, n| x + f64::from(n) / 2.0 / tail);
        (-square).exp() / PI.sqrt() / denominator
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, pair};
    use super::*;

    /// Each `p` is `2 * scipy.stats.norm.sf(z)`.
    #[test]
    fn normal_tails_equal_the_reference() {
        let expected = [
            (0.0, 1.0),
            (1e-6, 0.9999992021154392),
            (0.1, 0.920344325445942),
            (0.67, 0.5028577901906203),
            (1.96, 0.04999579029644087),
            (2.8, 0.005110260660855864),
            (2.83, 0.004654800413463103),
            (8.0, 1.244192114854348e-15),
            (20.0, 5.507248237212311e-89),
            (37.0, 1.1451142445047853e-299),
        ];
        for (z, p) in expected {
            assert_close(two_sided_normal(z), p, "p");
            assert_close(two_sided_normal(-z), p, "p");
        }
        assert_eq!(two_sided_normal(50.0), 0.0);
    }

    #[test]
    fn a_worked_example_comes_out() {
        // Differences -1, -2, 0, 1: mean -0.5, squares 0.25 + 2.25 + 0.25 + 2.25 = 5.
        let result = mapsswe(&[pair(1, 0, 5), pair(2, 0, 5), pair(3, 3, 5), pair(0, 1, 5)]).unwrap();
        assert_eq!((result.segments, result.mean), (4, -0.5));
        assert_close(result.standard_deviation, (5.0_f64 / 3.0).sqrt(), "standard deviation");
        assert_close(result.z, -0.5 / (5.0_f64 / 12.0).sqrt(), "z");
    }

    #[test]
    fn too_few_segments_or_no_variance_give_none() {
        assert_eq!(mapsswe(&[]), None);
        assert_eq!(mapsswe(&[pair(3, 1, 9)]), None);
        assert_eq!(mapsswe(&[pair(1, 1, 9), pair(4, 4, 9)]), None);
        assert_eq!(mapsswe(&[pair(1, 0, 9), pair(4, 3, 9), pair(2, 1, 9)]), None);
    }

    #[test]
    fn swapping_the_recognizers_turns_the_sign() {
        let pairs = [pair(1, 0, 5), pair(2, 0, 5), pair(3, 4, 5)];
        let swapped = pairs.map(|p| UtterancePair::new(p.b, p.a));
        let (there, back) = (mapsswe(&pairs).unwrap(), mapsswe(&swapped).unwrap());
        assert_eq!((there.z, there.p_value), (-back.z, back.p_value));
    }
}
