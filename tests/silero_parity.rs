//! Silero's scores are those of ONNX Runtime on the same weights, and broken weights are refused.
//!
//! `golden/silero_v6.2_scores.txt` was written by `golden/silero.py`, which makes the same signal.

mod support;

use earwitness::isa::Isa;
use earwitness::vad::{SileroError, SileroVad, VoiceActivityDetector};

const RATE: i64 = 16_000;
const SEGMENT: i64 = 4_000;
/// Formants in Hz of eight vowels.
const VOWELS: [[i64; 3]; 8] = [
    [730, 1090, 2440],
    [270, 2290, 3010],
    [300, 870, 2240],
    [530, 1840, 2480],
    [570, 840, 2410],
    [660, 1720, 2410],
    [440, 1020, 2240],
    [490, 1350, 1690],
];

/// 32768 cos(2 pi hz / 16000), by Bhaskara's approximation; hz in 0..4000.
fn cosine(hz: i64) -> i64 {
    (32_768 * (64_000_000 - 4 * hz * hz)).div_euclid(64_000_000 + hz * hz)
}

/// Knuth's 64-bit linear congruential generator; the top bits, as -32768..32767.
fn next_noise(state: &mut u64) -> i64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 48) as i64 - 32_768
}

/// Two poles at radius 0.98, about 100 Hz wide.
#[derive(Default)]
struct Resonator {
    a: i64,
    b: i64,
}

impl Resonator {
    fn next(&mut self, x: i64, hz: i64) -> i64 {
        let y = x + ((((2 * 32_113 * cosine(hz)) >> 15) * self.a - 31_471 * self.b) >> 15);
        (self.a, self.b) = (y, self.a);
        y
    }
}

/// 24 s: syllables of changing pitch, vowel and level, hisses, bursts, pauses. See `golden/silero.py`.
fn signal() -> Vec<f32> {
    let (mut noise, mut phase, mut samples) = (1_u64, 0_i64, Vec::new());
    let mut resonators: [Resonator; 3] = Default::default();
    for segment in 0..96_i64 {
        let kind = b"vvhvpvvvnvhvppvcvhvvpbvvhvvppppp"[segment as usize % 32];
        let level = 1 << (segment * 5 % 7);
        let (vowel, following) = (VOWELS[segment as usize * 3 % 8], VOWELS[(segment as usize * 3 + 5) % 8]);
        for n in 0..SEGMENT {
            let hiss = next_noise(&mut noise);
            phase += 110 + segment * 17 % 60 + ((n * (segment % 5 - 2)) >> 7);
            let mut pulse = 0;
            if phase >= RATE {
                phase -= RATE;
                pulse = 12_000;
            }
            let swell = n.min(SEGMENT - n).min(600);
            let excitation = if kind == b'v' { pulse + (hiss >> 8) } else { 0 };
            let mut voice = 0;
            for (resonator, (now, then)) in resonators.iter_mut().zip(vowel.into_iter().zip(following)) {
                voice += resonator.next(excitation, now + ((then - now) * n).div_euclid(SEGMENT));
            }
            let x = match kind {
                b'v' => (voice * swell * level) >> 16,
                b'h' => (hiss * swell) >> 13,
                b'n' => hiss >> 5,
                b'c' => i64::from(n < 40) * hiss,
                b'b' => (hiss >> 2) * (1 - n / 500 % 2),
                _ => hiss >> 12,
            };
            samples.push(x.clamp(-32_768, 32_767) as f32 / 32_768.0);
        }
    }
    samples
}

fn silero() -> SileroVad {
    SileroVad::from_file(support::silero_weights()).expect("the weights are Silero v6.2's")
}

fn scores(vad: &mut SileroVad, samples: &[f32]) -> Vec<f32> {
    samples.chunks_exact(512).map(|frame| vad.speech_probability(frame).0).collect()
}

#[test]
fn scores_equal_onnx_runtime_within_1e_4() {
    let expected: Vec<f32> =
        include_str!("golden/silero_v6.2_scores.txt").lines().map(|line| line.parse().unwrap()).collect();
    let found = scores(&mut silero(), &signal());
    assert_eq!(found.len(), expected.len());
    for (frame, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() <= 1e-4, "frame {frame}: {found} where ONNX Runtime has {expected}");
    }
    for decile in 0..10 {
        let (low, high) = (decile as f32 / 10.0, (decile + 1) as f32 / 10.0);
        assert!(
            expected.iter().any(|p| (low..high).contains(p)),
            "the signal has no score from {low} to {high}"
        );
    }
}

#[test]
fn every_instruction_set_gives_the_scores_of_the_baseline_within_1e_5() {
    let baseline = Isa::named("baseline").unwrap();
    for (what, samples) in [("syllables", signal()), ("noise", support::white_noise(160_000, -30.0, 1))] {
        let expected = scores(&mut silero().with_isa(baseline), &samples);
        for isa in Isa::available() {
            let found = scores(&mut silero().with_isa(isa), &samples);
            for (frame, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!(
                    (found - expected).abs() <= 1e-5,
                    "frame {frame} of the {what}: {found} with {isa}, {expected} with the baseline"
                );
            }
        }
    }
}

#[test]
fn reset_forgets_the_stream_and_refresh_all_of_it_but_the_context() {
    let (mut vad, samples) = (silero(), signal());
    let first = scores(&mut vad, &samples[..64_000]);
    vad.reset();
    assert_eq!(scores(&mut vad, &samples[..64_000]), first);
    // In the middle of a vowel: the state is the same then, and the 64 samples before the frame are not.
    let (heard, next) = samples[..6_656].split_at(6_144);
    vad.reset();
    scores(&mut vad, heard);
    vad.refresh();
    let refreshed = scores(&mut vad, next);
    vad.reset();
    assert_ne!(scores(&mut vad, next), refreshed);
}

#[test]
fn frames_that_are_no_numbers_do_not_poison_later_ones() {
    let (mut vad, samples) = (silero(), signal());
    let clean = scores(&mut vad, &samples[..64_000]);
    vad.reset();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        assert!((0.0..=1.0).contains(&vad.speech_probability(&[bad; 512]).0), "at {bad}");
    }
    vad.speech_probability(&[0.0; 512]);
    vad.refresh();
    let after = scores(&mut vad, &samples[..64_000]);
    assert!(clean.iter().zip(&after).skip(1).all(|(a, b)| (a - b).abs() < 0.05));
}

#[test]
fn truncated_and_mutated_weights_are_refused_or_give_probabilities() {
    let file = std::fs::read(support::silero_weights()).unwrap();
    for cut in (0..file.len()).step_by(file.len() / 64) {
        assert!(SileroVad::from_bytes(&file[..cut]).is_err(), "cut to {cut} of {} bytes", file.len());
    }
    let mut state = 1;
    for _ in 0..200 {
        let mut mutated = file.clone();
        let at = (next_noise(&mut state) + 32_768) as usize * file.len() / 65_536;
        mutated[at] ^= 1 << (at % 8);
        if let Ok(mut vad) = SileroVad::from_bytes(&mutated) {
            let p = vad.speech_probability(&[0.1; 512]).0;
            assert!((0.0..=1.0).contains(&p), "byte {at} changed gives {p}");
        }
    }
}

#[test]
fn another_network_is_named_in_the_error() {
    let mut file = std::fs::read(support::silero_weights()).unwrap();
    let name = b"model.decoder.rnn.bias_ih";
    let at = file.windows(name.len()).rposition(|window| window == name).unwrap();
    file[at] = b'M';
    let error = SileroVad::from_bytes(&file).unwrap_err();
    assert!(matches!(error, SileroError::MissingTensor { name: "model.decoder.rnn.bias_ih" }), "{error}");
}
