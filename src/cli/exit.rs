//! Errors to messages and exit codes.

use std::process::ExitCode;

#[cfg(feature = "cloud")]
use earwitness::asr::cloud::{CloudError, KeyError};
use earwitness::asr::whisper::LoadError;
use earwitness::audio::AudioError;
use earwitness::config::ProfileError;
use earwitness::models::{ModelError, ModelErrorKind};
use earwitness::pipeline::PipelineError;
use earwitness::private_file::PrivateFileError;
use earwitness::uplink::spool::SpoolError;
use earwitness::vad::SileroError;

/// The class of a failure. Documented in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Internal = 1,
    Usage = 2,
    Audio = 3,
    Model = 4,
    Network = 5,
    Microphone = 6,
    Config = 7,
    Disk = 8,
    SomeFilesFailed = 9,
}

/// An error of the command line itself, with its class.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    pub exit: Exit,
    pub message: String,
}

impl CliError {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

/// Prints `error` with its causes to stderr and gives its exit code. A closed pipe is no error.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    tracing::debug!("{error:?}");
    eprint_line(&format!("error: {}", one_line(error)));
    ExitCode::from(class(error) as u8)
}

/// A message for people on stderr.
pub fn eprint_line(text: &str) {
    use std::io::Write;
    // Nothing can be done if stderr is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The error and those causes that say more than it does.
pub fn one_line(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The class of an error, by the first cause that has one.
pub fn class(error: &anyhow::Error) -> Exit {
    error.chain().find_map(class_of).unwrap_or(Exit::Internal)
}

fn class_of(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(e) = cause.downcast_ref::<CliError>() {
        return Some(e.exit);
    }
    if let Some(e) = cause.downcast_ref::<ModelError>() {
        return Some(match e.kind() {
            ModelErrorKind::NotFound | ModelErrorKind::Corrupt => Exit::Model,
            ModelErrorKind::Network => Exit::Network,
            ModelErrorKind::Disk => Exit::Disk,
            ModelErrorKind::BadInput => Exit::Usage,
        });
    }
    if let Some(PipelineError::Audio(e)) = cause.downcast_ref::<PipelineError>() {
        return Some(audio_class(e));
    }
    if let Some(e) = cause.downcast_ref::<AudioError>() {
        return Some(audio_class(e));
    }
    if cause.is::<LoadError>() || cause.is::<SileroError>() {
        return Some(Exit::Model);
    }
    if cause.is::<ProfileError>() || cause.is::<PrivateFileError>() {
        return Some(Exit::Config);
    }
    if let Some(e) = cause.downcast_ref::<SpoolError>() {
        return Some(match e {
            SpoolError::Io { .. } | SpoolError::Full { .. } | SpoolError::Damaged(_) => Exit::Disk,
            SpoolError::Unknown(_) | SpoolError::InUse(_) => Exit::Usage,
            SpoolError::Sealed(_) | SpoolError::KeyFile(_) | SpoolError::BadKey(_) => Exit::Config,
        });
    }
    #[cfg(feature = "cloud")]
    if cause.is::<KeyError>() {
        return Some(Exit::Config);
    }
    #[cfg(feature = "cloud")]
    if let Some(e) = cause.downcast_ref::<CloudError>() {
        return Some(if matches!(e, CloudError::Setup(_)) { Exit::Config } else { Exit::Network });
    }
    #[cfg(feature = "serve")]
    if let Some(earwitness::server::ServerError::Listen { .. }) = cause.downcast_ref() {
        return Some(Exit::Network);
    }
    #[cfg(feature = "telemetry")]
    if let Some(class) = class_of_telemetry(cause) {
        return Some(class);
    }
    #[cfg(feature = "collect")]
    if let Some(class) = class_of_collector(cause) {
        return Some(class);
    }
    cause.downcast_ref::<std::io::Error>().map(|_| Exit::Disk)
}

#[cfg(feature = "telemetry")]
fn class_of_telemetry(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    use earwitness::uplink::collector::{ClipError, CollectorError};
    use earwitness::uplink::journal::JournalError;
    if let Some(e) = cause.downcast_ref::<JournalError>() {
        return Some(match e {
            JournalError::InUse(_) => Exit::Usage,
            JournalError::Sealed => Exit::Config,
            _ => Exit::Disk,
        });
    }
    if let Some(e) = cause.downcast_ref::<CollectorError>() {
        return Some(if matches!(e, CollectorError::Setup(_)) { Exit::Config } else { Exit::Network });
    }
    cause.is::<ClipError>().then_some(Exit::Disk)
}

#[cfg(feature = "collect")]
fn class_of_collector(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    use earwitness_collector::ServerError;
    use earwitness_collector::store::StoreError;
    use earwitness_collector::vault::VaultError;
    if let Some(e) = cause.downcast_ref::<ServerError>() {
        return match e {
            ServerError::Listen { .. } | ServerError::Serve(_) => Some(Exit::Network),
            ServerError::Unencrypted(_) => Some(Exit::Usage),
            ServerError::Tls { .. } => Some(Exit::Config),
            // Their own causes say more.
            ServerError::Vault(e) => class_of_collector(e),
            ServerError::Store(e) => class_of_collector(e),
            ServerError::Clips(_) => Some(Exit::Disk),
        };
    }
    if let Some(e) = cause.downcast_ref::<StoreError>() {
        return Some(if matches!(e, StoreError::Address(_)) { Exit::Usage } else { Exit::Disk });
    }
    cause.downcast_ref::<VaultError>().map(|_| Exit::Config)
}

fn audio_class(error: &AudioError) -> Exit {
    match error {
        AudioError::NoMicrophone { .. }
        | AudioError::UnknownMicrophone { .. }
        | AudioError::UnknownHost { .. }
        | AudioError::MicrophonePermission { .. }
        | AudioError::MicrophoneBusy { .. }
        | AudioError::MicrophoneFormat { .. }
        | AudioError::MicrophoneFailed { .. }
        | AudioError::SoundSystemStuck { .. } => Exit::Microphone,
        _ => Exit::Audio,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
