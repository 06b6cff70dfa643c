//! What a device reports and a collection server reads.
//!
//! ```text
//! device                                            collection server
//! record ─► journal (sequence 1, 2, 3, …) ─► Batch ─► high-water mark per (device, stream) ─► store
//! ```
//! Types only: no I/O, no clock, no threads. The encoding is JSON, compressed with zstd.
//!
//! **Units stand in the names**: `_ms`, `_s`, `_hz`, `_dbfs`, `_ratio` (in `[0, 1]`), `_bytes`. A figure that a device
//! cannot measure is absent, never 0 and never a guess.
//!
//! **Versions.** Within one [`SCHEMA_VERSION`] fields and kinds may be added and none changes its meaning. A reader
//! ignores fields that it does not know and takes absent ones for unknown, so old devices and new ones report to the
//! same server. A server keeps what it does not understand as it came.
//!
//! **Privacy.** A [`Record`] has no place for text, audio or a person. What somebody consented to travels beside it, in
//! [`Consented`], which names the consent; a server refuses it without.

mod batch;
mod consented;
mod feedback;
mod health;
pub mod limits;
mod record;
mod session;
mod shadow;
mod utterance;

pub use batch::{Accepted, BatchHead, LossReason, LostRange, Refusal};
pub use consented::{Consent, Consented, Scope, Speaker};
pub use feedback::{FeedbackKind, FeedbackRecord};
pub use health::HealthRecord;
pub use record::{Record, RecordLine};
pub use session::SessionRecord;
pub use shadow::ShadowRecord;
pub use utterance::{InputMetrics, Outcome, OutputMetrics, SoftwareMetrics, UtteranceRecord};

/// The version that this crate writes.
pub const SCHEMA_VERSION: u32 = 1;
/// The oldest version that this crate reads.
pub const OLDEST_SCHEMA_VERSION: u32 = 1;
