//! Where the demonstration keeps its data.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A folder of the user's choice, or a scratch folder that goes when this is dropped.
pub struct Folder {
    /// Where.
    pub path: PathBuf,
    /// Whether it goes.
    pub scratch: bool,
}

impl Folder {
    /// Opens `chosen`, or makes a new one that others cannot read: it holds keys.
    pub fn open(chosen: Option<&Path>) -> Result<Self> {
        let path = match chosen {
            Some(chosen) => std::path::absolute(chosen).context("finding the current folder")?,
            None => std::env::temp_dir().join(format!("earwitness-demo-{}", std::process::id())),
        };
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // A scratch folder must be new: nobody else has laid anything into it.
        builder.recursive(chosen.is_some());
        builder.create(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { path, scratch: chosen.is_none() })
    }

    /// A path in it as an argument.
    pub fn argument(&self, name: &str) -> Result<String> {
        self.path.join(name).into_os_string().into_string().ok().context("the folder's name is not Unicode")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.scratch {
            // What cannot be deleted is the system's to tidy up: it lies in its folder for that.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
