//! What is measured of an utterance's audio: loudness against another implementation, noise and band on real speech.
//!
//! `golden/loudness.txt` was written by `golden/loudness.py`, which makes the same signals.

mod support;

use std::f64::consts::PI;
use std::time::Instant;

use earwitness::audio::{Quality, QualityMeter, samples_in_ms};
use earwitness::device::DeviceMeter;
use earwitness::endpoint::{EndpointEvent, EndpointRules, Endpointer};
use earwitness::utterance::Utterance;
use earwitness::vad::SileroVad;
use support::{samples_of, silero_weights, two_cities, white_noise};

/// See `golden/loudness.py`.
const CASES: [(&str, &[i64], i64); 6] = [
    ("steady", &[2], 100),
    ("talk_and_pauses", &[4, 4, 0, 1, 3, 0, 0, 0], 20),
    ("mostly_pause", &[0, 0, 0, 0, 0, 0, 0, 3], 5),
    ("noise", &[0], 1000),
    ("faint_noise", &[0], 30),
    ("below_the_gate", &[0], 4),
];

fn signal(levels: &[i64], amplitude: i64, n: usize) -> Vec<f32> {
    let mut state = 12_345_i64;
    (0..n)
        .map(|i| {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            let noise = (state >> 8) % (2 * amplitude + 1) - amplitude;
            let saw = (i as i64 * 120) % 16_000 - 8_000;
            ((saw * levels[i / 8_000 % levels.len()] + noise) as f64 / 32_768.0) as f32
        })
        .collect()
}

fn measure(samples: &[f32]) -> Quality {
    QualityMeter::new().measure(samples)
}

#[test]
fn the_loudness_is_that_of_another_implementation() {
    let mut checked = 0;
    for line in include_str!("golden/loudness.txt").lines().filter(|line| !line.starts_with('#')) {
        let [name, samples, lufs] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (_, levels, amplitude) = CASES.iter().find(|(case, ..)| *case == name).unwrap();
        let ours = measure(&signal(levels, *amplitude, samples.parse().unwrap())).loudness_lufs;
        let theirs = lufs.parse::<f64>().unwrap();
        match ours {
            Some(ours) => assert!((ours - theirs).abs() < 1e-4, "{line}: {ours}"),
            None => assert_eq!(theirs, f64::NEG_INFINITY, "{line}"),
        }
        checked += 1;
    }
    assert_eq!(checked, 18);
}

#[test]
fn the_loudness_of_real_speech_is_that_of_another_implementation() {
    // pyloudnorm 0.2.0 on the same recording, resampled to 16 kHz by scipy 1.17.1.
    let ours = measure(&samples_of(&two_cities())).loudness_lufs.unwrap();
    assert!((ours + 35.585).abs() < 0.02, "{ours}");
}

/// Utterances of `samples` as the real detector finds them.
fn utterances(samples: &[f32]) -> Vec<Utterance> {
    let vad = SileroVad::from_file(silero_weights()).unwrap();
    let mut endpointer = Endpointer::new(EndpointRules::default(), Box::new(vad)).unwrap();
    let mut found = Vec::new();
    let mut emit = |event| {
        if let EndpointEvent::SpeechEnded(utterance) = event {
            found.push(utterance);
        }
    };
    endpointer.push(samples, &mut emit);
    endpointer.finish(&mut emit);
    found
}

fn powers(samples: &[f32]) -> Vec<f64> {
    let power = |frame: &[f32]| frame.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / frame.len() as f64;
    samples.chunks_exact(512).map(power).collect()
}

/// Power that one frame in ten stays below: the recording's own room.
fn room_power(samples: &[f32]) -> f64 {
    let mut powers = powers(samples);
    powers.sort_by(f64::total_cmp);
    powers[powers.len() / 10]
}

/// Power of the loud frames, those within 25 dB of the loudest: the active speech.
fn active_power(samples: &[f32]) -> f64 {
    let powers = powers(samples);
    let loudest = powers.iter().copied().fold(0.0, f64::max);
    let active: Vec<f64> = powers.into_iter().filter(|p| *p > loudest * 10_f64.powf(-2.5)).collect();
    active.iter().sum::<f64>() / active.len() as f64
}

#[test]
fn the_noise_mixed_into_real_speech_is_found_again() {
    let recording = samples_of(&two_cities());
    let own = room_power(&recording) / active_power(&recording);
    let mut clean = vec![0.0; samples_in_ms(2_000)];
    clean.extend(&recording);
    let speech_db = 10.0 * active_power(&recording).log10();
    for mixed_db in [0.0, 5.0, 10.0, 20.0, 30.0] {
        let noise = white_noise(clean.len(), (speech_db - mixed_db) as f32, 5);
        let noisy: Vec<f32> = clean.iter().zip(&noise).map(|(a, b)| a + b).collect();
        let (mut weighted, mut weights) = (0.0, 0.0);
        for utterance in utterances(&noisy) {
            let weight = utterance.seconds();
            weighted += weight * utterance.detection.unwrap().snr_db().unwrap();
            weights += weight;
        }
        let found_db = weighted / weights;
        let true_db = -10.0 * (own + 10_f64.powf(-mixed_db / 10.0)).log10();
        eprintln!("mixed at {mixed_db} dB, {true_db:.1} dB with the room's own, found {found_db:.1} dB");
        assert!((found_db - true_db).abs() < 3.0, "{true_db:.1} dB, found {found_db:.1} dB");
    }
}

/// `samples` at 8 kHz: every other one after a low pass at 3.8 kHz, as a telephone has it.
fn at_8_khz(samples: &[f32]) -> Vec<f32> {
    let taps: Vec<f64> = (-64..=64)
        .map(|n| {
            let x = f64::from(n);
            let cut = 3_800.0 / 8_000.0;
            let sinc = if n == 0 { cut } else { (PI * cut * x).sin() / (PI * x) };
            sinc * (0.5 + 0.5 * (PI * x / 65.0).cos())
        })
        .collect();
    let filtered = samples.windows(taps.len()).step_by(2);
    filtered.map(|w| w.iter().zip(&taps).map(|(&x, t)| f64::from(x) * t).sum::<f64>() as f32).collect()
}

#[test]
fn a_telephone_band_is_told_from_a_wide_one() {
    let folder = tempfile::tempdir().unwrap();
    let noise = white_noise(16_000 * 4, -30.0, 3);
    let speech = samples_of(&two_cities());
    for (name, wide) in [("noise", &noise[..]), ("speech", &speech[..16_000 * 10])] {
        let path = folder.path().join(format!("{name}.wav"));
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(&path, spec).unwrap();
        at_8_khz(wide).iter().for_each(|x| file.write_sample((x * 32_767.0) as i16).unwrap());
        file.finalize().unwrap();
        // Through the real decoder and resampler.
        let narrow = measure(&samples_of(&path)).bandwidth_hz.unwrap();
        let wide = measure(wide).bandwidth_hz.unwrap();
        eprintln!("{name}: {wide:.0} Hz wide, {narrow:.0} Hz at 8 kHz");
        assert!(narrow < 4_050.0 && narrow < wide, "{name}: {narrow} and {wide}");
        if name == "noise" {
            assert!(wide > 7_850.0 && narrow > 3_500.0);
        }
    }
}

/// Prints what measuring costs: `cargo test --test input_quality cost -- --nocapture`.
#[test]
fn a_meter_remembers_nothing_and_tells_its_cost() {
    let speech = samples_of(&two_cities());
    let mut meter = QualityMeter::new();
    let first = meter.measure(&speech[..160_000]);
    let mut spent = 0.0;
    const ROUNDS: u32 = 50;
    for round in 0..ROUNDS {
        let begin = Instant::now();
        let again = meter.measure(&speech[..160_000]);
        spent += begin.elapsed().as_secs_f64();
        assert_eq!(again, first, "round {round}");
        meter.measure(&speech[160_000..320_000]);
    }
    let per_second = spent / f64::from(ROUNDS) / 10.0;
    eprintln!(
        "{:.0} ns per second of audio: {:.4} % of one core while somebody speaks",
        per_second * 1e9,
        per_second * 100.0
    );
    let mut device = DeviceMeter::new();
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        device.read();
    }
    eprintln!("{:.0} us for a look at the device", begin.elapsed().as_secs_f64() / f64::from(ROUNDS) * 1e6);
}
