//! [`SetupError`]: why a profile cannot be set up, and of which class that is.

use std::error::Error;
use std::fmt;

#[cfg(feature = "cloud")]
use crate::asr::cloud::CloudError;
use crate::asr::whisper::LoadError;
use crate::audio::AudioError;
use crate::config::ProfileError;
use crate::models::{ModelError, ModelErrorKind};
use crate::pipeline::PipelineError;
use crate::private_file::PrivateFileError;
use crate::uplink::spool::SpoolError;
use crate::vad::SileroError;

/// The class of a failure: who can do something about it. The numbers are the exit codes of the command line and the
/// error codes of the C interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ErrorKind {
    /// Nobody here: please report it.
    Internal = 1,
    /// What was asked for cannot be.
    Usage = 2,
    /// The audio, or the file that it is in.
    Audio = 3,
    /// A model is missing or damaged.
    Model = 4,
    /// The network, or whoever is at its other end.
    Network = 5,
    /// The microphone.
    Microphone = 6,
    /// The profile, a key, a consent.
    Config = 7,
    /// The disk.
    Disk = 8,
}

/// Why a profile cannot be set up. Its text says what to do.
#[derive(Debug)]
pub struct SetupError {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl SetupError {
    /// An error without a cause.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Its class.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error, with words before it.
    pub fn context(mut self, words: impl fmt::Display) -> Self {
        self.message = format!("{words}: {}", self.message);
        self
    }

    fn of(source: impl Error + Send + Sync + 'static) -> Self {
        let kind = kind_of(&source).unwrap_or(ErrorKind::Internal);
        Self { kind, message: source.to_string(), source: Some(Box::new(source)) }
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for SetupError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| &**source as &(dyn Error + 'static))
    }
}

macro_rules! from {
    ($($source:ty),* $(,)?) => {$(
        impl From<$source> for SetupError {
            fn from(source: $source) -> Self {
                Self::of(source)
            }
        }
    )*};
}

from! {
    AudioError, LoadError, ModelError, PipelineError, PrivateFileError, ProfileError, SileroError, SpoolError,
    crate::endpoint::RuleError, std::io::Error,
}
#[cfg(any(feature = "cloud", feature = "telemetry"))]
from!(crate::web::KeyError);
#[cfg(feature = "cloud")]
from!(CloudError);
#[cfg(feature = "telemetry")]
from! {
    crate::uplink::collector::ClipError, crate::uplink::collector::CollectorError,
    crate::uplink::journal::JournalError, crate::uplink::otlp::OtlpError,
}

/// The class of one of the library's errors; `None` of any other.
pub fn kind_of(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    if let Some(e) = error.downcast_ref::<SetupError>() {
        return Some(e.kind);
    }
    if let Some(e) = error.downcast_ref::<ModelError>() {
        return Some(match e.kind() {
            ModelErrorKind::NotFound | ModelErrorKind::Corrupt => ErrorKind::Model,
            ModelErrorKind::Network => ErrorKind::Network,
            ModelErrorKind::Disk => ErrorKind::Disk,
            ModelErrorKind::BadInput => ErrorKind::Usage,
        });
    }
    if let Some(PipelineError::Audio(e)) = error.downcast_ref::<PipelineError>() {
        return Some(of_audio(e));
    }
    if let Some(e) = error.downcast_ref::<AudioError>() {
        return Some(of_audio(e));
    }
    if error.is::<LoadError>() || error.is::<SileroError>() {
        return Some(ErrorKind::Model);
    }
    if error.is::<ProfileError>()
        || error.is::<PrivateFileError>()
        || error.is::<crate::endpoint::RuleError>()
    {
        return Some(ErrorKind::Config);
    }
    if let Some(e) = error.downcast_ref::<SpoolError>() {
        return Some(match e {
            SpoolError::Io { .. } | SpoolError::Full { .. } | SpoolError::Damaged(_) => ErrorKind::Disk,
            SpoolError::Unknown(_) | SpoolError::InUse(_) => ErrorKind::Usage,
            SpoolError::Sealed(_) | SpoolError::KeyFile(_) | SpoolError::BadKey(_) => ErrorKind::Config,
        });
    }
    #[cfg(any(feature = "cloud", feature = "telemetry"))]
    if error.is::<crate::web::KeyError>() {
        return Some(ErrorKind::Config);
    }
    #[cfg(feature = "cloud")]
    if let Some(e) = error.downcast_ref::<CloudError>() {
        return Some(if matches!(e, CloudError::Setup(_)) { ErrorKind::Config } else { ErrorKind::Network });
    }
    #[cfg(feature = "serve")]
    if let Some(crate::server::ServerError::Listen { .. }) = error.downcast_ref() {
        return Some(ErrorKind::Network);
    }
    #[cfg(feature = "telemetry")]
    if let Some(kind) = of_telemetry(error) {
        return Some(kind);
    }
    error.is::<std::io::Error>().then_some(ErrorKind::Disk)
}

#[cfg(feature = "telemetry")]
fn of_telemetry(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    use crate::uplink::collector::{ClipError, CollectorError};
    use crate::uplink::journal::JournalError;
    use crate::uplink::otlp::OtlpError;
    if let Some(e) = error.downcast_ref::<JournalError>() {
        return Some(match e {
            JournalError::InUse(_) => ErrorKind::Usage,
            JournalError::Sealed => ErrorKind::Config,
            _ => ErrorKind::Disk,
        });
    }
    if let Some(e) = error.downcast_ref::<CollectorError>() {
        let setup = matches!(e, CollectorError::Setup(_));
        return Some(if setup { ErrorKind::Config } else { ErrorKind::Network });
    }
    if error.is::<OtlpError>() {
        return Some(ErrorKind::Config);
    }
    error.is::<ClipError>().then_some(ErrorKind::Disk)
}

fn of_audio(error: &AudioError) -> ErrorKind {
    match error {
        AudioError::NoMicrophone { .. }
        | AudioError::UnknownMicrophone { .. }
        | AudioError::AmbiguousMicrophone { .. }
        | AudioError::UnknownHost { .. }
        | AudioError::MicrophonePermission { .. }
        | AudioError::MicrophoneBusy { .. }
        | AudioError::MicrophoneFormat { .. }
        | AudioError::MicrophoneFailed { .. }
        | AudioError::SoundSystemStuck { .. } => ErrorKind::Microphone,
        _ => ErrorKind::Audio,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_and_a_text_survive_the_way_up() {
        let error = SetupError::from(AudioError::NoMicrophone { detail: "unplugged".into() });
        assert_eq!(error.kind(), ErrorKind::Microphone);
        let error = SetupError::from(std::io::Error::other("no room")).context("cannot create /x");
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Disk, "cannot create /x: no room")
        );
        assert!(error.source().is_some());
        assert_eq!(SetupError::new(ErrorKind::Usage, "no").kind() as i32, 2);
    }
}
