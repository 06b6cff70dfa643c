use proptest::prelude::*;

use super::*;

const QUANTILES: [f64; 9] = [0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0];

fn sketch(values: &[f64]) -> LatencySketch {
    let mut sketch = LatencySketch::default();
    for value in values {
        assert!(sketch.add(*value));
    }
    sketch
}

/// The same counts; a sum may depend on the order by rounding.
#[track_caller]
fn assert_same(left: &LatencySketch, right: &LatencySketch) {
    assert_eq!((left.count(), left.min(), left.max()), (right.count(), right.min(), right.max()));
    assert_eq!(QUANTILES.map(|q| left.quantile(q)), QUANTILES.map(|q| right.quantile(q)));
    assert!((left.sum() - right.sum()).abs() <= 1e-9 * MOST_VALUE, "{} {}", left.sum(), right.sum());
}

fn resigned(mut content: Vec<u8>) -> Vec<u8> {
    let checksum = Sha256::digest(&content);
    content.extend(&checksum[..CHECKSUM_BYTES]);
    content
}

fn latencies() -> impl Strategy<Value = Vec<f64>> {
    let any_size = || (-6.0_f64..11.0).prop_map(|exponent| 10_f64.powf(exponent));
    let ends =
        prop_oneof![Just(0.0), Just(MOST_VALUE), Just(LEAST_VALUE), Just(-MOST_VALUE), Just(-LEAST_VALUE)];
    let value = prop_oneof![6 => any_size(), 3 => any_size().prop_map(|value| -value), 1 => ends];
    prop::collection::vec(value, 0..200)
}

#[test]
fn an_empty_sketch_has_no_quantile_and_stores() {
    let empty = LatencySketch::default();
    assert_eq!((empty.count(), empty.sum(), empty.quantile(0.5), empty.min()), (0, 0.0, None, None));
    assert_eq!(LatencySketch::from_bytes(&empty.to_bytes()), Ok(empty));
}

#[test]
fn what_is_no_number_is_left_out_and_zero_is_one() {
    let mut sketch = LatencySketch::default();
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(!sketch.add(value));
    }
    assert_eq!(sketch.count(), 0);
    assert!(sketch.add(0.0) && sketch.add(-1e-300) && sketch.add(1e-7) && sketch.add(5.0));
    assert_eq!((sketch.count(), sketch.quantile(0.5), sketch.min()), (4, Some(0.0), Some(0.0)));
    assert_eq!(LatencySketch::from_bytes(&sketch.to_bytes()), Ok(sketch));
}

#[test]
fn what_is_beyond_the_ends_counts_as_the_end() {
    let sketch = sketch(&[f64::MAX, 1e12, -1e300]);
    assert_eq!((sketch.quantile(0.5), sketch.max()), (Some(MOST_VALUE), Some(MOST_VALUE)));
    assert_eq!((sketch.quantile(0.0), sketch.min()), (Some(-MOST_VALUE), Some(-MOST_VALUE)));
}

#[test]
fn levels_below_full_scale_have_percentiles_too() {
    let levels: Vec<f64> = (0..=60).map(|level| -f64::from(level)).collect();
    let sketch = sketch(&levels);
    let median = sketch.quantile(0.5).unwrap();
    assert!((median + 30.0).abs() <= 0.3, "{median}");
    assert_eq!((sketch.min(), sketch.max()), (Some(-60.0), Some(0.0)));
    assert_eq!(LatencySketch::from_bytes(&sketch.to_bytes()), Ok(sketch));
}

#[test]
fn quantiles_out_of_range_are_none() {
    for q in [-0.1, 1.1, f64::NAN] {
        assert_eq!(sketch(&[1.0]).quantile(q), None);
    }
}

#[test]
fn an_hour_of_a_device_takes_a_few_hundred_bytes() {
    let mut random = fastrand::Rng::with_seed(1);
    let values: Vec<f64> = (0..3_600).map(|_| 200.0 * (random.f64() + random.f64() + random.f64())).collect();
    let bytes = sketch(&values).to_bytes();
    assert!(bytes.len() < 700, "{} bytes", bytes.len());
}

#[test]
fn a_later_version_says_so() {
    let mut content = sketch(&[1.0, 2.0]).to_bytes();
    content.truncate(content.len() - CHECKSUM_BYTES);
    content[0] = 2;
    assert_eq!(LatencySketch::from_bytes(&resigned(content)), Err(BadSketch::Version(2)));
    assert_eq!(LatencySketch::from_bytes(&[]), Err(BadSketch::Damaged));
    assert_eq!(LatencySketch::from_bytes(&[VERSION]), Err(BadSketch::Damaged));
}

#[test]
fn the_outermost_values_are_in_the_outermost_bins() {
    let config = Config::defaults();
    assert_eq!(i64::from(config.key(LEAST_VALUE)), LEAST_BIN);
    assert_eq!(i64::from(config.key(MOST_VALUE)), MOST_BIN);
    assert!((config.gamma - (1.0 + RELATIVE_ACCURACY) / (1.0 - RELATIVE_ACCURACY)).abs() < 1e-15);
}

proptest! {
    #[test]
    fn merged_parts_equal_the_whole_in_any_order(values in latencies(), cuts in prop::collection::vec(0..4_usize, 200)) {
        let mut parts = vec![LatencySketch::default(); 4];
        for (value, part) in values.iter().zip(&cuts) {
            parts[*part].add(*value);
        }
        let merge = |order: [usize; 4]| {
            let mut sum = LatencySketch::default();
            order.into_iter().for_each(|part| sum.merge(&parts[part]));
            sum
        };
        let whole = sketch(&values);
        assert_same(&merge([0, 1, 2, 3]), &whole);
        assert_same(&merge([3, 1, 0, 2]), &whole);
        let mut backwards = values;
        backwards.reverse();
        assert_same(&sketch(&backwards), &whole);
    }

    #[test]
    fn every_quantile_is_within_one_percent_of_the_exact_one(values in latencies(), q in 0.0_f64..=1.0) {
        let sketch = sketch(&values);
        let mut sorted = values;
        sorted.sort_unstable_by(f64::total_cmp);
        let exact = sorted.get((q * (sorted.len().max(1) - 1) as f64) as usize);
        match (sketch.quantile(q), exact) {
            (Some(ours), Some(exact)) => {
                prop_assert!((ours - exact).abs() <= exact.abs() * RELATIVE_ACCURACY * (1.0 + 1e-9), "{ours} for {exact}");
            }
            (ours, exact) => prop_assert_eq!(ours, exact.copied()),
        }
    }

    #[test]
    fn stored_sketches_come_back_as_they_were(values in latencies()) {
        let sketch = sketch(&values);
        let mut back = LatencySketch::from_bytes(&sketch.to_bytes()).unwrap();
        prop_assert_eq!(&back, &sketch);
        // And go on.
        back.merge(&sketch);
        prop_assert!(back.add(3.0));
        prop_assert_eq!(back.count(), 2 * sketch.count() + 1);
    }

    #[test]
    fn a_changed_byte_is_found(values in latencies(), place in any::<prop::sample::Index>(), change in 1_u8..) {
        let mut bytes = sketch(&values).to_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        prop_assert!(LatencySketch::from_bytes(&bytes).is_err());
        bytes.truncate(place);
        prop_assert!(LatencySketch::from_bytes(&bytes).is_err());
    }

    /// Whoever forges the checksum too gets an error or a sketch that works, and no panic.
    #[test]
    fn forged_bytes_never_panic(noise in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut content = vec![VERSION];
        content.extend(noise);
        if let Ok(mut sketch) = LatencySketch::from_bytes(&resigned(content)) {
            let copy = sketch.clone();
            sketch.merge(&copy);
            let _ = sketch.quantile(0.9);
        }
    }

    #[test]
    fn forged_changes_never_panic(
        values in latencies(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut content = sketch(&values).to_bytes();
        content.truncate(content.len() - CHECKSUM_BYTES);
        for (place, byte) in changes {
            let place = 1 + place.index(content.len() - 1);
            content[place] = byte;
        }
        if let Ok(mut forged) = LatencySketch::from_bytes(&resigned(content)) {
            forged.merge(&sketch(&values));
            prop_assert!(forged.quantile(0.5).is_none_or(f64::is_finite));
        }
    }
}
