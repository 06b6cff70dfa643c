//! Limits that both sides know, each with its reason.

/// Records in one batch. 1000 utterances of about 1.5 kB make 1.5 MB of JSON, which zstd brings to about 150 kB: half a
/// minute on a 40 kbit/s link, so that a batch still gets through a bad one.
pub const MAX_BATCH_RECORDS: usize = 1_000;
/// Bytes of a batch before compression. Leaves room for consented texts; a server refuses more.
pub const MAX_BATCH_BYTES: usize = 8 << 20;
/// Bytes of a batch as sent. JSON of records compresses to a tenth; a batch that does not is not one.
pub const MAX_BATCH_WIRE_BYTES: usize = 2 << 20;
/// Bytes of one record. An utterance of 30 s has about 120 words; with both texts that is below 4 kB.
pub const MAX_RECORD_BYTES: usize = 64 << 10;
/// Levels of objects and lists within a record: the records here have 3.
pub const MAX_RECORD_DEPTH: usize = 16;
/// Ranges of lost records in one batch. More are reported in the next.
pub const MAX_LOST_RANGES: usize = 100;
/// The largest sequence of a record: 10^12 are 30 years of a thousand records a second. Sums over streams stay exact.
pub const MAX_SEQUENCE: u64 = 1_000_000_000_000;
/// Bytes of a name of an engine, a profile, a version: they are keys of tables.
pub const MAX_NAME_BYTES: usize = 200;
/// Bytes of an audio clip: 30 s at 16 kHz and 16 bits are 0.96 MB before FLAC; long utterances are split below that.
pub const MAX_CLIP_BYTES: usize = 4 << 20;
/// Characters of an id: device, stream, utterance, subject.
pub const MAX_ID_CHARS: usize = 64;

/// Whether `name` can be a key of a table: not too long, nothing in it that does not print.
pub fn valid_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control)
}

/// Whether `id` can stand in a path and a key: letters, digits, `-`, `_` and, but not at its start, `.`.
///
/// ```
/// # use earwitness_telemetry::limits::valid_id;
/// assert!(valid_id("kitchen-pi_2"));
/// assert!(!valid_id("../kitchen") && !valid_id(".kitchen") && !valid_id(""));
/// ```
pub fn valid_id(id: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=MAX_ID_CHARS).contains(&id.len()) && id.chars().all(fits) && !id.starts_with('.')
}
