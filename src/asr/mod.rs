//! Speech recognition: an [`Utterance`] in, a [`Transcript`] out.
//!
//! A [`Recognizer`] sees one finished utterance and knows nothing of microphones, threads or
//! clocks. It tells a [`RecognitionObserver`] which stage it enters, so that whoever holds a clock
//! can time the stages, and asks it now and then whether to go on.

#[cfg(feature = "cloud")]
pub mod cloud;
pub(crate) mod kernels;
mod transcript;
pub mod whisper;

use std::fmt;
use std::time::Duration;

pub use transcript::{Outcome, Segment, Transcript, Word, avg_logprob};

use crate::utterance::Utterance;

/// What made a hypothesis: engine, model, weight type and version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct EngineId {
    /// The kind of engine: `whisper`.
    pub engine: String,
    /// The model's name, as the user knows it: `tiny.en`.
    pub model: String,
    /// How its weights are computed with: `f32`.
    pub quantization: String,
    /// The version of this crate.
    pub version: String,
}

impl EngineId {
    /// An identifier with this crate's version.
    pub fn new(engine: &str, model: &str, quantization: &str) -> Self {
        Self {
            engine: engine.to_owned(),
            model: model.to_owned(),
            quantization: quantization.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}@{}", self.engine, self.model, self.quantization, self.version)
    }
}

/// A stage of recognition, in the order in which a recognizer goes through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Samples to log-mel spectrogram.
    LogMel,
    /// Spectrogram to audio states.
    Encode,
    /// Audio states to tokens.
    Decode,
    /// Tokens to word times.
    Align,
    /// Waiting for a cloud's answer, upload and pauses between attempts included.
    Cloud,
}

/// Watches a recognition and may stop it.
pub trait RecognitionObserver {
    /// The recognizer begins `stage`; the stage before it is over. A stage may be entered again.
    fn enter(&mut self, _stage: Stage) {}

    /// Asked between layers and tokens: `true` makes the recognizer return [`RecognizerError::Cancelled`].
    fn cancelled(&self) -> bool {
        false
    }
}

/// Watches nothing and never cancels.
impl RecognitionObserver for () {}

/// Why an utterance has no transcript.
#[derive(Debug, thiserror::Error)]
pub enum RecognizerError {
    /// The observer asked to stop.
    #[error("the recognition was cancelled")]
    Cancelled,
    /// A cloud speech API gave no transcript.
    #[cfg(feature = "cloud")]
    #[error(transparent)]
    Cloud(#[from] cloud::CloudError),
    /// The engine failed; nothing the caller did.
    #[error("the recognizer failed: {0}. Please report this together with the output of `earwitness doctor`")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl RecognizerError {
    /// Whether the device seems to have no way to the engine.
    pub fn is_offline(&self) -> bool {
        match self {
            #[cfg(feature = "cloud")]
            Self::Cloud(error) => error.is_offline(),
            _ => false,
        }
    }

    /// Whether the same samples may be answered another time.
    pub fn retry_later(&self) -> bool {
        match self {
            #[cfg(feature = "cloud")]
            Self::Cloud(error) => error.retry_later(),
            Self::Cancelled => true,
            Self::Engine(_) => false,
        }
    }

    /// Whether the engine was given up at its deadline.
    pub fn is_timeout(&self) -> bool {
        match self {
            #[cfg(feature = "cloud")]
            Self::Cloud(cloud::CloudError::Deadline { .. }) => true,
            _ => false,
        }
    }

    /// For how long asking again is of no use, if the engine said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            #[cfg(feature = "cloud")]
            Self::Cloud(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl From<candle_core::Error> for RecognizerError {
    fn from(source: candle_core::Error) -> Self {
        Self::Engine(Box::new(source))
    }
}

/// Turns utterances into text.
pub trait Recognizer: Send {
    /// What answers.
    fn engine(&self) -> &EngineId;

    /// The transcript of `utterance`; segment times count from its first sample. It depends on the samples
    /// alone, so that an answer to the same samples may stand for it.
    ///
    /// # Errors
    /// [`RecognizerError::Cancelled`] if `observer` asked for it, [`RecognizerError::Engine`] if the engine failed.
    fn transcribe(
        &mut self,
        utterance: &Utterance,
        observer: &mut dyn RecognitionObserver,
    ) -> Result<Transcript, RecognizerError>;
}
