//! Where an export's files go.

use std::path::PathBuf;
use std::{fs, io};

/// Takes the files of an export, each once and whole. Paths are relative, with `/`, and hold no `..`.
pub trait ExportTarget {
    /// Writes one file.
    ///
    /// # Errors
    ///
    /// Any that writing has; the export then ends.
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()>;
}

/// A folder, made with its parents when the first file comes.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// This one. What is in it stays, but for files of the same names.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl ExportTarget for Folder {
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let path = self.0.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)
    }
}

/// For archives that several exporters write to in turn.
impl<T: ExportTarget + ?Sized> ExportTarget for &mut T {
    fn put(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        (**self).put(path, content)
    }
}
