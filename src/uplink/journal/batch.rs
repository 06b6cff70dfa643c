//! A batch: the next records as they are sent.

use super::disk::Disk;
use super::index::{Index, Segment};
use super::segment::{Frames, StreamId};
use super::withdrawn::without;
use super::{JournalError, JournalOptions, unsealed};
use crate::telemetry::limits::{MAX_BATCH_BYTES, MAX_BATCH_WIRE_BYTES, MAX_LOST_RANGES};
use crate::telemetry::{BatchHead, LossReason, LostRange, SCHEMA_VERSION};

/// zstd's own default; higher ones save a tenth and take three times as long on a small processor.
const ZSTD_LEVEL: i32 = 3;
/// Room for the head beside the records: each lost range takes below 90 bytes.
const HEAD_BYTES: usize = 512 + 90 * MAX_LOST_RANGES;

/// Records as they are sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Batch {
    /// All but the records.
    pub head: BatchHead,
    /// How many records follow from `head.first_sequence` on; 0 if there are only losses to report.
    pub records: usize,
    /// Head and records as JSON, compressed with zstd: a request's body.
    pub wire: Vec<u8>,
}

impl Batch {
    /// Where the server's high-water mark stands when it has this.
    pub fn last_sequence(&self) -> u64 {
        self.head.first_sequence + self.records as u64 - 1
    }
}

/// Shows no record.
impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("head", &self.head)
            .field("records", &self.records)
            .field("wire_bytes", &self.wire.len())
            .finish()
    }
}

/// What to read, as it was when the index was locked.
pub(super) struct Plan {
    stream: StreamId,
    lost: Vec<LostRange>,
    /// The first record to read.
    first: u64,
    /// Reading ends before this one.
    stop: u64,
    segments: Vec<Segment>,
}

impl Plan {
    /// The losses above the high-water mark, then records that are durable, to the next loss. `None` if there are neither.
    pub(super) fn new(index: &Index) -> Option<Self> {
        // A loss is told when nothing can undo it: it is in the state on disk, or a durable record follows.
        let told = index.durable.max(index.reached_durable);
        let mut first = index.high_water + 1;
        let mut lost = Vec::new();
        while let Some(range) = index.lost.at(first)
            && first <= told
            && lost.len() < MAX_LOST_RANGES
        {
            let range = LostRange { last_sequence: range.last_sequence.min(told), ..range };
            first = range.last_sequence + 1;
            lost.push(range);
        }
        let next_lost =
            if index.lost.at(first).is_some() { Some(first) } else { index.lost.next_above(first) };
        let stop = (index.durable + 1).min(next_lost.unwrap_or(u64::MAX));
        let wanted = |segment: &&Segment| segment.last >= first && segment.first < stop;
        let segments = index.segments.iter().filter(wanted).cloned().collect();
        let plan = Self { stream: index.stream, lost, first, stop, segments };
        (!plan.lost.is_empty() || first < stop).then_some(plan)
    }

    /// Reads the records, `most` at most, and what is found to be missing behind them.
    pub(super) fn read(
        &self,
        disk: &dyn Disk,
        options: &JournalOptions,
        most: usize,
    ) -> Result<(Vec<Vec<u8>>, Option<LostRange>), ReadFailure> {
        let mut records: Vec<Vec<u8>> = Vec::new();
        let mut room = MAX_BATCH_BYTES - HEAD_BYTES;
        for segment in &self.segments {
            let bytes = disk
                .read(&segment.name(), segment.bytes)
                .map_err(|source| ReadFailure { segment: segment.clone(), source })?;
            let mut damaged = false;
            for frame in Frames::new(&bytes, segment.first) {
                let next = self.first + records.len() as u64;
                if records.len() >= most || next >= self.stop {
                    return Ok((records, None));
                }
                damaged |= frame.damaged_bytes > 0;
                if frame.sequence < next {
                    damaged = false;
                    continue;
                }
                if frame.sequence > next {
                    let last = (frame.sequence - 1).min(self.stop - 1);
                    return Ok((records, Some(missing(next, last, damaged))));
                }
                let json = unsealed(options.key.as_ref(), &self.stream, frame.sequence, frame.payload)
                    .and_then(|json| without(json, &options.withdrawn));
                let Some(json) = json else {
                    return Ok((records, Some(missing(next, next, true))));
                };
                let Some(left) = room.checked_sub(json.len() + 1) else { return Ok((records, None)) };
                room = left;
                records.push(json);
            }
            let next = self.first + records.len() as u64;
            let last = segment.last.min(self.stop - 1);
            if next <= last && records.len() < most {
                return Ok((records, Some(missing(next, last, true))));
            }
        }
        let next = self.first + records.len() as u64;
        let short = next < self.stop && records.len() < most;
        Ok((records, short.then(|| missing(next, self.stop - 1, false))))
    }

    /// The batch of `records`, or of as many of them as may be sent at once.
    pub(super) fn batch(self, mut records: Vec<Vec<u8>>, sent_unix_ms: u64) -> Result<Batch, JournalError> {
        let head = BatchHead {
            schema_version: SCHEMA_VERSION,
            stream_id: super::state::stream_to_text(&self.stream),
            first_sequence: self.first,
            sent_unix_ms,
            lost: self.lost,
        };
        loop {
            let wire = wire(&head, &records).map_err(JournalError::disk("compress a batch of"))?;
            if wire.len() <= MAX_BATCH_WIRE_BYTES || records.len() <= 1 {
                return Ok(Batch { head, records: records.len(), wire });
            }
            records.truncate(records.len() / 2);
        }
    }
}

/// A segment that the system would not read.
pub(super) struct ReadFailure {
    pub(super) segment: Segment,
    pub(super) source: std::io::Error,
}

fn missing(first_sequence: u64, last_sequence: u64, damaged: bool) -> LostRange {
    // Without damage the sequence was given to a record that a full disk refused, and that went down with the state.
    let reason = if damaged { LossReason::Corrupt } else { LossReason::Unknown };
    LostRange { first_sequence, last_sequence, reason }
}

/// Records are JSON already: they are put in as they are.
fn wire(head: &BatchHead, records: &[Vec<u8>]) -> std::io::Result<Vec<u8>> {
    let mut json = serde_json::to_vec(head)?;
    json.pop();
    json.extend(b",\"records\":[");
    for (n, record) in records.iter().enumerate() {
        if n > 0 {
            json.push(b',');
        }
        json.extend(record);
    }
    json.extend(b"]}");
    zstd::bulk::compress(&json, ZSTD_LEVEL)
}
