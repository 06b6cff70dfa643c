//! [`AudioSource`]: a stream of mono 16 kHz blocks, whatever it comes from.
//!
//! Files, pipes and microphones all look like this, so that the offline transcriber, a replay at
//! the speed of speech and live listening share everything after it. Sources stream: memory does
//! not grow with the length of the recording, and the caller's block buffer is reused.

use std::time::Duration;

use super::{AudioError, SampleRate};

/// What one [`AudioSource::read`] brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The block holds the next samples. A live source may have none yet: an empty block is not the end.
    Samples,
    /// This many samples at 16 kHz were lost here and the block is empty. The stream's position
    /// moves on by that much: an utterance that was going on is cut by the gap.
    Gap(u64),
    /// The stream has ended and the block is empty; every later call says so again.
    End,
}

/// How the audio arrived, before it was converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NativeFormat {
    /// Frames per second.
    pub rate: SampleRate,
    /// Channels, at least 1.
    pub channels: u16,
}

/// Faults that were survived, counted since the stream began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SourceFaults {
    /// The file ended before its header said it would.
    pub truncated: bool,
    /// Packets that could not be decoded and were skipped.
    pub bad_packets: u64,
    /// NaN or infinite samples, replaced by 0.
    pub non_finite_samples: u64,
    /// Samples at 16 kHz that were lost and reported as [`Read::Gap`].
    pub lost_samples: u64,
    /// Times that a capture buffer ran over, the sound system's and our own.
    pub overruns: u64,
}

/// Which of a source's channels is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelSelect {
    /// The mean of all channels. Two channels in opposite phase cancel: choose one of them then.
    #[default]
    Mix,
    /// One channel, counted from 0.
    Channel(usize),
}

impl ChannelSelect {
    /// Checks the choice against a source with `channels` channels.
    ///
    /// # Errors
    /// [`AudioError::NoChannels`] for 0 channels, [`AudioError::NoSuchChannel`] for one that is not there.
    pub fn check(self, name: &str, channels: usize) -> Result<(), AudioError> {
        match self {
            _ if channels == 0 => Err(AudioError::NoChannels { name: name.to_owned() }),
            Self::Channel(asked) if asked >= channels => {
                Err(AudioError::NoSuchChannel { name: name.to_owned(), asked, channels })
            }
            _ => Ok(()),
        }
    }

    /// The mono sample of one frame (one sample per channel); 0 for an empty frame.
    pub fn of_frame(self, frame: &[f32]) -> f32 {
        match self {
            Self::Mix => frame.iter().sum::<f32>() / frame.len().max(1) as f32,
            Self::Channel(index) => frame.get(index).copied().unwrap_or(0.0),
        }
    }

    /// Appends the mono samples of `interleaved` frames to `mono`, with non-finite ones replaced by
    /// 0; returns how many were replaced. A partial last frame is dropped.
    pub fn append(self, interleaved: &[f32], channels: usize, mono: &mut Vec<f32>) -> u64 {
        let mut replaced = 0;
        mono.extend(interleaved.chunks_exact(channels.max(1)).map(|frame| {
            let sample = self.of_frame(frame);
            if sample.is_finite() {
                sample
            } else {
                replaced += 1;
                0.0
            }
        }));
        replaced
    }
}

/// A stream of mono `f32` samples in about [-1, 1] at 16 kHz.
pub trait AudioSource: Send {
    /// Replaces the contents of `block` with the next samples, in blocks of whatever size suits the
    /// source (at most a few seconds). A file answers at once, a live source within about 100 ms.
    ///
    /// # Errors
    /// Any [`AudioError`] that ends the stream. Faults that can be survived are in [`Self::faults`].
    fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError>;

    /// How the audio arrives, before conversion.
    fn native(&self) -> NativeFormat;

    /// How long the stream is, if its header says so; for progress bars, not for arithmetic.
    fn duration_hint(&self) -> Option<Duration> {
        None
    }

    /// What has gone wrong and been survived so far.
    fn faults(&self) -> SourceFaults {
        SourceFaults::default()
    }
}

impl<S: AudioSource + ?Sized> AudioSource for Box<S> {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
        (**self).read(block)
    }
    fn native(&self) -> NativeFormat {
        (**self).native()
    }
    fn duration_hint(&self) -> Option<Duration> {
        (**self).duration_hint()
    }
    fn faults(&self) -> SourceFaults {
        (**self).faults()
    }
}

/// Reads a source to its end into one buffer; gaps become silence, so that positions stay right.
/// For short clips and tests: memory grows with the recording.
///
/// # Errors
/// The source's own.
pub fn read_all(source: &mut dyn AudioSource) -> Result<Vec<f32>, AudioError> {
    let (mut all, mut block) = (Vec::new(), Vec::new());
    loop {
        match source.read(&mut block)? {
            Read::Samples => all.extend_from_slice(&block),
            Read::Gap(lost) => all.resize(all.len() + lost as usize, 0.0),
            Read::End => return Ok(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_is_the_mean_and_a_channel_is_itself() {
        let frames = [0.5, -0.1, 0.25, 0.75];
        let mut mono = Vec::new();
        assert_eq!(ChannelSelect::Mix.append(&frames, 2, &mut mono), 0);
        assert_eq!(mono, [0.2, 0.5]);
        mono.clear();
        ChannelSelect::Channel(1).append(&frames, 2, &mut mono);
        assert_eq!(mono, [-0.1, 0.75]);
    }

    #[test]
    fn non_finite_samples_become_silence_and_are_counted() {
        let mut mono = Vec::new();
        let replaced = ChannelSelect::Mix.append(&[f32::NAN, 0.5, f32::INFINITY], 1, &mut mono);
        assert_eq!((replaced, mono.as_slice()), (2, [0.0, 0.5, 0.0].as_slice()));
    }

    #[test]
    fn a_missing_channel_is_an_error_that_tells_how_many_there_are() {
        let error = ChannelSelect::Channel(2).check("a.wav", 2).unwrap_err();
        assert!(error.to_string().contains("a.wav has 2 (numbered from 0)"), "{error}");
        assert!(ChannelSelect::Mix.check("a.wav", 0).is_err());
        assert!(ChannelSelect::Channel(1).check("a.wav", 2).is_ok());
    }
}
