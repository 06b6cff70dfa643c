//! The paired bootstrap: where the difference of two word error rates may lie.
//!
//! Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation",
//! ICASSP 2004. The test set is one sample of what could have been said; drawing utterances from
//! it with replacement makes others like it. Both recognizers are scored on the same draw, so what
//! makes an utterance hard for both cancels out. Where utterances depend on each other, as those
//! of one speaker do, the group is drawn and not the utterance; else the interval is too narrow.

use std::collections::HashMap;

use serde::Serialize;

use super::UtterancePair;

/// Resamples that suffice for a report. By the normal approximation a bound of a 95 % interval then
/// varies from seed to seed by `sqrt(0.025 * 0.975 / 10000) / 0.0584`, which is 2.7 %, of the
/// standard error that the interval shows.
pub const DEFAULT_RESAMPLES: usize = 10_000;

/// Share of resamples that the interval holds: 95 %, the convention and the level in the paper.
pub const DEFAULT_CONFIDENCE: f64 = 0.95;

/// Percentile interval of the difference of two pooled word error rates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower bound of B minus A, in errors per reference word.
    pub low: f64,
    /// Upper bound. Where both bounds are on one side of zero, chance does not explain the difference.
    pub high: f64,
    /// Share of the resamples between the bounds, above 0 and below 1.
    pub confidence: f64,
    /// Share of the resamples in which B has strictly the lower rate, in `[0, 1]`. A draw counts for
    /// neither: for two recognizers with equal errors throughout it is 0.
    pub probability_of_improvement: f64,
    /// Resamples drawn.
    pub resamples: usize,
    /// What was drawn: groups, and utterances without a group.
    pub units: usize,
}

/// Interval of the difference of pooled word error rates, B minus A, over resampled utterances.
///
/// Draws as many units as there are, with replacement, `resamples` times (see
/// [`DEFAULT_RESAMPLES`]); a unit is a group of utterances, or an utterance without a group. The
/// bounds are percentiles of the differences, with linear interpolation between neighbours. A draw
/// without reference words has no rate and is drawn again. The same arguments give the same result.
///
/// `None` for fewer than two units, for no reference words, for no resamples, or for a `confidence`
/// that is not above 0 and below 1. Time grows with `resamples` times units.
pub fn paired_bootstrap(
    pairs: &[UtterancePair<'_>],
    resamples: usize,
    confidence: f64,
    seed: u64,
) -> Option<Interval> {
    let units = units(pairs);
    let rate_exists = units.iter().copied().fold(Unit::default(), Unit::plus).difference().is_some();
    let confidence_valid = confidence > 0.0 && confidence < 1.0;
    if units.len() < 2 || !rate_exists || resamples == 0 || !confidence_valid {
        return None;
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let mut differences = Vec::new();
    while differences.len() < resamples {
        let drawn = (0..units.len()).map(|_| units[random.usize(..units.len())]);
        differences.extend(drawn.fold(Unit::default(), Unit::plus).difference());
    }
    differences.sort_unstable_by(f64::total_cmp);
    let improved = differences.partition_point(|difference| *difference < 0.0);
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval {
        low: quantile(&differences, tail),
        high: quantile(&differences, 1.0 - tail),
        confidence,
        probability_of_improvement: improved as f64 / resamples as f64,
        resamples,
        units: units.len(),
    })
}

/// Errors and reference words of what is drawn together.
#[derive(Debug, Clone, Copy, Default)]
struct Unit {
    errors_a: u64,
    words_a: u64,
    errors_b: u64,
    words_b: u64,
}

impl Unit {
    fn of(pair: &UtterancePair<'_>) -> Self {
        Self {
            errors_a: pair.a.errors(),
            words_a: pair.a.reference_words,
            errors_b: pair.b.errors(),
            words_b: pair.b.reference_words,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            errors_a: self.errors_a + other.errors_a,
            words_a: self.words_a + other.words_a,
            errors_b: self.errors_b + other.errors_b,
            words_b: self.words_b + other.words_b,
        }
    }

    /// Rate of B minus rate of A.
    fn difference(self) -> Option<f64> {
        (self.words_a > 0 && self.words_b > 0)
            .then(|| self.errors_b as f64 / self.words_b as f64 - self.errors_a as f64 / self.words_a as f64)
    }
}

/// Groups in the order in which they first occur, so that a seed means the same on every machine.
fn units(pairs: &[UtterancePair<'_>]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut places = HashMap::new();
    for pair in pairs {
        let place = match pair.group {
            Some(group) => *places.entry(group).or_insert(units.len()),
            None => units.len(),
        };
        match units.get_mut(place) {
            Some(unit) => *unit = unit.plus(Unit::of(pair)),
            None => units.push(Unit::of(pair)),
        }
    }
    units
}

/// The value below which `share` of `sorted` lies, between two neighbours in proportion (the
/// seventh definition of Hyndman and Fan 1996). `sorted` is not empty, `share` in `[0, 1]`.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assert_close, pair};
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours_in_proportion() {
        let sorted = [1.0, 2.0, 3.0, 4.0, 10.0];
        for (share, expected) in [(0.0, 1.0), (0.1, 1.4), (0.5, 3.0), (0.9, 7.6), (1.0, 10.0)] {
            assert_close(quantile(&sorted, share), expected, "quantile");
        }
        assert_eq!(quantile(&[5.0], 0.975), 5.0);
    }

    #[test]
    fn a_seed_gives_one_result_and_another_seed_another() {
        let pairs: Vec<_> = (0..40).map(|n| pair(n % 5, n % 3, 7 + n % 4)).collect();
        let first = paired_bootstrap(&pairs, 500, 0.9, 3).unwrap();
        assert_eq!(paired_bootstrap(&pairs, 500, 0.9, 3), Some(first));
        assert_ne!(paired_bootstrap(&pairs, 500, 0.9, 4), Some(first));
        assert!(first.low < first.high);
    }

    #[test]
    fn grouped_utterances_are_drawn_together() {
        // Two speakers, one better under A, the other under B: only three draws are possible.
        let of = |name, a, b| UtterancePair { group: Some(name), ..pair(a, b, 10) };
        let pairs: Vec<_> = (0..50).flat_map(|_| [of("x", 2, 0), of("y", 0, 2)]).collect();
        let grouped = paired_bootstrap(&pairs, 2_000, 0.95, 1).unwrap();
        assert_eq!((grouped.low, grouped.high, grouped.units), (-0.2, 0.2, 2));
        assert!((grouped.probability_of_improvement - 0.25).abs() < 0.05);
        let alone: Vec<_> = pairs.iter().map(|p| UtterancePair { group: None, ..*p }).collect();
        let alone = paired_bootstrap(&alone, 2_000, 0.95, 1).unwrap();
        assert!(alone.low > -0.06 && alone.high < 0.06 && alone.units == 100, "{alone:?}");
    }

    #[test]
    fn utterances_without_a_group_are_not_a_group() {
        let named = UtterancePair { group: Some(""), ..pair(1, 0, 5) };
        assert_eq!(units(&[pair(1, 0, 5), named, pair(0, 1, 5), named]).len(), 3);
    }

    #[test]
    fn what_cannot_be_resampled_gives_none() {
        let pairs = [pair(1, 0, 5), pair(0, 1, 5)];
        assert!(paired_bootstrap(&pairs, 10, 0.95, 0).is_some());
        assert_eq!(paired_bootstrap(&pairs, 0, 0.95, 0), None);
        for confidence in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(paired_bootstrap(&pairs, 10, confidence, 0), None);
        }
        assert_eq!(paired_bootstrap(&pairs[..1], 10, 0.95, 0), None);
        assert_eq!(paired_bootstrap(&[], 10, 0.95, 0), None);
        assert_eq!(paired_bootstrap(&[pair(1, 0, 0), pair(0, 2, 0)], 10, 0.95, 0), None);
    }

    #[test]
    fn draws_without_words_are_drawn_again() {
        let pairs = [pair(1, 0, 0), pair(1, 2, 4)];
        let interval = paired_bootstrap(&pairs, 300, 0.95, 0).unwrap();
        assert!(interval.low.is_finite() && interval.high == 0.25, "{interval:?}");
    }
}
