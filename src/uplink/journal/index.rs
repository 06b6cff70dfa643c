//! What a journal knows of its segments, in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use super::disk::DiskFile;
use super::lost::LostRanges;
use super::segment::{StreamId, file_name};
use super::state::{State, stream_to_text};
use crate::telemetry::{LossReason, LostRange};

/// Before this the program was not there: such a clock was never set (2025-01-01).
const PLAUSIBLE_UNIX_MS: u64 = 1_735_689_600_000;

/// A segment file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// As in its name.
    pub(super) first: u64,
    /// The last record in it; below `first` if there is none.
    pub(super) last: u64,
    /// Length of what is written.
    pub(super) bytes: u64,
    /// Length of what is durable.
    pub(super) synced_bytes: u64,
    /// When it was begun; implausible while that is not known.
    pub(super) created_unix_ms: u64,
    /// A sync failed: what the system did with the bytes is not known.
    pub(super) suspect: bool,
}

impl Segment {
    pub(super) fn name(&self) -> String {
        file_name(self.first)
    }
}

/// All that changes; every change is complete before it is unlocked.
pub(super) struct Index {
    pub(super) stream: StreamId,
    /// The sequence of the next record.
    pub(super) next: u64,
    /// See [`State::high_water`].
    pub(super) high_water: u64,
    /// What was lost above the high-water mark.
    pub(super) lost: LostRanges,
    /// Since the journal was made.
    pub(super) lost_total: u64,
    /// Oldest first.
    pub(super) segments: VecDeque<Segment>,
    /// The last segment, while it is written to.
    pub(super) file: Option<Arc<dyn DiskFile>>,
    /// Given up or no longer needed; to be deleted when the state says so.
    pub(super) doomed: Vec<Segment>,
    /// The last record that is durable.
    pub(super) durable: u64,
    /// Counts the files that were made.
    pub(super) made: u64,
    /// How many of them have a durable entry in the folder.
    pub(super) made_durable: u64,
    /// When the oldest record that is not durable was appended.
    pub(super) unsynced_since_ms: Option<u64>,
    /// Counts the changes of the state.
    pub(super) changes: u64,
    /// How many of them are durable.
    pub(super) changes_durable: u64,
    /// [`State::reached`] as it is on disk.
    pub(super) reached_durable: u64,
    /// Times in a row that a segment could not be read.
    pub(super) read_failures: u32,
}

impl Index {
    /// An empty stream.
    pub(super) fn new(stream: StreamId) -> Self {
        Self {
            stream,
            next: 1,
            high_water: 0,
            lost: LostRanges::default(),
            lost_total: 0,
            segments: VecDeque::new(),
            file: None,
            doomed: Vec::new(),
            durable: 0,
            made: 0,
            made_durable: 0,
            unsynced_since_ms: None,
            changes: 0,
            changes_durable: 0,
            reached_durable: 0,
            read_failures: 0,
        }
    }

    /// As it is to be on disk.
    pub(super) fn state(&self) -> State {
        State {
            stream_id: stream_to_text(&self.stream),
            high_water: self.high_water,
            reached: self.next - 1,
            lost: self.lost.as_slice().to_vec(),
            lost_total: self.lost_total,
        }
    }

    /// Takes `first..=last` for lost, as far as the server does not have them and they were not lost before.
    pub(super) fn lose(&mut self, first: u64, last: u64, reason: LossReason) {
        let first = first.max(self.high_water + 1);
        if first > last {
            return;
        }
        let added = self.lost.add(LostRange { first_sequence: first, last_sequence: last, reason });
        if added > 0 {
            self.lost_total += added;
            self.changes += 1;
            tracing::warn!(records = added, ?reason, "telemetry records were lost");
        }
    }

    /// Bytes of all segments that are not given up.
    pub(super) fn live_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Bytes that wait for deletion.
    pub(super) fn doomed_bytes(&self) -> u64 {
        self.doomed.iter().map(|segment| segment.bytes).sum()
    }

    /// Gives up the oldest segment.
    pub(super) fn doom_oldest(&mut self, reason: LossReason) {
        let Some(segment) = self.segments.pop_front() else { return };
        if self.segments.is_empty() {
            self.file = None;
        }
        self.lose(segment.first, segment.last, reason);
        self.doomed.push(segment);
        self.changes += 1;
    }

    /// Gives up what is older than `max_age_ms`, to the precision of a segment, which spans up to `span_ms`. While the clock
    /// was never set nothing has an age; what was written then counts from when it is.
    pub(super) fn expire(&mut self, now_unix_ms: u64, max_age_ms: u64, span_ms: u64) {
        if now_unix_ms < PLAUSIBLE_UNIX_MS {
            return;
        }
        for segment in self.segments.iter_mut().filter(|s| s.created_unix_ms < PLAUSIBLE_UNIX_MS) {
            segment.created_unix_ms = now_unix_ms;
        }
        while let Some(oldest) = self.segments.front() {
            let newest_record = oldest.created_unix_ms.saturating_add(span_ms);
            if newest_record.saturating_add(max_age_ms) >= now_unix_ms {
                return;
            }
            self.doom_oldest(LossReason::AgeCap);
        }
    }

    /// The server has everything up to `high_water`.
    pub(super) fn acknowledge(&mut self, high_water: u64) {
        self.next = self.next.max(high_water + 1);
        self.high_water = high_water;
        self.durable = self.durable.max(high_water);
        self.lost.forget_through(high_water);
        while self.segments.front().is_some_and(|segment| segment.last <= high_water) {
            self.doomed.extend(self.segments.pop_front());
        }
        if self.segments.is_empty() {
            self.file = None;
        }
        self.changes += 1;
    }

    /// The server has nothing from `expected` on, contrary to what it said.
    pub(super) fn rewind(&mut self, expected: u64) {
        let before = std::mem::replace(&mut self.high_water, expected - 1);
        let kept = self.segments.front().map_or(before, |segment| segment.first - 1);
        self.lose(expected, before.min(kept), LossReason::Unknown);
        self.changes += 1;
    }

    /// Records that wait.
    pub(super) fn waiting(&self) -> u64 {
        let (first, last) = (self.high_water + 1, self.next - 1);
        (last + 1 - first) - self.lost.count_within(first, last)
    }
}

/// Whether `from..=to` is longer than a segment may span; clocks that jump do not count.
pub(super) fn spans_more(from_unix_ms: u64, to_unix_ms: u64, span_ms: u64) -> bool {
    from_unix_ms >= PLAUSIBLE_UNIX_MS && to_unix_ms.saturating_sub(from_unix_ms) > span_ms
}
