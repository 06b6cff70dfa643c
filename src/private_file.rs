//! Files that hold secrets: only their owner may read them.

use std::path::{Path, PathBuf};

/// Why a file with a secret is not read.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("{} can be read by others: run `chmod 600 {}`", .0.display(), .0.display())]
    Exposed(PathBuf),
}

/// The content of a file that group and others may not read. Windows has no such bits: there it is only read.
///
/// # Errors
/// [`PrivateFileError`].
pub fn read(path: &Path) -> Result<Vec<u8>, PrivateFileError> {
    let fail = |source| PrivateFileError::Read { path: path.to_owned(), source };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_err(fail)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(PrivateFileError::Exposed(path.to_owned()));
        }
    }
    std::fs::read(path).map_err(fail)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "secret\n").unwrap();
        for (mode, fits) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match read(&path) {
                Ok(content) => assert!(fits && content == b"secret\n", "{mode:o}"),
                Err(error) => assert!(!fits && error.to_string().contains("chmod 600"), "{mode:o} {error}"),
            }
        }
        assert!(matches!(read(&folder.path().join("none")), Err(PrivateFileError::Read { .. })));
    }
}
