//! Opening one capture stream, with its ring.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{
    BufferSize, ErrorKind, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfig,
};
use rtrb::{Consumer, RingBuffer};

use super::callback::RingWriter;
use super::devices::{device_error, find_default, find_named, id_of};
use super::stats::{Counters, StreamState};
use crate::audio::{AudioError, ChannelSelect, NativeFormat, SampleRate};

/// How much audio the ring holds: a reader may be held up this long (by a slow disk or a busy
/// recognizer) before audio is lost. 5 s at 48 kHz are 960 kB.
const RING_SECONDS: usize = 5;
/// Blocks per second asked of PulseAudio, whose own default is one block every 2 s, and of ALSA, whose default
/// was 140 blocks and a ring of two of them: more wake-ups, and less time to be late.
const BLOCKS_PER_SECOND: u32 = 25;

/// Which device, on which sound system; both by name or by default.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) host: Option<String>,
    pub(super) device: Option<String>,
    /// Fall back to the default if the named device is not there.
    pub(super) or_default: bool,
    pub(super) select: ChannelSelect,
}

/// A running stream and the reading end of its ring.
pub(super) struct Opened {
    /// Records as long as it lives; dropping it may block for ever.
    pub(super) stream: Box<dyn Send>,
    pub(super) ring: Consumer<f32>,
    pub(super) state: Arc<StreamState>,
    pub(super) native: NativeFormat,
    pub(super) id: String,
}

/// Finds the device and starts recording at its own rate and channels. May block for ever: run it
/// on a helper thread.
pub(super) fn open(wanted: &Wanted, counters: &Arc<Counters>) -> Result<Opened, AudioError> {
    let device = find(wanted)?;
    let id = id_of(&device);
    let failed = |e| device_error(&id, e);
    let supported = device.default_input_config().map_err(failed)?;
    let (hz, channels) = (supported.sample_rate(), supported.channels());
    wanted.select.check(&id, usize::from(channels))?;
    let rate = SampleRate::new(hz).ok_or_else(|| AudioError::RateOutOfRange { name: id.clone(), hz })?;
    let pulse = id.starts_with("pulseaudio:");
    let config = StreamConfig { channels, sample_rate: hz, buffer_size: block_of(&id, &supported) };
    // PulseAudio converts to floats itself, and reports formats that its own clients cannot ask for.
    let format = if pulse { SampleFormat::F32 } else { supported.sample_format() };
    let (producer, ring) = RingBuffer::new(hz as usize * RING_SECONDS);
    let state = Arc::new(StreamState::new());
    let writer = RingWriter {
        ring: producer,
        channels: usize::from(channels),
        select: wanted.select,
        state: Arc::clone(&state),
        counters: Arc::clone(counters),
    };
    let stream = build(&device, config, format, writer).map_err(failed)?;
    stream.play().map_err(failed)?;
    Ok(Opened { stream: Box::new(stream), ring, state, native: NativeFormat { rate, channels }, id })
}

/// How many frames a callback should bring.
fn block_of(id: &str, supported: &SupportedStreamConfig) -> BufferSize {
    let frames = supported.sample_rate() / BLOCKS_PER_SECOND;
    match *supported.buffer_size() {
        _ if id.starts_with("pulseaudio:") => BufferSize::Fixed(frames),
        SupportedBufferSize::Range { min, max } if id.starts_with("alsa:") && min <= max => {
            BufferSize::Fixed(frames.clamp(min, max))
        }
        _ => BufferSize::Default,
    }
}

pub(super) fn find(wanted: &Wanted) -> Result<cpal::Device, AudioError> {
    let host = wanted.host.as_deref();
    match &wanted.device {
        None => find_default(host),
        Some(name) => match find_named(name, host) {
            Err(AudioError::UnknownMicrophone { .. }) if wanted.or_default => find_default(host),
            found => found,
        },
    }
}

fn build(
    device: &cpal::Device,
    config: StreamConfig,
    format: SampleFormat,
    writer: RingWriter,
) -> Result<cpal::Stream, cpal::Error> {
    match format {
        SampleFormat::I8 => build_for::<i8>(device, config, writer),
        SampleFormat::I16 => build_for::<i16>(device, config, writer),
        SampleFormat::I24 => build_for::<cpal::I24>(device, config, writer),
        SampleFormat::I32 => build_for::<i32>(device, config, writer),
        SampleFormat::U8 => build_for::<u8>(device, config, writer),
        SampleFormat::U16 => build_for::<u16>(device, config, writer),
        SampleFormat::U24 => build_for::<cpal::U24>(device, config, writer),
        SampleFormat::U32 => build_for::<u32>(device, config, writer),
        SampleFormat::F32 => build_for::<f32>(device, config, writer),
        SampleFormat::F64 => build_for::<f64>(device, config, writer),
        other => {
            Err(cpal::Error::with_message(ErrorKind::UnsupportedConfig, format!("sample format {other}")))
        }
    }
}

fn build_for<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut writer: RingWriter,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let (state, counters) = (Arc::clone(&writer.state), Arc::clone(&writer.counters));
    let on_error = move |error: cpal::Error| match error.kind() {
        ErrorKind::Xrun => {
            counters.xruns.fetch_add(1, Relaxed);
        }
        // The stream goes on, on another device or with a lower priority.
        ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {}
        _ => state.broken.store(true, Relaxed),
    };
    device.build_input_stream(config, move |data: &[T], info| writer.write(data, Some(info)), on_error, None)
}
