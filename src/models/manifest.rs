//! [`Manifest`]: the note inside an installed model's folder that says what it is and what its files must be.
//!
//! JSON, written before the folder is renamed into place, so a folder with a manifest is a whole model.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::catalog::{ModelKind, Sha256Hex};
use super::error::ModelError;
use super::import::ModelFormat;

/// The manifest's file name in a model's folder.
pub(crate) const FILE_NAME: &str = "earwitness.json";

/// What was installed, from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name in the store.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// File format, by its magic bytes.
    pub format: ModelFormat,
    /// Licence from the catalogue; `unknown` for an import.
    pub licence: String,
    /// The source in words: `hub ...`, `wheel ...`, `import /path`.
    pub origin: String,
    /// Whether the files are symbolic links to the user's own.
    #[serde(default)]
    pub linked: bool,
    /// Every file with its length and digest.
    pub files: Vec<InstalledFile>,
}

/// One file as it was when installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledFile {
    /// File name in the model's folder.
    pub name: String,
    /// Length in bytes.
    pub bytes: u64,
    /// Digest of its content.
    pub sha256: Sha256Hex,
}

impl Manifest {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }

    /// The manifest in `folder`; `None` if there is none or it cannot be understood.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join(FILE_NAME)).ok()?;
        serde_json::from_slice(&text)
            .inspect_err(
                |error| tracing::warn!(folder = %folder.display(), %error, "unreadable model manifest"),
            )
            .ok()
    }

    /// Writes the manifest into `folder` and waits until it is on the disk.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), ModelError> {
        let path = folder.join(FILE_NAME);
        let fail = |e| ModelError::io("write", &path, e);
        let text = serde_json::to_vec_pretty(self).map_err(|e| fail(e.into()))?;
        let mut file = std::fs::File::create(&path).map_err(fail)?;
        std::io::Write::write_all(&mut file, &text).and_then(|()| file.sync_all()).map_err(fail)
    }
}
