//! The byte format of a segment file: a header, then frames, one a record.
//!
//! All integers are little-endian.
//! ```text
//! header, 36 bytes                         frame, 16 bytes and the payload
//!  0  magic       4   "EWJ1"                0  length      4   of the payload, 1 to MAX_PAYLOAD_BYTES
//!  4  version     4   1                     4  sequence    8
//!  8  stream     16   the stream's id      12  crc        4   CRC-32 of length, sequence and payload
//! 24  created     8   ms since 1970        16  payload          the record's JSON, or what seals it
//! 32  crc         4   CRC-32 of the above
//! ```
//! The first sequence stands in the file's name. Each frame repeats its own, which 8 bytes of 1500 pay for: after damage
//! of any kind, a broken length included, the reader finds the next whole frame and knows how many are missing. JSON
//! holds no zero bytes and what is sealed is random, so a payload does not look like a frame.

/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = 36;
/// Bytes of a frame around its payload.
pub(super) const FRAME_BYTES: usize = 16;
/// Longest payload: a record of the largest size, sealed.
pub(super) const MAX_PAYLOAD_BYTES: usize = crate::telemetry::limits::MAX_RECORD_BYTES + 64;
/// No stream comes this far: what claims to is damaged. Leaves room to count on.
pub(super) const MAX_SEQUENCE: u64 = 1 << 62;
/// No gap is this long, likewise. Lets a search for frames pass over most bytes with one comparison.
const MAX_GAP: u64 = 1 << 32;
/// The end of segment files' names.
const SUFFIX: &str = ".seg";

const MAGIC: &[u8; 4] = b"EWJ1";
const VERSION: u32 = 1;

/// A stream's id as it is stored; in text 32 hexadecimal digits.
pub(super) type StreamId = [u8; 16];

/// What a whole header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) stream: StreamId,
    /// When the segment was begun, ms since 1970 by the device's clock.
    pub(super) created_unix_ms: u64,
}

impl Header {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.stream);
        bytes.extend(self.created_unix_ms.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// `None` if it is cut, changed or of another version. Frames can be read without it.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, crc) = bytes.get(..HEADER_BYTES)?.split_at(HEADER_BYTES - 4);
        let fits = crc == crc32fast::hash(head).to_le_bytes() && head.starts_with(MAGIC);
        (fits && u32_at(head, 4)? == VERSION).then_some(())?;
        Some(Self { stream: head.get(8..24)?.try_into().ok()?, created_unix_ms: u64_at(head, 24)? })
    }
}

/// The name of the segment that begins with `first`: names sort as sequences do.
pub(super) fn file_name(first: u64) -> String {
    format!("{first:020}{SUFFIX}")
}

/// The first sequence in a segment's name; `None` for other files.
pub(super) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let first: u64 =
        (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())??;
    (1..=MAX_SEQUENCE).contains(&first).then_some(first)
}

/// A frame around `payload`.
pub(super) fn frame(sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME_BYTES + payload.len());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(sequence.to_le_bytes());
    bytes.extend(checksum(&bytes, payload).to_le_bytes());
    bytes.extend(payload);
    bytes
}

fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(payload);
    hasher.finalize()
}

/// A whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) sequence: u64,
    pub(super) payload: &'a [u8],
    /// Bytes before it that belong to no whole frame.
    pub(super) damaged_bytes: usize,
    /// Where it ends in the segment.
    pub(super) end: usize,
}

/// The whole frames of a segment; their sequences rise. What is damaged is stepped over.
#[derive(Clone, Debug)]
pub(super) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    next: u64,
}

impl<'a> Frames<'a> {
    /// Of a whole segment, header included, whose name says `first`.
    pub(super) fn new(bytes: &'a [u8], first: u64) -> Self {
        Self { bytes, at: HEADER_BYTES, next: first }
    }

    /// The frame at `at` if it is whole and its sequence can be.
    fn frame_at(&self, at: usize) -> Option<Frame<'a>> {
        let rest = self.bytes.get(at..)?;
        let length = u32_at(rest, 0)? as usize;
        let sequence = u64_at(rest, 4)?;
        // Cheap tests first: a search looks at every byte.
        let plausible = (1..=MAX_PAYLOAD_BYTES).contains(&length)
            && sequence.checked_sub(self.next).is_some_and(|gap| gap < MAX_GAP);
        let payload = rest.get(FRAME_BYTES..FRAME_BYTES.checked_add(length)?).filter(|_| plausible)?;
        let whole = checksum(&rest[..12], payload) == u32_at(rest, 12)?;
        whole.then_some(Frame { sequence, payload, damaged_bytes: 0, end: at + FRAME_BYTES + length })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let begin = self.at;
        let last = self.bytes.len().checked_sub(FRAME_BYTES)?;
        let mut frame = (begin..=last).find_map(|at| Some((at, self.frame_at(at)?)));
        if let Some((at, frame)) = &mut frame {
            frame.damaged_bytes = *at - begin;
            self.at = frame.end;
            self.next = frame.sequence.saturating_add(1);
        }
        frame.map(|(_, frame)| frame)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Reads untrusted bytes; for fuzzing.
pub(super) fn fuzz(bytes: &[u8]) {
    let _ = Header::decode(bytes);
    let mut before = (0, 0);
    for frame in Frames::new(bytes, 1) {
        assert!(frame.sequence > before.0 && frame.end > before.1 && frame.end <= bytes.len());
        before = (frame.sequence, frame.end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: Header = Header { stream: *b"0123456789abcdef", created_unix_ms: 1_764_000_000_000 };

    fn segment(first: u64, payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = HEADER.encode();
        (first..).zip(payloads).for_each(|(sequence, payload)| bytes.extend(frame(sequence, payload)));
        bytes
    }

    fn sequences(bytes: &[u8], first: u64) -> Vec<u64> {
        Frames::new(bytes, first).map(|frame| frame.sequence).collect()
    }

    #[test]
    fn the_bytes_are_those_of_the_documentation() {
        let bytes = segment(7, &[b"{}"]);
        assert_eq!(bytes[..8], *b"EWJ1\x01\0\0\0");
        assert_eq!(bytes[8..24], HEADER.stream);
        assert_eq!(bytes[24..32], 1_764_000_000_000_u64.to_le_bytes());
        assert_eq!(bytes[36..48], *b"\x02\0\0\0\x07\0\0\0\0\0\0\0");
        assert_eq!(bytes[48..52], crc32fast::hash(b"\x02\0\0\0\x07\0\0\0\0\0\0\0{}").to_le_bytes());
        assert_eq!(&bytes[52..], b"{}");
    }

    #[test]
    fn a_name_is_twenty_digits_and_nothing_else() {
        assert_eq!(file_name(513), "00000000000000000513.seg");
        assert_eq!(first_of("00000000000000000513.seg"), Some(513));
        let others = ["513.seg", "state.json", "0000000000000000051x.seg", "99999999999999999999.seg"];
        for other in others.into_iter().chain(["00000000000000000000.seg", "18446744073709551615.seg"]) {
            assert_eq!(first_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_changed_header_is_no_header() {
        let bytes = HEADER.encode();
        assert_eq!(Header::decode(&bytes), Some(HEADER));
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 4;
            assert_eq!(Header::decode(&changed), None, "byte {i}");
            assert_eq!(Header::decode(&bytes[..i]), None, "cut to {i}");
        }
    }

    #[test]
    fn damage_costs_the_record_it_hits_and_no_other() {
        let bytes = segment(1, &[b"{\"a\":1}", b"{\"b\":2}", b"{\"c\":3}"]);
        let second = HEADER_BYTES + FRAME_BYTES + 7;
        for i in second..second + FRAME_BYTES + 7 {
            let mut changed = bytes.clone();
            changed[i] ^= 0x10;
            assert_eq!(sequences(&changed, 1), [1, 3], "byte {i}");
            let damaged: Vec<_> = Frames::new(&changed, 1).map(|frame| frame.damaged_bytes).collect();
            assert_eq!(damaged, [0, FRAME_BYTES + 7]);
        }
    }

    #[test]
    fn a_torn_tail_is_not_read() {
        let bytes = segment(5, &[b"first", b"second"]);
        for cut in HEADER_BYTES..bytes.len() {
            let whole = usize::from(cut >= HEADER_BYTES + FRAME_BYTES + 5);
            assert_eq!(sequences(&bytes[..cut], 5).len(), whole, "cut to {cut}");
        }
        let mut zeros = bytes;
        zeros.extend([0; 4096]);
        assert_eq!(sequences(&zeros, 5), [5, 6]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(first in 1..MAX_SEQUENCE, payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..20)) {
            let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            let bytes = segment(first, &payloads);
            let read: Vec<&[u8]> = Frames::new(&bytes, first).map(|frame| frame.payload).collect();
            prop_assert_eq!(read, payloads);
        }

        #[test]
        fn hostile_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0..400_usize) {
            fuzz(&bytes);
            let mut mixed = segment(1, &[b"abc", b"defg"]);
            let at = at.min(mixed.len());
            mixed.splice(at..at, bytes);
            fuzz(&mixed);
        }
    }
}
