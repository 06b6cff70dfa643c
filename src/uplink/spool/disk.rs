//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Suffix of what is being written.
pub(in crate::uplink) const PART: &str = "part";

/// Replaces `path` in one step; after it returns, a loss of power leaves the new content.
pub fn atomic_write(path: &Path, content: &[u8]) -> io::Result<()> {
    let part = part_of(path);
    let written = write_synced(&part, content).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What is left of a failed try is of no use; a full disk wants it gone.
        let _ = fs::remove_file(&part);
    }
    written?;
    // A bare file name has an empty parent.
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    sync_folder(folder.unwrap_or(Path::new(".")))
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(PART);
    name.into()
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Speech is nobody else's.
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes renames and deletions in `folder` durable.
pub(in crate::uplink) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows has no such call and keeps the order itself.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Deletes a file that may be gone already.
pub(in crate::uplink) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// A folder that only its owner can enter.
pub(in crate::uplink) fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}
