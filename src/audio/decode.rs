//! [`FileSource`]: an audio file or a piped one as a stream of 16 kHz blocks.
//!
//! The content decides how a file is read, never its extension. One packet is decoded at a time, so
//! memory does not grow with the recording. A damaged file gives what can be had: a bad packet
//! becomes silence of its length (later words keep their times) and is counted, a file cut short
//! ends early and says so in [`SourceFaults`].
//!
//! AAC in m4a begins with the encoder's priming samples (1024 at the file's rate for most encoders,
//! 21 ms at 48 kHz), because the demuxer does not read the edit list that says to drop them: times in
//! such files are late by that much. MP3, Vorbis and the lossless formats are exact.

use std::fs::File;
use std::io::{Cursor, ErrorKind, Read as ByteRead};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use symphonia::core::codecs::audio::AudioDecoder;
use symphonia::core::errors::Error as DecodeError;
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::{MediaSource, ReadOnlySource};
use symphonia::core::packet::Packet;

use super::codec::is_lossless;
use super::probe::{Pipe, decoder_for, demuxer_for, is_measured, open_error, supported_rate};
use super::source::{AudioSource, ChannelSelect, NativeFormat, Read, SourceFaults};
use super::wav_header::Repaired;
use super::{AudioError, Resampler, SAMPLE_RATE, output_length};

/// A block is filled to at least this many samples (0.1 s) before it is handed over.
const BLOCK_SAMPLES: usize = SAMPLE_RATE.hz() as usize / 10;
/// Demuxer errors in a row after which the rest of the file is given up.
const GIVE_UP_AFTER: u32 = 64;
/// A lossy file may end this many frames before its header's count without being called truncated:
/// encoders pad and decoders trim by up to about two frames.
const LOSSY_SLACK_FRAMES: u64 = 4_608;
/// The longest bad packet that is replaced by silence; a longer one has a damaged length.
const LONGEST_FILL: Duration = Duration::from_secs(1);

/// A decoded file: wav, flac, mp3, ogg vorbis, m4a (AAC-LC, ALAC), aiff, caf or mkv.
pub struct FileSource {
    name: String,
    select: ChannelSelect,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track_id: u32,
    /// Frames that the header promises.
    promised_frames: Option<u64>,
    slack_frames: u64,
    native: NativeFormat,
    resampler: Resampler,
    /// The last packet, interleaved; empty once it has been passed on.
    interleaved: Vec<f32>,
    /// Rate and channels of `interleaved`.
    packet_format: NativeFormat,
    mono: Vec<f32>,
    delivered_frames: u64,
    faults: SourceFaults,
    ended: bool,
}

impl FileSource {
    /// Opens a file and decodes its first packet, so that most errors come here.
    ///
    /// # Errors
    /// [`AudioError`]: no such file, no permission, empty, not audio, no decoder, rate out of range,
    /// no such channel. A valid header with no samples after it is an empty recording, not an error.
    pub fn open(path: &Path, select: ChannelSelect) -> Result<Self, AudioError> {
        let file = File::open(path).map_err(|e| open_error(path, e))?;
        let about = file.metadata().map_err(|e| open_error(path, e))?;
        let name = path.display().to_string();
        if about.is_dir() {
            return Err(AudioError::IsAFolder { path: path.to_owned() });
        }
        if about.is_file() && about.len() == 0 {
            return Err(AudioError::EmptyFile { name });
        }
        if !about.is_file() {
            return Self::from_pipe(file, &name, select);
        }
        let (media, unfinished) = Repaired::open(file).map_err(|e| open_error(path, e))?;
        let mut source = match Self::from_media(Box::new(media), name.clone(), select) {
            // Some demuxers look for chunks beyond a cut; reading forwards only they do not.
            Err(error @ AudioError::NotAudio { .. }) => {
                let again = File::open(path).map_err(|e| open_error(path, e))?;
                Self::from_pipe(again, &name, select).map_err(|_| error)?
            }
            opened => opened?,
        };
        source.faults.truncated |= unfinished;
        Ok(source)
    }

    /// Decodes a file that arrives through a pipe, without seeking. `name` is for messages.
    ///
    /// # Errors
    /// As [`FileSource::open`], and [`AudioError::NeedsSeek`] for containers that cannot be piped.
    pub fn from_pipe(
        reader: impl ByteRead + Send + 'static,
        name: &str,
        select: ChannelSelect,
    ) -> Result<Self, AudioError> {
        Self::from_media(Box::new(ReadOnlySource::new(Pipe(Mutex::new(reader)))), name.to_owned(), select)
    }

    /// Decodes a file that is in memory. `name` is for messages.
    ///
    /// # Errors
    /// As [`FileSource::open`].
    pub fn from_memory(
        file: impl AsRef<[u8]> + Send + Sync + 'static,
        name: &str,
        select: ChannelSelect,
    ) -> Result<Self, AudioError> {
        if file.as_ref().is_empty() {
            return Err(AudioError::EmptyFile { name: name.to_owned() });
        }
        Self::from_media(Box::new(Cursor::new(file)), name.to_owned(), select)
    }

    fn from_media(
        media: Box<dyn MediaSource>,
        name: String,
        select: ChannelSelect,
    ) -> Result<Self, AudioError> {
        let format = demuxer_for(media, &name)?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or_else(|| AudioError::NoAudioTrack { name: name.clone() })?;
        let decoder = decoder_for(track, &name)?;
        let parameters = decoder.codec_params();
        let native = NativeFormat {
            rate: parameters.sample_rate.map_or(Ok(SAMPLE_RATE), |hz| supported_rate(&name, hz))?,
            channels: parameters.channels.as_ref().map_or(1, |c| c.count() as u16),
        };
        let slack_frames = if is_lossless(parameters.codec) { 0 } else { LOSSY_SLACK_FRAMES };
        let mut source = Self {
            select,
            track_id: track.id,
            promised_frames: track.num_frames.filter(|n| is_measured(*n, decoder.codec_params())),
            slack_frames,
            native,
            resampler: Resampler::new(native.rate)?,
            interleaved: Vec::new(),
            packet_format: native,
            mono: Vec::new(),
            delivered_frames: 0,
            faults: SourceFaults::default(),
            ended: false,
            decoder,
            format,
            name,
        };
        // What the decoder produces counts, not what the header claims.
        source.decode_packet()?;
        source.native = source.packet_format;
        select.check(&source.name, usize::from(source.native.channels))?;
        source.resampler = Resampler::new(source.native.rate)?;
        Ok(source)
    }

    /// Whether the file ended before its header said it would; known at the end.
    pub fn truncated(&self) -> bool {
        self.faults.truncated
    }

    /// Decodes the next packet into `interleaved`; sets `ended` if there is none.
    fn decode_packet(&mut self) -> Result<(), AudioError> {
        let mut errors_in_a_row = 0;
        while !self.ended && self.interleaved.is_empty() {
            match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.track_id => self.decode(&packet)?,
                Ok(Some(_)) => {}
                Ok(None) => self.ended = true,
                Err(DecodeError::ResetRequired) => self.next_stream()?,
                Err(DecodeError::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => {
                    // A piped WAV has no length: its end is where the bytes end.
                    self.faults.truncated |= self.promised_frames.is_some() || self.slack_frames > 0;
                    self.ended = true;
                }
                Err(DecodeError::IoError(source)) => {
                    return Err(AudioError::Read { name: self.name.clone(), source });
                }
                Err(_) => {
                    self.faults.bad_packets += 1;
                    errors_in_a_row += 1;
                    if errors_in_a_row >= GIVE_UP_AFTER {
                        self.faults.truncated = true;
                        self.ended = true;
                    }
                }
            }
        }
        if self.ended { self.check_end() } else { Ok(()) }
    }

    fn decode(&mut self, packet: &Packet) -> Result<(), AudioError> {
        match self.decoder.decode(packet) {
            Ok(audio) => {
                let (hz, channels) = (audio.spec().rate(), audio.spec().channels().count());
                self.packet_format =
                    NativeFormat { rate: supported_rate(&self.name, hz)?, channels: channels as u16 };
                audio.copy_to_vec_interleaved(&mut self.interleaved);
            }
            Err(DecodeError::IoError(e)) if e.kind() != ErrorKind::UnexpectedEof => {
                return Err(AudioError::Read { name: self.name.clone(), source: e });
            }
            Err(_) => {
                self.faults.bad_packets += 1;
                let frames = packet.dur.get();
                let longest = u64::from(self.packet_format.rate.hz()) * LONGEST_FILL.as_secs();
                if self.delivered_frames > 0 && frames <= longest {
                    self.interleaved.resize(frames as usize * usize::from(self.packet_format.channels), 0.0);
                }
            }
        }
        Ok(())
    }

    /// Chained streams, such as internet radio in Ogg, announce a new track list.
    fn next_stream(&mut self) -> Result<(), AudioError> {
        let Some(track) = self.format.default_track(TrackType::Audio) else {
            self.ended = true;
            return Ok(());
        };
        self.track_id = track.id;
        self.promised_frames = None;
        self.decoder = decoder_for(track, &self.name)?;
        Ok(())
    }

    fn check_end(&mut self) -> Result<(), AudioError> {
        let bad_packets = self.faults.bad_packets;
        if self.delivered_frames == 0 && bad_packets > 0 {
            return Err(AudioError::Undecodable { name: self.name.clone(), bad_packets });
        }
        let short = self.promised_frames.is_some_and(|n| self.delivered_frames + self.slack_frames < n);
        self.faults.truncated |= short;
        if self.faults.truncated || bad_packets > 0 {
            let seconds = self.delivered_frames as f64 / f64::from(self.native.rate.hz());
            tracing::warn!(file = %self.name, seconds, bad_packets, truncated = self.faults.truncated, "damaged audio file; what could be read is used");
        }
        Ok(())
    }

    /// Mixes and resamples the packet in `interleaved` onto `block`.
    fn convert_packet(&mut self, block: &mut Vec<f32>) -> Result<(), AudioError> {
        let channels = usize::from(self.packet_format.channels);
        self.select.check(&self.name, channels)?;
        if self.packet_format.rate != self.resampler.from() {
            self.resampler.finish(block)?;
            self.resampler = Resampler::new(self.packet_format.rate)?;
        }
        self.mono.clear();
        self.faults.non_finite_samples += self.select.append(&self.interleaved, channels, &mut self.mono);
        self.delivered_frames += self.mono.len() as u64;
        self.interleaved.clear();
        self.resampler.push(&self.mono, block)
    }
}

impl AudioSource for FileSource {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
        block.clear();
        while block.len() < BLOCK_SAMPLES {
            if self.interleaved.is_empty() && !self.ended {
                self.decode_packet()?;
            }
            if self.interleaved.is_empty() {
                self.resampler.finish(block)?;
                break;
            }
            self.convert_packet(block)?;
        }
        Ok(if block.is_empty() { Read::End } else { Read::Samples })
    }

    fn native(&self) -> NativeFormat {
        self.native
    }

    fn duration_hint(&self) -> Option<Duration> {
        let samples = output_length(self.promised_frames?, self.native.rate);
        Some(super::SamplePosition(samples).duration())
    }

    fn faults(&self) -> SourceFaults {
        self.faults
    }
}
