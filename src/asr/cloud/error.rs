//! Why a cloud gave no transcript, and whether to ask again.

use std::time::Duration;

use crate::web::with_causes;

/// Why a cloud speech API gave no transcript. No message holds a key, a prompt or a text.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The settings contradict themselves, or the system lacks something.
    #[error("the cloud recognizer cannot be set up: {0}")]
    Setup(String),
    /// No connection: no network, no such name, nobody listens.
    #[error("{host} cannot be reached: {cause}")]
    Offline {
        /// Host and port.
        host: String,
        /// The system's words.
        cause: String,
    },
    /// Somebody listens, but does not prove to be the host.
    #[error("the connection to {host} is not secure, nothing was sent: {cause}")]
    Tls {
        /// Host and port.
        host: String,
        /// The system's words.
        cause: String,
    },
    /// The connection broke while sending or receiving.
    #[error("the connection to {host} broke: {cause}")]
    Broken {
        /// Host and port.
        host: String,
        /// The system's words.
        cause: String,
    },
    /// The deadline passed.
    #[error("{host} gave no answer within {} ms{}", deadline.as_millis(), after(last))]
    Deadline {
        /// Host and port.
        host: String,
        /// Over all attempts.
        deadline: Duration,
        /// What the attempt before the last one met.
        last: Option<Box<CloudError>>,
    },
    /// A status that is not 200.
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
        /// The account has no credit left, whatever the status.
        exhausted: bool,
    },
    /// Status 200, but no transcript in it.
    #[error("{host} gave an answer that cannot be read: {why}")]
    BadAnswer {
        /// Host and port.
        host: String,
        /// What is wrong.
        why: String,
    },
    /// Status 200, but the provider says that it is in trouble.
    #[error("{host} could not transcribe: {why}")]
    Trouble {
        /// Host and port.
        host: String,
        /// The provider's words.
        why: String,
    },
}

impl CloudError {
    /// Whether the same request may succeed in a moment.
    pub fn retry_now(&self) -> bool {
        match self {
            Self::Offline { .. } | Self::Broken { .. } | Self::Trouble { .. } => true,
            Self::Status { exhausted: true, .. } => false,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..),
            Self::Setup(_) | Self::Tls { .. } | Self::Deadline { .. } | Self::BadAnswer { .. } => false,
        }
    }

    /// Whether the same audio may succeed another day: only what the server says of the audio itself is final.
    pub fn retry_later(&self) -> bool {
        !matches!(self, Self::Status { status: 400 | 411 | 413 | 414 | 415 | 422, .. })
    }

    /// When the server wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the device seems to have no way to the host.
    pub fn is_offline(&self) -> bool {
        match self {
            Self::Offline { .. } => true,
            Self::Deadline { last, .. } => last.as_ref().is_some_and(|last| last.is_offline()),
            _ => false,
        }
    }

    /// What `reqwest` met; addresses stay out, as their queries may hold words of the user's.
    pub(super) fn of_transport(host: &str, error: reqwest::Error) -> Self {
        let connecting = error.is_connect();
        let cause = with_causes(&error.without_url());
        let host = host.to_owned();
        let words = cause.to_ascii_lowercase();
        let insecure = ["certificate", "tls", "handshake", "corruptmessage", "invalid message"];
        match connecting {
            true if insecure.iter().any(|word| words.contains(word)) => Self::Tls { host, cause },
            true => Self::Offline { host, cause },
            false => Self::Broken { host, cause },
        }
    }
}

fn after(last: &Option<Box<CloudError>>) -> String {
    last.as_ref().map_or_else(String::new, |last| format!("; before that: {last}"))
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ". It wants to redirect: set `cloud.url` to the final address",
        401 | 403 => ". Check the key and its rights",
        402 => ". The account has no credit",
        404 => ". Check `cloud.url` and `cloud.model`",
        413 => ". The utterance is too long for this server: lower `endpoint.max_utterance_ms`",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> CloudError {
        CloudError::Status {
            host: "h".into(),
            status,
            message: String::new(),
            retry_after: None,
            exhausted: false,
        }
    }

    #[test]
    fn each_status_has_its_own_way_on() {
        for (code, now, later) in [
            (400, false, false),
            (401, false, true),
            (402, false, true),
            (404, false, true),
            (408, true, true),
            (413, false, false),
            (415, false, false),
            (422, false, false),
            (429, true, true),
            (500, true, true),
            (503, true, true),
        ] {
            assert_eq!((status(code).retry_now(), status(code).retry_later()), (now, later), "{code}");
        }
    }
}
