use std::f64::consts::PI;

use super::*;

const RATES: [u32; 12] =
    [8_000, 11_025, 12_000, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];
/// No small ratio to 16 kHz: their FFT blocks last 1 or 2 s.
const ODD_RATES: [u32; 4] = [8_009, 12_347, 44_101, 191_999];

fn resample(hz: u32, input: &[f32], block: usize) -> Vec<f32> {
    let mut resampler = Resampler::new(SampleRate::new(hz).unwrap()).unwrap();
    let mut out = Vec::new();
    for part in input.chunks(block) {
        resampler.push(part, &mut out).unwrap();
    }
    resampler.finish(&mut out).unwrap();
    out
}

fn tones(hz: u32, seconds: f64, frequencies: &[f64]) -> Vec<f32> {
    let n = (seconds * f64::from(hz)).round() as usize;
    let at = |t: f64| {
        frequencies.iter().map(|f| (2.0 * PI * f * t + f).sin()).sum::<f64>() / frequencies.len() as f64
    };
    (0..n).map(|i| at(i as f64 / f64::from(hz)) as f32).collect()
}

fn rms(samples: &[f32]) -> f64 {
    (samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.log10()
}

/// The middle of a signal, away from its abrupt ends.
fn middle(samples: &[f32]) -> &[f32] {
    &samples[samples.len() / 4..samples.len() * 3 / 4]
}

/// Error of `got` against `wanted`, in dB below `wanted`.
fn error_db(got: &[f32], wanted: &[f32]) -> f64 {
    let difference: Vec<f32> = got.iter().zip(wanted).map(|(a, b)| a - b).collect();
    db(rms(&difference) / rms(wanted))
}

/// The textbook: every output sample as a Hann-windowed sinc sum over 2 x 600 input samples (of the lower rate).
fn slow_reference(hz: u32, input: &[f32]) -> Vec<f32> {
    let rate = f64::from(hz);
    let cut = (16_000.0 / rate).min(1.0) * 0.97;
    let reach = (600.0 / cut) as i64;
    let length = output_length(input.len() as u64, SampleRate::new(hz).unwrap());
    (0..length)
        .map(|n| {
            let centre = n as f64 * rate / 16_000.0;
            let first = (centre as i64 - reach).max(0);
            let last = (centre as i64 + reach).min(input.len() as i64 - 1);
            let sum: f64 = (first..=last)
                .map(|i| {
                    let x = centre - i as f64;
                    let sinc = if x == 0.0 { cut } else { (PI * cut * x).sin() / (PI * x) };
                    let window = 0.5 + 0.5 * (PI * x / (reach as f64 + 1.0)).cos();
                    f64::from(input[i as usize]) * sinc * window
                })
                .sum();
            sum as f32
        })
        .collect()
}

#[test]
fn at_16_khz_samples_pass_bit_for_bit() {
    let input: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.731).sin() * 1.3).collect();
    let out = resample(16_000, &input, 77);
    assert!(out.iter().zip(&input).all(|(a, b)| a.to_bits() == b.to_bits()) && out.len() == input.len());
}

#[test]
fn the_output_is_as_long_as_the_input_lasts() {
    for hz in RATES.into_iter().chain(ODD_RATES) {
        for n in [0, 1, 7, 159, 1_000, 12_345, 100_003_usize] {
            let wanted = (n as f64 * 16_000.0 / f64::from(hz)).round();
            let got = resample(hz, &vec![0.1; n], 4_096).len();
            assert!((got as f64 - wanted).abs() <= 1.0, "{hz} Hz, {n} samples: {got}, wanted {wanted}");
        }
    }
}

#[test]
fn speech_band_tones_keep_their_frequency_level_and_phase() {
    let frequencies = [110.0, 437.0, 1_310.0, 2_953.0, 3_411.0];
    let wanted = tones(16_000, 1.0, &frequencies);
    for hz in RATES.into_iter().chain(ODD_RATES) {
        let got = resample(hz, &tones(hz, 1.0, &frequencies), 1_000);
        let error = error_db(middle(&got), middle(&wanted));
        assert!(error < -60.0, "{hz} Hz: error {error:.1} dB");
    }
}

#[test]
fn the_pass_band_reaches_7_khz() {
    for hz in [22_050, 44_100, 48_000, 192_000, 44_101] {
        let level = db(rms(middle(&resample(hz, &tones(hz, 1.0, &[7_000.0]), 960))) / (0.5_f64).sqrt());
        assert!(level.abs() < 0.1, "{hz} Hz: 7 kHz comes out at {level:.2} dB");
    }
}

#[test]
fn what_16_khz_cannot_hold_vanishes_instead_of_folding_back() {
    for hz in [22_050, 44_100, 48_000, 96_000, 192_000, 44_101, 191_999] {
        for tone in [8_500.0, 9_700.0, 12_000.0, 20_000.0, 47_000.0, 90_000.0] {
            if tone < f64::from(hz) * 0.49 {
                let level = db(rms(middle(&resample(hz, &tones(hz, 1.0, &[tone]), 960))) / (0.5_f64).sqrt());
                assert!(level < -60.0, "{tone} Hz at {hz} Hz leaves {level:.1} dB");
            }
        }
    }
}

#[test]
fn an_impulse_stays_where_it_was() {
    for hz in RATES.into_iter().chain(ODD_RATES) {
        for second in [0.0, 0.25, 0.5, 0.999] {
            let mut input = vec![0.0; hz as usize];
            let at = (second * f64::from(hz)) as usize;
            input[at] = 1.0;
            let out = resample(hz, &input, 512);
            let peak = (0..out.len()).max_by(|a, b| out[*a].abs().total_cmp(&out[*b].abs())).unwrap();
            let wanted = at as f64 * 16_000.0 / f64::from(hz);
            assert!(
                (peak as f64 - wanted).abs() <= 1.0,
                "{hz} Hz: impulse at {wanted:.1} came out at {peak}"
            );
        }
    }
}

#[test]
fn the_block_size_does_not_matter() {
    for hz in [8_000, 11_025, 44_100, 48_000, 12_347] {
        let input = tones(hz, 0.4, &[300.0, 1_234.5]);
        let whole = resample(hz, &input, input.len());
        for block in [1, 13, 480, 4_097] {
            assert_eq!(resample(hz, &input, block), whole, "{hz} Hz in blocks of {block}");
        }
    }
}

#[test]
fn it_agrees_with_a_slow_windowed_sinc_on_noise_in_the_speech_band() {
    let mut random = fastrand::Rng::with_seed(7);
    for hz in [8_000, 11_025, 44_100, 48_000, 44_101] {
        // Noise as many tones up to 3.4 kHz, at random frequencies.
        let frequencies: Vec<f64> = (0..60).map(|_| 60.0 + 3_340.0 * random.f64()).collect();
        let input = tones(hz, 0.5, &frequencies);
        let error = error_db(middle(&resample(hz, &input, 777)), middle(&slow_reference(hz, &input)));
        assert!(error < -60.0, "{hz} Hz: {error:.1} dB");
    }
}

#[test]
fn after_the_end_a_new_stream_starts_clean() {
    let input = tones(48_000, 0.3, &[500.0]);
    let mut resampler = Resampler::new(SampleRate::new(48_000).unwrap()).unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for out in [&mut first, &mut second] {
        resampler.push(&input, out).unwrap();
        resampler.finish(out).unwrap();
    }
    assert_eq!(first, second);
}
