//! What runs on the sound system's thread: mix to mono into the ring, count, return.
//!
//! Nothing here allocates, locks, logs or makes a blocking system call.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use cpal::{FromSample, InputCallbackInfo, Sample};
use rtrb::Producer;

use super::stats::{Counters, StreamState};
use crate::audio::ChannelSelect;

/// One stream's end of the ring.
pub(super) struct RingWriter {
    pub(super) ring: Producer<f32>,
    pub(super) channels: usize,
    pub(super) select: ChannelSelect,
    pub(super) state: Arc<StreamState>,
    pub(super) counters: Arc<Counters>,
}

impl RingWriter {
    /// Takes interleaved samples of the device's own format. What does not fit is lost and counted.
    pub(super) fn write<T: Sample>(&mut self, interleaved: &[T], info: Option<&InputCallbackInfo>)
    where
        f32: FromSample<T>,
    {
        let frames = interleaved.len() / self.channels;
        let room = frames.min(self.ring.slots());
        let select = self.select;
        if let Ok(chunk) = self.ring.write_chunk_uninit(room) {
            chunk.fill_from_iter(interleaved.chunks_exact(self.channels).map(|frame| mono(select, frame)));
        }
        if room < frames {
            self.counters.overruns.fetch_add(1, Relaxed);
            self.state.lost_frames.fetch_add((frames - room) as u64, Relaxed);
        }
        self.counters.callbacks.fetch_add(1, Relaxed);
        if let Some(info) = info {
            let stamp = info.timestamp();
            let latency = stamp.callback.duration_since(stamp.capture);
            self.counters.latency_us.store(latency.as_micros() as u64, Relaxed);
        }
        self.state.called();
    }
}

fn mono<T: Sample>(select: ChannelSelect, frame: &[T]) -> f32
where
    f32: FromSample<T>,
{
    match select {
        ChannelSelect::Mix => frame.iter().map(|x| f32::from_sample(*x)).sum::<f32>() / frame.len() as f32,
        ChannelSelect::Channel(index) => frame.get(index).map_or(0.0, |x| f32::from_sample(*x)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(capacity: usize, channels: usize, select: ChannelSelect) -> (RingWriter, rtrb::Consumer<f32>) {
        let (ring, reader) = rtrb::RingBuffer::new(capacity);
        (
            RingWriter {
                ring,
                channels,
                select,
                state: Arc::new(StreamState::new()),
                counters: Arc::default(),
            },
            reader,
        )
    }

    fn drain(mut reader: rtrb::Consumer<f32>) -> Vec<f32> {
        std::iter::from_fn(|| reader.pop().ok()).collect()
    }

    #[test]
    fn integer_frames_are_mixed_to_floats() {
        let (mut ring, reader) = writer(8, 2, ChannelSelect::Mix);
        ring.write(&[16_384_i16, 0, -32_768, -32_768], None);
        assert_eq!(drain(reader), [0.25, -1.0]);
    }

    #[test]
    fn one_channel_can_be_taken_alone() {
        let (mut ring, reader) = writer(8, 3, ChannelSelect::Channel(2));
        ring.write(&[0.1_f32, 0.2, 0.3, 0.4, 0.5, 0.6], None);
        assert_eq!(drain(reader), [0.3, 0.6]);
    }

    #[test]
    fn what_the_ring_cannot_hold_is_counted_and_the_rest_is_kept() {
        let (mut ring, reader) = writer(4, 1, ChannelSelect::Mix);
        ring.write(&[0.0_f32; 3], None);
        ring.write(&[0.5_f32; 3], None);
        assert_eq!(ring.counters.overruns.load(Relaxed), 1);
        assert_eq!(ring.counters.callbacks.load(Relaxed), 2);
        assert_eq!(ring.state.lost_frames.load(Relaxed), 2);
        assert_eq!(drain(reader), [0.0, 0.0, 0.0, 0.5]);
    }
}
