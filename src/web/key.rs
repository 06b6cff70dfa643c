//! Keys and tokens: from the environment or a private file, never shown.

use std::fmt;
use std::path::Path;

use reqwest::header::HeaderValue;

use crate::private_file::{self, PrivateFileError};

/// A secret that is sent and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// Why there is no key. None of the messages holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The variable is not set.
    #[error(
        "the environment variable {0} is not set: set it to the key, or name another variable in the profile"
    )]
    NotSet(String),
    /// The file cannot be read, or others can.
    #[error("the key file: {0}")]
    File(#[from] PrivateFileError),
    /// Empty, or no text that a header can hold.
    #[error("the key in {0} is empty or holds characters that no key has")]
    Unusable(String),
}

impl ApiKey {
    /// The key itself, without surrounding white space; `None` if it is empty or holds what a header cannot.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        let usable = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
        usable.then(|| Self(key.to_owned()))
    }

    /// From the environment variable `name`.
    ///
    /// # Errors
    /// [`KeyError::NotSet`], [`KeyError::Unusable`].
    pub fn from_env(name: &str) -> Result<Self, KeyError> {
        let value = std::env::var(name).map_err(|_| KeyError::NotSet(name.to_owned()))?;
        Self::new(&value).ok_or_else(|| KeyError::Unusable(name.to_owned()))
    }

    /// From a file that only its owner can read.
    ///
    /// # Errors
    /// [`KeyError`], also if group or others may read the file.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let content = private_file::read(path)?;
        let text = String::from_utf8_lossy(&content);
        Self::new(&text).ok_or_else(|| KeyError::Unusable(path.display().to_string()))
    }

    /// `prefix` and the key as a header that is marked as sensitive.
    pub(crate) fn header(&self, prefix: &str) -> HeaderValue {
        // Graphic ASCII is always a valid header value.
        let mut value = HeaderValue::from_str(&format!("{prefix}{}", self.0))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// The key itself, for the file that keeps it.
    #[cfg(feature = "telemetry")]
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// `text` without the key, should a server have quoted it.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "[key]")
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_trimmed_checked_and_never_shown() {
        let key = ApiKey::new(" sk-secret\n").unwrap();
        assert_eq!(key, ApiKey("sk-secret".into()));
        assert!(!format!("{key:?} {:?}", key.header("Bearer ")).contains("secret"));
        assert_eq!(key.redact("bad key sk-secret."), "bad key [key].");
        for bad in ["", "  ", "a b", "ключ", "a\nb"] {
            assert!(ApiKey::new(bad).is_none(), "{bad:?}");
        }
    }
}
