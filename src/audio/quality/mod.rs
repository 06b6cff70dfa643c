//! [`QualityMeter`]: how good the audio of one utterance is, in figures that hold nothing of what was said.
//!
//! **Where it runs.** On the finished utterance, in the thread that records figures, after the answer was handed
//! on. On the audio thread the same work would hold up the utterance that somebody waits for, and would be spent on
//! pauses too; before the recognizer it would come on top of every answer. Measured so, it costs nobody any time and
//! about 0.06 % of one core while somebody speaks (x86-64; `make bench`, group `input_quality`). What needs the frames between
//! utterances, the signal-to-noise ratio, is measured where utterances are found, from scores that are there anyway.
//!
//! Loudness follows ITU-R BS.1770-4; bandwidth is a percentile of the long-term spectrum.

mod bandwidth;
mod loudness;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::{LevelMeter, LevelReading};
use bandwidth::BandwidthMeter;

/// Magnitudes beyond this are cut: a float file may hold anything, and its squares must still be numbers.
const LARGEST: f32 = 1e6;

/// What was measured of one utterance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Levels, clipping, offset, zeros. A sample that is no number counts as 0.
    pub level: LevelReading,
    /// Integrated loudness by ITU-R BS.1770-4, LUFS. `None` below 400 ms, and where no block of 400 ms is above
    /// -70 LUFS.
    pub loudness_lufs: Option<f64>,
    /// Frequency below which 99 % of the energy above 200 Hz lies, Hz, in steps of 15.6 Hz. `None` below 64 ms and for
    /// digital silence.
    pub bandwidth_hz: Option<f64>,
    /// Samples that were NaN or infinite.
    pub missing_samples: u64,
}

/// Measures utterance after utterance with the same buffers.
pub struct QualityMeter {
    bandwidth: BandwidthMeter,
}

impl Default for QualityMeter {
    fn default() -> Self {
        Self::new()
    }
}

impl QualityMeter {
    /// A meter; plans its transform once.
    pub fn new() -> Self {
        Self { bandwidth: BandwidthMeter::new() }
    }

    /// Measures `samples`, mono at 16 kHz in about [-1, 1], any number of them and whatever they hold.
    pub fn measure(&mut self, samples: &[f32]) -> Quality {
        let (samples, missing_samples) = sound(samples);
        Quality {
            level: LevelMeter::of(&samples).reading(),
            loudness_lufs: loudness::loudness_lufs(&samples),
            bandwidth_hz: self.bandwidth.measure(&samples),
            missing_samples,
        }
    }
}

/// The samples with those replaced that no arithmetic survives, and how many were no numbers. Copies only if it must.
fn sound(samples: &[f32]) -> (Cow<'_, [f32]>, u64) {
    // NaN is not below anything.
    if samples.iter().all(|x| x.abs() <= LARGEST) {
        return (Cow::Borrowed(samples), 0);
    }
    let missing = samples.iter().filter(|x| !x.is_finite()).count() as u64;
    let replaced = |x: &f32| if x.is_finite() { x.clamp(-LARGEST, LARGEST) } else { 0.0 };
    (Cow::Owned(samples.iter().map(replaced).collect()), missing)
}
