//! Errors to messages and exit codes.

use std::process::ExitCode;

use earwitness::runtime::{ErrorKind, kind_of};

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
    #[cfg(feature = "collect")]
    if let Some(class) = class_of_collector(cause) {
        return Some(class);
    }
    kind_of(cause).map(Exit::from)
}

impl From<ErrorKind> for Exit {
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

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}
