//! How a journal is kept.

use serde::{Deserialize, Serialize};

use crate::telemetry::Scope;
use crate::uplink::spool::SpoolKey;

/// When what was written is made durable. A kill of the process loses nothing under any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "sync")]
pub enum SyncPolicy {
    /// [`append`](super::Journal::append) returns when the record is durable: a loss of power loses none. Costs a sync a
    /// record, which wears flash memory.
    EveryRecord,
    /// [`sync_due`](super::Journal::sync_due) does it for all records since the last time: a loss of power loses the
    /// records of the last `interval_ms`.
    Interval {
        /// Longest time that a record waits, ms.
        interval_ms: u64,
    },
    /// The system writes when it likes (Linux: after about 30 s); only what is to be sent is synced. A loss of power loses
    /// what was recorded since the last batch or in the last half minute, whichever is less.
    Never,
}

impl Default for SyncPolicy {
    /// 1 s: records come every few seconds at most, and a sync a second is what a card bears.
    fn default() -> Self {
        Self::Interval { interval_ms: 1_000 }
    }
}

/// Limits and protection.
#[derive(Clone, Debug)]
pub struct JournalOptions {
    /// When records are durable.
    pub sync: SyncPolicy,
    /// Cap on all segments together, bytes; at least 1 MiB. 64 MiB: some 40 000 utterances, a thousand a day for six weeks.
    pub max_bytes: u64,
    /// Records older than this go, days. 90: what is older describes another device.
    pub max_age_days: u64,
    /// Seals all records from now on.
    pub key: Option<SpoolKey>,
    /// What there is no consent to any more. Records were made under the consent that they name; what these scopes cover
    /// is left out of batches all the same.
    pub withdrawn: Vec<Scope>,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            sync: SyncPolicy::default(),
            max_bytes: 64 << 20,
            max_age_days: 90,
            key: None,
            withdrawn: Vec::new(),
        }
    }
}

/// Smallest cap, bytes: room for the largest records in several segments.
const MIN_BYTES: u64 = 1 << 20;
/// A segment is this share of the cap: what goes at a time.
const SEGMENTS: u64 = 16;
/// Largest segment, bytes: it is read as a whole.
const MAX_SEGMENT_BYTES: u64 = 1 << 20;
/// A segment spans at most this share of the age.
const SPANS: u64 = 30;
const MS_PER_DAY: u64 = 86_400_000;

impl JournalOptions {
    pub(super) fn cap_bytes(&self) -> u64 {
        self.max_bytes.max(MIN_BYTES)
    }

    pub(super) fn segment_bytes(&self) -> u64 {
        (self.cap_bytes() / SEGMENTS).min(MAX_SEGMENT_BYTES)
    }

    /// What segments may hold that are not yet given up; the rest of the cap is for one that waits for its deletion.
    pub(super) fn live_bytes(&self) -> u64 {
        self.cap_bytes() - self.segment_bytes()
    }

    pub(super) fn max_age_ms(&self) -> u64 {
        self.max_age_days.max(1).saturating_mul(MS_PER_DAY)
    }

    pub(super) fn span_ms(&self) -> u64 {
        self.max_age_ms() / SPANS
    }
}
