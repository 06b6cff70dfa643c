//! A folder that fails: full for a while, or in the middle of a write. Or the power button of the process.

use std::io;
use std::process::Command;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use earwitness::uplink::journal::{Disk, DiskFile, FolderDisk};

use super::plan::{Device, Kind};

/// Times that a device's disk is full. Each costs up to four of its segments and some records.
const FULL_TIMES: f64 = 4.0;
/// Longest of these, in writes.
const FULL_WRITES: u32 = 6;
/// Writes of a device that are torn.
const TORN_WRITES: f64 = 20.0;

/// Counts the writes of all devices down to the one in the middle of which the process kills itself.
pub type LastWrite = Arc<AtomicI64>;

struct Faults {
    kind: Kind,
    share: f64,
    rng: Mutex<fastrand::Rng>,
    /// Writes that the disk will still refuse.
    full: AtomicU32,
    last_write: LastWrite,
}

enum Fault {
    None,
    Full,
    Torn,
    Killed,
}

impl Faults {
    fn random(&self) -> f64 {
        self.rng.lock().unwrap().f64()
    }

    fn next(&self) -> Fault {
        if self.last_write.fetch_sub(1, Ordering::Relaxed) == 1 {
            return Fault::Killed;
        }
        match self.kind {
            Kind::Full if self.is_full() => Fault::Full,
            Kind::Full if self.random() < FULL_TIMES / self.share => {
                self.full.store(self.rng.lock().unwrap().u32(0..FULL_WRITES), Ordering::Relaxed);
                Fault::Full
            }
            Kind::Torn if self.random() < TORN_WRITES / self.share => Fault::Torn,
            _ => Fault::None,
        }
    }

    fn is_full(&self) -> bool {
        self.full.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    fn piece<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[..self.rng.lock().unwrap().usize(0..bytes.len())]
    }
}

fn torn() -> io::Error {
    io::Error::other("the disk failed in the middle of a write")
}

pub struct FaultyDisk {
    folder: FolderDisk,
    faults: Arc<Faults>,
}

impl FaultyDisk {
    pub fn new(folder: FolderDisk, device: &Device, last_write: LastWrite) -> Self {
        let rng = Mutex::new(fastrand::Rng::new());
        let share = device.share as f64;
        let faults = Faults { kind: device.kind, share, rng, full: AtomicU32::new(0), last_write };
        Self { folder, faults: Arc::new(faults) }
    }

    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(FaultyFile { file, faults: self.faults.clone() })
    }
}

impl Disk for FaultyDisk {
    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.folder.list()
    }

    fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        self.folder.read(name, most)
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.folder.create(name).map(|file| self.file(file))
    }

    fn reopen(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.folder.reopen(name, bytes).map(|file| self.file(file))
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        self.folder.sync(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.folder.sync_folder()
    }

    fn write_atomic(&self, name: &str, content: &[u8]) -> io::Result<()> {
        match self.faults.kind {
            Kind::Full if self.faults.is_full() => Err(io::ErrorKind::StorageFull.into()),
            Kind::Torn if self.faults.random() < 0.02 => Err(torn()),
            _ => self.folder.write_atomic(name, content),
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.folder.remove(name)
    }
}

struct FaultyFile {
    file: Arc<dyn DiskFile>,
    faults: Arc<Faults>,
}

impl DiskFile for FaultyFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        match self.faults.next() {
            Fault::None => self.file.append(bytes),
            Fault::Full => {
                self.file.append(self.faults.piece(bytes))?;
                Err(io::ErrorKind::StorageFull.into())
            }
            Fault::Torn => {
                self.file.append(self.faults.piece(bytes))?;
                Err(torn())
            }
            Fault::Killed => {
                self.file.append(self.faults.piece(bytes))?;
                let this = std::process::id().to_string();
                let _ = Command::new("kill").args(["-KILL", &this]).status();
                std::thread::sleep(Duration::from_secs(60));
                Err(torn())
            }
        }
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        match self.faults.kind {
            Kind::Torn if self.faults.random() < 0.25 => Err(torn()),
            _ => self.file.truncate(bytes),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}
