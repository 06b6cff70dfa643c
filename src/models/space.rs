//! Free disk space, asked before a download begins instead of found missing at its end.

use std::path::Path;

use super::error::ModelError;

/// Fails when the disk that holds `folder` (which exists) has fewer than `needed` bytes free for this user.
///
/// Where the free space cannot be read the check passes; the write itself reports a full disk then.
pub(crate) fn require(folder: &Path, needed: u64) -> Result<(), ModelError> {
    match free_bytes(folder) {
        Some(available) if available < needed => {
            Err(ModelError::DiskFull { path: folder.to_owned(), needed, available: Some(available) })
        }
        _ => Ok(()),
    }
}

#[cfg(unix)]
#[allow(clippy::useless_conversion)] // the field's width differs between Unixes
fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(folder).ok()?;
    u64::from(stat.blocks_available()).checked_mul(u64::from(stat.fragment_size()))
}

#[cfg(not(unix))]
fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_any_disk_holds_is_refused_before_writing() {
        let folder = std::env::temp_dir();
        let error = require(&folder, u64::MAX).err();
        assert!(
            !cfg!(unix)
                || matches!(error, Some(ModelError::DiskFull { needed: u64::MAX, available: Some(_), .. }))
        );
        assert!(require(&folder, 0).is_ok());
    }
}
