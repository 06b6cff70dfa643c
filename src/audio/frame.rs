//! Units of audio: sample rates, positions on the stream, durations in samples.
//!
//! Everything after [`crate::audio`] works on mono `f32` samples in [-1, 1] at [`SAMPLE_RATE`]. A
//! [`SamplePosition`] counts those samples since the stream began and is the only clock below the
//! pipeline: a recording replayed faster than it was made gives the same positions.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// The rate at which speech is detected and recognized: 16 kHz, what Whisper and Silero were trained on.
pub const SAMPLE_RATE: SampleRate = SampleRate(16_000);

/// Samples per second, in Hz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(u32);

impl SampleRate {
    /// The rates a source may have: 8 kHz telephony to 192 kHz studio converters.
    pub const SUPPORTED: std::ops::RangeInclusive<u32> = 8_000..=192_000;

    /// A rate in Hz, or `None` outside [`SampleRate::SUPPORTED`].
    pub fn new(hz: u32) -> Option<Self> {
        Self::SUPPORTED.contains(&hz).then_some(Self(hz))
    }

    /// The rate in Hz.
    pub const fn hz(self) -> u32 {
        self.0
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// Samples since the stream began, at [`SAMPLE_RATE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SamplePosition(pub u64);

impl SamplePosition {
    /// Seconds since the stream began.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / f64::from(SAMPLE_RATE.hz())
    }

    /// The position `n` samples earlier, not before the stream's beginning.
    pub fn saturating_sub(self, n: usize) -> Self {
        Self(self.0.saturating_sub(n as u64))
    }

    /// Time since the stream began.
    pub fn duration(self) -> Duration {
        Duration::from_secs_f64(self.seconds())
    }
}

impl Add<usize> for SamplePosition {
    type Output = Self;
    fn add(self, n: usize) -> Self {
        Self(self.0 + n as u64)
    }
}

impl Sub for SamplePosition {
    type Output = usize;
    /// Samples from `earlier` to `self`; 0 if `earlier` is later.
    fn sub(self, earlier: Self) -> usize {
        self.0.saturating_sub(earlier.0) as usize
    }
}

/// How many samples at [`SAMPLE_RATE`] a duration in milliseconds holds.
pub const fn samples_in_ms(ms: u32) -> usize {
    ms as usize * (SAMPLE_RATE.hz() as usize / 1000)
}

/// Seconds that `n` samples at [`SAMPLE_RATE`] last.
pub fn seconds_of(n: usize) -> f64 {
    n as f64 / f64::from(SAMPLE_RATE.hz())
}
