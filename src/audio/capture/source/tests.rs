use std::sync::mpsc;

use super::*;
use crate::audio::SampleRate;
use crate::audio::capture::callback::RingWriter;
use crate::audio::capture::stats::StreamState;

/// Stands for the sound system's stream, and tells when it was dropped.
struct FakeStream(mpsc::Sender<()>);

impl Drop for FakeStream {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A microphone at 16 kHz whose ring holds `capacity` samples, the writing end, and the news of its
/// stream's end. Its device does not exist, so it never comes back once it is gone.
fn microphone(capacity: usize) -> (MicrophoneSource, RingWriter, mpsc::Receiver<()>) {
    let (ring, reader) = rtrb::RingBuffer::new(capacity);
    let (dropped, news) = mpsc::channel();
    let counters = Arc::<Counters>::default();
    let state = Arc::new(StreamState::new());
    let writer = RingWriter {
        ring,
        channels: 1,
        select: ChannelSelect::Mix,
        state: Arc::clone(&state),
        counters: Arc::clone(&counters),
    };
    let native = NativeFormat { rate: SampleRate::new(16_000).unwrap(), channels: 1 };
    let id = "no such system:no such device".to_owned();
    let opened = Opened { stream: Box::new(FakeStream(dropped)), ring: reader, state, native, id };
    let source =
        MicrophoneSource::new(opened, Wanted::default(), counters, Duration::from_secs(3600)).unwrap();
    (source, writer, news)
}

#[test]
fn samples_lost_to_a_full_ring_come_out_as_a_gap_in_their_place() {
    let (mut source, mut writer, _news) = microphone(4);
    let mut block = Vec::new();
    writer.write(&[0.1_f32, 0.2, 0.3], None);
    writer.write(&[0.4_f32, 0.5, 0.6, 0.7], None);
    assert_eq!(source.read(&mut block).unwrap(), Read::Samples);
    assert_eq!(block, [0.1, 0.2, 0.3, 0.4]);
    writer.write(&[0.8_f32], None);
    assert_eq!((source.read(&mut block).unwrap(), block.len()), (Read::Gap(3), 0));
    assert_eq!(source.read(&mut block).unwrap(), Read::Samples);
    assert_eq!(block, [0.8]);
    let stats = source.stats();
    assert_eq!((stats.callbacks, stats.overruns, stats.lost_samples, stats.reconnects), (3, 1, 3, 0));
}

#[test]
fn a_quiet_sound_system_gives_an_empty_block_and_no_gap() {
    let (mut source, _writer, _news) = microphone(4);
    let mut block = vec![1.0];
    assert_eq!((source.read(&mut block).unwrap(), block.len()), (Read::Samples, 0));
}

#[test]
fn non_finite_samples_are_silenced_and_counted() {
    let (mut source, mut writer, _news) = microphone(4);
    let mut block = Vec::new();
    writer.write(&[f32::NAN, 0.5], None);
    source.read(&mut block).unwrap();
    assert_eq!((block.as_slice(), source.faults().non_finite_samples), ([0.0, 0.5].as_slice(), 1));
}

#[test]
fn a_broken_stream_is_drained_let_go_and_its_absence_counted() {
    let (mut source, mut writer, news) = microphone(4);
    let mut block = Vec::new();
    writer.write(&[0.5_f32], None);
    writer.state.broken.store(true, Relaxed);
    assert_eq!(source.read(&mut block).unwrap(), Read::Samples);
    assert_eq!(block, [0.5]);
    let mut lost = 0;
    while lost < 800 {
        match source.read(&mut block).unwrap() {
            Read::Gap(n) => lost += n,
            Read::Samples => assert!(block.is_empty()),
            Read::End => panic!("a microphone does not end"),
        }
    }
    assert_eq!(news.recv(), Ok(()));
    assert_eq!((source.stats().lost_samples, source.stats().reconnects), (lost, 0));
}

#[test]
fn dropping_the_source_drops_the_stream() {
    let (source, _writer, news) = microphone(4);
    drop(source);
    assert_eq!(news.recv(), Ok(()));
}

#[test]
fn pauses_between_attempts_double_up_to_the_longest() {
    let seconds: Vec<f64> = (0..8).map(|n| backoff(n).as_secs_f64()).collect();
    assert_eq!(seconds, [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]);
    assert_eq!(backoff(u32::MAX), BACKOFF.1);
}
