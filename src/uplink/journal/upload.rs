//! The uploader's side of a journal: what is next, and what has come of it.

use super::batch::{Batch, Plan, ReadFailure};
use super::segment::MAX_SEQUENCE;
use super::{Journal, JournalError};
use crate::telemetry::LossReason;
use crate::telemetry::limits::MAX_BATCH_RECORDS;

/// A segment that could not be read this often in a row is taken for damaged, so that it does not block what follows.
const MAX_READ_FAILURES: u32 = 5;

impl Journal {
    /// The next batch, or `None` if nothing waits. The same one comes again until it is acknowledged.
    ///
    /// # Errors
    /// Disk errors, if nothing can be offered because of them.
    pub fn next_batch(&self, now_unix_ms: u64) -> Result<Option<Batch>, JournalError> {
        self.next_batch_of(MAX_BATCH_RECORDS, now_unix_ms)
    }

    /// The same with `most` records at most: a server that refuses a batch is given it in pieces.
    ///
    /// # Errors
    /// As for [`Journal::next_batch`].
    pub fn next_batch_of(&self, most: usize, now_unix_ms: u64) -> Result<Option<Batch>, JournalError> {
        let most = most.clamp(1, MAX_BATCH_RECORDS);
        let enough = {
            let mut index = self.lock();
            index.expire(now_unix_ms, self.options.max_age_ms(), self.options.span_ms());
            let durable = index.durable.saturating_sub(index.high_water);
            durable >= most as u64 || index.durable + 1 >= index.next
        };
        let mut trouble = if enough { Ok(()) } else { self.sync() };
        loop {
            // On a full disk what is durable is offered all the same: that is how it gets emptied.
            trouble = self.settle().and(trouble);
            let Some(plan) = Plan::new(&self.lock()) else { return trouble.map(|()| None) };
            let (records, missing) = match plan.read(&*self.disk, &self.options, most) {
                Ok(read) => read,
                Err(failure) => {
                    self.cannot_read(failure)?;
                    continue;
                }
            };
            let mut index = self.lock();
            index.read_failures = 0;
            if let Some(missing) = missing {
                index.lose(missing.first_sequence, missing.last_sequence, missing.reason);
                if records.is_empty() {
                    continue;
                }
            }
            drop(index);
            return plan.batch(records, now_unix_ms).map(Some);
        }
    }

    /// Whether to plan anew: the segment is gone, or given up.
    fn cannot_read(&self, failure: ReadFailure) -> Result<(), JournalError> {
        let ReadFailure { segment, source } = failure;
        let mut index = self.lock();
        let there = index.segments.iter().any(|s| s.first == segment.first);
        let gone = source.kind() == std::io::ErrorKind::NotFound;
        if gone && !there {
            return Ok(());
        }
        index.read_failures += 1;
        if gone || index.read_failures >= MAX_READ_FAILURES {
            index.read_failures = 0;
            index.lose(segment.first, segment.last, LossReason::Corrupt);
            return Ok(());
        }
        Err(JournalError::Disk { what: "read", source })
    }

    /// The server has everything up to `high_water`, or knows that it is lost. A lower mark than before has no effect.
    ///
    /// # Errors
    /// Disk errors. The mark holds in this process; after a crash what it covers is offered again.
    pub fn acknowledge(&self, high_water: u64) -> Result<(), JournalError> {
        {
            let mut index = self.lock();
            if high_water <= index.high_water || high_water > MAX_SEQUENCE {
                return Ok(());
            }
            if high_water >= index.next {
                tracing::warn!(
                    "the server knows more of this telemetry journal than there is: it comes from a backup"
                );
            }
            index.acknowledge(high_water);
        }
        self.settle()
    }

    /// The server wants to go on at `expected` (status 409). What it wants again and is not there any more is reported as
    /// lost.
    ///
    /// # Errors
    /// Disk errors, as for [`Journal::acknowledge`].
    pub fn expect(&self, expected: u64) -> Result<(), JournalError> {
        let expected = expected.max(1);
        {
            let mut index = self.lock();
            if expected > index.high_water {
                drop(index);
                return self.acknowledge(expected - 1);
            }
            index.rewind(expected);
        }
        self.settle()
    }

    /// Reports `first..=last` as lost for no known reason: the server will not have them.
    ///
    /// # Errors
    /// Disk errors; the loss is written with the next state.
    pub fn give_up(&self, first: u64, last: u64) -> Result<(), JournalError> {
        {
            let mut index = self.lock();
            let last = last.min(index.next - 1);
            index.lose(first, last, LossReason::Unknown);
        }
        self.settle()
    }
}
