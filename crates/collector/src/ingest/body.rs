//! Bodies, decompressed within limits.

use std::io::Read;

use earwitness_telemetry::limits::{MAX_BATCH_BYTES, MAX_BATCH_WIRE_BYTES};

use super::BatchError;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// Zstandard.
    Zstd,
}

/// 8 MiB, as a power of two: a larger window serves nothing in a body of 8 MiB, and would be allocated whole.
const MAX_WINDOW_LOG: u32 = 23;

/// The body as JSON.
///
/// # Errors
/// [`BatchError::TooLarge`] as soon as a limit is passed, [`BatchError::Zstd`].
pub fn decode(encoding: Encoding, body: &[u8]) -> Result<Vec<u8>, BatchError> {
    match encoding {
        Encoding::Identity if body.len() > MAX_BATCH_BYTES => too_large("the body", MAX_BATCH_BYTES),
        Encoding::Identity => Ok(body.to_vec()),
        Encoding::Zstd if body.len() > MAX_BATCH_WIRE_BYTES => too_large("the body", MAX_BATCH_WIRE_BYTES),
        Encoding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(body).map_err(BatchError::Zstd)?;
            decoder.window_log_max(MAX_WINDOW_LOG).map_err(BatchError::Zstd)?;
            let mut json = Vec::with_capacity((body.len() * 8).min(MAX_BATCH_BYTES));
            let limit = MAX_BATCH_BYTES as u64 + 1;
            decoder.take(limit).read_to_end(&mut json).map_err(BatchError::Zstd)?;
            match json.len() > MAX_BATCH_BYTES {
                true => too_large("what the body decompresses to", MAX_BATCH_BYTES),
                false => Ok(json),
            }
        }
    }
}

fn too_large(what: &'static str, limit: usize) -> Result<Vec<u8>, BatchError> {
    Err(BatchError::TooLarge { what, limit })
}
