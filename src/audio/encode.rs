//! Utterances as files: 16-bit FLAC and WAV, mono, 16 kHz.
//!
//! 16 bits are what microphones give and what every speech API takes; rounding to them is the only loss.

use std::io::Cursor;

use flac_codec::encode::{FlacSampleWriter, Options};

use super::SAMPLE_RATE;

/// Frames per second in both formats.
const HZ: u32 = SAMPLE_RATE.hz();
/// Bits of a sample in both formats.
const BITS: u32 = 16;

/// A file format of an encoded recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioFormat {
    /// Free Lossless Audio Codec: about half of WAV for speech.
    Flac,
    /// Linear PCM in a RIFF file.
    Wav,
}

impl AudioFormat {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Flac => "audio/flac",
            Self::Wav => "audio/wav",
        }
    }

    /// Its file extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Flac => "flac",
            Self::Wav => "wav",
        }
    }
}

/// `samples` in [-1, 1] at 16 kHz as a FLAC file; what lies outside is clipped. `None` without samples, which FLAC cannot hold.
pub fn encode_flac(samples: &[f32]) -> Option<Vec<u8>> {
    let pcm: Vec<i32> = samples.iter().map(|&s| i32::from(to_i16(s))).collect();
    let mut file = Cursor::new(Vec::with_capacity(samples.len()));
    let options = Options::default().no_padding().no_seektable();
    let count = Some(samples.len() as u64);
    // Writing to memory does not fail, and the parameters are constants: an error means no samples.
    let mut writer = FlacSampleWriter::new(&mut file, options, HZ, BITS, 1, count).ok()?;
    writer.write(&pcm).ok()?;
    writer.finalize().ok()?;
    Some(file.into_inner())
}

/// `samples` in [-1, 1] at 16 kHz as a WAV file; what lies outside is clipped.
pub fn encode_wav(samples: &[f32]) -> Vec<u8> {
    const HEADER_BYTES: u32 = 44;
    let data_bytes = samples.len() as u32 * BITS / 8;
    let byte_rate = HZ * BITS / 8;
    let mut file = Vec::with_capacity((HEADER_BYTES + data_bytes) as usize);
    file.extend(b"RIFF");
    file.extend((HEADER_BYTES - 8 + data_bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    // Linear PCM, one channel.
    file.extend(1_u16.to_le_bytes());
    file.extend(1_u16.to_le_bytes());
    file.extend(HZ.to_le_bytes());
    file.extend(byte_rate.to_le_bytes());
    file.extend((BITS as u16 / 8).to_le_bytes());
    file.extend((BITS as u16).to_le_bytes());
    file.extend(b"data");
    file.extend(data_bytes.to_le_bytes());
    file.extend(encode_s16le(samples));
    file
}

/// `samples` in [-1, 1] as 16-bit little-endian samples without a header.
pub fn encode_s16le(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|&s| to_i16(s).to_le_bytes()).collect()
}

/// Rounded to the nearest of 16 bits. The decoder divides by 32768, so decoded 16-bit audio comes back exactly.
fn to_i16(sample: f32) -> i16 {
    // The cast saturates, and makes a NaN 0.
    (sample * 32768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{ChannelSelect, PcmFormat, PcmLayout, open_stream, read_all};

    fn decoded(file: Vec<u8>) -> Vec<f32> {
        let raw = PcmFormat { layout: PcmLayout::S16Le, rate: SAMPLE_RATE, channels: 1 };
        let mut source = open_stream(Cursor::new(file), "memory", raw, ChannelSelect::Mix).unwrap();
        read_all(source.as_mut()).unwrap()
    }

    #[test]
    fn sixteen_bit_samples_come_back_exactly_from_both_formats() {
        let samples: Vec<f32> = (0..40_001_i32)
            .map(|i| ((i * 7919) % 65536 - 32768) as f32 / 32768.0 * (i as f32 / 3e3).sin().abs())
            .map(|s| (s * 32768.0).round() / 32768.0)
            .map(|s| s.clamp(-1.0, 32767.0 / 32768.0))
            .collect();
        assert_eq!(decoded(encode_wav(&samples)), samples);
        assert_eq!(decoded(encode_flac(&samples).unwrap()), samples);
    }

    #[test]
    fn speechlike_flac_is_smaller_and_short_or_odd_input_is_survived() {
        let tone: Vec<f32> = (0..32_000).map(|i| (i as f32 * 0.05).sin() * 0.2).collect();
        assert!(encode_flac(&tone).unwrap().len() * 10 < encode_wav(&tone).len() * 8);
        assert_eq!(encode_flac(&[]), None);
        assert_eq!(decoded(encode_flac(&[0.5]).unwrap()), [0.5]);
        let odd = decoded(encode_flac(&[f32::NAN, 9.0, -9.0, f32::INFINITY]).unwrap());
        assert_eq!(odd, [0.0, 32767.0 / 32768.0, -1.0, 32767.0 / 32768.0]);
    }
}
