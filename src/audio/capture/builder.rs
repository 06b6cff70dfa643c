//! [`Microphone`]: what to record from, before it is opened.

use std::sync::Arc;
use std::time::Duration;

use super::devices::{find_named, host_names, id_of};
use super::helper::within_timeout;
use super::open::{Wanted, find, open};
use super::source::{DEFAULT_WATCHDOG, MicrophoneSource};
use super::stats::Counters;
use crate::audio::{AudioError, ChannelSelect};

/// Chooses a microphone. `prefer_*` falls back to the default if there is no such thing, `try_*`
/// fails with the list of what there is.
///
/// Without any choice it is the default input of PulseAudio (or PipeWire's stand-in for it) if its
/// server answers, else ALSA's. Devices are recorded at their own rate and mixed to mono.
#[derive(Clone, Debug)]
pub struct Microphone {
    wanted: Wanted,
    watchdog: Duration,
}

impl Default for Microphone {
    fn default() -> Self {
        Self::new()
    }
}

impl Microphone {
    /// The system's default microphone.
    pub fn new() -> Self {
        Self { wanted: Wanted::default(), watchdog: DEFAULT_WATCHDOG }
    }

    /// Uses the sound system `name` (`pulseaudio`, `alsa`, `coreaudio`, ...) if it exists.
    pub fn prefer_host(mut self, name: &str) -> Self {
        self.wanted.host = host_names().into_iter().find(|known| known.eq_ignore_ascii_case(name));
        self
    }

    /// Uses only the sound system `name`.
    ///
    /// # Errors
    /// [`AudioError::UnknownHost`] with the names that exist.
    pub fn try_host(self, name: &str) -> Result<Self, AudioError> {
        let chosen = self.prefer_host(name);
        if chosen.wanted.host.is_none() {
            return Err(AudioError::UnknownHost { name: name.to_owned(), known: host_names() });
        }
        Ok(chosen)
    }

    /// Uses the device with this id or name (see [`list_devices`](super::list_devices)) if it is
    /// there when the microphone is opened, else the default.
    pub fn prefer_device(mut self, name: &str) -> Self {
        self.wanted.device = Some(name.to_owned());
        self.wanted.or_default = true;
        self
    }

    /// Uses only the device with this id or name, or the only one with it as a part of them.
    ///
    /// # Errors
    /// [`AudioError::UnknownMicrophone`] with the ids that exist, [`AudioError::AmbiguousMicrophone`],
    /// [`AudioError::SoundSystemStuck`].
    pub fn try_device(mut self, name: &str) -> Result<Self, AudioError> {
        let (name, host) = (name.to_owned(), self.wanted.host.clone());
        let id = within_timeout("looking for the microphone", move || {
            Ok(id_of(&find_named(&name, host.as_deref())?))
        })?;
        self.wanted.device = Some(id);
        self.wanted.or_default = false;
        Ok(self)
    }

    /// Looks whether there is such a microphone, without opening it: before a model is loaded for nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn check(self) -> Result<Self, AudioError> {
        let wanted = self.wanted.clone();
        within_timeout("looking for the microphone", move || find(&wanted).map(drop))?;
        Ok(self)
    }

    /// Records one channel, or the mean of all (the default).
    pub fn channel(mut self, select: ChannelSelect) -> Self {
        self.wanted.select = select;
        self
    }

    /// How long the sound system may deliver nothing before the stream is replaced; 2 s by default.
    /// Below about 0.5 s a loaded machine sets it off.
    pub fn watchdog(mut self, silence: Duration) -> Self {
        self.watchdog = silence;
        self
    }

    /// Starts recording.
    ///
    /// # Errors
    /// No microphone at all, an unknown name, no permission, busy, no usable format, channel or
    /// rate, or a sound system that does not answer: see [`AudioError`].
    pub fn open(self) -> Result<MicrophoneSource, AudioError> {
        let counters = Arc::<Counters>::default();
        let (wanted, shared) = (self.wanted.clone(), Arc::clone(&counters));
        let opened = within_timeout("opening the microphone", move || open(&wanted, &shared))?;
        MicrophoneSource::new(opened, self.wanted, counters, self.watchdog)
    }
}
