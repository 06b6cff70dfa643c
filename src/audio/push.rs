//! Audio that an app hands over: it owns the microphone, or has samples from elsewhere.
//!
//! ```text
//! the app's audio thread                      the pipeline's audio thread
//! PushWriter::push ── ring of mono samples ──► PushSource ── resampler ──► 16 kHz blocks
//! ```
//! [`PushWriter`] takes samples of any rate and channels as they come. With [`WhenFull::Lose`] it never waits, allocates
//! or locks: it may be called from a real-time audio callback, and what the ring cannot hold is lost, counted, and told as
//! [`Read::Gap`]. With [`WhenFull::Wait`] it waits for the reader, as for a recording that is handed over at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use super::ring::RingDrain;
use super::source::{AudioSource, ChannelSelect, NativeFormat, Read, SourceFaults};
use super::{AudioError, Resampler, output_length};

/// How often an empty ring is looked at: a third of a detector's frame.
const POLL: Duration = Duration::from_millis(10);
/// The same where nothing came for a second: an app that pauses its microphone does not pay for it in wake-ups.
const IDLE_POLL: Duration = Duration::from_millis(50);
/// Time in which `read` answers without samples, so that its caller can stop.
const ANSWER_WITHIN: Duration = Duration::from_millis(100);
/// So many answers without samples are that second.
const IDLE_AFTER: u32 = 10;
/// How often a writer that waits looks for room.
const WRITER_POLL: Duration = Duration::from_millis(2);

/// What a writer does when the ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Live audio: the new samples are lost, counted and told.
    Lose,
    /// It waits until the reader has made room.
    Wait,
}

/// Why samples are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// They are not whole frames.
    #[error("{samples} samples are not whole frames of {channels} channels")]
    PartialFrame {
        /// Samples given.
        samples: usize,
        /// Samples of a frame.
        channels: usize,
    },
    /// Nobody listens any more.
    #[error("the session has ended: it takes no more audio")]
    Closed,
}

/// A sample as apps have it.
pub trait PcmSample: Copy {
    /// In [-1, 1].
    fn to_f32(self) -> f32;
}

impl PcmSample for f32 {
    fn to_f32(self) -> f32 {
        self
    }
}

impl PcmSample for i16 {
    fn to_f32(self) -> f32 {
        f32::from(self) / 32_768.0
    }
}

/// What both ends know.
#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    given_up: AtomicBool,
    lost_frames: AtomicU64,
    overruns: AtomicU64,
}

/// The app's end. Dropping it ends the stream.
pub struct PushWriter {
    ring: Producer<f32>,
    channels: usize,
    select: ChannelSelect,
    when_full: WhenFull,
    shared: Arc<Shared>,
}

/// Gives a stream up while its writer waits: it comes back then.
#[derive(Clone)]
pub struct GiveUp(Arc<Shared>);

impl GiveUp {
    /// From any thread.
    pub fn now(&self) {
        self.0.given_up.store(true, Ordering::Release);
    }
}

/// The pipeline's end.
pub struct PushSource {
    ring: Consumer<f32>,
    native: NativeFormat,
    drain: RingDrain,
    resampler: Resampler,
    mono: Vec<f32>,
    faults: SourceFaults,
    shared: Arc<Shared>,
    due_gap: u64,
    flushed: bool,
    /// Answers without samples in a row.
    empty: u32,
}

/// A stream of `native` audio with room for `room` of it. 10 s are enough for a device under load: it is at most 2 MB.
///
/// # Errors
/// [`AudioError::NoChannels`], [`AudioError::NoSuchChannel`], [`AudioError::Resample`].
pub fn push_stream(
    native: NativeFormat,
    select: ChannelSelect,
    room: Duration,
    when_full: WhenFull,
) -> Result<(PushWriter, PushSource), AudioError> {
    let channels = usize::from(native.channels);
    select.check("the app's audio", channels)?;
    let frames = (room.as_secs_f64() * f64::from(native.rate.hz())).ceil() as usize;
    let (writer, reader) = RingBuffer::new(frames.max(1));
    let shared = Arc::<Shared>::default();
    let source = PushSource {
        ring: reader,
        native,
        drain: RingDrain::default(),
        resampler: Resampler::new(native.rate)?,
        mono: Vec::new(),
        faults: SourceFaults::default(),
        shared: shared.clone(),
        due_gap: 0,
        flushed: false,
        empty: 0,
    };
    Ok((PushWriter { ring: writer, channels, select, when_full, shared }, source))
}

impl PushWriter {
    /// For whoever cannot have the writer while it waits.
    pub fn give_up(&self) -> GiveUp {
        GiveUp(self.shared.clone())
    }

    /// Takes interleaved samples, whole frames; gives the number of frames that were lost because the ring was full.
    ///
    /// # Errors
    /// [`PushError`]; nothing was taken then, or with [`PushError::Closed`] only some.
    pub fn push<T: PcmSample>(&mut self, interleaved: &[T]) -> Result<usize, PushError> {
        if !interleaved.len().is_multiple_of(self.channels) {
            return Err(PushError::PartialFrame { samples: interleaved.len(), channels: self.channels });
        }
        let mut rest = interleaved;
        loop {
            if self.ring.is_abandoned() || self.shared.given_up.load(Ordering::Acquire) {
                return Err(PushError::Closed);
            }
            let room = self.ring.slots().min(rest.len() / self.channels);
            let (now, later) = rest.split_at(room * self.channels);
            let (select, channels) = (self.select, self.channels);
            if let Ok(chunk) = self.ring.write_chunk_uninit(room) {
                chunk.fill_from_iter(now.chunks_exact(channels).map(|frame| mono(select, frame)));
            }
            rest = later;
            if rest.is_empty() {
                return Ok(0);
            }
            if self.when_full == WhenFull::Lose {
                let lost = rest.len() / self.channels;
                self.shared.overruns.fetch_add(1, Ordering::Relaxed);
                self.shared.lost_frames.fetch_add(lost as u64, Ordering::Release);
                return Ok(lost);
            }
            thread::sleep(WRITER_POLL);
        }
    }
}

impl Drop for PushWriter {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
    }
}

fn mono<T: PcmSample>(select: ChannelSelect, frame: &[T]) -> f32 {
    match select {
        ChannelSelect::Mix => frame.iter().map(|x| x.to_f32()).sum::<f32>() / frame.len() as f32,
        ChannelSelect::Channel(index) => frame.get(index).map_or(0.0, |x| x.to_f32()),
    }
}

impl AudioSource for PushSource {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<Read, AudioError> {
        block.clear();
        let pause = if self.empty < IDLE_AFTER { POLL } else { IDLE_POLL };
        for _ in 0..ANSWER_WITHIN.as_millis() / pause.as_millis() {
            if self.due_gap > 0 {
                self.faults.lost_samples += self.due_gap;
                return Ok(Read::Gap(std::mem::take(&mut self.due_gap)));
            }
            // Before the ring: what was written before the end is there then.
            let ended = self.shared.ended.load(Ordering::Acquire);
            let lost = self.shared.lost_frames.load(Ordering::Acquire);
            let drained = self.drain.take(&mut self.ring, lost, &mut self.mono);
            self.faults.non_finite_samples += drained.non_finite;
            if !self.mono.is_empty() {
                self.empty = 0;
            }
            self.resampler.push(&self.mono, block)?;
            if let Some(frames) = drained.gap_frames {
                self.resampler.finish(block)?;
                self.due_gap = output_length(frames, self.native.rate);
            }
            if !block.is_empty() {
                return Ok(Read::Samples);
            }
            if ended && self.mono.is_empty() && self.due_gap == 0 {
                if self.flushed {
                    return Ok(Read::End);
                }
                self.flushed = true;
                self.resampler.finish(block)?;
                return Ok(if block.is_empty() { Read::End } else { Read::Samples });
            }
            if self.mono.is_empty() && self.due_gap == 0 {
                thread::sleep(pause);
            }
        }
        self.empty = self.empty.saturating_add(1);
        Ok(Read::Samples)
    }

    fn native(&self) -> NativeFormat {
        self.native
    }

    fn faults(&self) -> SourceFaults {
        SourceFaults { overruns: self.shared.overruns.load(Ordering::Relaxed), ..self.faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{SampleRate, read_all};

    fn native(rate: u32, channels: u16) -> NativeFormat {
        NativeFormat { rate: SampleRate::new(rate).unwrap(), channels }
    }

    fn stream(rate: u32, channels: u16, room_ms: u64, when_full: WhenFull) -> (PushWriter, PushSource) {
        let room = Duration::from_millis(room_ms);
        push_stream(native(rate, channels), ChannelSelect::Mix, room, when_full).unwrap()
    }

    #[test]
    fn all_that_is_pushed_comes_out_however_it_is_cut() {
        let (mut writer, mut source) = stream(16_000, 1, 10, WhenFull::Wait);
        let samples: Vec<i16> = (0..5_000).map(|n| n as i16).collect();
        let expected: Vec<f32> = samples.iter().map(|x| f32::from(*x) / 32_768.0).collect();
        let writing = thread::spawn(move || {
            for piece in samples.chunks(331) {
                assert_eq!(writer.push(piece), Ok(0));
            }
        });
        assert_eq!(read_all(&mut source).unwrap(), expected);
        writing.join().unwrap();
        assert_eq!(source.faults(), SourceFaults::default());
    }

    #[test]
    fn any_rate_and_channels_become_16_khz_mono_of_the_same_length() {
        for (rate, channels) in [(48_000, 2), (44_100, 1), (8_000, 1), (22_050, 2)] {
            let (mut writer, mut source) = stream(rate, channels, 2_000, WhenFull::Lose);
            let tone = |n: u32| (std::f32::consts::TAU * 300.0 * n as f32 / rate as f32).sin() * 0.5;
            let frames: Vec<f32> =
                (0..rate).flat_map(|n| std::iter::repeat_n(tone(n), usize::from(channels))).collect();
            assert_eq!(writer.push(&frames), Ok(0));
            drop(writer);
            let heard = read_all(&mut source).unwrap();
            assert_eq!(heard.len(), 16_000, "{rate}");
            let rms = (heard.iter().map(|x| x * x).sum::<f32>() / 16_000.0).sqrt();
            assert!((rms - 0.3536).abs() < 0.01, "{rate}: {rms}");
        }
    }

    #[test]
    fn what_the_ring_cannot_hold_is_a_gap_in_its_place() {
        let (mut writer, mut source) = stream(16_000, 1, 100, WhenFull::Lose);
        assert_eq!(writer.push(&[0.5_f32; 1_600]), Ok(0));
        assert_eq!(writer.push(&[0.5_f32; 400]), Ok(400));
        let mut block = Vec::new();
        assert_eq!(source.read(&mut block).unwrap(), Read::Samples);
        assert_eq!(block.len(), 1_600);
        assert_eq!(source.read(&mut block).unwrap(), Read::Gap(400));
        assert_eq!(writer.push(&[0.25_f32; 10]), Ok(0));
        drop(writer);
        assert_eq!(source.read(&mut block).unwrap(), Read::Samples);
        assert_eq!(block, [0.25; 10]);
        assert_eq!(source.read(&mut block).unwrap(), Read::End);
        assert_eq!((source.faults().lost_samples, source.faults().overruns), (400, 1));
    }

    #[test]
    fn a_part_of_a_frame_and_a_closed_stream_are_errors() {
        let (mut writer, source) = stream(48_000, 2, 100, WhenFull::Wait);
        let refused = writer.push(&[0.0_f32; 3]);
        assert_eq!(refused, Err(PushError::PartialFrame { samples: 3, channels: 2 }));
        drop(source);
        assert_eq!(writer.push(&[0.0_f32; 2]), Err(PushError::Closed));
        assert!(push_stream(native(16_000, 0), ChannelSelect::Mix, POLL, WhenFull::Lose).is_err());
    }

    #[test]
    fn a_writer_that_waits_comes_back_when_the_stream_is_given_up() {
        let (mut writer, _source) = stream(16_000, 1, 10, WhenFull::Wait);
        let give_up = writer.give_up();
        let writing = thread::spawn(move || writer.push(&[0.5_f32; 16_000]));
        give_up.now();
        assert_eq!(writing.join().unwrap(), Err(PushError::Closed));
    }

    #[test]
    fn a_source_without_samples_answers_soon() {
        let (_writer, mut source) = stream(16_000, 1, 100, WhenFull::Lose);
        let mut block = vec![1.0];
        assert_eq!(source.read(&mut block).unwrap(), Read::Samples);
        assert!(block.is_empty());
    }
}
