//! A batch from its bytes on the wire to rows, before anything touches the store.
//!
//! ```text
//! body ─► bounded zstd ─► depth check ─► head and records, each as it came ─► figures │ what needs consent
//! ```
//! Nothing here allocates more than the limits of [`limits`] allow, whatever the bytes say.

mod body;
mod depth;

use earwitness_telemetry::{BatchHead, Consented, LostRange, OLDEST_SCHEMA_VERSION, Scope, limits};
use serde::Deserialize;
use serde_json::value::RawValue;

pub use body::{Encoding, decode};

/// Why a batch is refused. None of these is worth trying again.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Too much, on the wire or after decompression.
    #[error("{what} is more than the {limit} bytes that a batch may have")]
    TooLarge {
        /// The body, or what it decompresses to.
        what: &'static str,
        /// Bytes.
        limit: usize,
    },
    /// Not zstd.
    #[error("the body does not decompress: {0}")]
    Zstd(#[source] std::io::Error),
    /// Not a batch.
    #[error("the body is no batch: {0}")]
    Json(#[source] serde_json::Error),
    /// Out of a limit.
    #[error("{0}")]
    Invalid(String),
}

/// A record, figures apart from what needs consent.
#[derive(Debug)]
pub(crate) struct NewRecord {
    pub(crate) sequence: u64,
    pub(crate) recorded_ms: i64,
    pub(crate) kind: String,
    /// The figures in JSON, as they came.
    pub(crate) body: String,
    /// Which utterance, where there is a text of it.
    pub(crate) utterance_id: Option<String>,
    pub(crate) consented: Option<Consented>,
}

/// A batch that keeps all rules.
#[derive(Debug)]
pub(crate) struct NewBatch {
    pub(crate) head: BatchHead,
    pub(crate) records: Vec<NewRecord>,
    /// Records of which no more is known than that they came.
    pub(crate) unreadable: u64,
}

/// A [`BatchHead`] and the records, each as it came. Written out: flattening would copy the records.
#[derive(Deserialize)]
struct WireBatch<'a> {
    schema_version: u32,
    stream_id: String,
    first_sequence: u64,
    sent_unix_ms: u64,
    #[serde(default)]
    lost: Vec<LostRange>,
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireRecord<'a> {
    recorded_unix_ms: u64,
    kind: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
    #[serde(default, borrow)]
    consented: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OfUtterance<'a> {
    #[serde(borrow)]
    utterance_id: Option<&'a str>,
}

/// Reads a decompressed batch.
///
/// # Errors
/// [`BatchError`]; the text says which rule is broken.
pub(crate) fn parse(json: &[u8]) -> Result<NewBatch, BatchError> {
    depth::check(json, limits::MAX_RECORD_DEPTH + 2).map_err(|()| {
        BatchError::Invalid(format!(
            "records may have {} levels of objects and lists",
            limits::MAX_RECORD_DEPTH
        ))
    })?;
    let wire: WireBatch = serde_json::from_slice(json).map_err(BatchError::Json)?;
    let WireBatch { schema_version, stream_id, first_sequence, sent_unix_ms, lost, records } = wire;
    let head = BatchHead { schema_version, stream_id, first_sequence, sent_unix_ms, lost };
    check_head(&head, records.len())?;
    let mut batch = NewBatch { records: Vec::with_capacity(records.len()), unreadable: 0, head };
    for (sequence, raw) in (batch.head.first_sequence..).zip(records) {
        let record = record(sequence, raw.get())?;
        batch.unreadable += u64::from(record.kind == UNREADABLE);
        batch.records.push(record);
    }
    Ok(batch)
}

/// The kind of a record that is no record of any version known here.
pub(crate) const UNREADABLE: &str = "unreadable";

fn check_head(head: &BatchHead, records: usize) -> Result<(), BatchError> {
    let refuse = |why: String| Err(BatchError::Invalid(why));
    if head.schema_version < OLDEST_SCHEMA_VERSION {
        return refuse(format!(
            "schema version {} is too old, {OLDEST_SCHEMA_VERSION} is the oldest that is read",
            head.schema_version
        ));
    }
    if !limits::valid_id(&head.stream_id) {
        return refuse("stream_id must be 1 to 64 letters, digits, `-`, `_` or `.`".to_owned());
    }
    if records > limits::MAX_BATCH_RECORDS {
        return refuse(format!("a batch has at most {} records", limits::MAX_BATCH_RECORDS));
    }
    if head.lost.len() > limits::MAX_LOST_RANGES {
        return refuse(format!("a batch has at most {} ranges of lost records", limits::MAX_LOST_RANGES));
    }
    let last = head.first_sequence.checked_add(records as u64).filter(|last| *last <= limits::MAX_SEQUENCE);
    if head.first_sequence == 0 || last.is_none() {
        return refuse(format!("first_sequence must be from 1 to {}", limits::MAX_SEQUENCE));
    }
    let ordered = head.lost.windows(2).all(|pair| pair[0].last_sequence < pair[1].first_sequence);
    let whole = head.lost.iter().all(|range| {
        range.first_sequence >= 1
            && range.first_sequence <= range.last_sequence
            && range.last_sequence <= limits::MAX_SEQUENCE
    });
    if !ordered || !whole {
        return refuse("ranges of lost records must be in order, within bounds, and not overlap".to_owned());
    }
    Ok(())
}

fn record(sequence: u64, raw: &str) -> Result<NewRecord, BatchError> {
    if raw.len() > limits::MAX_RECORD_BYTES {
        return Err(BatchError::Invalid(format!(
            "record {sequence} has more than {} bytes",
            limits::MAX_RECORD_BYTES
        )));
    }
    // Not one of ours: its figures might be anything, so nothing of it is kept but that it came.
    let Ok(wire) = serde_json::from_str::<WireRecord>(raw) else {
        return Ok(NewRecord {
            sequence,
            recorded_ms: 0,
            kind: UNREADABLE.to_owned(),
            body: "{}".to_owned(),
            utterance_id: None,
            consented: None,
        });
    };
    let consented = match wire.consented {
        Some(consented) => Some(check_consent(sequence, consented.get())?),
        None => None,
    };
    // Only texts are kept by their utterance.
    let of_utterance =
        consented.as_ref().and_then(|_| serde_json::from_str::<OfUtterance>(wire.body.get()).ok());
    let utterance_id = of_utterance.and_then(|body| body.utterance_id).filter(|id| limits::valid_id(id));
    let kind = if limits::valid_id(wire.kind) { wire.kind } else { UNREADABLE };
    Ok(NewRecord {
        sequence,
        recorded_ms: i64::try_from(wire.recorded_unix_ms).unwrap_or(i64::MAX),
        kind: kind.to_owned(),
        body: wire.body.get().to_owned(),
        utterance_id: utterance_id.map(str::to_owned),
        consented,
    })
}

fn check_consent(sequence: u64, raw: &str) -> Result<Consented, BatchError> {
    let consented: Consented = serde_json::from_str(raw).map_err(|_| {
        BatchError::Invalid(format!("record {sequence}: `consented` does not name its consent"))
    })?;
    if let Some(scope) = consented.uncovered() {
        let scope = match scope {
            Scope::Text => "text",
            Scope::Audio => "audio",
            Scope::Speaker => "speaker",
        };
        return Err(BatchError::Invalid(format!("record {sequence}: its consent does not cover {scope}")));
    }
    let subject = consented.speaker.as_ref().map(|speaker| speaker.subject_id.as_str());
    if subject.is_some_and(|subject| !limits::valid_id(subject)) {
        return Err(BatchError::Invalid(format!(
            "record {sequence}: subject_id must be 1 to 64 letters, digits, `-`, `_` or `.`"
        )));
    }
    Ok(consented)
}

#[cfg(test)]
mod tests;
