//! Ratio of a percentile of latency, B over A, over a fleet.
//!
//! "The 95th percentile of B is 1.3 times that of A" is what people ask; the mean of differences
//! ([`ClusterSums::of_values`](super::ClusterSums::of_values)) is what is easy. A percentile is no sum, so all values
//! are kept, devices are drawn with replacement, and the spread of the logarithm of the ratio over the draws is its
//! standard error, with Student's t as in [`ratio_interval`](super::ratio_interval). The bounds are therefore as many
//! times below as above.

use super::cluster::ClusterSums;
use super::interval::{
    IntervalOptions, LEAST_EFFECTIVE_CLUSTERS, NoInterval, RatioInterval, effective_clusters,
};
use super::student::student_quantile;

/// What one device measured for each recognizer, in any one unit, all above 0.
#[derive(Debug, Clone, Copy)]
pub struct PairedLatencies<'a> {
    /// Of A.
    pub a: &'a [f64],
    /// Of B, of the same utterances. The order does not matter.
    pub b: &'a [f64],
}

/// Interval of the percentile `share` of B over that of A; `share` is above 0 and below 1, such as 0.95.
///
/// A percentile is the least value that at least `share` of the utterances do not exceed.
/// [`RatioInterval::standard_error`] is that of the ratio, to first order. Time grows with draws times utterances.
///
/// # Errors
///
/// As [`ratio_interval`](super::ratio_interval); [`NoInterval::NotFinite`] also for values that are not above 0, and
/// [`NoInterval::Options`] for a `share` out of range.
pub fn percentile_ratio(
    devices: &[PairedLatencies<'_>],
    share: f64,
    options: &IntervalOptions,
) -> Result<RatioInterval, NoInterval> {
    if !(options.valid() && share > 0.0 && share < 1.0) {
        return Err(NoInterval::Options);
    }
    let devices: Vec<_> = devices.iter().filter(|d| !d.a.is_empty() && !d.b.is_empty()).collect();
    let sizes: Vec<_> = devices
        .iter()
        .map(|device| ClusterSums { numerator: 0.0, denominator: device.a.len() as f64 })
        .collect();
    let (count, effective) = (devices.len(), effective_clusters(&sizes));
    if count == 0 {
        return Err(NoInterval::NoDenominator);
    }
    if effective < LEAST_EFFECTIVE_CLUSTERS - 1e-9 {
        return Err(NoInterval::TooFewClusters { clusters: count, effective });
    }
    let a = Pooled::new(devices.iter().map(|device| device.a))?;
    let b = Pooled::new(devices.iter().map(|device| device.b))?;
    let once = vec![1_u32; count];
    let estimate = b.percentile(share, &once) / a.percentile(share, &once);

    let mut random = fastrand::Rng::with_seed(options.seed);
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..options.resamples {
        let mut times = vec![0_u32; count];
        for _ in 0..count {
            times[random.usize(..count)] += 1;
        }
        let off = (b.percentile(share, &times) / a.percentile(share, &times) / estimate).ln();
        sum += off;
        squares += off * off;
    }
    let draws = options.resamples as f64;
    let variance = (squares - sum * sum / draws).max(0.0) / (draws - 1.0);
    // Drawing with replacement shows (n - 1) / n of the variance.
    let error = (variance * count as f64 / (count as f64 - 1.0)).sqrt();
    if error < 1e-12 {
        return Err(NoInterval::NoSpread { clusters: count, differing: 0 });
    }
    let reach = (error * student_quantile(effective - 1.0, options.tail())).exp();
    Ok(RatioInterval {
        estimate,
        low: estimate / reach,
        high: estimate * reach,
        confidence: options.confidence,
        standard_error: estimate * error,
        clusters: count,
        effective_clusters: effective,
        resamples: options.resamples,
    })
}

/// Values of all devices, the smallest first, each with the number of its device.
struct Pooled {
    values: Vec<(f64, u32)>,
    /// Values of each device.
    sizes: Vec<u64>,
}

impl Pooled {
    fn new<'a>(devices: impl Iterator<Item = &'a [f64]>) -> Result<Self, NoInterval> {
        let (mut values, mut sizes) = (Vec::new(), Vec::new());
        for (number, device) in (0..).zip(devices) {
            if device.iter().any(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(NoInterval::NotFinite);
            }
            values.extend(device.iter().map(|value| (*value, number)));
            sizes.push(device.len() as u64);
        }
        values.sort_unstable_by(|(left, _), (right, _)| left.total_cmp(right));
        Ok(Self { values, sizes })
    }

    /// With each device counted `times[device]` times, at least one of them once.
    fn percentile(&self, share: f64, times: &[u32]) -> f64 {
        let total: u64 = self.sizes.iter().zip(times).map(|(size, times)| size * u64::from(*times)).sum();
        let wanted = ((share * total as f64).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        for &(value, device) in &self.values {
            seen += u64::from(times[device as usize]);
            if seen >= wanted {
                return value;
            }
        }
        self.values[self.values.len() - 1].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick() -> IntervalOptions {
        IntervalOptions { resamples: 300, ..IntervalOptions::default() }
    }

    /// Latencies of 10 devices; B takes twice as long, a little more or less.
    fn fleet() -> Vec<(Vec<f64>, Vec<f64>)> {
        let mut random = fastrand::Rng::with_seed(4);
        (0..10)
            .map(|_| {
                let pace = 80.0 + 40.0 * random.f64();
                let a: Vec<_> = (0..60).map(|_| pace * (0.5 + random.f64())).collect();
                let b = a.iter().map(|value| value * (1.8 + 0.4 * random.f64())).collect();
                (a, b)
            })
            .collect()
    }

    fn views(fleet: &[(Vec<f64>, Vec<f64>)]) -> Vec<PairedLatencies<'_>> {
        fleet.iter().map(|(a, b)| PairedLatencies { a, b }).collect()
    }

    #[test]
    fn a_recognizer_that_takes_twice_as_long_shows_two() {
        let fleet = fleet();
        let interval = percentile_ratio(&views(&fleet), 0.95, &quick()).unwrap();
        assert!(interval.low > 1.9 && interval.estimate > 1.95, "{interval:?}");
        assert!(interval.high < 2.25 && interval.estimate < 2.15, "{interval:?}");
        assert_eq!(percentile_ratio(&views(&fleet), 0.95, &quick()), Ok(interval));
    }

    #[test]
    fn percentiles_are_the_least_value_that_enough_do_not_exceed() {
        let pooled = Pooled::new([[1.0, 3.0].as_slice(), &[2.0, 4.0]].into_iter()).unwrap();
        let of = |share, times: [u32; 2]| pooled.percentile(share, &times);
        assert_eq!((of(0.5, [1, 1]), of(0.51, [1, 1]), of(0.95, [1, 1])), (2.0, 3.0, 4.0));
        assert_eq!((of(0.5, [1, 0]), of(0.95, [3, 0]), of(0.01, [0, 2])), (1.0, 3.0, 2.0));
    }

    #[test]
    fn too_few_devices_no_spread_and_bad_values_are_refused() {
        let fleet = fleet();
        let refused = percentile_ratio(&views(&fleet[..4]), 0.5, &quick()).unwrap_err();
        assert!(matches!(refused, NoInterval::TooFewClusters { clusters: 4, .. }));
        assert_eq!(percentile_ratio(&[], 0.5, &quick()), Err(NoInterval::NoDenominator));
        let same = [PairedLatencies { a: &[2.0], b: &[3.0] }; 8];
        let refused = percentile_ratio(&same, 0.5, &quick()).unwrap_err();
        assert!(matches!(refused, NoInterval::NoSpread { .. }));
        let zero = [PairedLatencies { a: &[2.0], b: &[0.0] }; 8];
        assert_eq!(percentile_ratio(&zero, 0.5, &quick()), Err(NoInterval::NotFinite));
        for share in [0.0, 1.0, f64::NAN] {
            assert_eq!(percentile_ratio(&views(&fleet), share, &quick()), Err(NoInterval::Options));
        }
    }
}
