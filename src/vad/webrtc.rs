//! The WebRTC detector (libfvad): Gaussian mixtures over six band energies, a few microseconds a frame.
//!
//! For devices on which even Silero's network is too much. It is close to always on in steady
//! noise and nearly deaf to faint speech in its strict modes, so it gates dictation poorly.

use webrtc_vad::{SampleRate, Vad, VadMode};

use super::{SpeechProbability, VoiceActivityDetector};
use crate::audio::samples_in_ms;

/// 30 ms, the longest frame libfvad takes and the steadiest.
const FRAME_LEN: usize = samples_in_ms(30);

/// How readily the detector rejects noise, at the price of faint speech.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebRtcMode {
    /// Mode 0: misses least, fires on most noise.
    Quality,
    /// Mode 1.
    LowBitrate,
    /// Mode 2. The default: the best F1 of the four on meeting speech at 30 ms frames (0.836).
    #[default]
    Aggressive,
    /// Mode 3: fires least, misses speech below about -45 dBFS almost entirely.
    VeryAggressive,
}

impl From<WebRtcMode> for VadMode {
    fn from(mode: WebRtcMode) -> Self {
        match mode {
            WebRtcMode::Quality => Self::Quality,
            WebRtcMode::LowBitrate => Self::LowBitrate,
            WebRtcMode::Aggressive => Self::Aggressive,
            WebRtcMode::VeryAggressive => Self::VeryAggressive,
        }
    }
}

/// libfvad's state, movable between threads.
struct Handle(Vad);

// The crate holds a raw pointer, which is never Send by itself.
#[allow(
    unsafe_code,
    reason = "libfvad keeps all state behind this one pointer, owned here alone, and has no thread affinity"
)]
// SAFETY: the instance is heap memory without thread-local or global state, reached only through `&mut self`.
unsafe impl Send for Handle {}

/// The WebRTC detector for one stream; its probability is 0 or 1.
pub struct WebRtcVad {
    handle: Handle,
    mode: WebRtcMode,
    frame: [i16; FRAME_LEN],
}

impl WebRtcVad {
    /// A detector in the given mode.
    pub fn new(mode: WebRtcMode) -> Self {
        let handle = Handle(Vad::new_with_rate_and_mode(SampleRate::Rate16kHz, mode.into()));
        Self { handle, mode, frame: [0; FRAME_LEN] }
    }
}

impl VoiceActivityDetector for WebRtcVad {
    fn frame_len(&self) -> usize {
        FRAME_LEN
    }

    fn speech_probability(&mut self, frame: &[f32]) -> SpeechProbability {
        debug_assert_eq!(frame.len(), FRAME_LEN);
        for (kept, heard) in self.frame.iter_mut().zip(frame) {
            // The cast saturates, and makes 0 of NaN.
            *kept = (heard * 32_768.0) as i16;
        }
        // The only error is a wrong frame length, and this one is fixed.
        let voiced = self.handle.0.is_voice_segment(&self.frame).unwrap_or(false);
        SpeechProbability(f32::from(u8::from(voiced)))
    }

    fn reset(&mut self) {
        self.handle.0.reset();
        self.handle.0.set_sample_rate(SampleRate::Rate16kHz);
        self.handle.0.set_mode(self.mode.into());
    }

    fn name(&self) -> &'static str {
        "webrtc"
    }
}

impl std::fmt::Debug for WebRtcVad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebRtcVad").field("mode", &self.mode).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buzz with a voice's pitch and its first two formants' harmonics raised, or silence.
    fn frames(voiced: bool, count: usize) -> Vec<Vec<f32>> {
        let tone =
            |n: usize, harmonic: f32| (n as f32 * harmonic * 120.0 * std::f32::consts::TAU / 16_000.0).sin();
        let sample =
            |n: usize| (1..20).map(|h| tone(n, h as f32) * if h == 5 || h == 9 { 0.1 } else { 0.02 }).sum();
        (0..count)
            .map(|i| (0..FRAME_LEN).map(|n| if voiced { sample(i * FRAME_LEN + n) } else { 0.0 }).collect())
            .collect()
    }

    fn voiced_frames(vad: &mut WebRtcVad, frames: &[Vec<f32>]) -> usize {
        frames.iter().filter(|frame| vad.speech_probability(frame).0 > 0.5).count()
    }

    #[test]
    fn a_voice_like_buzz_is_speech_and_silence_is_not() {
        let mut vad = WebRtcVad::new(WebRtcMode::default());
        assert_eq!(voiced_frames(&mut vad, &frames(false, 30)), 0);
        assert!(voiced_frames(&mut vad, &frames(true, 30)) > 15);
    }

    #[test]
    fn reset_restores_rate_and_mode() {
        let heard = frames(true, 40);
        let mut vad = WebRtcVad::new(WebRtcMode::VeryAggressive);
        let first: Vec<_> = heard.iter().map(|frame| vad.speech_probability(frame)).collect();
        vad.reset();
        let again: Vec<_> = heard.iter().map(|frame| vad.speech_probability(frame)).collect();
        assert_eq!(first, again);
    }

    #[test]
    fn samples_beyond_full_scale_and_nan_are_survived() {
        let mut vad = WebRtcVad::new(WebRtcMode::Quality);
        for value in [f32::NAN, f32::INFINITY, -7.0] {
            let p = vad.speech_probability(&[value; FRAME_LEN]).0;
            assert!(p == 0.0 || p == 1.0);
        }
    }
}
