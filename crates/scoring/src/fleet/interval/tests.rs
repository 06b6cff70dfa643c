use proptest::prelude::*;

use super::*;

fn device(numerator: f64, denominator: f64) -> ClusterSums {
    ClusterSums { numerator, denominator }
}

fn quick() -> IntervalOptions {
    IntervalOptions { resamples: 500, ..IntervalOptions::default() }
}

fn spread(count: usize) -> Vec<ClusterSums> {
    (0..count).map(|n| device((n % 5) as f64, 40.0 + (n % 3) as f64)).collect()
}

#[test]
fn a_seed_gives_one_interval_and_another_seed_another() {
    let devices = spread(12);
    let first = ratio_interval(&devices, &quick()).unwrap();
    assert_eq!(ratio_interval(&devices, &quick()).unwrap(), first);
    assert_ne!(ratio_interval(&devices, &IntervalOptions { seed: 4, ..quick() }).unwrap(), first);
    assert!(first.low < first.estimate && first.estimate < first.high, "{first:?}");
}

#[test]
fn four_devices_are_too_few_and_five_equal_ones_are_not() {
    let refused = ratio_interval(&spread(4), &quick()).unwrap_err();
    assert!(matches!(refused, NoInterval::TooFewClusters { clusters: 4, .. }), "{refused}");
    let five: Vec<_> = (0..5).map(|n| device(f64::from(n), 40.0)).collect();
    assert!(ratio_interval(&five, &quick()).is_ok());
}

#[test]
fn a_device_that_has_almost_everything_makes_many_devices_few() {
    let mut devices = spread(30);
    devices.push(device(900.0, 9_000.0));
    let refused = ratio_interval(&devices, &quick()).unwrap_err();
    let NoInterval::TooFewClusters { clusters: 31, effective } = refused else { panic!("{refused}") };
    assert!(effective < 2.0);
    assert!(refused.to_string().contains("31, worth 1."), "{refused}");
}

#[test]
fn devices_without_anything_do_not_count() {
    let mut devices = spread(9);
    let without = ratio_interval(&devices, &quick()).unwrap();
    devices.resize(300, ClusterSums::default());
    assert_eq!(ratio_interval(&devices, &quick()).unwrap(), without);
}

#[test]
fn without_spread_there_is_no_interval_of_width_zero() {
    let same: Vec<_> = (1..=20).map(|n| device(0.1 * f64::from(n), f64::from(n))).collect();
    let refused = ratio_interval(&same, &quick()).unwrap_err();
    assert!(matches!(refused, NoInterval::NoSpread { clusters: 20, .. }), "{refused}");
    let mut zero = vec![device(0.0, 50.0); 20];
    let refused = NoInterval::NoSpread { clusters: 20, differing: 0 };
    assert_eq!(ratio_interval(&zero, &quick()), Err(refused));
    // With one of twenty, a third of the draws are all zeros.
    zero[3].numerator = 4.0;
    let refused = NoInterval::NoSpread { clusters: 20, differing: 1 };
    assert_eq!(ratio_interval(&zero, &quick()), Err(refused));
    for (place, device) in (4..9).zip(&mut zero[4..9]) {
        device.numerator = f64::from(place);
    }
    assert!(ratio_interval(&zero, &quick()).is_ok());
}

#[test]
fn what_cannot_be_divided_or_is_no_number_is_refused() {
    assert_eq!(ratio_interval(&[], &quick()), Err(NoInterval::NoDenominator));
    assert_eq!(ratio_interval(&[device(3.0, 0.0); 20], &quick()), Err(NoInterval::NoDenominator));
    let mut devices = spread(12);
    devices[2].numerator = f64::NAN;
    assert_eq!(ratio_interval(&devices, &quick()), Err(NoInterval::NotFinite));
    devices[2] = device(1.0, f64::INFINITY);
    assert_eq!(ratio_interval(&devices, &quick()), Err(NoInterval::NotFinite));
    for confidence in [0.0, 1.0, -1.0, f64::NAN] {
        let options = IntervalOptions { confidence, ..quick() };
        assert_eq!(ratio_interval(&spread(12), &options), Err(NoInterval::Options));
    }
    let options = IntervalOptions { resamples: 99, ..quick() };
    assert_eq!(ratio_interval(&spread(12), &options), Err(NoInterval::Options));
}

/// With equal sizes the ratio is a mean over devices.
#[test]
fn equal_devices_give_about_the_interval_of_a_mean() {
    let values = [1.0, 4.0, 2.0, 6.0, 3.0, 5.0, 2.0, 4.0, 3.0, 5.0];
    let interval = ratio_interval(&values.map(|value| device(value, 10.0)), &quick()).unwrap();
    let mean = values.iter().sum::<f64>() / 10.0;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 9.0;
    let error = (variance / 10.0).sqrt() / 10.0;
    assert!((interval.standard_error - error).abs() < 1e-12);
    // scipy.stats.t.isf(0.025, 9)
    let half = 2.262157162740992 * error;
    let halves = [interval.estimate - interval.low, interval.high - interval.estimate];
    assert!(halves.into_iter().all(|ours| ours > 0.9 * half && ours < 1.3 * half), "{halves:?}, {half}");
}

#[test]
fn wider_bounds_hold_those_between() {
    for devices in [spread(12), [device(0.0, 50.0), device(7.0, 50.0), device(1.0, 50.0)].repeat(3)] {
        let between = ratio_interval(&devices, &quick()).unwrap();
        let wider = ratio_interval(&devices, &IntervalOptions { bounds: Bounds::Wider, ..quick() }).unwrap();
        assert!(wider.low <= between.low && wider.high >= between.high, "{wider:?} {between:?}");
        assert_ne!(wider, between);
    }
}

#[test]
fn rare_and_large_counts_stretch_the_interval_upwards() {
    let mut devices = vec![device(0.0, 50.0); 14];
    devices.extend([1.0, 1.0, 2.0, 3.0, 8.0, 12.0].map(|edits| device(edits, 50.0)));
    let interval = ratio_interval(&devices, &quick()).unwrap();
    let (below, above) = (interval.estimate - interval.low, interval.high - interval.estimate);
    assert!(above > 1.2 * below, "{interval:?}");
}

proptest! {
    #[test]
    fn any_sums_give_an_ordered_interval_or_a_reason(
        sums in prop::collection::vec((-1e6_f64..1e6, -10.0_f64..1e6), 0..40),
        seed in any::<u64>(),
    ) {
        let devices: Vec<_> = sums.into_iter().map(|(n, d)| device(n.round(), d.round())).collect();
        let options = IntervalOptions { resamples: 100, seed, ..IntervalOptions::default() };
        if let Ok(interval) = ratio_interval(&devices, &options) {
            prop_assert!(interval.low < interval.estimate && interval.estimate < interval.high);
            prop_assert!(interval.low.is_finite() && interval.high.is_finite());
        }
    }

    #[test]
    fn units_do_not_matter(scale in 1e-6_f64..1e6) {
        let devices = spread(12);
        let scaled: Vec<_> = devices.iter().map(|d| device(d.numerator * scale, d.denominator)).collect();
        let (plain, scaled) =
            (ratio_interval(&devices, &quick()).unwrap(), ratio_interval(&scaled, &quick()).unwrap());
        prop_assert!((scaled.high / scale - plain.high).abs() < 1e-9);
        prop_assert!((scaled.low / scale - plain.low).abs() < 1e-9);
    }
}
