//! [`EndpointRules`]: when an utterance begins, ends and is given up.

use crate::audio::samples_in_ms;

/// Thresholds and times of the endpointer. Probabilities are in [0, 1], times in milliseconds, levels in dBFS.
///
/// The defaults are for dictation with Silero v6.2. On its scores they kept 99.4 % of the speech
/// frames of 101 utterances in 5 dB of real noise and clipped 3 % of the onsets.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointRules {
    /// A frame at or above this may begin speech. Default 0.3: half the misses of 0.5 on quiet speech, at
    /// next to no false triggers on voice-free noise.
    pub threshold: f32,
    /// A frame at or above this continues speech; at most `threshold`. Default 0.15: splits fewer
    /// utterances than 0.35 does with 100 to 200 ms more of trailing silence.
    pub neg_threshold: f32,
    /// Speech begins once this much of twice this time is at or above `threshold`, rounded to whole frames.
    /// 10 to 1,000; default 64, 2 of 4 Silero frames: a click is too short, "no" is not.
    pub min_speech_ms: u32,
    /// This much uninterrupted non-speech ends an utterance. 50 to 10,000; default 500: most pauses within
    /// a sentence are shorter, and waiting longer is felt.
    pub min_trailing_silence_ms: u32,
    /// Audio kept before the first speech frame. 0 to 5,000; default 300: covers 98 to 100 % of onsets in noise.
    pub pre_roll_ms: u32,
    /// Audio kept after the last speech frame; at most `min_trailing_silence_ms`. Default 100.
    pub post_pad_ms: u32,
    /// Longest utterance, pre-roll included; a longer one is cut where speech is least likely. 2,000 to 30,000;
    /// default 28,000: Whisper hears 30 s at once.
    pub max_utterance_ms: u32,
    /// An utterance with less voiced time than this and no frame at `discard_below_probability` is given
    /// up. Up to 1,000; default 96, 3 Silero frames.
    pub discard_below_voiced_ms: u32,
    /// See `discard_below_voiced_ms`. Default 0.6.
    pub discard_below_probability: f32,
    /// The detector's gathered state is refreshed after each such stretch of non-speech. 1,000 to 600,000;
    /// default 5,000: minutes of steady noise otherwise triple Silero's misses.
    pub refresh_after_silence_ms: u32,
    /// When the loudest recent speech is below this, the detector hears the stream raised; the utterance
    /// keeps its own level. -90 to 0; default -50, measured over single frames: at -40 far-off talk in
    /// meetings is taken for speech three times as often, and faint speech is found no better.
    pub quiet_gain_below_dbfs: f32,
    /// The level that quiet speech is raised to. At least `quiet_gain_below_dbfs`, at most 0; default -26,
    /// the level of most training speech.
    pub quiet_gain_target_dbfs: f32,
    /// The most it is raised by, in dB. 0 (off) to 60; default 30.
    pub quiet_gain_max_db: f32,
}

impl Default for EndpointRules {
    fn default() -> Self {
        Self {
            threshold: 0.3,
            neg_threshold: 0.15,
            min_speech_ms: 64,
            min_trailing_silence_ms: 500,
            pre_roll_ms: 300,
            post_pad_ms: 100,
            max_utterance_ms: 28_000,
            discard_below_voiced_ms: 96,
            discard_below_probability: 0.6,
            refresh_after_silence_ms: 5_000,
            quiet_gain_below_dbfs: -50.0,
            quiet_gain_target_dbfs: -26.0,
            quiet_gain_max_db: 30.0,
        }
    }
}

/// A rule outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("endpoint rule {rule} is {value}: choose a value from {low} to {high}")]
pub struct RuleError {
    /// The field's name.
    pub rule: &'static str,
    /// What it was set to.
    pub value: f32,
    /// Its lowest value, given the other rules.
    pub low: f32,
    /// Its highest value, given the other rules.
    pub high: f32,
}

impl EndpointRules {
    /// Checks every range, and those fields that bound one another.
    ///
    /// # Errors
    /// The first rule outside its range.
    pub fn validate(&self) -> Result<(), RuleError> {
        let ms = |ms: u32| ms as f32;
        let longest = ms(self.max_utterance_ms);
        for (rule, value, low, high) in [
            ("threshold", self.threshold, 0.01, 1.0),
            ("neg_threshold", self.neg_threshold, 0.0, self.threshold),
            ("min_speech_ms", ms(self.min_speech_ms), 10.0, 1_000.0),
            ("max_utterance_ms", longest, 2_000.0, 30_000.0),
            ("min_trailing_silence_ms", ms(self.min_trailing_silence_ms), 50.0, 10_000.0_f32.min(longest)),
            // A split needs room for speech after the pre-roll.
            ("pre_roll_ms", ms(self.pre_roll_ms), 0.0, 5_000.0_f32.min(longest / 4.0)),
            ("post_pad_ms", ms(self.post_pad_ms), 0.0, ms(self.min_trailing_silence_ms)),
            ("discard_below_voiced_ms", ms(self.discard_below_voiced_ms), 0.0, 1_000.0),
            ("discard_below_probability", self.discard_below_probability, 0.0, 1.0),
            ("refresh_after_silence_ms", ms(self.refresh_after_silence_ms), 1_000.0, 600_000.0),
            ("quiet_gain_below_dbfs", self.quiet_gain_below_dbfs, -90.0, 0.0),
            ("quiet_gain_target_dbfs", self.quiet_gain_target_dbfs, self.quiet_gain_below_dbfs, 0.0),
            ("quiet_gain_max_db", self.quiet_gain_max_db, 0.0, 60.0),
        ] {
            // NaN is in no range.
            if !(low..=high).contains(&value) {
                return Err(RuleError { rule, value, low, high });
            }
        }
        Ok(())
    }

    /// Frames at or above `threshold` that begin speech, of twice as many heard.
    pub(super) fn confirming_frames(&self, frame_len: usize) -> usize {
        let frame_len = frame_len.max(1);
        ((samples_in_ms(self.min_speech_ms) + frame_len / 2) / frame_len).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert_eq!(EndpointRules::default().validate(), Ok(()));
    }

    #[test]
    fn a_rule_outside_its_range_is_named() {
        let crossed = EndpointRules { neg_threshold: 0.5, ..Default::default() };
        assert_eq!(crossed.validate().unwrap_err().rule, "neg_threshold");
        let padded = EndpointRules { post_pad_ms: 501, ..Default::default() };
        assert_eq!(padded.validate().unwrap_err().high, 500.0);
        let nan = EndpointRules { threshold: f32::NAN, ..Default::default() };
        assert_eq!(nan.validate().unwrap_err().rule, "threshold");
    }

    #[test]
    fn confirmation_takes_about_64_ms_at_every_frame_length() {
        let rules = EndpointRules::default();
        assert_eq!([512, 480, 320, 160].map(|len| rules.confirming_frames(len)), [2, 2, 3, 6]);
    }

    #[test]
    fn absent_fields_have_defaults_and_unknown_ones_are_refused() {
        let rules: EndpointRules = toml::from_str("threshold = 0.5").unwrap();
        assert_eq!(rules, EndpointRules { threshold: 0.5, ..Default::default() });
        assert!(toml::from_str::<EndpointRules>("treshold = 0.5").is_err());
    }
}
