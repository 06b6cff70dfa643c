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
