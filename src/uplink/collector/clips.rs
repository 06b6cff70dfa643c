//! Recordings that somebody agreed to send, on disk until the server has them.
//!
//! One file a clip, there whole or not at all: a line of JSON (utterance, consent, person) and the FLAC bytes, sealed
//! with the journal's key if there is one. Names begin with the time, so that the oldest is the first. A clip that cannot
//! be read now is kept: a disk may recover, a key may come back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::telemetry::limits::{MAX_CLIP_BYTES, valid_id};
use crate::uplink::spool::disk::{PART, atomic_write, create_private_folder, remove};
use crate::uplink::spool::{SpoolKey, seal::is_sealed};

const SUFFIX: &str = ".clip";
/// How many were given up, in digits.
const LOST_FILE: &str = "lost";
/// A clip that the system would not read this often in a row is set aside, so that it does not block what follows.
const MAX_READ_FAILURES: u32 = 5;

/// Why a clip is not kept.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// An id that cannot stand in an address.
    #[error("a clip's utterance and person have up to 64 letters, digits, `-`, `_` and `.`")]
    BadId,
    /// The server would refuse it.
    #[error("a clip of {0} bytes is larger than a server takes: it is not kept")]
    TooLarge(usize),
    /// The system refused.
    #[error("cannot {what} a clip: {source}")]
    Disk {
        /// `keep`, `list`, `delete`.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
}

impl ClipError {
    fn deleting(source: io::Error) -> Self {
        Self::Disk { what: "delete", source }
    }
}

/// What stands beside the audio.
#[derive(Serialize, Deserialize)]
struct Label {
    utterance_id: String,
    granted_unix_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject_id: Option<String>,
}

/// A recording as it is sent.
pub(super) struct Clip {
    pub(super) utterance_id: String,
    pub(super) granted_unix_ms: u64,
    pub(super) subject_id: Option<String>,
    pub(super) flac: Vec<u8>,
}

/// Clips in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClipStats {
    /// Clips that wait.
    pub clips: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Of these, clips that cannot be read, since the store was opened: sealed with another key, or the system refuses. They
    /// are looked at again when the store is opened the next time.
    pub unreadable: u64,
    /// Clips that were given up since the store was made: for room, because the server would not have them, or damaged.
    pub lost: u64,
}

#[derive(Default)]
struct Index {
    /// Name to bytes.
    files: BTreeMap<String, u64>,
    /// Those of them that are set aside.
    unreadable: BTreeSet<String>,
    lost: u64,
    /// How often in a row the oldest could not be read.
    failures: u32,
}

impl Index {
    fn bytes(&self) -> u64 {
        self.files.values().sum()
    }

    fn forget(&mut self, name: &str) -> bool {
        self.unreadable.remove(name);
        self.files.remove(name).is_some()
    }
}

/// What a clip's file says.
enum Content {
    Clip(Clip),
    /// Nobody can ever read it.
    Damaged,
    /// The key that opens it is not here.
    Sealed,
}

/// A folder of clips. Its owner sees to it that one process has it: it lies beside a journal.
pub struct ClipStore {
    folder: PathBuf,
    max_bytes: u64,
    key: Option<SpoolKey>,
    /// Whose a clip is may leave the device.
    speakers: bool,
    index: Mutex<Index>,
}

impl ClipStore {
    /// Opens or makes the folder. `max_bytes` caps what waits: the oldest go.
    ///
    /// # Errors
    /// [`ClipError::Disk`].
    pub fn open(folder: &Path, max_bytes: u64, key: Option<SpoolKey>) -> Result<Self, ClipError> {
        let fail = |source| ClipError::Disk { what: "list", source };
        create_private_folder(folder).map_err(fail)?;
        let lost = fs::read_to_string(folder.join(LOST_FILE)).ok().and_then(|text| text.trim().parse().ok());
        let mut index = Index { lost: lost.unwrap_or_default(), ..Index::default() };
        for entry in fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.ends_with(SUFFIX) {
                index.files.insert(name, entry.metadata().map_err(fail)?.len());
            } else if name.ends_with(PART) {
                remove(&entry.path()).map_err(fail)?;
            }
        }
        Ok(Self { folder: folder.to_owned(), max_bytes, key, speakers: true, index: Mutex::new(index) })
    }

    /// Sends clips without their speakers: consent to name them does not hold any more.
    #[must_use]
    pub fn without_speakers(mut self) -> Self {
        self.speakers = false;
        self
    }

    /// Keeps a recording until it is sent; durable on return. `granted_unix_ms` says when consent to send audio was given,
    /// `subject_id` whose it is.
    ///
    /// # Errors
    /// [`ClipError`]; nothing is kept then.
    pub fn keep_clip(
        &self,
        utterance_id: &str,
        flac: &[u8],
        granted_unix_ms: u64,
        subject_id: Option<&str>,
        now_unix_ms: u64,
    ) -> Result<(), ClipError> {
        if !valid_id(utterance_id) || subject_id.is_some_and(|id| !valid_id(id)) {
            return Err(ClipError::BadId);
        }
        if flac.len() > MAX_CLIP_BYTES {
            return Err(ClipError::TooLarge(flac.len()));
        }
        let fail = |source| ClipError::Disk { what: "keep", source };
        let subject_id = subject_id.map(str::to_owned);
        let label = Label { utterance_id: utterance_id.to_owned(), granted_unix_ms, subject_id };
        let mut content = serde_json::to_vec(&label).map_err(|e| fail(e.into()))?;
        content.push(b'\n');
        content.extend(flac);
        let name = format!("{now_unix_ms:020}-{utterance_id}{SUFFIX}");
        if let Some(key) = &self.key {
            content = key.seal(name.as_bytes(), &content);
        }
        let bytes = content.len() as u64;
        let mut index = self.lock();
        while index.bytes() + bytes > self.max_bytes && self.give_up_oldest(&mut index) {}
        loop {
            match atomic_write(&self.folder.join(&name), &content) {
                Ok(()) => break,
                Err(e) if e.kind() == io::ErrorKind::StorageFull && self.give_up_oldest(&mut index) => {}
                Err(e) => {
                    self.lose(&mut index);
                    return Err(fail(e));
                }
            }
        }
        index.files.insert(name, bytes);
        Ok(())
    }

    /// Deletes everything that waits, and says how much that was: consent was withdrawn.
    ///
    /// # Errors
    /// [`ClipError::Disk`], with what could not be deleted still there.
    pub fn clear(&self) -> Result<u64, ClipError> {
        let mut index = self.lock();
        let mut cleared = 0;
        while let Some(name) = index.files.keys().next().cloned() {
            remove(&self.folder.join(&name)).map_err(ClipError::deleting)?;
            index.forget(&name);
            cleared += 1;
        }
        Ok(cleared)
    }

    /// Deletes all that the store made: clips, the count of lost ones, and the folder if nobody else has files there.
    ///
    /// # Errors
    /// [`ClipError::Disk`], with what could not be deleted still there.
    pub fn erase(self) -> Result<(), ClipError> {
        self.clear()?;
        remove(&self.folder.join(LOST_FILE)).map_err(ClipError::deleting)?;
        // Refused if something is in it, which is then not ours.
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }

    /// The clips in figures.
    pub fn stats(&self) -> ClipStats {
        let index = self.lock();
        ClipStats {
            clips: index.files.len() as u64,
            bytes: index.bytes(),
            unreadable: index.unreadable.len() as u64,
            lost: index.lost,
        }
    }

    /// The oldest one that can be read, under the name that [`ClipStore::done`] takes.
    ///
    /// # Errors
    /// Those of the system; the clip is kept, and comes first again.
    pub(super) fn oldest(&self) -> io::Result<Option<(String, Clip)>> {
        loop {
            let name = {
                let index = self.lock();
                index.files.keys().find(|name| !index.unreadable.contains(*name)).cloned()
            };
            let Some(name) = name else { return Ok(None) };
            match self.read(&name) {
                Ok(Content::Clip(clip)) => {
                    self.lock().failures = 0;
                    return Ok(Some((name, clip)));
                }
                Ok(Content::Damaged) => {
                    tracing::warn!("a clip is damaged: it is deleted");
                    self.done(&name, false);
                }
                Ok(Content::Sealed) => {
                    tracing::warn!("a clip is sealed with a key that is not here: it is kept");
                    self.lock().unreadable.insert(name);
                }
                // Somebody else deleted it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.done(&name, false),
                Err(error) => {
                    let mut index = self.lock();
                    index.failures += 1;
                    if index.failures < MAX_READ_FAILURES {
                        return Err(error);
                    }
                    tracing::warn!(%error, "a clip cannot be read: it is kept, and left alone until the next start");
                    index.failures = 0;
                    index.unreadable.insert(name);
                }
            }
        }
    }

    /// It was sent, or never will be.
    pub(super) fn done(&self, name: &str, sent: bool) {
        let mut index = self.lock();
        if index.forget(name) {
            if !sent {
                self.lose(&mut index);
            }
            if let Err(error) = remove(&self.folder.join(name)) {
                tracing::warn!(%error, "a clip could not be deleted");
            }
        }
    }

    fn read(&self, name: &str) -> io::Result<Content> {
        let mut content = fs::read(self.folder.join(name))?;
        if is_sealed(&content) {
            match self.key.as_ref().and_then(|key| key.open(name.as_bytes(), &content)) {
                Some(opened) => content = opened,
                None => return Ok(Content::Sealed),
            }
        }
        Ok(self.parse(&content).map_or(Content::Damaged, Content::Clip))
    }

    fn parse(&self, content: &[u8]) -> Option<Clip> {
        let end = content.iter().position(|byte| *byte == b'\n')?;
        let label: Label = serde_json::from_slice(&content[..end]).ok()?;
        let subject_fits = label.subject_id.as_deref().is_none_or(valid_id);
        (valid_id(&label.utterance_id) && subject_fits).then(|| Clip {
            utterance_id: label.utterance_id,
            granted_unix_ms: label.granted_unix_ms,
            subject_id: label.subject_id.filter(|_| self.speakers),
            flac: content[end + 1..].to_vec(),
        })
    }

    fn give_up_oldest(&self, index: &mut Index) -> bool {
        let Some(name) = index.files.keys().next().cloned() else { return false };
        index.forget(&name);
        tracing::warn!("a clip that waited was deleted to make room");
        let removed = remove(&self.folder.join(name)).is_ok();
        self.lose(index);
        removed
    }

    fn lose(&self, index: &mut Index) {
        index.lost += 1;
        if let Err(error) = atomic_write(&self.folder.join(LOST_FILE), index.lost.to_string().as_bytes()) {
            tracing::warn!(%error, "the count of lost clips is not kept");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // Every change is complete before it unlocks.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
