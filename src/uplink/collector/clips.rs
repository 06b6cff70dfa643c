//! Recordings that somebody agreed to send, on disk until the server has them.
//!
//! One file a clip, there whole or not at all: a line of JSON (utterance, consent, person) and the FLAC bytes, sealed
//! with the journal's key if there is one. Names begin with the time, so that the oldest is the first.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::telemetry::limits::{MAX_CLIP_BYTES, valid_id};
use crate::uplink::spool::disk::{PART, atomic_write, create_private_folder, remove};
use crate::uplink::spool::{SpoolKey, seal::is_sealed};

const SUFFIX: &str = ".clip";

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
        /// `keep`, `list`.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
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
    /// Clips that were given up since the store was opened: for room, because the server would not have them, or damaged.
    pub lost: u64,
}

#[derive(Default)]
struct Index {
    /// Name to bytes.
    files: BTreeMap<String, u64>,
    lost: u64,
}

impl Index {
    fn bytes(&self) -> u64 {
        self.files.values().sum()
    }
}

/// A folder of clips. Its owner sees to it that one process has it: it lies beside a journal.
pub struct ClipStore {
    folder: PathBuf,
    max_bytes: u64,
    key: Option<SpoolKey>,
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
        let mut index = Index::default();
        for entry in fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.ends_with(SUFFIX) {
                index.files.insert(name, entry.metadata().map_err(fail)?.len());
            } else if name.ends_with(PART) {
                remove(&entry.path()).map_err(fail)?;
            }
        }
        Ok(Self { folder: folder.to_owned(), max_bytes, key, index: Mutex::new(index) })
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
                    index.lost += 1;
                    return Err(fail(e));
                }
            }
        }
        index.files.insert(name, bytes);
        Ok(())
    }

    /// Deletes everything that waits: consent was withdrawn.
    ///
    /// # Errors
    /// [`ClipError::Disk`], with what could not be deleted still there.
    pub fn clear(&self) -> Result<(), ClipError> {
        let mut index = self.lock();
        while let Some(name) = index.files.keys().next().cloned() {
            remove(&self.folder.join(&name)).map_err(|source| ClipError::Disk { what: "delete", source })?;
            index.files.remove(&name);
        }
        Ok(())
    }

    /// The clips in figures.
    pub fn stats(&self) -> ClipStats {
        let index = self.lock();
        ClipStats { clips: index.files.len() as u64, bytes: index.bytes(), lost: index.lost }
    }

    /// The oldest one that can be read, under the name that [`ClipStore::done`] takes.
    pub(super) fn oldest(&self) -> Option<(String, Clip)> {
        loop {
            let name = self.lock().files.keys().next().cloned()?;
            if let Some(clip) = self.read(&name) {
                return Some((name, clip));
            }
            tracing::warn!("a clip is damaged or sealed with another key: it is deleted");
            self.done(&name, false);
        }
    }

    /// It was sent, or never will be.
    pub(super) fn done(&self, name: &str, sent: bool) {
        let mut index = self.lock();
        if index.files.remove(name).is_some() {
            index.lost += u64::from(!sent);
            if let Err(error) = remove(&self.folder.join(name)) {
                tracing::warn!(%error, "a clip could not be deleted");
            }
        }
    }

    fn read(&self, name: &str) -> Option<Clip> {
        let content = fs::read(self.folder.join(name)).ok()?;
        let content = match is_sealed(&content) {
            true => self.key.as_ref()?.open(name.as_bytes(), &content)?,
            false => content,
        };
        let end = content.iter().position(|byte| *byte == b'\n')?;
        let label: Label = serde_json::from_slice(&content[..end]).ok()?;
        let subject_fits = label.subject_id.as_deref().is_none_or(valid_id);
        (valid_id(&label.utterance_id) && subject_fits).then(|| Clip {
            utterance_id: label.utterance_id,
            granted_unix_ms: label.granted_unix_ms,
            subject_id: label.subject_id,
            flac: content[end + 1..].to_vec(),
        })
    }

    fn give_up_oldest(&self, index: &mut Index) -> bool {
        let Some((name, _)) = index.files.pop_first() else { return false };
        index.lost += 1;
        tracing::warn!("a clip that waited was deleted to make room");
        remove(&self.folder.join(name)).is_ok()
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // Every change is complete before it unlocks.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_wait_in_order_across_restarts_and_the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let open = || ClipStore::open(folder.path(), 3_000, None).unwrap();
        let store = open();
        for n in 0..4 {
            store.keep_clip(&format!("s-{n}"), &vec![n; 900], 7, Some("anna"), 100 + u64::from(n)).unwrap();
        }
        assert_eq!(store.stats(), ClipStats { clips: 3, bytes: store.stats().bytes, lost: 1 });
        fs::write(folder.path().join("x.clip.part"), b"cut").unwrap();
        let store = open();
        let mut seen = Vec::new();
        while let Some((name, clip)) = store.oldest() {
            assert_eq!(
                (clip.granted_unix_ms, clip.subject_id.as_deref(), clip.flac.len()),
                (7, Some("anna"), 900)
            );
            seen.push(clip.utterance_id);
            store.done(&name, true);
        }
        assert_eq!(seen, ["s-1", "s-2", "s-3"]);
        assert_eq!((store.stats(), fs::read_dir(folder.path()).unwrap().count()), (ClipStats::default(), 0));
    }

    #[test]
    fn what_cannot_be_sent_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = ClipStore::open(folder.path(), 1 << 30, None).unwrap();
        for (id, subject) in [("../up", None), ("", None), ("a", Some("b/c"))] {
            assert!(matches!(store.keep_clip(id, b"f", 0, subject, 0), Err(ClipError::BadId)), "{id}");
        }
        let large = vec![0; MAX_CLIP_BYTES + 1];
        assert!(matches!(store.keep_clip("a", &large, 0, None, 0), Err(ClipError::TooLarge(_))));
        fs::write(folder.path().join("00000000000000000001-x.clip"), b"no label").unwrap();
        let store = ClipStore::open(folder.path(), 1 << 30, None).unwrap();
        assert!(store.oldest().is_none() && store.stats().lost == 1);
        store.keep_clip("a", b"f", 0, None, 0).unwrap();
        store.clear().unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_sealed_clip_shows_neither_voice_nor_person() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        atomic_write(&file, SpoolKey::generate().as_bytes()).unwrap();
        let place = folder.path().join("clips");
        let store = ClipStore::open(&place, 1 << 30, SpoolKey::from_file(&file).ok()).unwrap();
        store.keep_clip("s-1", b"fLaC speech", 0, Some("anna"), 0).unwrap();
        let entry = fs::read_dir(&place).unwrap().next().unwrap().unwrap();
        let bytes = fs::read(entry.path()).unwrap();
        assert!(![&b"fLaC"[..], b"anna"].iter().any(|secret| bytes.windows(4).any(|w| &w == secret)));
        assert_eq!(store.oldest().unwrap().1.flac, b"fLaC speech");
    }
}
