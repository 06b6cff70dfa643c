//! [`RecordSink`]: where records go that the recorder makes. A journal is one, an exporter of metrics another.

use std::fmt;
use std::sync::Arc;

use crate::telemetry::RecordLine;

/// The recording of one utterance, which somebody consented to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Clip {
    /// Names the utterance in all records.
    pub utterance_id: String,
    /// A FLAC file: 16 kHz, mono, 16 bits.
    pub flac: Vec<u8>,
    /// When the consent was given, ms since 1970-01-01 UTC.
    pub granted_unix_ms: u64,
    /// Who spoke, if that is consented to as well.
    pub subject_id: Option<String>,
}

/// Shows no audio and nobody.
impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { utterance_id, flac, .. } = self;
        f.debug_struct("Clip")
            .field("utterance_id", utterance_id)
            .field("bytes", &flac.len())
            .finish_non_exhaustive()
    }
}

/// What waits in a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkStatus {
    /// Records that wait.
    pub records: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Records that were lost.
    pub lost: u64,
}

/// Takes records, from one thread that may wait for a disk. What it cannot take it counts as lost and logs; the
/// recorder does not try again.
pub trait RecordSink: Send + Sync {
    /// Takes a record.
    fn record(&self, line: RecordLine);

    /// Takes a recording. Called only with consent; a sink that has no place for it leaves it.
    fn clip(&self, _clip: Clip) {}

    /// What waits, for the heartbeat.
    fn status(&self) -> SinkStatus {
        SinkStatus::default()
    }
}

/// Several sinks as one: each gets everything, and what waits is added up.
pub struct Sinks(pub Vec<Arc<dyn RecordSink>>);

impl RecordSink for Sinks {
    fn record(&self, line: RecordLine) {
        self.0.iter().for_each(|sink| sink.record(line.clone()));
    }

    fn clip(&self, clip: Clip) {
        self.0.iter().for_each(|sink| sink.clip(clip.clone()));
    }

    fn status(&self) -> SinkStatus {
        self.0.iter().map(|sink| sink.status()).fold(SinkStatus::default(), |sum, one| SinkStatus {
            records: sum.records + one.records,
            bytes: sum.bytes + one.bytes,
            lost: sum.lost + one.lost,
        })
    }
}
