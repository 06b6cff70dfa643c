//! The recorder's side of a journal: a record to the end of the last segment, whatever has to go for it.

use std::io;
use std::sync::Arc;

use super::disk::{DiskFile, is_full};
use super::index::{Index, Segment, spans_more};
use super::segment::{self, HEADER_BYTES, Header};
use super::{Journal, JournalError, SyncPolicy, place};
use crate::telemetry::limits::MAX_RECORD_BYTES;
use crate::telemetry::{LossReason, RecordLine};

/// Segments that are given up for one record on a full disk. More would not help: something else fills it.
const MAX_FREED: usize = 4;

impl Journal {
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

    fn begin(&self, index: &mut Index, first: u64, now_unix_ms: u64) -> io::Result<Arc<dyn DiskFile>> {
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
}
