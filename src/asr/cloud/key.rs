//! API keys: from the environment or a private file, never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::header::HeaderValue;

/// A secret that is sent and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// Why there is no key. None of the messages holds any of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The variable is not set.
    #[error("the environment variable {0} is not set: set it to the key, or name another in `cloud.key_env`")]
    NotSet(String),
    /// The file cannot be read.
    #[error("cannot read the key file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("the key file {} can be read by others: run `chmod 600 {}`", .0.display(), .0.display())]
    Exposed(PathBuf),
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
        let read = |source| KeyError::Read { path: path.to_owned(), source };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).map_err(read)?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(KeyError::Exposed(path.to_owned()));
            }
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::new(&text).ok_or_else(|| KeyError::Unusable(path.display().to_string()))
    }

    /// `prefix` and the key as a header that is marked as sensitive.
    pub(super) fn header(&self, prefix: &str) -> HeaderValue {
        // Graphic ASCII is always a valid header value.
        let mut value = HeaderValue::from_str(&format!("{prefix}{}", self.0))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// `text` without the key, should a server have quoted it.
    pub(super) fn redact(&self, text: &str) -> String {
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

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "secret\n").unwrap();
        for (mode, fits) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let key = ApiKey::from_file(&path);
            assert_eq!(key.is_ok(), fits, "{mode:o}");
            if let Err(error) = key {
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
        assert!(matches!(ApiKey::from_file(&folder.path().join("none")), Err(KeyError::Read { .. })));
    }
}
