//! Audio in: microphone capture, file decoding, resampling to 16 kHz mono, level and quality.
//!
//! Knows nothing of speech. Every source ends as mono `f32` samples at [`SAMPLE_RATE`].

#[cfg(feature = "capture")]
pub mod capture;
mod codec;
mod decode;
mod encode;
mod error;
mod frame;
mod level;
mod probe;
mod push;
mod quality;
mod raw;
mod replay;
mod resample;
mod ring;
mod source;
mod wav_header;

pub use decode::FileSource;
pub use encode::{AudioFormat, encode_flac, encode_s16le, encode_wav};
pub use error::{AudioError, Cause};
pub use frame::{SAMPLE_RATE, SamplePosition, SampleRate, samples_in_ms, seconds_of};
pub use level::{
    CLIP_LEVEL, CLIPPING_RATIO, DIGITAL_SILENCE_SECONDS, LevelMeter, LevelReading, LevelWarning,
    SILENCE_DBFS, VERY_QUIET_DBFS,
};
pub use push::{GiveUp, PcmSample, PushError, PushSource, PushWriter, WhenFull, push_stream};
pub use quality::{Quality, QualityMeter};
pub use raw::{PcmFormat, PcmLayout, PcmSource, open_stream};
pub use replay::{Clock, REPLAY_BLOCK_SAMPLES, Replay, WallClock};
pub use resample::{Resampler, output_length};
pub use source::{AudioSource, ChannelSelect, NativeFormat, Read, SourceFaults, read_all};
