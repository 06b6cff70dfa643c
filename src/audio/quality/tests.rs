use std::f64::consts::PI;

use proptest::prelude::*;

use super::loudness::{Biquad, loudness_lufs};
use super::*;
use crate::audio::SILENCE_DBFS;

fn tone(hz: f64, amplitude: f64, samples: usize) -> Vec<f32> {
    (0..samples).map(|n| (amplitude * (2.0 * PI * hz * n as f64 / 16_000.0).sin()) as f32).collect()
}

fn noise(samples: usize, seed: u64) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..samples).map(|_| random.f32() * 0.4 - 0.2).collect()
}

fn measure(samples: &[f32]) -> Quality {
    QualityMeter::new().measure(samples)
}

#[test]
fn at_48_khz_the_filters_are_those_printed_in_the_recommendation() {
    let (shelf, high_pass) = (Biquad::shelf(48_000.0), Biquad::high_pass(48_000.0));
    let printed = [
        (shelf.b[0], 1.53512485958697),
        (shelf.b[1], -2.69169618940638),
        (shelf.b[2], 1.19839281085285),
        (shelf.a[0], -1.69065929318241),
        (shelf.a[1], 0.73248077421585),
        (high_pass.a[0], -1.99004745483398),
        (high_pass.a[1], 0.99007225036621),
    ];
    for (ours, theirs) in printed {
        assert!((ours - theirs).abs() < 1e-9, "{ours} and {theirs}");
    }
}

/// The recommendation's own check: a full-scale sine near 1 kHz in one channel reads -3.01 LUFS. At 16 kHz the transform bends the shelf by 0.04 dB there.
#[test]
fn a_full_scale_sine_at_997_hz_is_at_minus_3_lufs() {
    let loudness = loudness_lufs(&tone(997.0, 1.0, 16_000 * 5)).unwrap();
    assert!((loudness + 3.01).abs() < 0.05, "{loudness}");
}

#[test]
fn pauses_do_not_lower_the_loudness_and_silence_has_none() {
    let mut samples = tone(997.0, 0.1, 16_000 * 4);
    let alone = loudness_lufs(&samples).unwrap();
    samples.extend(vec![0.0; 16_000 * 4]);
    let gated = loudness_lufs(&samples).unwrap();
    assert!((alone - gated).abs() < 0.4, "{alone} and {gated}");
    assert_eq!(loudness_lufs(&vec![0.0; 16_000]), None);
    assert_eq!(loudness_lufs(&tone(997.0, 0.5, 6_399)), None, "below 400 ms");
    assert!(loudness_lufs(&tone(997.0, 0.5, 6_400)).is_some());
}

/// Step by step after the text of the recommendation, with nothing saved between blocks.
fn loudness_by_the_book(samples: &[f32]) -> Option<f64> {
    let mut filtered = samples.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    for filter in [Biquad::shelf(16_000.0), Biquad::high_pass(16_000.0)] {
        let input = filtered.clone();
        let past = |signal: &[f64], n: usize, back: usize| if n >= back { signal[n - back] } else { 0.0 };
        for n in 0..input.len() {
            filtered[n] = (0..3).map(|k| filter.b[k] * past(&input, n, k)).sum::<f64>()
                - (1..3).map(|k| filter.a[k - 1] * past(&filtered, n, k)).sum::<f64>();
        }
    }
    let mut powers = Vec::new();
    let mut start = 0;
    while start + 6_400 <= filtered.len() {
        powers.push(filtered[start..start + 6_400].iter().map(|y| y * y).sum::<f64>() / 6_400.0);
        start += 1_600;
    }
    let gate = |powers: Vec<f64>, gate: f64| -> Vec<f64> {
        powers.into_iter().filter(|p| -0.691 + 10.0 * p.log10() > gate).collect()
    };
    let mean = |powers: &[f64]| powers.iter().sum::<f64>() / powers.len() as f64;
    let loud = gate(powers, -70.0);
    if loud.is_empty() {
        return None;
    }
    let relative = -0.691 + 10.0 * mean(&loud).log10() - 10.0;
    Some(-0.691 + 10.0 * mean(&gate(loud, relative)).log10())
}

#[test]
fn the_streamed_loudness_is_that_of_the_book() {
    for (seed, seconds) in [(1, 1), (2, 3), (3, 7)] {
        let mut samples = noise(16_000 * seconds + 77, seed);
        samples.iter_mut().enumerate().for_each(|(n, x)| *x *= ((n / 8_000) % 3) as f32 / 2.0);
        let (ours, book) = (loudness_lufs(&samples).unwrap(), loudness_by_the_book(&samples).unwrap());
        assert!((ours - book).abs() < 1e-9, "{ours} and {book}");
    }
}

#[test]
fn the_bandwidth_of_tones_is_the_highest_and_hum_does_not_count() {
    let mut samples = tone(3_000.0, 0.1, 16_000);
    tone(100.0, 0.9, 16_000).iter().zip(&mut samples).for_each(|(hum, x)| *x += hum);
    let bandwidth = measure(&samples).bandwidth_hz.unwrap();
    assert!((bandwidth - 3_000.0).abs() < 40.0, "{bandwidth}");
    let white = measure(&noise(16_000 * 3, 9)).bandwidth_hz.unwrap();
    assert!((7_850.0..=8_000.0).contains(&white), "white noise fills the band: {white}");
}

#[test]
fn a_band_that_ends_at_4_khz_reads_4_khz() {
    // A telephone band by Fourier synthesis: random phases, nothing above 3.4 kHz.
    let mut random = fastrand::Rng::with_seed(4);
    let mut samples = vec![0.0_f32; 16_000];
    for hz in (300..3_400).step_by(50) {
        let phase = random.f64() * 2.0 * PI;
        for (n, x) in samples.iter_mut().enumerate() {
            *x += (0.01 * (2.0 * PI * f64::from(hz) * n as f64 / 16_000.0 + phase).sin()) as f32;
        }
    }
    let bandwidth = measure(&samples).bandwidth_hz.unwrap();
    assert!((3_300.0..3_420.0).contains(&bandwidth), "{bandwidth}");
}

#[test]
fn nothing_and_silence_have_no_band_and_no_loudness() {
    for samples in [vec![], vec![0.0; 10], vec![0.0; 32_000]] {
        let quality = measure(&samples);
        assert_eq!((quality.bandwidth_hz, quality.loudness_lufs), (None, None));
        assert_eq!((quality.level.rms_dbfs, quality.level.peak_dbfs), (SILENCE_DBFS, SILENCE_DBFS));
    }
}

#[test]
fn samples_that_are_no_numbers_are_counted_and_heard_as_silence() {
    let mut samples = tone(997.0, 0.5, 16_000);
    let whole = measure(&samples);
    samples[100] = f32::NAN;
    samples[200] = f32::INFINITY;
    samples[300] = f32::NEG_INFINITY;
    let holed = measure(&samples);
    assert_eq!((whole.missing_samples, holed.missing_samples), (0, 3));
    assert!((whole.loudness_lufs.unwrap() - holed.loudness_lufs.unwrap()).abs() < 0.01);
}

fn any_sample() -> impl Strategy<Value = f32> {
    prop_oneof![8 => -1.0_f32..1.0, 1 => any::<f32>(), 1 => Just(f32::NAN), 1 => Just(f32::MAX), 1 => Just(0.0)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_comes_in_only_numbers_come_out(samples in prop::collection::vec(any_sample(), 0..8_000)) {
        let quality = measure(&samples);
        let level = quality.level;
        for value in [level.rms_dbfs, level.peak_dbfs, level.dc_offset, level.clipped_ratio, level.zero_run_seconds] {
            prop_assert!(value.is_finite());
        }
        prop_assert!((0.0..=1.0).contains(&level.clipped_ratio));
        prop_assert!(quality.loudness_lufs.is_none_or(f64::is_finite));
        prop_assert!(quality.bandwidth_hz.is_none_or(|hz| (200.0..=8_000.0).contains(&hz)));
        prop_assert_eq!(quality.missing_samples as usize, samples.iter().filter(|x| !x.is_finite()).count());
    }

    #[test]
    fn gain_moves_levels_by_itself_and_leaves_the_band(seed in 0_u64..1_000, gain in 0.05_f32..1.0) {
        let samples = noise(16_000, seed);
        let softer: Vec<f32> = samples.iter().map(|x| x * gain).collect();
        let (loud, soft) = (measure(&samples), measure(&softer));
        let db = 20.0 * f64::from(gain).log10();
        prop_assert!((soft.loudness_lufs.unwrap() - loud.loudness_lufs.unwrap() - db).abs() < 0.01);
        prop_assert!((f64::from(soft.level.rms_dbfs - loud.level.rms_dbfs) - db).abs() < 0.01);
        prop_assert!((soft.bandwidth_hz.unwrap() - loud.bandwidth_hz.unwrap()).abs() < 16.0);
    }
}
