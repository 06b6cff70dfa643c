//! Unfinished WAV headers: a recorder that lost power, or a program that writes to a pipe, leaves
//! lengths of 0 because the real ones are written when the recording is closed.
//!
//! Such a file holds audio up to its end. Setting both lengths to the largest value tells the
//! demuxer to read on to the end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

/// Bytes in which the `data` chunk of an unfinished header is looked for; such headers are short.
pub(super) const HEADER_BYTES: usize = 512;
/// What stands for "until the end".
const ENDLESS: [u8; 4] = [0xff; 4];
/// From this many bytes on, a length was not measured: arecord writes about 2^31, ffmpeg 2^32 - 1.
pub(super) const UNMEASURED_BYTES: u64 = 0x7fff_0000;

/// Offsets of the RIFF and `data` lengths, if `head` begins a WAV whose `data` length is 0 with
/// something other than a chunk after it.
pub(super) fn unfinished_lengths(head: &[u8]) -> Option<[usize; 2]> {
    if !head.starts_with(b"RIFF") || head.get(8..12)? != b"WAVE" {
        return None;
    }
    let mut at = 12;
    loop {
        let id = head.get(at..at + 4)?;
        let length = u32::from_le_bytes(head.get(at + 4..at + 8)?.try_into().ok()?);
        if id == b"data" {
            let after = head.get(at + 8..at + 12)?;
            let another_chunk = after.iter().all(|b| b.is_ascii_alphanumeric() || *b == b' ');
            return (length == 0 && !another_chunk).then_some([4, at + 4]);
        }
        at = at.checked_add(8 + length as usize + (length % 2) as usize)?;
    }
}

/// Sets the lengths at `offsets` in `head` to "until the end".
pub(super) fn finish_lengths(head: &mut [u8], offsets: [usize; 2]) {
    for offset in offsets {
        if let Some(field) = head.get_mut(offset..offset + 4) {
            field.copy_from_slice(&ENDLESS);
        }
    }
}

/// A file whose first bytes are replaced by repaired ones.
pub(super) struct Repaired {
    file: File,
    head: Vec<u8>,
    position: u64,
}

impl Repaired {
    /// `file` with its lengths repaired and `true`, or as it is and `false`; positioned at its start.
    pub(super) fn open(mut file: File) -> io::Result<(Self, bool)> {
        let mut head = Vec::with_capacity(HEADER_BYTES);
        (&mut file).take(HEADER_BYTES as u64).read_to_end(&mut head)?;
        file.rewind()?;
        let unfinished = unfinished_lengths(&head);
        match unfinished {
            Some(offsets) => finish_lengths(&mut head, offsets),
            None => head.clear(),
        }
        Ok((Self { file, head, position: 0 }, unfinished.is_some()))
    }
}

impl Read for Repaired {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(buffer)?;
        let repaired =
            usize::try_from(self.position).ok().and_then(|p| self.head.get(p..)).unwrap_or_default();
        for (byte, right) in buffer[..got].iter_mut().zip(repaired) {
            *byte = *right;
        }
        self.position += got as u64;
        Ok(got)
    }
}

impl Seek for Repaired {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

impl MediaSource for Repaired {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        self.file.byte_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(data_length: u32, after: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\x24\x00\x00\x00WAVEfmt \x02\x00\x00\x00??data".to_vec();
        bytes.extend(data_length.to_le_bytes());
        bytes.extend(after);
        bytes
    }

    #[test]
    fn samples_after_a_length_of_zero_make_it_unfinished() {
        assert_eq!(unfinished_lengths(&wav(0, &[0, 1, 0, 2])), Some([4, 26]));
    }

    #[test]
    fn finished_empty_and_foreign_files_are_left_alone() {
        assert_eq!(unfinished_lengths(&wav(4, &[0, 1, 0, 2])), None);
        assert_eq!(unfinished_lengths(&wav(0, b"")), None);
        assert_eq!(unfinished_lengths(&wav(0, b"LIST\x04\x00\x00\x00INFO")), None);
        assert_eq!(unfinished_lengths(b"RIFF"), None);
        assert_eq!(unfinished_lengths(b"fLaC and so on and on"), None);
    }
}
