//! [`QuietGain`]: raises quiet speech for the detector's ears only.
//!
//! The gain follows the level of speech, not of the room: only frames that the detector takes for speech
//! move it. A gain that follows all sound raises the room's noise and far-off talk in every pause, and
//! then finds speech there.

use super::EndpointRules;
use crate::audio::seconds_of;

/// How fast the held level falls after the loudest moment, in dB per second of speech.
const LEVEL_FALL_DB_PER_S: f32 = 3.0;
/// How fast the gain may grow. It falls within one frame.
const GAIN_RISE_DB_PER_S: f32 = 6.0;

/// A slow automatic gain driven by a held peak of the speech frames' level.
#[derive(Debug)]
pub(super) struct QuietGain {
    below_dbfs: f32,
    target_dbfs: f32,
    max_db: f32,
    /// A frame at or above this probability is speech.
    threshold: f32,
    /// The loudest recent speech frame's level, falling slowly; `None` until there was speech.
    speech_dbfs: Option<f32>,
    gain_db: f32,
}

impl QuietGain {
    pub(super) fn new(rules: &EndpointRules, wanted: bool) -> Self {
        Self {
            below_dbfs: rules.quiet_gain_below_dbfs,
            target_dbfs: rules.quiet_gain_target_dbfs,
            max_db: if wanted { rules.quiet_gain_max_db } else { 0.0 },
            threshold: rules.threshold,
            speech_dbfs: None,
            gain_db: 0.0,
        }
    }

    /// Forgets the speaker.
    pub(super) fn reset(&mut self) {
        self.speech_dbfs = None;
        self.gain_db = 0.0;
    }

    /// Raises `frame` if speech has been quiet; `energy` is its mean square. The gain glides from the last
    /// frame's to this one's, so that frame edges do not click.
    pub(super) fn apply(&mut self, frame: &mut [f32], energy: f32) {
        let before = self.gain_db;
        self.gain_db = self.next_gain_db(dbfs(energy), frame.len());
        if before == 0.0 && self.gain_db == 0.0 {
            return;
        }
        let (from, to) = (linear(before), linear(self.gain_db));
        let step = (to - from) / frame.len() as f32;
        for (n, sample) in frame.iter_mut().enumerate() {
            *sample = (*sample * (from + step * (n + 1) as f32)).clamp(-1.0, 1.0);
        }
    }

    /// Learns from the frame just heard: its mean square before any gain, and what the detector said.
    pub(super) fn learn(&mut self, energy: f32, probability: f32, frame_len: usize) {
        if probability >= self.threshold {
            let level = dbfs(energy);
            let fall = LEVEL_FALL_DB_PER_S * seconds_of(frame_len) as f32;
            self.speech_dbfs = Some(self.speech_dbfs.map_or(level, |held| level.max(held - fall)));
        }
    }

    fn next_gain_db(&self, level: f32, frame_len: usize) -> f32 {
        // A loud frame needs no gain, whatever speech has been like.
        let loudest = self.speech_dbfs.map_or(0.0, |speech| speech.max(level));
        let wanted =
            if loudest < self.below_dbfs { (self.target_dbfs - loudest).min(self.max_db) } else { 0.0 };
        wanted.min(self.gain_db + GAIN_RISE_DB_PER_S * seconds_of(frame_len) as f32)
    }
}

/// The level of a mean square in dBFS; never below -120.
fn dbfs(energy: f32) -> f32 {
    10.0 * energy.max(1e-12).log10()
}

fn linear(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 512;

    /// Level in dBFS of the last of `frames` frames at `level_dbfs`, as the detector hears it.
    fn heard(gain: &mut QuietGain, level_dbfs: f32, probability: f32, frames: usize) -> f32 {
        let amplitude = linear(level_dbfs);
        let mut level = f32::NAN;
        for _ in 0..frames {
            let mut frame = [amplitude; FRAME];
            gain.apply(&mut frame, amplitude * amplitude);
            gain.learn(amplitude * amplitude, probability, FRAME);
            level = 20.0 * frame[FRAME - 1].log10();
        }
        level
    }

    fn gain() -> QuietGain {
        QuietGain::new(&EndpointRules::default(), true)
    }

    #[test]
    fn quiet_speech_is_raised_to_the_target_slowly() {
        let mut gain = gain();
        assert!(heard(&mut gain, -54.0, 0.9, 2) < -53.0);
        assert!((heard(&mut gain, -54.0, 0.9, 200) + 26.0).abs() < 0.1);
    }

    #[test]
    fn a_quiet_room_is_not_raised() {
        let mut gain = gain();
        assert!((heard(&mut gain, -60.0, 0.1, 1_000) + 60.0).abs() < 0.01);
    }

    #[test]
    fn normal_speech_and_its_pauses_are_left_as_they_are() {
        let mut gain = gain();
        assert!((heard(&mut gain, -30.0, 0.9, 50) + 30.0).abs() < 0.01);
        assert!((heard(&mut gain, -60.0, 0.0, 1_000) + 60.0).abs() < 0.01);
    }

    #[test]
    fn the_gain_is_capped_and_falls_at_once_when_it_gets_loud() {
        let mut gain = gain();
        assert!((heard(&mut gain, -70.0, 0.9, 300) + 40.0).abs() < 0.1);
        assert!((heard(&mut gain, -20.0, 0.9, 1) + 20.0).abs() < 0.1);
    }

    #[test]
    fn digital_silence_stays_silent() {
        let mut gain = gain();
        heard(&mut gain, -54.0, 0.9, 200);
        let mut silence = [0.0; FRAME];
        gain.apply(&mut silence, 0.0);
        assert_eq!(silence, [0.0; FRAME]);
    }

    #[test]
    fn a_detector_that_measures_level_hears_the_stream_as_it_is() {
        let mut gain = QuietGain::new(&EndpointRules::default(), false);
        assert!((heard(&mut gain, -54.0, 0.9, 200) + 54.0).abs() < 0.01);
    }
}
