//! [`PcmSource`]: raw PCM from any reader, such as `arecord ... | earwitness transcribe -`.
//!
//! Raw PCM has no header: the caller must say the layout, rate and channels, and a wrong answer is
//! noise, not an error. Because people pipe whole files too, [`open_stream`] looks at the first
//! bytes and decodes the stream as a file when they are a known file's.

use std::io::{self, Cursor, Read as ByteRead};
use std::str::FromStr;

use super::source::{AudioSource, ChannelSelect, NativeFormat, Read, SourceFaults};
use super::wav_header::{HEADER_BYTES, finish_lengths, unfinished_lengths};
use super::{AudioError, FileSource, Resampler, SampleRate};

/// Bytes read at once: 0.5 s of 16-bit mono at 16 kHz. A pipe gives fewer, and those are used at once.
const READ_BYTES: usize = 16_384;
/// Enough bytes to recognize every container by.
const SNIFFED_BYTES: usize = 12;

/// How one raw sample is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcmLayout {
    /// Unsigned 8-bit, 128 is silence.
    U8,
    /// Signed 16-bit little-endian.
    S16Le,
    /// Signed 24-bit little-endian in 3 bytes.
    S24Le,
    /// Signed 32-bit little-endian.
    S32Le,
    /// IEEE 32-bit float little-endian, full scale 1.
    F32Le,
}

impl PcmLayout {
    /// Every layout, with its name as written by ffmpeg and sox.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::U8, "u8"),
        (Self::S16Le, "s16le"),
        (Self::S24Le, "s24le"),
        (Self::S32Le, "s32le"),
        (Self::F32Le, "f32le"),
    ];

    /// Bytes per sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::S16Le => 2,
            Self::S24Le => 3,
            Self::S32Le | Self::F32Le => 4,
        }
    }

    /// Appends the samples in `bytes`, integers scaled to [-1, 1). A partial last sample is dropped.
    fn append(self, bytes: &[u8], samples: &mut Vec<f32>) {
        let chunks = bytes.chunks_exact(self.bytes());
        match self {
            Self::U8 => samples.extend(bytes.iter().map(|b| (f32::from(*b) - 128.0) / 128.0)),
            Self::S16Le => {
                samples.extend(chunks.map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0));
            }
            // Shifted up to 32 bits, so that the sign bit lands where it belongs.
            Self::S24Le => samples
                .extend(chunks.map(|b| i32::from_le_bytes([0, b[0], b[1], b[2]]) as f32 / 2_147_483_648.0)),
            Self::S32Le => samples.extend(
                chunks.map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32 / 2_147_483_648.0),
            ),
            Self::F32Le => samples.extend(chunks.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
        }
    }
}

impl FromStr for PcmLayout {
    type Err = String;

    /// Parses `u8`, `s16le`, `s24le`, `s32le` or `f32le`.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text).map(|(layout, _)| *layout);
        found.ok_or_else(|| {
            format!("{text:?} is not a raw sample format; use u8, s16le, s24le, s32le or f32le")
        })
    }
}

/// What the bytes of a raw stream mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcmFormat {
    /// How each sample is stored.
    pub layout: PcmLayout,
    /// Frames per second.
    pub rate: SampleRate,
    /// Samples per frame, at least 1.
    pub channels: u16,
}

/// Raw PCM as a stream of 16 kHz blocks. A last partial frame is dropped and counts as truncation.
pub struct PcmSource {
    reader: Box<dyn ByteRead + Send>,
    name: String,
    format: PcmFormat,
    select: ChannelSelect,
    resampler: Resampler,
    /// Bytes read; the first `held` belong to a frame whose rest has not arrived.
    bytes: Vec<u8>,
    held: usize,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
    faults: SourceFaults,
    ended: bool,
}

impl PcmSource {
    /// Reads frames of `format` from `reader`; `name` is for messages.
    ///
    /// # Errors
    /// [`AudioError::NoChannels`], [`AudioError::NoSuchChannel`].
    pub fn new(
        reader: Box<dyn ByteRead + Send>,
        name: &str,
        format: PcmFormat,
        select: ChannelSelect,
    ) -> Result<Self, AudioError> {
        select.check(name, usize::from(format.channels))?;
        let frame_bytes = format.layout.bytes() * usize::from(format.channels);
        Ok(Self {
            reader,
            name: name.to_owned(),
            format,
            select,
            resampler: Resampler::new(format.rate)?,
            bytes: vec![0; READ_BYTES.max(frame_bytes * 2)],
            held: 0,
            interleaved: Vec::new(),
            mono: Vec::new(),
            faults: SourceFaults::default(),
            ended: false,
        })
    }

    /// Reads once and converts the whole frames that have arrived.
    fn read_some(&mut self, block: &mut Vec<f32>) -> Result<(), AudioError> {
        let got = match self.reader.read(&mut self.bytes[self.held..]) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(()),
            got => got.map_err(|source| AudioError::Read { name: self.name.clone(), source })?,
        };
        if got == 0 {
            self.ended = true;
            self.faults.truncated |= self.held > 0;
            return self.resampler.finish(block);
        }
        let channels = usize::from(self.format.channels);
        let filled = self.held + got;
        let whole = filled - filled % (self.format.layout.bytes() * channels);
        self.interleaved.clear();
        self.mono.clear();
        self.format.layout.append(&self.bytes[..whole], &mut self.interleaved);
        self.faults.non_finite_samples += self.select.append(&self.interleaved, channels, &mut self.mono);
        self.bytes.copy_within(whole..filled, 0);
        self.held = filled - whole;
        self.resampler.push(&self.mono, block)
    }
}

impl AudioSource for PcmSource {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
        block.clear();
        while !self.ended && block.is_empty() {
            self.read_some(block)?;
        }
        Ok(if block.is_empty() { Read::End } else { Read::Samples })
    }

    fn native(&self) -> NativeFormat {
        NativeFormat { rate: self.format.rate, channels: self.format.channels }
    }

    fn faults(&self) -> SourceFaults {
        self.faults
    }
}

/// Opens a pipe: as a file if it begins like one (wav, flac, ogg, mp3 with tags, aiff, caf, mkv,
/// m4a), else as raw PCM in `fallback` format. Waits for the first bytes.
///
/// # Errors
/// [`AudioError::EmptyFile`] if there is not a byte; those of [`FileSource::from_pipe`] and [`PcmSource::new`].
pub fn open_stream(
    mut reader: impl ByteRead + Send + 'static,
    name: &str,
    fallback: PcmFormat,
    select: ChannelSelect,
) -> Result<Box<dyn AudioSource>, AudioError> {
    let failed = |source| AudioError::Read { name: name.to_owned(), source };
    let mut start = Vec::with_capacity(HEADER_BYTES);
    (&mut reader).take(SNIFFED_BYTES as u64).read_to_end(&mut start).map_err(failed)?;
    if start.is_empty() {
        return Err(AudioError::EmptyFile { name: name.to_owned() });
    }
    let a_file = begins_like_a_file(&start);
    if start.starts_with(b"RIFF") {
        (&mut reader).take((HEADER_BYTES - SNIFFED_BYTES) as u64).read_to_end(&mut start).map_err(failed)?;
        if let Some(offsets) = unfinished_lengths(&start) {
            finish_lengths(&mut start, offsets);
        }
    }
    let whole = Cursor::new(start).chain(reader);
    if a_file {
        return Ok(Box::new(FileSource::from_pipe(whole, name, select)?));
    }
    Ok(Box::new(PcmSource::new(Box::new(whole), name, fallback, select)?))
}

fn begins_like_a_file(start: &[u8]) -> bool {
    let at = |offset: usize, magic: &[u8]| start.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let riff = (at(0, b"RIFF") || at(0, b"RF64")) && at(8, b"WAVE");
    let aiff = at(0, b"FORM") && at(8, b"AIF");
    let others: [&[u8]; 5] = [b"fLaC", b"OggS", b"ID3", b"caff", b"\x1a\x45\xdf\xa3"];
    riff || aiff || at(4, b"ftyp") || others.iter().any(|magic| at(0, magic))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::read_all;

    fn format(layout: PcmLayout, channels: u16) -> PcmFormat {
        PcmFormat { layout, rate: SampleRate::new(16_000).unwrap(), channels }
    }

    /// Gives one byte per read, as the slowest pipe would.
    struct Dribble(Cursor<Vec<u8>>);

    impl ByteRead for Dribble {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let end = buffer.len().min(1);
            self.0.read(&mut buffer[..end])
        }
    }

    fn decode(bytes: Vec<u8>, format: PcmFormat) -> Vec<f32> {
        let reader = Box::new(Dribble(Cursor::new(bytes)));
        read_all(&mut PcmSource::new(reader, "stdin", format, ChannelSelect::Mix).unwrap()).unwrap()
    }

    #[test]
    fn every_layout_has_its_extremes_where_they_belong() {
        assert_eq!(decode(vec![0, 128, 192], format(PcmLayout::U8, 1)), [-1.0, 0.0, 0.5]);
        assert_eq!(decode(vec![0, 0x80, 0, 0x40], format(PcmLayout::S16Le, 1)), [-1.0, 0.5]);
        assert_eq!(decode(vec![0, 0, 0x80, 0, 0, 0x40], format(PcmLayout::S24Le, 1)), [-1.0, 0.5]);
        assert_eq!(decode(vec![0, 0, 0, 0x80, 0, 0, 0, 0x40], format(PcmLayout::S32Le, 1)), [-1.0, 0.5]);
        let floats = [0.25_f32, -1.5].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(decode(floats, format(PcmLayout::F32Le, 1)), [0.25, -1.5]);
    }

    #[test]
    fn frames_are_mixed_and_a_partial_last_frame_is_dropped_and_told() {
        let bytes = Cursor::new(vec![0, 0x40, 0, 0x20, 7, 7, 7]);
        let mut source =
            PcmSource::new(Box::new(bytes), "stdin", format(PcmLayout::S16Le, 2), ChannelSelect::Mix)
                .unwrap();
        assert_eq!(read_all(&mut source).unwrap(), [0.375]);
        assert!(source.faults().truncated);
    }

    #[test]
    fn nan_becomes_silence_and_is_counted() {
        let bytes: Vec<u8> = [f32::NAN, 0.5].iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut source = PcmSource::new(
            Box::new(Cursor::new(bytes)),
            "stdin",
            format(PcmLayout::F32Le, 1),
            ChannelSelect::Mix,
        )
        .unwrap();
        assert_eq!(read_all(&mut source).unwrap(), [0.0, 0.5]);
        assert_eq!(source.faults().non_finite_samples, 1);
    }

    #[test]
    fn a_layout_name_that_is_none_lists_those_that_are() {
        assert_eq!("s24le".parse(), Ok(PcmLayout::S24Le));
        assert!("mp3".parse::<PcmLayout>().unwrap_err().contains("s16le"));
    }

    #[test]
    fn containers_are_known_by_their_first_bytes() {
        assert!(begins_like_a_file(b"RIFF\x00\x00\x00\x00WAVE"));
        assert!(begins_like_a_file(b"\x00\x00\x00\x20ftypM4A "));
        assert!(!begins_like_a_file(b"RIFF\x00\x00\x00\x00AVI "));
        assert!(!begins_like_a_file(&[0; 12]));
        assert!(!begins_like_a_file(&[]));
    }
}
