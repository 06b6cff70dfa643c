//! [`LevelMeter`]: whether the input is worth recognizing, in a few additions per sample.
//!
//! Levels are in dBFS, where a full-scale square wave has 0 dB RMS. A source that vanished often
//! looks like perfect silence (PulseAudio moves a recording to another source without an error), so
//! runs of exact zeros are measured: a real converter's noise is never exactly 0 for long.

use super::{SAMPLE_RATE, seconds_of};

/// A sample at or above this magnitude counts as clipped: one 16-bit step or so below full scale.
pub const CLIP_LEVEL: f32 = 0.999;
/// [`LevelWarning::DigitalSilence`]: exact zeros for this long. Noise gates and Bluetooth links give
/// shorter runs; converters with noise give almost none.
pub const DIGITAL_SILENCE_SECONDS: f64 = 1.0;
/// [`LevelWarning::VeryQuiet`]: RMS below this. Speech test material is usually levelled to about
/// -26 dBFS; 24 dB below it is a muted, distant or wrong microphone.
pub const VERY_QUIET_DBFS: f32 = -50.0;
/// [`LevelWarning::Clipping`]: more than 1 sample in 1000, which is audible as distortion.
pub const CLIPPING_RATIO: f64 = 0.001;
/// The level given to silence: below the noise of 24-bit audio, and finite for JSON.
pub const SILENCE_DBFS: f32 = -150.0;
/// Less audio than this earns no [`LevelWarning::VeryQuiet`].
const SHORTEST_JUDGED_SAMPLES: u64 = SAMPLE_RATE.hz() as u64 / 10;

/// Something about the input that will hurt recognition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelWarning {
    /// Samples of exactly 0 for [`DIGITAL_SILENCE_SECONDS`]: muted, unplugged, or another source.
    DigitalSilence,
    /// RMS below [`VERY_QUIET_DBFS`]. Means something for speech, not for the pauses between.
    VeryQuiet,
    /// More than [`CLIPPING_RATIO`] of the samples are at full scale: turn the gain down.
    Clipping,
}

/// Levels of the samples measured so far.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct LevelReading {
    /// Samples measured.
    pub samples: u64,
    /// Largest magnitude in dBFS, at least [`SILENCE_DBFS`].
    pub peak_dbfs: f32,
    /// Root mean square in dBFS, at least [`SILENCE_DBFS`].
    pub rms_dbfs: f32,
    /// Mean of the samples, in [-1, 1]; above about 0.01 points to faulty hardware.
    pub dc_offset: f32,
    /// Share of samples at or above [`CLIP_LEVEL`], in [0, 1].
    pub clipped_ratio: f32,
    /// Longest run of samples that were exactly 0, in seconds.
    pub zero_run_seconds: f32,
}

/// Running measurement; reset it per utterance or per reporting period.
#[derive(Clone, Debug, Default)]
pub struct LevelMeter {
    samples: u64,
    sum: f64,
    sum_of_squares: f64,
    peak: f32,
    clipped: u64,
    zero_run: u64,
    longest_zero_run: u64,
}

impl LevelMeter {
    /// A meter that has measured nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Measures one whole clip.
    pub fn of(samples: &[f32]) -> Self {
        let mut meter = Self::new();
        meter.push(samples);
        meter
    }

    /// Adds mono samples at 16 kHz in [-1, 1]. Does not allocate.
    pub fn push(&mut self, samples: &[f32]) {
        self.samples += samples.len() as u64;
        for &x in samples {
            let magnitude = x.abs();
            self.sum += f64::from(x);
            self.sum_of_squares += f64::from(x) * f64::from(x);
            self.peak = self.peak.max(magnitude);
            self.clipped += u64::from(magnitude >= CLIP_LEVEL);
            self.zero_run = if x == 0.0 { self.zero_run + 1 } else { 0 };
            self.longest_zero_run = self.longest_zero_run.max(self.zero_run);
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// The levels so far; silence if nothing was measured.
    pub fn reading(&self) -> LevelReading {
        let n = self.samples.max(1) as f64;
        LevelReading {
            samples: self.samples,
            peak_dbfs: dbfs(f64::from(self.peak)),
            rms_dbfs: dbfs((self.sum_of_squares / n).sqrt()),
            dc_offset: (self.sum / n) as f32,
            clipped_ratio: (self.clipped as f64 / n) as f32,
            zero_run_seconds: seconds_of(self.longest_zero_run as usize) as f32,
        }
    }

    /// What is wrong with the samples so far, at most one of each kind.
    pub fn warnings(&self) -> impl Iterator<Item = LevelWarning> + use<> {
        let reading = self.reading();
        let silent = seconds_of(self.longest_zero_run as usize) >= DIGITAL_SILENCE_SECONDS;
        let quiet = self.samples >= SHORTEST_JUDGED_SAMPLES && reading.rms_dbfs < VERY_QUIET_DBFS;
        let clipping = f64::from(reading.clipped_ratio) > CLIPPING_RATIO;
        [
            silent.then_some(LevelWarning::DigitalSilence),
            quiet.then_some(LevelWarning::VeryQuiet),
            clipping.then_some(LevelWarning::Clipping),
        ]
        .into_iter()
        .flatten()
    }
}

fn dbfs(level: f64) -> f32 {
    (20.0 * level.log10()).max(f64::from(SILENCE_DBFS)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f32, seconds: f32) -> Vec<f32> {
        (0..(seconds * 16_000.0) as usize).map(|i| amplitude * (i as f32 * 0.1963).sin()).collect()
    }

    fn warnings(samples: &[f32]) -> Vec<LevelWarning> {
        LevelMeter::of(samples).warnings().collect()
    }

    #[test]
    fn a_sine_at_half_scale_reads_minus_6_peak_and_minus_9_rms() {
        let reading = LevelMeter::of(&tone(0.5, 2.0)).reading();
        assert!((reading.peak_dbfs + 6.02).abs() < 0.05, "{reading:?}");
        assert!((reading.rms_dbfs + 9.03).abs() < 0.05, "{reading:?}");
        assert!(reading.dc_offset.abs() < 0.001 && reading.clipped_ratio == 0.0);
        assert_eq!(warnings(&tone(0.5, 2.0)), []);
    }

    #[test]
    fn zeros_are_digital_silence_and_faint_noise_is_only_quiet() {
        assert_eq!(warnings(&vec![0.0; 16_000]), [LevelWarning::DigitalSilence, LevelWarning::VeryQuiet]);
        assert_eq!(warnings(&tone(0.001, 2.0)), [LevelWarning::VeryQuiet]);
    }

    #[test]
    fn a_second_of_zeros_inside_loud_audio_is_noticed() {
        let mut samples = tone(0.5, 1.0);
        samples.extend(vec![0.0; 16_000]);
        samples.extend(tone(0.5, 1.0));
        assert_eq!(warnings(&samples), [LevelWarning::DigitalSilence]);
    }

    #[test]
    fn too_much_gain_is_clipping() {
        let samples: Vec<f32> = tone(1.5, 1.0).iter().map(|x| x.clamp(-1.0, 1.0)).collect();
        let reading = LevelMeter::of(&samples).reading();
        assert!(reading.clipped_ratio > 0.4 && reading.peak_dbfs == 0.0, "{reading:?}");
        assert_eq!(warnings(&samples), [LevelWarning::Clipping]);
    }

    #[test]
    fn a_constant_offset_is_measured() {
        let reading = LevelMeter::of(&[0.25; 100]).reading();
        assert_eq!(reading.dc_offset, 0.25);
    }

    #[test]
    fn blocks_add_up_to_the_whole() {
        let samples = tone(0.3, 1.0);
        let mut meter = LevelMeter::new();
        samples.chunks(37).for_each(|part| meter.push(part));
        assert_eq!(meter.reading(), LevelMeter::of(&samples).reading());
        meter.reset();
        assert_eq!(meter.reading().rms_dbfs, SILENCE_DBFS);
    }
}
