//! Utterances on disk: kept before they are heard, until they are answered.
//!
//! ```text
//! 1764000000123-0000.flac   the audio: written, synced, renamed, folder synced; then it is kept
//! 1764000000123-0000.json   what has come of it, replaced in one step; none means pending
//! lock                      held by the one process that uses the folder
//! ```
//! Plain files, so that a person with a file manager can get at what was said, whatever happened to the
//! program. With a key both kinds are sealed. A kill or a loss of power at any point leaves an utterance kept or
//! not, answered or not: what lies between is finished or undone when the spool is opened.
//!
//! An answer counts as delivered when its record is in place, before it is shown: nothing is delivered
//! twice. What a crash kept from being shown is in the record.

pub(super) mod disk;
mod error;
mod record;
pub(super) mod seal;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

pub use disk::atomic_write;
pub use error::SpoolError;
pub use record::{SpoolEntry, SpoolRecord, SpoolState, kept_unix_ms};
pub use seal::SpoolKey;

use crate::audio::{ChannelSelect, FileSource, encode_flac, read_all};
use disk::{create_private_folder, remove, sync_folder};

/// What happens when the cap is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The oldest go: answered ones first, then those that wait.
    #[default]
    DropOldest,
    /// Nothing more is kept.
    Stop,
}

/// How a spool is kept.
#[derive(Clone, Debug)]
pub struct SpoolOptions {
    /// Where.
    pub folder: PathBuf,
    /// Cap on the disk space, MiB. 1024: some 25 hours of speech as FLAC.
    pub max_mib: u64,
    /// What happens when it is reached.
    pub when_full: WhenFull,
    /// Whether answered utterances stay.
    pub keep_answered: bool,
    /// Seals all files.
    pub key: Option<SpoolKey>,
}

impl SpoolOptions {
    /// Defaults for `folder`: 1024 MiB, the oldest go, answered ones do not stay, not sealed.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            max_mib: 1024,
            when_full: WhenFull::default(),
            keep_answered: false,
            key: None,
        }
    }
}

#[derive(Clone, Copy)]
struct Known {
    state: SpoolState,
    bytes: u64,
}

struct Index {
    entries: BTreeMap<String, Known>,
    bytes: u64,
    last_ms: u64,
    count: u32,
    /// Utterances that were deleted unanswered to make room.
    dropped: u64,
}

/// A folder of kept utterances. One process at a time has it.
pub struct Spool {
    options: SpoolOptions,
    index: Mutex<Index>,
    /// Held as long as the spool is open.
    _lock: File,
}

const AUDIO: &str = "flac";
const RECORD: &str = "json";

impl Spool {
    /// Opens the folder, makes it if need be, and finishes what a crash interrupted.
    ///
    /// # Errors
    /// [`SpoolError::InUse`]; [`SpoolError::Sealed`] if the files there do not fit the key; disk errors.
    pub fn open(options: SpoolOptions) -> Result<Self, SpoolError> {
        let folder = &options.folder;
        create_private_folder(folder).map_err(|e| SpoolError::io("create", folder, e))?;
        let path = folder.join("lock");
        let open = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = open.map_err(|e| SpoolError::io("open", &path, e))?;
        lock.try_lock().map_err(|_| SpoolError::InUse(folder.clone()))?;
        let index = Index { entries: BTreeMap::new(), bytes: 0, last_ms: 0, count: 0, dropped: 0 };
        let spool = Self { index: Mutex::new(index), _lock: lock, options };
        spool.scan()?;
        Ok(spool)
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// Keeps `samples` (16 kHz, mono); once this returns they survive a crash and a loss of power.
    ///
    /// # Errors
    /// [`SpoolError::Full`], disk errors. Nothing is kept then.
    pub fn keep(&self, samples: &[f32]) -> Result<String, SpoolError> {
        let flac = encode_flac(samples).unwrap_or_default();
        let id = self.next_id();
        let name = format!("{id}.{AUDIO}");
        let content = self.sealed(&name, flac);
        self.make_room(content.len() as u64)?;
        let path = self.options.folder.join(&name);
        atomic_write(&path, &content).map_err(|e| SpoolError::io("write", &path, e))?;
        let bytes = content.len() as u64;
        let mut index = self.lock();
        index.bytes += bytes;
        index.entries.insert(id.clone(), Known { state: SpoolState::Pending, bytes });
        Ok(id)
    }

    /// The samples of an utterance.
    ///
    /// # Errors
    /// [`SpoolError::Unknown`], [`SpoolError::Sealed`], [`SpoolError::Damaged`], disk errors.
    pub fn samples(&self, id: &str) -> Result<Vec<f32>, SpoolError> {
        self.known(id)?;
        let flac = self.read(&format!("{id}.{AUDIO}"))?;
        let damaged = |_| SpoolError::Damaged(self.options.folder.join(format!("{id}.{AUDIO}")));
        let mut source = FileSource::from_memory(flac, id, ChannelSelect::Mix).map_err(damaged)?;
        read_all(&mut source).map_err(damaged)
    }

    /// The record of an utterance.
    ///
    /// # Errors
    /// As for [`Spool::samples`].
    pub fn record(&self, id: &str) -> Result<SpoolRecord, SpoolError> {
        match self.known(id)?.state {
            SpoolState::Pending => Ok(SpoolRecord::new(SpoolState::Pending)),
            _ => self.read_record(id),
        }
    }

    /// Puts `record` in place. Returns whether it is news: an utterance that has its final answer keeps it, and
    /// whoever gets `false` must not show another.
    ///
    /// # Errors
    /// [`SpoolError::Unknown`], disk errors; the old record stays then.
    pub fn settle(&self, id: &str, record: &SpoolRecord) -> Result<bool, SpoolError> {
        if self.known(id)?.state >= record.state {
            return Ok(false);
        }
        let name = format!("{id}.{RECORD}");
        let path = self.options.folder.join(&name);
        let json = serde_json::to_vec(record).map_err(|e| SpoolError::io("write", &path, e.into()))?;
        let content = self.sealed(&name, json);
        atomic_write(&path, &content).map_err(|e| SpoolError::io("write", &path, e))?;
        {
            let mut index = self.lock();
            index.bytes += content.len() as u64;
            if let Some(known) = index.entries.get_mut(id) {
                known.state = record.state;
                known.bytes += content.len() as u64;
            }
        }
        if record.state == SpoolState::Answered && !self.options.keep_answered {
            self.remove(id)?;
        }
        Ok(true)
    }

    /// Deletes an utterance. The audio goes first: audio without a record would be taken for one that waits.
    ///
    /// # Errors
    /// [`SpoolError::Unknown`], disk errors.
    pub fn remove(&self, id: &str) -> Result<(), SpoolError> {
        self.known(id)?;
        for extension in [AUDIO, RECORD] {
            let path = self.options.folder.join(format!("{id}.{extension}"));
            remove(&path)
                .and_then(|()| sync_folder(&self.options.folder))
                .map_err(|e| SpoolError::io("delete", &path, e))?;
        }
        let mut index = self.lock();
        if let Some(known) = index.entries.remove(id) {
            index.bytes -= known.bytes;
        }
        Ok(())
    }

    /// All utterances, oldest first.
    pub fn entries(&self) -> Vec<SpoolEntry> {
        let index = self.lock();
        index
            .entries
            .iter()
            .map(|(id, known)| SpoolEntry { id: id.clone(), state: known.state, bytes: known.bytes })
            .collect()
    }

    /// The oldest utterance in `state` after `after`.
    pub fn oldest(&self, state: SpoolState, after: &str) -> Option<String> {
        let index = self.lock();
        let mut waiting =
            index.entries.iter().filter(|(id, known)| known.state == state && id.as_str() > after);
        waiting.next().map(|(id, _)| id.clone())
    }

    /// Utterances that were deleted unanswered, to stay below the cap.
    pub fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // Every change is complete before it unlocks.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, id: &str) -> Result<Known, SpoolError> {
        self.lock().entries.get(id).copied().ok_or_else(|| SpoolError::Unknown(id.to_owned()))
    }

    /// Later than every other one, whatever the clock does.
    fn next_id(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        let mut index = self.lock();
        if now > index.last_ms {
            (index.last_ms, index.count) = (now, 0);
        } else {
            index.count += 1;
        }
        format!("{:013}-{:04}", index.last_ms, index.count)
    }

    fn make_room(&self, bytes: u64) -> Result<(), SpoolError> {
        let max = self.options.max_mib << 20;
        while self.lock().bytes + bytes > max {
            let full =
                SpoolError::Full { folder: self.options.folder.clone(), max_mib: self.options.max_mib };
            if self.options.when_full == WhenFull::Stop {
                return Err(full);
            }
            let states =
                [SpoolState::Answered, SpoolState::Rejected, SpoolState::Provisional, SpoolState::Pending];
            let Some((state, id)) = states.into_iter().find_map(|s| Some((s, self.oldest(s, "")?))) else {
                return Err(full);
            };
            self.remove(&id)?;
            if state == SpoolState::Pending {
                self.lock().dropped += 1;
                tracing::warn!(id, "the spool is full: the oldest utterance that waited was deleted");
            }
        }
        Ok(())
    }

    fn sealed(&self, name: &str, plain: Vec<u8>) -> Vec<u8> {
        match &self.options.key {
            Some(key) => key.seal(name.as_bytes(), &plain),
            None => plain,
        }
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, SpoolError> {
        let path = self.options.folder.join(name);
        let content = fs::read(&path).map_err(|e| SpoolError::io("read", &path, e))?;
        match &self.options.key {
            Some(key) => key.open(name.as_bytes(), &content).ok_or(SpoolError::Sealed(path)),
            None if seal::is_sealed(&content) => Err(SpoolError::Sealed(path)),
            None => Ok(content),
        }
    }

    fn read_record(&self, id: &str) -> Result<SpoolRecord, SpoolError> {
        let name = format!("{id}.{RECORD}");
        let json = self.read(&name)?;
        serde_json::from_slice(&json).map_err(|_| SpoolError::Damaged(self.options.folder.join(name)))
    }

    /// Learns what is there, and undoes half of what a crash left half done.
    fn scan(&self) -> Result<(), SpoolError> {
        let folder = &self.options.folder;
        let fail = |e| SpoolError::io("read", folder, e);
        let (mut audio, mut records) = (BTreeMap::new(), BTreeMap::new());
        for file in fs::read_dir(folder).map_err(fail)? {
            let file = file.map_err(fail)?;
            let path = file.path();
            let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let bytes = file.metadata().map_err(fail)?.len();
            match path.extension().and_then(|e| e.to_str()) {
                Some(AUDIO) if is_id(&id) => drop(audio.insert(id, bytes)),
                Some(RECORD) if is_id(&id) => drop(records.insert(id, bytes)),
                Some(disk::PART) => remove(&path).map_err(|e| SpoolError::io("delete", &path, e))?,
                _ => {}
            }
        }
        for (id, bytes) in audio {
            let record_bytes = records.remove(&id);
            let state = match record_bytes {
                // One damaged record must not cost all the others; its audio stays for people to hear.
                Some(_) => match self.read_record(&id) {
                    Err(SpoolError::Damaged(path)) => {
                        tracing::warn!(
                            "{} is damaged: its utterance is not transcribed again",
                            path.display()
                        );
                        SpoolState::Rejected
                    }
                    record => record?.state,
                },
                None => SpoolState::Pending,
            };
            let bytes = bytes + record_bytes.unwrap_or(0);
            let mut index = self.lock();
            index.bytes += bytes;
            index.last_ms = index.last_ms.max(kept_unix_ms(&id));
            index.entries.insert(id, Known { state, bytes });
        }
        // Their audio was deleted, and they were to follow.
        for id in records.into_keys() {
            let path = folder.join(format!("{id}.{RECORD}"));
            remove(&path).map_err(|e| SpoolError::io("delete", &path, e))?;
        }
        // The next id must lie above all that are there.
        self.lock().last_ms += 1;
        Ok(())
    }
}

/// `spend.json` and the like are not records.
fn is_id(name: &str) -> bool {
    name.len() >= 15 && name.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests;
