//! What makes records and state durable, and deletes what neither needs.

use std::io;
use std::sync::PoisonError;

use super::disk::DiskFile;
use super::index::Segment;
use super::state::STATE_FILE;
use super::{Journal, JournalError, SyncPolicy};

impl Journal {
    /// Makes all records durable that were appended before.
    ///
    /// # Errors
    /// Disk errors. Records stay as they are, and the next call writes anew what may not have reached the disk.
    pub fn sync(&self) -> Result<(), JournalError> {
        let (dirty, last, made, since) = {
            let mut index = self.lock();
            let file = index.file.clone();
            let newest = index.segments.back().map(|segment| segment.first);
            let unsynced = index.segments.iter().filter(|segment| segment.synced_bytes < segment.bytes);
            let dirty: Vec<_> =
                unsynced.map(|s| (s.clone(), file.clone().filter(|_| newest == Some(s.first)))).collect();
            let last = index.segments.iter().rev().find(|s| s.last >= s.first).map_or(0, |s| s.last);
            (dirty, last, index.made, index.unsynced_since_ms.take())
        };
        let mut synced = Ok(());
        for (segment, file) in &dirty {
            synced = self.sync_segment(segment, file.as_deref());
            let mut index = self.lock();
            let newest = index.segments.back().map(|segment| segment.first);
            let Some(known) = index.segments.iter_mut().find(|s| s.first == segment.first) else { continue };
            if synced.is_err() {
                known.suspect = true;
                if newest == Some(segment.first) {
                    index.file = None;
                }
                break;
            }
            known.synced_bytes = known.synced_bytes.max(segment.bytes);
            known.suspect = false;
        }
        if synced.is_ok() && self.lock().made_durable < made {
            synced = self.disk.sync_folder();
        }
        let mut index = self.lock();
        if let Err(source) = synced {
            index.unsynced_since_ms = since;
            return Err(JournalError::Disk { what: "sync", source });
        }
        index.made_durable = index.made_durable.max(made);
        index.durable = index.durable.max(last);
        let changed = index.changes != index.changes_durable;
        drop(index);
        // What was given up instead of synced is told with its reason.
        if changed { self.settle() } else { Ok(()) }
    }

    fn sync_segment(&self, segment: &Segment, file: Option<&dyn DiskFile>) -> io::Result<()> {
        let name = segment.name();
        let synced = match file {
            // After a failed sync the system may take lost pages for clean: a second sync would succeed and mean nothing.
            _ if segment.suspect => self
                .disk
                .read(&name, segment.bytes)
                .and_then(|content| self.disk.write_atomic(&name, &content)),
            Some(file) => file.sync(),
            None => self.disk.sync(&name),
        };
        match synced {
            // Given up in the meantime.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            synced => synced,
        }
    }

    /// Syncs if the policy wants it by now. Returns whether it did. Call it at least as often as
    /// [`SyncPolicy::Interval`] says; a clock that jumps back makes it sync at once.
    ///
    /// # Errors
    /// As for [`Journal::sync`].
    pub fn sync_due(&self, now_unix_ms: u64) -> Result<bool, JournalError> {
        let SyncPolicy::Interval { interval_ms } = self.options.sync else { return Ok(false) };
        let since = self.lock().unsynced_since_ms;
        let due =
            since.is_some_and(|since| now_unix_ms.checked_sub(since).is_none_or(|ms| ms >= interval_ms));
        if due {
            self.sync()?;
        }
        Ok(due)
    }

    /// Writes the state if it has changed, then deletes what it no longer needs.
    pub(super) fn settle(&self) -> Result<(), JournalError> {
        let _writer = self.state_writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, changes, doomed) = {
            let index = self.lock();
            if index.changes == index.changes_durable && index.reached_durable + 1 == index.next {
                return Ok(());
            }
            let doomed: Vec<_> = index.doomed.iter().map(|segment| segment.first).collect();
            (index.state(), index.changes, doomed)
        };
        self.disk
            .write_atomic(STATE_FILE, &state.encode())
            .map_err(JournalError::disk("write the state of"))?;
        {
            let mut index = self.lock();
            index.changes_durable = index.changes_durable.max(changes);
            index.reached_durable = index.reached_durable.max(state.reached);
        }
        let mut deleted = Ok(());
        for first in doomed {
            // Locked for one at a time: a full disk may have taken it, or a new segment its name.
            let mut index = self.lock();
            if let Some(at) = index.doomed.iter().position(|segment| segment.first == first) {
                // What cannot be deleted now goes when the journal is opened again.
                let name = index.doomed.remove(at).name();
                deleted = self.disk.remove(&name).and(deleted);
            }
        }
        deleted.map_err(JournalError::disk("delete a segment of"))
    }
}
