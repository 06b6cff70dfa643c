//! Where a session's audio comes from.

use std::path::PathBuf;
use std::time::Duration;

use super::error::{ErrorKind, SetupError};
use crate::audio::{
    AudioSource, ChannelSelect, FileSource, NativeFormat, PushWriter, SampleRate, WhenFull, push_stream,
};

/// Room for pushed audio. 10 s: a device under load catches up, for at most 2 MB.
const ROOM: Duration = Duration::from_secs(10);

/// Where a session's audio comes from.
#[derive(Clone, Debug)]
pub enum Input {
    /// The app hands it over with [`Session::push`](super::Session::push).
    Pushed {
        /// Frames per second.
        rate_hz: u32,
        /// Samples per frame, interleaved.
        channels: u16,
        /// It comes as it is spoken: nobody may wait for it, and its latency is measured. Otherwise a push waits for room.
        live: bool,
    },
    /// A recording, as fast as it is recognized.
    File(PathBuf),
    /// A microphone that the library opens: its id or its name, the system's default if empty. Refused in builds without
    /// the feature `capture`.
    Microphone(String),
}

/// A source that runs.
pub(super) struct Opened {
    pub(super) source: Box<dyn AudioSource>,
    pub(super) writer: Option<PushWriter>,
    pub(super) live: bool,
}

impl Opened {
    pub(super) fn of(input: &Input, select: ChannelSelect) -> Result<Self, SetupError> {
        Ok(match input {
            Input::Pushed { rate_hz, channels, live } => {
                let rate = SampleRate::new(*rate_hz).ok_or_else(|| {
                    let message = format!("{rate_hz} Hz is no rate that a source may have: 8000 to 192000");
                    SetupError::new(ErrorKind::Audio, message)
                })?;
                let when_full = if *live { WhenFull::Lose } else { WhenFull::Wait };
                let native = NativeFormat { rate, channels: *channels };
                let (writer, source) = push_stream(native, select, ROOM, when_full)?;
                Self { source: Box::new(source), writer: Some(writer), live: *live }
            }
            Input::File(path) => {
                Self { source: Box::new(FileSource::open(path, select)?), writer: None, live: false }
            }
            Input::Microphone(name) => Self { source: microphone(name, select)?, writer: None, live: true },
        })
    }
}

#[cfg(feature = "capture")]
fn microphone(name: &str, select: ChannelSelect) -> Result<Box<dyn AudioSource>, SetupError> {
    let microphone = crate::audio::capture::Microphone::new().channel(select);
    let microphone = if name.is_empty() { microphone } else { microphone.try_device(name)? };
    Ok(Box::new(microphone.open()?))
}

#[cfg(not(feature = "capture"))]
fn microphone(_name: &str, _select: ChannelSelect) -> Result<Box<dyn AudioSource>, SetupError> {
    let message = "this build opens no microphone: push its audio, or build with `--features capture`";
    Err(SetupError::new(ErrorKind::Usage, message))
}
