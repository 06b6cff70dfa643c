//! Records on disk until a collection server has them, through crashes and weeks without a network.
//!
//! ```text
//! append ─► segment files ─► sync ─► next_batch ─► server ─► acknowledge ─► whole segments deleted
//!                    caps: the oldest segment goes, its range is reported as lost
//!
//! 00000000000000000001.seg   records from sequence 1 on     (byte format: `segment.rs`)
//! 00000000000000000688.seg   the last one is written to
//! state.json                 stream, high-water mark, losses to report     (`state.rs`)
//! lock                       held by the one process that uses the folder
//! ```
//!
//! # What always holds
//!
//! 1. **A sequence means one record.** A stream's records are 1, 2, 3, … A sequence that was offered in a batch is never
//!    given to another record, whatever is lost afterwards: a batch holds only records that are durable, and before it is
//!    handed out the state on disk says how far the stream has come. (Where the disk is too full even for the state, a batch
//!    goes out without: sending is what makes room. The records themselves then say how far the stream has come.)
//! 2. **Nothing durable goes unreported.** Every sequence above the high-water mark is in a segment or in the list of
//!    losses; what neither accounts for is added to the list when the journal is opened or when it is read. Damage costs
//!    the records that it hits.
//! 3. **Oldest first.** Caps and a full disk take whole segments from the front; only when none can be given up
//!    is a new record lost. It has its sequence nevertheless, so that the server learns of it as of any other loss.
//! 4. **A segment is deleted** when the state on disk no longer needs it, or (on a full disk, where no state can be written)
//!    when a later segment's name is durable: the gap before that name is then found and reported.
//! 5. **The high-water mark** rises with acknowledgements, and falls only when the server says that it lost something.
//!
//! # What each crash leaves
//!
//! | at | kill | loss of power |
//! |---|---|---|
//! | `append`, before it returned | the record or, if the write was torn, its sequence as a loss | the same |
//! | `append` returned, not synced | the record | the record, nothing, or a loss: see [`SyncPolicy`] |
//! | a segment was begun | an empty file, deleted | no file, an empty one, or a gap behind it, reported |
//! | synced | the record | the record |
//! | batch sent, answer not seen | the same records are sent again | the same |
//! | a record was lost to a full disk | the loss, if its state still found room; else its sequence is given again | the same |
//! | acknowledged, state written | segments that are no longer needed: deleted when opened | the same |
//! | state being written | the old one or the new one | the same |
//!
//! Not synced and gone without a trace after a loss of power: these sequences were offered to nobody and are given again.
//! A damaged `state.json` costs only what it knew of losses: the stream's id is in every segment, and the server says
//! where it wants to go on. A deleted journal comes back as another stream. One that was copied back from an old backup is
//! noticed by the server's mark, which is then ahead of it, and goes on behind that mark.
//!
//! # Threads
//!
//! `append` takes one short lock and writes once; it never waits for another's sync, for reading or for compression. Syncs,
//! batches and deletions belong to the uploader's thread. Time is an argument: nothing here has a clock.

mod batch;
mod disk;
mod error;
mod index;
mod lost;
mod open;
mod options;
mod segment;
mod state;
mod upload;

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use batch::Batch;
pub use disk::{Disk, DiskFile, FolderDisk};
pub use error::JournalError;
pub use options::{JournalOptions, SyncPolicy};

use crate::telemetry::limits::MAX_RECORD_BYTES;
use crate::telemetry::{LossReason, RecordLine};
use crate::uplink::spool::SpoolKey;
use crate::uplink::spool::seal::is_sealed;
use disk::is_full;
use index::{Index, Segment, spans_more};
use segment::{HEADER_BYTES, Header, StreamId};
use state::{STATE_FILE, stream_to_text};

/// Segments that are given up for one record on a full disk. More would not help: something else fills it.
const MAX_FREED: usize = 4;

/// Records that wait for a collection server. One process at a time has it; all methods may be called from any thread.
pub struct Journal {
    disk: Box<dyn Disk>,
    options: JournalOptions,
    index: Mutex<Index>,
    /// Held while the state is written, so that an older one never replaces a newer one.
    state_writer: Mutex<()>,
}

/// A journal in figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalStats {
    /// 32 hexadecimal digits.
    pub stream_id: String,
    /// The last sequence that was given; 0 before the first.
    pub last_sequence: u64,
    /// Everything up to here the server has or knows to be lost.
    pub high_water: u64,
    /// Records that wait for upload.
    pub records: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// The cap on them.
    pub max_bytes: u64,
    /// Records lost since the journal was made, as far as the state could be written. What was given up while it was on its way counts, though it may arrive.
    pub lost: u64,
    /// When the oldest segment was begun, ms since 1970 by the device's clock.
    pub oldest_unix_ms: Option<u64>,
}

impl Journal {
    /// Opens what is on `disk`, or begins a stream.
    ///
    /// # Errors
    /// [`JournalError::Sealed`], [`JournalError::Foreign`], disk errors. Damage is no error: it is reported as a loss.
    pub fn open(options: JournalOptions, disk: impl Disk + 'static) -> Result<Self, JournalError> {
        let index = open::open(&disk, &options)?;
        let journal =
            Self { disk: Box::new(disk), options, index: Mutex::new(index), state_writer: Mutex::new(()) };
        match journal.settle() {
            // A full disk must not end the recording of what is wrong with the device.
            Err(JournalError::Disk { source, .. }) if is_full(&source) => {
                tracing::warn!("there is no space for the state of the telemetry journal");
                Ok(journal)
            }
            settled => settled.map(|()| journal),
        }
    }

    /// Adds a record and returns its sequence. How durable it is then is told by [`SyncPolicy`].
    ///
    /// # Errors
    /// [`JournalError::Lost`]: it could not be written, and is reported under its sequence. [`JournalError::TooLarge`]: it
    /// has no sequence. [`JournalError::Disk`] with [`SyncPolicy::EveryRecord`]: it is kept, and not yet durable.
    pub fn append(&self, line: &RecordLine, now_unix_ms: u64) -> Result<u64, JournalError> {
        let json = serde_json::to_vec(line).map_err(|e| JournalError::disk("write a record to")(e.into()))?;
        if json.len() > MAX_RECORD_BYTES {
            return Err(JournalError::TooLarge { bytes: json.len(), max: MAX_RECORD_BYTES });
        }
        let (sequence, overdue) = {
            let mut index = self.lock();
            let sequence = self.write(&mut index, json, now_unix_ms);
            // A loss that only this process knows of would go unreported if it died.
            let overdue = sequence.is_err() || index.doomed_bytes() > self.options.segment_bytes();
            (sequence, overdue)
        };
        if overdue && let Err(error) = self.settle() {
            tracing::warn!(%error, "the state of the telemetry journal could not be written");
        }
        let sequence = sequence?;
        if self.options.sync == SyncPolicy::EveryRecord {
            self.sync()?;
        }
        Ok(sequence)
    }

    fn write(&self, index: &mut Index, json: Vec<u8>, now_unix_ms: u64) -> Result<u64, JournalError> {
        let sequence = index.next;
        let payload = match &self.options.key {
            Some(key) => key.seal(&place(&index.stream, sequence), &json),
            None => json,
        };
        let frame = segment::frame(sequence, &payload);
        index.expire(now_unix_ms, self.options.max_age_ms(), self.options.span_ms());
        while index.segments.len() > 1 && index.live_bytes() + frame.len() as u64 > self.options.live_bytes()
        {
            index.doom_oldest(LossReason::SizeCap);
        }
        let mut written = self.place(index, sequence, &frame, now_unix_ms);
        for _ in 0..MAX_FREED {
            let full = written.as_ref().is_err_and(is_full);
            if !full || !self.free_space(index) {
                break;
            }
            written = self.place(index, sequence, &frame, now_unix_ms);
        }
        index.next = sequence + 1;
        index.unsynced_since_ms.get_or_insert(now_unix_ms);
        written.map(|()| sequence).map_err(|source| {
            let reason = if is_full(&source) { LossReason::DiskFull } else { LossReason::Unknown };
            index.lose(sequence, sequence, reason);
            JournalError::Lost { sequence, source }
        })
    }

    /// Puts a frame at the end of the last segment, or begins one.
    fn place(&self, index: &mut Index, sequence: u64, frame: &[u8], now_unix_ms: u64) -> io::Result<()> {
        let fits = |last: &Segment| {
            last.bytes + frame.len() as u64 <= self.options.segment_bytes()
                && !spans_more(last.created_unix_ms, now_unix_ms, self.options.span_ms())
        };
        let file = match index.file.clone().filter(|_| index.segments.back().is_some_and(fits)) {
            Some(file) => file,
            None => self.begin(index, sequence, now_unix_ms)?,
        };
        let Some(last) = index.segments.back_mut() else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(error) = file.append(frame) {
            // A piece may be there. If it stays, the next record begins a segment.
            if file.truncate(last.bytes).is_err() {
                index.file = None;
            }
            return Err(error);
        }
        last.bytes += frame.len() as u64;
        last.last = sequence;
        Ok(())
    }

    fn begin(
        &self,
        index: &mut Index,
        first: u64,
        now_unix_ms: u64,
    ) -> io::Result<std::sync::Arc<dyn DiskFile>> {
        // An empty one of the same name comes from a failed try.
        if index.segments.back().is_some_and(|last| last.first == first) {
            index.segments.pop_back();
        }
        index.doomed.retain(|segment| segment.first != first);
        index.file = None;
        let name = segment::file_name(first);
        let file = self.disk.create(&name)?;
        let header = Header { stream: index.stream, created_unix_ms: now_unix_ms };
        if let Err(error) = file.append(&header.encode()) {
            // Without a header it is deleted when the journal is opened, at the latest.
            let _ = self.disk.remove(&name);
            return Err(error);
        }
        index.made += 1;
        index.segments.push_back(Segment {
            first,
            last: first - 1,
            bytes: HEADER_BYTES as u64,
            synced_bytes: 0,
            created_unix_ms: now_unix_ms,
            suspect: false,
        });
        index.file = Some(file.clone());
        Ok(file)
    }

    /// Deletes the oldest segment for the sake of a record, on a full disk. Whether there was one to delete.
    fn free_space(&self, index: &mut Index) -> bool {
        if index.doomed.is_empty() && index.segments.len() > 1 {
            index.doom_oldest(LossReason::DiskFull);
        }
        // No state can be written now: the name of a later segment must tell that there were earlier ones.
        if index.doomed.is_empty() || index.segments.is_empty() {
            return false;
        }
        if index.made_durable < index.made {
            if self.disk.sync_folder().is_err() {
                return false;
            }
            index.made_durable = index.made;
        }
        let doomed = std::mem::take(&mut index.doomed);
        let (gone, kept): (Vec<_>, Vec<_>) =
            doomed.into_iter().partition(|segment| self.disk.remove(&segment.name()).is_ok());
        index.doomed = kept;
        !gone.is_empty()
    }

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
    fn settle(&self) -> Result<(), JournalError> {
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

    /// The journal in figures.
    pub fn stats(&self) -> JournalStats {
        let index = self.lock();
        JournalStats {
            stream_id: stream_to_text(&index.stream),
            last_sequence: index.next - 1,
            high_water: index.high_water,
            records: index.waiting(),
            bytes: index.live_bytes() + index.doomed_bytes(),
            max_bytes: self.options.cap_bytes(),
            lost: index.lost_total,
            oldest_unix_ms: index.segments.front().map(|segment| segment.created_unix_ms),
        }
    }

    /// When records are durable.
    pub fn sync_policy(&self) -> SyncPolicy {
        self.options.sync
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        // Every change is complete before it unlocks.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Err(error) = self.sync().and_then(|()| self.settle()) {
            tracing::warn!(%error, "the telemetry journal was not closed cleanly");
        }
    }
}

/// What a sealed record is bound to.
fn place(stream: &StreamId, sequence: u64) -> Vec<u8> {
    [stream.as_slice(), &sequence.to_le_bytes()].concat()
}

/// The JSON in a payload; `None` if it is sealed and does not open.
fn unsealed(key: Option<&SpoolKey>, stream: &StreamId, sequence: u64, payload: &[u8]) -> Option<Vec<u8>> {
    match is_sealed(payload) {
        true => key?.open(&place(stream, sequence), payload),
        false => Some(payload.to_vec()),
    }
}

/// Reads untrusted bytes; for fuzzing.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    segment::fuzz(bytes);
    let _ = state::State::decode(bytes);
}

#[cfg(test)]
mod tests;
