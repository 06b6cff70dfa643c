//! What a journal needs of a disk, and the real one.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::JournalError;
use super::segment::first_of;
use super::state::STATE_FILE;
use crate::uplink::spool::disk::{PART, atomic_write, create_private_folder, remove, sync_folder};

/// A folder of files, used by one journal alone. Names are plain file names.
///
/// The contract that the journal counts on, and no more than this: what was written is there after the process dies; after
/// a loss of power what was synced is there, and of the rest any part, in any order, of any file.
pub trait Disk: Send + Sync {
    /// All files with their sizes in bytes.
    ///
    /// # Errors
    /// Those of the system, as for all that follow.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;
    /// The bytes of `name` from its beginning, `most` at most.
    fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>>;
    /// An empty file of that name; its entry in the folder is durable after [`Disk::sync_folder`].
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// A file that is there, to be continued after its first `bytes`; the rest is cut off.
    fn reopen(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes the content of a file durable.
    fn sync(&self, name: &str) -> io::Result<()>;
    /// Makes entries of the folder durable.
    fn sync_folder(&self) -> io::Result<()>;
    /// Puts `content` in the place of `name`, whole or not at all; durable on return.
    fn write_atomic(&self, name: &str, content: &[u8]) -> io::Result<()>;
    /// Deletes a file that may be gone already. Durable at any time later.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// A file that grows.
pub trait DiskFile: Send + Sync {
    /// Writes `bytes` at the end. On failure any part of them may be there.
    ///
    /// # Errors
    /// Those of the system, as for all that follow.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;
    /// Cuts the file to `bytes`.
    fn truncate(&self, bytes: u64) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&self) -> io::Result<()>;
}

/// A folder of the file system, readable by its owner only. One process at a time has it.
pub struct FolderDisk {
    folder: PathBuf,
    /// Held as long as the journal is open.
    _lock: File,
}

impl FolderDisk {
    /// Makes the folder if need be, and locks it.
    ///
    /// # Errors
    /// [`JournalError::InUse`]; disk errors.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let fail = |what| move |source| JournalError::Disk { what, source };
        create_private_folder(folder).map_err(fail("make the folder of"))?;
        let open = fs::OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"));
        let lock = open.map_err(fail("lock"))?;
        lock.try_lock().map_err(|_| JournalError::InUse(folder.to_owned()))?;
        let disk = Self { folder: folder.to_owned(), _lock: lock };
        for (name, _) in disk.list().map_err(fail("list the folder of"))? {
            if Path::new(&name).extension().is_some_and(|e| e == PART) {
                disk.remove(&name).map_err(fail("clear"))?;
            }
        }
        Ok(disk)
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Deletes what a journal made here and nothing else. The lock stays: it is empty, and others may wait for it.
    ///
    /// # Errors
    /// Those of the system, with what could not be deleted still there.
    pub fn erase(&self) -> io::Result<()> {
        let (segments, others): (Vec<_>, Vec<_>) =
            self.list()?.into_iter().map(|(name, _)| name).partition(|name| first_of(name).is_some());
        let part = format!("{STATE_FILE}.{PART}");
        let others = others.into_iter().filter(|name| *name == STATE_FILE || *name == part);
        // The state last: without it what is left of the segments would be another stream.
        segments.into_iter().chain(others).try_for_each(|name| self.remove(&name))?;
        self.sync_folder()
    }

    fn options() -> fs::OpenOptions {
        let mut options = fs::OpenOptions::new();
        // Not `append`: on Windows such a file can be neither cut nor synced.
        options.write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        options
    }
}

impl Disk for FolderDisk {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                files.push((name, metadata.len()));
            }
        }
        Ok(files)
    }

    fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.folder.join(name))?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = Self::options().create(true).truncate(true).open(self.folder.join(name))?;
        Ok(Arc::new(FolderFile(file)))
    }

    fn reopen(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let file = Self::options().open(self.folder.join(name))?;
        file.set_len(bytes)?;
        Ok(Arc::new(FolderFile(file)))
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        Self::options().open(self.folder.join(name))?.sync_all()
    }

    fn sync_folder(&self) -> io::Result<()> {
        sync_folder(&self.folder)
    }

    fn write_atomic(&self, name: &str, content: &[u8]) -> io::Result<()> {
        atomic_write(&self.folder.join(name), content)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        remove(&self.folder.join(name))
    }
}

struct FolderFile(File);

impl DiskFile for FolderFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        // Its one writer holds the journal's lock.
        (&self.0).seek(SeekFrom::End(0))?;
        (&self.0).write_all(bytes)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        // The size is needed too; times are not.
        self.0.sync_data()
    }
}

/// Whether there was no space, or the user's share is used up.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
