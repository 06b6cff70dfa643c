//! [`Utterance`]: endpointed speech, the unit of recognition.

use std::fmt;

use crate::audio::{SamplePosition, seconds_of};

/// Why an utterance ended where it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The speaker paused for the trailing-silence time.
    Silence,
    /// It reached the longest allowed duration and was cut at its least-speech point.
    MaxDuration,
    /// The source ended while somebody was speaking.
    EndOfStream,
    /// There was no endpointing: the whole recording is the utterance.
    WholeRecording,
}

/// A piece of speech with its place on the stream.
#[derive(Clone)]
pub struct Utterance {
    /// Counts up from 0 on one stream.
    pub index: u64,
    /// Position of `samples[0]`, pre-roll included.
    pub start: SamplePosition,
    /// Mono samples in [-1, 1] at 16 kHz: pre-roll, speech, post-pad.
    pub samples: Vec<f32>,
    /// Where speech was last detected; the end-of-speech latency counts from here.
    pub speech_end: SamplePosition,
    /// Where the endpointer decided, so `decided - speech_end` is the hangover that was waited.
    pub decided: SamplePosition,
    /// Why it ended.
    pub end_reason: EndReason,
    /// Mean speech probability over the utterance's frames between onset and `speech_end`, in [0, 1]; 1 when undetected.
    pub mean_speech_probability: f32,
    /// What the detector heard beside the ends; `None` when undetected.
    pub detection: Option<Detection>,
}

/// Lowest signal-to-noise ratio that is told, dB: further down the estimate says no more than that.
const LOWEST_SNR_DB: f64 = -10.0;

/// What a detector heard of an utterance and of the pauses around it. Powers are mean squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Detection {
    /// Samples in frames that the detector calls speech.
    pub speech_samples: usize,
    /// Power of these frames, noise included.
    pub speech_power: f32,
    /// Power of the quieter half of the latest 2 s in which nobody spoke; `None` for less than 100 ms.
    pub pause_power: Option<f32>,
}

impl Detection {
    /// Speech level over the level of the pauses around it, dB, at least -10: the power of the frames of speech less
    /// that of the pauses, over that of the pauses. An estimate by detection: noise that comes with the speech, such as
    /// reverberation or a codec's, is taken for speech. `None` without speech, without pauses, and where the pauses
    /// are digital silence.
    pub fn snr_db(&self) -> Option<f64> {
        let noise = f64::from(self.pause_power?);
        let speech = f64::from(self.speech_power);
        if self.speech_samples == 0 || !(noise > 0.0 && noise.is_finite() && speech.is_finite()) {
            return None;
        }
        Some((10.0 * ((speech - noise).max(0.0) / noise).log10()).max(LOWEST_SNR_DB))
    }
}

impl Utterance {
    /// A whole recording as one utterance, without endpointing.
    pub fn whole(index: u64, samples: Vec<f32>) -> Self {
        let end = SamplePosition(samples.len() as u64);
        Self {
            index,
            start: SamplePosition(0),
            samples,
            speech_end: end,
            decided: end,
            end_reason: EndReason::WholeRecording,
            mean_speech_probability: 1.0,
            detection: None,
        }
    }

    /// Position just after the last sample.
    pub fn end(&self) -> SamplePosition {
        self.start + self.samples.len()
    }

    /// Seconds of audio.
    pub fn seconds(&self) -> f64 {
        seconds_of(self.samples.len())
    }
}

/// Shows times only: audio never enters a log line.
impl fmt::Debug for Utterance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Utterance")
            .field("index", &self.index)
            .field("start_s", &self.start.seconds())
            .field("seconds", &self.seconds())
            .field("end_reason", &self.end_reason)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snr_db(speech_power: f32, pause_power: Option<f32>) -> Option<f64> {
        Detection { speech_samples: 512, speech_power, pause_power }.snr_db()
    }

    #[test]
    fn the_noise_is_taken_off_the_speech_and_no_ratio_is_made_up() {
        assert!((snr_db(11.0, Some(1.0)).unwrap() - 10.0).abs() < 1e-9);
        assert_eq!(snr_db(0.5, Some(1.0)), Some(LOWEST_SNR_DB));
        assert_eq!(snr_db(1.0, None), None);
        assert_eq!(snr_db(1.0, Some(0.0)), None, "digital silence is no noise");
        assert_eq!(snr_db(f32::NAN, Some(1.0)), None);
        assert_eq!(Detection::default().snr_db(), None);
    }
}
