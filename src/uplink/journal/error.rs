//! Why a journal failed.

use std::path::PathBuf;

/// Why a record was not kept, or the journal cannot be used. No message holds anything of a record.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process has it.
    #[error("the journal {} is in use by another earwitness: end it, or choose another folder", .0.display())]
    InUse(PathBuf),
    /// The system refused. What was kept stays.
    #[error("cannot {what} the journal: {source}")]
    Disk {
        /// `write`, `read`, `sync`.
        what: &'static str,
        /// The cause.
        source: std::io::Error,
    },
    /// The record could not be written. It is reported as lost under its sequence.
    #[error("record {sequence} is lost: {source}")]
    Lost {
        /// The record's sequence.
        sequence: u64,
        /// The cause.
        source: std::io::Error,
    },
    /// It has no sequence: a server would refuse it.
    #[error("a record of {bytes} bytes is larger than the {max} that a server takes: it is not kept")]
    TooLarge {
        /// Of its JSON.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The records there need another key, or one at all.
    #[error(
        "the journal was sealed with another key: name its key file, or move the folder away to begin anew"
    )]
    Sealed,
    /// A segment of another stream lies in the folder.
    #[error("{0} belongs to another journal: move it out of the folder")]
    Foreign(String),
}

impl JournalError {
    pub(super) fn disk(what: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Disk { what, source }
    }
}
