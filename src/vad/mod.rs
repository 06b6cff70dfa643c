//! Voice activity detection: how likely is it that a frame holds speech?
//!
//! A detector hears consecutive frames of one stream and knows nothing of utterances; thresholds,
//! hangover and pre-roll are the endpointer's ([`crate::endpoint`]). [`SileroVad`] is the one to use;
//! the others cost less and hear worse.

mod energy;
mod silero;
#[cfg(feature = "webrtc")]
mod webrtc;

pub use energy::EnergyVad;
pub use silero::{SileroError, SileroVad};
#[cfg(feature = "webrtc")]
pub use webrtc::{WebRtcMode, WebRtcVad};

/// How likely a frame holds speech, in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct SpeechProbability(pub f32);

/// Hears a stream frame by frame.
pub trait VoiceActivityDetector: Send {
    /// Samples per frame at 16 kHz.
    fn frame_len(&self) -> usize;

    /// The probability that `frame` holds speech.
    ///
    /// `frame` is mono, in [-1, 1], exactly [`frame_len`](Self::frame_len) long, and follows the previous one.
    fn speech_probability(&mut self, frame: &[f32]) -> SpeechProbability;

    /// Forgets the stream heard so far.
    fn reset(&mut self);

    /// Eases state gathered over minutes of steady noise; called during long non-speech. May do nothing.
    fn refresh(&mut self) {}

    /// Whether quiet speech should be raised before this detector hears it: true for detectors trained
    /// at normal levels, false for those that measure level themselves.
    fn wants_level(&self) -> bool {
        false
    }

    /// The detector's name in events and records: `silero`, `webrtc`, `energy`.
    fn name(&self) -> &'static str;
}
