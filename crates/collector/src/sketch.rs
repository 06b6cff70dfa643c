//! Percentiles that add up: a sketch of every latency of an hour is a few hundred bytes, and the sketches of hours, devices
//! and servers merge to what one sketch of all would be.
//!
//! DDSketch (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
//! VLDB 2019) counts values in bins that grow by 2 %, so that every quantile is within 1 % of a value that was measured.
//! The mean of percentiles, which a table of percentiles invites to, is no percentile of anything.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sketches_ddsketch::{Config, DDSketch};

/// Every quantile is within this share of the exact one.
pub const RELATIVE_ACCURACY: f64 = 0.01;
/// What is nearer to 0 counts as 0: a nanosecond where the unit is ms.
pub const LEAST_VALUE: f64 = 1e-6;
/// What is further from 0 counts as this: three years where the unit is ms, 100 GB where it is bytes. Between the two the
/// bins never run out, so that the order of adding and merging cannot matter.
pub const MOST_VALUE: f64 = 1e11;

/// First byte of a stored sketch.
const VERSION: u8 = 1;
/// Bytes of SHA-256 at the end of a stored sketch.
const CHECKSUM_BYTES: usize = 4;

/// Counts of latencies, or of any other figure, by size.
#[derive(Clone)]
pub struct LatencySketch {
    sketch: DDSketch,
}

/// Bytes that are no sketch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSketch {
    /// Cut off, changed or something else.
    #[error("not a latency sketch, or a damaged one; compute it again from the records")]
    Damaged,
    /// Of a later version.
    #[error("a latency sketch of version {0}, which this server is too old to read; update it")]
    Version(u8),
}

impl Default for LatencySketch {
    fn default() -> Self {
        // An accuracy of 1 %, the default, is what `decode` takes stored bytes to have.
        Self { sketch: DDSketch::new(Config::defaults()) }
    }
}

impl LatencySketch {
    /// Adds a value. One that is infinite or no number is left out, and the answer is `false`. Negative ones, as levels in
    /// dBFS are, and 0 count like others. See [`LEAST_VALUE`] and [`MOST_VALUE`] for the ends.
    pub fn add(&mut self, value: f64) -> bool {
        if value.is_finite() {
            let near_zero = value.abs() < LEAST_VALUE;
            self.sketch.add(if near_zero { 0.0 } else { value.clamp(-MOST_VALUE, MOST_VALUE) });
        }
        value.is_finite()
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        let merged = self.sketch.merge(&other.sketch);
        debug_assert!(merged.is_ok(), "all sketches have one configuration");
    }

    /// The value that a share `q` of the values does not exceed, within [`RELATIVE_ACCURACY`] of the one in place
    /// `q * (count - 1)`, rounded down. `None` where there are none, and for a `q` out of `[0, 1]`.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let value = self.sketch.quantile(q).ok().flatten()?;
        Some(value.clamp(self.min()?, self.max()?))
    }

    /// Values added.
    pub fn count(&self) -> u64 {
        self.sketch.count() as u64
    }

    /// Sum of the values; over [`LatencySketch::count`] it is their mean.
    pub fn sum(&self) -> f64 {
        self.sketch.sum().unwrap_or(0.0)
    }

    /// Least value.
    pub fn min(&self) -> Option<f64> {
        self.sketch.min()
    }

    /// Largest value.
    pub fn max(&self) -> Option<f64> {
        self.sketch.max()
    }

    /// For storage: a version, the counts in the encoding of the other DDSketch libraries, a checksum. An hour's are
    /// about 3 bytes for each bin in use, and 40 more.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.sketch.to_java_bytes());
        let checksum = Sha256::digest(&bytes);
        bytes.extend(&checksum[..CHECKSUM_BYTES]);
        bytes
    }

    /// From [`LatencySketch::to_bytes`].
    ///
    /// # Errors
    ///
    /// [`BadSketch`] for everything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadSketch> {
        match bytes.first() {
            None | Some(0) => return Err(BadSketch::Damaged),
            Some(&VERSION) => {}
            Some(&version) => return Err(BadSketch::Version(version)),
        }
        let end = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(BadSketch::Damaged)?;
        let (content, checksum) = bytes.split_at(end);
        if content.is_empty() || Sha256::digest(content)[..CHECKSUM_BYTES] != *checksum {
            return Err(BadSketch::Damaged);
        }
        decode(&content[1..]).map(|sketch| Self { sketch }).ok_or(BadSketch::Damaged)
    }
}

impl PartialEq for LatencySketch {
    /// Equal counts in equal bins, equal sums and ends.
    fn eq(&self, other: &Self) -> bool {
        self.sketch.to_java_bytes() == other.sketch.to_java_bytes()
    }
}

impl std::fmt::Debug for LatencySketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("LatencySketch");
        shown.field("count", &self.count()).field("median", &self.quantile(0.5)).finish_non_exhaustive()
    }
}

/// As a list of bytes; stores have a column for [`LatencySketch::to_bytes`].
impl Serialize for LatencySketch {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LatencySketch {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        Self::from_bytes(&bytes).map_err(serde::de::Error::custom)
    }
}

/// Bins of [`LEAST_VALUE`] and [`MOST_VALUE`].
const LEAST_BIN: i64 = -691;
const MOST_BIN: i64 = 1266;

/// Reads what [`DDSketch::to_java_bytes`] wrote. The library's own reader trusts its input: an index or a count that is too
/// large makes it panic. So the input is read twice, here to see that it is what a sketch of ours can be.
fn decode(content: &[u8]) -> Option<DDSketch> {
    let mut rest = Reader(content);
    let (mut zeros, mut positive, mut negative) = (0, 0, 0);
    let mut summary = (None, None, None);
    while let Some(flag) = rest.byte() {
        match flag {
            // Count, sum, least, largest.
            0xA0 => summary.0 = Some(rest.count()?),
            0x84 => {
                rest.double().filter(|sum| sum.is_finite())?;
            }
            0x88 => summary.1 = Some(rest.double()?),
            0x8C => summary.2 = Some(rest.double()?),
            // Growth of the bins, and a shift that is never used.
            0x02 if rest.double()? == Config::defaults().gamma && rest.double()? == 0.0 => {}
            0x04 => zeros = rest.count()?,
            0x05 if positive == 0 => positive = rest.bins()?,
            0x07 if negative == 0 => negative = rest.bins()?,
            _ => return None,
        }
    }
    let total = zeros.checked_add(positive)?.checked_add(negative).filter(|total| *total <= MOST_COUNT)?;
    match summary {
        (None, None, None) if total == 0 => {}
        (Some(count), Some(min), Some(max)) => {
            let ordered = -MOST_VALUE <= min && min <= max && max <= MOST_VALUE;
            (count == total && total > 0 && ordered).then_some(())?;
        }
        _ => return None,
    }
    DDSketch::from_java_bytes(content).ok().filter(|sketch| sketch.count() as u64 == total)
}

/// Above this a count is not exact in the encoding.
const MOST_COUNT: u64 = 1 << 52;

/// What is left to read; `None` at its end.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn double(&mut self) -> Option<f64> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(f64::from_le_bytes(*first))
    }

    /// Seven bits a byte, the least first.
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let next = u64::from(self.byte()?);
            if next < 0x80 || shift == 56 {
                return Some(value | next << shift);
            }
            value |= (next & 0x7F) << shift;
        }
        None
    }

    /// A whole number that is written as a double: the bits of one more, less those of 1, turned left by 6, and then seven a
    /// byte from the top.
    fn count(&mut self) -> Option<u64> {
        let mut bits = 0_u64;
        for byte in 0..9 {
            let next = u64::from(self.byte()?);
            if byte == 8 {
                bits |= next;
                break;
            }
            bits |= (next & 0x7F) << (57 - 7 * byte);
            if next < 0x80 {
                break;
            }
        }
        let value = f64::from_bits(bits.rotate_right(6).wrapping_add(1.0_f64.to_bits())) - 1.0;
        (value >= 0.0 && value <= MOST_COUNT as f64 && value.fract() == 0.0).then_some(value as u64)
    }

    /// Bins of one sign: how many, then for each the distance from the last and the count. The sum of their counts.
    fn bins(&mut self) -> Option<u64> {
        let (mut index, mut total) = (0_i64, 0_u64);
        for number in 0..self.number()? {
            let step = self.number()?;
            let step = (step >> 1) as i64 ^ -((step & 1) as i64);
            index = index.checked_add(step)?;
            let ordered = number == 0 || step > 0;
            (ordered && (LEAST_BIN..=MOST_BIN).contains(&index)).then_some(())?;
            total = total.checked_add(self.count().filter(|count| *count > 0)?)?;
        }
        Some(total)
    }
}

#[cfg(test)]
mod tests;
