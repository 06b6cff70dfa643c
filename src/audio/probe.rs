//! Opening: from bytes to a demuxer and a decoder, or to the error that says what to do.

use std::io::{self, ErrorKind, Read as ByteRead};
use std::path::Path;
use std::sync::Mutex;

use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as DecodeError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::codec::{codec_name, is_lossless};
use super::wav_header::UNMEASURED_BYTES;
use super::{AudioError, SampleRate};

/// Recognizes the container from its first bytes.
pub(super) fn demuxer_for(
    media: Box<dyn MediaSource>,
    name: &str,
) -> Result<Box<dyn FormatReader>, AudioError> {
    let seekable = media.is_seekable();
    let stream = MediaSourceStream::new(media, Default::default());
    symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|e| probe_error(name, seekable, e))
}

/// Gives any reader the `Sync` that the demuxer asks for; it is only ever used exclusively.
pub(super) struct Pipe<R>(pub(super) Mutex<R>);

impl<R: ByteRead> ByteRead for Pipe<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).read(buffer)
    }
}

pub(super) fn decoder_for(track: &Track, name: &str) -> Result<Box<dyn AudioDecoder>, AudioError> {
    let parameters = track.codec_params.as_ref().and_then(|p| p.audio());
    let parameters = parameters.ok_or_else(|| AudioError::NoAudioTrack { name: name.to_owned() })?;
    symphonia::default::get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default()).map_err(
        |_| AudioError::UnsupportedCodec { name: name.to_owned(), codec: codec_name(parameters.codec) },
    )
}

/// Whether a frame count was measured, and does not stand for "until the end" as in a piped WAV.
pub(super) fn is_measured(frames: u64, parameters: &AudioCodecParameters) -> bool {
    let channels = parameters.channels.as_ref().map_or(1, |c| c.count() as u64);
    let bytes = frames.saturating_mul(channels) * u64::from(parameters.bits_per_sample.unwrap_or(0)) / 8;
    !is_lossless(parameters.codec) || bytes < UNMEASURED_BYTES
}

pub(super) fn supported_rate(name: &str, hz: u32) -> Result<SampleRate, AudioError> {
    SampleRate::new(hz).ok_or_else(|| AudioError::RateOutOfRange { name: name.to_owned(), hz })
}

pub(super) fn open_error(path: &Path, source: io::Error) -> AudioError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound => AudioError::FileNotFound { path },
        ErrorKind::PermissionDenied => AudioError::FilePermission { path },
        ErrorKind::IsADirectory => AudioError::IsAFolder { path },
        _ => AudioError::Read { name: path.display().to_string(), source },
    }
}

fn probe_error(name: &str, seekable: bool, error: DecodeError) -> AudioError {
    let name = name.to_owned();
    match error {
        DecodeError::IoError(source) if source.kind() != ErrorKind::UnexpectedEof && seekable => {
            AudioError::Read { name, source }
        }
        DecodeError::SeekError(_) if !seekable => AudioError::NeedsSeek { name, source: error.into() },
        DecodeError::IoError(ref e) if e.kind() == ErrorKind::Other && !seekable => {
            AudioError::NeedsSeek { name, source: error.into() }
        }
        error => AudioError::NotAudio { name, source: error.into() },
    }
}
