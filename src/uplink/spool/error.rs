//! Why something could not be kept.

use std::path::{Path, PathBuf};

use crate::private_file::PrivateFileError;

/// Why the spool failed.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Another process has it.
    #[error("the spool {} is in use by another earwitness: end it, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// The system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// `write`, `read`, `delete`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The disk cap is reached and nothing may be deleted.
    #[error("the spool {} is full ({max_mib} MiB): send or delete what it holds (`earwitness spool list`), or raise `spool.max_mib`", folder.display())]
    Full {
        /// The folder.
        folder: PathBuf,
        /// The cap.
        max_mib: u64,
    },
    /// Sealed with another key, changed, or not sealed at all.
    #[error("{} cannot be opened with this key: it was sealed with another one, or damaged", .0.display())]
    Sealed(PathBuf),
    /// Neither audio nor a record.
    #[error("{} is damaged", .0.display())]
    Damaged(PathBuf),
    /// The key file.
    #[error("the spool's key file: {0}")]
    KeyFile(#[from] PrivateFileError),
    /// The key file's content.
    #[error("the key file {} must hold 64 hexadecimal digits: make one with `earwitness spool new-key FILE`", .0.display())]
    BadKey(PathBuf),
    /// No such utterance.
    #[error("there is no utterance {0} in the spool: see `earwitness spool list`")]
    Unknown(String),
}

impl SpoolError {
    pub(super) fn io(what: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}
