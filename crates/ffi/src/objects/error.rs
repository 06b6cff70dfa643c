//! Failures as Kotlin, Swift and Python have them.

use earwitness::runtime::{ErrorKind, SetupError};

/// Why something is not done. The text says what to do about it. (A field called `message` is one too many in Kotlin.)
#[derive(Debug, thiserror::Error, uniffi::Error)]
#[allow(missing_docs, reason = "the fields are described by their variant")]
pub enum EarwitnessError {
    /// A fault of ours: please report it.
    #[error("{reason}")]
    Internal { reason: String },
    /// What was asked for cannot be, or not now.
    #[error("{reason}")]
    Usage { reason: String },
    /// The audio, or the file that it is in.
    #[error("{reason}")]
    Audio { reason: String },
    /// A model is missing or damaged.
    #[error("{reason}")]
    Model { reason: String },
    /// The network.
    #[error("{reason}")]
    Network { reason: String },
    /// The microphone.
    #[error("{reason}")]
    Microphone { reason: String },
    /// The profile, a key, a consent.
    #[error("{reason}")]
    Config { reason: String },
    /// The disk.
    #[error("{reason}")]
    Disk { reason: String },
    /// The session takes no more audio.
    #[error("{reason}")]
    Closed { reason: String },
}

impl From<SetupError> for EarwitnessError {
    fn from(error: SetupError) -> Self {
        let reason = error.to_string();
        match error.kind() {
            ErrorKind::Internal => Self::Internal { reason },
            ErrorKind::Usage => Self::Usage { reason },
            ErrorKind::Audio => Self::Audio { reason },
            ErrorKind::Model => Self::Model { reason },
            ErrorKind::Network => Self::Network { reason },
            ErrorKind::Microphone => Self::Microphone { reason },
            ErrorKind::Config => Self::Config { reason },
            ErrorKind::Disk => Self::Disk { reason },
        }
    }
}

impl From<earwitness::audio::PushError> for EarwitnessError {
    fn from(error: earwitness::audio::PushError) -> Self {
        let reason = error.to_string();
        match error {
            earwitness::audio::PushError::Closed => Self::Closed { reason },
            earwitness::audio::PushError::PartialFrame { .. } => Self::Audio { reason },
        }
    }
}

/// The class of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum FailureKind {
    /// A fault of ours: please report it.
    Internal,
    /// What was asked for cannot be, or not now.
    Usage,
    /// The audio, or the file that it is in.
    Audio,
    /// A model is missing or damaged.
    Model,
    /// The network.
    Network,
    /// The microphone.
    Microphone,
    /// The profile, a key, a consent.
    Config,
    /// The disk.
    Disk,
}

impl From<ErrorKind> for FailureKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Internal => Self::Internal,
            ErrorKind::Usage => Self::Usage,
            ErrorKind::Audio => Self::Audio,
            ErrorKind::Model => Self::Model,
            ErrorKind::Network => Self::Network,
            ErrorKind::Microphone => Self::Microphone,
            ErrorKind::Config => Self::Config,
            ErrorKind::Disk => Self::Disk,
        }
    }
}
