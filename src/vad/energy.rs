//! An energy detector: speech is what stands out of the quietest moments of the last 3 seconds.
//!
//! It needs no weights and no C, costs about a microsecond a frame, and is fooled by any sound.
//! It is the floor that other detectors are measured against, and enough for push-to-talk.

use super::{SpeechProbability, VoiceActivityDetector};
use crate::audio::samples_in_ms;

const FRAME_LEN: usize = samples_in_ms(10);
/// Frames of one block of the running minimum: 500 ms.
const BLOCK_FRAMES: usize = 50;
/// Blocks of the running minimum: 3 s.
const BLOCKS: usize = 6;
/// dB above the floor at which the probability is one half.
const SPEECH_MARGIN_DB: f32 = 9.0;
/// dB in which the odds of speech change by a factor of e: 0.3 lies at 6.5 dB and 0.15 at 3.8 dB.
const SOFTNESS_DB: f32 = 3.0;
/// The lowest floor, in dBFS: the converter noise of a good microphone, so that dither after digital
/// silence is no speech.
const LOWEST_FLOOR_DBFS: f32 = -70.0;

/// The adaptive energy detector for one stream.
#[derive(Debug)]
pub struct EnergyVad {
    /// The quietest frame of each of the last blocks, the oldest overwritten next, in dBFS.
    minima: [f32; BLOCKS],
    block: usize,
    frames_in_block: usize,
}

impl EnergyVad {
    /// A detector that has heard nothing.
    pub fn new() -> Self {
        Self { minima: [f32::INFINITY; BLOCKS], block: 0, frames_in_block: 0 }
    }

    /// Takes a frame's level into the running minimum and returns the noise floor, both in dBFS.
    fn track_floor(&mut self, level: f32) -> f32 {
        if self.frames_in_block == BLOCK_FRAMES {
            self.frames_in_block = 0;
            self.block = (self.block + 1) % BLOCKS;
            self.minima[self.block] = f32::INFINITY;
        }
        self.frames_in_block += 1;
        let quietest = &mut self.minima[self.block];
        *quietest = quietest.min(level);
        self.minima.iter().copied().fold(f32::INFINITY, f32::min).max(LOWEST_FLOOR_DBFS)
    }
}

impl Default for EnergyVad {
    fn default() -> Self {
        Self::new()
    }
}

/// The level of `frame` in dBFS, where a full-scale square wave is 0; never below -120.
fn level_dbfs(frame: &[f32]) -> f32 {
    let energy: f32 = frame.iter().map(|x| x * x).sum();
    10.0 * (energy / frame.len().max(1) as f32).max(1e-12).log10()
}

impl VoiceActivityDetector for EnergyVad {
    fn frame_len(&self) -> usize {
        FRAME_LEN
    }

    fn speech_probability(&mut self, frame: &[f32]) -> SpeechProbability {
        let level = level_dbfs(frame);
        let margin = level - self.track_floor(level);
        SpeechProbability(1.0 / (1.0 + ((SPEECH_MARGIN_DB - margin) / SOFTNESS_DB).exp()))
    }

    fn reset(&mut self) {
        *self = Self::new();
    }

    fn name(&self) -> &'static str {
        "energy"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(amplitude: f32) -> Vec<f32> {
        (0..FRAME_LEN).map(|n| if n % 8 < 4 { amplitude } else { -amplitude }).collect()
    }

    fn hear(vad: &mut EnergyVad, amplitude: f32, frames: usize) -> f32 {
        (0..frames).map(|_| vad.speech_probability(&square(amplitude)).0).last().unwrap_or_default()
    }

    #[test]
    fn a_sound_20_db_over_the_floor_is_speech_at_any_level() {
        for floor in [0.001, 0.01] {
            let mut vad = EnergyVad::new();
            assert!(hear(&mut vad, floor, 100) < 0.1);
            assert!(hear(&mut vad, floor * 10.0, 50) > 0.9);
            assert!(hear(&mut vad, floor, 1) < 0.1);
        }
    }

    #[test]
    fn the_probability_is_one_half_at_the_margin() {
        let mut vad = EnergyVad::new();
        hear(&mut vad, 0.01, 100);
        let p = hear(&mut vad, 0.01 * 10_f32.powf(SPEECH_MARGIN_DB / 20.0), 1);
        assert!((p - 0.5).abs() < 0.01, "{p}");
    }

    #[test]
    fn a_new_steady_noise_becomes_the_floor_after_3_seconds() {
        let mut vad = EnergyVad::new();
        hear(&mut vad, 0.001, 100);
        assert!(hear(&mut vad, 0.03, 200) > 0.9);
        assert!(hear(&mut vad, 0.03, 150) < 0.1);
    }

    #[test]
    fn faint_dither_after_digital_silence_is_not_speech() {
        let mut vad = EnergyVad::new();
        assert!(hear(&mut vad, 0.0, 100) < 0.1);
        assert!(hear(&mut vad, 1.0 / 32_768.0, 10) < 0.1);
    }
}
