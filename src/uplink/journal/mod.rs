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

mod append;
mod batch;
mod disk;
mod durable;
mod error;
mod index;
mod lost;
mod open;
mod options;
mod segment;
mod state;
mod upload;
mod withdrawn;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use batch::Batch;
pub use disk::{Disk, DiskFile, FolderDisk};
pub use error::JournalError;
pub use options::{JournalOptions, SyncPolicy};

use crate::uplink::spool::SpoolKey;
use crate::uplink::spool::seal::is_sealed;
use disk::is_full;
use index::Index;
use segment::StreamId;
use state::stream_to_text;

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
