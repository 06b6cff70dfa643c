//! The microphone: capture through the system's sound server, made to survive its faults.
//!
//! ```no_run
//! use earwitness::audio::capture::Microphone;
//! use earwitness::audio::{AudioSource, Read};
//!
//! let mut microphone = Microphone::new().prefer_device("USB").open()?;
//! let mut block = Vec::new();
//! while microphone.read(&mut block)? == Read::Samples { /* 16 kHz mono */ }
//! # Ok::<(), earwitness::audio::AudioError>(())
//! ```
//!
//! Three threads meet here. The sound system's thread runs the callback (`callback`), which mixes
//! to mono into a wait-free ring and does nothing else: no allocation, lock or log. The caller's
//! thread drains the ring in [`MicrophoneSource`], resamples and watches. Short-lived helper threads
//! (`helper`) do whatever may block for ever, such as opening and dropping streams: when a sound
//! server is killed, ALSA's pulse plugin neither reports an error nor lets go of the stream.
//!
//! Audio lost on the way (ring overrun, dead server) is never silent: it comes out as
//! [`Read::Gap`](super::Read::Gap) with its length and is counted in [`CaptureStats`].
//!
//! libasound prints its complaints to stderr. Its handler can only be replaced through its C
//! interface, so they stay; no device known to be noisy is opened unasked.

mod builder;
mod callback;
mod devices;
mod helper;
mod open;
mod source;
mod stats;

pub use builder::Microphone;
pub use devices::{InputDevice, NativeInput, list_devices};
pub use source::MicrophoneSource;
pub use stats::{CaptureStats, CaptureStatsHandle};
