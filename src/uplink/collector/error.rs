//! Why a collection server did not take something.

use std::time::Duration;

use crate::web::{KeyError, with_causes};

/// Why a collection server did not do what was asked. No message holds a token, a code or a record.
#[derive(Debug, thiserror::Error)]
pub enum CollectorError {
    /// The settings contradict themselves, or the system lacks something.
    #[error("telemetry cannot be sent: {0}")]
    Setup(String),
    /// There is no token.
    #[error("the token of the collection server: {0}")]
    Token(#[from] KeyError),
    /// No connection, or it broke, or took too long.
    #[error("{host} cannot be reached: {cause}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// The system's words.
        cause: String,
    },
    /// Another status than the wanted one.
    #[error("{host} answered with status {status}{}{}", said(message), advice(*status))]
    Status {
        /// Host and port.
        host: String,
        /// HTTP status.
        status: u16,
        /// The server's own words, shortened.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
        /// With status 409: where the stream continues.
        expected_sequence: Option<u64>,
    },
    /// The wanted status, and no sense in it.
    #[error("{host} gave an answer that cannot be understood: {why}. Is it a collection server?")]
    BadAnswer {
        /// Host and port.
        host: String,
        /// What is wrong.
        why: String,
    },
}

impl CollectorError {
    /// What `reqwest` met.
    pub(super) fn of_transport(host: &str, error: reqwest::Error) -> Self {
        Self::Unreachable { host: host.to_owned(), cause: with_causes(&error.without_url()) }
    }

    /// When the server wants to be asked again.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether what was sent is itself refused: a repetition would be, too.
    pub(super) fn is_about_content(&self) -> bool {
        matches!(self, Self::Status { status: 400 | 413 | 422, .. })
    }

    /// Whether only a person can change it: a revoked token, a wrong address.
    pub(super) fn needs_a_person(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 300..=399 | 401 | 403 | 404 | 405 | 415),
            Self::BadAnswer { .. } | Self::Setup(_) | Self::Token(_) => true,
            Self::Unreachable { .. } => false,
        }
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ". It wants to redirect: set `telemetry.url` to the final address",
        401 | 403 => ". The token is unknown or revoked: enrol the device again",
        404 | 405 => ". Check `telemetry.url`",
        _ => "",
    }
}
